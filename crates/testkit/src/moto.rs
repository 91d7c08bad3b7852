//! moto, a fake AWS by others, for one test: slow, but not written by us. It vanishes with the process that started it,
//! however that ends.

use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{eventually, free_port};

/// A start on a busy machine: it is much Python.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Runs a program until its own standard input ends, which it does when whoever holds the other end is gone.
const GUARD: &str = r#""$@" & child=$!; read -r _; kill -9 "$child"; wait"#;

/// A moto that answers for all services of AWS, with everything in memory.
#[derive(Debug)]
pub struct Moto {
    guard: Child,
    port: u16,
}

impl Moto {
    /// Starts one.
    pub async fn start() -> Self {
        let port = free_port();
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(program()).args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let moto = Self { guard: guard.spawn().expect("cannot start a shell"), port };
        eventually(START_LIMIT, async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).await;
        moto
    }

    /// What to name in `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // It was killed; that its end cannot be told is no matter.
        let _ = self.guard.wait();
    }
}

/// Where `infra/setup/aws.sh` puts it: in the target folder, which holds this very program.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own program");
    let mut programs = own.ancestors().skip(1).map(|dir| dir.join("aws/bin/moto_server"));
    programs
        .find(|program| program.is_file())
        .expect("no moto on this machine; infra/setup/install.sh test installs it")
}
