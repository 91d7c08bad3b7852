//! The measured system: `chappe up` on a private, durable PostgreSQL in a temporary folder.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, interval};

use crate::child::Child;
use crate::http::Connection;
use crate::options::Options;
use crate::say;

/// How long the first start may take: a cluster and a schema are made.
const START_LIMIT: Duration = Duration::from_mins(2);

/// A running platform.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) http: SocketAddr,
    /// Where customers bind.
    pub(crate) smpp: SocketAddr,
    pub(crate) process: Child,
    program: PathBuf,
    queue_url: Option<String>,
    data: PathBuf,
    /// Behind the process: dropped after it has ended.
    folder: Folder,
}

/// The temporary folder; removed when dropped, with the database that a process which was killed left running.
#[derive(Debug)]
struct Folder {
    postgres: PathBuf,
    temporary: TempDir,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = pgserver::remove_abandoned(&self.postgres) {
            say(&format!("warning: the database in {} may still run: {error:#}", self.temporary.path().display()));
        }
    }
}

impl Platform {
    /// With its queues at `queue_url`, or in its database.
    pub(crate) async fn start(options: &Options, queue_url: Option<String>) -> Result<Self> {
        let temporary = make_folder(&options.dir)?;
        let data = temporary.path().join("data");
        let folder = Folder { postgres: pgserver::reachable_dir(&data.join("postgres"))?, temporary };
        let [http, internal, smpp] = free_ports()?;
        let mut settings = vec![
            ("CHAPPE_DATA_DIR", data.display().to_string()),
            ("CHAPPE_HTTP_ADDR", http.to_string()),
            ("CHAPPE_INTERNAL_ADDR", internal.to_string()),
            ("CHAPPE_SMPP_ADDR", smpp.to_string()),
            ("CHAPPE_SMSC_ADDR", "127.0.0.1:0".to_owned()),
        ];
        settings.extend(queue_url.clone().map(|url| ("QUEUE_URL", url)));
        // The demo brings the log-in of the house; its operators carry nothing here.
        let process = Child::start("chappe up", &options.program, &["up", "--demo"], &settings)?;
        let program = options.program.clone();
        let mut platform = Self { http, smpp, process, program, queue_url, data, folder };
        platform.ready().await?;
        let (pid, dir) = (platform.process.pid(), platform.data.display());
        say(&format!("chappe is process {pid}, on {http}, with its data in {dir}"));
        Ok(platform)
    }

    async fn ready(&mut self) -> Result<()> {
        let limit = Instant::now() + START_LIMIT;
        let mut every = interval(Duration::from_millis(100));
        while Instant::now() < limit {
            every.tick().await;
            self.process.check()?;
            if is_ready(self.http).await.unwrap_or(false) {
                return Ok(());
            }
        }
        bail!("chappe is not ready after {} seconds{}", START_LIMIT.as_secs(), self.process.said())
    }

    /// Where the private database can be reached.
    pub(crate) fn database_url(&self) -> Result<String> {
        let dir = &self.folder.postgres;
        pgserver::running_url(dir)?.with_context(|| format!("no database runs in {}", dir.display()))
    }

    /// What a command of the program prints.
    pub(crate) async fn ask(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(args).env("CHAPPE_DATA_DIR", &self.data).env_remove("DATABASE_URL").env_remove("QUEUE_URL");
        command.envs(self.queue_url.as_ref().map(|url| ("QUEUE_URL", url)));
        let output = command.kill_on_drop(true).output().await.context("cannot run chappe")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("chappe {}: {}{said}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(said)
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.process.stop().await
    }
}

/// A folder that the account of PostgreSQL can enter when we are root.
fn make_folder(parent: &Path) -> Result<TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let kind = crate::usage::file_system(parent);
    if kind == "tmpfs" {
        say(&format!("warning: {} is memory, so nothing here waits for a disk; set BENCH_DIR", parent.display()));
    }
    let open = std::fs::Permissions::from_mode(0o755);
    let folder = tempfile::Builder::new().prefix("chappe-bench-").permissions(open).tempdir_in(parent);
    folder.with_context(|| format!("cannot make a folder in {}", parent.display()))
}

/// Ports that are free at this moment.
fn free_ports() -> Result<[SocketAddr; 3]> {
    let open = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port");
    let listeners = [open()?, open()?, open()?];
    let [a, b, c] = &listeners;
    Ok([a.local_addr()?, b.local_addr()?, c.local_addr()?])
}

async fn is_ready(addr: SocketAddr) -> Result<bool> {
    let mut connection = Connection::open(addr).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    Ok(connection.exchange(request.as_bytes()).await?.status == 200)
}
