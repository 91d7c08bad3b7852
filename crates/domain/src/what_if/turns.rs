//! Whose turn it is, for listed traffic: its messages have no ids whose random ends would share them out.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use foldhash::HashMap;

use crate::id::{AccountId, RoutingRuleId};
use crate::network::Network;
use crate::routing::rule::Strategy;
use crate::routing::{Picked, Question};
use crate::traffic::TrafficClass;

/// The turns that listed messages took by now, of both sides of a comparison. It grows with the kinds of messages.
#[derive(Debug, Default)]
pub struct Turns {
    taken: HashMap<Key, u64>,
}

/// Messages that have the same operators to share them out, on one side.
///
/// They count for themselves: one count of all would give every second message of a list the same operator, and with it
/// all of a network that is named in every second line.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    side: u8,
    rule: Option<(RoutingRuleId, u32)>,
    account: AccountId,
    network: Network,
    traffic_class: Option<TrafficClass>,
}

impl Turns {
    /// The question of the next message of its kind, with its turn. `picked` names the rule that holds for it.
    pub(super) fn next<'q>(&mut self, side: u8, question: &Question<'q>, picked: &Picked<'_>) -> Question<'q> {
        let key = Key {
            side,
            rule: picked.rule.map(|rule| (rule.id, rule.version)),
            account: question.account,
            network: question.network,
            traffic_class: question.traffic_class,
        };
        // Each kind begins somewhere else: many kinds of one message each are shared out, too.
        let begin = begin(&key);
        let turn = self.taken.entry(key).or_insert(begin);
        *turn = turn.wrapping_add(1);
        Question { turn: *turn, ..*question }
    }
}

/// The same for each side, so that a rule that both have gives a message to the same operator.
fn begin(key: &Key) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key.account, key.network, key.traffic_class).hash(&mut hasher);
    hasher.finish() >> 2
}

/// Whether operators take turns where this was picked.
pub(super) fn is_taken(picked: &Picked<'_>) -> bool {
    picked.rule.is_some_and(|rule| matches!(rule.body.then.strategy, Strategy::Weighted | Strategy::RoundRobin))
}
