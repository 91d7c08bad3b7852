//! The folder of a private server: `cluster/` (PostgreSQL's own), `password`, `lock`, `run/` (socket), `start.log`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::account::Account;
use crate::programs::{self, Programs};
use crate::settings::{self, Address};
use crate::{DATABASE, Options, ROLE};

/// Our settings file inside the cluster, included by `postgresql.conf`.
const CONF: &str = "chappe.conf";
/// The longest path that fits a socket address everywhere, less the socket's own file name.
const SOCKET_DIR_BYTES_MAX: usize = 80;
/// Random bytes in a generated password.
const PASSWORD_BYTES: usize = 24;

/// A cluster on disk with what is needed to run it.
#[derive(Debug)]
pub(crate) struct Cluster {
    root: PathBuf,
    pub(crate) account: Account,
    pub(crate) programs: Programs,
    password: String,
}

impl Cluster {
    /// The cluster in `options.data_dir`, made when it is new. The caller holds the folder's lock.
    pub(crate) fn prepare(options: &Options, account: Account) -> Result<Self> {
        let root = options.data_dir.clone();
        let programs = Programs::find(programs::cluster_major(&root.join("cluster"))?)?;
        let password = load_or_make_password(&root.join("password"), &account)?;
        let cluster = Self { root, account, programs, password };
        if !cluster.pgdata().join("PG_VERSION").exists() {
            cluster.init(options.durable).context("cannot make the PostgreSQL cluster")?;
        }
        Ok(cluster)
    }

    /// The cluster in `root`; None where none was ever made.
    pub(crate) fn existing(root: &Path) -> Result<Option<Self>> {
        let pgdata = root.join("cluster");
        let Some(major) = programs::cluster_major(&pgdata)? else {
            return Ok(None);
        };
        let password = read_password(&root.join("password"))?;
        let programs = Programs::find(Some(major))?;
        Ok(Some(Self { root: root.to_owned(), account: Account::choose()?, programs, password }))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// PostgreSQL's data directory.
    pub(crate) fn pgdata(&self) -> PathBuf {
        self.root.join("cluster")
    }

    /// What the server says before its own logging begins.
    pub(crate) fn start_log(&self) -> PathBuf {
        self.root.join("start.log")
    }

    /// The folder for the Unix socket, where its path is short enough.
    pub(crate) fn socket_dir(&self) -> Option<PathBuf> {
        let dir = std::path::absolute(self.root.join("run")).ok()?;
        (dir.as_os_str().len() <= SOCKET_DIR_BYTES_MAX).then_some(dir)
    }

    /// The connection string for `database`.
    pub(crate) fn url(&self, address: &Address, database: &str) -> String {
        let Self { password, .. } = self;
        match (address.tcp_port, &address.socket_dir) {
            (Some(port), _) => format!("postgres://{ROLE}:{password}@127.0.0.1:{port}/{database}"),
            (None, dir) => {
                let dir = dir.as_deref().unwrap_or(Path::new("/")).display();
                let port = address.socket_port;
                format!("postgres://{ROLE}:{password}@localhost:{port}/{database}?host={dir}")
            }
        }
    }

    /// Writes the settings file for the next start.
    pub(crate) fn configure(&self, options: &Options, address: &Address) -> Result<()> {
        if let Some(dir) = &address.socket_dir {
            self.account.make_dir(dir)?;
        }
        let text = settings::render(address, options.durable, self.knows_lz4(), &options.settings);
        let file = self.pgdata().join(CONF);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        self.account.own(&file)
    }

    /// Makes the cluster beside its place and moves it there when it is whole, so that a crash leaves no half.
    fn init(&self, durable: bool) -> Result<()> {
        let fresh = self.root.join("cluster.new");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).context("cannot remove an unfinished cluster")?;
        }
        let password_file = self.root.join("password");
        let mut initdb = self.account.command(self.programs.path("initdb"));
        initdb.arg("--pgdata").arg(&fresh).arg("--pwfile").arg(password_file);
        initdb.args(["--username", ROLE, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]);
        initdb.arg(if durable { "--data-checksums" } else { "--no-sync" });
        run_to_end(&mut initdb, "initdb")?;
        self.create_database(&fresh)?;
        let mut conf = OpenOptions::new().append(true).open(fresh.join("postgresql.conf"))?;
        writeln!(conf, "include_if_exists = '{CONF}'")?;
        conf.sync_all()?;
        std::fs::rename(&fresh, self.pgdata()).context("cannot move the new cluster to its place")
    }

    /// Creates [`DATABASE`] in single-user mode, which needs neither a port nor a client program.
    fn create_database(&self, pgdata: &Path) -> Result<()> {
        let mut postgres = self.account.command(self.programs.path("postgres"));
        postgres.arg("--single").arg("-D").arg(pgdata).arg("postgres");
        postgres.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = postgres.spawn().context("cannot run postgres")?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "CREATE DATABASE {DATABASE}")?;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && !said.contains("ERROR:"), "cannot create the database: {}", said.trim());
        Ok(())
    }

    /// Whether this build of PostgreSQL was made with lz4.
    fn knows_lz4(&self) -> bool {
        let mut postgres = self.account.command(self.programs.path("postgres"));
        for (name, value) in settings::LZ4 {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        postgres.args(["-C", "wal_compression", "-D"]).arg(self.pgdata());
        postgres.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

/// Runs a program to its end; its words are part of the error.
pub(crate) fn run_to_end(command: &mut std::process::Command, name: &str) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("{name} ended with {}: {said}", output.status);
    }
    Ok(())
}

fn read_password(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let password = text.trim().to_owned();
    ensure!(!password.is_empty(), "{} is empty", file.display());
    Ok(password)
}

/// The password in `file`, generated when the file is new. Only the server's account may read it.
fn load_or_make_password(file: &Path, account: &Account) -> Result<String> {
    if file.exists() {
        return read_password(file);
    }
    let mut bytes = [0_u8; PASSWORD_BYTES];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).context("no randomness")?;
    let password = bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let half = file.with_extension("new");
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half)
        .with_context(|| format!("cannot write {}", half.display()))?;
    writeln!(out, "{password}")?;
    out.sync_all()?;
    account.own(&half)?;
    std::fs::rename(&half, file)?;
    Ok(password)
}
