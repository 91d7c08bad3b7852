//! Corrections: never more than the original, on every side of it.

use contract::ReceiptState::Delivered;
use serde_json::{Value, json};

use super::{ON_SUBMIT, micros};
use crate::api::rig::{Answer, Rig};

impl Rig {
    async fn correct(&self, token: &str, id: &str, amount: Option<&str>) -> Answer {
        let mut body = json!({"reason": "a mistake"});
        if let Some(amount) = amount {
            body["amount"] = json!(amount);
        }
        self.post(token, &format!("/v1/transactions/{id}/corrections"), &body).await
    }

    /// The newest transaction of this kind that `token` sees.
    async fn newest(&self, token: &str, kind: &str) -> Value {
        let list = self.get(token, &format!("/v1/transactions?kind={kind}")).await.expect(200).json();
        list["data"][0].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_is_taken_back_in_parts_and_never_more_than_it_was() {
    let rig = Rig::with_balance(0).await;
    let client = rig.world.client;
    let give = json!({"amount": "100", "reason": "paid"});
    rig.post(&rig.house, &format!("/v1/accounts/{client}/credit"), &give).await.expect(201);
    let id = rig.newest(&rig.house, "top_up").await["id"].as_str().unwrap().to_owned();
    let rows = [
        (&rig.reseller, Some("1"), 403, "forbidden"),
        (&rig.client, Some("1"), 403, "forbidden"),
        (&rig.house, Some("100.000001"), 422, "exceeds_original"),
        (&rig.house, Some("40"), 201, ""),
        (&rig.house, Some("60.000001"), 422, "exceeds_original"),
        (&rig.house, Some("0"), 400, "invalid_request"),
        (&rig.house, None, 201, ""),
        (&rig.house, None, 422, "exceeds_original"),
    ];
    for (token, amount, status, code) in rows {
        let answer = rig.correct(token, &id, amount).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{amount:?}: {}", answer.json());
    }
    assert_eq!(rig.world.wallet(client).await.0, 0);
    let correction = rig.newest(&rig.client, "correction").await;
    assert_eq!((&correction["original_id"], &correction["amount"]), (&json!(id), &json!("-60.00")));
    assert_eq!(rig.newest(&rig.client, "top_up").await["corrected"], "100.00");
    let again = rig.correct(&rig.house, correction["id"].as_str().unwrap(), None).await;
    assert_eq!(again.refusal(), (409, "conflict".to_owned()), "a correction is not corrected");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_corrected_on_both_sides_by_who_sees_both() {
    let rig = Rig::with_balance(100_000_000).await;
    let (reseller, client) = (rig.world.reseller, rig.world.client);
    let down = json!({"direction": "down", "amount": "50", "reason": "x"});
    rig.post(&rig.reseller, &format!("/v1/accounts/{client}/transfers"), &down).await.expect(201);
    let id = rig.newest(&rig.client, "transfer").await["id"].as_str().unwrap().to_owned();
    rig.correct(&rig.reseller, &id, Some("20")).await.expect(201);
    assert_eq!((rig.world.wallet(reseller).await.0, rig.world.wallet(client).await.0), (70_000_000, 130_000_000));
    // Between the house and the reseller: the reseller does not see both.
    rig.post(&rig.house, &format!("/v1/accounts/{reseller}/transfers"), &down).await.expect(201);
    let above = rig.newest(&rig.house, "transfer").await["id"].as_str().unwrap().to_owned();
    assert_eq!(rig.correct(&rig.reseller, &above, None).await.refusal().0, 404);
    // What was spent cannot be taken back.
    let up = json!({"direction": "up", "amount": "130", "reason": "x"});
    rig.post(&rig.client, &format!("/v1/accounts/{client}/transfers"), &up).await.expect(201);
    assert_eq!(rig.correct(&rig.reseller, &id, Some("1")).await.refusal(), (402, "insufficient_credit".to_owned()));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn corrections_at_the_same_time_stay_within_the_original() {
    let rig = Rig::with_balance(100_000_000).await;
    let id = rig.newest(&rig.client, "top_up").await["id"].as_str().unwrap().to_owned();
    let all = futures_util::future::join_all((0..8).map(|_| rig.correct(&rig.house, &id, Some("30")))).await;
    let made = all.iter().filter(|answer| answer.status.as_u16() == 201).count();
    assert_eq!(made, 3);
    assert_eq!(rig.world.wallet(rig.world.client).await.0, 10_000_000);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revenue_that_went_out_by_mistake_is_open_again() {
    let rig = Rig::new().await;
    rig.ended(ON_SUBMIT, 3, Delivered).await;
    let before = rig.world.wallet(rig.world.reseller).await.0;
    let payouts = format!("/v1/accounts/{}/payouts", rig.world.reseller);
    let out = json!({"amount": "140", "reference": "bank order 4711"});
    let credit = json!({"amount": "100", "reason": "November"});
    rig.post(&rig.reseller, "/v1/revenue-balance/credits", &credit).await.expect(201);
    rig.post(&rig.house, &payouts, &out).await.expect(201);
    let balance = async || {
        let balance = rig.get(&rig.reseller, "/v1/revenue-balance").await.expect(200).json();
        ["earned", "paid_out", "open"].map(|what| micros(&balance["data"][0][what]) / 1_000_000)
    };
    assert_eq!(balance().await, [240, 240, 0]);
    // Which, by whom, how much of it; the answer, and what is earned, paid out and open then, and moved in the wallet.
    let rows = [
        ("payout", &rig.reseller, "1", 403, [240, 240, 0], 100),
        ("payout", &rig.house, "140.000001", 422, [240, 240, 0], 100),
        ("payout", &rig.house, "126", 201, [240, 114, 126], 100),
        ("payout", &rig.house, "14.000001", 422, [240, 114, 126], 100),
        // What the reseller put into its own wallet it takes back itself.
        ("revenue_credit", &rig.client, "1", 403, [240, 114, 126], 100),
        ("revenue_credit", &rig.reseller, "10", 201, [240, 104, 136], 90),
        ("revenue_credit", &rig.house, "20", 201, [240, 84, 156], 70),
        ("revenue_credit", &rig.house, "70.000001", 422, [240, 84, 156], 70),
    ];
    for (kind, token, amount, status, revenue, wallet) in rows {
        let id = rig.newest(&rig.house, kind).await["id"].as_str().unwrap().to_owned();
        let answer = rig.correct(token, &id, Some(amount)).await;
        assert_eq!(answer.status.as_u16(), status, "{kind} {amount}: {}", answer.json());
        assert_eq!(balance().await, revenue, "{kind} {amount}");
        assert_eq!(rig.world.wallet(rig.world.reseller).await.0, before + wallet * 1_000_000, "{kind} {amount}");
        rig.world.assert_books_are_right().await;
    }
    // Cash that was booked out comes back; what is open again goes out again.
    let cash = "SELECT sum(posted_micros)::bigint FROM balance_ledger WHERE ledger = 'cash'
        AND operation IN ('payout', 'correction')";
    assert_eq!(rig.world.count(cash).await, 14_000_000);
    let again = json!({"amount": "156", "reference": "bank order 4712"});
    rig.post(&rig.house, &payouts, &again).await.expect(201);
    assert_eq!(balance().await, [240, 240, 0]);
    // A correction that the journal does not carry, or that gave revenue where none had gone out, is found.
    for (damage, repair) in [
        (
            "UPDATE transactions SET amount_micros = amount_micros + 1 WHERE kind = 'correction' AND amount_micros = -126000000",
            "UPDATE transactions SET amount_micros = amount_micros - 1 WHERE kind = 'correction' AND amount_micros = -125999999",
        ),
        (
            "UPDATE transactions SET kind = 'top_up' WHERE kind = 'payout' AND corrected_micros > 0",
            "UPDATE transactions SET kind = 'payout' WHERE kind = 'top_up' AND corrected_micros > 0",
        ),
    ] {
        sqlx::query(damage).execute(rig.world.pool()).await.unwrap();
        let found = store::ledger::verify(&rig.world.db).await.unwrap();
        assert!(found.iter().any(|one| one.rule.starts_with("what a seller was paid out")), "{damage}: {found:?}");
        sqlx::query(repair).execute(rig.world.pool()).await.unwrap();
    }
    rig.world.assert_books_are_right().await;
}
