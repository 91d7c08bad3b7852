//! Hold, capture, release: what each wallet of a price chain owes at each step of a message.
//!
//! **Invariant:** over the life of a message, captured + released = held for every link of its chain, and
//! each step settles a segment at most once.

use crate::id::AccountId;
use crate::money::Micros;
use crate::tariff::{Chain, ChargeOn, Link};

/// What one step does to one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Whose wallet.
    pub account: AccountId,
    /// Whose revenue the captured part is.
    pub seller: AccountId,
    /// Taken from the wallet.
    pub captured: Micros,
    /// No longer held, and not taken.
    pub released: Micros,
}

/// A step that settles money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The submit ended: the operator accepted so many of the message's segments.
    Submitted {
        /// Segments answered with `ESME_ROK`.
        accepted: u16,
    },
    /// The final receipt came, or the wait for it is over.
    Final {
        /// Segments that had been accepted.
        accepted: u16,
        /// Is the outcome charged where a tariff charges on delivery?
        billable: bool,
    },
    /// The message ends before any submit.
    Withdrawn,
}

/// What must be held for a message of `segments`: one amount for each link.
/// `None` when an amount leaves the range of the type.
pub fn hold(chain: &Chain, segments: u16) -> Option<Vec<(AccountId, Micros)>> {
    chain.links.iter().map(|link| Some((link.account, link.price.times(segments)?))).collect()
}

/// What `step` settles for a message of `segments`. Links that the step does not concern are left out.
pub fn settle(chain: &Chain, segments: u16, step: Step) -> Vec<Movement> {
    chain.links.iter().filter_map(|link| settle_link(link, segments, step)).collect()
}

/// How many segments of an ended message `link` has paid for: what a refund can give back at most.
pub fn captured_segments(link: &Link, accepted: u16, billable: bool) -> u16 {
    match link.charge_on {
        ChargeOn::Submit => accepted,
        ChargeOn::Delivered if billable => accepted,
        ChargeOn::Delivered => 0,
    }
}

fn settle_link(link: &Link, segments: u16, step: Step) -> Option<Movement> {
    let (captured, released) = match (step, link.charge_on) {
        (Step::Withdrawn, _) => (0, segments),
        (Step::Submitted { accepted }, ChargeOn::Submit) => (accepted, segments.saturating_sub(accepted)),
        (Step::Submitted { accepted }, ChargeOn::Delivered) => (0, segments.saturating_sub(accepted)),
        (Step::Final { .. }, ChargeOn::Submit) => return None,
        (Step::Final { accepted, billable: true }, ChargeOn::Delivered) => (accepted, 0),
        (Step::Final { accepted, billable: false }, ChargeOn::Delivered) => (0, accepted),
    };
    if captured == 0 && released == 0 {
        return None;
    }
    // The hold was checked at accept: price × all segments fits, so each part of it does.
    Some(Movement {
        account: link.account,
        seller: link.seller,
        captured: link.price.times(captured).unwrap_or_default(),
        released: link.price.times(released).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TariffId;
    use proptest::prelude::*;

    fn chain(prices: &[(i64, ChargeOn)]) -> Chain {
        let link = |(price, charge_on): &(i64, ChargeOn)| Link {
            account: AccountId::generate(),
            seller: AccountId::generate(),
            tariff: TariffId::generate(),
            price: Micros::new(*price),
            charge_on: *charge_on,
        };
        Chain { currency: "UZS".parse().unwrap(), links: prices.iter().map(link).collect() }
    }

    fn totals(movements: &[Movement], account: AccountId) -> (i64, i64) {
        movements
            .iter()
            .filter(|m| m.account == account)
            .fold((0, 0), |(c, r), m| (c + m.captured.get(), r + m.released.get()))
    }

    #[test]
    fn each_step_by_charge_on() {
        use ChargeOn::{Delivered, Submit};
        let rows = [
            (Submit, Step::Submitted { accepted: 3 }, (30, 0)),
            (Submit, Step::Submitted { accepted: 1 }, (10, 20)),
            (Submit, Step::Submitted { accepted: 0 }, (0, 30)),
            (Submit, Step::Final { accepted: 3, billable: false }, (0, 0)),
            (Submit, Step::Withdrawn, (0, 30)),
            (Delivered, Step::Submitted { accepted: 3 }, (0, 0)),
            (Delivered, Step::Submitted { accepted: 2 }, (0, 10)),
            (Delivered, Step::Final { accepted: 2, billable: true }, (20, 0)),
            (Delivered, Step::Final { accepted: 2, billable: false }, (0, 20)),
            (Delivered, Step::Withdrawn, (0, 30)),
        ];
        for (charge_on, step, expected) in rows {
            let chain = chain(&[(10, charge_on)]);
            let found = totals(&settle(&chain, 3, step), chain.links[0].account);
            assert_eq!(found, expected, "{charge_on:?} {step:?}");
        }
    }

    proptest! {
        #[test]
        fn a_life_settles_exactly_what_was_held(
            prices in prop::collection::vec((0_i64..1_000_000_000, any::<bool>()), 1..5),
            segments in 1_u16..=255, accepted in 0_u16..=255, billable in any::<bool>(), withdrawn in any::<bool>(),
        ) {
            let accepted = accepted.min(segments);
            let rule = |d: bool| if d { ChargeOn::Delivered } else { ChargeOn::Submit };
            let chain = chain(&prices.iter().map(|(p, d)| (*p, rule(*d))).collect::<Vec<_>>());
            let mut movements = Vec::new();
            if withdrawn {
                movements.extend(settle(&chain, segments, Step::Withdrawn));
            } else {
                movements.extend(settle(&chain, segments, Step::Submitted { accepted }));
                movements.extend(settle(&chain, segments, Step::Final { accepted, billable }));
            }
            for ((account, held), link) in hold(&chain, segments).unwrap().into_iter().zip(&chain.links) {
                let (captured, released) = totals(&movements, account);
                prop_assert_eq!(captured + released, held.get());
                let paid = if withdrawn { 0 } else { captured_segments(link, accepted, billable) };
                prop_assert_eq!(link.price.times(paid).unwrap().get(), captured);
                prop_assert!(captured >= 0 && released >= 0);
            }
        }
    }
}
