//! What SMPP says of a message beyond its text: from a customer's `submit_sm` to the operator's, and back in MO.

use serde::{Deserialize, Serialize};

use crate::octets::Octets;

/// How octets of user data become text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// GSM 03.38 default alphabet, one septet per octet: the usual meaning of `data_coding` 0.
    #[default]
    Gsm7,
    /// The same, eight septets in seven octets (GSM 03.38 section 6.1.2.1).
    Gsm7Packed,
    /// ISO 8859-1.
    Latin1,
    /// IA5: seven bits of ASCII.
    Ascii,
    /// UTF-16 big endian.
    Ucs2,
    /// No text: 8-bit data.
    Binary,
}

impl Alphabet {
    /// The name in SQL, API and profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Gsm7Packed => "gsm7_packed",
            Self::Latin1 => "latin1",
            Self::Ascii => "ascii",
            Self::Ucs2 => "ucs2",
            Self::Binary => "binary",
        }
    }

    /// Reads the name; `None` when it is none of them.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Gsm7, Self::Gsm7Packed, Self::Latin1, Self::Ascii, Self::Ucs2, Self::Binary]
            .into_iter()
            .find(|alphabet| alphabet.name() == name)
    }
}

/// An address as it stands in a PDU.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WireAddress {
    /// Type of number (SMPP 3.4 section 5.2.5).
    pub ton: u8,
    /// Numbering plan (section 5.2.6).
    pub npi: u8,
    /// Digits or letters. Private: `Debug` of what holds it must not be logged.
    pub addr: domain::Private,
}

/// A part of a message that was cut by whoever sent it: from UDH or from SAR parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartOf {
    /// Shared by all parts.
    pub reference: u16,
    /// The reference has 16 bits; else 8.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wide: bool,
    /// How many parts, from 1.
    pub total: u8,
    /// Which one, from 1 to `total`.
    pub part: u8,
}

/// What an SMPP customer's submit said beyond text, addresses and times. It goes to the operator as it came, as far
/// as the operator's profile lets it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct SmppFields {
    /// TON and NPI of the source, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<(u8, u8)>,
    /// TON and NPI of the destination, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<(u8, u8)>,
    /// Section 5.2.11; mostly empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_type: String,
    /// Section 5.2.13.
    #[serde(skip_serializing_if = "is_zero")]
    pub protocol_id: u8,
    /// 0 lowest to 3 highest (section 5.2.14).
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: u8,
    /// Replaces an earlier message of the same sender and addressee at the operator (section 5.2.18).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replace_if_present: bool,
    /// As given: its message class (flash, for example) is kept; its alphabet is that of the operator's profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_coding: Option<u8>,
    /// The customer cut the message: this is one part of it and stays one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PartOf>,
    /// Elements of the user data header other than concatenation, as they came, without the length octet.
    #[serde(skip_serializing_if = "Octets::is_empty")]
    pub udh: Octets,
    /// Optional parameters that are passed on, as they came: tag, length, value.
    #[serde(skip_serializing_if = "Octets::is_empty")]
    pub tlvs: Octets,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &u8) -> bool {
    *value == 0
}
