//! One immutable picture of accounts, prices, prefixes, sender IDs, operators and rates, read from memory by
//! every request and every routing decision. It is replaced as a whole when something in it changes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use foldhash::{HashMap, HashSet};

use crate::account::Account;
use crate::fx::Fx;
use crate::id::{AccountId, PlanId};
use crate::live::Live;
use crate::lookup;
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::number::Number;
use crate::overrides::Overrides;
use crate::prefix::PrefixTrie;
use crate::reroute::Policy;
use crate::routing::margin::{Earned, Guards};
use crate::routing::rule::Rules;
use crate::routing::standing::Standings;
use crate::routing::{self, Decision, Offer, Operator, Picked, Question};
use crate::sender::Sender;
use crate::tariff::{Chain, Link, Rate, Tariff, in_force};
use crate::traffic::TrafficClass;
use crate::world::world;

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
    /// Sell prices by plan and network (or country; `None`: where the plan has no other).
    pub tariffs: HashMap<(PlanId, Option<Network>), Vec<Tariff>>,
    /// From number to network, as this installation says; the [world's](crate::world) stand behind them.
    pub prefixes: PrefixTrie,
    /// Numbers that moved to another network (portability), or were looked up.
    pub overrides: Overrides,
    /// Approved sender IDs, by [`Sender::key`].
    pub senders: HashSet<(AccountId, String)>,
    /// All operators. **Invariant:** sorted by id.
    pub operators: Vec<Operator>,
    /// Buy rates by network (or country), sorted by operator; see [`Catalogue::add_rate`].
    pub rates: HashMap<Network, Vec<Rate>>,
    /// Exchange rates.
    pub fx: Fx,
    /// Routing rules.
    pub rules: Rules,
    /// What is looked up for accounts, where something was agreed.
    pub lookups: HashMap<AccountId, lookup::Terms>,
    /// Who is asked for look-ups.
    pub lookup_provider: Option<Arc<lookup::Provider>>,
    /// How much messages must earn.
    pub guards: Guards,
    /// What accounts say about messages that an operator took and did not deliver; it holds for those below, too.
    pub reroutes: HashMap<AccountId, Policy>,
    /// How operators do: replaced every few seconds, while the rest stays.
    pub standings: Live<Standings>,
}

impl Catalogue {
    /// The network of a number: its override, or its prefix. `None`: no country has its calling code.
    pub fn network(&self, number: Number) -> Option<Network> {
        self.network_of(number, None)
    }

    /// The network of a number of which somebody was asked: an override goes before the answer, the answer before the prefix.
    pub fn network_of(&self, number: Number, looked_up: Option<Network>) -> Option<Network> {
        self.overrides.get(number.value()).or(looked_up).or_else(|| self.network_by_prefix(number))
    }

    /// Where a number began: the longest prefix of this installation, or the longest of the world's.
    pub fn network_by_prefix(&self, number: Number) -> Option<Network> {
        self.prefixes.longest(number.value()).or_else(|| world().network(number.value()))
    }

    /// Who pays for a message of `account` to `network`, and how much for a segment of this class of traffic.
    ///
    /// The house pays for its own messages only; it never pays for those of the accounts below it.
    pub fn chain(
        &self,
        account: AccountId,
        network: Network,
        class: Option<TrafficClass>,
        at: DateTime<Utc>,
    ) -> Result<Chain, PriceError> {
        let sender = self.accounts.get(&account).ok_or(PriceError::Suspended)?;
        let mut links = Vec::with_capacity(2);
        let mut payer = sender;
        for _ in 0..DEPTH_MAX {
            if payer.suspended {
                return Err(PriceError::Suspended);
            }
            if payer.parent.is_some() || links.is_empty() {
                links.push(self.link(payer, network, class, at)?);
            }
            match payer.parent {
                Some(parent) => payer = self.accounts.get(&parent).ok_or(PriceError::Suspended)?,
                None => return Ok(Chain { currency: sender.currency, links }),
            }
        }
        Err(PriceError::Suspended)
    }

    fn link(
        &self,
        payer: &Account,
        network: Network,
        class: Option<TrafficClass>,
        at: DateTime<Utc>,
    ) -> Result<Link, PriceError> {
        let plan = payer.plan.ok_or(PriceError::Unpriced)?;
        let tariff = self.tariff(plan, network, class, at).ok_or(PriceError::Unpriced)?;
        if tariff.currency != payer.currency {
            return Err(PriceError::Currency);
        }
        Ok(Link {
            account: payer.id,
            seller: payer.parent.unwrap_or(payer.id),
            tariff: tariff.id,
            price: tariff.price,
            charge_on: tariff.charge_on,
            on_unconfirmed: tariff.on_unconfirmed,
        })
    }

