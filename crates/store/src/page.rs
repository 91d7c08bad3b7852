//! Reading lists page by page, and stored values back into types.

use std::str::FromStr;

use domain::settlement::Outcome;
use domain::tariff::{ChargeOn, OnUnconfirmed};
use uuid::Uuid;

use crate::error::Error;

/// Rows of one page at most.
pub const ROWS_MAX: u16 = 1000;

/// Which part of a list is read. Lists go from the newest id to the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only ids below this one: where the page before ended.
    pub before: Option<Uuid>,
    /// Rows at most.
    rows: u16,
}

impl Page {
    /// A page of `rows` (at most [`ROWS_MAX`]) behind `before`.
    pub fn new(before: Option<Uuid>, rows: u16) -> Self {
        Self { before, rows: rows.min(ROWS_MAX) }
    }

    /// The upper end of the page, exclusive.
    pub(crate) fn end(self) -> Uuid {
        self.before.unwrap_or(Uuid::max())
    }

    /// What goes behind `LIMIT`: one row more than the page has tells whether another page follows.
    pub(crate) fn limit(self) -> i64 {
        i64::from(self.rows) + 1
    }

    /// Cuts `rows`, read with one row more, to the page. `true`: more rows follow.
    pub fn cut<T>(self, mut rows: Vec<T>) -> (Vec<T>, bool) {
        let more = rows.len() > usize::from(self.rows);
        rows.truncate(usize::from(self.rows));
        (rows, more)
    }
}

/// Reads a stored name, code or state; a value that our types refuse is an error of the database.
pub(crate) fn parse<T: FromStr>(stored: &str, what: &str) -> Result<T, Error> {
    stored.parse().map_err(|_| Error::Corrupt(format!("{what} {stored:?}")))
}

/// Reads a stored integer into a narrower type.
pub(crate) fn narrow<T, S: TryInto<T> + Copy + std::fmt::Debug>(stored: S, what: &str) -> Result<T, Error> {
    stored.try_into().map_err(|_| Error::Corrupt(format!("{what} {stored:?}")))
}

/// Reads when a stored price or rate is taken.
pub(crate) fn charge_on(stored: &str) -> Result<ChargeOn, Error> {
    ChargeOn::parse(stored).ok_or_else(|| Error::Corrupt(format!("charge_on {stored:?}")))
}

/// Reads what becomes of a hold without a receipt.
pub(crate) fn on_unconfirmed(stored: &str) -> Result<OnUnconfirmed, Error> {
    OnUnconfirmed::parse(stored).ok_or_else(|| Error::Corrupt(format!("on_unconfirmed {stored:?}")))
}

/// Reads what became of a message for those who pay on delivery; nothing is taken for one that has not ended.
pub(crate) fn outcome(stored: Option<&str>) -> Result<Outcome, Error> {
    let Some(stored) = stored else { return Ok(Outcome::Free) };
    Outcome::parse(stored).ok_or_else(|| Error::Corrupt(format!("outcome {stored:?}")))
}
