//! What each outcome means for its message: a pure function.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contract::{Otherwise, Outcome, OutcomeClass};
use domain::reroute::{self, Standing, Verdict, Why};
use domain::{AccountId, MessageId, State};
use store::advance::{Advance, Event};
use store::hops::{Again, Taken};
use store::ledger::EntryIds;

/// SMPP `ESME_ROK`.
const ROK: u32 = 0;

/// What a batch of outcomes asks for.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) advances: Vec<Advance>,
    pub(crate) events: Vec<Event>,
    pub(crate) agains: Vec<Again>,
    /// What operators took: to be paid for, whether or not the message moves by it.
    pub(crate) taken: Vec<Taken>,
}

/// Messages whose outcome does not say alone what becomes of them: an operator took them before, or a part of them now.
pub(crate) fn undecided(outcomes: &[Outcome]) -> Vec<(AccountId, MessageId)> {
    let undecided = outcomes.iter().filter(|outcome| match outcome.class {
        OutcomeClass::Accepted | OutcomeClass::Unknown => false,
        OutcomeClass::Temporary => outcome.hop > 0 || accepted(outcome) > 0,
        OutcomeClass::Permanent | OutcomeClass::Expired => outcome.hop > 0,
    });
    undecided.map(|outcome| (outcome.account_id, outcome.message_id)).collect()
}

impl Verdicts {
    /// Judges each outcome. `standings` has the messages of [`undecided`], these outcomes included.
    pub(crate) fn of(outcomes: &[Outcome], standings: &HashMap<MessageId, Standing>, now: DateTime<Utc>) -> Self {
        let mut verdicts = Self::default();
        let mut entries = EntryIds::default();
        for outcome in outcomes {
            verdicts.note_taken(outcome, &mut entries);
            let (state, ends) = match standings.get(&outcome.message_id) {
                Some(standing) => verdicts.judge_again(outcome, standing, now),
                None => verdicts.judge(outcome),
            };
            if ends {
                verdicts.advance(outcome, state, &mut entries);
            }
            verdicts.events.push(Event {
                message: outcome.message_id,
                at: outcome.at,
                state,
                code: code(outcome),
                segment: None,
                operator: Some(outcome.operator_id),
            });
        }
        verdicts
    }

    fn note_taken(&mut self, outcome: &Outcome, entries: &mut EntryIds) {
        let (account, message, hop) = (outcome.account_id, outcome.message_id, i16::from(outcome.hop));
        let accepted = accepted(outcome);
        if accepted > 0 {
            self.taken.push(Taken { account, message, hop, accepted, entry: entries.of(account) });
        }
    }

    /// Judges `outcome` where no operator took the message before; answers the state to show for it, and whether the message
    /// comes to it.
    fn judge(&mut self, outcome: &Outcome) -> (State, bool) {
        match outcome.class {
            OutcomeClass::Accepted => (State::Sent, true),
            OutcomeClass::Expired => (State::Expired, true),
            OutcomeClass::Permanent => (State::Failed, true),
            OutcomeClass::Temporary => {
                self.go_on(outcome, false, None);
                (State::Queued, false)
            }
            OutcomeClass::Unknown => (State::Queued, false),
        }
    }

    /// The same of a message that an operator took before, or takes a part of now.
    fn judge_again(&mut self, outcome: &Outcome, standing: &Standing, now: DateTime<Utc>) -> (State, bool) {
        let elsewhere = outcome.class != OutcomeClass::Permanent;
        let is_taken = (0..=standing.hop).any(|hop| standing.accepted_at(hop) > 0);
        let was_sent = standing.state.rank() >= State::Sent.rank();
        let state = match outcome.class {
            OutcomeClass::Expired => State::Expired,
            _ if was_sent => State::Undelivered,
            _ => State::Failed,
        };
        match reroute::verdict(standing, outcome.hop, Why::Submit { elsewhere }, now) {
            Verdict::Ignore | Verdict::Wait => (State::Queued, false),
            Verdict::Reroute { waits } => {
                let otherwise = Otherwise { state, code: code(outcome), accepted: accepted(outcome), billable: false };
                self.go_on(outcome, is_taken, (!waits).then_some(otherwise));
                (State::Queued, false)
            }
            Verdict::End => (state, true),
        }
    }

    fn go_on(&mut self, outcome: &Outcome, is_taken: bool, otherwise: Option<Otherwise>) {
        let (account, message) = (outcome.account_id, outcome.message_id);
        self.agains.push(Again { account, message, is_taken, otherwise });
    }

    fn advance(&mut self, outcome: &Outcome, to: State, entries: &mut EntryIds) {
        self.advances.push(Advance {
            account: outcome.account_id,
            message: outcome.message_id,
            hop: Some(i16::from(outcome.hop)),
            to,
            outcome: domain::settlement::Outcome::of(to),
            earns: false,
            code: code(outcome),
            accepted: accepted(outcome),
            entry: entries.of(outcome.account_id),
        });
    }
}