    /// The price of a plan that names most: for the network, its country, or anywhere; at each place that of the class
    /// before that of every class.
    pub fn tariff(
        &self,
        plan: PlanId,
        network: Network,
        class: Option<TrafficClass>,
        at: DateTime<Utc>,
    ) -> Option<&Tariff> {
        let country = network.mnc.is_some().then(|| network.country());
        let places = [Some(Some(network)), country.map(Some), Some(None)];
        places.into_iter().flatten().filter_map(|place| self.tariffs.get(&(plan, place))).find_map(|dated| {
            let holds = |own| dated.iter().find(|t| t.class == own && in_force(t.from, t.to, at));
            class.and_then(|class| holds(Some(class))).or_else(|| holds(None))
        })
    }

    /// What is looked up before messages of `account` are priced: its own policy, or the nearest above it.
    pub fn lookup_policy(&self, account: AccountId) -> lookup::Policy {
        if self.lookups.is_empty() {
            return lookup::Policy::Never;
        }
        self.above(account).iter().find_map(|id| self.lookups.get(id)?.policy).unwrap_or_default()
    }

    /// Who pays what for one look-up of `account`: each from it up to the house whose seller does not absorb it. The house
    /// pays nobody.
    pub fn lookup_charges(&self, account: AccountId) -> Vec<lookup::Charge> {
        let charge = |payer: &AccountId| {
            let seller = self.accounts.get(payer)?.parent?;
            let price = self.lookups.get(payer)?.price;
            (price > Micros::ZERO).then_some(lookup::Charge { payer: *payer, seller, price })
        };
        self.above(account).iter().filter_map(charge).collect()
    }

    /// May `account` send as `sender`?
    pub fn sender_allowed(&self, account: AccountId, sender: &Sender) -> bool {
        self.accounts.get(&account).is_some_and(|a| a.any_sender) || self.senders.contains(&(account, sender.key()))
    }

