//! What receipts mean for their messages: pure functions.

use std::collections::{BTreeMap, HashMap};

use contract::{Receipt, ReceiptState};
use domain::state::of_segments;
use domain::{MessageId, OperatorId, State};
use store::advance::{Advance, Event};
use store::dlr::{Part, PartReceipt};
use store::ledger::EntryIds;

/// The receipts of an envelope, apart: those that found their part, and those that did not.
#[derive(Debug, Default)]
pub(crate) struct Matched<'a> {
    pub(crate) receipts: Vec<PartReceipt<'a>>,
    pub(crate) missing: Vec<Receipt>,
}

impl<'a> Matched<'a> {
    /// Sorts `receipts` by whether `parts` has theirs. Final ones come last, so that they win over an
    /// intermediate one in the same envelope.
    pub(crate) fn of(receipts: &'a [Receipt], parts: &HashMap<(OperatorId, String), Vec<Part>>) -> Self {
        let mut matched = Self::default();
        for receipt in receipts {
            match parts.get(&(receipt.operator_id, receipt.smpp_message_id.clone())) {
                Some(parts) => {
                    let state = state_of(receipt.state);
                    matched.receipts.extend(parts.iter().map(|part| PartReceipt { part: *part, state, receipt }));
                }
                None => matched.missing.push(receipt.clone()),
            }
        }
        matched.receipts.sort_by_key(|r| r.state.rank());
        matched
    }

