//! The versioned messages on our queues and on the internal API between the edge and the functions.
//!
//! A queue message is an [`Envelope`] with one or many items of one kind. A reader refuses a version or a
//! kind that it does not know; a fixture of every version stays in `tests/fixtures` and must still decode.

pub mod deliver;
pub mod edge;
pub mod envelope;
pub mod event;
pub mod fields;
pub mod inbound;
pub mod intake;
pub mod message;
pub mod news;
pub mod octets;
pub mod profile;
pub mod queues;
pub mod realtime;
pub mod system;

pub use deliver::{CustomerInbound, CustomerReceipt, Deliver, What};
pub use domain::Encoding;
pub use edge::{BindState, BindStatus, BindType, EdgeSnapshot, OperatorSettings, OperatorStatus, SubmitKey};
pub use envelope::{BODY_BYTES_MAX, Envelope, Item, Sealed, mark_again, seal};
pub use event::{BalanceEvent, CustomerEvent, InboundEvent, MessageEvent};
pub use fields::{Alphabet, PartOf, SmppFields, WireAddress};
pub use inbound::InboundPart;
pub use message::{
    Accepted, Otherwise, Outcome, OutcomeClass, Paid, Receipt, ReceiptState, Reroute, Routed, SegmentOutcome,
};
pub use octets::Octets;
pub use profile::Profile;
pub use realtime::RealtimeEvent;
pub use system::{BindCounts, IdForm, Orders, SessionStatus, SystemSettings};
