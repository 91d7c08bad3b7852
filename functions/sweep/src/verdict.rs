//! What becomes of a message that is overdue: a pure function.

use chrono::{DateTime, Utc};
use domain::State;
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
                hop: None,
                to,
                code: Some(code.to_owned()),
                accepted: overdue.accepted,
                entry: entries.of(overdue.account),
            };
            let event = Event {
                message: overdue.message,
                at: now,
                state: to,
                code: Some(code.to_owned()),
                segment: None,
                operator: None,
            };
            (advance, event)
        })
        .unzip()
}

fn verdict(overdue: &Overdue) -> (State, &'static str) {
    let sent = overdue.submitted || overdue.state.rank() >= State::Sent.rank();
    if sent { (State::Unconfirmed, "no_receipt") } else { (State::Expired, "validity_expired") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, MessageId};

    #[test]
    fn what_was_submitted_is_unconfirmed_and_the_rest_expired() {
        let rows = [
            (State::Accepted, false, 0, State::Expired),
            (State::Queued, false, 0, State::Expired),
            (State::Queued, true, 1, State::Unconfirmed),
            (State::Sent, true, 1, State::Unconfirmed),
            (State::Buffered, true, 3, State::Unconfirmed),
        ];
        for (state, submitted, accepted, expected) in rows {
            let overdue = Overdue {
                account: AccountId::generate(),
                message: MessageId::generate(),
                state,
                due_at: DateTime::UNIX_EPOCH,
                submitted,
                accepted,
            };
            let (advances, events) = end(&[overdue], DateTime::UNIX_EPOCH);
            assert_eq!((advances[0].to, advances[0].accepted), (expected, accepted), "{state}");
            assert_eq!(events[0].state, expected);
        }
    }
}
