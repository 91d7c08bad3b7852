//! Delivery receipts: the text of a `deliver_sm` that reports what became of a message (SMPP 3.4, appendix B).
//!
//! The specification calls the format "SMSC vendor specific", so reading is tolerant: keys come in any order and
//! case, may be missing, and TLVs win over text. Writing follows the form that everybody reads.

pub mod id;
mod parse;
mod state;
pub mod template;

use std::{borrow::Cow, fmt};

pub use parse::parse;
pub use state::State;
pub use template::render;

/// A receipt as read, or to be written. What was missing or senseless is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The id that `submit_sm_resp` gave, in the operator's own form.
    pub id: Option<Cow<'a, str>>,
    /// Messages submitted, usually 1.
    pub submitted: Option<u32>,
    /// Messages delivered.
    pub delivered: Option<u32>,
    /// When the message was submitted, in a time zone that only the operator knows.
    pub submit_date: Option<Date>,
    /// When the final state was reached, in the same time zone.
    pub done_date: Option<Date>,
    /// What became of the message.
    pub state: Option<State>,
    /// The operator's error code: any string, "000" when all is well.
    pub error: Option<Cow<'a, str>>,
    /// The first characters of the message, as octets in an unknown encoding; often empty.
    pub text: Cow<'a, [u8]>,
}

/// TLVs of the same `deliver_sm` that say it better than the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tlvs<'a> {
    /// 0x001E, with or without its closing NUL.
    pub receipted_message_id: Option<&'a [u8]>,
    /// 0x0427.
    pub message_state: Option<u8>,
}

impl<'a> Receipt<'a> {
    /// The receipt with the TLVs' word put over that of the text. An empty id and an unknown state change nothing.
    #[must_use]
    pub fn with_tlvs(mut self, tlvs: Tlvs<'a>) -> Self {
        let id = tlvs.receipted_message_id.map(|octets| octets.split(|&octet| octet == 0).next().unwrap_or_default());
        if let Some(id) = id.map(<[u8]>::trim_ascii).filter(|id| !id.is_empty()) {
            self.id = Some(String::from_utf8_lossy(id));
        }
        if let Some(state) = tlvs.message_state.and_then(State::from_tlv) {
            self.state = Some(state);
        }
        self
    }

    /// The text that goes into `short_message`. Octets of `text` are kept as they are.
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = self.to_string().into_bytes();
        octets.extend_from_slice(&self.text);
        octets
    }
}

/// Everything up to and including `text:`; the octets of the text itself need not be characters.
impl fmt::Display for Receipt<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_deref().unwrap_or_default();
        let submitted = self.submitted.unwrap_or(1).min(999);
        let delivered = self.delivered.unwrap_or_else(|| u32::from(self.state == Some(State::Delivered))).min(999);
        write!(out, "id:{id} sub:{submitted:03} dlvrd:{delivered:03}")?;
        write!(
            out,
            " submit date:{} done date:{}",
            self.submit_date.unwrap_or_default(),
            self.done_date.unwrap_or_default()
        )?;
        let state = self.state.unwrap_or(State::Unknown).name();
        write!(out, " stat:{state} err:{} text:", self.error.as_deref().unwrap_or("000"))
    }
}

/// A calendar time without a zone. Displayed as `YYMMDDhhmm`, the form of receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

impl Default for Date {
    /// 2000-01-01 00:00:00, for receipts that must name a date and have none.
    fn default() -> Self {
        Self { year: 2000, month: 1, day: 1, hour: 0, minute: 0, second: 0 }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, .. } = self;
        write!(out, "{:02}{month:02}{day:02}{hour:02}{minute:02}", year % 100)
    }
}

impl Date {
    /// Reads `YYMMDDhhmm`, `YYMMDDhhmmss`, `YYYYMMDDhhmmss`, and `YYYYMMDDhhmm` where twelve digits make no sense
    /// the other way.
    pub fn parse(digits: &str) -> Option<Self> {
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        match digits.len() {
            10 => Self::from_digits(2, digits),
            12 => Self::from_digits(2, digits).or_else(|| Self::from_digits(4, digits)),
            14 => Self::from_digits(4, digits),
            _ => None,
        }
    }

    fn from_digits(year_digits: usize, digits: &str) -> Option<Self> {
        let (year, rest) = digits.split_at_checked(year_digits)?;
        let year: u16 = year.parse().ok()?;
        let pair = |at: usize| -> Option<u8> { rest.get(2 * at..2 * at + 2)?.parse().ok() };
        let date = Self {
            year: if year_digits == 2 { 2000 + year } else { year },
            month: pair(0)?,
            day: pair(1)?,
            hour: pair(2)?,
            minute: pair(3)?,
            second: pair(4).unwrap_or(0),
        };
        date.is_sane().then_some(date)
    }

    fn is_sane(self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }
}

#[cfg(test)]
mod tests;
