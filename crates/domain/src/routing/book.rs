//! The decisions for many messages by one catalogue: each message is chosen for, and each kind of message is explained
//! once.

use chrono::{DateTime, Utc};
use foldhash::HashMap;

use super::margin::Earned;
use super::{Decision, Picked, Question};
use crate::catalogue::Catalogue;
use crate::id::{AccountId, OperatorId, RoutingRuleId};
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::traffic::TrafficClass;

/// Decisions by one catalogue. It grows with the kinds of messages that are asked for: take one for a batch.
#[derive(Debug)]
pub struct Book<'c> {
    catalogue: &'c Catalogue,
    known: HashMap<Key, usize>,
    decisions: Vec<Decision>,
}

/// What makes one decision differ from another on one catalogue: whose message it is, where it goes, its class
/// of traffic, who had it and for what, whom it may probe, the rule that held, what it earns, who comes first, whom
/// it sees by an old judgement, and when. The sender, encoding and number count by the rule only.
///
/// **Invariant:** whatever of a question changes the ranking otherwise stands here.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    account: AccountId,
    network: Network,
    traffic_class: Option<TrafficClass>,
    tried: Vec<OperatorId>,
    paid: Vec<(Currency, Micros)>,
    probes: Vec<OperatorId>,
    rule: Option<(RoutingRuleId, u32)>,
    earned: Option<Earned>,
    first: Option<OperatorId>,
    /// Whom it sees by an old judgement.
    seen_of_old: usize,
    at: DateTime<Utc>,
}

impl Key {
    fn new(question: &Question<'_>, picked: &Picked<'_>, seen_of_old: usize) -> Self {
        Self {
            account: question.account,
            network: question.network,
            traffic_class: question.traffic_class,
            tried: question.tried.to_vec(),
            paid: question.paid.to_vec(),
            probes: question.probes.to_vec(),
            rule: picked.rule.map(|rule| (rule.id, rule.version)),
            earned: picked.earned,
            first: picked.first,
            seen_of_old,
            at: question.at,
        }
    }
}

impl<'c> Book<'c> {
    /// An empty book.
    pub fn new(catalogue: &'c Catalogue) -> Self {
        Self { catalogue, known: HashMap::default(), decisions: Vec::new() }
    }

    /// Chooses for a message. Answers the place of its decision in [`Book::decisions`].
    pub fn ask(&mut self, question: &Question<'_>) -> usize {
        let seen_of_old = self.catalogue.standings.get().seen_of_old(question.network, question.turn);
        let key = Key::new(question, &self.catalogue.pick(question), seen_of_old);
        *self.known.entry(key).or_insert_with(|| {
            self.decisions.push(self.catalogue.decide(question));
            self.decisions.len() - 1
        })
    }

    /// All different decisions, in the order in which they came up.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }
}
