//! An operator's profile: everything in which operators differ, as data. The default is what most of them want.

use std::collections::BTreeMap;

pub use domain::hours::OpenHours;
use serde::{Deserialize, Serialize};

use crate::fields::Alphabet;
use crate::message::OutcomeClass;
use crate::octets::Octets;

/// How one operator wants to be spoken to, and how it speaks. Every field has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// How sessions are opened and kept.
    pub session: Session,
    /// TLS, where the operator has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Types and plans of addresses.
    pub addresses: Addresses,
    /// Alphabets and their numbers.
    pub coding: Coding,
    /// How long messages travel.
    pub long: Long,
    /// How `validity_period` is written.
    pub validity: Validity,
    /// How its receipts are read.
    pub receipts: Receipts,
    /// What its status and error codes mean.
    pub errors: Errors,
    /// What is done about a submit that was sent and never answered.
    pub unknown: UnknownPolicy,
    /// Added to every submit; a parameter of the customer with the same tag wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tlvs: Vec<VendorTlv>,
    /// Characters that are written differently for this operator, for example `ʻ` as `'`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub substitutions: BTreeMap<char, String>,
    /// When messages may be submitted; empty: always. Outside of it they wait in the queue.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_hours: Vec<OpenHours>,
    /// `service_type` of submits; a customer's own wins where this is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_type: String,
}

/// How sessions are opened and kept. Times are in seconds; 0 takes the edge's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// `interface_version` of the bind.
    pub interface_version: u8,
    /// `addr_ton` of the bind.
    pub addr_ton: u8,
    /// `addr_npi` of the bind.
    pub addr_npi: u8,
    /// `address_range` of the bind: which numbers' messages it wants (a regular expression of the operator's).
    pub address_range: String,
    /// Bind a transmitter and a receiver for each of the operator's binds, instead of one transceiver.
    pub pairs: bool,
    /// Silence after which `enquire_link` is sent.
    pub enquire_link_seconds: u16,
    /// How long an answer may take.
    pub response_seconds: u16,
    /// A session without any message for so long is closed and opened anew.
    pub inactivity_seconds: u16,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            interface_version: 0x34,
            addr_ton: 0,
            addr_npi: 0,
            address_range: String::new(),
            pairs: false,
            enquire_link_seconds: 0,
            response_seconds: 0,
            inactivity_seconds: 0,
        }
    }
}

/// TLS to an operator (SMPPS).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The name that its certificate must bear, and that is sent as SNI; the host when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Compare the name at all. Off for peers whose certificate bears no usable name: the chain is still checked.
    pub verify_name: bool,
    /// Certificates in PEM that are trusted instead of those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Our certificate in PEM, where the operator wants one. Its key is kept sealed and apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
}

impl Default for Tls {
    fn default() -> Self {
        Self { server_name: None, verify_name: true, ca: None, client_certificate: None }
    }
}

/// TON and NPI of one kind of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
}

/// Types and plans of addresses. What is not given is found from the address: a name, a number, a short code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Addresses {
    /// Of senders that are names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alphanumeric: Option<Plan>,
    /// Of senders that are short codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_code: Option<Plan>,
    /// Of senders that are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Plan>,
    /// Of destinations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Plan>,
    /// Take the TON and NPI of an SMPP customer's source as they came.
    pub keep_source: bool,
    /// Written before every destination: `+`, `00`, or nothing.
    pub destination_prefix: String,
}

/// Alphabets, and the number that `data_coding` has for each. What is not given has its usual number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Coding {
    /// What `data_coding` 0 means, both ways: GSM 7-bit, packed or not, Latin-1 or ASCII.
    pub default_alphabet: Alphabet,
    /// `data_coding` of GSM 7-bit; 0 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gsm7: Option<u8>,
    /// `data_coding` of Latin-1; 3 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latin1: Option<u8>,
    /// `data_coding` of Unicode; 8 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ucs2: Option<u8>,
    /// `data_coding` of binary data; 4 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<u8>,
    /// `data_coding` of flash messages in GSM 7-bit; 0x10 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flash: Option<u8>,
    /// `data_coding` of flash messages in Unicode; 0x18 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flash_ucs2: Option<u8>,
}

