//! Reading single values, and gathering what is wrong with them.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use tracing_subscriber::EnvFilter;

use super::{Config, Errors, KNOWN, Need, PREFIX, Strings, file};

/// The most connections to the database that one process may be given.
const CONNECTIONS_MAX: u32 = 500;

/// The longest time that a shutdown may be given, in seconds.
const GRACE_SECONDS_MAX: u64 = 3600;
const FAILOVER_SECONDS: RangeInclusive<u64> = 10..=86_400;

/// The most changed letters at which a name is taken for a slip of another.
const SLIP_MAX: usize = 3;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// Coloured lines, for people.
    Pretty,
}

/// Reads values and remembers faults. A value that is wrong is told and replaced, so that the next one is read too.
pub(super) struct Reader<'a> {
    strings: &'a dyn Strings,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(strings: &'a dyn Strings) -> Self {
        Self { strings, faults: Vec::new() }
    }

    pub(super) fn secret(&mut self, key: &str) -> Option<SecretString> {
        self.text(key).map(SecretString::from)
    }

    /// A value with a default, which must be readable itself.
    pub(super) fn or<T>(&mut self, key: &str, default: &str, read: impl Fn(&str) -> Result<T, String>) -> T {
        let given = self.optional(key, &read);
        given.unwrap_or_else(|| read(default).expect("the default of a setting is valid"))
    }

    /// A value, where one is given. The value itself is never shown: it may be a secret in the wrong place.
    pub(super) fn optional<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(key)?;
        read(&text).map_err(|fault| self.faults.push(format!("{key} {fault}"))).ok()
    }

    pub(super) fn check(&mut self, need: Need, config: &Config) {
        let fault = match need {
            Need::Database if config.database_url.is_none() => "DATABASE_URL is missing",
            Need::Queue if config.queue_url.is_none() => {
                "QUEUE_URL is missing, and there is no DATABASE_URL of PostgreSQL to take its place"
            }
            Need::SecretKey
                if config.secret_key.is_none()
                    && config.remote.secret_key.is_none()
                    && !self.has_fault("CHAPPE_SECRET_KEY") =>
            {
                "CHAPPE_SECRET_KEY is missing: 32 random bytes in base64, as `openssl rand -base64 32` makes them"
            }
            _ => return,
        };
        self.faults.push(fault.to_owned());
    }

    /// What lies in AWS Secrets Manager needs a place to go to, and must not be given twice.
    pub(super) fn check_remote(&mut self, config: &Config) {
        for fault in config.remote.faults(config) {
            self.faults.push(fault);
        }
    }

    /// A misspelt setting would be silently ignored; with our prefix it is an error.
    pub(super) fn refuse_unknown(&mut self) {
        let mut names = self.strings.names();
        names.sort();
        let is_known = |name: &str| KNOWN.contains(&name) || file::is_name_of_file(name);
        for name in names.iter().filter(|name| name.starts_with(PREFIX) && !is_known(name)) {
            self.faults.push(match closest(name) {
                Some(known) => format!("{name} is not a setting; did you mean {known}?"),
                None => format!("{name} is not a setting; there are {}", KNOWN.join(", ")),
            });
        }
    }

    pub(super) fn finish(self, config: Config) -> Result<Config, Errors> {
        if self.faults.is_empty() { Ok(config) } else { Err(Errors(self.faults)) }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        file::setting(self.strings, key).unwrap_or_else(|fault| {
            self.faults.push(fault);
            None
        })
    }

    fn has_fault(&self, key: &str) -> bool {
        self.faults.iter().any(|fault| fault.starts_with(key))
    }
}

pub(super) fn is_postgres(url: &SecretString) -> bool {
    let url = url.expose_secret();
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

/// `postgres:` alone means the database that there is anyway.
pub(super) fn is_elsewhere(queue_url: &SecretString) -> bool {
    queue_url.expose_secret() != "postgres:"
}

pub(super) fn socket_addr(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080 or [::]:8080".to_owned())
}

pub(super) fn http_url(text: &str) -> Result<String, String> {
    let url = Some(text).filter(|text| text.starts_with("https://") || text.starts_with("http://"));
    url.map(str::to_owned).ok_or_else(|| "must be a URL that begins with https:// or http://".to_owned())
}

pub(super) fn secret_key(text: &str) -> Result<SecretBox<[u8; 32]>, String> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let bytes = bytes.ok_or("must be exactly 32 bytes in base64, as `openssl rand -base64 32` makes them")?;
    Ok(SecretBox::new(Box::new(bytes)))
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "json" => Ok(LogFormat::Json),
        "pretty" => Ok(LogFormat::Pretty),
        _ => Err("must be json or pretty".to_owned()),
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let valid = EnvFilter::try_new(text).map(|_| text.to_owned());
    valid.map_err(|_| "must be a filter such as info or info,route=debug".to_owned())
}

pub(super) fn connections(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=CONNECTIONS_MAX).contains(number));
    number.ok_or(format!("must be a whole number from 1 to {CONNECTIONS_MAX}"))
}

/// One word of two; whether it is the second.
pub(super) fn choice(text: &str, usual: &str, other: &str) -> Result<bool, String> {
    let is_known = text == usual || text == other;
    is_known.then(|| text == other).ok_or(format!("must be {usual} or {other}"))
}

/// The name of a secret of AWS Secrets Manager.
pub(super) fn secret_arn(text: &str) -> Result<String, String> {
    let is_arn = text.starts_with("arn:") && text.contains(":secretsmanager:");
    is_arn.then(|| text.to_owned()).ok_or("must be the ARN of a secret of AWS Secrets Manager".to_owned())
}

pub(super) fn positive_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=GRACE_SECONDS_MAX).contains(seconds));
    seconds.map(Duration::from_secs).ok_or(format!("must be a whole number from 1 to {GRACE_SECONDS_MAX}"))
}

/// At least two looks of the sweep: a shorter time would take every reconnect for an outage.
pub(super) fn failover_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| FAILOVER_SECONDS.contains(seconds));
    let (least, most) = (FAILOVER_SECONDS.start(), FAILOVER_SECONDS.end());
    seconds.map(Duration::from_secs).ok_or(format!("must be a whole number from {least} to {most}"))
}

/// The known name that `name` is most likely a slip of.
fn closest(name: &str) -> Option<&'static str> {
    let by_distance = KNOWN.iter().copied().map(|known| (distance(name, known), known));
    by_distance.min().filter(|(distance, _)| *distance <= SLIP_MAX).map(|(_, known)| known)
}

/// Levenshtein's distance: letters to insert, remove or change.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
