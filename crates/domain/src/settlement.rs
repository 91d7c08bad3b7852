//! Hold, capture, release: what each wallet of a price chain owes at each step of a message.
//!
//! **Invariant:** over the life of a message, captured + released = held for every link of its chain, and
//! each step settles a segment at most once.

use crate::id::AccountId;
use crate::money::Micros;
use crate::state::State;
use crate::tariff::{Chain, ChargeOn, Link, OnUnconfirmed};

/// What one step does to one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Whose wallet.
    pub account: AccountId,
    /// Whose revenue the captured part is.
    pub seller: AccountId,
    /// Taken from the wallet's hold.
    pub captured: Micros,
    /// No longer held, and not taken.
    pub released: Micros,
    /// Taken from the wallet, or given back to it where below zero, after its hold had ended.
    pub corrected: Micros,
}

/// How a message ended for tariffs, and rates, that take their money on delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing is taken.
    Free,
    /// Delivered, or failed with an error that is billable.
    Billable,
    /// No receipt came in validity and grace: as each tariff says.
    Unconfirmed,
}

impl Outcome {
    /// What a state comes to where no error code says otherwise.
    pub const fn of(state: State) -> Self {
        match state {
            State::Delivered => Self::Billable,
            State::Unconfirmed => Self::Unconfirmed,
            _ => Self::Free,
        }
    }

    /// The name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Billable => "billable",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    /// Reads the name; `None` when it is none.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Free, Self::Billable, Self::Unconfirmed].into_iter().find(|outcome| outcome.name() == name)
    }
}

/// How a message ended, as far as money is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Segments that operators accepted.
    pub accepted: u16,
    /// What tariffs that charge on delivery make of it.
    pub outcome: Outcome,
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
    Final(Ended),
    /// A late receipt corrects a message that had ended unconfirmed.
    Corrected(Ended),
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
pub fn captured_segments(link: &Link, ended: Ended) -> u16 {
    let takes = match (link.charge_on, ended.outcome) {
        (ChargeOn::Submit, _) | (ChargeOn::Delivered, Outcome::Billable) => true,
        (ChargeOn::Delivered, Outcome::Free) => false,
        (ChargeOn::Delivered, Outcome::Unconfirmed) => link.on_unconfirmed == OnUnconfirmed::Capture,
    };
    if takes { ended.accepted } else { 0 }
}

/// What each wallet must have so that `ended` may correct what ended unconfirmed.
pub fn due_late(chain: &Chain, ended: Ended) -> Vec<(AccountId, Micros)> {
    let due = settle(chain, 0, Step::Corrected(ended)).into_iter().map(|one| (one.account, one.corrected));
    due.filter(|(_, amount)| *amount > Micros::ZERO).collect()
}

