//! SMPP 3.4 without sockets: bytes to PDUs and back, text and receipts, and who may say what in which state.
//!
//! A peer is a stranger, so the crate keeps three promises. A wrong body costs one answer and not the session: the
//! [`Header`] always survives. What a PDU says about its own fields never reaches past that PDU's `command_length`.
//! And nothing that arrives can make this code panic or allocate by a number the peer chose.
//!
//! - [`frame`]: cut the byte stream into PDUs, decode one, encode one.
//! - [`pdu`]: the bodies, borrowed from the bytes they came in.
//! - [`tlv`]: optional parameters, read tolerantly.
//! - [`status`]: `command_status`, its names and what each asks of a sender.
//! - [`session`]: states, sequence numbers and the window of unanswered requests.
//! - [`text`], [`udh`], [`receipt`]: what a message says; [`time`]: until when and from when on.
//! - [`mod@describe`], [`pcap`]: what a session said, for people and for Wireshark.

pub mod describe;
pub mod frame;
pub mod pcap;
pub mod pdu;
pub mod receipt;
pub mod session;
pub mod status;
pub mod text;
pub mod time;
pub mod tlv;
pub mod udh;

pub use describe::{Description, Show, describe};
pub use frame::{BodyError, EncodeError, Frame, FrameError, Framer, Header, Policy, decode, encode};
pub use pdu::{Body, CommandId};
pub use session::{Role, Sequence, State, Window};
pub use status::{Class, Status};
pub use tlv::{Tag, Tlv, Tlvs};
