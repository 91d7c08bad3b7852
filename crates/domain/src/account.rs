//! Accounts: a tree of house (admin), resellers and clients.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, PlanId};
use crate::money::Currency;

/// What an account may do. The tree is admin → reseller → … → client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The house: sees every account, owns operators, rates and prefixes.
    Admin,
    /// Sells on: sees its own subtree, makes clients and prices them.
    Reseller,
    /// Sends messages.
    Client,
}

/// Why a string is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of admin, reseller, client")]
pub struct ParseError;

impl Role {
    /// The name in SQL, API and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Reseller => "reseller",
            Self::Client => "client",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        [Self::Admin, Self::Reseller, Self::Client].into_iter().find(|r| r.name() == text).ok_or(ParseError)
    }
}

/// What pricing and sending need to know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Who sells to it; `None` for the house.
    pub parent: Option<AccountId>,
    /// What it may do.
    pub role: Role,
    /// The prices that it pays; without a plan nothing can be sent.
    pub plan: Option<PlanId>,
    /// The currency of its wallet.
    pub currency: Currency,
    /// Switched off: nothing is accepted from it or from anybody below it.
    pub suspended: bool,
    /// Segments per second that it may send; `None` means the default of the platform.
    pub segments_per_second: Option<u32>,
    /// Every sender ID is allowed without registration (for the house and for trusted aggregators).
    pub any_sender: bool,
}
