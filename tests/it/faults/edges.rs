//! Two edges in processes of their own share an operator; one of them dies or leaves, or what they share it by does.

use std::time::Duration;

use smsc::Smsc;
use testkit::{Redis, eventually};
use tokio::time::Instant;

use super::{MOMENT, assert_right, profile};
use crate::chappe::{Chappe, Company, Edge, Load, ON_SUBMIT, OperatorIs, SYSTEM_ID, smsc_of};

/// Shared as two and two.
const SHARED: OperatorIs =
    OperatorIs { binds: 4, window: 10, tps: 300, ..OperatorIs::simple("Ucell", ON_SUBMIT, "50") };
/// The binds of an edge that is no more are bound again within this time.
const TAKEN_OVER: Duration = Duration::from_secs(15);
/// An edge that is asked to leave has left by then.
const LEFT: Duration = Duration::from_secs(30);

/// A platform without sessions of its own, an operator, and edges beside it.
struct Rig {
    chappe: Chappe,
    company: Company,
    carrier: Smsc,
    redis: Redis,
}

impl Rig {
    /// With two edges that have half of the binds each.
    async fn start() -> (Self, [Edge; 2]) {
        let chappe = Chappe::without_edge().await;
        let company = Company::found(&chappe).await;
        let redis = Redis::start().await;
        let edges = ["one", "two"].map(|name| chappe.start_edge(name, &redis.url()));
        let carrier = smsc_of(profile(), SHARED.binds.into()).await;
        company.operator(&carrier, SHARED).await;
        let rig = Self { chappe, company, carrier, redis };
        eventually(MOMENT, async || rig.binds_of_edges().await == [2, 2]).await;
        (rig, edges)
    }

    /// How many binds each edge reports that is there; checks that the operator never saw too many.
    async fn binds_of_edges(&self) -> Vec<i64> {
        self.assert_never_too_many();
        let bound = "SELECT bound::bigint FROM operator_binds WHERE at > now() - interval '5 seconds' ORDER BY edge_id";
        let bound: Vec<i64> = sqlx::query_scalar(bound).fetch_all(self.chappe.db().pool()).await.unwrap();
        bound
    }

    fn assert_never_too_many(&self) {
        let refused = self.carrier.counters().binds_refused;
        assert_eq!(refused, 0, "the operator saw more binds than it allows");
    }

    /// Waits until all binds are up, which takes `limit` at most.
    async fn until_all_bound(&self, limit: Duration) {
        eventually(limit, async || {
            self.assert_never_too_many();
            self.carrier.bound(SYSTEM_ID) == usize::from(SHARED.binds)
        })
        .await;
    }

    async fn assert_right(&self, load: &Load, repeated_max: u64) {
        assert_right(&self.chappe, load, &self.carrier, repeated_max).await;
        self.assert_never_too_many();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binds_of_a_killed_edge_are_taken_over() {
    let (rig, [mut killed, _other]) = Rig::start().await;
    let load = Load::new(3_000);
    tokio::join!(load.run(&rig.company.sender), async {
        eventually(MOMENT, async || rig.carrier.counters().accepted >= 600).await;
        let killed_at = Instant::now();
        killed.kill();
        eventually(TAKEN_OVER, async || rig.carrier.bound(SYSTEM_ID) <= 2).await;
        rig.until_all_bound(TAKEN_OVER.saturating_sub(killed_at.elapsed())).await;
        eprintln!("taken over after {:?}", killed_at.elapsed());
    });
    rig.assert_right(&load, SHARED.windows() / 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_asked_to_leave_hands_over_and_repeats_nothing() {
    let (rig, [mut leaving, _other]) = Rig::start().await;
    let load = Load::new(3_000);
    let ((), _back) = tokio::join!(load.run(&rig.company.sender), async {
        eventually(MOMENT, async || rig.carrier.counters().accepted >= 600).await;
        let asked = Instant::now();
        let status = leaving.terminate().await;
        assert!(status.success(), "it ended with {status}");
        assert!(asked.elapsed() < LEFT, "it took {:?}", asked.elapsed());
        eprintln!("left after {:?}", asked.elapsed());
        rig.until_all_bound(TAKEN_OVER).await;
        // One that comes gets its share again.
        let back = rig.chappe.start_edge("three", &rig.redis.url());
        eventually(MOMENT, async || rig.binds_of_edges().await == [2, 2]).await;
        rig.until_all_bound(MOMENT).await;
        back
    });
    rig.assert_right(&load, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_stay_while_redis_is_gone_and_come_back_to_the_same() {
    let (mut rig, _edges) = Rig::start().await;
    let load = Load::new(3_000);
    let Rig { chappe: _, company, carrier, redis } = &mut rig;
    let binds = carrier.counters().binds;
    tokio::join!(load.run(&company.sender), async {
        eventually(MOMENT, async || carrier.counters().accepted >= 600).await;
        redis.kill();
        let back = Instant::now() + Duration::from_secs(3);
        eventually(MOMENT, async || {
            assert_eq!(carrier.bound(SYSTEM_ID), usize::from(SHARED.binds), "a session ended");
            Instant::now() >= back
        })
        .await;
        redis.restart().await;
    });
    rig.assert_right(&load, 0).await;
    assert_eq!(rig.binds_of_edges().await, [2, 2]);
    assert_eq!(rig.carrier.counters().binds, binds, "a session was bound again");
}
