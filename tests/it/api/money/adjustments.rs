//! Adjustments: small ones by one person, large ones by two.

use serde_json::{Value, json};

use crate::api::rig::Rig;

impl Rig {
    async fn adjust(&self, token: &str, amount: &str) -> crate::api::rig::Answer {
        let body = json!({"account_id": self.world.client, "amount": amount, "reason": "goodwill"});
        self.post(token, "/v1/adjustments", &body).await
    }

    async fn decide(&self, token: &str, id: &Value, verb: &str) -> crate::api::rig::Answer {
        let path = format!("/v1/adjustments/{}/{verb}", id.as_str().unwrap());
        self.post(token, &path, &json!({"reason": "agreed"})).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_limit_another_person_approves_and_never_the_same() {
    let rig = Rig::with_balance(100_000_000).await;
    let client = rig.world.client;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    // Without a limit everything needs two.
    assert_eq!(rig.adjust(&rig.house, "0.000001").await.refusal(), (403, "forbidden".to_owned()), "a key has no name");
    let limit = json!({"amount": "10"});
    let path = "/v1/adjustment-limits/UZS";
    assert_eq!(
        rig.call("PUT", path, Some(&rig.house), Some(&limit)).await.refusal().0,
        403,
        "nor sets a key the limit"
    );
    rig.call("PUT", path, Some(&ann), Some(&limit)).await.expect(200);
    let small = rig.adjust(&rig.house, "10").await.expect(201).json();
    assert_eq!((&small["status"], &small["decided_by"]), (&json!("done"), &Value::Null));
    assert_eq!(rig.world.wallet(client).await.0, 110_000_000);

    let large = rig.adjust(&ann, "-10.000001").await.expect(201).json();
    assert_eq!((&large["status"], &large["entry_id"]), (&json!("pending"), &Value::Null));
    assert_eq!(rig.world.wallet(client).await.0, 110_000_000, "nothing moved yet");
    let pending = rig.get(&bob, "/v1/adjustments?status=pending").await.expect(200).json();
    assert_eq!(pending["data"][0]["id"], large["id"]);
    for (token, status) in [(&ann, 403), (&rig.house, 403), (&rig.reseller, 403), (&bob, 200), (&bob, 409), (&ann, 409)]
    {
        assert_eq!(rig.decide(token, &large["id"], "approve").await.status.as_u16(), status);
    }
    assert_eq!(rig.world.wallet(client).await.0, 99_999_999);
    let seen = rig.get(&rig.client, "/v1/transactions?kind=adjustment").await.expect(200).json();
    let amounts: Vec<&Value> = seen["data"].as_array().unwrap().iter().map(|row| &row["amount"]).collect();
    assert_eq!(amounts, [&json!("-10.000001"), &json!("10.00")]);

    let unwanted = rig.adjust(&ann, "1000").await.expect(201).json();
    let rejected = rig.decide(&ann, &unwanted["id"], "reject").await.expect(200).json();
    assert_eq!((&rejected["status"], &rejected["decision"]), (&json!("rejected"), &json!("agreed")));
    assert_eq!(rig.decide(&bob, &unwanted["id"], "approve").await.refusal(), (409, "conflict".to_owned()));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_not_adjusted_below_its_limit_and_what_is_wrong_is_named() {
    let rig = Rig::with_balance(100_000_000).await;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    let much = rig.adjust(&ann, "-100.000001").await.expect(201).json();
    assert_eq!(rig.decide(&bob, &much["id"], "approve").await.refusal(), (402, "insufficient_credit".to_owned()));
    let body = json!({"account_id": "acc_x", "amount": "0", "reason": " "});
    let refused = rig.post(&ann, "/v1/adjustments", &body).await.expect(400).json();
    let told: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(told, ["/account_id", "/amount", "/reason"]);
    let still = rig.get(&ann, "/v1/adjustments?status=pending").await.expect(200).json();
    assert_eq!(still["data"].as_array().unwrap().len(), 1, "it still waits");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_approve_at_once_one_moves_the_money() {
    let rig = Rig::with_balance(100_000_000).await;
    let ann = rig.person(rig.world.house, "ann@h.example").await;
    let bob = rig.person(rig.world.house, "bob@h.example").await;
    let asked = rig.adjust(&ann, "50").await.expect(201).json();
    let all = futures_util::future::join_all((0..8).map(|_| rig.decide(&bob, &asked["id"], "approve"))).await;
    let good = all.iter().filter(|answer| answer.status.as_u16() == 200).count();
    assert_eq!(good, 1);
    assert_eq!(rig.world.wallet(rig.world.client).await.0, 150_000_000);
    rig.world.assert_books_are_right().await;
}
