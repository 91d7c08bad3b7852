//! A script of tests/interop in a process of its own: the test asks and is told, in JSON lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{eventually, until_some};

/// An answer may wait for the whole platform, on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// A running script. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Script {
    name: String,
    child: Child,
    stdin: ChildStdin,
    /// Everything it said, in order.
    lines: Arc<Mutex<Vec<Value>>>,
    asked: u64,
    /// Lines that [`Script::told`] has given out, by their place.
    given: Vec<usize>,
}

impl Script {
    /// Starts `command`, whose last argument becomes the script's options.
    pub(super) fn start(mut command: Command, options: &Value) -> Self {
        let name = command.get_args().last().unwrap_or_default().to_string_lossy().into_owned();
        command.arg(options.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "event": "noise", "line": line }));
                said.lock().unwrap().push(line);
            }
        });
        Self { name, child, stdin, lines, asked: 0, given: Vec::new() }
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(&mut self, verb: &str, question: Value) -> Value {
        let number = self.send(verb, question);
        self.answer(number).await
    }

    /// Asks without waiting; answers the question's number.
    pub(super) fn send(&mut self, verb: &str, mut question: Value) -> u64 {
        self.asked += 1;
        question["ask"] = self.asked.into();
        question["do"] = verb.into();
        writeln!(self.stdin, "{question}").unwrap();
        self.asked
    }

    /// The answer to question `number`.
    pub(super) async fn answer(&self, number: u64) -> Value {
        let answer = self.until(|line| line["answer"] == number).await.1;
        assert!(answer["failed"].is_null(), "{}: {}", self.name, answer["failed"]);
        answer
    }

    /// The next event of this kind for which `wanted` holds and that was not yet given out.
    pub(super) async fn told(&mut self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let (place, line) =
            self.until_at(|place, line| line["event"] == event && !self.given.contains(&place) && wanted(line)).await;
        self.given.push(place);
        line
    }

    /// All events of this kind so far.
    pub(super) fn events(&self, event: &str) -> Vec<Value> {
        self.lines.lock().unwrap().iter().filter(|line| line["event"] == event).cloned().collect()
    }

    /// Waits until that many events of this kind came; more is a failure.
    pub(super) async fn until_events(&self, event: &str, count: usize) {
        eventually(ANSWER_LIMIT, async || self.events(event).len() >= count).await;
        assert_eq!(self.events(event).len(), count);
    }

    async fn until(&self, wanted: impl Fn(&Value) -> bool) -> (usize, Value) {
        self.until_at(|_, line| wanted(line)).await
    }

    async fn until_at(&self, wanted: impl Fn(usize, &Value) -> bool) -> (usize, Value) {
        let look = async || {
            let lines = self.lines.lock().unwrap();
            let found = lines.iter().enumerate().find(|(place, line)| wanted(*place, line));
            found.map(|(place, line)| (place, line.clone()))
        };
        until_some(ANSWER_LIMIT, look).await
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{} said:", self.name);
            for line in self.lines.lock().unwrap().iter() {
                eprintln!("  {line}");
            }
        }
    }
}
