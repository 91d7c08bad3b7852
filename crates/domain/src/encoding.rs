//! How a text travels.

use serde::{Deserialize, Serialize};

/// How the text travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// GSM 03.38 default alphabet with its extension table.
    Gsm7,
    /// UTF-16 big endian.
    Ucs2,
    /// ISO 8859-1.
    Latin1,
    /// No text: 8-bit data. Where a text is carried, it is written as two hexadecimal digits per octet.
    Binary,
}

impl Encoding {
    /// Reads the name; `None` when it is none of them.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Gsm7, Self::Ucs2, Self::Latin1, Self::Binary].into_iter().find(|encoding| encoding.name() == name)
    }

    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
            Self::Latin1 => "latin1",
            Self::Binary => "binary",
        }
    }
}
