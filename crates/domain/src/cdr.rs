//! What a viewer may see of the money of a message: its own price, and what it earned from the level right below. Nobody
//! sees the margin of another level.

use crate::id::{AccountId, TariffId};
use crate::money::Micros;
use crate::settlement::{Ended, captured_segments};
use crate::tariff::{Chain, ChargeOn, Link};

/// An amount and the tariff that it follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Of one segment.
    pub unit: Micros,
    /// In total.
    pub total: Micros,
    /// The row of the tariff.
    pub tariff: TariffId,
    /// When it is taken.
    pub charge_on: ChargeOn,
}

/// The money of one message in the eyes of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shares {
    /// What the sender pays where the viewer sent it itself; else what the account right below the viewer paid it.
    pub price: Option<Share>,
    /// What the viewer paid its own seller for the message of somebody below it. The house pays operators, not this.
    pub cost: Option<Share>,
}

/// What `viewer` may see. `None` in both where it has no part in the chain.
pub fn shares(chain: &Chain, viewer: AccountId, ended: Ended) -> Shares {
    let own = chain.links.iter().position(|link| link.account == viewer);
    let sold = chain.links.iter().find(|link| link.seller == viewer && link.account != viewer);
    match (own, sold) {
        // The sender itself.
        (Some(0), _) => Shares { price: chain.links.first().and_then(|link| share(link, ended)), cost: None },
        (own, sold) => Shares {
            price: sold.and_then(|link| share(link, ended)),
            cost: own.and_then(|at| share(&chain.links[at], ended)),
        },
    }
}

fn share(link: &Link, ended: Ended) -> Option<Share> {
    let total = link.price.times(captured_segments(link, ended))?;
    Some(Share { unit: link.price, total, tariff: link.tariff, charge_on: link.charge_on })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settlement::Outcome;
    use crate::tariff::OnUnconfirmed;

    #[test]
    fn each_sees_its_own_price_and_what_it_earned() {
        let [house, top, below, client] = [(); 4].map(|()| AccountId::generate());
        let link = |account, seller, price, charge_on| Link {
            account,
            seller,
            tariff: TariffId::generate(),
            price: Micros::new(price),
            charge_on,
            on_unconfirmed: OnUnconfirmed::Release,
        };
        let links = vec![
            link(client, below, 9, ChargeOn::Delivered),
            link(below, top, 7, ChargeOn::Submit),
            link(top, house, 5, ChargeOn::Submit),
        ];
        let chain = Chain { currency: "UZS".parse().unwrap(), links };
        let seen = |viewer, billable| {
            let outcome = if billable { Outcome::Billable } else { Outcome::Free };
            let shares = shares(&chain, viewer, Ended { accepted: 2, outcome });
            (shares.price.map(|share| share.total.get()), shares.cost.map(|share| share.total.get()))
        };
        let rows = [
            (client, true, (Some(18), None)),
            (client, false, (Some(0), None)),
            (below, true, (Some(18), Some(14))),
            (below, false, (Some(0), Some(14))),
            (top, true, (Some(14), Some(10))),
            (house, true, (Some(10), None)),
            (AccountId::generate(), true, (None, None)),
        ];
        for (viewer, billable, expected) in rows {
            assert_eq!(seen(viewer, billable), expected);
        }
        let own = Chain { links: vec![link(house, house, 3, ChargeOn::Submit)], ..chain.clone() };
        let shares = shares(&own, house, Ended { accepted: 1, outcome: Outcome::Free });
        assert_eq!((shares.price.map(|share| share.total.get()), shares.cost), (Some(3), None));
    }
}
