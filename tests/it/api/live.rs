//! What is changed in one process holds in every other within five seconds.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use contract::{BindState, BindStatus, BindType, OperatorStatus};
use domain::routing::Question;
use domain::{Encoding, Number, OperatorId};
use serde_json::json;
use store::holder::Holder;
use store::sweep::Retention;
use store::{Db, Publish};
use testkit::eventually;
use tokio_util::sync::CancellationToken;

use super::rig::Rig;

/// So long may a change take to be live everywhere.
const LIVE_WITHIN: Duration = Duration::from_secs(5);

/// Who would carry a message of the client by what this process knows.
fn carrier(rig: &Rig, holder: &Holder) -> Option<OperatorId> {
    let now = Utc::now();
    let question = Question {
        account: rig.world.client,
        to: Number::parse("+998931234567").unwrap(),
        network: "43405".parse().unwrap(),
        sender: "TestCompany",
        traffic_class: None,
        template: None,
        encoding: Encoding::Gsm7,
        segments: 1,
        turn: 0,
        tried: &[],
        paid: &[],
        probes: &[],
        earned: None,
        priced_at: now,
        at: now,
    };
    holder.get().pick(&question).taken.ok().map(|taken| taken.operator.id)
}

/// Another process: connections, a catalogue and a follower of its own.
struct Other {
    holder: Arc<Holder>,
    stop: CancellationToken,
    following: tokio::task::JoinHandle<()>,
}

impl Other {
    async fn beside(rig: &Rig) -> Self {
        let holder = Holder::load(Db::open(&rig.world.url(), Publish::InTransaction).unwrap()).await.unwrap();
        let stop = CancellationToken::new();
        let (follower, stopped) = (holder.clone(), stop.clone());
        let following = tokio::spawn(async move { follower.follow(stopped.cancelled()).await });
        Self { holder, stop, following }
    }

    async fn hears(&self, rig: &Rig, expected: Option<OperatorId>) {
        eventually(LIVE_WITHIN, async || carrier(rig, &self.holder) == expected).await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.following.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_rates_and_guards_are_live_in_another_process_within_five_seconds() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    let other = Other::beside(&rig).await;
    other.hears(&rig, Some(beeline)).await;
    let rate = json!({"operator_id": ucell, "mcc": "434", "price": "30", "currency": "UZS"});
    let rule = json!({"name": "Not Ucell", "position": 1, "then": {"except": [ucell]}});
    let guard = json!({"min": "20"});
    for (path, body, expected) in [
        ("/v1/operator-rates", rate, Some(ucell)),
        ("/v1/routing/rules", rule, Some(beeline)),
        ("/v1/routing/guards", guard, None),
    ] {
        rig.post(&rig.house, path, &body).await.expect(201);
        other.hears(&rig, expected).await;
    }
    other.stop().await;
}

/// The only edge says that it has a session with each operator.
async fn report(rig: &Rig) {
    let now = Utc::now();
    let bind = || BindStatus {
        bind: 0,
        bind_type: BindType::Transceiver,
        state: BindState::Bound,
        since: now,
        in_flight: 0,
        window: 10,
        submits: 0,
        submits_per_second: 0,
        last_error: None,
    };
    let statuses = rig.world.operators.map(|operator_id| OperatorStatus { operator_id, binds: vec![bind()] });
    let mut tx = rig.world.db.begin().await.unwrap();
    store::operators::report_binds(&mut tx, "edge", &statuses, now).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_whose_edge_died_is_down_in_another_process_within_five_seconds_and_up_when_it_is_back() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    let clock: Arc<dyn host::Clock> = Arc::new(host::clock::System);
    let sweep = sweep::Sweep::new(rig.world.db.clone(), rig.world.queue.clone(), clock, Retention::default());
    report(&rig).await;
    let other = Other::beside(&rig).await;
    other.hears(&rig, Some(beeline)).await;
    // Nobody has said anything of the cheaper one for longer than a status counts.
    sqlx::query("UPDATE operator_binds SET at = at - interval '61 seconds' WHERE operator_id = $1")
        .bind(beeline.uuid())
        .execute(rig.world.pool())
        .await
        .unwrap();
    sweep.failover().await.unwrap();
    other.hears(&rig, Some(ucell)).await;
    // The edge had only been silent: for itself nothing has changed.
    report(&rig).await;
    sweep.failover().await.unwrap();
    other.hears(&rig, Some(beeline)).await;
    other.stop().await;
}
