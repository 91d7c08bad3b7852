//! Messages that wait: scheduled, looked at, canceled, replaced, and sent once when their time has come.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{Accepted, What, queues};
use domain::State;
use host::clock::Fake;
use route::Route;
use serde_json::json;
use store::sweep::Retention;
use sweep::Sweep;

use super::super::rig::send;
use super::*;

fn sweep_at(rig: &Rig, now: DateTime<Utc>) -> Sweep {
    let queue = Arc::clone(&rig.world.queue);
    Sweep::new(rig.world.db.clone(), queue, Arc::new(Fake::at(now)), Retention::default())
}

fn replacement(text: &str) -> Act {
    Act::Replace { text: Private::new(text), encoding: Encoding::Gsm7, scheduled_at: None, expires_at: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_canceled_until_it_has_an_operator_and_costs_nothing_then() {
    let rig = Rig::new().await;
    let before = rig.world.wallet(rig.world.client).await;
    let system = SmppSystemId::generate();
    let (now, later) = (submission(&rig, system), submission(&rig, system));
    let later = Submission { scheduled_at: Some(Utc::now() + TimeDelta::hours(1)), ..later };
    assert_eq!(judged(&rig, vec![now.clone(), later.clone()], false).await, vec![(0, String::new()); 2]);
    assert_eq!(about(&rig, &now, Act::Query).await, Ok("accepted".to_owned()));
    assert_eq!(about(&rig, &later, Act::Query).await, Ok("scheduled".to_owned()));
    let strangers = [
        Submission { system_id: SmppSystemId::generate(), ..now.clone() },
        Submission { account_id: rig.world.reseller, ..now.clone() },
        Submission { from: "Other".to_owned(), ..now.clone() },
        Submission { message_id: MessageId::generate(), ..now.clone() },
    ];
    for stranger in &strangers {
        for act in [Act::Query, Act::Cancel, replacement("other")] {
            assert_eq!(about(&rig, stranger, act).await, Err(0x0C));
        }
    }
    let anyone = Submission { from: String::new(), ..now.clone() };
    assert_eq!(about(&rig, &anyone, Act::Query).await, Ok("accepted".to_owned()), "no source is not compared");
    for message in [&now, &later] {
        assert_eq!(about(&rig, message, Act::Cancel).await, Ok("canceled".to_owned()));
        assert_eq!(about(&rig, message, Act::Cancel).await, Err(0x11));
        assert_eq!(about(&rig, message, Act::Query).await, Ok("canceled".to_owned()));
    }
    assert_eq!(rig.world.wallet(rig.world.client).await, before);
    let told = delivered(&rig.world, system).await;
    assert_eq!(told.len(), 2);
    // The route function finds it withdrawn, whatever lies in its queue.
    let route = Route::new(rig.world.db.clone(), Arc::clone(&rig.world.catalogue), Arc::new(host::clock::System));
    crate::ledger::pump(&rig.world, &route, queues::ROUTE).await;
    assert_eq!(about(&rig, &now, Act::Query).await, Ok("canceled".to_owned()));
    assert_eq!(sweep_at(&rig, Utc::now() + TimeDelta::hours(2)).scheduled().await.unwrap(), 0);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_goes_once_when_its_time_has_come() {
    let rig = Rig::new().await;
    let at = Utc::now() + TimeDelta::hours(1);
    let system = SmppSystemId::generate();
    let mut message = Submission { scheduled_at: Some(at), ..submission(&rig, system) };
    message.fields.protocol_id = 7;
    assert_eq!(one(&rig, message.clone()).await.0, 0);
    assert_eq!(about(&rig, &message, replacement("x".repeat(161).as_str())).await, Err(0x13), "it costs more");
    assert_eq!(about(&rig, &message, replacement("another")).await, Ok("scheduled".to_owned()));
    assert_eq!(taken::<Accepted>(&rig.world, queues::ROUTE).await.len(), 0);
    assert_eq!(sweep_at(&rig, at - TimeDelta::seconds(1)).scheduled().await.unwrap(), 0);
    let (one, other) = (sweep_at(&rig, at), sweep_at(&rig, at));
    let (first, second) = tokio::join!(one.scheduled(), other.scheduled());
    assert_eq!(first.unwrap() + second.unwrap(), 1, "two sweeps at once release it once");
    assert_eq!(sweep_at(&rig, at + TimeDelta::hours(1)).scheduled().await.unwrap(), 0);
    assert_eq!(about(&rig, &message, replacement("too late")).await, Err(0x13));
    let items = taken::<Accepted>(&rig.world, queues::ROUTE).await;
    let [item] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((item.message_id, item.text.expose()), (message.message_id, "another"));
    assert_eq!(item.smpp.as_ref().unwrap().protocol_id, 7, "what its customer said goes with it");
    let sealed = contract::seal(&items, at).unwrap().remove(0);
    rig.world.queue.send(queues::ROUTE, &[queue::Out::now(sealed.body)]).await.remove(0).unwrap();
    let route = Route::new(rig.world.db.clone(), Arc::clone(&rig.world.catalogue), Arc::new(Fake::at(at)));
    crate::ledger::pump(&rig.world, &route, queues::ROUTE).await;
    assert_eq!(about(&rig, &message, Act::Cancel).await, Err(0x11), "it has its operator");
    let state = about(&rig, &message, Act::Query).await.unwrap();
    assert_ne!(state, "scheduled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scheduled_waits_while_its_sender_or_who_is_above_is_suspended() {
    let rig = Rig::new().await;
    let at = Utc::now() + TimeDelta::hours(1);
    let message = Submission { scheduled_at: Some(at), ..submission(&rig, SmppSystemId::generate()) };
    assert_eq!(one(&rig, message).await.0, 0);
    let turn = async |status: &str| {
        let path = format!("/v1/accounts/{}", rig.world.reseller);
        rig.call("PATCH", &path, Some(&rig.house), Some(&serde_json::json!({"status": status}))).await.expect(200);
    };
    turn("suspended").await;
    assert_eq!(sweep_at(&rig, at).scheduled().await.unwrap(), 0);
    turn("active").await;
    assert_eq!(sweep_at(&rig, at).scheduled().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_a_message_is_scheduled_and_canceled_too() {
    let rig = Rig::new().await;
    let before = rig.world.wallet(rig.world.client).await;
    let at = (Utc::now() + TimeDelta::hours(1)).to_rfc3339();
    let made = rig.post(&rig.client, "/v1/messages", &send(&json!({"send_at": at}))).await.expect(201);
    assert_eq!(made.text("state"), "scheduled");
    let path = format!("/v1/messages/{}", made.text("id"));
    assert_ne!(rig.world.wallet(rig.world.client).await, before, "it is paid for");
    let gone = rig.call("DELETE", &path, Some(&rig.client), None).await.expect(200);
    assert_eq!(gone.text("state"), "canceled");
    assert_eq!(rig.world.wallet(rig.world.client).await, before);
    assert_eq!(rig.call("DELETE", &path, Some(&rig.client), None).await.refusal(), (409, "conflict".to_owned()));
    let rows = [
        json!({"send_at": "tomorrow"}),
        json!({"send_at": "2020-01-01T00:00:00Z"}),
        json!({"send_at": "2120-01-01T00:00:00Z"}),
    ];
    for row in rows {
        let refused = rig.post(&rig.client, "/v1/messages", &send(&row)).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], "/send_at", "{row}");
    }
    let long = json!({"send_at": at, "validity_seconds": 86_401});
    rig.post(&rig.client, "/v1/messages", &send(&long)).await.expect(400);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_that_is_overdue_ends_and_its_customer_hears_of_it() {
    let rig = Rig::new().await;
    let system = SmppSystemId::generate();
    let at = Utc::now() + TimeDelta::hours(1);
    let message = Submission { scheduled_at: Some(at), ..submission(&rig, system) };
    assert_eq!(one(&rig, message.clone()).await.0, 0);
    assert_eq!(sweep_at(&rig, at + TimeDelta::days(2)).overdue().await.unwrap(), 1);
    let told = delivered(&rig.world, system).await;
    let What::Receipt(receipt) = &told[0].what else { panic!("{told:?}") };
    assert_eq!((receipt.state, receipt.error.as_str()), (State::Expired, "903"));
    rig.world.assert_books_are_right().await;
}
