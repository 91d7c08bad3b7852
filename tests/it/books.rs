//! The proof of the books: everything that moves money happens in random order, with crashes and repetitions, over three
//! levels of resellers, and every balance is what a plain model of the business says, to the micro. Then the books are
//! spoilt on purpose, and each time the checks must say so.

mod acts;
mod audit;
mod company;
mod exports;
mod life;
mod model;
mod spoilt;

use company::Firm;
use life::Life;

/// Worlds, and random steps in each. A step is a batch of messages, an envelope, a transfer, a new price, a crash.
const SEEDS: std::ops::Range<u64> = 0..10;
const STEPS: usize = 300;
/// Steps between two full checks of the product; what the model says, and the cheap checks, must hold after every step.
const STEPS_PER_AUDIT: usize = 75;

/// One life, checked at every step; at its end everything has ended and nothing is held.
async fn lived(seed: u64) -> Life {
    let mut life = Life::of(Firm::new().await, seed).await;
    for step in 0..STEPS {
        Box::pin(life.step()).await;
        life.assert_cheap(step).await;
        life.assert_caps(step).await;
        life.assert_model(step).await;
        if step % STEPS_PER_AUDIT == STEPS_PER_AUDIT - 1 {
            life.assert_books().await;
        }
    }
    Box::pin(life.come_to_an_end()).await;
    life.assert_books().await;
    life
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_in_whatever_order_every_balance_is_what_the_model_says() {
    let mut seen = life::Seen::default();
    for seed in SEEDS {
        let life = Box::pin(lived(seed)).await;
        life.assert_nothing_is_open().await;
        seen += life.seen;
    }
    // The proof is worth what it has met.
    seen.assert_rich();
}
