//! Sell prices, and the price chain of one message: who pays what, from the client up to the house.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, OperatorId, RateId, TariffId};
use crate::money::{Currency, Micros};
use crate::routing::margin::Earned;
use crate::traffic::TrafficClass;

/// When a tariff takes its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeOn {
    /// When the operator accepts the segment.
    #[default]
    Submit,
    /// When the final receipt says delivered (or an error that is billable).
    Delivered,
}

impl ChargeOn {
    /// The name in SQL, API and docs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Delivered => "delivered",
        }
    }

    /// Reads the name; `None` when it is neither.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Submit, Self::Delivered].into_iter().find(|c| c.name() == name)
    }
}

/// What becomes of a hold where a tariff charges on delivery and no receipt came in validity and grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnconfirmed {
    /// It is given back. A receipt that comes later and says delivered is charged then.
    #[default]
    Release,
    /// It is taken. A receipt that comes later and says otherwise gives it back.
    Capture,
}

impl OnUnconfirmed {
    /// The name in SQL, API and docs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Capture => "capture",
        }
    }

    /// Reads the name; `None` when it is neither.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Release, Self::Capture].into_iter().find(|c| c.name() == name)
    }

    /// Is it what most tariffs say?
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One dated sell price of a plan for a network, a country or wherever the plan has no other. Never edited: a new one
/// closes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// Its id, stored with every message priced by it.
    pub id: TariffId,
    /// For this class of traffic; `None`: for every class that has no price of its own there.
    pub class: Option<TrafficClass>,
    /// Price of one segment.
    pub price: Micros,
    /// Currency of the price.
    pub currency: Currency,
    /// When the money is taken.
    pub charge_on: ChargeOn,
    /// What becomes of a hold without a receipt.
    pub on_unconfirmed: OnUnconfirmed,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
    /// Until when it holds, exclusive; `None` means open.
    pub to: Option<DateTime<Utc>>,
}

/// One dated buy rate of an operator for a network or a country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// Its id, stored with every message sent at it.
    pub id: RateId,
    /// Who sells to us.
    pub operator: OperatorId,
    /// For this class of traffic; `None`: for every class that has no rate of its own there.
    pub class: Option<TrafficClass>,
    /// Price of one segment.
    pub price: Micros,
    /// Currency of the price.
    pub currency: Currency,
    /// When the operator takes its money: for what it accepts, or for what it delivers.
    pub charge_on: ChargeOn,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
    /// Until when it holds, exclusive; `None` means open.
    pub to: Option<DateTime<Utc>>,
}

/// Is `at` inside `[from, to)`?
pub fn in_force(from: DateTime<Utc>, to: Option<DateTime<Utc>>, at: DateTime<Utc>) -> bool {
    from <= at && to.is_none_or(|to| at < to)
}

/// One payer of a message: a wallet, and what it pays for a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// Whose wallet pays.
    pub account: AccountId,
    /// Whose revenue it is: the parent, or the house itself where it sends on its own account.
    pub seller: AccountId,
    /// The tariff that said so.
    pub tariff: TariffId,
    /// Price of one segment.
    #[serde(rename = "price_micros", with = "raw_micros")]
    pub price: Micros,
    /// When it is taken.
    pub charge_on: ChargeOn,
    /// What becomes of a hold without a receipt. Left out of stored chains where it is released, as before there was a word
    /// for it: a chain is known by the hash of its text.
    #[serde(default, skip_serializing_if = "OnUnconfirmed::is_default")]
    pub on_unconfirmed: OnUnconfirmed,
}

/// Who pays for a message: the sender first, then every ancestor below the house.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Chain {
    /// One currency for all: a wallet and its parent's have the same.
    pub currency: Currency,
    /// At least one; the first is the sender's own.
    pub links: Vec<Link>,
}

impl Chain {
    /// What the house earns for a segment: what the account right below it pays. `None` for the house's own messages.
    pub fn earned(&self) -> Option<Earned> {
        let top = self.links.last().filter(|link| link.account != link.seller)?;
        Some(Earned { price: top.price, currency: self.currency })
    }
}

mod raw_micros {
    //! Stored chains carry micros as integers.
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::money::Micros;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `with` passes references")]
    pub(super) fn serialize<S: Serializer>(price: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(price.get())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Micros, D::Error> {
        i64::deserialize(deserializer).map(Micros::new)
    }
}
