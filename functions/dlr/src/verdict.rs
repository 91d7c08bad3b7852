//! What receipts mean for their messages: pure functions.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use contract::{Otherwise, Receipt, ReceiptState};
use domain::reroute::{self, Standing, Verdict, Why};
use domain::settlement::Outcome;
use domain::state::of_segments;
use domain::{AccountId, MessageId, OperatorId, State};
use store::advance::{Advance, Event};
use store::dlr::{Part, PartReceipt};
use store::hops::{Again, Taken};
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

    /// The messages of which a receipt alone does not say what becomes of them: those of several parts, and those that
    /// another operator may deliver.
    pub(crate) fn undecided(&self) -> Vec<(AccountId, MessageId)> {
        let undecided = self.receipts.iter().filter(|r| r.part.segments > 1 || is_failure(r.state));
        let mut ids: Vec<_> = undecided.map(|r| (r.part.account, r.part.message)).collect();
        ids.sort_unstable_by_key(|(_, message)| *message);
        ids.dedup();
        ids
    }
}

const fn is_failure(state: State) -> bool {
    matches!(state, State::Undelivered | State::Expired | State::Rejected)
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
    pub(crate) agains: Vec<Again>,
    /// What operators delivered, or failed billably: to be paid for where they bill that, whether or not the message moves.
    pub(crate) delivered: BTreeMap<(MessageId, i16), Taken>,
}

/// What one receipt asks for.
enum Step {
    Advance(Advance),
    GoOn(Again),
}

impl Step {
    /// Of several receipts of one message the strongest word holds: delivered by anybody, then an end, then another try.
    fn rank(&self) -> u8 {
        match self {
            Self::Advance(advance) if advance.to == State::Delivered => 3,
            Self::Advance(advance) if advance.to.is_final() => 2,
            Self::GoOn(_) => 1,
            Self::Advance(_) => 0,
        }
    }
}

impl Verdicts {
    /// Judges `receipts`; `standings` has the messages of [`Matched::undecided`], these receipts included.
    pub(crate) fn of(
        receipts: &[PartReceipt<'_>],
        standings: &HashMap<MessageId, Standing>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut entries = EntryIds::default();
        let mut steps: BTreeMap<MessageId, Step> = BTreeMap::new();
        let mut verdicts = Self::default();
        for one in receipts {
            verdicts.events.push(event(&one.part, one.state, one.receipt));
            let message = one.part.message;
            let end = Whole::of(one, standings.get(&message));
            if end.outcome() == Outcome::Billable {
                verdicts.note_delivered(&end, &mut entries);
            }
            let Some(step) = step(&end, standings.get(&message), &mut entries, now) else { continue };
            // Receipts are in order of rank, so of equal words the last holds.
            if steps.get(&message).is_none_or(|known| known.rank() <= step.rank()) {
                steps.insert(message, step);
            }
        }
        for step in steps.into_values() {
            match step {
                Step::Advance(advance) => verdicts.advances.push(advance),
                Step::GoOn(again) => verdicts.agains.push(again),
            }
        }
        verdicts
    }

    fn note_delivered(&mut self, end: &Whole<'_>, entries: &mut EntryIds) {
        let Part { account, message, hop, .. } = end.one.part;
        let taken = Taken { account, message, hop, accepted: end.accepted, entry: entries.of(account) };
        self.delivered.entry((message, hop)).or_insert(taken);
    }
}

/// What a try comes to by one receipt and those before it.
struct Whole<'a> {
    one: &'a PartReceipt<'a>,
    hop: u8,
    to: State,
    /// Segments that the operator took.
    accepted: u8,
}

impl<'a> Whole<'a> {
    fn of(one: &'a PartReceipt<'a>, standing: Option<&Standing>) -> Self {
        let hop = u8::try_from(one.part.hop).unwrap_or(u8::MAX);
        // Of what was refused in part, its outcome knows best how much was taken.
        let refused = standing.map_or(0, |standing| standing.refused_at(hop));
        Self { one, hop, to: whole(one, standing, hop), accepted: one.part.segments.saturating_sub(refused) }
    }

    fn is_billable(&self) -> bool {
        is_failure(self.to) && self.one.receipt.meaning.as_ref().is_some_and(|meaning| meaning.billable)
    }

    fn outcome(&self) -> Outcome {
        if self.is_billable() { Outcome::Billable } else { Outcome::of(self.to) }
    }
}

fn step(end: &Whole<'_>, standing: Option<&Standing>, entries: &mut EntryIds, now: DateTime<Utc>) -> Option<Step> {
    let Whole { one, hop, to, accepted } = *end;
    let PartReceipt { part, state, receipt } = one;
    if to == State::Sent || !to.is_final() && accepted < part.segments {
        return None;
    }
    let (account, message) = (part.account, part.message);
    let code = code_of(one, standing, (hop, to));
    let mut ended = (part.hop, accepted);
    if let (true, Some(standing)) = (is_failure(to), standing) {
        let why = Why::Receipt { elsewhere: !is_failure(*state) || elsewhere(receipt, *state, code.as_deref()) };
        if hop < standing.hop {
            // The word of an earlier operator ends the message on the try that it is on.
            ended = (i16::from(standing.hop), standing.accepted_at(standing.hop));
        }
        match reroute::verdict(standing, hop, why, now) {
            Verdict::Ignore | Verdict::Wait => return None,
            Verdict::Reroute { waits } => {
                let (accepted, billable) = (ended.1, end.is_billable());
                let otherwise = (!waits).then_some(Otherwise { state: to, code, accepted, billable });
                return Some(Step::GoOn(Again { account, message, is_taken: true, otherwise }));
            }
            Verdict::End => {}
        }
    }
    let ((hop, accepted), entry, outcome) = (ended, entries.of(account), end.outcome());
    let earns = outcome == Outcome::Billable && hop == part.hop;
    Some(Step::Advance(Advance { account, message, hop: Some(hop), to, outcome, earns, code, accepted, entry }))
}