fn settle_link(link: &Link, segments: u16, step: Step) -> Option<Movement> {
    let (captured, released, corrected) = match (step, link.charge_on) {
        (Step::Withdrawn, _) => (0, segments, 0),
        (Step::Submitted { accepted }, ChargeOn::Submit) => (accepted, segments.saturating_sub(accepted), 0),
        (Step::Submitted { accepted }, ChargeOn::Delivered) => (0, segments.saturating_sub(accepted), 0),
        (Step::Final(_) | Step::Corrected(_), ChargeOn::Submit) => return None,
        (Step::Final(ended), ChargeOn::Delivered) => {
            let captured = captured_segments(link, ended);
            (captured, ended.accepted - captured, 0)
        }
        (Step::Corrected(ended), ChargeOn::Delivered) => {
            let before = captured_segments(link, Ended { outcome: Outcome::Unconfirmed, ..ended });
            (0, 0, i32::from(captured_segments(link, ended)) - i32::from(before))
        }
    };
    if captured == 0 && released == 0 && corrected == 0 {
        return None;
    }
    // The hold was checked at accept: price × all segments fits, so each part of it does.
    let corrected = if corrected < 0 {
        -link.price.times(u16::try_from(-corrected).unwrap_or_default()).unwrap_or_default()
    } else {
        link.price.times(u16::try_from(corrected).unwrap_or_default()).unwrap_or_default()
    };
    Some(Movement {
        account: link.account,
        seller: link.seller,
        captured: link.price.times(captured).unwrap_or_default(),
        released: link.price.times(released).unwrap_or_default(),
        corrected,
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
            on_unconfirmed: OnUnconfirmed::Release,
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
        use OnUnconfirmed::{Capture, Release};
        use Outcome::{Billable, Free, Unconfirmed};
        let ended = |accepted, outcome| Step::Final(Ended { accepted, outcome });
        let late = |accepted, outcome| Step::Corrected(Ended { accepted, outcome });
        // Captured, released, corrected.
        let rows = [
            (Submit, Release, Step::Submitted { accepted: 3 }, (30, 0, 0)),
            (Submit, Release, Step::Submitted { accepted: 1 }, (10, 20, 0)),
            (Submit, Release, Step::Submitted { accepted: 0 }, (0, 30, 0)),
            (Submit, Release, ended(3, Free), (0, 0, 0)),
            (Submit, Capture, ended(3, Unconfirmed), (0, 0, 0)),
            (Submit, Capture, late(3, Billable), (0, 0, 0)),
            (Submit, Release, Step::Withdrawn, (0, 30, 0)),
            (Delivered, Release, Step::Submitted { accepted: 3 }, (0, 0, 0)),
            (Delivered, Release, Step::Submitted { accepted: 2 }, (0, 10, 0)),
            (Delivered, Release, ended(2, Billable), (20, 0, 0)),
            (Delivered, Release, ended(2, Free), (0, 20, 0)),
            (Delivered, Release, ended(2, Unconfirmed), (0, 20, 0)),
            (Delivered, Capture, ended(2, Unconfirmed), (20, 0, 0)),
            (Delivered, Capture, ended(2, Free), (0, 20, 0)),
            (Delivered, Release, late(2, Billable), (0, 0, 20)),
            (Delivered, Release, late(2, Free), (0, 0, 0)),
            (Delivered, Release, late(2, Unconfirmed), (0, 0, 0)),
            (Delivered, Capture, late(2, Billable), (0, 0, 0)),
            (Delivered, Capture, late(2, Free), (0, 0, -20)),
            (Delivered, Release, Step::Withdrawn, (0, 30, 0)),
        ];
        for (charge_on, on_unconfirmed, step, expected) in rows {
            let mut chain = chain(&[(10, charge_on)]);
            chain.links[0].on_unconfirmed = on_unconfirmed;
            let movements = settle(&chain, 3, step);
            let corrected: i64 = movements.iter().map(|movement| movement.corrected.get()).sum();
            let (captured, released) = totals(&movements, chain.links[0].account);
            assert_eq!((captured, released, corrected), expected, "{charge_on:?} {on_unconfirmed:?} {step:?}");
        }
    }

    proptest! {
        #[test]
        fn a_life_settles_exactly_what_was_held(
            prices in prop::collection::vec((0_i64..1_000_000_000, any::<bool>(), any::<bool>()), 1..5),
            segments in 1_u16..=255, accepted in 0_u16..=255, ends in 0_usize..4, corrected in 0_usize..3,
        ) {
            let accepted = accepted.min(segments);
            let rule = |d: bool| if d { ChargeOn::Delivered } else { ChargeOn::Submit };
            let mut chain = chain(&prices.iter().map(|(p, d, _)| (*p, rule(*d))).collect::<Vec<_>>());
            for (link, (.., captures)) in chain.links.iter_mut().zip(&prices) {
                link.on_unconfirmed = if *captures { OnUnconfirmed::Capture } else { OnUnconfirmed::Release };
            }
            let outcomes = [Outcome::Free, Outcome::Billable, Outcome::Unconfirmed];
            let mut movements = Vec::new();
            let mut outcome = None;
            if let Some(end) = outcomes.get(ends) {
                movements.extend(settle(&chain, segments, Step::Submitted { accepted }));
                movements.extend(settle(&chain, segments, Step::Final(Ended { accepted, outcome: *end })));
                outcome = Some(*end);
                if *end == Outcome::Unconfirmed {
                    outcome = Some(outcomes[corrected]);
                    let late = Ended { accepted, outcome: outcomes[corrected] };
                    movements.extend(settle(&chain, segments, Step::Corrected(late)));
                }
            } else {
                movements.extend(settle(&chain, segments, Step::Withdrawn));
            }
            for ((account, held), link) in hold(&chain, segments).unwrap().into_iter().zip(&chain.links) {
                let (captured, released) = totals(&movements, account);
                prop_assert_eq!(captured + released, held.get());
                prop_assert!(captured >= 0 && released >= 0);
                let late: i64 = movements.iter().filter(|m| m.account == account).map(|m| m.corrected.get()).sum();
                let paid = outcome.map_or(0, |outcome| captured_segments(link, Ended { accepted, outcome }));
                prop_assert_eq!(link.price.times(paid).unwrap().get(), captured + late);
            }
        }
    }
}
