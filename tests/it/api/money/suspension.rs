//! Suspension by the account above: in force everywhere within five seconds, over HTTPS and SMPP.

use std::time::{Duration, Instant};

use domain::SmppSystemId;
use serde_json::json;
use store::holder::Holder;

use crate::api::rig::{Rig, send};
use crate::api::smpp::{judged, submission};

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_sends_nothing_more_in_any_process_and_nobody_below_does() {
    let rig = Rig::new().await;
    // Another process, which only follows.
    let other = Holder::load(rig.world.db.clone()).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let follower = tokio::spawn({
        let other = other.clone();
        async move { other.follow(async { drop(stopped.await) }).await }
    });
    let client = rig.world.client;
    for (by, account) in [(&rig.reseller, client), (&rig.house, rig.world.reseller)] {
        let path = format!("/v1/accounts/{account}");
        let began = Instant::now();
        rig.call("PATCH", &path, Some(by), Some(&json!({"status": "suspended"}))).await.expect(200);
        let refused = rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.refusal();
        assert_eq!(refused, (403, "account_suspended".to_owned()));
        let over_smpp = judged(&rig, vec![submission(&rig, SmppSystemId::generate())], false).await;
        assert_eq!(over_smpp, [(0x45, "account_suspended".to_owned())]);
        testkit::eventually(Duration::from_secs(5), async || other.get().accounts[&account].suspended).await;
        assert!(began.elapsed() < Duration::from_secs(5));
        // Who is suspended reads, and moves no money.
        let own = if account == client { &rig.client } else { &rig.reseller };
        rig.get(own, "/v1/statement").await.expect(200);
        let back = json!({"direction": "up", "amount": "1", "reason": "x"});
        let refused = rig.post(own, &format!("{path}/transfers"), &back).await.refusal();
        assert_eq!(refused, (403, "account_suspended".to_owned()));
        rig.call("PATCH", &path, Some(by), Some(&json!({"status": "active"}))).await.expect(200);
        rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201);
    }
    drop(stop);
    follower.await.unwrap();
}
