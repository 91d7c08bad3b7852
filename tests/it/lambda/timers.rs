//! Functions that a schedule starts.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{CustomerEvent, MessageEvent, seal};
use domain::{Micros, Number, State};
use queue::Out;
use serde_json::{Value, json};
use store::accept::{Single, accept_gathered};
use uuid::Uuid;

use super::emulator::Function;
use super::events::Batch;
use super::{RICH, SECRET, function, recorded};
use crate::chappe::Hook;
use crate::world::World;

/// A tick of EventBridge Scheduler that asks for these looks.
fn tick(looks: &[&str]) -> Value {
    json!({ "looks": looks })
}

async fn schedule(world: &World, at: &[DateTime<Utc>]) {
    let now = Utc::now();
    let single = |at: &DateTime<Utc>| {
        let mut message = world.message("43405", 1, now);
        message.scheduled_at = Some(*at);
        Single { message, idempotency: None }
    };
    let singles: Vec<Single> = at.iter().map(single).collect();
    accept_gathered(&world.db, &singles).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_looks_asks_for_all_of_them() {
    let world = World::with_balance(RICH).await;
    let sweep = function("sweep", &world).await;
    let done = sweep.answer(recorded("scheduler")).await;
    let mut looks: Vec<&String> = done.as_object().unwrap().keys().collect();
    looks.sort();
    assert_eq!(
        looks,
        [
            "balances",
            "books",
            "counters",
            "exports",
            "failover",
            "health",
            "numbers",
            "outbox",
            "overdue",
            "partitions",
            "parts",
            "receipts",
            "scheduled",
            "seal",
        ]
    );
    assert_eq!(sweep.answer(tick(&["outbox"])).await, json!({ "outbox": 0 }));
    let error = sweep.invoke(tick(&["dust"])).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("unknown variant `dust`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_messages_wait_for_their_second_in_the_queue_and_go_once() {
    let world = World::with_balance(RICH).await;
    let now = Utc::now();
    let seconds = |seconds| now + TimeDelta::seconds(seconds);
    schedule(&world, &[seconds(-1), seconds(40), seconds(40), seconds(80), seconds(600)]).await;
    // Two ticks that meet.
    let (one, other) = (function("sweep", &world).await, function("sweep", &world).await);
    let (first, second) = tokio::join!(one.answer(tick(&["scheduled"])), other.answer(tick(&["scheduled"])));
    let sent = |answer: &Value| answer["scheduled"].as_u64().unwrap();
    assert_eq!(sent(&first) + sent(&second), 4, "{first} {second}");
    let depth = world.queue.depth("route").await.unwrap();
    assert_eq!(depth.ready, 1, "only what is due may be read");
    assert!(depth.waiting >= 2, "what is due later waits, each second in envelopes of its own: {depth:?}");
    assert_eq!(world.count("SELECT count(*) FROM messages WHERE released_at IS NOT NULL").await, 4);
    assert_eq!(sweep_again(&one).await, 0);
}

async fn sweep_again(sweep: &Function) -> u64 {
    sweep.answer(tick(&["scheduled"])).await["scheduled"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn overdue_messages_end_once_when_two_ticks_meet() {
    let world = World::with_balance(RICH).await;
    let now = Utc::now();
    let single = |_| Single { message: world.message("43405", 1, now), idempotency: None };
    accept_gathered(&world.db, &(0..20).map(single).collect::<Vec<_>>()).await.unwrap();
    sqlx::query("UPDATE messages SET due_at = now() - interval '1 hour'").execute(world.pool()).await.unwrap();
    let (one, other) = (function("sweep", &world).await, function("sweep", &world).await);
    let (first, second) = tokio::join!(one.answer(tick(&["overdue"])), other.answer(tick(&["overdue"])));
    let ended = first["overdue"].as_u64().unwrap() + second["overdue"].as_u64().unwrap();
    assert_eq!(ended, 20, "{first} {second}");
    assert_eq!(world.wallet(world.client).await, (RICH, 0), "what was held is free, once");
    world.assert_books_are_right().await;
}

/// An event for a customer's webhook.
fn told(world: &World, url: String) -> CustomerEvent {
    CustomerEvent::Message(MessageEvent {
        id: Uuid::now_v7(),
        account_id: world.client,
        message_id: domain::MessageId::generate(),
        url,
        state: State::Delivered,
        at: Utc::now(),
        code: None,
        to: Number::parse("998931234567").unwrap(),
        client_reference: None,
        segments: 1,
        price: Micros::new(80_000_000),
        currency: "UZS".parse().unwrap(),
    })
}

async fn tell(world: &World, events: &[CustomerEvent]) {
    let batch: Vec<Out> = seal(events, Utc::now()).unwrap().into_iter().map(|sealed| Out::now(sealed.body)).collect();
    assert!(world.queue.send("callback", &batch).await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_sent_within_the_invocation_and_again_by_the_timer() {
    let (world, hook) = (World::with_balance(RICH).await, Hook::start().await);
    let callback = function("callback", &world).await;
    hook.set_status(axum::http::StatusCode::SERVICE_UNAVAILABLE);
    tell(&world, &[told(&world, hook.url("127.0.0.1"))]).await;
    assert_eq!(Batch::take(&world, "callback", 1).await.hand_to(&callback, &world).await, 0);
    // The answer came behind the try: nothing runs any more.
    assert_eq!(hook.received().len(), 1, "{}", callback.errors());
    hook.set_status(axum::http::StatusCode::OK);
    assert_eq!(callback.answer(tick(&["due"])).await, json!({ "due": 0 }), "its time has not come");
    sqlx::query("UPDATE webhook_deliveries SET next_attempt_at = now()").execute(world.pool()).await.unwrap();
    assert_eq!(callback.answer(tick(&["due"])).await, json!({ "due": 1 }));
    let received = hook.received();
    assert_eq!((received.len(), received[1].answered), (2, 200));
    let keys = ::host::secrets::Keys::new(&SECRET).unwrap();
    received[1].assert_signed(&keys.webhook_secret(&world.client.to_string()));
    assert_eq!(world.count("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_hangs_costs_one_try_and_not_the_batch() {
    let (world, hook) = (World::with_balance(RICH).await, Hook::start().await);
    let callback = function("callback", &world).await;
    hook.hang();
    tell(&world, &[told(&world, hook.url("127.0.0.1"))]).await;
    let batch = Batch::take(&world, "callback", 1).await;
    let answer = callback.invoke_within(std::time::Duration::from_secs(8), batch.event()).await.unwrap();
    assert_eq!(batch.settle(&answer, &world).await, 0, "the delivery is stored");
    let failed = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending' AND attempts = 1";
    assert_eq!(world.count(failed).await, 1, "{}", callback.errors());
}
