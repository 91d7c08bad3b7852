//! The process dies, at once or on request.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use testkit::eventually;

use super::{CARRIER, END, MOMENT, assert_right, carrier};
use crate::chappe::{Backend, Chappe, Company, Leftovers, Load, on_every_backend};

/// Messages that are accepted while it dies three times, on the embedded queue. The others show that they are taken up as well:
/// for that fewer will do.
const MESSAGES: u64 = 5_000;
const MESSAGES_ELSEWHERE: u64 = 2_000;

on_every_backend! {
    async fn three_kills_lose_nothing_and_repeat_at_most_the_windows(backend) {
        let seed = rand::random::<u64>();
        eprintln!("moments of seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut chappe = Chappe::private_on(backend).await;
        let company = Company::found(&chappe).await;
        let carrier = carrier(&company, CARRIER).await;
        let messages = if backend == Backend::Postgres { MESSAGES } else { MESSAGES_ELSEWHERE };
        let load = Load::new(messages);
        tokio::join!(load.run(&company.sender), async {
            for third in 0..3 {
                let third_of_it = messages * 28 / 100;
                let moment = third * third_of_it + rng.random_range(100..third_of_it);
                eventually(MOMENT, async || carrier.counters().accepted >= moment).await;
                chappe.kill();
                chappe.restart().await;
            }
        });
        assert_right(&chappe, &load, &carrier, 3 * CARRIER.windows()).await;
        let delivered = chappe.count("SELECT count(*) FROM messages WHERE state = 'delivered'").await;
        assert_eq!(u64::try_from(delivered).unwrap(), messages);
    }
}

on_every_backend! {
    async fn a_stop_on_request_loses_nothing_and_repeats_nothing(backend) {
        let mut chappe = Chappe::durable_on(backend).await;
        let company = Company::found(&chappe).await;
        let carrier = carrier(&company, CARRIER).await;
        let load = Load::new(2_000);
        tokio::join!(load.run(&company.sender), async {
            for moment in [300, 900] {
                eventually(MOMENT, async || carrier.counters().accepted >= moment).await;
                let status = chappe.terminate().await;
                assert!(status.success(), "it ended with {status}");
                chappe.restart().await;
            }
        });
        chappe.until_ended(END).await;
        assert_eq!(load.assert_all_came(&chappe, &carrier).await, 0, "repetitions");
        chappe.assert_settled(END, Leftovers::default()).await;
    }
}
