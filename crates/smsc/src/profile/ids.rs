//! The forms of message ids.

use serde::{Deserialize, Serialize};

use super::chance::mix;

/// How a message's number is written as an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// Decimal digits.
    #[default]
    Decimal,
    /// Twenty decimal digits with leading zeros.
    PaddedDecimal,
    /// Lower-case hexadecimal digits.
    Hex,
    /// Upper-case hexadecimal digits.
    UpperHex,
    /// Sixteen upper-case hexadecimal digits with leading zeros.
    PaddedHex,
    /// The shape of a UUID.
    Uuid,
    /// Decimal digits, each id given to two messages.
    Repeated,
    /// Three decimal digits: ids come again after a thousand messages.
    Cyclic,
    /// An empty id.
    Empty,
}

impl IdForm {
    /// The id of the message with this number.
    pub fn render(self, number: u64) -> String {
        match self {
            Self::Decimal => number.to_string(),
            Self::PaddedDecimal => format!("{number:020}"),
            Self::Hex => format!("{number:x}"),
            Self::UpperHex => format!("{number:X}"),
            Self::PaddedHex => format!("{number:016X}"),
            Self::Uuid => {
                let [high, low] = [mix(number), mix(!number)];
                let (version, variant) = (0x4000 | (high & 0x0FFF), 0x8000 | (low >> 50));
                let (start, middle, end) = (high >> 32, (high >> 16) & 0xFFFF, low & 0xFFFF_FFFF_FFFF);
                format!("{start:08x}-{middle:04x}-{version:04x}-{variant:04x}-{end:012x}")
            }
            Self::Repeated => (number / 2).to_string(),
            Self::Cyclic => format!("{:03}", number % 1000),
            Self::Empty => String::new(),
        }
    }
}
