//! Mobile networks by their MCC and MNC (ITU-T E.212).

use std::fmt;
use std::str::FromStr;

/// Why a string is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not three digits.
    #[error("an MCC has three digits")]
    Mcc,
    /// Not two or three digits.
    #[error("an MNC has two or three digits")]
    Mnc,
}

/// A mobile country code: three digits, `434` is Uzbekistan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mcc(u16);

/// A mobile network code: two or three digits, and `05` is not `005`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mnc {
    value: u16,
    digits: u8,
}

/// A network, or a country when the network inside it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// The country.
    pub mcc: Mcc,
    /// The network in it; `None` means the country only.
    pub mnc: Option<Mnc>,
}

impl Network {
    /// A network from its two codes.
    pub fn parse(mcc: &str, mnc: Option<&str>) -> Result<Self, ParseError> {
        Ok(Self { mcc: mcc.parse()?, mnc: mnc.map(str::parse).transpose()? })
    }

    /// The same country without the network.
    #[must_use]
    pub const fn country(self) -> Self {
        Self { mcc: self.mcc, mnc: None }
    }
}

fn digits(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<u16> {
    let good = lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

impl FromStr for Mcc {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        digits(text, 3..=3).map(Self).ok_or(ParseError::Mcc)
    }
}

impl FromStr for Mnc {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let value = digits(text, 2..=3).ok_or(ParseError::Mnc)?;
        Ok(Self { value, digits: if text.len() == 3 { 3 } else { 2 } })
    }
}

impl fmt::Display for Mcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Display for Mnc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.value, width = usize::from(self.digits))
    }
}

impl fmt::Display for Network {
    /// `43405`, or `434` for a country.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mcc)?;
        self.mnc.map_or(Ok(()), |mnc| write!(f, "{mnc}"))
    }
}

impl FromStr for Network {
    type Err = ParseError;
    /// Reads `43405`, `310410` or `434`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (mcc, mnc) = text.split_at_checked(3).ok_or(ParseError::Mcc)?;
        Self::parse(mcc, Some(mnc).filter(|m| !m.is_empty()))
    }
}

impl serde::Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms() {
        for (text, good) in
            [("43405", true), ("310410", true), ("434", true), ("43", false), ("4340", false), ("434a5", false)]
        {
            let read = text.parse::<Network>();
            assert_eq!(read.is_ok(), good, "{text}");
            if let Ok(network) = read {
                assert_eq!(network.to_string(), text);
            }
        }
    }

    #[test]
    fn two_and_three_digit_codes_differ() {
        assert_ne!("43405".parse::<Network>(), "434005".parse::<Network>());
    }
}
