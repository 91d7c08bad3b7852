//! `submit_multi`: one text to many (SMPP 3.4 §4.5). Lists are walked in place, never collected.

use bytes::{BufMut, BytesMut};

use super::message::{Address, Sm};
use super::read::{Field, Reader};
use super::write;
use crate::frame::{BodyError, EncodeError, Policy};
use crate::status::Status;

/// `dest_flag` of a single number.
const FLAG_ADDRESS: u8 = 1;
/// `dest_flag` of a distribution list.
const FLAG_LIST: u8 = 2;

const BAD_FLAG: BodyError = BodyError { status: Status::RINVDESTFLAG, field: "dest_flag" };

/// One addressee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A number.
    Address(Address<'a>),
    /// The name of a distribution list at the SMSC.
    List(&'a [u8]),
}

impl<'a> Destination<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, BodyError> {
        const DL_NAME: Field = Field { name: "dl_name", octets_max: 21, status: Status::RINVDLNAME };
        match r.u8("dest_flag")? {
            FLAG_ADDRESS => Address::read(r, &Field::DESTINATION).map(Self::Address),
            FLAG_LIST => r.text(&DL_NAME).map(Self::List),
            _ => Err(BAD_FLAG),
        }
    }

    /// Appends one addressee to bytes that [`Destinations::new`] takes.
    pub fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Address(address) => {
                out.put_u8(FLAG_ADDRESS);
                address.write(out, "destination_addr")
            }
            Self::List(name) => {
                out.put_u8(FLAG_LIST);
                write::text(out, "dl_name", name)
            }
        }
    }
}

/// The addressees: a count and their bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Destinations<'a> {
    count: u8,
    raw: &'a [u8],
}

impl<'a> Destinations<'a> {
    /// `count` addressees, as [`Destination::write`] made them.
    pub const fn new(count: u8, raw: &'a [u8]) -> Self {
        Self { count, raw }
    }

    /// How many.
    pub const fn count(self) -> u8 {
        self.count
    }

    /// The addressees in the order sent.
    pub fn iter(self) -> impl Iterator<Item = Destination<'a>> {
        let mut reader = Reader::new(self.raw, Policy::Lenient);
        (0..self.count).map_while(move |_| Destination::read(&mut reader).ok())
    }
}

impl std::fmt::Debug for Destinations<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} destinations", self.count)
    }
}

/// `submit_multi`: a `submit_sm` with a list of addressees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmitMulti<'a> {
    /// To whom.
    pub destinations: Destinations<'a>,
    /// Everything else; its `destination` is empty.
    pub message: Sm<'a>,
}

impl<'a> SubmitMulti<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        let service_type = r.text(&Field::SERVICE_TYPE)?;
        let source = Address::read(&mut r, &Field::SOURCE)?;
        let count = r.u8("number_of_dests")?;
        let from = r.rest();
        for _ in 0..count {
            Destination::read(&mut r)?;
        }
        let raw = from.get(..from.len().saturating_sub(r.rest().len())).unwrap_or_default();
        let message = Sm { service_type, source, ..Sm::default() }.read_from_esm_class(r)?;
        Ok(Self { destinations: Destinations { count, raw }, message })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "service_type", self.message.service_type)?;
        self.message.source.write(out, "source_addr")?;
        out.put_u8(self.destinations.count);
        out.put_slice(self.destinations.raw);
        self.message.write_from_esm_class(out)
    }
}

/// An addressee that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsuccessful<'a> {
    /// Who.
    pub destination: Address<'a>,
    /// Why.
    pub status: Status,
}

impl<'a> Unsuccessful<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, BodyError> {
        let destination = Address::read(r, &Field::DESTINATION)?;
        let wrong = BodyError { status: Status::RINVCMDLEN, field: "error_status_code" };
        let status = r.octets(4, wrong)?.first_chunk::<4>().ok_or(wrong)?;
        Ok(Self { destination, status: Status(u32::from_be_bytes(*status)) })
    }

    /// Appends one refusal to bytes that [`SubmitMultiResp::new`] takes.
    pub fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.destination.write(out, "destination_addr")?;
        out.put_u32(self.status.0);
        Ok(())
    }
}

/// `submit_multi_resp`: one id, and who was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmitMultiResp<'a> {
    /// The operator's id.
    pub message_id: &'a [u8],
    count: u8,
    raw: &'a [u8],
}

/// Walks the refusals of a [`SubmitMultiResp`].
#[derive(Clone, Debug)]
pub struct UnsuccessfulIter<'a> {
    left: u8,
    reader: Reader<'a>,
}

impl<'a> Iterator for UnsuccessfulIter<'a> {
    type Item = Unsuccessful<'a>;

    fn next(&mut self) -> Option<Unsuccessful<'a>> {
        self.left = self.left.checked_sub(1)?;
        Unsuccessful::read(&mut self.reader).ok()
    }
}

impl<'a> SubmitMultiResp<'a> {
    /// An answer with `count` refusals, as [`Unsuccessful::write`] made them.
    pub const fn new(message_id: &'a [u8], count: u8, raw: &'a [u8]) -> Self {
        Self { message_id, count, raw }
    }

    /// Who was refused, in the order sent.
    pub const fn unsuccessful(&self) -> UnsuccessfulIter<'a> {
        UnsuccessfulIter { left: self.count, reader: Reader::new(self.raw, Policy::Lenient) }
    }

    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        if r.is_empty() {
            return Ok(Self::default());
        }
        let message_id = r.text(&Field::MESSAGE_ID)?;
        if r.is_empty() {
            return Ok(Self { message_id, ..Self::default() });
        }
        Ok(Self { message_id, count: r.u8("no_unsuccess")?, raw: r.rest() })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "message_id", self.message_id)?;
        out.put_u8(self.count);
        out.put_slice(self.raw);
        Ok(())
    }
}
