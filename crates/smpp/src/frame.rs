//! From a byte stream to frames and back: the length is checked before anything else, and each PDU is parsed inside
//! its own slice only.

use bytes::{BufMut, BytesMut};

use crate::pdu::{Body, CommandId, read::Reader};
use crate::status::Status;

/// Octets of `command_length`, `command_id`, `command_status` and `sequence_number` (SMPP 3.4 §3.2).
pub const HEADER_BYTES: usize = 16;

/// The usual upper bound for `command_length`; a long text in `message_payload` still fits.
pub const PDU_BYTES_DEFAULT: usize = 8 * 1024;

/// No framer accepts more than this: the largest `message_payload` and its surroundings.
pub const PDU_BYTES_MAX: usize = 70 * 1024;

/// The part of a PDU that can always be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the PDU is.
    pub command_id: CommandId,
    /// Meaningful in responses; requests carry 0.
    pub command_status: Status,
    /// Ties a response to its request. Odd values of a peer (0, or the top bit set) are echoed unchanged.
    pub sequence_number: u32,
}

/// One PDU: its header, and its body or what was wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Survives whatever the body is.
    pub header: Header,
    /// The body, or the status to answer with.
    pub body: Result<Body<'a>, BodyError>,
}

/// A body that could not be read. Costs the peer one answer with this status, not the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {status}")]
pub struct BodyError {
    /// What to answer.
    pub status: Status,
    /// The field where reading stopped, by its name in the specification.
    pub field: &'static str,
}

/// The boundary between PDUs is lost: answer `generic_nack(RINVCMDLEN, 0)` and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Shorter than a header.
    #[error("command_length {0} is shorter than a header")]
    TooShort(u32),
    /// Longer than this session accepts.
    #[error("command_length {0} is over the limit of {1} octets")]
    TooLong(u32, usize),
}

/// A PDU that cannot be put on the wire as it is. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Its length field cannot tell its length.
    #[error("{field} is too long for its length field")]
    TooLong {
        /// The field's name in the specification.
        field: &'static str,
    },
    /// A NUL would end the string early and shift everything behind it.
    #[error("{field} holds a NUL octet")]
    NulInside {
        /// The field's name in the specification.
        field: &'static str,
    },
}

/// How strictly field lengths are held. A policy of the session, because real peers differ from the specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Lengths as in SMPP 3.4, and every string closed by NUL.
    Strict,
    /// Any length that fits the PDU; the last string may lack its NUL.
    #[default]
    Lenient,
}

/// Cuts PDUs from a buffer of received bytes.
///
/// **Invariant:** never reserves memory by a `command_length` that was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framer {
    max_pdu_bytes: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(PDU_BYTES_DEFAULT)
    }
}

impl Framer {
    /// A framer that refuses PDUs over `max_pdu_bytes` (at most [`PDU_BYTES_MAX`], at least a header).
    pub const fn new(max_pdu_bytes: usize) -> Self {
        let max_pdu_bytes = if max_pdu_bytes > PDU_BYTES_MAX { PDU_BYTES_MAX } else { max_pdu_bytes };
        Self { max_pdu_bytes: if max_pdu_bytes < HEADER_BYTES { HEADER_BYTES } else { max_pdu_bytes } }
    }

    /// Octets of the PDU at the start of `received`, or `None` until all of it is there.
    pub fn peek(&self, received: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(&length) = received.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(length);
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes < HEADER_BYTES {
            return Err(FrameError::TooShort(length));
        }
        if bytes > self.max_pdu_bytes {
            return Err(FrameError::TooLong(length, self.max_pdu_bytes));
        }
        Ok((received.len() >= bytes).then_some(bytes))
    }

    /// Splits the next whole PDU off `received`, for callers that keep it; [`peek`](Self::peek), [`decode`] and
    /// `advance` in place are cheaper for those that do not.
    pub fn next(&self, received: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        Ok(self.peek(received)?.map(|bytes| received.split_to(bytes)))
    }
}

/// Decodes one PDU from exactly its bytes, as cut by a [`Framer`]. `None` only if a header does not even fit.
pub fn decode(pdu: &[u8], policy: Policy) -> Option<Frame<'_>> {
    let (&[_, _, _, _, i0, i1, i2, i3, s0, s1, s2, s3, n0, n1, n2, n3], body) =
        pdu.split_first_chunk::<HEADER_BYTES>()?;
    let header = Header {
        command_id: CommandId(u32::from_be_bytes([i0, i1, i2, i3])),
        command_status: Status(u32::from_be_bytes([s0, s1, s2, s3])),
        sequence_number: u32::from_be_bytes([n0, n1, n2, n3]),
    };
    let body = Body::decode(header.command_id, Reader::new(body, policy));
    Some(Frame { header, body })
}

/// Appends one PDU to `out`. On an error `out` is as it was.
///
/// A response that refuses (`status` other than `ESME_ROK`) and says nothing else is written as a bare header, as
/// SMPP 3.4 asks of refusals.
pub fn encode(out: &mut BytesMut, status: Status, sequence_number: u32, body: &Body<'_>) -> Result<(), EncodeError> {
    let start = out.len();
    out.put_u32(0);
    out.put_u32(body.command_id().0);
    out.put_u32(status.0);
    out.put_u32(sequence_number);
    let bare = status != Status::ROK && body.is_blank_response();
    let written = if bare { Ok(()) } else { body.write(out) };
    let written = written.and_then(|()| {
        let too_long = EncodeError::TooLong { field: "command_length" };
        u32::try_from(out.len().saturating_sub(start)).map_err(|_| too_long)
    });
    match written {
        Ok(length) => {
            if let Some(slot) = out.get_mut(start..).and_then(|pdu| pdu.first_chunk_mut::<4>()) {
                *slot = length.to_be_bytes();
            }
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Appends a PDU that is only a header, for answers to requests whose body was not understood.
pub fn encode_bare(out: &mut BytesMut, command_id: CommandId, status: Status, sequence_number: u32) {
    out.put_u32(16);
    out.put_u32(command_id.0);
    out.put_u32(status.0);
    out.put_u32(sequence_number);
}