    /// The messages of more than one part among them.
    pub(crate) fn multipart(&self) -> Vec<MessageId> {
        let mut ids: Vec<MessageId> =
            self.receipts.iter().filter(|r| r.part.segments > 1).map(|r| r.part.message).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// The state of a part that a receipt reports. `UNKNOWN` is no news: the part stays as it is.
fn state_of(state: ReceiptState) -> State {
    match state {
        ReceiptState::Enroute | ReceiptState::Accepted | ReceiptState::Unknown => State::Buffered,
        ReceiptState::Delivered => State::Delivered,
        ReceiptState::Expired => State::Expired,
        ReceiptState::Deleted | ReceiptState::Undeliverable => State::Undelivered,
        ReceiptState::Rejected => State::Rejected,
    }
}

/// What a batch of receipts asks for.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) advances: Vec<Advance>,
    pub(crate) events: Vec<Event>,
}

impl Verdicts {
    /// Judges `receipts`; `parts` has the states of all parts of multi-part messages, these receipts included.
    pub(crate) fn of(receipts: &[PartReceipt<'_>], parts: &HashMap<MessageId, Vec<State>>) -> Self {
        let mut entries = EntryIds::default();
        let mut advances = BTreeMap::new();
        let mut events = Vec::with_capacity(receipts.len());
        for PartReceipt { part, state, receipt } in receipts {
            events.push(event(part, *state, receipt));
            let to = match parts.get(&part.message) {
                Some(states) if states.len() >= usize::from(part.segments) => of_segments(states),
                Some(_) => State::Buffered,
                None => of_segments(&[*state]),
            };
            if matches!(to, State::Sent) {
                continue;
            }
            let advance = Advance {
                account: part.account,
                message: part.message,
                hop: Some(part.hop),
                to,
                code: (to != State::Delivered).then(|| code(receipt)).flatten(),
                accepted: part.segments,
                entry: entries.of(part.account),
            };
            // Receipts are in order of rank, so the last word on a message is its highest.
            advances.insert(part.message, advance);
        }
        Self { advances: advances.into_values().collect(), events }
    }
}

fn event(part: &Part, state: State, receipt: &Receipt) -> Event {
    Event {
        message: part.message,
        at: receipt.received_at,
        state,
        code: code(receipt),
        segment: (part.segments > 1).then_some(part.segment),
        operator: Some(receipt.operator_id),
    }
}

/// What the operator's profile calls its error code, or that code; `000` and the like say that there is none.
fn code(receipt: &Receipt) -> Option<String> {
    if let Some(meaning) = &receipt.meaning {
        return Some(meaning.code.clone());
    }
    let told = receipt.error.trim_matches('0');
    (!told.is_empty()).then(|| receipt.error.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use contract::profile::ReceiptMeaning;
    use domain::{AccountId, Private};

    fn receipt(state: ReceiptState, error: &str) -> Receipt {
        Receipt {
            operator_id: OperatorId::generate(),
            smpp_message_id: "1".into(),
            state,
            error: error.into(),
            meaning: None,
            done_at: None,
            received_at: DateTime::UNIX_EPOCH,
            raw: Private::new(""),
            lookups: 0,
        }
    }

    fn part(segment: u8, segments: u8) -> Part {
        Part { account: AccountId::generate(), message: MessageId::generate(), hop: 0, segment, segments }
    }

    #[test]
    fn single_part_messages_follow_their_receipt() {
        use ReceiptState::{Accepted, Deleted, Delivered, Enroute, Expired, Rejected, Undeliverable, Unknown};
        let rows = [
            (Delivered, "000", State::Delivered, None),
            (Delivered, "007", State::Delivered, None),
            (Undeliverable, "0b2", State::Undelivered, Some("0b2")),
            (Deleted, "", State::Undelivered, None),
            (Rejected, "99", State::Undelivered, Some("99")),
            (Expired, "000", State::Expired, None),
            (Enroute, "", State::Buffered, None),
            (Accepted, "", State::Buffered, None),
            (Unknown, "", State::Buffered, None),
        ];
        for (state, error, expected, code) in rows {
            let receipt = receipt(state, error);
            let one = PartReceipt { part: part(1, 1), state: state_of(state), receipt: &receipt };
            let verdicts = Verdicts::of(&[one], &HashMap::new());
            let advance = &verdicts.advances[0];
            assert_eq!((advance.to, advance.code.as_deref()), (expected, code), "{state:?}");
            assert_eq!(verdicts.events.len(), 1);
        }
    }

    #[test]
    fn a_code_has_the_name_that_the_profile_gives_it() {
        let named = Receipt {
            meaning: Some(ReceiptMeaning { code: "absent_subscriber".into(), billable: false }),
            ..receipt(ReceiptState::Undeliverable, "0b2")
        };
        for (receipt, expected) in [
            (&named, Some("absent_subscriber")),
            (&receipt(ReceiptState::Undeliverable, "0b2"), Some("0b2")),
            (&receipt(ReceiptState::Undeliverable, "000"), None),
        ] {
            assert_eq!(code(receipt).as_deref(), expected);
        }
    }

    #[test]
    fn one_receipt_can_be_about_all_parts() {
        let receipts = [receipt(ReceiptState::Delivered, "")];
        let first = part(1, 2);
        let parts = vec![first, Part { segment: 2, ..first }];
        let key = (receipts[0].operator_id, receipts[0].smpp_message_id.clone());
        let matched = Matched::of(&receipts, &HashMap::from([(key, parts)]));
        let told: Vec<_> = matched.receipts.iter().map(|r| (r.part.segment, r.state)).collect();
        assert_eq!(
            (told, matched.multipart()),
            (vec![(1, State::Delivered), (2, State::Delivered)], vec![first.message])
        );
    }

    #[test]
    fn multi_part_messages_follow_all_their_parts() {
        use State::{Buffered, Delivered, Sent, Undelivered};
        let rows: [(&[State], State); 4] = [
            (&[Delivered, Delivered, Delivered], Delivered),
            (&[Delivered, Sent, Delivered], Buffered),
            (&[Delivered, Undelivered, Sent], Undelivered),
            (&[Delivered, Delivered], Buffered),
        ];
        for (states, expected) in rows {
            let receipt = receipt(ReceiptState::Delivered, "");
            let part = part(1, 3);
            let one = PartReceipt { part, state: Delivered, receipt: &receipt };
            let verdicts = Verdicts::of(&[one], &HashMap::from([(part.message, states.to_vec())]));
            assert_eq!(verdicts.advances[0].to, expected, "{states:?}");
        }
    }
}
