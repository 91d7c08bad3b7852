//! Receipts as operators really send them: early, twice, in the wrong order, in every form, or never.

use chrono::Utc;
use contract::{Receipt, ReceiptState, queues, seal};
use domain::Private;
use serde_json::json;
use smsc::{Answers, Format, IdForm, Profile, Receipts};
use testkit::eventually;

use super::{JOURNEY, balance, until_state};
use crate::chappe::{Chappe, Company, Leftovers, ON_DELIVERY, ON_SUBMIT, OperatorIs, SYSTEM_ID, Story, smsc};

/// Long enough for three parts.
fn long_text() -> String {
    "A text of three segments. ".repeat(16)
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_every_kind_end_a_message_once() {
    let early = Receipts { before_answer: true, ..Receipts::default() };
    let rows: [(&str, IdForm, Receipts); 5] = [
        ("before the answer", IdForm::Decimal, early.clone()),
        ("three times each", IdForm::Hex, Receipts { copies: 3, ..Receipts::default() }),
        ("in any order", IdForm::PaddedDecimal, Receipts { jitter_ms: 400, intermediate: true, ..Receipts::default() }),
        ("as text alone", IdForm::Uuid, Receipts { format: Format::Reordered, ..Receipts::default() }),
        ("all at once", IdForm::Decimal, Receipts { copies: 2, jitter_ms: 300, intermediate: true, ..early }),
    ];
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let operator = smsc(Profile::default()).await;
    company.operator(&operator, OperatorIs::simple("Beeline", ON_DELIVERY, "45")).await;
    let mut spent = 0;
    for (number, (what, ids, receipts)) in rows.into_iter().enumerate() {
        operator.set_profile(Profile { ids, receipts, latency_ms: 50, ..Profile::default() });
        let to = format!("{}{number:07}", ON_DELIVERY.prefix);
        let message = company.send(&to, &long_text()).await;
        until_state(&company, &message, "delivered").await;
        chappe.assert_settled(JOURNEY, Leftovers::default()).await;
        spent += 3 * 90_000_000;
        assert_eq!(balance(&company, company.client).await.0, super::BALANCE - spent, "{what}");
        assert_eq!(operator.shown(&to).len(), 1, "{what}");
    }
    assert_eq!(chappe.count("SELECT count(*) FROM unmatched_receipts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn news_from_the_road_do_not_undo_an_arrival() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let operator = smsc(Profile::default()).await;
    let id = company.operator(&operator, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    let message = company.send("998930000001", "Hello").await;
    until_state(&company, &message, "delivered").await;
    let before = (balance(&company, company.client).await, Story::of(&company.sender, &message).await.timeline());
    let smpp_message_id = operator.log()[0].message_id();
    for state in [ReceiptState::Enroute, ReceiptState::Undeliverable, ReceiptState::Delivered] {
        let late = Receipt {
            operator_id: id.parse().unwrap(),
            smpp_message_id: smpp_message_id.clone(),
            state,
            error: "000".to_owned(),
            meaning: None,
            done_at: None,
            received_at: Utc::now(),
            raw: Private::new(""),
            lookups: 0,
        };
        chappe.publish(queues::DLR, seal(&[late], Utc::now()).unwrap()).await;
    }
    let timeline = async || Story::of(&company.sender, &message).await.timeline();
    eventually(JOURNEY, async || timeline().await.len() == before.1.len() + 3).await;
    let mut expected = before.1;
    expected.extend(["buffered dlr", "undelivered dlr", "delivered dlr"].map(str::to_owned));
    assert_eq!(timeline().await, expected, "history is appended to and never rewritten");
    until_state(&company, &message, "delivered").await;
    assert_eq!(balance(&company, company.client).await, before.0);
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_that_nobody_answers_ends_unconfirmed_and_is_not_sent_again() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let silent = Receipts { enabled: false, ..Receipts::default() };
    let operator = smsc(Profile { answers: Answers::Never, receipts: silent, ..Profile::default() }).await;
    company.operator(&operator, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    let message = company.send_with("998930000001", &long_text(), json!({"validity_seconds": 60})).await;
    eventually(JOURNEY, async || operator.counters().accepted == 3).await;
    operator.disconnect_all();
    let last = async || Story::of(&company.sender, &message).await.timeline().pop().unwrap();
    eventually(JOURNEY, async || last().await == "queued bill submit_unanswered").await;
    eventually(JOURNEY, async || operator.bound(SYSTEM_ID) == 1).await;
    chappe.execute("UPDATE messages SET due_at = now() - interval '1 minute'").await;
    until_state(&company, &message, "unconfirmed").await;
    assert_eq!(Story::of(&company.sender, &message).await.code(), Some("no_receipt"));
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!(operator.repeats().repeated, 0, "it may be on its way: nobody sends it again");
    assert_eq!(balance(&company, company.client).await, (super::BALANCE, 0), "no segment is known to be accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_receipt_ends_unconfirmed_and_a_late_one_corrects_it() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let late = Receipts { delay_ms: 15_000, ..Receipts::default() };
    let operator = smsc(Profile { receipts: late, ..Profile::default() }).await;
    company.operator(&operator, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    let message = company.send_with("998930000001", "Hello", json!({"validity_seconds": 60})).await;
    until_state(&company, &message, "sent").await;
    chappe.execute("UPDATE messages SET due_at = now() - interval '1 minute'").await;
    until_state(&company, &message, "unconfirmed").await;
    assert_eq!(balance(&company, company.client).await, (super::BALANCE - 80_000_000, 0), "charged on submit");
    until_state(&company, &message, "delivered").await;
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!(chappe.count("SELECT count(*) FROM sms_cdr").await, 2, "the end and its correction");
    assert_eq!(balance(&company, company.client).await, (super::BALANCE - 80_000_000, 0));
}
