//! Processes that the benchmark starts, and that end with it.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child as Process, ChildStdin, ChildStdout, Command};

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(30);
/// Lines of its standard error that are kept, to be told when it fails.
const LINES_MAX: usize = 30;

/// How often an ending is looked for while this thread waits for it.
const LOOK: Duration = Duration::from_millis(20);

/// A running process; asked to end when dropped, and killed where it does not.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    pid: u32,
    process: Process,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl Child {
    /// Starts `program`, with pipes to its input and output.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        args: &[&str],
        settings: &[(&str, String)],
    ) -> Result<Self> {
        let mut command = Command::new(program);
        // Away from the signals of our terminal: Ctrl-C is for us to handle, and this ends in order.
        command
            .args(args)
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // What is set for another installation must not reach this one.
        for name in ["DATABASE_URL", "QUEUE_URL", "REDIS_URL", "CHAPPE_SECRET_KEY", "CHAPPE_URL", "CHAPPE_API_KEY"] {
            command.env_remove(name);
        }
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let mut process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid = process.id().with_context(|| format!("{name} ended at once"))?;
        let said = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(stderr) = process.stderr.take() {
            tokio::spawn(keep(stderr, Arc::clone(&said)));
        }
        Ok(Self { name, pid, process, said })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn input(&mut self) -> Result<ChildStdin> {
        self.process.stdin.take().with_context(|| format!("the input of {} is in use", self.name))
    }

    pub(crate) fn output(&mut self) -> Result<BufReader<ChildStdout>> {
        let output = self.process.stdout.take().with_context(|| format!("the output of {} is in use", self.name))?;
        Ok(BufReader::new(output))
    }

    /// An error where the process has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            Some(status) => bail!("{} ended with {status}{}", self.name, self.said()),
            None => Ok(()),
        }
    }

    /// Waits for its end, which must be a good one.
    pub(crate) async fn finish(mut self) -> Result<()> {
        let status = self.process.wait().await?;
        if !status.success() {
            bail!("{} ended with {status}{}", self.name, self.said());
        }
        Ok(())
    }

    /// Asks it to end, and waits.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await;
        asked.context("cannot run kill")?;
        let ended = tokio::time::timeout(GRACE, self.process.wait()).await;
        let ended = ended.with_context(|| format!("{} did not stop{}", self.name, self.said()))?;
        ended.with_context(|| format!("cannot wait for {}", self.name)).map(|_| ())
    }

    /// The last lines of its standard error.
    pub(crate) fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().fold(String::new(), |text, line| format!("{text}\n  {line}"))
    }
}

impl Drop for Child {
    /// A platform that is killed leaves its database running, so it is asked first.
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        let asked = std::process::Command::new("kill").args(["-TERM", &self.pid.to_string()]).status();
        let limit = Instant::now() + GRACE;
        while asked.is_ok() && Instant::now() < limit && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::park_timeout(LOOK);
        }
    }
}

async fn keep(stderr: impl AsyncRead + Unpin, said: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() == LINES_MAX {
            said.pop_front();
        }
        said.push_back(line);
    }
}
