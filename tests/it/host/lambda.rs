//! A handler in a child process that takes batches as Lambda would hand them to it.
//!
//! The child is this very test binary: `lambda_child` does nothing unless it runs where Lambda would run it.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;

use ::host::Verdict;
use ::host::config::{Environment, Strings as _};
use ::host::lambda::{Batches, Followup, SqsMessage, run};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::Obedient;
use crate::lambda::emulator::Function;

/// Begins the lines with which the child tells its verdicts.
const MARK: &str = "verdict ";

/// Tells every verdict on standard output; says that parked records need no more care.
struct Teller;

#[async_trait]
impl Followup for Teller {
    async fn follow_up(&self, ended: &[(&SqsMessage, &Verdict)]) -> Vec<bool> {
        let tell = |(record, verdict): &(&SqsMessage, &Verdict)| {
            let line = json!([record.body, format!("{verdict:?}")]);
            writeln!(std::io::stdout().lock(), "\n{MARK}{line}").unwrap();
            matches!(verdict, Verdict::Park(_))
        };
        ended.iter().map(tell).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lambda_child() {
    if Environment.get("AWS_LAMBDA_RUNTIME_API").unwrap().is_some() {
        run(Batches::new(Arc::new(Obedient), Arc::new(Teller)), None).await.unwrap();
    }
}

fn event(bodies: &[&str]) -> Value {
    let record = |(index, body): (usize, &&str)| {
        json!({
            "messageId": format!("id-{index}"),
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:1:obedient",
        })
    };
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// Has the child handle one batch. Returns the verdicts that it followed up, and the bodies that it reported failed.
pub(super) async fn invoke_once(bodies: &[&str]) -> (Vec<(String, String)>, Vec<String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "host::lambda::lambda_child", "--nocapture"]);
    let mut child = Function::spawn(command).await;
    let answer = child.answer(event(bodies)).await;
    child.kill().await;
    (child.output().lines().filter_map(verdict).collect(), failures(&answer, bodies))
}

fn verdict(line: &str) -> Option<(String, String)> {
    serde_json::from_str(line.strip_prefix(MARK)?).ok()
}

fn failures(answer: &Value, bodies: &[&str]) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("not a batch response: {answer}"));
    let index = |failure: &Value| failure["itemIdentifier"].as_str()?.strip_prefix("id-")?.parse::<usize>().ok();
    failures.iter().map(|failure| bodies[index(failure).unwrap()].to_owned()).collect()
}