/// How a message of several segments travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    /// User data header with an 8-bit reference.
    #[default]
    Udh8,
    /// User data header with a 16-bit reference.
    Udh16,
    /// `sar_*` parameters; the operator makes the headers.
    Sar,
    /// One submit with `message_payload`; the operator cuts it. Answered by one id.
    Payload,
}

/// How `validity_period` is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "form", deny_unknown_fields)]
pub enum Validity {
    /// Relative to the operator's clock: needs no time zone.
    #[default]
    Relative,
    /// Absolute, in a zone of so many minutes east of UTC.
    Absolute {
        /// From -720 to 840.
        zone_minutes: i16,
    },
    /// Not at all: the operator's own default holds there.
    None,
}

/// How receipts are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Receipts {
    /// How the id in the receipt and that in the response become the same.
    pub ids: IdRule,
    /// Dates in receipts are so many minutes east of UTC; not given: only dates close to now in UTC are believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_minutes: Option<i16>,
    /// Receipts come without the bits of `esm_class`: a text in the form of a receipt, with an id in it, counts as
    /// one. A handset can then forge one; hence off unless the operator needs it.
    pub without_esm_class: bool,
    /// One receipt for all parts of a message, with the id of the first.
    pub one_for_all_parts: bool,
}

/// How the ids of responses and receipts are made comparable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdRule {
    /// As they come, without blanks around them.
    #[default]
    Raw,
    /// Upper case, without leading zeros.
    Stripped,
    /// The response is decimal, the receipt hexadecimal.
    ReceiptHex,
    /// The response is hexadecimal, the receipt decimal.
    ReceiptDecimal,
}

/// What codes mean. What is not listed has its usual meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Errors {
    /// By `command_status`, in decimal digits or `0x` and hexadecimal ones.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub statuses: BTreeMap<String, StatusMeaning>,
    /// By the error code of a receipt, as it stands there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub receipts: BTreeMap<String, ReceiptMeaning>,
}

/// Reads a key of [`Errors::statuses`]; `None` when it is no number.
pub fn status(key: &str) -> Option<u32> {
    match key.strip_prefix("0x").or_else(|| key.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => key.parse().ok(),
    }
}

/// What a `command_status` asks of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusMeaning {
    /// Taken after all.
    Accepted,
    /// Slower, and the same again; no attempt is counted.
    Throttled,
    /// Again later, a bounded number of times.
    Temporary,
    /// Not here; another operator may take it.
    Elsewhere,
    /// Nobody will take it.
    Permanent,
}

impl StatusMeaning {
    /// The class of the outcome where it is final.
    pub const fn outcome(self) -> OutcomeClass {
        match self {
            Self::Accepted => OutcomeClass::Accepted,
            Self::Permanent => OutcomeClass::Permanent,
            Self::Throttled | Self::Temporary | Self::Elsewhere => OutcomeClass::Temporary,
        }
    }
}

/// What an error code of a receipt means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptMeaning {
    /// Our code for it, for example `absent_subscriber`.
    pub code: String,
    /// The operator charges for it although it was not delivered.
    #[serde(default)]
    pub billable: bool,
    /// Another operator may deliver it. Not said: by our code, see `domain::reroute::elsewhere`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reroute: Option<bool>,
}

/// What is done about a submit that was sent and never answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPolicy {
    /// Wait for a receipt. A message is never sent twice.
    #[default]
    Wait,
    /// Send it again, once: rather twice than never, for one-time passwords.
    Resend,
}

/// One optional parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorTlv {
    /// 0x1400 to 0x3FFF for vendors' own (SMPP 3.4 section 5.3.2).
    pub tag: u16,
    /// Base64.
    pub value: Octets,
}
