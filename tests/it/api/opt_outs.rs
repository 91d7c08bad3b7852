//! Opt-outs: who wants no more messages of an account, and what that does to a send.

use domain::{AccountId, Number};
use serde_json::{Value, json};

use super::rig::{Rig, send};
use crate::world::{CLIENT_SUBMIT, World};

const GONE: &str = "+998931234567";
const STAYS: &str = "+998931234568";

async fn opt_out(world: &World, account: AccountId, number: &str) {
    sqlx::query("INSERT INTO opt_outs (id, account_id, recipient, source) VALUES ($3, $1, $2, 'test')")
        .bind(account.uuid())
        .bind(Number::parse(number).unwrap().stored())
        .bind(uuid::Uuid::now_v7())
        .execute(world.pool())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_to_who_opted_out_is_refused_and_spoils_no_other() {
    let rig = Rig::with_balance(3 * CLIENT_SUBMIT).await;
    opt_out(&rig.world, rig.world.client, GONE).await;
    // Somebody else's opt-out is nobody's business here.
    opt_out(&rig.world, rig.world.reseller, STAYS).await;
    let (gone, stays) = (send(&json!({"to": GONE})), send(&json!({"to": STAYS})));
    for _ in 0..2 {
        let answer = rig.post_once(&rig.client, "/v1/messages", "k", &gone).await;
        assert_eq!(answer.refusal(), (422, "recipient_opted_out".to_owned()));
        assert_eq!(answer.json()["errors"][0]["pointer"], "/to");
    }
    // At the same time: gathered with the one that is refused.
    let (refused, taken) =
        tokio::join!(rig.post(&rig.client, "/v1/messages", &gone), rig.post(&rig.client, "/v1/messages", &stays));
    refused.expect(422);
    taken.expect(201);
    let batch = json!({"messages": [gone, stays, gone, stays, stays]});
    let result = rig.post_once(&rig.client, "/v1/messages/batch", "b", &batch).await.expect(202);
    let codes: Vec<Value> =
        result.json()["results"].as_array().unwrap().iter().map(|r| r["problem"]["code"].clone()).collect();
    let (out, poor) = (json!("recipient_opted_out"), json!("insufficient_credit"));
    assert_eq!(codes, [out.clone(), Value::Null, out, Value::Null, poor]);
    let again = rig.post_once(&rig.client, "/v1/messages/batch", "b", &batch).await.expect(202);
    assert_eq!(result.bytes, again.bytes);
    assert_eq!(rig.messages().await, 3);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_is_answered_as_before() {
    let rig = Rig::new().await;
    let body = send(&json!({"to": GONE}));
    let first = rig.post_once(&rig.client, "/v1/messages", "k", &body).await.expect(201);
    opt_out(&rig.world, rig.world.client, GONE).await;
    let again = rig.post_once(&rig.client, "/v1/messages", "k", &body).await.expect(201);
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(rig.messages().await, 1);
}
