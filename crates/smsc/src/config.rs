//! What the simulated operator is told at its start.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{Profile, Tls};

/// Everything that is fixed while the operator runs, and the [`Profile`] that it starts with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificates; with them every connection begins with TLS.
    pub tls: Option<Tls>,
    /// Who may bind. Empty: everybody may, with any password.
    pub accounts: Vec<Account>,
    /// Connections at one time; further ones are closed at once.
    pub connections_max: usize,
    /// Accepted messages kept for [`crate::Smsc::log`]; the oldest go first. 0 keeps none.
    pub log_max: usize,
    /// Different messages remembered for counting repetitions, about 16 bytes each. 0 remembers none.
    pub seen_max: usize,
    /// Receipts and messages per account that wait for their time or for a receiver; further ones are dropped and
    /// counted.
    pub pending_max: usize,
    /// The longest PDU taken, in octets.
    pub pdu_bytes_max: usize,
    /// The number of the first message id. `None`: from the wall clock, so that ids differ after a restart.
    pub first_id: Option<u64>,
    /// Makes choices repeatable: the same seed and the same order of messages give the same outcomes.
    pub seed: u64,
    /// How it behaves at first.
    pub profile: Profile,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            accounts: Vec::new(),
            connections_max: 1000,
            log_max: 10_000,
            seen_max: 1_000_000,
            pending_max: 1_000_000,
            pdu_bytes_max: 70 * 1024,
            first_id: None,
            seed: 1,
            profile: Profile::default(),
        }
    }
}

impl Config {
    /// Reads the JSON form; every field may be missing.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

/// One customer of the operator, which for Chappe is one operator connection of its own.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Name at the bind.
    pub system_id: String,
    /// Password at the bind.
    pub password: String,
    /// Binds at one time, of all three types together.
    #[serde(default = "binds_max")]
    pub binds_max: usize,
}

const fn binds_max() -> usize {
    100
}

impl Account {
    /// An account with the default number of binds.
    pub fn new(system_id: impl Into<String>, password: impl Into<String>) -> Self {
        Self { system_id: system_id.into(), password: password.into(), binds_max: binds_max() }
    }
}

/// Without the password.
impl std::fmt::Debug for Account {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Account")
            .field("system_id", &self.system_id)
            .field("binds_max", &self.binds_max)
            .finish_non_exhaustive()
    }
}
