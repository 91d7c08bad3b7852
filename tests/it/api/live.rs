//! What is changed in one process holds in every other within five seconds.

use std::time::Duration;

use chrono::Utc;
use domain::routing::Question;
use domain::{Encoding, Number, OperatorId};
use serde_json::json;
use store::holder::Holder;
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
        priced_at: now,
        at: now,
    };
    holder.get().pick(&question).taken.ok().map(|taken| taken.operator.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_rates_and_guards_are_live_in_another_process_within_five_seconds() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    // Another process: connections, a catalogue and a follower of its own.
    let other = Holder::load(Db::open(&rig.world.url(), Publish::InTransaction).unwrap()).await.unwrap();
    let stop = CancellationToken::new();
    let (follower, stopped) = (other.clone(), stop.clone());
    let following = tokio::spawn(async move { follower.follow(stopped.cancelled()).await });
    assert_eq!(carrier(&rig, &other), Some(beeline));
    let rate = json!({"operator_id": ucell, "mcc": "434", "price": "30", "currency": "UZS"});
    let rule = json!({"name": "Not Ucell", "position": 1, "then": {"except": [ucell]}});
    let guard = json!({"min": "20"});
    for (path, body, expected) in [
        ("/v1/operator-rates", rate, Some(ucell)),
        ("/v1/routing/rules", rule, Some(beeline)),
        ("/v1/routing/guards", guard, None),
    ] {
        rig.post(&rig.house, path, &body).await.expect(201);
        eventually(LIVE_WITHIN, async || carrier(&rig, &other) == expected).await;
    }
    stop.cancel();
    following.await.unwrap();
}
