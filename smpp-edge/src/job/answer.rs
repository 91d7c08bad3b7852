//! What an answer asks of us, as a table.

use contract::OutcomeClass;
use smpp::{Class, Status};

/// What to do about one answered segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Taken.
    Accepted,
    /// Send it again after a pause, as often as it takes; slow down.
    Throttled,
    /// Send it again after a longer pause; this counts as an attempt.
    Again,
    /// The session is not what we think: send it elsewhere, close this one. Counts as an attempt.
    Elsewhere,
    /// Refused for good, with the class of the outcome.
    Refused(OutcomeClass),
}

/// Judges a status after `attempts` earlier retries, of which `attempts_max - 1` are allowed.
pub(crate) fn verdict(status: Status, attempts: u8, attempts_max: u8) -> Verdict {
    let sent = attempts.saturating_add(1);
    let unknown_max = attempts_max.min(UNKNOWN_ATTEMPTS_MAX);
    match status.class() {
        Class::Accepted => Verdict::Accepted,
        Class::Throttle => Verdict::Throttled,
        Class::Temporary if sent < attempts_max => Verdict::Again,
        Class::Unknown if sent < unknown_max => Verdict::Again,
        Class::Session if sent < attempts_max => Verdict::Elsewhere,
        // A sender that is not allowed here may be allowed elsewhere.
        Class::Permanent if status != Status::RINVSRCADR => Verdict::Refused(OutcomeClass::Permanent),
        // What remains is about this operator: retries used up, our settings with it, or a code of its own.
        _ => Verdict::Refused(OutcomeClass::Temporary),
    }
}

/// A code that says nothing is tried once more and then believed.
const UNKNOWN_ATTEMPTS_MAX: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let permanent = Verdict::Refused(OutcomeClass::Permanent);
        let temporary = Verdict::Refused(OutcomeClass::Temporary);
        for (status, attempts, expected) in [
            (Status::ROK, 0, Verdict::Accepted),
            (Status::RTHROTTLED, 0, Verdict::Throttled),
            (Status::RTHROTTLED, 200, Verdict::Throttled),
            (Status::RMSGQFUL, 0, Verdict::Throttled),
            (Status::RSYSERR, 0, Verdict::Again),
            (Status::RSYSERR, 1, Verdict::Again),
            (Status::RSYSERR, 2, temporary),
            (Status::RSUBMITFAIL, 0, Verdict::Again),
            (Status(0x400), 0, Verdict::Again),
            (Status(0x400), 1, temporary),
            (Status::RUNKNOWNERR, 1, temporary),
            (Status::RINVDSTADR, 0, permanent),
            (Status::RINVMSGLEN, 0, permanent),
            (Status::RINVSRCADR, 0, temporary),
            (Status::RINVSERTYP, 0, temporary),
            (Status::RINVCMDID, 0, temporary),
            (Status::RINVBNDSTS, 0, Verdict::Elsewhere),
            (Status::RINVBNDSTS, 2, temporary),
        ] {
            assert_eq!(verdict(status, attempts, 3), expected, "{status} after {attempts}");
        }
    }
}
