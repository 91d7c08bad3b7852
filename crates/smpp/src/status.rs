//! `command_status`: the number in every response, its name, and what it asks of the one who submitted.

use std::fmt;

/// A `command_status` (SMPP 3.4 §5.1.3). Any `u32` is a legal value on the wire; vendors use 0x400 to 0x4FF.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(pub u32);

/// What a status asks of a sender. Operators differ, so this is the default that a per-operator map may override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The message is the operator's now.
    Accepted,
    /// Too fast: slow the bind down and send the same message again, without counting an attempt.
    Throttle,
    /// May work later: a bounded number of retries.
    Temporary,
    /// This message will never be taken.
    Permanent,
    /// The bind is refused or in the wrong state: long back-off, the message goes elsewhere.
    Session,
    /// Says nothing that we know (vendor codes, "unknown error"): one retry, then as permanent.
    Unknown,
    /// We sent something malformed or misconfigured: as permanent, and an alarm.
    Config,
}

macro_rules! statuses {
    ($($name:ident = $code:literal, $class:ident, $doc:literal;)*) => {
        impl Status {
            $(#[doc = $doc] pub const $name: Self = Self($code);)*

            /// The name in the specification, such as `ESME_ROK`; `ESME_UNKNOWN` for a code it does not list.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($code => concat!("ESME_", stringify!($name)),)*
                    _ => "ESME_UNKNOWN",
                }
            }

            /// What this status asks of a sender.
            pub const fn class(self) -> Class {
                match self.0 {
                    $($code => Class::$class,)*
                    _ => Class::Unknown,
                }
            }

            /// Every status the specification names, in ascending order.
            pub const NAMED: &'static [Self] = &[$(Self($code),)*];
        }
    };
}

