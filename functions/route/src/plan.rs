//! What shall become of a batch of messages: a pure function of the catalogue and the time.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use contract::{Accepted, Routed};
use domain::routing::Candidate;
use domain::{Catalogue, DecisionId, Network, OperatorId, State};
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
    pub(crate) events: Vec<Event>,
    entries: EntryIds,
}

/// Decisions are the same for all messages of one network that were tried at the same operators.
type Decided = HashMap<(Network, Vec<OperatorId>), (Option<Candidate>, DecisionId)>;

impl Plan {
    /// Decides for each of `items`. Also gives those that this catalogue has no operator for.
    pub(crate) fn make(
        catalogue: &Catalogue,
        items: Vec<Accepted>,
        now: DateTime<Utc>,
    ) -> Result<(Self, Vec<Accepted>), store::Error> {
        let mut plan = Self::default();
        let without = plan.decide_each(catalogue, items, now)?;
        Ok((plan, without))
    }

    /// Decides for what a former catalogue had no operator for. What this one has none for ends.
    pub(crate) fn complete(
        &mut self,
        catalogue: &Catalogue,
        items: Vec<Accepted>,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        for item in self.decide_each(catalogue, items, now)? {
            if item.tried.is_empty() {
                self.end(&item, State::Rejected, "no_route", now);
            } else {
                self.end(&item, State::Failed, "routes_exhausted", now);
            }
        }
        Ok(())
    }

    /// Decides where that can be done; gives the others.
    fn decide_each(
        &mut self,
        catalogue: &Catalogue,
        items: Vec<Accepted>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Accepted>, store::Error> {
        let mut decided = Decided::new();
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
            match self.decide(catalogue, &item, &mut decided, now)? {
                (Some(choice), decision) => self.route(item, &choice, decision),
                (None, _) => without.push(item),
            }
        }
        Ok(without)
    }

    fn decide(
        &mut self,
        catalogue: &Catalogue,
        item: &Accepted,
        decided: &mut Decided,
        now: DateTime<Utc>,
    ) -> Result<(Option<Candidate>, DecisionId), store::Error> {
        let key = (item.mcc_mnc, item.tried.clone());
        if let Some(known) = decided.get(&key) {
            return Ok(known.clone());
        }
        let decision = catalogue.decide(item.mcc_mnc, &item.tried, now);
        let (id, json) = decision_id(&decision)?;
        self.decisions.insert(id, json);
        let answer = (decision.choice().cloned(), id);
        decided.insert(key, answer.clone());
        Ok(answer)
    }

    fn route(&mut self, item: Accepted, choice: &Candidate, decision: DecisionId) {
        let hop = u8::try_from(item.tried.len()).unwrap_or(u8::MAX);
        let (Some(rate), Some(cost), Some(currency)) = (choice.rate_id, choice.cost, choice.currency) else {
            return;
        };
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
