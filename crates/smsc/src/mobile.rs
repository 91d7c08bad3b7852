//! Messages from handsets: one text as the deliveries that carry it, in every form that operators use.

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use smpp::pdu::ESM_UDHI;
use smpp::text::{self, Encoding, gsm7};
use smpp::tlv::{self, Tag};
use smpp::udh::{self, CONCAT_8, CONCAT_16, Element};

use crate::account::{Delivery, Party, Through, What};

/// Octets that `short_message` can hold.
const SHORT_BYTES_MAX: usize = 254;
/// A port element (3GPP TS 23.040, 9.2.3.24.4) as it stands before a concatenation element at some operators.
const PORTS: Element<'static> = Element { id: 0x05, data: &[0x0B, 0x84, 0x23, 0xF0] };

/// A message from a handset to a number of the customer. `Debug` hides numbers and text.
#[expect(clippy::struct_excessive_bools, reason = "each is a quirk of the field, alone or with others")]
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mobile {
    /// The handset's number.
    pub source: String,
    /// The customer's number.
    pub destination: String,
    /// What it says.
    pub text: String,
    /// How the text is put into octets; `None`: GSM 7-bit if it can, else UCS-2.
    pub alphabet: Option<Alphabet>,
    /// The `data_coding` where it is not that of the alphabet: 0 may mean Latin-1.
    pub data_coding: Option<u8>,
    /// How the parts of a long text are told apart.
    pub parts: Parts,
    /// Numbers of the parts, from 1, in the order of sending; those left out are never sent. Empty: all, in order.
    pub order: Vec<u8>,
    /// The concatenation reference; `None`: one that is new.
    pub reference: Option<u16>,
    /// A port element before the concatenation element.
    pub ports: bool,
    /// A user data header without the bit of `esm_class` that announces it.
    pub without_udhi: bool,
    /// The whole `esm_class` instead: 0x40 announces a user data header where there may be none.
    pub esm_class: Option<u8>,
    /// The user data, header and all, is in `message_payload` of a `deliver_sm`.
    pub in_payload: bool,
    /// As `data_sm` and not as `deliver_sm`.
    pub data_sm: bool,
    /// Which binds of the account carry the parts, from 0 in the order of binding and in turn. Empty: any.
    pub binds: Vec<usize>,
}

impl std::fmt::Debug for Mobile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Mobile")
            .field("characters", &self.text.chars().count())
            .field("alphabet", &self.alphabet)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// How a text is put into octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// GSM 7-bit, a septet in each octet.
    Gsm7,
    /// GSM 7-bit, eight septets in seven octets.
    Gsm7Packed,
    /// UTF-16 big endian.
    Ucs2,
    /// ISO 8859-1.
    Latin1,
}

impl Alphabet {
    const fn encoding(self) -> Encoding {
        match self {
            Self::Gsm7 | Self::Gsm7Packed => Encoding::Gsm7,
            Self::Ucs2 => Encoding::Ucs2,
            Self::Latin1 => Encoding::Latin1,
        }
    }
}

/// How the parts of a long text are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parts {
    /// By a user data header with a reference of 8 bits.
    #[default]
    Udh8,
    /// By a user data header with a reference of 16 bits.
    Udh16,
    /// By the SAR TLVs.
    Sar,
    /// Not at all: the whole text is one PDU with `message_payload`.
    Payload,
}

/// Why a message from a handset cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MobileError {
    /// The alphabet lacks a character, or the text needs more than 255 parts.
    Text(text::Error),
    /// [`Mobile::order`] names a part that there is not.
    NoSuchPart {
        /// The part.
        part: u8,
        /// How many there are.
        total: usize,
    },
    /// A part is longer than its PDU can tell.
    TooLong,
}

impl std::fmt::Display for MobileError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(error) => write!(out, "{error}"),
            Self::NoSuchPart { part, total } => write!(out, "there is no part {part} of {total}"),
            Self::TooLong => out.write_str("the text is too long for one PDU"),
        }
    }
}

impl std::error::Error for MobileError {}

impl From<text::Error> for MobileError {
    fn from(error: text::Error) -> Self {
        Self::Text(error)
    }
}

/// The place of a part in its message.
#[derive(Clone, Copy)]
struct Place {
    reference: u16,
    total: u8,
    part: u8,
}

impl Mobile {
    /// A text without peculiarities.
    pub fn new(source: impl Into<String>, destination: impl Into<String>, text: impl Into<String>) -> Self {
        Self { source: source.into(), destination: destination.into(), text: text.into(), ..Self::default() }
    }

