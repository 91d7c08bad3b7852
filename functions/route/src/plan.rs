//! What shall become of a batch of messages: a pure function of the catalogue and the time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use contract::{Accepted, Otherwise, Routed};
use domain::reroute::{HOPS_MAX, Policy};
use domain::routing::breaker::PROBES;
use domain::routing::margin::Breach;
use domain::routing::{Book, Candidate, Decision};
use domain::settlement::Outcome;
use domain::{Catalogue, Currency, DecisionId, MessageId, Micros, Network, OperatorId, State};
use store::advance::{Advance, Event};
use store::hops::paid_per_segment;
use store::ledger::EntryIds;
use store::routing::{Choice, LookInVain, decision_id};

/// The decisions for one envelope.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) decisions: HashMap<DecisionId, serde_json::Value>,
    pub(crate) choices: Vec<Choice>,
    pub(crate) routed: BTreeMap<OperatorId, Vec<Routed>>,
    pub(crate) ended: Vec<Advance>,
    /// Those of the ended that no operator ever had, and why.
    pub(crate) unrouted: Vec<(MessageId, DecisionId)>,
    /// Those that an operator had, and no other takes, and why.
    pub(crate) in_vain: Vec<LookInVain>,
    pub(crate) events: Vec<Event>,
    /// Operators among the choices that have a daily cap.
    pub(crate) capped: BTreeSet<OperatorId>,
    /// Probes of half-open breakers that are left.
    probes: Probes,
    entries: EntryIds,
}

/// Messages that may go to operators whose breakers are half-open.
pub(crate) type Probes = HashMap<(OperatorId, Network), i16>;

/// The probes that `items` would use: one for each that goes to a half-open operator when it may. Who may not go there by a
/// rule, a guard or what it tried before takes no probe from those that may.
pub(crate) fn wanted(catalogue: &Catalogue, items: &[Accepted], now: DateTime<Utc>) -> Vec<(OperatorId, Network, i16)> {
    let standings = catalogue.standings.get();
    let mut wanted = Probes::new();
    for item in items.iter().filter(|item| now < item.expires_at && item.tried.len() < usize::from(HOPS_MAX)) {
        let network = item.mcc_mnc;
        let is_left = |operator: &OperatorId| wanted.get(&(*operator, network)).is_none_or(|count| *count < PROBES);
        let probes: Vec<OperatorId> = standings.half_open(network).filter(is_left).collect();
        if probes.is_empty() {
            continue;
        }
        let taken = catalogue.pick(&item.question(&paid(item), &probes, now)).taken;
        if let Some(taken) = taken.ok().filter(|taken| probes.contains(&taken.operator.id)) {
            *wanted.entry((taken.operator.id, network)).or_default() += 1;
        }
    }
    wanted.into_iter().map(|((operator, network), count)| (operator, network, count)).collect()
}

/// A message without an operator, and why.
#[derive(Debug)]
pub(crate) struct Without {
    item: Accepted,
    code: &'static str,
    decision: DecisionId,
}

/// What a segment cost with operators before.
fn paid(item: &Accepted) -> Vec<(Currency, Micros)> {
    item.reroute.as_ref().map(|reroute| paid_per_segment(&reroute.paid, item.segments)).unwrap_or_default()
}

