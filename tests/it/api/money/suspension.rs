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

/// A reseller and its client further down, with keys that may do everything: (reseller, its key, client).
pub(super) async fn deeper(rig: &Rig) -> (String, String, String) {
    let new = json!({"name": "Sub", "role": "reseller"});
    let sub = rig.post(&rig.reseller, "/v1/accounts", &new).await.expect(201).text("id");
    let key = rig.key(sub.parse().unwrap(), &crate::api::rig::ALL).await;
    let new = json!({"name": "Shop", "role": "client"});
    let shop = rig.post(&key, "/v1/accounts", &new).await.expect(201).text("id");
    (sub, key, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_back_what_an_account_above_said() {
    let rig = Rig::new().await;
    let (sub, below, shop) = deeper(&rig).await;
    let (house, reseller) = (rig.world.house.to_string(), rig.world.reseller.to_string());
    // Who says what, what comes of it, and whose word stands then.
    let rows = [
        (&below, "suspended", 200, Some(&sub)),
        (&below, "active", 200, None),
        (&below, "suspended", 200, Some(&sub)),
        (&rig.house, "suspended", 200, Some(&house)),
        (&rig.reseller, "suspended", 200, Some(&house)),
        (&below, "active", 403, Some(&house)),
        (&rig.reseller, "active", 403, Some(&house)),
        (&rig.house, "active", 200, None),
        (&rig.reseller, "suspended", 200, Some(&reseller)),
        (&below, "suspended", 200, Some(&reseller)),
        (&below, "active", 403, Some(&reseller)),
        (&rig.reseller, "active", 200, None),
    ];
    let path = format!("/v1/accounts/{shop}");
    for (at, (token, status, answered, stands)) in rows.into_iter().enumerate() {
        let answer = rig.call("PATCH", &path, Some(token), Some(&json!({"status": status}))).await.expect(answered);
        if answered == 403 {
            assert_eq!(answer.text("code"), "set_from_above", "{at}");
            assert!(answer.text("detail").contains(stands.unwrap()), "{at}: {}", answer.json());
        }
        let shown = rig.get(&below, &path).await.expect(200).json();
        assert_eq!(shown["status"], if stands.is_some() { "suspended" } else { "active" }, "{at}");
        assert_eq!(shown["suspended_by"], json!(stands), "{at}");
    }
}
