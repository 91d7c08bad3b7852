//! The child process: lock, start, wait until ready, stop.

use std::fs::{File, OpenOptions, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::account::Account;
use crate::cluster::Cluster;
use crate::orphan::{self, LockFile};
use crate::reaper::Reaper;
use crate::settings::Address;
use crate::{Lifetime, Listen, Options};

/// How long a start may take: after a crash the server first replays its log.
const READY_LIMIT: Duration = Duration::from_mins(5);
/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the words of a server that has ended are waited for.
const WORDS_LIMIT: Duration = Duration::from_secs(2);
/// How many free ports are tried, for another program may take one between choice and use.
const PORT_ATTEMPTS_MAX: u32 = 5;
/// The number in the socket's name when there is no TCP port.
const SOCKET_PORT: u16 = 5432;

/// A cluster with its server.
#[derive(Debug)]
pub(crate) struct Process {
    cluster: Cluster,
    address: Address,
    child: Mutex<Option<Child>>,
    /// Dropped after the child is stopped.
    reaper: Option<Reaper>,
    _lock: File,
}

impl Process {
    pub(crate) fn start(options: &Options) -> Result<Self> {
        let account = Account::choose()?;
        account.make_dir(&options.data_dir)?;
        let options = &Options { data_dir: options.data_dir.canonicalize()?, ..options.clone() };
        let lock = lock(&options.data_dir)?;
        let reaper = match options.lifetime {
            Lifetime::Process => Some(Reaper::watch(&options.data_dir)?),
            Lifetime::Kept => None,
        };
        if let Some(cluster) = Cluster::existing(&options.data_dir)? {
            orphan::clear(&cluster)?;
        }
        let cluster = Cluster::prepare(options, account)?;
        let (child, address) = launch(&cluster, options)?;
        Ok(Self { cluster, address, child: Mutex::new(Some(child)), reaper, _lock: lock })
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn stop(&self) -> Result<()> {
        let mut slot = self.child();
        let Some(child) = slot.as_mut() else {
            return Ok(());
        };
        if child.try_wait()?.is_none() {
            orphan::stop(&self.cluster).context("PostgreSQL does not stop")?;
            child.wait()?;
        }
        *slot = None;
        Ok(())
    }

    /// The settings file of the first start still holds, and with it the address.
    pub(crate) fn resume(&self) -> Result<()> {
        let mut slot = self.child();
        if let Some(child) = slot.as_mut()
            && child.try_wait()?.is_none()
        {
            return Ok(());
        }
        *slot = Some(spawn_and_wait(&self.cluster)?);
        Ok(())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.reaper.take().is_some() {
            // The reaper has stopped the server; what is left is to collect the child.
            if let Some(child) = self.child().as_mut() {
                let _ = child.wait();
            }
            return;
        }
        if let Err(error) = self.stop() {
            tracing::error!("cannot stop postgresql: {error:#}");
        }
    }
}

/// Takes the folder for this process. The lock ends with the process, also when it is killed.
pub(crate) fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another process uses the data folder {}", dir.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Starts at the wanted address; a free port that is taken meanwhile is changed for another.
fn launch(cluster: &Cluster, options: &Options) -> Result<(Child, Address)> {
    let attempts = if options.listen == Listen::FreePort { PORT_ATTEMPTS_MAX } else { 1 };
    let mut attempt = 1;
    loop {
        let address = choose_address(cluster, options.listen)?;
        cluster.configure(options, &address)?;
        match spawn_and_wait(cluster) {
            Ok(child) => return Ok((child, address)),
            Err(error) if attempt == attempts => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

fn choose_address(cluster: &Cluster, listen: Listen) -> Result<Address> {
    let socket_dir = cluster.socket_dir();
    let tcp_port = match listen {
        Listen::Port(port) => Some(port),
        Listen::FreePort => Some(free_port()?),
        Listen::SocketOnly if socket_dir.is_none() => {
            bail!("the data folder's path is too long for a socket")
        }
        Listen::SocketOnly => None,
    };
    Ok(Address { tcp_port, socket_port: tcp_port.unwrap_or(SOCKET_PORT), socket_dir })
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Starts the server and waits until it takes connections.
fn spawn_and_wait(cluster: &Cluster) -> Result<Child> {
    let log = File::create(cluster.start_log()).context("cannot write start.log")?;
    let mut command = cluster.account.command(cluster.programs.path("postgres"));
    command.arg("-D").arg(cluster.pgdata()).stdout(log.try_clone()?).stderr(log);
    let mut child = command.spawn().context("cannot run postgres")?;
    let started = Instant::now();
    while started.elapsed() < READY_LIMIT {
        if let Some(status) = child.try_wait()? {
            bail!("PostgreSQL ended at its start with {status}: {}", last_words(cluster));
        }
        let lock_file = LockFile::read(&cluster.pgdata())?;
        if lock_file.is_some_and(|file| file.process_id() == Some(child.id()) && file.is_ready()) {
            return Ok(child);
        }
        sleep(LOOK_EVERY);
    }
    let _ = orphan::stop(cluster);
    bail!("PostgreSQL is not ready after {} s: {}", READY_LIMIT.as_secs(), last_words(cluster))
}

/// The end of what the server said about its start. Its logger is a process of its own, which may write a moment after the
/// server has ended.
fn last_words(cluster: &Cluster) -> String {
    let asked = Instant::now();
    loop {
        match words(cluster) {
            Some(words) => return words,
            None if asked.elapsed() > WORDS_LIMIT => return "it said nothing".to_owned(),
            None => sleep(LOOK_EVERY),
        }
    }
}

fn words(cluster: &Cluster) -> Option<String> {
    let mut text = std::fs::read_to_string(cluster.start_log()).unwrap_or_default();
    let log_dir = std::fs::read_dir(cluster.pgdata().join("log")).into_iter().flatten().flatten();
    let newest = log_dir.max_by_key(|entry| entry.metadata().and_then(|meta| meta.modified()).ok());
    if let Some(entry) = newest {
        text.push_str(&std::fs::read_to_string(entry.path()).unwrap_or_default());
    }
    text.lines().rfind(|line| line.contains("FATAL") || line.contains("ERROR")).map(str::to_owned)
}
