//! Functions behind queues: what is reported, what is parked, and what comes again and when.

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use queue::{Out, Take};
use serde_json::json;
use store::accept::{Acceptance, Single, accept_gathered};
use testkit::{eventually, until_some};

use super::emulator::Function;
use super::events::Batch;
use super::{LIMIT, RICH, function, settings, settings_of};
use crate::world::World;

/// Accepts messages, one after the other, so that each has an envelope of its own in queue `route`.
async fn accept(world: &World, count: usize) {
    for _ in 0..count {
        let message = world.message("43405", 1, Utc::now());
        let accepted = accept_gathered(&world.db, &[Single { message, idempotency: None }]).await.unwrap();
        assert_eq!(accepted, [Acceptance::Stored]);
    }
}

async fn send(world: &World, queue: &str, bodies: &[&'static str]) {
    let batch: Vec<Out> = bodies.iter().map(|body| Out::now(Bytes::from(*body))).collect();
    assert!(world.queue.send(queue, &batch).await.iter().all(Result::is_ok));
}

/// Records in a queue that are not parked, and parked ones.
async fn depth(world: &World, queue: &str) -> (u64, u64) {
    let depth = world.queue.depth(queue).await.unwrap();
    (depth.ready + depth.waiting, depth.parked)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_routed_beside_bodies_that_nobody_can_read() {
    let world = World::with_balance(RICH).await;
    let route = function("route", &world).await;
    accept(&world, 2).await;
    send(&world, "route", &["{broken", r#"{"v":1}"#, ""]).await;
    assert_eq!(Batch::take(&world, "route", 5).await.hand_to(&route, &world).await, 0);
    assert_eq!(depth(&world, "route").await, (0, 3), "what is wrong is parked, and nothing comes again");
    let queued = "SELECT count(*) FROM messages WHERE state = 'queued'";
    assert_eq!(world.count(queued).await, 2, "{}", route.errors());
    let parked = world.queue.parked("route", 9).await.unwrap();
    assert!(parked.iter().any(|one| one.why == "body is not JSON (line 1 column 2) for route"));
    let measured = route.output();
    assert!(measured.contains(r#""Namespace":"Chappe""#) && measured.contains("chappe_handled_total"), "{measured}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_comes_twice_has_the_effect_of_one() {
    let world = World::with_balance(RICH).await;
    let route = function("route", &world).await;
    accept(&world, 1).await;
    let batch = Batch::take(&world, "route", 1).await;
    route.answer(batch.event()).await;
    assert_eq!(batch.hand_to(&route, &world).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM message_events WHERE state = 'queued'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_comes_again_after_its_delay_and_not_after_the_visibility_timeout() {
    let world = World::with_balance(RICH).await;
    let route = function("route", &world).await;
    accept(&world, 2).await;
    rename(&world, "inbox", "inbox_away").await;
    let batch = Batch::take(&world, "route", 2).await;
    assert_eq!(batch.hand_to(&route, &world).await, 2, "both are reported");
    rename(&world, "inbox_away", "inbox").await;
    // They were taken for five minutes; the first retry is due after a second.
    eventually(LIMIT, async || world.queue.depth("route").await.unwrap().ready == 2).await;
    assert_eq!(Batch::take(&world, "route", 2).await.hand_to(&route, &world).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM messages WHERE state = 'queued'").await, 2);
}

async fn rename(world: &World, from: &str, to: &str) {
    let sql = format!("ALTER TABLE {from} RENAME TO {to}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(world.pool()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_time_is_reported_as_a_whole_and_loses_nothing() {
    let world = World::with_balance(RICH).await;
    let route = function("route", &world).await;
    accept(&world, 3).await;
    let batch = Batch::take(&world, "route", 3).await;
    let answer = route.invoke_within(Duration::from_millis(1), batch.event()).await.unwrap();
    assert_eq!(batch.settle(&answer, &world).await, 3);
    assert_eq!(depth(&world, "route").await, (3, 0));
    assert_eq!(world.count("SELECT count(*) FROM messages WHERE state = 'queued'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_lock_ends_in_time_and_comes_again() {
    let world = World::with_balance(RICH).await;
    let route = function("route", &world).await;
    accept(&world, 1).await;
    let mut other = world.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE inbox").execute(&mut *other).await.unwrap();
    let batch = Batch::take(&world, "route", 1).await;
    let answer = route.invoke_within(Duration::from_secs(2), batch.event()).await.unwrap();
    assert_eq!(batch.settle(&answer, &world).await, 1, "{}", route.errors());
    other.rollback().await.unwrap();
    eventually(LIMIT, async || world.queue.depth("route").await.unwrap().ready == 1).await;
    assert_eq!(Batch::take(&world, "route", 1).await.hand_to(&route, &world).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM messages WHERE state = 'queued'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_an_id_and_an_event_of_another_kind_fail_openly() {
    let world = World::with_balance(RICH).await;
    let bill = function("bill", &world).await;
    let nameless = json!({ "Records": [{ "messageId": "", "body": "{}", "eventSource": "aws:sqs" }] });
    for (event, expected) in [
        (nameless, "a record has no id"),
        (json!({ "looks": ["outbox"] }), "bill takes batches of a queue"),
        (json!({ "Records": [{ "eventSource": "aws:s3" }] }), "bill takes batches of a queue"),
    ] {
        let error = bill.invoke(event).await.unwrap_err();
        assert!(error["errorMessage"].as_str().unwrap().contains(expected), "{error}");
    }
    // It lives on.
    send(&world, "bill", &["{broken"]).await;
    assert_eq!(Batch::take(&world, "bill", 1).await.hand_to(&bill, &world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_start_without_their_database_and_report_everything() {
    let world = World::with_balance(RICH).await;
    for name in ["route", "bill", "dlr", "inbound", "callback"] {
        let function = Function::start(name, &settings_of("postgres://nobody@127.0.0.1:1/none")).await;
        let record = json!({ "messageId": "a", "receiptHandle": "b", "body": envelope(name), "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:eu-central-1:1:{name}") });
        let answer = function.answer(json!({ "Records": [record] })).await;
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "a" }] }), "{name}");
    }
    drop(world);
}

/// An envelope that a function can read: from the fixtures that must decode for ever.
fn envelope(queue: &str) -> String {
    let kind = match queue {
        "route" => "message.accepted",
        "bill" => "submit.outcome",
        "dlr" => "receipt",
        "inbound" => "inbound.part",
        _ => "customer.event",
    };
    std::fs::read_to_string(format!("{}/fixtures/envelopes/v1/{kind}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_is_told_with_all_others() {
    let world = World::with_balance(RICH).await;
    let output = tokio::process::Command::new(super::emulator::program("route"))
        .env_clear()
        .envs(settings(&world))
        .env("CHAPPE_DB_POOLER", "session")
        .env("CHAPPE_DB_CONNECTIONS", "many")
        .env("CHAPPE_DATABASE_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:1:secret:db")
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(told.contains("CHAPPE_DB_POOLER must be none or transaction"), "{told}");
    assert!(told.contains("DATABASE_URL must be a URL without user and password"), "{told}");
    assert_eq!(output.status.code(), Some(64));
}

#[tokio::test(flavor = "multi_thread")]
async fn routed_messages_lie_in_the_queue_of_their_operator() {
    let world = World::with_balance(RICH).await;
    let route = function("route", &world).await;
    accept(&world, 1).await;
    assert_eq!(Batch::take(&world, "route", 1).await.hand_to(&route, &world).await, 0);
    let submit = contract::queues::submit(world.operators[1]);
    let take = Take { max: 1, wait: Duration::ZERO, lease: LIMIT };
    let found = until_some(LIMIT, async || world.queue.receive(&submit, take).await.unwrap().pop()).await;
    assert!(String::from_utf8_lossy(&found.body).contains("message.routed"));
}