    /// Ranks the operators for a message, by the first rule that fits it, with reasons.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let standings = self.standings.get();
        routing::decide((self.version, standings.at(question.network)), question, &self.offer(question))
    }

    /// Who carries a message: the choice that [`Catalogue::decide`] explains.
    pub fn pick(&self, question: &Question<'_>) -> Picked<'_> {
        routing::pick(self.standings.get().at(question.network), question, &self.offer(question))
    }

    fn offer(&self, question: &Question<'_>) -> Offer<'_> {
        let above = self.above(question.account);
        let plan = self.accounts.get(&question.account).and_then(|account| account.plan);
        let network = question.network;
        let rates = |network| self.rates.get(&network).map(Vec::as_slice).unwrap_or_default();
        let earned = |at| self.earned_of(&above, network, question.traffic_class, at);
        // Where nobody says what it was accepted at, its price may be forgotten by now; that of now is the best guess.
        let earned = question.earned.or_else(|| earned(question.priced_at)).or_else(|| earned(question.at));
        let rule = self.rules.first(question, &above, plan);
        let by_account = || above.iter().find_map(|account| self.reroutes.get(account)).copied();
        Offer {
            operators: &self.operators,
            exact: rates(network),
            // A rate for the network itself goes before one for its country, per operator.
            country: if network.mnc.is_some() { rates(network.country()) } else { &[] },
            rule,
            watch: earned.map(|earned| (earned, self.guards.watch(earned, &above, network, question.at))),
            reroute: rule.and_then(|rule| rule.body.then.reroute).or_else(by_account),
            currency: earned.map_or_else(|| self.currency_of(question.account), |earned| earned.currency),
            fx: &self.fx,
        }
    }

    /// The currency that an account pays in; of one that is not known, that of the house.
    fn currency_of(&self, account: AccountId) -> Currency {
        let house = || self.accounts.values().find(|account| account.parent.is_none());
        let account = self.accounts.get(&account).or_else(house);
        account.map_or(Currency::NONE, |account| account.currency)
    }

    /// Adds a sell price of a plan for a network, or a country; `None`: where the plan has no other.
    pub fn add_tariff(&mut self, plan: PlanId, place: Option<Network>, tariff: Tariff) {
        self.tariffs.entry((plan, place)).or_default().push(tariff);
    }

    /// Adds a buy rate for a network, or a country.
    pub fn add_rate(&mut self, network: Network, rate: Rate) {
        let rates = self.rates.entry(network).or_default();
        let at = rates.partition_point(|other| other.operator <= rate.operator);
        rates.insert(at, rate);
    }

    /// What the house earns for a segment of `account` that was priced at `at`: what the account right below the house
    /// pays. `None` for the house's own messages, and where nobody knows.
    pub fn earned(
        &self,
        account: AccountId,
        network: Network,
        class: Option<TrafficClass>,
        at: DateTime<Utc>,
    ) -> Option<Earned> {
        self.earned_of(&self.above(account), network, class, at)
    }

    fn earned_of(
        &self,
        above: &[AccountId],
        network: Network,
        class: Option<TrafficClass>,
        at: DateTime<Utc>,
    ) -> Option<Earned> {
        let [.., top, _] = above else { return None };
        let top = self.accounts.get(top)?;
        let link = self.link(top, network, class, at).ok()?;
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
    use crate::tariff::{ChargeOn, OnUnconfirmed};

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
            class: None,
            price: Micros::new(price),
            currency: "UZS".parse().unwrap(),
            charge_on: ChargeOn::Submit,
            on_unconfirmed: OnUnconfirmed::Release,
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
            catalogue.add_tariff(*plan, Some(country), tariff(price, 0, None));
        }
        for tariff in [tariff(90, 0, Some(100)), tariff(95, 100, None)] {
            catalogue.add_tariff(plans[2], "43405".parse().ok(), tariff);
        }
        (catalogue, [house, reseller, client])
    }

    fn prices(catalogue: &Catalogue, account: &Account, network: &str, at: i64) -> Result<Vec<i64>, PriceError> {
        let at = DateTime::from_timestamp(at, 0).unwrap();
        let chain = catalogue.chain(account.id, network.parse().unwrap(), None, at)?;
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
    fn the_price_that_names_most_of_a_message_holds() {
        let plan = PlanId::generate();
        let otp: TrafficClass = "otp".parse().unwrap();
        let mut catalogue = Catalogue::default();
        // Added from the least to the most special: each row takes over where it fits, and nowhere else.
        let steps: [(Option<&str>, Option<TrafficClass>, [i64; 6]); 6] = [
            (None, None, [1, 1, 1, 1, 1, 1]),
            (None, Some(otp), [2, 2, 2, 1, 1, 1]),
            (Some("434"), None, [3, 3, 2, 3, 3, 1]),
            (Some("434"), Some(otp), [4, 4, 2, 3, 3, 1]),
            (Some("43405"), None, [5, 4, 2, 5, 3, 1]),
            (Some("43405"), Some(otp), [6, 4, 2, 5, 3, 1]),
        ];
        for (step, (place, class, expected)) in (1..).zip(steps) {
            let place = place.map(|place| place.parse().unwrap());
            catalogue.add_tariff(plan, place, Tariff { class, ..tariff(step, 0, None) });
            let price = |class, to: &str| {
                let found = catalogue.tariff(plan, to.parse().unwrap(), class, DateTime::UNIX_EPOCH);
                found.map_or(0, |tariff| tariff.price.get())
            };
            let networks = ["43405", "434", "25001"];
            let with = networks.map(|to| price(Some(otp), to));
            let without = networks.map(|to| price("marketing".parse().ok().filter(|_| step % 2 == 0), to));
            assert_eq!([with, without].concat(), expected, "step {step}");
        }
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
        let number = Number::parse("998901234567").unwrap();
        assert_eq!(catalogue.network(number), "43404".parse().ok(), "the world knows it");
        catalogue.prefixes.insert("998", "43407".parse().unwrap());
        assert_eq!(catalogue.network(number), "43407".parse().ok(), "one's own prefix goes before the world's");
        catalogue.overrides = catalogue.overrides.with([(number.value(), "43405".parse().ok())], 1);
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
    #[test]
    fn look_ups_are_agreed_down_the_tree_and_paid_up_to_the_house() {
        let (mut catalogue, [house, reseller, client]) = house();
        let terms = |policy, price| lookup::Terms { policy, price: Micros::new(price) };
        let state = |catalogue: &Catalogue, account: &Account| {
            let paid = catalogue.lookup_charges(account.id);
            (
                catalogue.lookup_policy(account.id),
                paid.iter().map(|c| (c.payer, c.seller, c.price.get())).collect::<Vec<_>>(),
            )
        };
        assert_eq!(state(&catalogue, &client), (lookup::Policy::Never, vec![]));
        catalogue.lookups.insert(house.id, terms(Some(lookup::Policy::Always), 5));
        assert_eq!(state(&catalogue, &client), (lookup::Policy::Always, vec![]), "the house pays nobody");
        catalogue.lookups.insert(reseller.id, terms(None, 7));
        assert_eq!(state(&catalogue, &client), (lookup::Policy::Always, vec![(reseller.id, house.id, 7)]));
        catalogue.lookups.insert(client.id, terms(Some(lookup::Policy::Cached), 9));
        let both = vec![(client.id, reseller.id, 9), (reseller.id, house.id, 7)];
        assert_eq!(state(&catalogue, &client), (lookup::Policy::Cached, both));
    }

    #[test]
    fn an_override_goes_before_a_look_up_and_a_look_up_before_the_prefix() {
        let (mut catalogue, _) = house();
        let number = Number::parse("998931234567").unwrap();
        let network = |code: &str| code.parse().ok();
        assert_eq!(catalogue.network_of(number, None), network("43405"));
        assert_eq!(catalogue.network_of(number, network("43408")), network("43408"));
        catalogue.overrides = catalogue.overrides.with([(number.value(), network("43404"))], 1);
        assert_eq!(catalogue.network_of(number, network("43408")), network("43404"));
    }
}
