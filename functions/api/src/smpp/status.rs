//! Why an SMPP customer is refused: one table of stable codes and the `command_status` that goes with each.
//!
//! Statuses are those of SMPP 3.4; none of 5.0 is sent. Where 3.4 has no status of its own (credit, suspension),
//! `ESME_RSUBMITFAIL` is the one that libraries expect. What can never succeed for this number answers
//! `ESME_RINVDSTADR`, so that a customer's list drops the number instead of trying again. Where nothing is known the
//! intake fails as a whole, and the edge says `ESME_RSYSERR`, or `ESME_RQUERYFAIL` to a question.

use contract::intake::Refusal;
use smpp::Status;

use crate::problem::Code;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:expr, $status:ident;)*) => {
        /// Why a submit, query, cancellation or replacement is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Why { $($(#[$doc])* $variant,)* }

        impl Why {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable code, for logs and metrics; where the API has the same reason, its code.
            pub(super) const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What the customer's PDU is answered with.
            pub(super) const fn status(self) -> Status {
                match self { $(Self::$variant => Status::$status,)* }
            }
        }
    };
}

reasons! {
    /// The destination is no number in international form.
    InvalidNumber = Code::InvalidNumber.name(), RINVDSTADR;
    /// No price is in force for its network: it will never go.
    UnpricedDestination = Code::UnpricedDestination.name(), RINVDSTADR;
    /// The recipient wants no more messages of this customer.
    OptedOut = Code::RecipientOptedOut.name(), RINVDSTADR;
    /// The source is nothing that networks carry.
    InvalidSender = Code::InvalidSender.name(), RINVSRCADR;
    /// The source is not approved for the account.
    SenderNotAllowed = Code::SenderNotAllowed.name(), RINVSRCADR;
    /// More than 255 short messages, or a part that does not fit in one.
    TextTooLong = Code::TextTooLong.name(), RINVMSGLEN;
    /// A text that cannot be stored or carried.
    InvalidText = "invalid_text", RSUBMITFAIL;
    /// The validity period is over, or ends before the message is to be sent.
    InvalidValidity = "invalid_validity", RINVEXPIRY;
    /// The time of delivery lies in the past, or too far ahead.
    InvalidSchedule = "invalid_schedule", RINVSCHED;
    /// The wallet has not enough.
    InsufficientCredit = Code::InsufficientCredit.name(), RSUBMITFAIL;
    /// The account, or one above it, has spent what it may on this day.
    SpendCapReached = Code::SpendCapReached.name(), RSUBMITFAIL;
    /// The account, or one above it, is switched off.
    AccountSuspended = Code::AccountSuspended.name(), RSUBMITFAIL;
    /// Faster than the account may.
    RateLimited = Code::RateLimited.name(), RTHROTTLED;
    /// The intake has no room at this moment.
    Busy = Code::Unavailable.name(), RMSGQFUL;
    /// A fault of ours.
    Internal = Code::Internal.name(), RSYSERR;
    /// There is no such message of this system and source.
    UnknownMessage = Code::NotFound.name(), RINVMSGID;
    /// It is on its way, or has ended.
    CannotCancel = "cannot_cancel", RCANCELFAIL;
    /// It does not wait for its time, or the new text costs another number of short messages.
    CannotReplace = "cannot_replace", RREPLACEFAIL;
}

impl From<Why> for Refusal {
    fn from(why: Why) -> Self {
        Self { status: why.status().0, code: why.code().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_status() {
        let rows = [
            ("invalid_number", 0x0B),
            ("unpriced_destination", 0x0B),
            ("recipient_opted_out", 0x0B),
            ("invalid_sender", 0x0A),
            ("sender_not_allowed", 0x0A),
            ("text_too_long", 0x01),
            ("invalid_text", 0x45),
            ("invalid_validity", 0x62),
            ("invalid_schedule", 0x61),
            ("insufficient_credit", 0x45),
            ("spend_cap_reached", 0x45),
            ("account_suspended", 0x45),
            ("rate_limited", 0x58),
            ("unavailable", 0x14),
            ("internal", 0x08),
            ("not_found", 0x0C),
            ("cannot_cancel", 0x11),
            ("cannot_replace", 0x13),
        ];
        let found: Vec<_> = Why::ALL.iter().map(|why| (why.code(), why.status().0)).collect();
        assert_eq!(found, rows);
    }
}
