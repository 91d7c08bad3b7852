//! `chappe edge`: sessions in a process of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus};

use testkit::until_some;

use super::{Chappe, STOP_LIMIT, free_port};

/// A running edge. Dropping it ends it at once.
#[derive(Debug)]
pub(crate) struct Edge {
    child: Child,
    smpp_port: u16,
}

impl Chappe {
    /// Starts an edge that shares operators with those that name the same Redis.
    pub(crate) fn start_edge(&self, name: &str, redis_url: &str) -> Edge {
        let mut command = self.command();
        command.args(["edge", "--name", name]).env("REDIS_URL", redis_url).env("QUEUE_URL", self.queue_url());
        command.env("CHAPPE_INTERNAL_URL", format!("http://127.0.0.1:{}", self.internal_port));
        let smpp_port = free_port();
        command.env("CHAPPE_SMPP_ADDR", format!("127.0.0.1:{smpp_port}"));
        Edge { child: command.spawn().unwrap(), smpp_port }
    }
}

impl Edge {
    /// Where customers bind to this edge.
    pub(crate) fn smpp(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.smpp_port).into()
    }

    /// It is gone at once, as by a power cut.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as service managers do, and waits for its end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let asked = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &self.child.id().to_string()]).status();
        assert!(asked.unwrap().success());
        until_some(STOP_LIMIT, async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
