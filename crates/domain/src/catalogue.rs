//! One immutable picture of accounts, prices, prefixes, sender IDs, operators and rates, read from memory by
//! every request and every routing decision. It is replaced as a whole when something in it changes.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::account::Account;
use crate::id::{AccountId, PlanId};
use crate::network::Network;
use crate::number::Number;
use crate::prefix::PrefixTrie;
use crate::routing::margin::{Earned, Guards};
use crate::routing::rule::Rules;
use crate::routing::{self, Decision, Offer, Operator, Picked, Question};
use crate::sender::Sender;
use crate::tariff::{Chain, Link, Rate, Tariff, in_force};

/// Levels of accounts above a sender; deeper trees are refused when they are made.
pub const DEPTH_MAX: usize = 16;

/// Why a message cannot be priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The account, or one above it, is not known or not in force.
    #[error("the account or one above it is suspended")]
    Suspended,
    /// A plan in the chain has no price in force for the network.
    #[error("no price is in force for the destination")]
    Unpriced,
    /// A plan in the chain is in another currency than the wallet.
    #[error("the price is in another currency than the wallet")]
    Currency,
}

/// Everything that pricing and routing read.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Grows with every change.
    pub version: i64,
    /// Accounts by id.
    pub accounts: HashMap<AccountId, Account>,
    /// Sell prices by plan and network (or country).
    pub tariffs: HashMap<(PlanId, Network), Vec<Tariff>>,
    /// From number to network.
    pub prefixes: PrefixTrie,
    /// Numbers that moved to another network (portability), or were looked up.
    pub overrides: HashMap<u64, Network>,
    /// Approved sender IDs, by [`Sender::key`].
    pub senders: HashSet<(AccountId, String)>,
    /// All operators. **Invariant:** sorted by id.
    pub operators: Vec<Operator>,
    /// Buy rates by network (or country), sorted by operator; see [`Catalogue::add_rate`].
    pub rates: HashMap<Network, Vec<Rate>>,
    /// Routing rules.
    pub rules: Rules,
    /// How much messages must earn.
    pub guards: Guards,
}

impl Catalogue {
    /// The network of a number: its override, or the longest prefix. `None`: nobody sells there.
    pub fn network(&self, number: Number) -> Option<Network> {
        self.overrides.get(&number.value()).copied().or_else(|| self.prefixes.longest(number.value()))
    }

    /// Who pays for a message of `account` to `network`, and how much for a segment.
    ///
    /// The house pays for its own messages only; it never pays for those of the accounts below it.
    pub fn chain(&self, account: AccountId, network: Network, at: DateTime<Utc>) -> Result<Chain, PriceError> {
        let sender = self.accounts.get(&account).ok_or(PriceError::Suspended)?;
        let mut links = Vec::with_capacity(2);
        let mut payer = sender;
        for _ in 0..DEPTH_MAX {
            if payer.suspended {
                return Err(PriceError::Suspended);
            }
            if payer.parent.is_some() || links.is_empty() {
                links.push(self.link(payer, network, at)?);
            }
            match payer.parent {
                Some(parent) => payer = self.accounts.get(&parent).ok_or(PriceError::Suspended)?,
                None => return Ok(Chain { currency: sender.currency, links }),
            }
        }
        Err(PriceError::Suspended)
    }

    fn link(&self, payer: &Account, network: Network, at: DateTime<Utc>) -> Result<Link, PriceError> {
        let plan = payer.plan.ok_or(PriceError::Unpriced)?;
        let tariff = self.tariff(plan, network, at).ok_or(PriceError::Unpriced)?;
        if tariff.currency != payer.currency {
            return Err(PriceError::Currency);
        }
        Ok(Link {
            account: payer.id,
            seller: payer.parent.unwrap_or(payer.id),
            tariff: tariff.id,
            price: tariff.price,
            charge_on: tariff.charge_on,
        })
    }

