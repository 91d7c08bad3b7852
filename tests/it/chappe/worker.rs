//! `chappe worker`: functions in a process of their own.

use std::process::Child;

use super::Chappe;

/// A running worker. Dropping it ends it at once.
#[derive(Debug)]
pub(crate) struct Worker {
    arguments: Vec<&'static str>,
    child: Child,
}

impl Chappe {
    /// Starts these functions beside it.
    pub(crate) fn start_worker(&self, functions: &[&'static str]) -> Worker {
        let mut arguments = vec!["worker"];
        arguments.extend(functions);
        arguments.extend(["--webhooks", "anywhere"]);
        let child = self.command().args(&arguments).spawn().unwrap();
        Worker { arguments, child }
    }
}

impl Worker {
    /// It is gone at once, as by a power cut, and is started again.
    pub(crate) fn kill_and_restart(&mut self, chappe: &Chappe) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = chappe.command().args(&self.arguments).spawn().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
