//! The settings of a program: read once, from an environment that is handed in, before any port opens.
//!
//! Those that hold a secret may lie in a file each, which `NAME_FILE` names, see [`BY_FILE`].
//!
//! Whatever is wrong is collected and told together: [`Errors`] prints one line per fault, and programs end with
//! [`EXIT_USAGE`].

mod file;
mod given;
mod remote;
mod strings;
mod values;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{SecretBox, SecretString};

pub use file::{BY_FILE, setting};
pub use remote::{Remote, Renew};
pub use strings::{Environment, Strings, Unreadable};
pub use values::LogFormat;

use values::{Reader, connections, log_format, positive_seconds, secret_key, socket_addr};

/// The exit code of a program whose settings are wrong (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// The prefix of our own variables: one with this prefix that nobody knows is an error, and not silence.
const PREFIX: &str = "CHAPPE_";

/// Every variable that programs of ours may be given and that has our prefix.
const KNOWN: &[&str] = &[
    "CHAPPE_HTTP_ADDR",
    "CHAPPE_INTERNAL_ADDR",
    "CHAPPE_SMPP_ADDR",
    "CHAPPE_DATA_DIR",
    "CHAPPE_SECRET_KEY",
    "CHAPPE_LOG_FORMAT",
    "CHAPPE_LOG",
    "CHAPPE_GRACE_SECONDS",
    "CHAPPE_FAILOVER_SECONDS",
    "CHAPPE_DB_CONNECTIONS",
    "CHAPPE_DB_POOLER",
    "CHAPPE_WEBHOOKS",
    "CHAPPE_DATABASE_SECRET_ARN",
    "CHAPPE_SECRET_KEY_ARN",
    "CHAPPE_REDIS_SECRET_ARN",
    "CHAPPE_SMPP_TLS_ADDR",
    "CHAPPE_SMPP_TLS_CERT",
    "CHAPPE_SMPP_TLS_KEY",
    "CHAPPE_SMPP_PROXY_PROTOCOL",
    "CHAPPE_REALTIME_ENDPOINT",
    // Read by the commands of `chappe`, so that one environment serves all of them.
    "CHAPPE_SMSC_ADDR",
    "CHAPPE_INTERNAL_URL",
    "CHAPPE_EDGE_NAME",
    "CHAPPE_WATCH_ADDR",
    "CHAPPE_WATCH_URL",
    "CHAPPE_URL",
    "CHAPPE_API_KEY",
];

/// What a program cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `DATABASE_URL`.
    Database,
    /// `QUEUE_URL`, or a `DATABASE_URL` that can stand in for it.
    Queue,
    /// `CHAPPE_SECRET_KEY`.
    SecretKey,
}

/// The settings. URLs are secrets: they hold passwords.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`: where the product's tables are.
    pub database_url: Option<SecretString>,
    /// `QUEUE_URL`; where it is not set or says just `postgres:`, `DATABASE_URL` when that is PostgreSQL.
    pub queue_url: Option<SecretString>,
    /// `REDIS_URL`: limits that processes share; without it they are kept per process.
    pub redis_url: Option<SecretString>,
    /// `CHAPPE_HTTP_ADDR`: the API and the console.
    pub http_addr: SocketAddr,
    /// `CHAPPE_INTERNAL_ADDR`: the internal API, health and metrics.
    pub internal_addr: SocketAddr,
    /// `CHAPPE_SMPP_ADDR`: SMPP customers.
    pub smpp_addr: SocketAddr,
    /// `CHAPPE_DATA_DIR`: what the embedded database keeps.
    pub data_dir: PathBuf,
    /// `CHAPPE_SECRET_KEY`: 32 bytes, in base64.
    pub secret_key: Option<SecretBox<[u8; 32]>>,
    /// `CHAPPE_REALTIME_ENDPOINT`: where API Gateway takes what goes to a WebSocket, on Lambda.
    pub realtime_endpoint: Option<String>,
    /// `CHAPPE_LOG_FORMAT`: `json` or `pretty`.
    pub log_format: LogFormat,
    /// `CHAPPE_LOG`: a filter such as `info,route=debug`.
    pub log_filter: String,
    /// `CHAPPE_GRACE_SECONDS`: how long a shutdown lets work finish.
    pub grace: Duration,
    /// `CHAPPE_FAILOVER_SECONDS`: how long an operator may be without a session before what waits for it goes elsewhere.
    pub failover_after: Duration,
    /// Whether AWS Lambda runs this process (`AWS_LAMBDA_RUNTIME_API` is set).
    pub is_lambda: bool,
    /// `CHAPPE_DB_CONNECTIONS`: connections to the database at most. On Lambda [`LAMBDA_DB_CONNECTIONS`] unless set.
    pub db_connections: Option<u32>,
    /// `CHAPPE_DB_POOLER`: `transaction` when a pooler gives each transaction whatever connection is free.
    pub has_transaction_pooler: bool,
    /// `CHAPPE_WEBHOOKS`: `anywhere` when webhooks may reach private addresses.
    pub private_webhooks: bool,
    /// What lies in AWS Secrets Manager: see [`Config::fetch_secrets`].
    pub remote: Remote,
}

