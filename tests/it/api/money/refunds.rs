//! Refunds of messages: through the whole chain, each level at its own price, never more than was taken.

use contract::ReceiptState::{Delivered, Undeliverable};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::{ON_DELIVERY, ON_SUBMIT};
use crate::api::rig::{Answer, RICH, Rig};
use crate::world::{CLIENT_DELIVERED, CLIENT_SUBMIT, RESELLER};

impl Rig {
    async fn refund(&self, token: &str, id: &str, segments: Option<u8>) -> Answer {
        let mut body = json!({"reason": "a forged receipt"});
        if let Some(segments) = segments {
            body["segments"] = json!(segments);
        }
        self.post(token, &format!("/v1/messages/{id}/refunds"), &body).await
    }
}

fn shares(answer: &Answer) -> Vec<(u64, String)> {
    let body = answer.json();
    let share = |share: &Value| (share["segments"].as_u64().unwrap(), share["amount"].as_str().unwrap().to_owned());
    body["shares"].as_array().unwrap().iter().map(share).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_house_gives_back_to_every_level_at_its_own_price() {
    let rig = Rig::new().await;
    let (reseller, client) = (rig.world.reseller, rig.world.client);
    let id = rig.ended(ON_SUBMIT, 3, Delivered).await;
    assert_eq!(rig.world.wallet(client).await, (RICH - 3 * CLIENT_SUBMIT, 0));
    let one = rig.refund(&rig.house, &id, Some(1)).await.expect(201);
    assert_eq!(shares(&one), [(1, "80.00".to_owned()), (1, "60.00".to_owned())]);
    assert_eq!(rig.world.wallet(client).await.0, RICH - 2 * CLIENT_SUBMIT);
    assert_eq!(rig.world.wallet(reseller).await.0, RICH - 2 * RESELLER);
    rig.world.assert_books_are_right().await;
    assert_eq!(rig.refund(&rig.house, &id, Some(3)).await.refusal(), (422, "exceeds_original".to_owned()));
    assert_eq!(shares(&rig.refund(&rig.house, &id, None).await.expect(201))[0], (2, "160.00".to_owned()));
    assert_eq!(rig.refund(&rig.house, &id, None).await.refusal(), (422, "exceeds_original".to_owned()));
    assert_eq!(rig.world.wallet(client).await, (RICH, 0));
    assert_eq!(rig.world.wallet(reseller).await, (RICH, 0));
    let told = rig.get(&rig.client, &format!("/v1/messages/{id}")).await.expect(200).json();
    assert_eq!((&told["charged"], &told["refunded"]), (&json!("240.00"), &json!("240.00")));
    let seen = rig.get(&rig.client, "/v1/transactions?kind=refund").await.expect(200).json();
    assert_eq!(seen["data"].as_array().unwrap().len(), 2);
    assert!(seen["data"].as_array().unwrap().iter().all(|row| row["message_id"] == json!(id)));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reseller_gives_back_what_it_took_and_the_house_the_rest() {
    let rig = Rig::new().await;
    let (reseller, client) = (rig.world.reseller, rig.world.client);
    let id = rig.ended(ON_SUBMIT, 2, Delivered).await;
    assert_eq!(rig.refund(&rig.client, &id, None).await.refusal().0, 403);
    assert_eq!(shares(&rig.refund(&rig.reseller, &id, Some(1)).await.expect(201)), [(1, "80.00".to_owned())]);
    assert_eq!(
        rig.world.wallet(reseller).await.0,
        RICH - 2 * RESELLER,
        "what it paid itself is between it and the house"
    );
    let rest = rig.refund(&rig.house, &id, None).await.expect(201);
    assert_eq!(shares(&rest), [(1, "80.00".to_owned()), (2, "120.00".to_owned())]);
    assert_eq!((rig.world.wallet(client).await.0, rig.world.wallet(reseller).await.0), (RICH, RICH));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_is_not_given_back() {
    let rig = Rig::new().await;
    // The client pays on delivery and paid nothing; the reseller pays on submit.
    let id = rig.ended(ON_DELIVERY, 2, Undeliverable).await;
    assert_eq!(rig.world.wallet(rig.world.client).await, (RICH, 0));
    assert_eq!(rig.refund(&rig.reseller, &id, None).await.refusal(), (422, "exceeds_original".to_owned()));
    let shares = shares(&rig.refund(&rig.house, &id, None).await.expect(201));
    assert_eq!(shares, [(2, "120.00".to_owned())], "the reseller alone had paid");
    let open = rig.post(&rig.client, "/v1/messages", &crate::api::rig::send(&json!({}))).await.expect(201).text("id");
    assert_eq!(rig.refund(&rig.house, &open, None).await.refusal(), (409, "conflict".to_owned()));
    let unknown = domain::MessageId::generate().to_string();
    assert_eq!(rig.refund(&rig.house, &unknown, None).await.refusal().0, 404);
    assert_eq!(rig.refund(&rig.house, &id, Some(0)).await.refusal().0, 400);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_at_the_same_time_stay_within_what_was_taken() {
    let rig = Rig::new().await;
    let id = rig.ended(ON_DELIVERY, 3, Delivered).await;
    let all = futures_util::future::join_all((0..8).map(|_| rig.refund(&rig.house, &id, Some(1)))).await;
    assert_eq!(all.iter().filter(|answer| answer.status.as_u16() == 201).count(), 3);
    assert_eq!(rig.world.wallet(rig.world.client).await, (RICH, 0));
    rig.world.assert_books_are_right().await;
}

/// Who refunds how many segments of which message; whatever comes, no level gets more than it paid.
#[test]
fn random_refunds_end_where_everything_is_given_back() {
    let acts = prop::collection::vec((any::<bool>(), 0_usize..3, prop::option::of(1_u8..4)), 1..12);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 6, max_shrink_iters: 0, ..Config::default() });
    runner.run(&acts, |acts| runtime.block_on(play(acts))).unwrap();
}

async fn play(acts: Vec<(bool, usize, Option<u8>)>) -> Result<(), TestCaseError> {
    let rig = Rig::new().await;
    let messages = [
        (rig.ended(ON_SUBMIT, 3, Delivered).await, CLIENT_SUBMIT, 3),
        (rig.ended(ON_DELIVERY, 2, Delivered).await, CLIENT_DELIVERED, 2),
        (rig.ended(ON_SUBMIT, 1, Undeliverable).await, CLIENT_SUBMIT, 1),
    ];
    let mut left = messages.each_ref().map(|(_, _, segments)| *segments);
    for (by_house, which, segments) in acts {
        let (id, price, _) = &messages[which];
        let before = rig.world.wallet(rig.world.client).await.0;
        let answer = rig.refund(if by_house { &rig.house } else { &rig.reseller }, id, segments).await;
        let given = rig.world.wallet(rig.world.client).await.0 - before;
        let taken = given / price;
        prop_assert_eq!(given, taken * price);
        prop_assert!(taken <= left[which], "{} of {} left", taken, left[which]);
        left[which] -= taken;
        prop_assert!(answer.status.as_u16() == 201 || given == 0);
        rig.world.assert_books_are_right().await;
    }
    for (id, ..) in &messages {
        rig.refund(&rig.house, id, None).await;
    }
    for account in [rig.world.client, rig.world.reseller] {
        prop_assert_eq!(rig.world.wallet(account).await, (RICH, 0));
    }
    rig.world.assert_books_are_right().await;
    Ok(())
}
