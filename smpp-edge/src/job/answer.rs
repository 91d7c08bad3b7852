//! What an answer asks of us, as a table.

use std::collections::HashMap;

use contract::OutcomeClass;
use contract::profile::{Errors, StatusMeaning};
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

/// What one operator's statuses mean.
#[derive(Debug, Default)]
pub(crate) struct Statuses(HashMap<u32, StatusMeaning>);

impl Statuses {
    /// The meanings of a profile. A key that is no number is refused by the API and left out here.
    pub(crate) fn new(errors: &Errors) -> Self {
        let read =
            errors.statuses.iter().filter_map(|(key, meaning)| Some((contract::profile::status(key)?, *meaning)));
        Self(read.collect())
    }

    /// Judges a status after `attempts` earlier retries, of which `attempts_max - 1` are allowed: by the operator's
    /// own meaning where its profile has one.
    pub(crate) fn verdict(&self, status: Status, attempts: u8, attempts_max: u8) -> Verdict {
        let retries = attempts.saturating_add(1) < attempts_max;
        let Some(meaning) = self.0.get(&status.0) else { return verdict(status, attempts, attempts_max) };
        match meaning {
            StatusMeaning::Accepted => Verdict::Accepted,
            StatusMeaning::Throttled => Verdict::Throttled,
            StatusMeaning::Temporary if retries => Verdict::Again,
            StatusMeaning::Temporary | StatusMeaning::Elsewhere | StatusMeaning::Permanent => {
                Verdict::Refused(meaning.outcome())
            }
        }
    }
}

/// Judges a status by its usual meaning.
fn verdict(status: Status, attempts: u8, attempts_max: u8) -> Verdict {
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

    #[test]
    fn an_operator_has_meanings_of_its_own() {
        let errors = Errors {
            statuses: [
                ("0x45", StatusMeaning::Throttled),
                ("20", StatusMeaning::Temporary),
                ("0x0B", StatusMeaning::Elsewhere),
                ("1025", StatusMeaning::Permanent),
                ("0x402", StatusMeaning::Accepted),
                ("none", StatusMeaning::Permanent),
            ]
            .map(|(key, meaning)| (key.to_owned(), meaning))
            .into(),
            ..Errors::default()
        };
        let statuses = Statuses::new(&errors);
        let permanent = Verdict::Refused(OutcomeClass::Permanent);
        let temporary = Verdict::Refused(OutcomeClass::Temporary);
        for (status, attempts, expected) in [
            (0x45, 9, Verdict::Throttled),
            (0x14, 0, Verdict::Again),
            (0x14, 2, temporary),
            (0x0B, 0, temporary),
            (0x401, 0, permanent),
            (0x402, 0, Verdict::Accepted),
            (0x58, 0, Verdict::Throttled),
            (0x0A, 0, temporary),
        ] {
            assert_eq!(statuses.verdict(Status(status), attempts, 3), expected, "{status:#x} after {attempts}");
        }
    }
}
