//! Opening a session: the three binds, their response, and outbind (SMPP 3.4 §4.1).

use bytes::{BufMut, BytesMut};

use super::read::{Field, Reader};
use super::write;
use crate::frame::{BodyError, EncodeError};
use crate::tlv::{Tag, Tlvs};

/// SMPP 3.4 as `interface_version`.
pub const VERSION_3_4: u8 = 0x34;

/// `bind_transmitter`, `bind_receiver` or `bind_transceiver`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Account of the ESME.
    pub system_id: &'a [u8],
    /// Its password. Hidden in `Debug`.
    pub password: &'a [u8],
    /// Kind of system, such as `VMS`; mostly empty.
    pub system_type: &'a [u8],
    /// Version the ESME speaks, `0x34` for 3.4.
    pub interface_version: u8,
    /// Type of number of the addresses served.
    pub addr_ton: u8,
    /// Numbering plan of the addresses served.
    pub addr_npi: u8,
    /// Addresses served, as a UNIX regular expression; mostly empty.
    pub address_range: &'a [u8],
}

impl<'a> Bind<'a> {
    /// A bind of a 3.4 peer that asks for nothing special.
    pub const fn new(system_id: &'a [u8], password: &'a [u8]) -> Self {
        Self {
            system_id,
            password,
            system_type: b"",
            interface_version: VERSION_3_4,
            addr_ton: 0,
            addr_npi: 0,
            address_range: b"",
        }
    }

    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        Ok(Self {
            system_id: r.text(&Field::SYSTEM_ID)?,
            password: r.text(&Field::PASSWORD)?,
            system_type: r.text(&Field::SYSTEM_TYPE)?,
            interface_version: r.u8("interface_version")?,
            addr_ton: r.u8("addr_ton")?,
            addr_npi: r.u8("addr_npi")?,
            address_range: r.text(&Field::ADDRESS_RANGE)?,
        })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "system_id", self.system_id)?;
        write::text(out, "password", self.password)?;
        write::text(out, "system_type", self.system_type)?;
        out.put_u8(self.interface_version);
        out.put_u8(self.addr_ton);
        out.put_u8(self.addr_npi);
        write::text(out, "address_range", self.address_range)
    }
}

impl std::fmt::Debug for Bind<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bind")
            .field("system_id", &String::from_utf8_lossy(self.system_id))
            .field("interface_version", &self.interface_version)
            .finish_non_exhaustive()
    }
}

/// Answer to any bind. A refusal is mostly a bare header, which reads as empty fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindResp<'a> {
    /// Name of the SMSC.
    pub system_id: &'a [u8],
    /// Optional parameters.
    pub tlvs: Tlvs<'a>,
}

impl<'a> BindResp<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        if r.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { system_id: r.text(&Field::SYSTEM_ID)?, tlvs: Tlvs::new(r.rest()) })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "system_id", self.system_id)?;
        out.put_slice(self.tlvs.raw());
        Ok(())
    }

    /// Version the SMSC speaks. Without it, take 3.3: send no TLVs.
    pub fn sc_interface_version(&self) -> Option<u32> {
        self.tlvs.int(Tag::SC_INTERFACE_VERSION)
    }
}

/// The SMSC asks the ESME to bind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Outbind<'a> {
    /// Name of the SMSC.
    pub system_id: &'a [u8],
    /// Its password. Hidden in `Debug`.
    pub password: &'a [u8],
}

impl<'a> Outbind<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, BodyError> {
        Ok(Self { system_id: r.text(&Field::SYSTEM_ID)?, password: r.text(&Field::PASSWORD)? })
    }

    pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        write::text(out, "system_id", self.system_id)?;
        write::text(out, "password", self.password)
    }
}

impl std::fmt::Debug for Outbind<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let system_id = String::from_utf8_lossy(self.system_id);
        f.debug_struct("Outbind").field("system_id", &system_id).finish_non_exhaustive()
    }
}