/// Connections of one environment of Lambda to the database, unless set: one invocation at a time is handled, and
/// as many of its records at once as there are connections. Two let the work of one record fill the round trips of
/// another; more would only multiply with the number of environments, of which the database pays for each.
pub const LAMBDA_DB_CONNECTIONS: u32 = 2;

impl Config {
    /// Reads all settings, or says all that is wrong with them.
    pub fn read(strings: &dyn Strings, needs: &[Need]) -> Result<Self, Errors> {
        let mut reader = Reader::new(strings);
        let database_url = reader.secret("DATABASE_URL");
        let queue_url = reader.secret("QUEUE_URL").filter(values::is_elsewhere);
        let queue_url = queue_url.or_else(|| database_url.clone().filter(values::is_postgres));
        let is_lambda = reader.optional("AWS_LAMBDA_RUNTIME_API", |_| Ok(())).is_some();
        let db_connections = reader.optional("CHAPPE_DB_CONNECTIONS", connections);
        let config = Self {
            queue_url,
            database_url,
            redis_url: reader.secret("REDIS_URL"),
            http_addr: reader.or("CHAPPE_HTTP_ADDR", "127.0.0.1:8080", socket_addr),
            internal_addr: reader.or("CHAPPE_INTERNAL_ADDR", "127.0.0.1:8081", socket_addr),
            smpp_addr: reader.or("CHAPPE_SMPP_ADDR", "127.0.0.1:2775", socket_addr),
            data_dir: reader.or("CHAPPE_DATA_DIR", ".data", |text| Ok(PathBuf::from(text))),
            secret_key: reader.optional("CHAPPE_SECRET_KEY", secret_key),
            realtime_endpoint: reader.optional("CHAPPE_REALTIME_ENDPOINT", values::http_url),
            log_format: reader.or("CHAPPE_LOG_FORMAT", "json", log_format),
            log_filter: reader.or("CHAPPE_LOG", "info", values::log_filter),
            grace: reader.or("CHAPPE_GRACE_SECONDS", "20", positive_seconds),
            failover_after: reader.or("CHAPPE_FAILOVER_SECONDS", "60", values::failover_seconds),
            is_lambda,
            db_connections: db_connections.or(is_lambda.then_some(LAMBDA_DB_CONNECTIONS)),
            has_transaction_pooler: reader
                .or("CHAPPE_DB_POOLER", "none", |text| values::choice(text, "none", "transaction")),
            private_webhooks: reader.or("CHAPPE_WEBHOOKS", "public", |text| values::choice(text, "public", "anywhere")),
            remote: Remote::read(&mut reader),
        };
        reader.check_remote(&config);
        for need in needs {
            reader.check(*need, &config);
        }
        reader.refuse_unknown();
        reader.finish(config)
    }
}

/// Everything that is wrong with the settings, one fault per line.
#[derive(Debug, PartialEq, Eq)]
pub struct Errors(Vec<String>);

impl Errors {
    /// The faults, one sentence each.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Errors {}

#[cfg(test)]
mod tests;
