//! The PDUs of SMPP 3.4: what each command id means, and its body borrowed from the bytes it came in.

mod bind;
mod manage;
mod message;
mod multi;
pub(crate) mod read;
mod write;

pub use bind::{Bind, BindResp, Outbind, VERSION_3_4};
pub use manage::{AlertNotification, CancelSm, QuerySm, QuerySmResp, ReplaceSm};
pub use message::{Address, DataSm, ESM_INTERMEDIATE, ESM_RECEIPT, ESM_UDHI, MessageResp, Sm};
pub use multi::{Destination, Destinations, SubmitMulti, SubmitMultiResp, Unsuccessful, UnsuccessfulIter};

use bytes::{BufMut, BytesMut};

use crate::frame::{BodyError, EncodeError};
use read::Reader;

/// What a PDU is (SMPP 3.4 §5.1.2.1). Unknown values survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandId(pub u32);

/// The bit that makes a request's id its response's.
const RESPONSE_BIT: u32 = 0x8000_0000;

impl CommandId {
    /// Whether this is an answer to something.
    pub const fn is_response(self) -> bool {
        self.0 & RESPONSE_BIT != 0
    }

    /// The id that answers this request; a response answers to itself.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0 | RESPONSE_BIT)
    }

    /// Whether this is one of the three binds (requests).
    pub const fn is_bind(self) -> bool {
        matches!(self, Self::BIND_RECEIVER | Self::BIND_TRANSMITTER | Self::BIND_TRANSCEIVER)
    }
}

macro_rules! pdus {
    ($($id:ident = $code:literal, $name:literal, $variant:ident $(($body:ident))?;)*) => {
        impl CommandId {
            $(#[doc = concat!("`", $name, "`.")] pub const $id: Self = Self($code);)*

            /// The name in the specification; `unknown` for an id it does not list.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($code => $name,)*
                    _ => "unknown",
                }
            }

            /// Whether the body of this command is understood here.
            pub const fn is_known(self) -> bool {
                matches!(self.0, $($code)|*)
            }
        }

        /// The body of a PDU.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Body<'a> {
            $(#[doc = concat!("`", $name, "`.")] $variant $(($body<'a>))?,)*
            /// A command id that we do not know, with its octets.
            Other(CommandId, &'a [u8]),
        }

        impl<'a> Body<'a> {
            /// The command id that this body travels under.
            pub const fn command_id(&self) -> CommandId {
                match self {
                    $(pdus!(@pattern $variant $($body)?) => CommandId::$id,)*
                    Self::Other(id, _) => *id,
                }
            }

            #[inline]
            pub(crate) fn decode(id: CommandId, reader: Reader<'a>) -> Result<Self, BodyError> {
                Ok(match id {
                    $(CommandId::$id => pdus!(@read reader $variant $($body)?),)*
                    other => Self::Other(other, reader.rest()),
                })
            }

            pub(crate) fn write(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
                match self {
                    $(pdus!(@bind body $variant $($body)?) => pdus!(@write out body $($body)?),)*
                    Self::Other(_, octets) => {
                        out.put_slice(octets);
                        Ok(())
                    }
                }
            }
        }
    };
    (@pattern $variant:ident $body:ident) => { Self::$variant(_) };
    (@pattern $variant:ident) => { Self::$variant };
    (@bind $name:ident $variant:ident $body:ident) => { Self::$variant($name) };
    (@bind $name:ident $variant:ident) => { Self::$variant };
    (@read $reader:ident $variant:ident $body:ident) => { Self::$variant($body::read($reader)?) };
    (@read $reader:ident $variant:ident) => { Self::$variant };
    (@write $out:ident $name:ident $body:ident) => { $name.write($out) };
    (@write $out:ident $name:ident) => { Ok(()) };
}

pdus! {
    BIND_RECEIVER = 0x0000_0001, "bind_receiver", BindReceiver(Bind);
    BIND_RECEIVER_RESP = 0x8000_0001, "bind_receiver_resp", BindReceiverResp(BindResp);
    BIND_TRANSMITTER = 0x0000_0002, "bind_transmitter", BindTransmitter(Bind);
    BIND_TRANSMITTER_RESP = 0x8000_0002, "bind_transmitter_resp", BindTransmitterResp(BindResp);
    QUERY_SM = 0x0000_0003, "query_sm", QuerySm(QuerySm);
    QUERY_SM_RESP = 0x8000_0003, "query_sm_resp", QuerySmResp(QuerySmResp);
    SUBMIT_SM = 0x0000_0004, "submit_sm", SubmitSm(Sm);
    SUBMIT_SM_RESP = 0x8000_0004, "submit_sm_resp", SubmitSmResp(MessageResp);
    DELIVER_SM = 0x0000_0005, "deliver_sm", DeliverSm(Sm);
    DELIVER_SM_RESP = 0x8000_0005, "deliver_sm_resp", DeliverSmResp(MessageResp);
    UNBIND = 0x0000_0006, "unbind", Unbind;
    UNBIND_RESP = 0x8000_0006, "unbind_resp", UnbindResp;
    REPLACE_SM = 0x0000_0007, "replace_sm", ReplaceSm(ReplaceSm);
    REPLACE_SM_RESP = 0x8000_0007, "replace_sm_resp", ReplaceSmResp;
    CANCEL_SM = 0x0000_0008, "cancel_sm", CancelSm(CancelSm);
    CANCEL_SM_RESP = 0x8000_0008, "cancel_sm_resp", CancelSmResp;
    BIND_TRANSCEIVER = 0x0000_0009, "bind_transceiver", BindTransceiver(Bind);
    BIND_TRANSCEIVER_RESP = 0x8000_0009, "bind_transceiver_resp", BindTransceiverResp(BindResp);
    OUTBIND = 0x0000_000B, "outbind", Outbind(Outbind);
    ENQUIRE_LINK = 0x0000_0015, "enquire_link", EnquireLink;
    ENQUIRE_LINK_RESP = 0x8000_0015, "enquire_link_resp", EnquireLinkResp;
    SUBMIT_MULTI = 0x0000_0021, "submit_multi", SubmitMulti(SubmitMulti);
    SUBMIT_MULTI_RESP = 0x8000_0021, "submit_multi_resp", SubmitMultiResp(SubmitMultiResp);
    ALERT_NOTIFICATION = 0x0000_0102, "alert_notification", AlertNotification(AlertNotification);
    DATA_SM = 0x0000_0103, "data_sm", DataSm(DataSm);
    DATA_SM_RESP = 0x8000_0103, "data_sm_resp", DataSmResp(MessageResp);
    GENERIC_NACK = 0x8000_0000, "generic_nack", GenericNack;
}

impl Body<'_> {
    /// Whether this is a response that says nothing beyond its status.
    pub(crate) fn is_blank_response(&self) -> bool {
        match self {
            Self::BindReceiverResp(r) | Self::BindTransmitterResp(r) | Self::BindTransceiverResp(r) => {
                *r == BindResp::default()
            }
            Self::SubmitSmResp(r) | Self::DeliverSmResp(r) | Self::DataSmResp(r) => *r == MessageResp::default(),
            Self::QuerySmResp(r) => *r == QuerySmResp::default(),
            Self::SubmitMultiResp(r) => *r == SubmitMultiResp::default(),
            _ => false,
        }
    }
}

impl std::fmt::Debug for CommandId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (0x{:08X})", self.name(), self.0)
    }
}