statuses! {
    ROK = 0x00, Accepted, "No error.";
    RINVMSGLEN = 0x01, Permanent, "Message length is invalid.";
    RINVCMDLEN = 0x02, Config, "Command length is invalid.";
    RINVCMDID = 0x03, Config, "Invalid command id.";
    RINVBNDSTS = 0x04, Session, "Incorrect bind status for this command.";
    RALYBND = 0x05, Session, "Already in bound state.";
    RINVPRTFLG = 0x06, Config, "Invalid priority flag.";
    RINVREGDLVFLG = 0x07, Config, "Invalid registered delivery flag.";
    RSYSERR = 0x08, Temporary, "System error at the peer.";
    RINVSRCADR = 0x0A, Permanent, "Invalid source address.";
    RINVDSTADR = 0x0B, Permanent, "Invalid destination address.";
    RINVMSGID = 0x0C, Permanent, "Message id is invalid.";
    RBINDFAIL = 0x0D, Session, "Bind failed.";
    RINVPASWD = 0x0E, Session, "Invalid password.";
    RINVSYSID = 0x0F, Session, "Invalid system id.";
    RCANCELFAIL = 0x11, Permanent, "`cancel_sm` failed.";
    RREPLACEFAIL = 0x13, Permanent, "`replace_sm` failed.";
    RMSGQFUL = 0x14, Throttle, "Message queue full.";
    RINVSERTYP = 0x15, Config, "Invalid service type.";
    RINVNUMDESTS = 0x33, Config, "Invalid number of destinations.";
    RINVDLNAME = 0x34, Config, "Invalid distribution list name.";
    RINVDESTFLAG = 0x40, Config, "Invalid destination flag (`submit_multi`).";
    RINVSUBREP = 0x42, Config, "Invalid submit with replace request.";
    RINVESMCLASS = 0x43, Config, "Invalid `esm_class`.";
    RCNTSUBDL = 0x44, Config, "Cannot submit to a distribution list.";
    RSUBMITFAIL = 0x45, Temporary, "`submit_sm` or `submit_multi` failed.";
    RINVSRCTON = 0x48, Config, "Invalid source type of number.";
    RINVSRCNPI = 0x49, Config, "Invalid source numbering plan.";
    RINVDSTTON = 0x50, Config, "Invalid destination type of number.";
    RINVDSTNPI = 0x51, Config, "Invalid destination numbering plan.";
    RINVSYSTYP = 0x53, Session, "Invalid system type.";
    RINVREPFLAG = 0x54, Config, "Invalid `replace_if_present` flag.";
    RINVNUMMSGS = 0x55, Config, "Invalid number of messages.";
    RTHROTTLED = 0x58, Throttle, "The sender exceeded its allowed rate.";
    RINVSCHED = 0x61, Permanent, "Invalid scheduled delivery time.";
    RINVEXPIRY = 0x62, Permanent, "Invalid validity period.";
    RINVDFTMSGID = 0x63, Permanent, "Predefined message invalid or not found.";
    RX_T_APPN = 0x64, Temporary, "Receiver: temporary application error.";
    RX_P_APPN = 0x65, Permanent, "Receiver: permanent application error.";
    RX_R_APPN = 0x66, Permanent, "Receiver: message rejected.";
    RQUERYFAIL = 0x67, Permanent, "`query_sm` failed.";
    RINVOPTPARSTREAM = 0xC0, Config, "Error in the optional part of the body.";
    ROPTPARNOTALLWD = 0xC1, Config, "Optional parameter not allowed.";
    RINVPARLEN = 0xC2, Config, "Invalid parameter length.";
    RMISSINGOPTPARAM = 0xC3, Config, "Expected optional parameter missing.";
    RINVOPTPARAMVAL = 0xC4, Config, "Invalid optional parameter value.";
    RDELIVERYFAILURE = 0xFE, Permanent, "Delivery failure (`data_sm_resp`).";
    RUNKNOWNERR = 0xFF, Unknown, "Unknown error.";
    RSERTYPUNAUTH = 0x100, Config, "5.0: not authorised for this service type.";
    RPROHIBITED = 0x101, Permanent, "5.0: prohibited from this operation.";
    RSERTYPUNAVAIL = 0x102, Temporary, "5.0: service type unavailable.";
    RSERTYPDENIED = 0x103, Permanent, "5.0: service type denied.";
    RINVDCS = 0x104, Config, "5.0: invalid data coding scheme.";
    RINVSRCADDRSUBUNIT = 0x105, Config, "5.0: invalid source address subunit.";
    RINVDSTADDRSUBUNIT = 0x106, Config, "5.0: invalid destination address subunit.";
    RINVBCASTFREQINT = 0x107, Config, "5.0: invalid broadcast frequency.";
    RINVBCASTALIAS_NAME = 0x108, Config, "5.0: invalid broadcast alias.";
    RINVBCASTAREAFMT = 0x109, Config, "5.0: invalid broadcast area format.";
    RINVNUMBCAST_AREAS = 0x10A, Config, "5.0: invalid number of broadcast areas.";
    RINVBCASTCNTTYPE = 0x10B, Config, "5.0: invalid broadcast content type.";
    RINVBCASTMSGCLASS = 0x10C, Config, "5.0: invalid broadcast message class.";
    RBCASTFAIL = 0x10D, Permanent, "5.0: `broadcast_sm` failed.";
    RBCASTQUERYFAIL = 0x10E, Permanent, "5.0: `query_broadcast_sm` failed.";
    RBCASTCANCELFAIL = 0x10F, Permanent, "5.0: `cancel_broadcast_sm` failed.";
    RINVBCAST_REP = 0x110, Config, "5.0: invalid repeated broadcasts.";
    RINVBCASTSRVGRP = 0x111, Config, "5.0: invalid broadcast service group.";
    RINVBCASTCHANIND = 0x112, Config, "5.0: invalid broadcast channel indicator.";
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:08X})", self.name(), self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_as_the_operators_guide_says() {
        for (code, name, class) in [
            (0x00, "ESME_ROK", Class::Accepted),
            (0x01, "ESME_RINVMSGLEN", Class::Permanent),
            (0x03, "ESME_RINVCMDID", Class::Config),
            (0x04, "ESME_RINVBNDSTS", Class::Session),
            (0x08, "ESME_RSYSERR", Class::Temporary),
            (0x0B, "ESME_RINVDSTADR", Class::Permanent),
            (0x0E, "ESME_RINVPASWD", Class::Session),
            (0x14, "ESME_RMSGQFUL", Class::Throttle),
            (0x45, "ESME_RSUBMITFAIL", Class::Temporary),
            (0x58, "ESME_RTHROTTLED", Class::Throttle),
            (0x64, "ESME_RX_T_APPN", Class::Temporary),
            (0xC2, "ESME_RINVPARLEN", Class::Config),
            (0xFF, "ESME_RUNKNOWNERR", Class::Unknown),
            (0x102, "ESME_RSERTYPUNAVAIL", Class::Temporary),
            (0x400, "ESME_UNKNOWN", Class::Unknown),
            (u32::MAX, "ESME_UNKNOWN", Class::Unknown),
        ] {
            assert_eq!((Status(code).name(), Status(code).class()), (name, class), "0x{code:X}");
        }
    }

    #[test]
    fn debug_shows_name_and_code() {
        assert_eq!(format!("{:?}", Status::RTHROTTLED), "ESME_RTHROTTLED (0x00000058)");
    }
}
