//! Runs the system's own PostgreSQL as a private child process: makes the cluster when it is new, tunes it for
//! a small machine, listens on loopback only, and cleans up after itself and after a parent that was killed.
//!
//! PostgreSQL refuses to run as root. Started by root, the server is handed to an unprivileged account, see
//! [`Account`], and its folder must be one which that account can reach, see [`reachable_dir`].
//!
//! **Invariant:** one folder has one owner at a time. The owner holds a lock on a file in the folder for as long
//! as it lives; a PostgreSQL that still runs in an unlocked folder is an orphan and is stopped before a new start.

mod account;
mod cluster;
mod orphan;
mod process;
mod programs;
mod reaper;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

pub use account::{Account, reachable_dir};
pub use programs::{MAJOR_MIN, Programs};

use cluster::Cluster;
use process::Process;

/// The database role that owns everything in the private cluster.
pub const ROLE: &str = "chappe";
/// The database that a new cluster has.
pub const DATABASE: &str = "chappe";

/// How clients reach the server. A Unix socket is offered besides, where its path is short enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Some free port of 127.0.0.1, chosen at start and kept over `stop` and `resume`.
    FreePort,
    /// This port of 127.0.0.1.
    Port(u16),
    /// The Unix socket alone.
    SocketOnly,
}

/// How long server and folder live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// The folder stays; the server is stopped when its owner stops or drops it.
    Kept,
    /// Server and folder are gone when the owner ends, also when it is killed. For tests.
    Process,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds cluster, password, logs and lock; made when missing.
    pub data_dir: PathBuf,
    pub listen: Listen,
    /// False turns off every wait for the disk: faster, and worth nothing after a crash. For tests.
    pub durable: bool,
    pub lifetime: Lifetime,
    /// `postgresql.conf` settings that win over our own, as (name, value).
    pub settings: Vec<(String, String)>,
}

impl Options {
    /// A durable server in `data_dir`, on a free port, kept.
    pub fn durable(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: Listen::FreePort,
            durable: true,
            lifetime: Lifetime::Kept,
            settings: Vec::new(),
        }
    }

    /// A fast server without durability in `data_dir`, on a free port, which ends with this process.
    pub fn throwaway(data_dir: impl Into<PathBuf>) -> Self {
        Self { durable: false, lifetime: Lifetime::Process, ..Self::durable(data_dir) }
    }
}

/// A running private PostgreSQL. Clones share it; the last one dropped stops it.
#[derive(Debug, Clone)]
pub struct Server {
    process: Arc<Process>,
}

impl Server {
    /// Makes the cluster where it is new, stops an orphan of an earlier owner, starts, and waits until the
    /// server takes connections.
    pub async fn start(options: Options) -> Result<Self> {
        let process = blocking(move || Process::start(&options)).await?;
        Ok(Self { process: Arc::new(process) })
    }

    /// Where clients connect, with role, password and the database [`DATABASE`]: the TCP port, or the socket
    /// where there is no port. Keep it out of logs.
    pub fn url(&self) -> String {
        self.process.cluster().url(self.process.address(), DATABASE)
    }

    /// Like [`Server::url`], over the Unix socket: less work per round trip. None where the path is too long.
    pub fn socket_url(&self) -> Option<String> {
        let address = self.process.address().socket_only()?;
        Some(self.process.cluster().url(&address, DATABASE))
    }

    /// Stops the server cleanly: open transactions are rolled back, clients are disconnected. Nothing happens
    /// when it does not run.
    pub async fn stop(&self) -> Result<()> {
        let process = Arc::clone(&self.process);
        blocking(move || process.stop()).await
    }

    /// Starts a stopped server again, at the same address.
    pub async fn resume(&self) -> Result<()> {
        let process = Arc::clone(&self.process);
        blocking(move || process.resume()).await
    }

    /// Stops and starts again, at the same address.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.resume().await
    }

    /// Whether the child process is alive.
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// The process id of the server's main process while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The folder of [`Options::data_dir`].
    pub fn data_dir(&self) -> &Path {
        self.process.cluster().root()
    }
}

/// Where the server that runs in `data_dir` can be reached, for tools that stand beside its owner. None when
/// none runs there.
pub fn running_url(data_dir: &Path) -> Result<Option<String>> {
    let Some(cluster) = Cluster::existing(data_dir)? else {
        return Ok(None);
    };
    let Some(lock_file) = orphan::LockFile::read(&cluster.pgdata())? else {
        return Ok(None);
    };
    if !lock_file.is_postgres() {
        return Ok(None);
    }
    Ok(lock_file.address().map(|address| cluster.url(&address, DATABASE)))
}

/// Removes a throwaway server's folder, and stops its server, where the owner is gone and could not do so; says
/// whether there was one to remove. A folder in use is left alone.
pub fn remove_abandoned(data_dir: &Path) -> Result<bool> {
    if !data_dir.join("lock").exists() || process::lock(data_dir).is_err() {
        return Ok(false);
    }
    if let Some(cluster) = Cluster::existing(data_dir)? {
        orphan::clear(&cluster)?;
    }
    std::fs::remove_dir_all(data_dir).with_context(|| format!("cannot remove {}", data_dir.display()))?;
    Ok(true)
}

/// Runs `work`, which waits for processes and disks, where it does not hold up the async runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("the thread that handles PostgreSQL ended early")?
}
