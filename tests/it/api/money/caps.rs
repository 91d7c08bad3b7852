//! Spend caps: never one micro more on a day, whichever way messages come.

use std::sync::Arc;

use domain::{AccountId, SmppSystemId};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api::rig::{Answer, Rig, send};
use crate::api::smpp::{judged, submission};
use crate::world::{CLIENT_SUBMIT, RESELLER};

impl Rig {
    async fn cap(&self, token: &str, path: &str, daily: Option<&str>) -> Answer {
        self.call("PUT", &format!("{path}/spend-cap"), Some(token), Some(&json!({"daily": daily}))).await
    }

    async fn cap_of(&self, account: AccountId, micros: i64) -> Value {
        let daily = domain::Micros::new(micros).to_string();
        self.cap(&self.house, &format!("/v1/accounts/{account}"), Some(&daily)).await.expect(200).json()
    }

    async fn try_send(&self, token: &str) -> (u16, String) {
        self.post(token, "/v1/messages", &send(&json!({}))).await.refusal()
    }
}

fn reached() -> (u16, String) {
    (402, "spend_cap_reached".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_batches_and_smpp_together_exactly_the_cap_is_spent() {
    let rig = Arc::new(Rig::new().await);
    let cap = 20 * CLIENT_SUBMIT + CLIENT_SUBMIT - 1;
    rig.cap_of(rig.world.client, cap).await;
    let system = SmppSystemId::generate();
    let tasks = (0..16).map(|task| {
        let rig = Arc::clone(&rig);
        tokio::spawn(async move {
            let mut accepted = 0;
            for _ in 0..3 {
                accepted += match task % 3 {
                    0 => match rig.try_send(&rig.client).await {
                        (201, _) => 1,
                        refused => {
                            assert_eq!(refused, reached());
                            0
                        }
                    },
                    1 => {
                        let three = (0..3).map(|_| submission(&rig, system)).collect();
                        let verdicts = judged(&rig, three, false).await;
                        let refused = verdicts.iter().filter(|verdict| verdict.0 != 0);
                        assert!(refused.clone().all(|one| *one == (0x45, "spend_cap_reached".to_owned())));
                        3 - refused.count()
                    }
                    _ => {
                        let batch = json!({"messages": [send(&json!({})), send(&json!({}))]});
                        let answer = rig.post(&rig.client, "/v1/messages/batch", &batch).await.expect(202).json();
                        for verdict in answer["results"].as_array().unwrap() {
                            let code = &verdict["problem"]["code"];
                            assert!(code.is_null() || code == "spend_cap_reached", "{verdict}");
                        }
                        usize::try_from(answer["accepted"].as_u64().unwrap()).unwrap()
                    }
                };
            }
            accepted
        })
    });
    let accepted: usize = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    assert_eq!((accepted, rig.messages().await), (20, 20));
    assert_eq!(rig.world.wallet(rig.world.client).await.1, 20 * CLIENT_SUBMIT);
    let told = rig.get(&rig.client, &format!("/v1/accounts/{}/spend-cap", rig.world.client)).await.expect(200).json();
    assert_eq!((&told["spent"], &told["left"]), (&json!("1600.00"), &json!("79.999999")));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_counts_what_was_spent_before_it_and_ends_with_the_day() {
    let rig = Rig::new().await;
    let client = rig.world.client;
    assert_eq!(rig.try_send(&rig.client).await.0, 201);
    assert_eq!(rig.try_send(&rig.client).await.0, 201);
    // Lower than what was spent: nothing more, but nothing breaks.
    let told = rig.cap_of(client, CLIENT_SUBMIT).await;
    assert_eq!((&told["spent"], &told["left"]), (&json!("160.00"), &json!("0.00")));
    assert_eq!(rig.try_send(&rig.client).await, reached());
    // Raised: what was spent counts.
    rig.cap_of(client, 3 * CLIENT_SUBMIT).await;
    assert_eq!(rig.try_send(&rig.client).await.0, 201);
    assert_eq!(rig.try_send(&rig.client).await, reached());
    // Midnight.
    let past = "UPDATE account_balances SET spend_day = spend_day - 1 WHERE spend_cap_micros IS NOT NULL";
    sqlx::query(past).execute(rig.world.pool()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(rig.try_send(&rig.client).await.0, 201);
    }
    assert_eq!(rig.try_send(&rig.client).await, reached());
    // An older transaction that comes behind midnight does not open the day again.
    let ahead = "UPDATE account_balances SET spend_day = spend_day + 1 WHERE spend_cap_micros IS NOT NULL";
    sqlx::query(ahead).execute(rig.world.pool()).await.unwrap();
    assert_eq!(rig.try_send(&rig.client).await, reached());
    rig.cap(&rig.house, &format!("/v1/accounts/{client}"), None).await.expect(200);
    assert_eq!(rig.try_send(&rig.client).await.0, 201);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_a_reseller_bounds_what_its_clients_cost_it() {
    let rig = Rig::new().await;
    rig.cap_of(rig.world.reseller, 2 * RESELLER).await;
    assert_eq!(rig.try_send(&rig.client).await.0, 201);
    assert_eq!(rig.try_send(&rig.client).await.0, 201);
    assert_eq!(rig.try_send(&rig.client).await, reached());
    // Nobody lifts a cap that somebody above has set.
    let own = format!("/v1/accounts/{}", rig.world.reseller);
    assert_eq!(rig.cap(&rig.reseller, &own, None).await.refusal().0, 403);
    assert_eq!(rig.cap(&rig.client, &own, None).await.refusal().0, 403);
    for (daily, status) in [("-1", 400), ("x", 400), ("0", 200)] {
        assert_eq!(rig.cap(&rig.house, &own, Some(daily)).await.status.as_u16(), status, "{daily}");
    }
    assert_eq!(rig.try_send(&rig.client).await, reached());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_a_key_bounds_that_key_alone() {
    let rig = Arc::new(Rig::new().await);
    let made = rig.post(&rig.client, "/v1/api-keys", &json!({"name": "shop"})).await.expect(201).json();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap().to_owned());
    let path = format!("/v1/api-keys/{id}");
    // Used once before it has a cap: remembered as one without.
    assert_eq!(rig.try_send(&secret).await.0, 201);
    rig.cap(&rig.client, &path, Some("400.00")).await.expect(200);
    let tasks = (0..8).map(|task| {
        let (rig, secret) = (Arc::clone(&rig), secret.clone());
        tokio::spawn(async move {
            if task % 2 == 0 {
                return usize::from(rig.try_send(&secret).await.0 == 201);
            }
            let batch = json!({"messages": [send(&json!({})), send(&json!({}))]});
            let answer = rig.post(&secret, "/v1/messages/batch", &batch).await.expect(202).json();
            usize::try_from(answer["accepted"].as_u64().unwrap()).unwrap()
        })
    });
    let accepted: usize = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(accepted, 5);
    assert_eq!(rig.try_send(&secret).await, reached());
    assert_eq!(rig.try_send(&rig.client).await.0, 201, "the account has no cap, nor has its other key");
    let told = rig.get(&rig.client, &format!("{path}/spend-cap")).await.expect(200).json();
    assert_eq!((&told["daily"], &told["spent"], &told["left"]), (&json!("400.00"), &json!("400.00"), &json!("0.00")));
    // Lower and higher again: what was spent stays spent.
    rig.cap(&rig.client, &path, Some("80")).await.expect(200);
    assert_eq!(rig.try_send(&secret).await, reached());
    rig.cap(&rig.client, &path, Some("480")).await.expect(200);
    assert_eq!(rig.try_send(&secret).await.0, 201);
    assert_eq!(rig.try_send(&secret).await, reached());
    sqlx::query("UPDATE api_key_caps SET spend_day = spend_day - 1").execute(rig.world.pool()).await.unwrap();
    assert_eq!(rig.try_send(&secret).await.0, 201, "a new day");
    rig.cap(&rig.client, &path, None).await.expect(200);
    assert_eq!(rig.get(&rig.client, &format!("{path}/spend-cap")).await.expect(200).json()["daily"], Value::Null);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_raises_a_cap_of_an_account_above() {
    let rig = Rig::new().await;
    let (sub, below, shop) = super::suspension::deeper(&rig).await;
    let (house, reseller) = (rig.world.house.to_string(), rig.world.reseller.to_string());
    // Who sets what, what comes of it, and which cap of whom is in force then.
    let rows = [
        (&rig.house, Some("1000"), 200, Some(("1000.00", &house))),
        (&below, None, 403, Some(("1000.00", &house))),
        (&rig.reseller, Some("1000.000001"), 403, Some(("1000.00", &house))),
        (&below, Some("300"), 200, Some(("300.00", &sub))),
        (&rig.reseller, Some("500"), 200, Some(("500.00", &reseller))),
        (&below, Some("501"), 403, Some(("500.00", &reseller))),
        (&below, Some("200"), 200, Some(("200.00", &sub))),
        (&below, Some("500"), 200, Some(("500.00", &reseller))),
        (&rig.reseller, Some("1000"), 200, Some(("1000.00", &house))),
        (&rig.house, None, 200, None),
        (&below, Some("7"), 200, Some(("7.00", &sub))),
        (&rig.house, Some("9"), 200, Some(("9.00", &house))),
        (&rig.house, None, 200, None),
    ];
    let path = format!("/v1/accounts/{shop}");
    for (at, (token, daily, answered, stands)) in rows.into_iter().enumerate() {
        let answer = rig.cap(token, &path, daily).await.expect(answered);
        if answered == 403 {
            assert_eq!(answer.text("code"), "set_from_above", "{at}");
            assert!(answer.text("detail").contains(stands.unwrap().1), "{at}: {}", answer.json());
        }
        let shown = rig.get(&below, &format!("{path}/spend-cap")).await.expect(200).json();
        assert_eq!(shown["daily"], json!(stands.map(|(cap, _)| cap)), "{at}");
        assert_eq!(shown["set_by"], json!(stands.map(|(_, who)| who)), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_cap_does_not_get_around_it() {
    let rig = Rig::new().await;
    let scopes = ["messages:write", "account:write", "admin:write"];
    let made =
        rig.post(&rig.client, "/v1/api-keys", &json!({"name": "shop", "scopes": scopes})).await.expect(201).json();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap().to_owned());
    let path = format!("/v1/api-keys/{id}");
    rig.cap(&secret, &path, Some("160")).await.expect(200);
    assert_eq!(rig.try_send(&secret).await.0, 201);
    let new = json!({"name": "another", "scopes": ["messages:write"]});
    let forbidden = (403, "forbidden".to_owned());
    for daily in [None, Some("1000"), Some("1")] {
        assert_eq!(rig.cap(&secret, &path, daily).await.refusal(), forbidden, "{daily:?}");
    }
    assert_eq!(rig.post(&secret, "/v1/api-keys", &new).await.refusal(), forbidden);
    assert_eq!(rig.try_send(&secret).await.0, 201);
    assert_eq!(rig.try_send(&secret).await, reached());
    // Taken away and set again on the same day: what was spent meanwhile counts, too.
    rig.cap(&rig.client, &path, None).await.expect(200);
    assert_eq!(rig.try_send(&secret).await.0, 201);
    rig.post(&secret, "/v1/api-keys", &new).await.expect(201);
    let told = rig.cap(&rig.client, &path, Some("320")).await.expect(200).json();
    assert_eq!((&told["spent"], &told["left"]), (&json!("240.00"), &json!("80.00")));
    assert_eq!(rig.try_send(&secret).await.0, 201);
    assert_eq!(rig.try_send(&secret).await, reached());
    rig.world.assert_books_are_right().await;
}
