//! All rules, found by what they ask for, so that a thousand of them cost a decision little.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};

use foldhash::HashMap;

use super::Question;
use super::rule::{Rule, When};
use crate::id::{AccountId, PlanId};
use crate::network::Mcc;
use crate::tariff::in_force;

/// Rules by position, and lists of their places by the most special thing that they ask for.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    all: Vec<Rule>,
    by_account: HashMap<AccountId, Vec<usize>>,
    /// By a hash of the sender in small letters: another sender with the same hash is sorted out by [`When::fits`].
    by_sender: HashMap<u64, Vec<usize>>,
    /// By the length of the prefix, then by its digits.
    by_prefix: BTreeMap<usize, HashMap<String, Vec<usize>>>,
    by_country: HashMap<Mcc, Vec<usize>>,
    by_plan: HashMap<PlanId, Vec<usize>>,
    others: Vec<usize>,
}

impl Rules {
    /// Sorts and indexes rules. Of equal positions the older rule comes first.
    pub fn new(mut all: Vec<Rule>) -> Self {
        all.sort_by_key(|rule| (rule.position, rule.id, rule.version));
        let mut rules = Self::default();
        for (at, rule) in all.iter().enumerate() {
            rules.index(at, &rule.body.when);
        }
        Self { all, ..rules }
    }

    fn index(&mut self, at: usize, when: &When) {
        if !when.accounts.is_empty() {
            for account in when.accounts.iter().collect::<BTreeSet<_>>() {
                self.by_account.entry(*account).or_default().push(at);
            }
        } else if !when.senders.is_empty() && when.senders.iter().all(|sender| !sender.ends_with('*')) {
            for sender in when.senders.iter().map(|sender| hash(sender)).collect::<BTreeSet<_>>() {
                self.by_sender.entry(sender).or_default().push(at);
            }
        } else if !when.prefixes.is_empty() {
            for prefix in when.prefixes.iter().collect::<BTreeSet<_>>() {
                let of_length = self.by_prefix.entry(prefix.len()).or_default();
                of_length.entry(prefix.clone()).or_default().push(at);
            }
        } else if !when.networks.is_empty() {
            for country in when.networks.iter().map(|network| network.mcc).collect::<BTreeSet<_>>() {
                self.by_country.entry(country).or_default().push(at);
            }
        } else if !when.plans.is_empty() {
            for plan in when.plans.iter().collect::<BTreeSet<_>>() {
                self.by_plan.entry(*plan).or_default().push(at);
            }
        } else {
            self.others.push(at);
        }
    }

    /// All rules, by position.
    pub fn all(&self) -> &[Rule] {
        &self.all
    }

    /// The rule that holds for a message. `above` are its account and those above it.
    pub fn first(&self, question: &Question<'_>, above: &[AccountId], plan: Option<PlanId>) -> Option<&Rule> {
        if self.all.is_empty() {
            return None;
        }
        let by_account = above.iter().filter_map(|account| self.by_account.get(account));
        let by_sender = (!self.by_sender.is_empty()).then(|| self.by_sender.get(&hash(question.sender))).flatten();
        let by_country = self.by_country.get(&question.network.mcc);
        let by_plan = plan.and_then(|plan| self.by_plan.get(&plan));
        let lists = by_account.chain(by_sender).chain(by_country).chain(by_plan).chain([&self.others]);
        let fits = |at: &&usize| {
            self.all.get(**at).is_some_and(|rule| {
                in_force(rule.from, rule.to, question.at) && rule.body.when.fits(question, above, plan)
            })
        };
        let first = lists.chain(self.prefixed(question)).filter_map(|list| list.iter().find(fits)).min()?;
        self.all.get(*first)
    }

    fn prefixed(&self, question: &Question<'_>) -> impl Iterator<Item = &Vec<usize>> {
        let digits = if self.by_prefix.is_empty() { String::new() } else { question.to.digits() };
        self.by_prefix.iter().filter_map(move |(length, list)| list.get(digits.get(..*length)?))
    }
}

/// Of a sender in any case.
fn hash(sender: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    sender.bytes().for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
    hasher.finish()
}
