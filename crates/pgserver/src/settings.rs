//! The settings of a private server: tuned for many small transactions on a small machine.

use std::fmt::Write as _;
use std::path::Path;

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A port of 127.0.0.1; None when only the socket is offered.
    pub(crate) tcp_port: Option<u16>,
    /// The number in the socket's file name.
    pub(crate) socket_port: u16,
    /// The folder of the Unix socket; None where its path would be too long for one.
    pub(crate) socket_dir: Option<std::path::PathBuf>,
}

impl Address {
    /// The same server, reached over its socket; None where there is no socket.
    pub(crate) fn socket_only(&self) -> Option<Self> {
        self.socket_dir.as_ref()?;
        Some(Self { tcp_port: None, ..self.clone() })
    }
}

/// Settings of every private server. Log lines leave out details, for these quote row values.
const ALWAYS: [(&str, &str); 17] = [
    ("max_connections", "100"),
    ("shared_buffers", "256MB"),
    ("work_mem", "8MB"),
    ("maintenance_work_mem", "64MB"),
    ("random_page_cost", "1.1"),
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("autovacuum_naptime", "10s"),
    ("autovacuum_vacuum_cost_limit", "2000"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("logging_collector", "on"),
    ("log_filename", "postgres-%a.log"),
    ("log_truncate_on_rotation", "on"),
    ("log_error_verbosity", "terse"),
    ("log_checkpoints", "off"),
    ("unix_socket_permissions", "0700"),
];

/// A commit is answered when it is on disk; many commits share one flush.
const DURABLE: [(&str, &str); 10] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("wal_buffers", "16MB"),
    ("max_wal_size", "4GB"),
    ("min_wal_size", "512MB"),
    ("checkpoint_timeout", "15min"),
    ("checkpoint_completion_target", "0.9"),
];

/// Nothing waits for the disk.
const THROWAWAY: [(&str, &str); 7] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "1GB"),
    ("autovacuum_naptime", "1min"),
];

/// Settings for a build of PostgreSQL that knows lz4.
pub(crate) const LZ4: [(&str, &str); 2] = [("default_toast_compression", "lz4"), ("wal_compression", "lz4")];

/// The text of the settings file; of a name that occurs twice the later value wins.
pub(crate) fn render(address: &Address, durable: bool, lz4: bool, own: &[(String, String)]) -> String {
    let mut text = String::from("# Written at every start; use ALTER SYSTEM for changes that shall last.\n");
    let listen = if address.tcp_port.is_some() { "127.0.0.1" } else { "" };
    line(&mut text, "listen_addresses", listen);
    line(&mut text, "port", &address.socket_port.to_string());
    line(&mut text, "unix_socket_directories", &address.socket_dir.as_deref().map(quoted_path).unwrap_or_default());
    let tuned: &[(&str, &str)] = if durable { &DURABLE } else { &THROWAWAY };
    let lz4: &[(&str, &str)] = if lz4 { &LZ4 } else { &[] };
    for (name, value) in ALWAYS.iter().chain(tuned).chain(lz4) {
        line(&mut text, name, value);
    }
    for (name, value) in own {
        line(&mut text, name, value);
    }
    text
}

/// A path as an element of a list setting.
fn quoted_path(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

fn line(text: &mut String, name: &str, value: &str) {
    let value = value.replace('\'', "''");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name} = '{value}'");
}
