//! What sellers earned goes out: never more than is open, never twice, and the books know.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use contract::ReceiptState::Delivered;
use serde_json::{Value, json};
use sweep::Sweep;

use super::{ON_SUBMIT, micros};
use crate::api::rig::Rig;

const CREDITS: &str = "/v1/revenue-balance/credits";

impl Rig {
    /// Earned, paid out and open of a seller, in micros.
    async fn revenue(&self, token: &str) -> (i64, i64, i64) {
        let balance = self.get(token, "/v1/revenue-balance").await.expect(200).json();
        let Some([one]) = balance["data"].as_array().map(Vec::as_slice) else { return (0, 0, 0) };
        assert_eq!(one["currency"], "UZS");
        (micros(&one["earned"]), micros(&one["paid_out"]), micros(&one["open"]))
    }

    fn payouts(&self) -> String {
        format!("/v1/accounts/{}/payouts", self.world.reseller)
    }

    /// The sum of the journal's lines of a kind, in micros.
    async fn journal(&self, ledger: &str, operation: &str) -> i64 {
        sqlx::query_scalar(
            "SELECT coalesce(sum(posted_micros), 0)::bigint FROM balance_ledger WHERE ledger = $1 AND operation = $2",
        )
        .bind(ledger)
        .bind(operation)
        .fetch_one(self.world.pool())
        .await
        .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revenue_goes_into_the_wallet_or_out_and_never_more_than_is_open() {
    let rig = Rig::new().await;
    assert_eq!(rig.revenue(&rig.reseller).await, (0, 0, 0));
    let message = rig.ended(ON_SUBMIT, 3, Delivered).await;
    // The client pays 80 for a segment.
    assert_eq!(rig.revenue(&rig.reseller).await, (240_000_000, 0, 240_000_000));
    let before = rig.world.wallet(rig.world.reseller).await.0;
    let credit = json!({"amount": "100", "reason": "earned in November"});
    let first = rig.post_once(&rig.reseller, CREDITS, "credit", &credit).await.expect(201).json();
    let again = rig.post_once(&rig.reseller, CREDITS, "credit", &credit).await.expect(201).json();
    assert_eq!(first, again);
    let side = &first["transactions"][0];
    assert_eq!((&side["kind"], &side["amount"]), (&json!("revenue_credit"), &json!("100.00")));
    assert_eq!(rig.world.wallet(rig.world.reseller).await.0, before + 100_000_000);
    assert_eq!(rig.revenue(&rig.reseller).await, (240_000_000, 100_000_000, 140_000_000));

    let payout = json!({"amount": "130.5", "reference": "bank order 4711"});
    let paid = rig.post_once(&rig.house, &rig.payouts(), "payout", &payout).await.expect(201).json();
    assert_eq!(rig.post_once(&rig.house, &rig.payouts(), "payout", &payout).await.expect(201).json(), paid);
    assert_eq!(rig.revenue(&rig.reseller).await, (240_000_000, 230_500_000, 9_500_000));
    assert_eq!(rig.world.wallet(rig.world.reseller).await.0, before + 100_000_000, "the wallet stays as it is");
    assert_eq!(
        (rig.journal("cash", "payout").await, rig.journal("revenue", "payout").await),
        (130_500_000, -130_500_000)
    );

    for (token, path, body, expected) in [
        (&rig.reseller, CREDITS, json!({"amount": "9.500001", "reason": "x"}), (402, "insufficient_credit")),
        (&rig.house, &rig.payouts(), json!({"amount": "9.500001", "reference": "x"}), (402, "insufficient_credit")),
        (&rig.reseller, CREDITS, json!({"amount": "0", "reason": "x"}), (400, "invalid_request")),
        (&rig.reseller, CREDITS, json!({"amount": "1", "reason": " "}), (400, "invalid_request")),
        (&rig.house, &rig.payouts(), json!({"amount": "1", "reference": ""}), (400, "invalid_request")),
        (&rig.client, CREDITS, json!({"amount": "1", "reason": "x"}), (403, "forbidden")),
        (&rig.reseller, &rig.payouts(), json!({"amount": "1", "reference": "x"}), (403, "forbidden")),
    ] {
        let refused = rig.post(token, path, &body).await.refusal();
        assert_eq!(refused, (expected.0, expected.1.to_owned()), "{path} {body}");
    }
    assert_eq!(rig.get(&rig.client, "/v1/revenue-balance").await.refusal().0, 403);

    // The statement and the transactions know it, each by its kind.
    let lines = rig.get(&rig.reseller, "/v1/statement?operation=revenue_credit").await.expect(200).json();
    assert_eq!(
        (&lines["data"][0]["amount"], &lines["data"][0]["reason"]),
        (&json!("100.00"), &json!("earned in November"))
    );
    for (kind, amount, reason) in
        [("revenue_credit", "100.00", "earned in November"), ("payout", "130.50", "bank order 4711")]
    {
        let listed = rig.get(&rig.reseller, &format!("/v1/transactions?kind={kind}")).await.expect(200).json();
        let [one] = listed["data"].as_array().unwrap().as_slice() else { panic!("{listed}") };
        assert_eq!((&one["amount"], &one["reason"]), (&json!(amount), &json!(reason)));
    }
    // What is refunded after it went out is owed; nothing goes out before it is earned again.
    rig.post(&rig.house, &format!("/v1/messages/{message}/refunds"), &json!({"reason": "lost"})).await.expect(201);
    assert_eq!(rig.revenue(&rig.reseller).await, (0, 230_500_000, -230_500_000));
    let refused = rig.post(&rig.reseller, CREDITS, &json!({"amount": "1", "reason": "x"})).await.refusal();
    assert_eq!(refused.0, 402);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payouts_at_the_same_time_do_not_exceed_what_is_open() {
    let rig = Rig::new().await;
    rig.ended(ON_SUBMIT, 4, Delivered).await;
    let credit = |n: usize| json!({"amount": "40", "reason": format!("part {n}")});
    let payout = |n: usize| json!({"amount": "40", "reference": format!("part {n}")});
    let path = rig.payouts();
    let all = (0..20).map(|n| {
        let (rig, path) = (&rig, &path);
        async move {
            let answer = if n % 2 == 0 {
                rig.post(&rig.reseller, CREDITS, &credit(n)).await
            } else {
                rig.post(&rig.house, path, &payout(n)).await
            };
            answer.status.as_u16()
        }
    });
    let mut answers = futures_util::future::join_all(all).await;
    answers.sort_unstable();
    // 320 were earned: eight of twenty.
    assert_eq!(answers, [vec![201; 8], vec![402; 12]].concat());
    assert_eq!(rig.revenue(&rig.reseller).await, (320_000_000, 320_000_000, 0));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_a_reseller_gives_does_not_become_its_money() {
    let rig = Rig::new().await;
    let client = rig.world.client.to_string();
    let money = rig.world.wallet(rig.world.client).await.0;
    // The client's own money goes away, and it lives on credit.
    let up = json!({"direction": "up", "amount": (money / 1_000_000).to_string(), "reason": "x"});
    rig.post(&rig.client, &format!("/v1/accounts/{client}/transfers"), &up).await.expect(201);
    let limit = json!({"amount": "1000"});
    rig.call("PUT", &format!("/v1/accounts/{client}/credit-limit"), Some(&rig.reseller), Some(&limit))
        .await
        .expect(200);
    rig.ended(ON_SUBMIT, 3, Delivered).await;
    let balance = async || {
        let balance = rig.get(&rig.reseller, "/v1/revenue-balance").await.expect(200).json();
        ["earned", "uncollected", "open"].map(|what| micros(&balance["data"][0][what]) / 1_000_000)
    };
    let credit = async |amount: &str| {
        rig.post(&rig.reseller, CREDITS, &json!({"amount": amount, "reason": "x"})).await.status.as_u16()
    };
    assert_eq!(balance().await, [240, 240, 0]);
    assert_eq!(credit("0.000001").await, 402);
    // It pays some of it: so much can go out.
    let down = json!({"direction": "down", "amount": "100", "reason": "paid in cash"});
    rig.post(&rig.reseller, &format!("/v1/accounts/{client}/transfers"), &down).await.expect(201);
    assert_eq!(balance().await, [240, 140, 100]);
    assert_eq!([credit("100.000001").await, credit("100").await, credit("0.000001").await], [402, 201, 402]);
    // It pays the rest in cash: what the reseller earned by it goes into its wallet, and into nobody else's.
    let wallet = rig.world.wallet(rig.world.reseller).await;
    let cash = |amount: &str, account: &str| json!({"amount": amount, "reason": "cash", "account_id": account});
    let (house, sub) = (rig.world.house.to_string(), super::suspension::deeper(&rig).await);
    for (amount, account, status) in [
        ("140.000001", &client, 402),
        ("1", &house, 404),
        ("1", &sub.2, 400),
        ("1", &sub.0, 402),
        ("140", &client, 201),
    ] {
        let answer = rig.post(&rig.reseller, CREDITS, &cash(amount, account)).await;
        assert_eq!(answer.status.as_u16(), status, "{amount} {account}: {}", answer.json());
    }
    assert_eq!((balance().await, credit("0.000001").await), ([240, 0, 0], 402));
    assert_eq!(rig.world.wallet(rig.world.client).await, (0, 0));
    assert_eq!(rig.world.wallet(rig.world.reseller).await, wallet, "it only passed through");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_refunds_of_what_is_open_and_not_what_it_has_taken_out() {
    let rig = Rig::new().await;
    let first = rig.ended(ON_SUBMIT, 3, Delivered).await;
    let second = rig.ended(ON_SUBMIT, 1, Delivered).await;
    let refund = async |token: &str, message: &str, segments: u8| {
        let body = json!({"segments": segments, "reason": "x"});
        rig.post(token, &format!("/v1/messages/{message}/refunds"), &body).await.refusal()
    };
    let client = rig.world.wallet(rig.world.client).await.0;
    rig.post(&rig.reseller, CREDITS, &json!({"amount": "240", "reason": "November"})).await.expect(201);
    assert_eq!(rig.revenue(&rig.reseller).await, (320_000_000, 240_000_000, 80_000_000));
    let short = (402, "insufficient_credit".to_owned());
    assert_eq!(refund(&rig.reseller, &first, 2).await, short, "80 are open, 160 asked");
    assert_eq!(rig.world.wallet(rig.world.client).await.0, client, "nothing was given back");
    assert_eq!(refund(&rig.reseller, &first, 1).await.0, 201);
    assert_eq!(refund(&rig.reseller, &second, 1).await, short);
    // Money that it puts back it can give back.
    let made = rig.get(&rig.reseller, "/v1/transactions?kind=revenue_credit").await.expect(200).json();
    let path = format!("/v1/transactions/{}/corrections", made["data"][0]["id"].as_str().unwrap());
    rig.post(&rig.reseller, &path, &json!({"amount": "80", "reason": "to give it back"})).await.expect(201);
    assert_eq!(refund(&rig.reseller, &second, 1).await.0, 201);
    assert_eq!(rig.revenue(&rig.reseller).await, (160_000_000, 160_000_000, 0));
    // The house gives back whatever was taken out, and is owed it.
    assert_eq!(refund(&rig.house, &first, 1).await.0, 201);
    assert_eq!(rig.revenue(&rig.reseller).await, (80_000_000, 160_000_000, -80_000_000));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sweep_folds_is_what_was_earned_and_damage_is_found() {
    let rig = Rig::new().await;
    rig.ended(ON_SUBMIT, 2, Delivered).await;
    rig.post(&rig.reseller, CREDITS, &json!({"amount": "50", "reason": "x"})).await.expect(201);
    let before = rig.revenue(&rig.reseller).await;
    assert_eq!(before, (160_000_000, 50_000_000, 110_000_000));
    let later = host::clock::Fake::at(Utc::now() + chrono::TimeDelta::minutes(11));
    let (db, queue) = (rig.world.db.clone(), Arc::clone(&rig.world.queue));
    let sweep = Sweep::new(db, queue, Arc::new(later.clone()), store::sweep::Retention::default());
    for _ in 0..2 {
        sweep.balances().await.unwrap();
        later.advance(Duration::from_mins(1));
        assert_eq!(rig.revenue(&rig.reseller).await, before, "it counts once");
    }
    let folded = "SELECT earned_micros - paid_out_micros FROM seller_accounts s JOIN accounts a ON a.id = s.account_id
        WHERE a.role = 'reseller'";
    assert_eq!(rig.world.count(folded).await, 110_000_000);
    rig.world.assert_books_are_right().await;
    for (damage, repair, rule) in [
        (
            "UPDATE seller_accounts SET earned_micros = earned_micros + 1",
            "UPDATE seller_accounts SET earned_micros = earned_micros - 1",
            "what a seller was paid out",
        ),
        (
            "UPDATE transactions SET amount_micros = 60000000 WHERE kind = 'revenue_credit'",
            "UPDATE transactions SET amount_micros = 50000000 WHERE kind = 'revenue_credit'",
            "what a seller was paid out",
        ),
        (
            "UPDATE balance_ledger SET operation = 'payout' WHERE operation = 'revenue_credit' AND ledger = 'revenue'",
            "UPDATE balance_ledger SET operation = 'revenue_credit' WHERE operation = 'payout' AND ledger = 'revenue'",
            "what a seller was paid out",
        ),
    ] {
        sqlx::query(damage).execute(rig.world.pool()).await.unwrap();
        let violations = store::ledger::verify(&rig.world.db).await.unwrap();
        assert!(violations.iter().any(|violation| violation.rule.starts_with(rule)), "{damage}: {violations:?}");
        sqlx::query(repair).execute(rig.world.pool()).await.unwrap();
    }
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revenue_is_shown_and_goes_out_on_the_command_line() {
    let rig = Rig::new().await;
    rig.ended(ON_SUBMIT, 2, Delivered).await;
    let run = async |token: &str, arguments: &[&str]| rig.chappe(token, &[&["revenue"], arguments].concat()).await;
    let (done, told) = run(&rig.reseller, &["credit", "60", "--reason", "November"]).await;
    assert!(done && told.contains("revenue_credit") && told.contains("60.00"), "{told}");
    let reseller = rig.world.reseller.to_string();
    let (done, told) = run(&rig.house, &["payout", &reseller, "90", "--reference", "order 1", "--json"]).await;
    assert!(done, "{told}");
    let made: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(made["transactions"][0]["kind"], "payout");
    let (done, told) = run(&rig.reseller, &[]).await;
    assert!(done && ["160.00", "150.00", "10.00"].iter().all(|amount| told.contains(amount)), "{told}");
    let (done, told) = run(&rig.reseller, &["credit", "10.01", "--reason", "too much"]).await;
    assert!(!done && told.contains("402"), "{told}");
}
