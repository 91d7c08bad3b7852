//! Credit: who sells to an account gives it, and it never becomes money in another wallet.

use contract::ReceiptState::Delivered;
use serde_json::{Value, json};

use super::ON_SUBMIT;
use super::suspension::deeper;
use crate::api::rig::{Answer, Rig, send};
use crate::world::{CLIENT_SUBMIT, RESELLER};

impl Rig {
    async fn lend(&self, token: &str, account: &str, amount: &str) -> Answer {
        self.call("PUT", &format!("/v1/accounts/{account}/credit-limit"), Some(token), Some(&json!({"amount": amount})))
            .await
    }

    async fn pull_up(&self, token: &str, amount: &str) -> (u16, String) {
        let body = json!({"direction": "up", "amount": amount, "reason": "x"});
        self.post(token, &format!("/v1/accounts/{}/transfers", self.world.client), &body).await.refusal()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_is_given_by_who_is_right_above_or_by_the_house() {
    let rig = Rig::new().await;
    let (sub, below, shop) = deeper(&rig).await;
    let forbidden = "forbidden";
    let rows = [
        (&rig.reseller, &sub, "10", 200, ""),
        (&below, &shop, "10", 200, ""),
        (&rig.house, &shop, "20", 200, ""),
        (&rig.reseller, &shop, "10", 403, forbidden),
        (&below, &sub, "10", 403, forbidden),
        (&rig.client, &shop, "10", 403, forbidden),
        (&below, &shop, "-1", 400, "invalid_request"),
    ];
    for (token, account, amount, status, code) in rows {
        let answer = rig.lend(token, account, amount).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default()),
            (status, code),
            "{amount}"
        );
    }
    let shown = rig.get(&below, &format!("/v1/accounts/{shop}")).await.expect(200).json();
    assert_eq!((&shown["balance"]["credit_limit"], &shown["balance"]["kind"]), (&json!("20.00"), &json!("postpaid")));
    // By the other doors only the house gives it.
    let limit = json!({"credit_limit": "1"});
    assert_eq!(
        rig.call("PATCH", &format!("/v1/accounts/{sub}"), Some(&rig.reseller), Some(&limit)).await.refusal().0,
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_on_credit_of_its_reseller_spends_money_that_the_reseller_has() {
    let rig = Rig::with_balance(RESELLER + 1).await;
    let client = rig.world.client.to_string();
    assert_eq!(rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.refusal().0, 402);
    rig.lend(&rig.reseller, &client, "1000").await.expect(200);
    rig.ended(ON_SUBMIT, 1, Delivered).await;
    assert_eq!(rig.world.wallet(rig.world.client).await.0, RESELLER + 1 - CLIENT_SUBMIT);
    // The client has credit for more; its reseller has not what it pays for it.
    assert_eq!(rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.refusal().0, 402);
    assert_eq!(rig.world.wallet(rig.world.reseller).await, (1, 0));
    assert_eq!(rig.lend(&rig.reseller, &client, "1").await.refusal(), (409, "conflict".to_owned()), "it is used");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_is_not_pulled_up() {
    let rig = Rig::with_balance(1_000_000_000).await;
    let (reseller, client) = (rig.world.reseller, rig.world.client);
    rig.lend(&rig.house, &client.to_string(), "500").await.expect(200);
    let short = (402, "insufficient_credit".to_owned());
    for token in [&rig.house, &rig.reseller, &rig.client] {
        assert_eq!(rig.pull_up(token, "1000.000001").await, short);
    }
    // What it holds is not its own either.
    rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201);
    assert_eq!(rig.pull_up(&rig.reseller, "920.000001").await, short);
    assert_eq!(rig.pull_up(&rig.reseller, "900").await.0, 201);
    // A correction of what was given takes no credit either.
    let down = json!({"direction": "down", "amount": "50", "reason": "x"});
    rig.post(&rig.reseller, &format!("/v1/accounts/{client}/transfers"), &down).await.expect(201);
    let moved = rig.get(&rig.client, "/v1/transactions?kind=transfer").await.expect(200).json();
    let correct = format!("/v1/transactions/{}/corrections", moved["data"][0]["id"].as_str().unwrap());
    assert_eq!(rig.pull_up(&rig.reseller, "60").await.0, 201);
    let refused = rig.post(&rig.reseller, &correct, &json!({"reason": "x"})).await;
    assert_eq!(refused.refusal(), short);
    rig.post(&rig.reseller, &correct, &json!({"reason": "x", "amount": "10"})).await.expect(201);
    assert_eq!(rig.world.wallet(client).await, (CLIENT_SUBMIT, CLIENT_SUBMIT));
    assert_eq!(rig.world.wallet(reseller).await.0, 1_920_000_000);
    let list = rig.get(&rig.client, "/v1/transactions?kind=correction").await.expect(200).json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{}", Value::to_string(&list));
    rig.world.assert_books_are_right().await;
}
