//! Reads `postmaster.pid`, by which PostgreSQL says that it runs in a folder, and stops who outlived its owner.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cluster::{Cluster, run_to_end};
use crate::settings::Address;

/// How long a clean stop may take before the server is stopped at once, in seconds.
pub(crate) const STOP_LIMIT_S: u32 = 60;

/// The content of `postmaster.pid`: process id, folder, start, port, socket folder, address, memory key, status.
#[derive(Debug)]
pub(crate) struct LockFile {
    lines: Vec<String>,
}

impl LockFile {
    /// None when no server runs in `pgdata` and none crashed there.
    pub(crate) fn read(pgdata: &Path) -> Result<Option<Self>> {
        let file = pgdata.join("postmaster.pid");
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(Self { lines: text.lines().map(str::to_owned).collect() })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    pub(crate) fn process_id(&self) -> Option<u32> {
        self.lines.first()?.trim().parse().ok()
    }

    /// Whether the server takes connections.
    pub(crate) fn is_ready(&self) -> bool {
        self.lines.get(7).is_some_and(|status| status.trim() == "ready")
    }

    /// Where the server listens; None while it has not written that yet.
    pub(crate) fn address(&self) -> Option<Address> {
        let port = self.lines.get(3)?.trim().parse().ok()?;
        let socket_dir = self.lines.get(4).map(|dir| dir.trim()).filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let listens = self.lines.get(5).is_some_and(|address| !address.trim().is_empty());
        Some(Address { tcp_port: listens.then_some(port), socket_port: port, socket_dir })
    }

    /// Whether the process of that id is a PostgreSQL: after a reboot the number may belong to a stranger.
    pub(crate) fn is_postgres(&self) -> bool {
        let Some(id) = self.process_id() else {
            return false;
        };
        process_name(id).is_some_and(|name| name.contains("postgres"))
    }
}

/// Stops a PostgreSQL that runs in the cluster although nobody holds the folder's lock, and clears what a
/// crashed one left behind.
pub(crate) fn clear(cluster: &Cluster) -> Result<()> {
    let Some(lock_file) = LockFile::read(&cluster.pgdata())? else {
        return Ok(());
    };
    if lock_file.is_postgres() {
        tracing::info!("stopping a postgresql whose owner is gone");
        return stop(cluster);
    }
    std::fs::remove_file(cluster.pgdata().join("postmaster.pid")).context("cannot remove a stale postmaster.pid")
}

/// Stops the server of the cluster: cleanly, and when that takes too long, at once.
pub(crate) fn stop(cluster: &Cluster) -> Result<()> {
    pg_ctl_stop(cluster, "fast").or_else(|_| pg_ctl_stop(cluster, "immediate"))
}

fn pg_ctl_stop(cluster: &Cluster, mode: &str) -> Result<()> {
    let mut pg_ctl = cluster.account.command(cluster.programs.path("pg_ctl"));
    pg_ctl.args(["stop", "--wait", "--silent", "--mode", mode, "--timeout", &STOP_LIMIT_S.to_string(), "--pgdata"]);
    run_to_end(pg_ctl.arg(cluster.pgdata()), "pg_ctl stop")
}

/// The program name of a living process; one that only waits to be collected by its parent is dead.
fn process_name(id: u32) -> Option<String> {
    if Path::new("/proc/self").exists() {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let is_dead = status.lines().any(|line| line.starts_with("State:	Z"));
        return status.lines().next().filter(|_| !is_dead).map(str::to_owned);
    }
    let id = id.to_string();
    let output = Command::new("ps").args(["-o", "comm=", "-p", &id]).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postmaster_pid_tells_address_and_readiness() {
        let dir = tempfile::tempdir().unwrap();
        let text = "4711\n/data\n1700000000\n5433\n/data/run\n127.0.0.1\n  1 2\nready   \n";
        std::fs::write(dir.path().join("postmaster.pid"), text).unwrap();
        let file = LockFile::read(dir.path()).unwrap().unwrap();
        assert_eq!(file.process_id(), Some(4711));
        assert!(file.is_ready());
        let address = file.address().unwrap();
        assert_eq!((address.tcp_port, address.socket_port), (Some(5433), 5433));
        assert_eq!(address.socket_dir, Some(PathBuf::from("/data/run")));
    }

    #[test]
    fn a_number_that_belongs_to_another_program_is_no_server() {
        let lines = vec![std::process::id().to_string()];
        assert!(!LockFile { lines }.is_postgres());
    }
}