/// What the parts of a try come to together, this receipt included.
fn whole(PartReceipt { part, state, .. }: &PartReceipt<'_>, standing: Option<&Standing>, hop: u8) -> State {
    match standing.filter(|_| part.segments > 1) {
        Some(standing) if standing.parts_at(hop) >= usize::from(part.segments) => standing.state_of(hop),
        Some(_) => State::Buffered,
        None => of_segments(&[*state]),
    }
}

/// Why it comes to that: the code of this receipt, or of the part that failed before.
fn code_of(one: &PartReceipt<'_>, standing: Option<&Standing>, (hop, to): (u8, State)) -> Option<String> {
    let before = || standing.and_then(|standing| standing.error_of(hop)).map(str::to_owned);
    match to {
        State::Delivered => None,
        _ if !is_failure(to) => code(one.receipt),
        _ if is_failure(one.state) => code(one.receipt).or_else(before),
        _ => before(),
    }
}

/// Whether another operator may do better: as the profile says, or by what the code means.
fn elsewhere(receipt: &Receipt, state: State, code: Option<&str>) -> bool {
    let by_profile = receipt.meaning.as_ref().and_then(|meaning| meaning.reroute);
    // Deleted by somebody at the operator: that was meant.
    by_profile.unwrap_or_else(|| receipt.state != ReceiptState::Deleted && reroute::elsewhere(state, code))
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
            let verdicts = Verdicts::of(&[one], &HashMap::new(), DateTime::UNIX_EPOCH);
            let advance = &verdicts.advances[0];
            assert_eq!((advance.to, advance.code.as_deref()), (expected, code), "{state:?}");
            assert_eq!(verdicts.events.len(), 1);
        }
    }

    #[test]
    fn a_code_has_the_name_that_the_profile_gives_it() {
        let named = Receipt {
            meaning: Some(ReceiptMeaning { code: "absent_subscriber".into(), billable: false, reroute: None }),
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
            (told, matched.undecided()),
            (vec![(1, State::Delivered), (2, State::Delivered)], vec![(first.account, first.message)])
        );
    }

    /// Where a message stands whose parts at its first operator stand so.
    fn standing(hops_max: Option<u8>, states: &[State]) -> Standing {
        let part = |state: &State| reroute::Part { hop: 0, state: *state, error: Some("0b2".to_owned()) };
        Standing {
            state: State::Sent,
            hop: 0,
            segments: 3,
            hops_max,
            expires_at: DateTime::from_timestamp(60, 0).unwrap(),
            is_between: false,
            has_lapsed: false,
            parts: states.iter().map(part).collect(),
        }
    }

    #[test]
    fn what_another_may_deliver_goes_on_and_delivered_is_the_strongest_word() {
        use ReceiptState::{Deleted, Delivered, Enroute, Expired, Undeliverable};
        let meaning = |code: &str, reroute| Some(ReceiptMeaning { code: code.into(), billable: false, reroute });
        // The receipts of one segment in one envelope, what the profile says, and what is left of it.
        let rows = [
            (vec![Undeliverable], None, "goes on"),
            (vec![Undeliverable, Undeliverable], None, "goes on"),
            (vec![Enroute, Undeliverable], None, "goes on"),
            (vec![Undeliverable], meaning("absent_subscriber", None), "undelivered"),
            (vec![Undeliverable], meaning("absent_subscriber", Some(true)), "goes on"),
            (vec![Undeliverable], meaning("network_error", Some(false)), "undelivered"),
            (vec![Expired], None, "expired"),
            (vec![Deleted], None, "undelivered"),
            (vec![Undeliverable, Delivered], None, "delivered"),
            (vec![Delivered, Undeliverable], None, "delivered"),
        ];
        for (states, meaning, expected) in rows {
            let part = part(1, 1);
            let receipts: Vec<Receipt> =
                states.iter().map(|state| Receipt { meaning: meaning.clone(), ..receipt(*state, "0b2") }).collect();
            let told = receipts.iter().map(|receipt| PartReceipt { part, state: state_of(receipt.state), receipt });
            let last = state_of(*states.last().unwrap());
            let standings = HashMap::from([(part.message, standing(Some(2), &[last]))]);
            let verdicts = Verdicts::of(&told.collect::<Vec<_>>(), &standings, DateTime::UNIX_EPOCH);
            let ends = verdicts.advances.iter().map(|advance| advance.to.name());
            let found: Vec<&str> = ends.chain(verdicts.agains.iter().map(|_| "goes on")).collect();
            assert_eq!(found, [expected], "{states:?} {meaning:?}");
        }
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
            let standings = HashMap::from([(part.message, standing(None, states))]);
            let verdicts = Verdicts::of(&[one], &standings, DateTime::UNIX_EPOCH);
            assert_eq!(verdicts.advances[0].to, expected, "{states:?}");
        }
    }
}
