//! The intake of SMPP customers: what an edge hands over, and what it is answered.

mod about;
mod receipts;
mod systems;

use std::time::Duration;

use api::smpp::{about as ask, submit};
use chrono::{TimeDelta, Utc};
use contract::fields::PartOf;
use contract::intake::{AboutMessage, Act, Answer, Submission, Submissions, SubmitVerdict};
use contract::{BindType, Deliver, Encoding, Envelope, Item, SessionStatus, SmppFields};
use domain::{AccountId, MessageId, Number, Private, SessionId, SmppSystemId};
use queue::{Settle, Take};

use super::rig::Rig;
use crate::world::{CLIENT_SUBMIT, World};

/// A number that costs [`CLIENT_SUBMIT`].
const TO: &str = "998931234567";

/// A good submit of the client by a system.
pub(super) fn submission(rig: &Rig, system_id: SmppSystemId) -> Submission {
    Submission {
        message_id: MessageId::generate(),
        account_id: rig.world.client,
        system_id,
        to: Private::new(TO),
        from: "TestCompany".to_owned(),
        text: Private::new("hello"),
        encoding: Encoding::Gsm7,
        fields: SmppFields::default(),
        registered_delivery: 1,
        expires_at: None,
        scheduled_at: None,
        receipt_id: None,
        long: None,
        traffic_class: None,
    }
}

/// A live session, as an edge reports it.
pub(super) fn session(system_id: SmppSystemId, account_id: AccountId) -> SessionStatus {
    SessionStatus {
        id: SessionId::generate(),
        system_id,
        account_id,
        bind_type: BindType::Transceiver,
        peer: "192.0.2.1:40000".to_owned(),
        tls: false,
        interface_version: 0x34,
        since: Utc::now(),
        in_flight: 1,
        delivering: 2,
        submits: 3,
        accepted: 3,
        throttled: 0,
        delivered: 4,
        last_error: None,
    }
}

/// Status and code of each verdict; 0 for what was accepted.
pub(super) async fn judged(rig: &Rig, submissions: Vec<Submission>, repeated: bool) -> Vec<(u32, String)> {
    let verdicts = submit(&rig.api, &Submissions { submissions, repeated }).await.unwrap();
    let told = |verdict| match verdict {
        SubmitVerdict::Accepted => (0, String::new()),
        SubmitVerdict::Refused(refusal) => (refusal.status, refusal.code),
    };
    verdicts.into_iter().map(told).collect()
}

/// The same for one submission.
async fn one(rig: &Rig, submission: Submission) -> (u32, String) {
    judged(rig, vec![submission], false).await.remove(0)
}

/// What is said about a message, with the status where it is a refusal.
async fn about(rig: &Rig, of: &Submission, act: Act) -> Result<String, u32> {
    let question = AboutMessage {
        account_id: of.account_id,
        system_id: of.system_id,
        message_id: of.message_id,
        from: of.from.clone(),
        act,
    };
    match ask(&rig.api, &question).await.unwrap() {
        Answer::Report(report) => Ok(report.state.to_string()),
        Answer::Refused(refusal) => Err(refusal.status),
    }
}

/// Takes what lies in a queue.
async fn taken<T: Item>(world: &World, queue: &str) -> Vec<T> {
    let take = Take { max: 10, wait: Duration::ZERO, lease: Duration::from_secs(30) };
    let mut items = Vec::new();
    for delivery in world.queue.receive(queue, take).await.unwrap() {
        let envelope: Envelope<T> = serde_json::from_slice(&delivery.body).unwrap();
        items.extend(envelope.items);
        world.queue.settle(queue, vec![(delivery.lease, Settle::Ack)]).await;
    }
    items
}

/// Takes what waits for a system.
async fn delivered(world: &World, system: SmppSystemId) -> Vec<Deliver> {
    taken(world, &contract::queues::deliver(system)).await
}