    /// Whether it can be sent.
    pub(crate) fn check(&self) -> Result<(), MobileError> {
        self.deliveries(0).map(drop)
    }

    /// The deliveries that carry it, in the order of sending. `reference` is for messages that name none.
    pub(crate) fn deliveries(&self, reference: u16) -> Result<Vec<Delivery>, MobileError> {
        let encoding = self.alphabet.map_or_else(|| text::choose(&self.text), Alphabet::encoding);
        let bodies = match self.parts {
            Parts::Payload => vec![text::encode(&self.text, encoding)?.into()],
            Parts::Udh8 | Parts::Sar => text::split(&self.text, encoding, text::Concat::Udh8)?,
            Parts::Udh16 => text::split(&self.text, encoding, text::Concat::Udh16)?,
        };
        let total = u8::try_from(bodies.len()).unwrap_or(u8::MAX);
        let order = if self.order.is_empty() { (1..=total).collect() } else { self.order.clone() };
        let place = |part| Place { reference: self.reference.unwrap_or(reference), total, part };
        let mut deliveries = Vec::with_capacity(order.len());
        for (at, part) in order.into_iter().enumerate() {
            let missing = MobileError::NoSuchPart { part, total: bodies.len() };
            let body = usize::from(part).checked_sub(1).and_then(|at| bodies.get(at)).ok_or(missing)?;
            let what = self.what(encoding, place(part), body)?;
            deliveries.push(Delivery { through: self.through(at), ..self.delivery(what) });
        }
        Ok(deliveries)
    }

    fn through(&self, at: usize) -> Through {
        at.checked_rem(self.binds.len())
            .and_then(|at| self.binds.get(at))
            .map_or(Through::Any, |&bind| Through::Slot(bind))
    }

    fn delivery(&self, what: What) -> Delivery {
        let party = |addr: &str| Party { ton: 1, npi: 1, addr: addr.as_bytes().into() };
        Delivery {
            source: party(&self.source),
            destination: party(&self.destination),
            attempts: 0,
            through: Through::Any,
            what,
        }
    }

    fn what(&self, encoding: Encoding, place: Place, body: &[u8]) -> Result<What, MobileError> {
        let header = self.header(place);
        let packed = self.alphabet == Some(Alphabet::Gsm7Packed);
        let body = if packed { gsm7::pack_filled(body, header.len()) } else { body.to_vec() };
        let (mut octets, mut tlvs) = ([header.as_slice(), &body].concat(), BytesMut::new());
        if place.total > 1 && self.parts == Parts::Sar {
            put(&mut tlvs, Tag::SAR_MSG_REF_NUM, &place.reference.to_be_bytes())?;
            put(&mut tlvs, Tag::SAR_TOTAL_SEGMENTS, &[place.total])?;
            put(&mut tlvs, Tag::SAR_SEGMENT_SEQNUM, &[place.part])?;
        }
        if self.parts == Parts::Payload || self.in_payload || self.data_sm {
            put(&mut tlvs, Tag::MESSAGE_PAYLOAD, &octets)?;
            octets.clear();
        }
        if octets.len() > SHORT_BYTES_MAX {
            return Err(MobileError::TooLong);
        }
        let usual = if header.is_empty() || self.without_udhi { 0 } else { ESM_UDHI };
        let esm_class = self.esm_class.unwrap_or(usual);
        let data_coding = self.data_coding.unwrap_or_else(|| encoding.data_coding());
        Ok(What::Mobile { esm_class, data_coding, octets: octets.into(), tlvs: (&*tlvs).into(), data_sm: self.data_sm })
    }

    /// The user data header of a part; empty where there is none.
    fn header(&self, place: Place) -> Vec<u8> {
        let [high, low] = place.reference.to_be_bytes();
        let Place { total, part, .. } = place;
        let (narrow, wide) = ([low, total, part], [high, low, total, part]);
        let concat = match self.parts {
            _ if total < 2 => None,
            Parts::Udh8 => Some(Element { id: CONCAT_8, data: &narrow }),
            Parts::Udh16 => Some(Element { id: CONCAT_16, data: &wide }),
            Parts::Sar | Parts::Payload => None,
        };
        let elements: Vec<_> = self.ports.then_some(PORTS).into_iter().chain(concat).collect();
        // Two short elements always fit.
        if elements.is_empty() { Vec::new() } else { udh::build(&elements).unwrap_or_default() }
    }
}

fn put(tlvs: &mut BytesMut, tag: Tag, value: &[u8]) -> Result<(), MobileError> {
    tlv::put(tlvs, tag, value).map_err(|_| MobileError::TooLong)
}
