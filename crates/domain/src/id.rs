//! Typed ids: a UUID v7 inside, a prefix and 26 characters of Crockford base32 outside (`msg_01k…`).
//!
//! The alphabet is Crockford's (<https://www.crockford.com/base32.html>) in lower case. Reading is tolerant
//! as he asks: upper case is accepted, `i` and `l` mean `1`, `o` means `0`.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of base32 that hold 128 bits.
const CHARS: usize = 26;

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form {prefix}_ and 26 characters of base32")]
pub struct ParseError {
    prefix: &'static str,
}

/// Writes `uuid` as 26 characters of base32, most significant bits first.
fn encode(uuid: Uuid) -> [u8; CHARS] {
    let mut bits = uuid.as_u128();
    let mut out = [b'0'; CHARS];
    for slot in out.iter_mut().rev() {
        let low = usize::try_from(bits & 31).unwrap_or(0);
        *slot = ALPHABET[low];
        bits >>= 5;
    }
    out
}

fn digit(byte: u8) -> Option<u128> {
    let byte = match byte.to_ascii_lowercase() {
        b'i' | b'l' => b'1',
        b'o' => b'0',
        other => other,
    };
    let at = ALPHABET.iter().position(|&c| c == byte)?;
    u128::try_from(at).ok()
}

fn decode(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    // 26 characters hold 130 bits: the first one may use three of its five.
    if bytes.len() != CHARS || digit(bytes[0])? > 7 {
        return None;
    }
    let bits = bytes.iter().try_fold(0_u128, |bits, &byte| Some(bits << 5 | digit(byte)?))?;
    Some(Uuid::from_u128(bits))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(Uuid);

        impl Ord for $name {
            /// As the bytes are sorted; two comparisons of machine words instead of a call.
            #[inline]
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.as_u128().cmp(&other.0.as_u128())
            }
        }

        impl PartialOrd for $name {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// What stands before the underscore outside.
            pub const PREFIX: &'static str = $prefix;

            /// A new id of now: UUID v7, so ids made later sort later (RFC 9562 section 5.7).
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id of a row that was read.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// What the database stores.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(std::str::from_utf8(&encode(self.0)).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(ParseError { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("an id that starts with ", $prefix, "_"))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    )*};
}

ids! {
    /// A threshold of a balance.
    ThresholdId = "low";
    /// An adjustment of a wallet, done or waiting for a second person.
    AdjustmentId = "adj";
    /// A customer, reseller or the house itself.
    AccountId = "acc";
    /// The price chain under which a message was accepted: who pays what, from client to house.
    ChainId = "chn";
    /// A stored routing decision.
    DecisionId = "dec";
    /// A queue message.
    EnvelopeId = "env";
    /// One dated exchange rate.
    ExchangeRateId = "fx";
    /// A file that is made in the background.
    ExportId = "exp";
    /// A guard of the margin.
    GuardId = "guard";
    /// A message from a handset.
    InboundId = "mo";
    /// A rule that says whose the messages to a number are.
    InboundRuleId = "rule";
    /// An API key.
    KeyId = "key";
    /// A provider of look-ups of numbers.
    LookupProviderId = "lkp";
    /// A message of a customer; its segments have no id of their own.
    MessageId = "msg";
    /// A mobile operator, or a supplier that leads to one.
    OperatorId = "op";
    /// A tariff plan: the sell prices that an account pays.
    PlanId = "plan";
    /// A number prefix.
    PrefixId = "pfx";
    /// A buy rate of an operator.
    RateId = "rate";
    /// A routing rule; its versions have a number each.
    RoutingRuleId = "route";
    /// A registered sender ID.
    SenderIdId = "snd";
    /// A supplier's rate sheet.
    SheetId = "sheet";
    /// A session of an SMPP customer.
    SessionId = "ses";
    /// An account that SMPP customers bind by.
    SmppSystemId = "sys";
    /// One dated sell price.
    TariffId = "tar";
    /// Money that people moved: a top-up, a transfer, an adjustment, a refund, a correction.
    TransactionId = "txn";
    /// A person who logs in.
    UserId = "usr";
    /// A replay of traffic against changed settings.
    WhatIfId = "wif";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_keep_their_order() {
        let (first, second) = (MessageId::from_uuid(Uuid::from_u128(7)), MessageId::from_uuid(Uuid::from_u128(32)));
        assert_eq!(first.to_string(), "msg_00000000000000000000000007");
        assert_eq!(second.to_string(), "msg_00000000000000000000000010");
        assert!(first.to_string() < second.to_string());
        for id in [first, second, MessageId::generate(), MessageId::from_uuid(Uuid::max())] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn reading_is_tolerant_of_case_and_likeness_only() {
        let rows = [
            ("msg_0000000000000000000000000L", Some(1)),
            ("msg_0000000000000000000000000o", Some(0)),
            ("msg_0000000000000000000000000Z", Some(31)),
            ("msg_0000000000000000000000000u", None),
            ("msg_8zzzzzzzzzzzzzzzzzzzzzzzzz", None),
            ("msg_00", None),
            ("acc_00000000000000000000000000", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let read = text.parse::<MessageId>().ok().map(|id| id.uuid().as_u128());
            assert_eq!(read, expected, "{text}");
        }
    }
}
