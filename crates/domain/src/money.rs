//! Money as integers: millionths of a currency's major unit (micros), and the currency beside them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Micros in one major unit.
const UNIT: i64 = 1_000_000;
/// Digits after the point that a price may have.
const DECIMALS: usize = 6;

/// Why a string is not an amount or a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not digits with an optional sign and point.
    #[error("expected a decimal number such as \"12.50\"")]
    NotDecimal,
    /// More than six digits after the point.
    #[error("at most six digits after the point")]
    TooPrecise,
    /// Beyond 9.2 × 10¹² major units.
    #[error("the amount is too large")]
    TooLarge,
    /// Not three capital letters.
    #[error("expected a currency of three letters (ISO 4217)")]
    NotCurrency,
}

/// An amount in millionths of a major unit. Outside it is a decimal string, never a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(i64);

impl Micros {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The highest price, rate or fee that can be published, of whatever currency: a million of the major unit for one
    /// segment. A message of 255 segments at it costs so little that sums of a batch can be counted.
    pub const PRICE_MAX: Self = Self(1_000_000_000_000);

    /// Most that one act moves, and the highest limit, cap or threshold: a thousand million of the major unit.
    pub const AMOUNT_MAX: Self = Self(1_000_000_000_000_000);

    /// Most that a wallet holds and that one statement sets aside in it: four million million of the major unit. Twice as
    /// much, with a limit on top, is still within the range of the type.
    pub const WALLET_MAX: Self = Self(4_000_000_000_000_000_000);

    /// An amount that was read.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// What the database stores.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// price × segments: exact, or `None` beyond the range of the type.
    pub fn times(self, count: u16) -> Option<Self> {
        self.0.checked_mul(i64::from(count)).map(Self)
    }

    /// Below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

/// A sum of micros as a decimal string with two to six digits behind the point.
pub fn decimal(micros: i128) -> String {
    let (whole, rest) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let digits = format!("{rest:06}");
    let kept = digits.trim_end_matches('0').len().max(2);
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{whole}.{}", &digits[..kept])
}

impl std::ops::Neg for Micros {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl fmt::Display for Micros {
    /// Two digits after the point at least, six at most: `50.00`, `0.0045`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(self.0.into()))
    }
}

impl FromStr for Micros {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(ParseError::NotDecimal);
        }
        if fraction.len() > DECIMALS {
            return Err(ParseError::TooPrecise);
        }
        let whole: i64 = whole.parse().map_err(|_| ParseError::TooLarge)?;
        let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| ParseError::NotDecimal)?;
        let micros = whole.checked_mul(UNIT).and_then(|m| m.checked_add(fraction)).ok_or(ParseError::TooLarge)?;
        Ok(Self(if negative { -micros } else { micros }))
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A currency code of ISO 4217: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// No currency (ISO 4217): for what has none.
    pub const NONE: Self = Self(*b"XXX");

    /// The code, for example `UZS`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// The code as a number above 0 and below 2²⁴, in the order of the codes.
    pub(crate) fn number(self) -> u32 {
        let [first, second, third] = self.0;
        u32::from_be_bytes([0, first, second, third])
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| ParseError::NotCurrency)?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Self(code)) } else { Err(ParseError::NotCurrency) }
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_strings() {
        let rows = [
            ("50", Ok(50_000_000)),
            ("0.0045", Ok(4_500)),
            ("0.000001", Ok(1)),
            ("-3.5", Ok(-3_500_000)),
            ("0.0000001", Err(ParseError::TooPrecise)),
            ("1e3", Err(ParseError::NotDecimal)),
            ("1.", Err(ParseError::NotDecimal)),
            (".5", Err(ParseError::NotDecimal)),
            ("+1", Err(ParseError::NotDecimal)),
            ("", Err(ParseError::NotDecimal)),
            ("99999999999999", Err(ParseError::TooLarge)),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Micros>().map(Micros::get), expected, "{text}");
        }
        assert_eq!(Micros::new(50_000_000).to_string(), "50.00");
        assert_eq!(Micros::new(-4_500).to_string(), "-0.0045");
    }

    proptest! {
        #[test]
        fn amounts_round_trip(micros in -9_000_000_000_000_000_000_i64..9_000_000_000_000_000_000) {
            prop_assert_eq!(Micros::new(micros).to_string().parse::<Micros>(), Ok(Micros::new(micros)));
        }
    }
}