    /// The price of a plan for a network, or for its country where the network has none.
    pub fn tariff(&self, plan: PlanId, network: Network, at: DateTime<Utc>) -> Option<&Tariff> {
        [network, network.country()]
            .iter()
            .filter_map(|place| self.tariffs.get(&(plan, *place)))
            .find_map(|dated| dated.iter().find(|t| in_force(t.from, t.to, at)))
    }

    /// May `account` send as `sender`?
    pub fn sender_allowed(&self, account: AccountId, sender: &Sender) -> bool {
        self.accounts.get(&account).is_some_and(|a| a.any_sender) || self.senders.contains(&(account, sender.key()))
    }

    /// Ranks the operators for a message, by the first rule that fits it, with reasons.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        routing::decide(self.version, question, &self.offer(question))
    }

    /// Who carries a message: the choice that [`Catalogue::decide`] explains.
    pub fn pick(&self, question: &Question<'_>) -> Picked<'_> {
        routing::pick(question, &self.offer(question))
    }

    fn offer(&self, question: &Question<'_>) -> Offer<'_> {
        let above = self.above(question.account);
        let plan = self.accounts.get(&question.account).and_then(|account| account.plan);
        let network = question.network;
        let rates = |network| self.rates.get(&network).map(Vec::as_slice).unwrap_or_default();
        let earned = |at| self.earned_of(&above, network, at);
        // The price of a message that waited for days may be forgotten by now; that of now is the best guess.
        let earned = earned(question.priced_at).or_else(|| earned(question.at));
        Offer {
            operators: &self.operators,
            exact: rates(network),
            // A rate for the network itself goes before one for its country, per operator.
            country: if network.mnc.is_some() { rates(network.country()) } else { &[] },
            rule: self.rules.first(question, &above, plan),
            watch: earned.map(|earned| (earned, self.guards.watch(earned, &above, network, question.at))),
        }
    }

    /// Adds a buy rate for a network, or a country.
    pub fn add_rate(&mut self, network: Network, rate: Rate) {
        let rates = self.rates.entry(network).or_default();
        let at = rates.partition_point(|other| other.operator <= rate.operator);
        rates.insert(at, rate);
    }

    /// What the house earns for a segment of `account` that was priced at `at`: what the account right below the house
    /// pays. `None` for the house's own messages, and where nobody knows.
    pub fn earned(&self, account: AccountId, network: Network, at: DateTime<Utc>) -> Option<Earned> {
        self.earned_of(&self.above(account), network, at)
    }

    fn earned_of(&self, above: &[AccountId], network: Network, at: DateTime<Utc>) -> Option<Earned> {
        let [.., top, _] = above else { return None };
        let top = self.accounts.get(top)?;
        let link = self.link(top, network, at).ok()?;
        Some(Earned { price: link.price, currency: top.currency })
    }

    /// An account and those above it, from below.
    pub fn above(&self, account: AccountId) -> Vec<AccountId> {
        let mut above = Vec::with_capacity(2);
        let mut next = Some(account);
        while let Some(id) = next.filter(|_| above.len() <= DEPTH_MAX) {
            above.push(id);
            next = self.accounts.get(&id).and_then(|account| account.parent);
        }
        above
    }

    /// `account` is `ancestor` or lies below it.
    pub fn is_within(&self, account: AccountId, ancestor: AccountId) -> bool {
        let mut at = Some(account);
        for _ in 0..=DEPTH_MAX {
            match at {
                Some(id) if id == ancestor => return true,
                Some(id) => at = self.accounts.get(&id).and_then(|a| a.parent),
                None => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Role;
    use crate::id::TariffId;
    use crate::money::Micros;
    use crate::tariff::ChargeOn;

    fn account(parent: Option<AccountId>, plan: Option<PlanId>) -> Account {
        Account {
            id: AccountId::generate(),
            parent,
            role: Role::Client,
            plan,
            currency: "UZS".parse().unwrap(),
            suspended: false,
            segments_per_second: None,
            any_sender: false,
        }
    }

    fn tariff(price: i64, from: i64, to: Option<i64>) -> Tariff {
        Tariff {
            id: TariffId::generate(),
            price: Micros::new(price),
            currency: "UZS".parse().unwrap(),
            charge_on: ChargeOn::Submit,
            from: DateTime::from_timestamp(from, 0).unwrap(),
            to: to.and_then(|t| DateTime::from_timestamp(t, 0)),
        }
    }

    /// house ← reseller ← client, each with a plan of its own.
    fn house() -> (Catalogue, [Account; 3]) {
        let plans = [PlanId::generate(), PlanId::generate(), PlanId::generate()];
        let house = account(None, Some(plans[0]));
        let reseller = account(Some(house.id), Some(plans[1]));
        let client = account(Some(reseller.id), Some(plans[2]));
        let mut catalogue = Catalogue::default();
        for a in [&house, &reseller, &client] {
            catalogue.accounts.insert(a.id, a.clone());
        }
        let country: Network = "434".parse().unwrap();
        for (plan, price) in plans.iter().zip([1, 60, 80]) {
            catalogue.tariffs.insert((*plan, country), vec![tariff(price, 0, None)]);
        }
        catalogue
            .tariffs
            .insert((plans[2], "43405".parse().unwrap()), vec![tariff(90, 0, Some(100)), tariff(95, 100, None)]);
        (catalogue, [house, reseller, client])
    }

    fn prices(catalogue: &Catalogue, account: &Account, network: &str, at: i64) -> Result<Vec<i64>, PriceError> {
        let at = DateTime::from_timestamp(at, 0).unwrap();
        let chain = catalogue.chain(account.id, network.parse().unwrap(), at)?;
        Ok(chain.links.iter().map(|l| l.price.get()).collect())
    }

    #[test]
    fn every_payer_below_the_house_pays_its_own_price() {
        let (catalogue, [house, reseller, client]) = house();
        assert_eq!(prices(&catalogue, &client, "43404", 5), Ok(vec![80, 60]));
        assert_eq!(prices(&catalogue, &client, "43405", 99), Ok(vec![90, 60]));
        assert_eq!(prices(&catalogue, &client, "43405", 100), Ok(vec![95, 60]));
        assert_eq!(prices(&catalogue, &reseller, "43405", 5), Ok(vec![60]));
        assert_eq!(prices(&catalogue, &house, "43405", 5), Ok(vec![1]));
        assert_eq!(prices(&catalogue, &client, "25001", 5), Err(PriceError::Unpriced));
    }

    #[test]
    fn a_suspended_ancestor_stops_everybody_below() {
        let (mut catalogue, [_, reseller, client]) = house();
        catalogue.accounts.get_mut(&reseller.id).unwrap().suspended = true;
        assert_eq!(prices(&catalogue, &client, "43404", 5), Err(PriceError::Suspended));
    }

    #[test]
    fn an_override_beats_the_prefix() {
        let (mut catalogue, _) = house();
        catalogue.prefixes.insert("99890", "43404".parse().unwrap());
        let number = Number::parse("998901234567").unwrap();
        assert_eq!(catalogue.network(number), "43404".parse().ok());
        catalogue.overrides.insert(number.value(), "43405".parse().unwrap());
        assert_eq!(catalogue.network(number), "43405".parse().ok());
    }

    #[test]
    fn subtrees() {
        let (catalogue, [house, reseller, client]) = house();
        for (account, ancestor, expected) in [
            (client.id, house.id, true),
            (client.id, reseller.id, true),
            (client.id, client.id, true),
            (reseller.id, client.id, false),
            (AccountId::generate(), house.id, false),
        ] {
            assert_eq!(catalogue.is_within(account, ancestor), expected);
        }
    }
}
