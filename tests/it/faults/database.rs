//! PostgreSQL goes away under load and comes back.

use std::time::Duration;

use testkit::eventually;
use tokio::time::Instant;

use super::{CARRIER, END, MOMENT, carrier};
use crate::chappe::{Chappe, Company, Leftovers, Load, SYSTEM_ID, on_every_backend};

/// How long it is away.
const AWAY: Duration = Duration::from_secs(10);

on_every_backend! {
    async fn ten_seconds_without_a_database_cost_no_session_and_no_message(backend) {
        let mut chappe = Chappe::durable_on(backend).await;
        let company = Company::found(&chappe).await;
        let carrier = carrier(&company, CARRIER).await;
        let binds = carrier.counters().binds;
        let load = Load::new(3_000);
        tokio::join!(load.run(&company.sender), async {
            // Most of it is still to be sent.
            eventually(MOMENT, async || load.accepted() >= 500).await;
            chappe.server().stop().await.unwrap();
            let back = Instant::now() + AWAY;
            eventually(AWAY * 2, async || {
                assert_eq!(carrier.bound(SYSTEM_ID), usize::from(CARRIER.binds), "a session ended");
                Instant::now() >= back
            })
            .await;
            chappe.server().resume().await.unwrap();
        });
        chappe.look_inside().await;
        chappe.until_ended(END).await;
        assert!(load.unavailable() > 0, "customers were told to come again");
        assert_eq!(carrier.counters().binds, binds, "a session was bound again");
        assert_eq!(load.assert_all_came(&chappe, &carrier).await, 0, "repetitions");
        chappe.assert_settled(END, Leftovers::default()).await;
    }
}
