//! Damage to what people moved, and the rule of `chappe ledger verify` that finds it.

use contract::ReceiptState::Delivered;
use serde_json::json;

use super::ON_SUBMIT;
use crate::api::rig::Rig;

/// A refund, a correction, an adjustment and a payment to a supplier.
async fn acts() -> Rig {
    let rig = Rig::new().await;
    let ann = rig.person(rig.world.house, "ann@h.example").await;
    let bob = rig.person(rig.world.house, "bob@h.example").await;
    let message = rig.ended(ON_SUBMIT, 2, Delivered).await;
    let back = json!({"segments": 1, "reason": "x"});
    rig.post(&rig.house, &format!("/v1/messages/{message}/refunds"), &back).await.expect(201);
    let moved = rig.get(&rig.client, "/v1/transactions?kind=top_up").await.expect(200).json();
    let correct = format!("/v1/transactions/{}/corrections", moved["data"][0]["id"].as_str().unwrap());
    rig.post(&rig.house, &correct, &json!({"amount": "5", "reason": "x"})).await.expect(201);
    let adjust = json!({"account_id": rig.world.client, "amount": "7", "reason": "x"});
    let asked = rig.post(&ann, "/v1/adjustments", &adjust).await.expect(201).text("id");
    rig.post(&bob, &format!("/v1/adjustments/{asked}/approve"), &json!({"reason": "x"})).await.expect(200);
    let pay = json!({"amount": "100", "currency": "UZS", "reason": "x"});
    let path = format!("/v1/operators/{}/payments", rig.world.operators[0]);
    rig.post(&rig.house, &path, &pay).await.expect(201);
    let alarm = json!({"currency": "UZS", "alarm_below": "1"});
    let path = format!("/v1/operators/{}/account", rig.world.operators[0]);
    rig.call("PUT", &path, Some(&rig.house), Some(&alarm)).await.expect(200);
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_to_an_act_is_found() {
    let rows = [
        ("UPDATE transactions SET amount_micros = amount_micros + 1 WHERE kind = 'refund'", "a transaction says"),
        ("DELETE FROM transactions WHERE kind = 'adjustment'", "a transaction says"),
        (
            "UPDATE transactions SET corrected_micros = corrected_micros - 1 WHERE kind = 'top_up' AND corrected_micros > 0",
            "corrections name",
        ),
        ("UPDATE transactions SET original_id = NULL WHERE kind = 'correction'", "corrections name"),
        ("DELETE FROM message_refunds", "refunds are those"),
        ("UPDATE messages SET accepted_segments = 0", "refunds do not exceed"),
        ("UPDATE adjustments SET amount_micros = 8", "an adjustment is posted"),
        ("UPDATE supplier_accounts SET paid_micros = 1", "an account with a supplier"),
    ];
    let rig = acts().await;
    rig.world.assert_books_are_right().await;
    // What is put back was counted already.
    let mute = "ALTER TABLE message_refunds DISABLE TRIGGER message_refunds_counted";
    sqlx::query(mute).execute(rig.world.pool()).await.unwrap();
    for (damage, rule) in rows {
        // One after the other on the same books: each is undone.
        for table in ["transactions", "message_refunds", "messages", "adjustments", "supplier_accounts"] {
            let keep = format!("CREATE TABLE kept_{table} AS TABLE {table}");
            sqlx::query(sqlx::AssertSqlSafe(keep)).execute(rig.world.pool()).await.unwrap();
        }
        sqlx::query(damage).execute(rig.world.pool()).await.unwrap();
        let found = store::ledger::verify(&rig.world.db).await.unwrap();
        assert!(found.iter().any(|violation| violation.rule.starts_with(rule)), "{damage}: {found:?}");
        for table in ["transactions", "message_refunds", "messages", "adjustments", "supplier_accounts"] {
            for undo in [
                format!("DELETE FROM {table}"),
                format!("INSERT INTO {table} TABLE kept_{table}"),
                format!("DROP TABLE kept_{table}"),
            ] {
                sqlx::query(sqlx::AssertSqlSafe(undo)).execute(rig.world.pool()).await.unwrap();
            }
        }
    }
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_constraints_forbid_cannot_be_written() {
    let rig = acts().await;
    let rows = [
        (
            "UPDATE transactions SET corrected_micros = abs(amount_micros) + 1 WHERE kind = 'top_up'",
            "transactions_corrected_within",
        ),
        (
            "UPDATE message_refunds SET segments = 3, amount_micros = 3 * unit_price_micros",
            "message_refunds_within_capture",
        ),
        ("UPDATE adjustments SET decided_by = requested_by", "adjustments_need_two_people"),
        ("UPDATE account_balances SET spend_cap_micros = 1, spent_micros = 2", "wallet_spends_within_cap"),
    ];
    for (damage, constraint) in rows {
        let error = sqlx::query(damage).execute(rig.world.pool()).await.unwrap_err();
        let name = error.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
        assert_eq!(name, Some(constraint), "{damage}");
    }
    rig.world.assert_books_are_right().await;
}