async fn set(rig: &Rig, sql: &'static str) {
    sqlx::query(sql).bind(rig.world.client.uuid()).execute(rig.world.pool()).await.unwrap();
    rig.world.catalogue.refresh().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_status_and_spoils_no_neighbour() {
    type Change = fn(&mut Submission);
    let rig = Rig::new().await;
    let gone = Number::parse("998931111111").unwrap().stored();
    sqlx::query("INSERT INTO opt_outs (id, account_id, recipient, source) VALUES (gen_random_uuid(), $1, $2, 'test')")
        .bind(rig.world.client.uuid())
        .bind(gone)
        .execute(rig.world.pool())
        .await
        .unwrap();
    let rows: [(Change, u32, &str); 18] = [
        (|_| {}, 0, ""),
        (|s| s.to = Private::new("+998 93 123 45 67"), 0, ""),
        (|s| s.to = Private::new("12"), 0x0B, "invalid_number"),
        (|s| s.to = Private::new("0931234567"), 0x0B, "invalid_number"),
        (|s| s.to = Private::new("442071234567"), 0x0B, "unpriced_destination"),
        (|s| s.to = Private::new("998931111111"), 0x0B, "recipient_opted_out"),
        (|s| s.from = String::new(), 0x0A, "invalid_sender"),
        (|s| s.from = "TwelveLetter".to_owned(), 0x0A, "invalid_sender"),
        (|s| s.from = "Other".to_owned(), 0x0A, "sender_not_allowed"),
        (|s| s.from = "testcompany".to_owned(), 0, ""),
        (|s| s.text = Private::new("x".repeat(153 * 255 + 1)), 0x01, "text_too_long"),
        (
            |s| {
                s.text = Private::new("x".repeat(154));
                s.fields.part_of = Some(PartOf { reference: 1, wide: false, total: 2, part: 1 });
            },
            0x01,
            "text_too_long",
        ),
        (|s| s.text = Private::new("a\0b"), 0x45, "invalid_text"),
        (|s| s.text = Private::new(""), 0, ""),
        (|s| s.expires_at = Some(Utc::now() - TimeDelta::minutes(1)), 0x62, "invalid_validity"),
        (|s| s.scheduled_at = Some(Utc::now() + TimeDelta::days(8)), 0x61, "invalid_schedule"),
        (|s| s.scheduled_at = Some(Utc::now() - TimeDelta::days(1)), 0x61, "invalid_schedule"),
        (|s| s.encoding = Encoding::Binary, 0x45, "invalid_text"),
    ];
    let system = SmppSystemId::generate();
    let submissions = rows.iter().map(|(change, ..)| {
        let mut submission = submission(&rig, system);
        change(&mut submission);
        submission
    });
    let found = judged(&rig, submissions.collect(), false).await;
    for (at, (found, (_, status, code))) in found.iter().zip(&rows).enumerate() {
        assert_eq!((found.0, found.1.as_str()), (*status, *code), "row {at}");
    }
    assert_eq!(rig.messages().await, 4);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_kept_and_paid_as_parts_and_shown_as_one_message() {
    let rig = Rig::new().await;
    let system = SmppSystemId::generate();
    let head = MessageId::generate();
    let part = |part: u8, text: &str| {
        let mut cut = submission(&rig, system);
        cut.message_id = if part == 2 { head } else { MessageId::generate() };
        cut.text = Private::new(text);
        cut.fields.part_of = Some(PartOf { reference: 9, wide: false, total: 3, part });
        cut.long = Some(contract::intake::LongPart { head, part, total: 3 });
        cut
    };
    // The second part came first: it stands for the whole.
    let parts = vec![part(2, "long "), part(1, "A "), part(3, "text")];
    let ids: Vec<String> = parts.iter().map(|part| part.message_id.to_string()).collect();
    assert_eq!(judged(&rig, parts, false).await, vec![(0, String::new()); 3]);
    assert_eq!(rig.world.wallet(rig.world.client).await.1, 3 * CLIENT_SUBMIT);
    let listed = rig.get(&rig.client, "/v1/messages").await.expect(200).json();
    let [shown] = listed["data"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((shown["id"].as_str(), shown["text"].as_str()), (Some(ids[0].as_str()), Some("A long text")));
    assert_eq!((shown["segments"].as_i64(), shown["cost"]["total"].as_str()), (Some(3), Some("240.00")));
    assert_eq!((shown["state"].as_str(), shown["long"]["total"].as_i64()), (Some("accepted"), Some(3)));
    let last = rig.get(&rig.client, &format!("/v1/messages/{}", ids[2])).await.expect(200).json();
    assert_eq!((last["text"].as_str(), last["long"]["text"].as_str()), (Some("text"), Some("A long text")));
    let known: Vec<&str> =
        last["long"]["parts"].as_array().unwrap().iter().map(|part| part["id"].as_str().unwrap()).collect();
    assert_eq!(known, [&ids[1], &ids[0], &ids[2]]);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_suspension_and_pace_have_their_statuses() {
    let rig = Rig::with_balance(2 * CLIENT_SUBMIT).await;
    let system = SmppSystemId::generate();
    let three = (0..3).map(|_| submission(&rig, system)).collect();
    let codes: Vec<u32> = judged(&rig, three, false).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(codes, [0, 0, 0x45], "as far as the wallet reaches, in order");
    assert_eq!(rig.world.wallet(rig.world.client).await, (2 * CLIENT_SUBMIT, 2 * CLIENT_SUBMIT));
    set(&rig, "UPDATE accounts SET segments_per_second = 1 WHERE id = $1").await;
    let two = (0..2).map(|_| submission(&rig, system)).collect();
    let found = judged(&rig, two, false).await;
    assert_eq!(found[1], (0x58, "rate_limited".to_owned()));
    set(&rig, "UPDATE accounts SET status = 'suspended' WHERE id = $1").await;
    assert_eq!(one(&rig, submission(&rig, system)).await, (0x45, "account_suspended".to_owned()));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_is_stored_and_paid_once() {
    let rig = Rig::with_balance(3 * CLIENT_SUBMIT).await;
    let system = SmppSystemId::generate();
    let (first, second) = (submission(&rig, system), submission(&rig, system));
    let both = vec![first.clone(), second.clone()];
    let accepted = vec![(0, String::new()); 2];
    assert_eq!(judged(&rig, both.clone(), false).await, accepted);
    // The verdicts were lost; meanwhile the sender was taken away.
    set(&rig, "DELETE FROM sender_ids WHERE account_id = $1").await;
    assert_eq!(judged(&rig, both.clone(), true).await, accepted);
    set(&rig, "INSERT INTO sender_ids (id, account_id, sender, status) VALUES (gen_random_uuid(), $1, 'TestCompany', 'approved')").await;
    // Twice in one call, beside a new one, and without the word that they came before.
    let third = submission(&rig, system);
    let found = judged(&rig, vec![first, third.clone(), third, second], false).await;
    assert_eq!(found, vec![(0, String::new()); 4]);
    assert_eq!(rig.messages().await, 3);
    assert_eq!(rig.world.wallet(rig.world.client).await, (3 * CLIENT_SUBMIT, 3 * CLIENT_SUBMIT));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_class_of_the_service_type_goes_with_the_message() {
    let rig = Rig::new().await;
    let system = SmppSystemId::generate();
    let said = [Some("otp"), Some("OTP"), Some("no class"), None];
    let submissions =
        said.map(|class| Submission { traffic_class: class.map(str::to_owned), ..submission(&rig, system) }).to_vec();
    assert_eq!(judged(&rig, submissions, false).await, vec![(0, String::new()); said.len()]);
    let items: Vec<contract::Accepted> = taken(&rig.world, contract::queues::ROUTE).await;
    let classes: Vec<Option<String>> = items.iter().map(|item| item.traffic_class.map(|c| c.to_string())).collect();
    assert_eq!(classes, [Some("otp".to_owned()), Some("otp".to_owned()), None, None]);
}
