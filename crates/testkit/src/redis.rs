//! A Redis for one test. It vanishes with the process that started it, however that ends.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{temp_dir, until_some};

/// A start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Names of the program: distributions ship one or the other.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// Runs a program until its own standard input ends, which it does when whoever holds the other end is gone.
const GUARD: &str = r#""$@" & child=$!; read -r _; kill -9 "$child"; wait"#;

/// A Redis that listens on a socket in a folder of its own and keeps nothing over a restart.
#[derive(Debug)]
pub struct Redis {
    guard: Option<Child>,
    dir: tempfile::TempDir,
}

impl Redis {
    /// Starts one.
    pub async fn start() -> Self {
        let mut redis = Self { guard: None, dir: temp_dir() };
        redis.restart().await;
        redis
    }

    /// What names it in `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Forgets everything.
    pub fn empty(&self) {
        assert_eq!(self.ask("FLUSHALL").as_deref(), Some("+OK\r\n"), "redis does not answer");
    }

    /// Ends it at once, with everything that it knew.
    pub fn kill(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            guard.wait().expect("the guard of redis ends");
        }
    }

    /// Starts it again, empty, where it was.
    pub async fn restart(&mut self) {
        self.kill();
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh", program()]).arg("--unixsocket").arg(self.socket());
        guard.arg("--dir").arg(self.dir.path());
        guard.args(["--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning"]);
        guard.stdin(Stdio::piped()).stdout(Stdio::null());
        self.guard = Some(guard.spawn().expect("cannot start a shell"));
        until_some(START_LIMIT, async || self.ask("PING").filter(|answer| answer == "+PONG\r\n")).await;
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// One command without arguments, and the beginning of its answer.
    fn ask(&self, command: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut answer = [0; 64];
        let octets = stream.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..octets]).into_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> &'static str {
    let runs = |name: &&str| {
        let asked = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    PROGRAMS
        .into_iter()
        .find(runs)
        .expect("no redis-server on the search path; infra/setup/install.sh test installs it")
}
