//! Sender IDs: what a handset shows as the origin of a message.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Most characters of an alphanumeric sender (3GPP TS 23.040 section 9.1.2.5: 7 octets of 7-bit text).
const ALPHA_MAX: usize = 11;
/// Most digits of a numeric sender.
const DIGITS_MAX: usize = 15;

/// Why a string is not a sender ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Empty or longer than the network carries.
    #[error("a sender ID has 1 to 11 letters and digits, or up to 15 digits")]
    Length,
    /// A character that networks do not carry.
    #[error("a sender ID has Latin letters, digits, space and & . _ - only")]
    Character,
}

/// A sender ID: a short code, a number in digits, or an alphanumeric name of at most 11 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Sender(String);

impl Sender {
    /// Reads a sender; a leading `+` before digits is dropped.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let digits = text.strip_prefix('+').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return if digits.len() <= DIGITS_MAX { Ok(Self(digits.to_owned())) } else { Err(Error::Length) };
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '&' | '.' | '_' | '-')) {
            return Err(Error::Character);
        }
        if text.is_empty() || text.len() > ALPHA_MAX {
            return Err(Error::Length);
        }
        Ok(Self(text.to_owned()))
    }

    /// The sender as the handset shows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Digits only: a number or a short code, not a name.
    pub fn is_numeric(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_digit())
    }

    /// The form under which it is registered: names are compared without case.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let rows = [
            ("TestCompany", Ok("TestCompany")),
            ("1234", Ok("1234")),
            ("+998901234567", Ok("998901234567")),
            ("TestCompany1", Err(Error::Length)),
            ("1234567890123456", Err(Error::Length)),
            ("Кафе", Err(Error::Character)),
            ("a\nb", Err(Error::Character)),
            ("", Err(Error::Length)),
            ("+", Err(Error::Character)),
        ];
        for (text, expected) in rows {
            assert_eq!(Sender::parse(text).map(|s| s.0), expected.map(String::from), "{text}");
        }
    }
}