impl Plan {
    /// Decides for each of `items`, some of which may be `probes`. Also gives those that this catalogue has no operator for.
    pub(crate) fn make(
        catalogue: &Catalogue,
        items: Vec<Accepted>,
        probes: Probes,
        now: DateTime<Utc>,
    ) -> Result<(Self, Vec<Without>), store::Error> {
        let mut plan = Self { probes, ..Self::default() };
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
            if item.tried.is_empty() && item.reroute.is_none() {
                self.unrouted.push((item.message_id, decision));
                self.end(&item, State::Rejected, code);
                self.note(&item, State::Rejected, code, now);
                continue;
            }
            let state = if item.reroute.is_some() {
                self.stay(&item)
            } else {
                self.end(&item, State::Failed, code);
                State::Failed
            };
            // The decision for the operator that had it stays in its own row.
            self.in_vain.push(LookInVain { message: item.message_id, state, code: code.to_owned(), decision });
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
            if item.reroute.is_some() && (item.expires_at <= now || item.tried.len() >= usize::from(HOPS_MAX)) {
                let state = self.stay(&item);
                self.note(&item, state, "routes_exhausted", now);
                continue;
            }
            if item.expires_at <= now {
                self.end(&item, State::Expired, "validity_expired");
                self.note(&item, State::Expired, "validity_expired", now);
                continue;
            }
            if item.tried.len() >= usize::from(HOPS_MAX) {
                self.end(&item, State::Failed, "routes_exhausted");
                self.note(&item, State::Failed, "routes_exhausted", now);
                continue;
            }
            let (paid, probes) = (paid(&item), self.probes_to(item.mcc_mnc));
            let at = book.ask(&item.question(&paid, &probes, now));
            self.remember(&book.decisions()[ids.len()..], &mut ids)?;
            let (decision, id) = (&book.decisions()[at], ids[at]);
            let Some(choice) = decision.choice() else {
                let nobody = Without { code: decision.code(), decision: id, item };
                let asked = (&paid[..], &probes[..], now);
                without.extend(self.go_back(catalogue, (&mut book, &mut ids), nobody, asked)?);
                continue;
            };
            self.route(catalogue, item, (choice, id, decision.reroute));
        }
        Ok(without)
    }

    /// Nobody takes a message that waited for an operator without a session, though somebody would have a moment ago: it waits
    /// there again. Gives it back where that may not carry it either.
    fn go_back(
        &mut self,
        catalogue: &Catalogue,
        (book, ids): (&mut Book<'_>, &mut Vec<DecisionId>),
        without: Without,
        (paid, probes, now): (&[(Currency, Micros)], &[OperatorId], DateTime<Utc>),
    ) -> Result<Option<Without>, store::Error> {
        let Some(former) = without.item.waited_for else { return Ok(Some(without)) };
        let tried = without.item.tried.iter().copied().filter(|operator| *operator != former).collect();
        let at = book.ask(&Accepted { tried, ..without.item.clone() }.question(paid, probes, now));
        self.remember(&book.decisions()[ids.len()..], ids)?;
        let (decision, id) = (&book.decisions()[at], ids[at]);
        let Some(choice) = decision.choice() else { return Ok(Some(without)) };
        self.route(catalogue, without.item, (choice, id, decision.reroute));
        Ok(None)
    }

    /// Operators that may still be probed with a message to `network`.
    fn probes_to(&self, network: Network) -> Vec<OperatorId> {
        let left = self.probes.iter().filter(|((_, at), left)| *at == network && **left > 0);
        left.map(|((operator, _), _)| *operator).collect()
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

    /// The operator of `choice` gets the message.
    fn route(
        &mut self,
        catalogue: &Catalogue,
        item: Accepted,
        (choice, decision, reroute): (&Candidate, DecisionId, Option<Policy>),
    ) {
        let hop = u8::try_from(item.tried.len()).unwrap_or(u8::MAX);
        let (Some(rate), Some(cost), Some(currency)) = (choice.rate_id, choice.cost, choice.currency) else {
            return;
        };
        if catalogue.standings.get().is_capped(choice.operator_id) {
            self.capped.insert(choice.operator_id);
        }
        if let Some(left) = self.probes.get_mut(&(choice.operator_id, item.mcc_mnc)) {
            *left -= 1;
        }
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
            exchange: choice.exchange,
            decision,
            reroute,
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

    /// No other operator takes a message that one took before: it ends as it did there, or waits for that one's word. Answers
    /// the state that its history shows.
    fn stay(&mut self, item: &Accepted) -> State {
        let otherwise = item.reroute.as_ref().and_then(|reroute| reroute.otherwise.as_ref());
        if let Some(Otherwise { state, code, accepted, billable }) = otherwise {
            let hop = i16::try_from(item.tried.len()).unwrap_or(i16::MAX) - 1;
            self.ended.push(Advance {
                account: item.account_id,
                message: item.message_id,
                hop: Some(hop),
                to: *state,
                outcome: if *billable { Outcome::Billable } else { Outcome::of(*state) },
                earns: false,
                code: code.clone(),
                accepted: *accepted,
                entry: self.entries.of(item.account_id),
            });
        }
        otherwise.map_or(State::Sent, |otherwise| otherwise.state)
    }

    fn end(&mut self, item: &Accepted, state: State, code: &str) {
        self.ended.push(Advance {
            account: item.account_id,
            message: item.message_id,
            hop: None,
            to: state,
            outcome: Outcome::of(state),
            earns: false,
            code: Some(code.to_owned()),
            accepted: 0,
            entry: self.entries.of(item.account_id),
        });
    }

    fn note(&mut self, item: &Accepted, state: State, code: &str, now: DateTime<Utc>) {
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
