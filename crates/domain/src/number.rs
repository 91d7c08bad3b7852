//! Phone numbers in the form of ITU-T E.164: a country code and a subscriber number, 15 digits at most.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Fewest digits of a number that a message is sent to; below it are short codes.
const DIGITS_MIN: usize = 7;
/// Most digits of a number (E.164 section 6).
const DIGITS_MAX: usize = 15;

/// Why a string is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something else than digits behind an optional `+` or `00`.
    #[error("a number has digits only, behind an optional + or 00")]
    NotDigits,
    /// Fewer than 7 or more than 15 digits.
    #[error("a number has 7 to 15 digits with its country code")]
    Length,
    /// The country code begins with zero: a national form.
    #[error("a number starts with its country code, not with 0")]
    National,
}

/// A number with its country code. `Debug` masks it; [`Number::e164`] is the outside form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(u64);

impl Number {
    /// Reads `+998901234567`, `00998901234567` or `998901234567`; spaces, dots, dashes and brackets that
    /// people write between groups are dropped.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut buffer = [0_u8; DIGITS_MAX + 3];
        let mut length = 0;
        for byte in text.trim().bytes() {
            match byte {
                b' ' | b'-' | b'.' | b'(' | b')' => continue,
                b'+' if length == 0 => {}
                b'0'..=b'9' => {}
                _ => return Err(Error::NotDigits),
            }
            *buffer.get_mut(length).ok_or(Error::Length)? = byte;
            length += 1;
        }
        let digits = &buffer[..length];
        let digits = digits.strip_prefix(b"+").or_else(|| digits.strip_prefix(b"00")).unwrap_or(digits);
        Self::from_digits(digits)
    }

    fn from_digits(digits: &[u8]) -> Result<Self, Error> {
        if digits.contains(&b'+') {
            return Err(Error::NotDigits);
        }
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
            return Err(Error::Length);
        }
        if digits[0] == b'0' {
            return Err(Error::National);
        }
        Ok(Self(digits.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0'))))
    }

    /// A number that was stored; `None` when it is not one.
    pub fn from_stored(value: i64) -> Option<Self> {
        u64::try_from(value).ok().filter(|n| (1_000_000..1_000_000_000_000_000).contains(n)).map(Self)
    }

    /// What the database stores: at most 15 digits, so it fits.
    pub fn stored(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The outside form, `+998901234567`.
    pub fn e164(self) -> String {
        format!("+{}", self.0)
    }

    /// The digits, for the wire of SMPP (`destination_addr` with TON 1, NPI 1).
    pub fn digits(self) -> String {
        self.0.to_string()
    }

    /// The digits as a number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        write!(f, "+{}…", &digits[..3])
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.e164())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_and_refused_forms() {
        let rows = [
            ("+998901234567", Ok("+998901234567")),
            ("00998901234567", Ok("+998901234567")),
            ("998901234567", Ok("+998901234567")),
            (" +998 (90) 123-45-67 ", Ok("+998901234567")),
            ("12345", Err(Error::Length)),
            ("1234567890123456", Err(Error::Length)),
            ("+1234567890123456789012", Err(Error::Length)),
            ("0901234567", Err(Error::National)),
            ("++998901234567", Err(Error::NotDigits)),
            ("99890abc", Err(Error::NotDigits)),
            ("", Err(Error::Length)),
            ("٩٩٨٩٠١٢٣٤٥٦٧", Err(Error::NotDigits)),
        ];
        for (text, expected) in rows {
            assert_eq!(Number::parse(text).map(Number::e164), expected.map(String::from), "{text}");
        }
    }

    #[test]
    fn debug_masks_the_number() {
        assert_eq!(format!("{:?}", Number::parse("998901234567").unwrap()), "+998…");
    }
}
