//! The numbers a server runs by, each with its default and its reason.

use std::time::Duration;

/// Times and bounds. The defaults suit production; tests shorten them.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// From connection to bind; TLS and PROXY header included.
    pub session_init: Duration,
    /// From the first octet of a PDU to its last.
    pub pdu_read: Duration,
    /// Silence of a peer after which we ask whether it is there.
    pub enquire_after: Duration,
    /// Time to answer an `enquire_link`; without an answer the session is closed.
    pub enquire_timeout: Duration,
    /// A session in which the peer asks nothing and is sent nothing for so long is unbound.
    pub inactivity: Duration,
    /// A delivery that is not answered in this time goes out again later.
    pub response_timeout: Duration,
    /// A full window is back-pressure for so long; after it submits are refused, so that what is behind them in the
    /// stream (enquiries, answers) is read.
    pub stall_after: Duration,
    /// Time for the peer to answer our unbind.
    pub unbind_timeout: Duration,
    /// Connections at once; more are closed at once.
    pub connections_max: usize,
    /// Connections without a bind; one more closes the oldest of them.
    pub unbound_max: usize,
    /// Submits without a verdict over all sessions; more are throttled.
    pub unanswered_max: usize,
    /// Long messages whose parts are being gathered; one more forgets the oldest.
    pub long_messages_max: usize,
    /// The longest PDU of a bound peer; of an unbound one it is 4 KiB.
    pub pdu_bytes_max: usize,
    /// A call of the intake that takes longer counts as failed.
    pub intake_timeout: Duration,
    /// The wait before the intake is asked the same again, after it failed.
    pub intake_again: Duration,
    /// How often it is asked the same in all before customers are told `ESME_RSYSERR`.
    pub intake_tries: u8,
    /// How long a seat is ours without being renewed.
    pub seat_lease: Duration,
    /// The longest delay of the answer to a wrong password.
    pub refusal_delay: Duration,
    /// The first wait before a delivery that was refused for now goes out again; it grows with the delivery's age.
    pub again_min: Duration,
    /// The longest such wait.
    pub again_max: Duration,
    /// A session that refused for now gets nothing for this time.
    pub pause: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            session_init: Duration::from_secs(10),
            pdu_read: Duration::from_secs(10),
            enquire_after: Duration::from_secs(30),
            enquire_timeout: Duration::from_secs(30),
            inactivity: Duration::from_hours(1),
            response_timeout: Duration::from_mins(1),
            stall_after: Duration::from_secs(2),
            unbind_timeout: Duration::from_secs(2),
            connections_max: 10_000,
            unbound_max: 1_000,
            unanswered_max: 200_000,
            long_messages_max: 100_000,
            pdu_bytes_max: smpp::frame::PDU_BYTES_MAX,
            intake_timeout: Duration::from_secs(10),
            intake_again: Duration::from_millis(250),
            intake_tries: 3,
            seat_lease: Duration::from_secs(15),
            refusal_delay: Duration::from_secs(3),
            again_min: Duration::from_secs(5),
            again_max: Duration::from_mins(10),
            pause: Duration::from_secs(1),
        }
    }
}
