//! Removes a throwaway server when its owner ends, however it ends.
//!
//! A small shell process waits on a pipe that only the owner can write to. The system closes the pipe when the
//! owner is gone, also by `kill -9`; then the shell stops the server and removes the folder.

use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use anyhow::{Context, Result};

use crate::account::Account;

/// SIGQUIT is PostgreSQL's stop at once; the file `postmaster.pid` goes when it is done. Removing is tried again,
/// for an initdb that lost its owner may still write.
const SCRIPT: &str = r#"
cat >/dev/null
file="$1/cluster/postmaster.pid"
if read -r id <"$file"; then
  kill -QUIT "$id"
  tries=0
  while [ -e "$file" ] && [ $tries -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
  [ ! -e "$file" ] || kill -KILL "$id"
fi
tries=0
until rm -rf "$1" || [ $tries -ge 100 ]; do sleep 0.1; tries=$((tries + 1)); done
"#;

/// The waiting shell.
#[derive(Debug)]
pub(crate) struct Reaper {
    shell: Child,
    /// The pipe: closing it is the signal.
    alive: Option<ChildStdin>,
}

impl Reaper {
    pub(crate) fn watch(root: &Path) -> Result<Self> {
        let mut command = Account::Own.command("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(root);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = command.spawn().context("cannot start the shell that removes the server later")?;
        let alive = shell.stdin.take();
        Ok(Self { shell, alive })
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.shell.wait();
    }
}
