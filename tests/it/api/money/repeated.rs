//! The same act asked for again while the first is under way: it waits, and is answered the same.

use contract::ReceiptState::Delivered;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::ON_SUBMIT;
use crate::api::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_done_once_only_is_done_once_and_answered_to_all() {
    let rig = Rig::with_balance(1_000_000_000).await;
    let (reseller, client) = (rig.world.reseller, rig.world.client);
    let id = rig.ended(ON_SUBMIT, 1, Delivered).await;
    let top_up = rig.get(&rig.client, "/v1/transactions?kind=top_up").await.expect(200).json();
    let top_up = top_up["data"][0]["id"].as_str().unwrap().to_owned();
    let because = json!({"reason": "x"});
    // Each of them takes all that there is: a second time there is nothing.
    let rows: [(&String, String, Value); 4] = [
        (&rig.house, format!("/v1/messages/{id}/refunds"), because.clone()),
        (&rig.house, format!("/v1/transactions/{top_up}/corrections"), because),
        (
            &rig.reseller,
            format!("/v1/accounts/{client}/transfers"),
            json!({"direction": "down", "amount": "900", "reason": "x"}),
        ),
        (
            &rig.house,
            format!("/v1/accounts/{reseller}/transfers"),
            json!({"direction": "down", "amount": "900", "reason": "x"}),
        ),
    ];
    for (at, (token, path, body)) in rows.into_iter().enumerate() {
        let key = format!("again-{at}");
        let all = join_all((0..6).map(|_| rig.post_once(token, &path, &key, &body))).await;
        let replayed = all.iter().filter(|answer| answer.headers.contains_key("idempotency-replayed")).count();
        assert_eq!(replayed, 5, "{path}");
        let first = all[0].bytes.clone();
        for answer in all {
            assert_eq!(answer.expect(201).bytes, first, "{path}");
        }
    }
    // What was refused is not remembered: the key is free for another try.
    let path = format!("/v1/accounts/{client}/transfers");
    let much = json!({"direction": "down", "amount": "100000", "reason": "x"});
    let all = join_all((0..3).map(|_| rig.post_once(&rig.reseller, &path, "much", &much))).await;
    assert!(all.iter().all(|answer| answer.refusal() == (402, "insufficient_credit".to_owned())));
    let less = json!({"direction": "down", "amount": "1", "reason": "x"});
    rig.post_once(&rig.reseller, &path, "much", &less).await.expect(201);
    rig.world.assert_books_are_right().await;
}
