//! What becomes of a message that is overdue: a pure function.

use chrono::{DateTime, Utc};
use domain::State;
use domain::settlement::Outcome;
use store::advance::{Advance, Event};
use store::ledger::EntryIds;
use store::sweep::Overdue;

/// Ends each of `found`.
pub(crate) fn end(found: &[Overdue], now: DateTime<Utc>) -> (Vec<Advance>, Vec<Event>) {
    let mut entries = EntryIds::default();
    found
        .iter()
        .map(|overdue| {
            let (to, code) = verdict(overdue);
            let advance = Advance {
                account: overdue.account,
                message: overdue.message,
                hop: Some(overdue.hop),
                to,
                outcome: Outcome::of(to),
                earns: false,
                code: code.clone(),
                accepted: overdue.accepted,
                entry: entries.of(overdue.account),
            };
            let event = Event { message: overdue.message, at: now, state: to, code, segment: None, operator: None };
            (advance, event)
        })
        .unzip()
}

fn verdict(overdue: &Overdue) -> (State, Option<String>) {
    let code = |code: &str| Some(code.to_owned());
    let sent = overdue.submitted || overdue.hop == 0 && overdue.state.rank() >= State::Sent.rank();
    match &overdue.failed {
        // Its other parts have no receipts, but one failed part decides.
        Some((State::Expired, error)) if overdue.hop == 0 || sent => (State::Expired, error.clone()),
        Some((_, error)) if overdue.hop == 0 || sent => (State::Undelivered, error.clone()),
        _ if sent => (State::Unconfirmed, code("no_receipt")),
        _ => (State::Expired, code("validity_expired")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, MessageId};

    #[test]
    fn what_was_submitted_is_unconfirmed_and_the_rest_expired() {
        let failed = Some((State::Undelivered, Some("0b2".to_owned())));
        let rows = [
            (State::Accepted, 0, false, 0, None, State::Expired),
            (State::Queued, 0, false, 0, None, State::Expired),
            (State::Queued, 0, true, 1, None, State::Unconfirmed),
            (State::Sent, 0, true, 1, None, State::Unconfirmed),
            (State::Buffered, 0, true, 3, None, State::Unconfirmed),
            // One part failed, and the others never said anything.
            (State::Sent, 0, true, 3, failed.clone(), State::Undelivered),
            // The first operator failed, and the next never got it, or never said anything.
            (State::Sent, 1, false, 0, None, State::Expired),
            (State::Sent, 1, true, 1, None, State::Unconfirmed),
        ];
        for (state, hop, submitted, accepted, failed, expected) in rows {
            let overdue = Overdue {
                account: AccountId::generate(),
                message: MessageId::generate(),
                state,
                due_at: DateTime::UNIX_EPOCH,
                hop,
                submitted,
                failed,
                accepted,
            };
            let (advances, events) = end(&[overdue], DateTime::UNIX_EPOCH);
            assert_eq!((advances[0].to, advances[0].accepted), (expected, accepted), "{state}");
            assert_eq!(events[0].state, expected);
        }
    }
}
