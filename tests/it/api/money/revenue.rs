//! What sellers earn: equal to the journal to the micro, and nobody else's business.

use contract::ReceiptState::{Delivered, Undeliverable};
use serde_json::{Value, json};

use super::{ON_DELIVERY, ON_SUBMIT, micros};
use crate::api::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_earns_what_its_children_pay_less_what_it_pays() {
    let rig = Rig::new().await;
    let first = rig.ended(ON_SUBMIT, 2, Delivered).await;
    let lost = rig.ended(ON_DELIVERY, 3, Undeliverable).await;
    rig.ended(ON_DELIVERY, 1, Delivered).await;
    let back = json!({"segments": 1, "reason": "x"});
    rig.post(&rig.house, &format!("/v1/messages/{first}/refunds"), &back).await.expect(201);
    // The client paid 2 × 80 - 80 + 90; the reseller paid 2 × 60 - 60 + 3 × 60 + 60.
    let shares = rig.get(&rig.reseller, "/v1/revenue-shares").await.expect(200).json();
    let [day] = shares["data"].as_array().unwrap().as_slice() else { panic!("{shares}") };
    assert_eq!(day["child_id"], json!(rig.world.client));
    assert_eq!((&day["earned"], &day["paid"], &day["share"]), (&json!("170.00"), &json!("300.00"), &json!("-130.00")));
    // The house is paid by the reseller, and pays operators 45 for a segment: refunds do not come back from them.
    let house = rig.get(&rig.house, "/v1/revenue-shares").await.expect(200).json();
    let [day] = house["data"].as_array().unwrap().as_slice() else { panic!("{house}") };
    assert_eq!(day["child_id"], json!(rig.world.reseller));
    assert_eq!((&day["earned"], &day["paid"]), (&json!("300.00"), &json!("270.00")));
    for (id, earned, paid) in [(&first, "80.00", "60.00"), (&lost, "0.00", "180.00")] {
        let one = rig.get(&rig.reseller, &format!("/v1/messages/{id}/share")).await.expect(200).json();
        assert_eq!((&one["earned"], &one["paid"]), (&json!(earned), &json!(paid)));
    }
    let of_house = rig.get(&rig.house, &format!("/v1/messages/{first}/share")).await.expect(200).json();
    assert_eq!(
        (&of_house["earned"], &of_house["paid"], &of_house["share"]),
        (&json!("60.00"), &json!("90.00"), &json!("-30.00"))
    );
    assert_eq!(rig.get(&rig.client, "/v1/revenue-shares").await.refusal().0, 403);
    assert_eq!(rig.get(&rig.client, &format!("/v1/messages/{first}/share")).await.refusal().0, 403);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_of_all_days_and_children_are_the_journal() {
    let rig = Rig::new().await;
    let tokens = [(&rig.reseller, rig.world.reseller), (&rig.house, rig.world.house)];
    for (to, segments, last) in [
        (ON_SUBMIT, 1, Delivered),
        (ON_SUBMIT, 4, Undeliverable),
        (ON_DELIVERY, 2, Delivered),
        (ON_DELIVERY, 5, Undeliverable),
    ] {
        rig.ended(to, segments, last).await;
    }
    // Part of it was yesterday.
    let past = "UPDATE balance_ledger SET at = at - interval '1 day' WHERE entry_id IN
        (SELECT entry_id FROM balance_ledger WHERE operation = 'capture' ORDER BY entry_id LIMIT 2)";
    sqlx::query(past).execute(rig.world.pool()).await.unwrap();
    for (token, seller) in tokens {
        let from = (chrono::Utc::now() - chrono::TimeDelta::days(3)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let shares = rig.get(token, &format!("/v1/revenue-shares?from={from}")).await.expect(200).json();
        let sum = |field: &str| shares["data"].as_array().unwrap().iter().map(|row| micros(&row[field])).sum::<i64>();
        let journal = async |sql: &'static str| -> i64 {
            sqlx::query_scalar(sql).bind(seller.uuid()).fetch_one(rig.world.pool()).await.unwrap()
        };
        let earned = journal(
            "SELECT coalesce(sum(posted_micros), 0)::bigint FROM balance_ledger WHERE account_id = $1 AND ledger = 'revenue'",
        );
        let paid = journal(
            "SELECT coalesce(-sum(posted_micros), 0)::bigint FROM balance_ledger WHERE account_id = $1
                AND (ledger = 'wallet' AND operation = 'capture' OR ledger = 'supplier_cost')",
        );
        assert_eq!((sum("earned"), sum("paid")), (earned.await, paid.await));
        assert_eq!(sum("share"), sum("earned") - sum("paid"));
        assert_eq!(shares["data"].as_array().unwrap().len(), 2, "two days");
    }
    for query in [
        "from=2026-01-01T00:00:00Z&to=2026-12-31T00:00:00Z",
        "from=x",
        "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
    ] {
        let refused: Value = rig.get(&rig.reseller, &format!("/v1/revenue-shares?{query}")).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], "/from");
    }
}