fn accepted(outcome: &Outcome) -> u8 {
    let count = outcome.segments.iter().filter(|s| s.status == Some(ROK)).count();
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// Why: the first status that is not `ESME_ROK`, or what happened instead of an answer.
fn code(outcome: &Outcome) -> Option<String> {
    match outcome.class {
        OutcomeClass::Accepted => None,
        OutcomeClass::Expired => Some("validity_expired".to_owned()),
        OutcomeClass::Unknown => Some("submit_unanswered".to_owned()),
        OutcomeClass::Temporary | OutcomeClass::Permanent => {
            let status = outcome.segments.iter().filter_map(|s| s.status).find(|status| *status != ROK);
            Some(status.map_or_else(|| "submit_failed".to_owned(), |status| format!("smpp_{status:08x}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use contract::SegmentOutcome;
    use domain::OperatorId;
    use domain::reroute::Part;

    fn outcome(class: OutcomeClass, statuses: &[Option<u32>]) -> Outcome {
        let segments = (1..).zip(statuses).map(|(segment, status)| SegmentOutcome {
            segment,
            status: *status,
            smpp_message_id: Some("1".into()),
            part_of: None,
        });
        Outcome {
            message_id: MessageId::generate(),
            account_id: AccountId::generate(),
            operator_id: OperatorId::generate(),
            hop: 0,
            class,
            at: DateTime::UNIX_EPOCH,
            segments: segments.collect(),
        }
    }

    /// Where a message of one segment stands whose hops came to this.
    fn standing(state: State, hops_max: Option<u8>, hops: &[&[State]]) -> Standing {
        let part = |hop: u8, state: State| Part { hop, state, error: None };
        let parts = (0..).zip(hops).flat_map(|(hop, states)| states.iter().map(move |state| part(hop, *state)));
        let expires_at = DateTime::from_timestamp(60, 0).unwrap();
        let hop = u8::try_from(hops.len() - 1).unwrap();
        let (is_between, has_lapsed, parts) = (false, false, parts.collect());
        Standing { state, hop, segments: 1, hops_max, expires_at, is_between, has_lapsed, parts }
    }

    #[test]
    fn each_class_has_its_end() {
        use OutcomeClass::{Accepted, Expired, Permanent, Temporary, Unknown};
        type Expected = (Option<(State, u8)>, bool, Option<&'static str>);
        let rows: [(OutcomeClass, &[Option<u32>], Expected); 7] = [
            (Accepted, &[Some(0), Some(0)], (Some((State::Sent, 2)), false, None)),
            (Permanent, &[Some(0x0b)], (Some((State::Failed, 0)), false, Some("smpp_0000000b"))),
            (Permanent, &[Some(0), Some(0x45)], (Some((State::Failed, 1)), false, Some("smpp_00000045"))),
            (Temporary, &[Some(0x08)], (None, true, Some("smpp_00000008"))),
            (Temporary, &[Some(0), Some(0x08)], (Some((State::Failed, 1)), false, Some("smpp_00000008"))),
            (Expired, &[], (Some((State::Expired, 0)), false, Some("validity_expired"))),
            (Unknown, &[None], (None, false, Some("submit_unanswered"))),
        ];
        for (class, statuses, (advance, rerouted, code)) in rows {
            let outcome = outcome(class, statuses);
            let parts = statuses.iter().map(|status| if *status == Some(0) { State::Sent } else { State::Failed });
            let standing = standing(State::Queued, None, &[&parts.collect::<Vec<_>>()]);
            let asked = undecided(std::slice::from_ref(&outcome));
            let standings = asked.into_iter().map(|(_, id)| (id, standing.clone())).collect();
            let verdicts = Verdicts::of(&[outcome], &standings, DateTime::UNIX_EPOCH);
            assert_eq!(verdicts.advances.first().map(|a| (a.to, a.accepted)), advance, "{class:?}");
            assert_eq!(!verdicts.agains.is_empty(), rerouted, "{class:?}");
            assert_eq!(verdicts.events[0].code.as_deref(), code, "{class:?}");
        }
    }

    #[test]
    fn what_an_operator_took_before_does_not_fail_at_the_next() {
        use OutcomeClass::{Expired, Permanent, Temporary};
        use State::{Failed, Sent, Undelivered};
        /// Where it goes on to; how it ends otherwise, or at once.
        type Expected = (bool, Option<State>);
        type Row<'a> = (OutcomeClass, Option<u8>, &'a [&'a [State]], Expected);
        let rows: [Row<'_>; 7] = [
            (Temporary, Some(3), &[&[Undelivered], &[Failed]], (true, Some(Undelivered))),
            (Temporary, Some(2), &[&[Undelivered], &[Failed]], (false, Some(Undelivered))),
            (Permanent, Some(3), &[&[Undelivered], &[Failed]], (false, Some(Undelivered))),
            (Expired, Some(2), &[&[Undelivered], &[]], (false, Some(State::Expired))),
            // The first has not said yet: it may have delivered it.
            (Temporary, Some(3), &[&[Sent], &[Failed]], (true, None)),
            (Temporary, Some(2), &[&[Sent], &[Failed]], (false, None)),
            (Expired, Some(2), &[&[Sent], &[]], (false, None)),
        ];
        for (class, hops_max, hops, expected) in rows {
            let outcome = Outcome { hop: 1, ..outcome(class, &[Some(0x45)]) };
            let standings = HashMap::from([(outcome.message_id, standing(Sent, hops_max, hops))]);
            let now = DateTime::from_timestamp(if class == Expired { 60 } else { 0 }, 0).unwrap();
            let verdicts = Verdicts::of(&[outcome], &standings, now);
            let otherwise = verdicts.agains.first().and_then(|again| again.otherwise.as_ref()).map(|end| end.state);
            let end = verdicts.advances.first().map(|advance| advance.to).or(otherwise);
            assert_eq!((!verdicts.agains.is_empty(), end), expected, "{class:?} {hops_max:?} {hops:?}");
        }
    }
}
