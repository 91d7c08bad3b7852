//! Look-ups of numbers: for whom they are made, and who pays what for one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, LookupProviderId};
use crate::money::{Currency, Micros};

/// What is looked up before a message of an account is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Policy {
    /// Nothing: overrides and prefixes decide.
    #[default]
    Never,
    /// What was looked up before and has not expired.
    Cached,
    /// That, and a provider is asked where there is nothing.
    Always,
}

impl Policy {
    /// The name in the database and outside.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Cached => "cached",
            Self::Always => "always",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected never, cached or always")]
pub struct UnknownPolicy;

impl FromStr for Policy {
    type Err = UnknownPolicy;
    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        [Self::Never, Self::Cached, Self::Always].into_iter().find(|policy| policy.name() == text).ok_or(UnknownPolicy)
    }
}

/// What was agreed with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// `None`: that of the account above.
    pub policy: Option<Policy>,
    /// What it pays its seller for a look-up; zero: the seller absorbs it.
    pub price: Micros,
}

/// What one payer pays for one look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Whose wallet.
    pub payer: AccountId,
    /// Who earns it: the account above.
    pub seller: AccountId,
    /// More than zero, in the payer's currency.
    pub price: Micros,
}

/// Where in a provider's answer its facts stand: JSON pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// MCC and MNC in one, `43405`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The MCC, where it stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcc: Option<String>,
    /// The MNC, where it stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mnc: Option<String>,
    /// Whether the number moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ported: Option<String>,
    /// Whether its handset can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<String>,
}

/// Who is asked over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: LookupProviderId,
    /// For people.
    pub name: String,
    /// Of several the smallest is asked.
    pub position: i32,
    /// The digits of the number take the place of `{number}`.
    pub url: String,
    /// The header that carries the secret.
    pub header: Option<String>,
    /// Its value, sealed with the platform's key.
    pub secret_sealed: Option<Vec<u8>>,
    /// Where its facts stand.
    pub fields: Fields,
    /// How long an answer may take.
    pub timeout_ms: u16,
    /// How long an answer is believed.
    pub lifetime_seconds: u32,
    /// What one look-up costs the house.
    pub cost: Micros,
    /// In which currency.
    pub currency: Currency,
}
