//! What shall become of a batch of messages: a pure function of the catalogue and the time.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use contract::{Accepted, Routed};
use domain::routing::margin::Breach;
use domain::routing::{Book, Candidate, Decision, Question};
use domain::{Catalogue, DecisionId, MessageId, OperatorId, State};
use store::advance::{Advance, Event};
use store::ledger::EntryIds;
use store::routing::{Choice, decision_id};

/// Operators that a message is offered to, one after the other, before it fails.
pub(crate) const HOPS_MAX: usize = 3;

/// The decisions for one envelope.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) decisions: HashMap<DecisionId, serde_json::Value>,
    pub(crate) choices: Vec<Choice>,
    pub(crate) routed: BTreeMap<OperatorId, Vec<Routed>>,
    pub(crate) ended: Vec<Advance>,
    /// Those of the ended that no operator could carry, and why.
    pub(crate) unrouted: Vec<(MessageId, DecisionId)>,
    pub(crate) events: Vec<Event>,
    entries: EntryIds,
}

/// A message without an operator, and why.
#[derive(Debug)]
pub(crate) struct Without {
    item: Accepted,
    code: &'static str,
    decision: DecisionId,
}

/// The milliseconds in an id say when its message was accepted.
fn accepted_at(message: MessageId) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = message.uuid().get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// A number that is spread evenly over messages: the random end of the id.
fn turn(message: MessageId) -> u64 {
    message.uuid().as_u64_pair().1 & (u64::MAX >> 2)
}

fn question(item: &Accepted, at: DateTime<Utc>) -> Question<'_> {
    Question {
        account: item.account_id,
        to: item.to,
        network: item.mcc_mnc,
        sender: item.from.as_str(),
        traffic_class: item.traffic_class,
        template: item.template.as_ref(),
        encoding: item.encoding,
        segments: item.segments,
        turn: turn(item.message_id),
        tried: &item.tried,
        priced_at: accepted_at(item.message_id).unwrap_or(at),
        at,
    }
}

impl Plan {
    /// Decides for each of `items`. Also gives those that this catalogue has no operator for.
    pub(crate) fn make(
        catalogue: &Catalogue,
        items: Vec<Accepted>,
        now: DateTime<Utc>,
    ) -> Result<(Self, Vec<Without>), store::Error> {
        let mut plan = Self::default();
        let without = plan.decide_each(catalogue, items, now)?;
        Ok((plan, without))
    }

    /// Decides for what a former catalogue had no operator for. What this one has none for ends.
    pub(crate) fn complete(
        &mut self,
        catalogue: &Catalogue,
        without: Vec<Without>,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let items = without.into_iter().map(|without| without.item).collect();
        for Without { item, code, decision } in self.decide_each(catalogue, items, now)? {
            let state = if item.tried.is_empty() { State::Rejected } else { State::Failed };
            self.unrouted.push((item.message_id, decision));
            self.end(&item, state, code, now);
        }
        Ok(())
    }

    /// Decides where that can be done; gives the others.
    fn decide_each(
        &mut self,
        catalogue: &Catalogue,
        items: Vec<Accepted>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Without>, store::Error> {
        let mut book = Book::new(catalogue);
        let mut ids = Vec::new();
        let mut without = Vec::new();
        for item in items {
            if item.expires_at <= now {
                self.end(&item, State::Expired, "validity_expired", now);
                continue;
            }
            if item.tried.len() >= HOPS_MAX {
                self.end(&item, State::Failed, "routes_exhausted", now);
                continue;
            }
            let at = book.ask(&question(&item, now));
            self.remember(&book.decisions()[ids.len()..], &mut ids)?;
            let (decision, id) = (&book.decisions()[at], ids[at]);
            match decision.choice() {
                Some(choice) => self.route(item, choice, id),
                None => without.push(Without { code: decision.code(), decision: id, item }),
            }
        }
        Ok(without)
    }

    /// Writes down the decisions that came up last.
    fn remember(&mut self, new: &[Decision], ids: &mut Vec<DecisionId>) -> Result<(), store::Error> {
        for decision in new {
            let (id, json) = decision_id(decision)?;
            self.decisions.insert(id, json);
            ids.push(id);
        }
        Ok(())
    }

    fn route(&mut self, item: Accepted, choice: &Candidate, decision: DecisionId) {
        let hop = u8::try_from(item.tried.len()).unwrap_or(u8::MAX);
        let (Some(rate), Some(cost), Some(currency)) = (choice.rate_id, choice.cost, choice.currency) else {
            return;
        };
        if choice.breach == Some(Breach::Alert) {
            metrics::counter!("chappe_margin_alerts_total", "operator" => choice.operator.to_string()).increment(1);
        }
        self.choices.push(Choice {
            message: item.message_id,
            hop: i16::from(hop),
            operator: choice.operator_id,
            rate,
            cost_micros: cost.get(),
            cost_currency: currency.to_string(),
            decision,
        });
        self.routed.entry(choice.operator_id).or_default().push(Routed {
            message_id: item.message_id,
            account_id: item.account_id,
            hop,
            to: item.to,
            from: item.from,
            text: item.text,
            encoding: item.encoding,
            segments: item.segments,
            expires_at: item.expires_at,
            smpp: item.smpp,
        });
    }

    fn end(&mut self, item: &Accepted, state: State, code: &str, now: DateTime<Utc>) {
        self.ended.push(Advance {
            account: item.account_id,
            message: item.message_id,
            hop: None,
            to: state,
            code: Some(code.to_owned()),
            accepted: 0,
            entry: self.entries.of(item.account_id),
        });
        self.events.push(Event {
            message: item.message_id,
            at: now,
            state,
            code: Some(code.to_owned()),
            segment: None,
            operator: None,
        });
    }
}
