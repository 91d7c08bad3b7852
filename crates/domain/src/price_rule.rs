//! Sell prices made from costs: the cost and a margin on it, rounded up to a step.

use crate::money::Micros;
use crate::network::Network;
use crate::traffic::TrafficClass;

/// How a price comes from a cost. Of several rules for a network, that of the network goes before that of its country, and
/// that before one for all; at each place that of the class of traffic before that of every class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRule {
    /// For this network, or country; `None`: for all.
    pub network: Option<Network>,
    /// For this class of traffic; `None`: for every class that has no rule of its own there.
    pub class: Option<TrafficClass>,
    /// So many thousandths of the cost on top of it.
    pub margin_permille: u32,
    /// And this.
    pub add: Micros,
    /// Never below this.
    pub min: Micros,
    /// A whole multiple of this; at least one micro.
    pub step: Micros,
}

impl PriceRule {
    /// The price for a cost: cost and margin, rounded up once to the step, so that the margin is never less than said.
    /// `None`: above [`Micros::PRICE_MAX`].
    pub fn price(&self, cost: Micros) -> Option<Micros> {
        let cost = i128::from(cost.get());
        let thousandths = cost * (1000 + i128::from(self.margin_permille)) + i128::from(self.add.get()) * 1000;
        let thousandths = thousandths.max(i128::from(self.min.get()) * 1000);
        let step = i128::from(self.step.get().max(1)) * 1000;
        let steps = thousandths / step + i128::from(thousandths % step > 0);
        let price = i64::try_from(steps * step / 1000).ok().map(Micros::new);
        price.filter(|price| *price <= Micros::PRICE_MAX)
    }
}

/// The rule that holds for traffic of a class to a network.
pub fn rule_for(rules: &[PriceRule], network: Network, class: Option<TrafficClass>) -> Option<&PriceRule> {
    let places = [Some(network), Some(network.country()), None];
    places.iter().find_map(|place| {
        let holds = |own| rules.iter().find(|rule| rule.network == *place && rule.class == own);
        class.and_then(|class| holds(Some(class))).or_else(|| holds(None))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(margin_permille: u32, add: i64, min: i64, step: i64) -> PriceRule {
        let [add, min, step] = [add, min, step].map(Micros::new);
        PriceRule { network: None, class: None, margin_permille, add, min, step }
    }

    #[test]
    fn prices_are_cost_and_margin_rounded_up() {
        let rows = [
            (rule(0, 0, 0, 1), 45_000, 45_000),
            (rule(200, 0, 0, 1), 45_000, 54_000),
            (rule(200, 500, 0, 1), 45_000, 54_500),
            (rule(333, 0, 0, 1), 10, 14),
            (rule(200, 0, 0, 1_000), 45_001, 55_000),
            (rule(200, 0, 0, 1_000), 45_000, 54_000),
            (rule(0, 0, 60_000, 1), 45_000, 60_000),
            (rule(0, 0, 60_500, 1_000), 45_000, 61_000),
            (rule(0, 0, 0, 0), 7, 7),
        ];
        for (rule, cost, expected) in rows {
            assert_eq!(rule.price(Micros::new(cost)), Some(Micros::new(expected)), "{rule:?} of {cost}");
        }
        assert_eq!(rule(u32::MAX, 0, 0, 1).price(Micros::new(i64::MAX)), None);
        assert_eq!(rule(0, 0, 0, 1).price(Micros::PRICE_MAX), Some(Micros::PRICE_MAX));
        assert_eq!(rule(0, 1, 0, 1).price(Micros::PRICE_MAX), None);
    }

    #[test]
    fn the_most_special_rule_holds() {
        let otp: Option<TrafficClass> = "otp".parse().ok();
        let at = |network: Option<&str>, class, add| PriceRule {
            network: network.and_then(|n| n.parse().ok()),
            class,
            ..rule(0, add, 0, 1)
        };
        let rules = [
            at(None, None, 1),
            at(Some("434"), None, 2),
            at(Some("43405"), None, 3),
            at(Some("434"), otp, 4),
            at(None, otp, 5),
        ];
        let rows = [
            ("43405", None, 3),
            ("43404", None, 2),
            ("434", None, 2),
            ("25001", None, 1),
            ("43405", otp, 3),
            ("43404", otp, 4),
            ("25001", otp, 5),
            ("43404", "ads".parse().ok(), 2),
        ];
        for (network, class, expected) in rows {
            let found = rule_for(&rules, network.parse().unwrap(), class).unwrap();
            assert_eq!(found.add.get(), expected, "{network} {class:?}");
        }
        assert_eq!(rule_for(&rules[1..4], "25001".parse().unwrap(), None), None);
    }

    proptest! {
        #[test]
        fn the_margin_is_never_less_than_said(
            cost in 0_i64..1_000_000_000, permille in 0_u32..5_000, add in 0_i64..1_000_000, min in 0_i64..1_000_000, step in 1_i64..10_000,
        ) {
            let rule = rule(permille, add, min, step);
            let price = rule.price(Micros::new(cost)).unwrap().get();
            let asked = i128::from(cost) * i128::from(1000 + permille) + i128::from(add) * 1000;
            let floor = asked.max(i128::from(min) * 1000);
            prop_assert!(i128::from(price) * 1000 >= floor);
            prop_assert!(i128::from(price - step) * 1000 < floor, "and not a step more than needed");
            prop_assert_eq!(price % step, 0);
        }
    }
}
