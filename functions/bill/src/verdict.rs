//! What each outcome means for its message: a pure function.

use contract::{Outcome, OutcomeClass};
use domain::{AccountId, MessageId, State};
use store::advance::{Advance, Event};
use store::ledger::EntryIds;

/// SMPP `ESME_ROK`.
const ROK: u32 = 0;

/// What a batch of outcomes asks for.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) advances: Vec<Advance>,
    pub(crate) events: Vec<Event>,
    pub(crate) reroutes: Vec<(AccountId, MessageId)>,
}

impl Verdicts {
    /// Judges each outcome.
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let mut verdicts = Self::default();
        let mut entries = EntryIds::default();
        for outcome in outcomes {
            let state = verdicts.judge(outcome, &mut entries);
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

    /// Notes what follows from `outcome`; answers the state to show for it.
    fn judge(&mut self, outcome: &Outcome, entries: &mut EntryIds) -> State {
        let accepted = accepted(outcome);
        let state = match outcome.class {
            OutcomeClass::Accepted => State::Sent,
            OutcomeClass::Expired => State::Expired,
            OutcomeClass::Permanent => State::Failed,
            // A part that is on its way makes another route a second delivery.
            OutcomeClass::Temporary if accepted > 0 => State::Failed,
            OutcomeClass::Temporary => {
                self.reroutes.push((outcome.account_id, outcome.message_id));
                return State::Queued;
            }
            OutcomeClass::Unknown => return State::Queued,
        };
        self.advances.push(Advance {
            account: outcome.account_id,
            message: outcome.message_id,
            hop: Some(i16::from(outcome.hop)),
            to: state,
            code: code(outcome),
            accepted,
            entry: entries.of(outcome.account_id),
        });
        state
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

    fn outcome(class: OutcomeClass, statuses: &[Option<u32>]) -> Outcome {
        let segments = (1..).zip(statuses).map(|(segment, status)| SegmentOutcome {
            segment,
            status: *status,
            smpp_message_id: Some("1".into()),
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
            let verdicts = Verdicts::of(&[outcome(class, statuses)]);
            assert_eq!(verdicts.advances.first().map(|a| (a.to, a.accepted)), advance, "{class:?}");
            assert_eq!(!verdicts.reroutes.is_empty(), rerouted, "{class:?}");
            assert_eq!(verdicts.events[0].code.as_deref(), code, "{class:?}");
        }
    }
}
