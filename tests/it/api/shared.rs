//! Two processes of the API and one Redis: rates, repeats and events are shared; and while Redis is away each goes on.

use std::net::TcpListener;
use std::time::Duration;

use api::Settings;
use limits::{Heard, Opened};
use serde_json::json;
use testkit::{Redis, eventually};
use tokio::time::Instant;

use super::realtime::instance::{Instance, LIMIT, warm_up};
use super::rig::{Answer, Rig, send};

/// Segments per second of every account here.
const RATE: u32 = 40;
const PATH: &str = "/v1/messages";

async fn pair(rig: &Rig, url: &str, rate: u32) -> [Instance; 2] {
    let settings = Settings { segments_per_second: rate, ..Settings::default() };
    let open = || limits::open(Some(url)).unwrap();
    [Instance::start(rig, open(), settings).await, Instance::start(rig, open(), settings).await]
}

/// How many of 120 sends, to one instance and the other in turn, are accepted within the moment that they take.
async fn accepted(rig: &Rig, instances: &[Instance; 2]) -> (u32, Duration) {
    let began = Instant::now();
    let mut accepted = 0;
    for turn in 0..60 {
        for instance in instances {
            let answer = instance.post(&rig.client, PATH, None, &send(&json!({}))).await;
            match answer.status.as_u16() {
                201 => accepted += 1,
                429 => assert_eq!(answer.refusal().1, "rate_limited", "{turn}"),
                other => panic!("{other}: {answer:?}"),
            }
        }
    }
    (accepted, began.elapsed())
}

/// What a rate lets through in a time, and its burst.
fn at_most(rate: u32, took: Duration) -> u32 {
    rate + u32::try_from(u128::from(rate) * took.as_millis() / 1_000).unwrap() + 2
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rate_for_all_processes_and_shares_of_it_while_redis_is_away() {
    let rig = Rig::new().await;
    let mut redis = Redis::start().await;
    let instances = pair(&rig, &redis.url(), RATE).await;
    let directory = &instances[0].limits.directory;
    eventually(LIMIT, async || directory.holders("instances:api").await.unwrap().len() == 2).await;
    let (there, took) = accepted(&rig, &instances).await;
    assert!((RATE..=at_most(RATE, took)).contains(&there), "{there} in {took:?}");
    // Each has counted both by the time that the burst is free again.
    let counted = Instant::now() + Duration::from_secs(3);
    eventually(LIMIT, async || Instant::now() > counted).await;
    redis.kill();
    let (alone, took) = accepted(&rig, &instances).await;
    assert!((RATE - 2..=at_most(RATE, took)).contains(&alone), "{alone} in {took:?} without redis");
    assert_eq!(instances[0].post("sk_live_nonsense", PATH, None, &send(&json!({}))).await.refusal().0, 401);
    let stored = u32::try_from(rig.messages().await).unwrap();
    assert_eq!(stored, there + alone, "what was accepted is there");
    redis.restart().await;
    eventually(LIMIT, async || directory.holders("instances:api").await.is_ok_and(|held| held.len() == 2)).await;
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_never_answers_holds_up_one_moment_and_not_each_request() {
    let rig = Rig::new().await;
    // The system accepts for it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let instances = pair(&rig, &format!("redis://{}", silent.local_addr().unwrap()), 1_000_000).await;
    let mut slow = 0;
    for number in 0..100 {
        for instance in &instances {
            let began = Instant::now();
            let key = format!("{number}");
            instance.post(&rig.client, PATH, Some(&key), &send(&json!({}))).await.expect(201);
            // A database on a busy machine has its moments, too: what counts is that not each request waits.
            slow += u32::from(began.elapsed() > Duration::from_millis(240));
        }
    }
    assert!(slow < 20, "{slow} of 200 waited");
    assert_eq!(rig.messages().await, 100, "the database knows each key");
}

/// Whether an answer is one given before.
fn is_replayed(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_are_answered_without_the_database_and_by_it_when_redis_knows_nothing() {
    let rig = Rig::new().await;
    let mut redis = Redis::start().await;
    let instances = pair(&rig, &redis.url(), 1_000_000).await;
    let (good, other) = (send(&json!({})), send(&json!({"text": "other"})));
    let batch = json!({"messages": [good, good]});
    let both = [(PATH, &good, 201), ("/v1/messages/batch", &batch, 202)];
    for (key, (path, body, status)) in ["single", "batch"].into_iter().zip(both) {
        let first = instances[0].post(&rig.client, path, Some(key), body).await.expect(status);
        assert!(!is_replayed(&first));
        // The truth is hidden for a moment: whoever answers now did not ask it.
        let hide = "UPDATE idempotency_keys SET key = 'hidden ' || key";
        let show = "UPDATE idempotency_keys SET key = replace(key, 'hidden ', '')";
        eventually(LIMIT, async || redis_knows(&redis)).await;
        run(&rig, hide).await;
        for instance in &instances {
            let again = instance.post(&rig.client, path, Some(key), body).await.expect(status);
            assert_eq!((is_replayed(&again), &again.bytes), (true, &first.bytes), "{key}");
        }
        run(&rig, show).await;
        let wrong = instances[1].post(&rig.client, path, Some(key), &other).await;
        assert_eq!(wrong.refusal(), (422, "idempotency_key_reused".to_owned()));
        // A Redis that has forgotten, is away, or is back: the database answers the same.
        redis.empty();
        for step in ["empty", "away", "back"] {
            match step {
                "away" => redis.kill(),
                "back" => redis.restart().await,
                _ => {}
            }
            let again = instances[1].post(&rig.client, path, Some(key), body).await.expect(status);
            assert_eq!((is_replayed(&again), &again.bytes), (true, &first.bytes), "{key}, {step}");
            let wrong = instances[0].post(&rig.client, path, Some(key), &other).await;
            assert_eq!(wrong.refusal().0, 422, "{key}, {step}");
        }
        eventually(LIMIT, async || instances[0].limits.directory.holders("x").await.is_ok()).await;
        // Both have noticed that it is back.
        eventually(LIMIT, async || {
            let key = format!("{:?}", Instant::now());
            instances[0].limits.recall.keep(&key, "x".into()).await;
            instances[1].limits.recall.recall(&key).await.is_some()
        })
        .await;
        redis.empty();
    }
    assert_eq!(rig.messages().await, 3);
    // The key of one account is nothing to another.
    assert_eq!(instances[0].post(&rig.reseller, PATH, Some("single"), &good).await.refusal().0, 403);
}

async fn run(rig: &Rig, sql: &'static str) {
    sqlx::query(sql).execute(rig.world.pool()).await.unwrap();
}

/// Whether an answer is kept.
fn redis_knows(redis: &Redis) -> bool {
    redis.keys().iter().any(|key| key.ends_with(":answer"))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_from_one_process_to_another_pause_with_redis_and_go_on() {
    let rig = Rig::new().await;
    let mut redis = Redis::start().await;
    let instances = pair(&rig, &redis.url(), 1_000_000).await;
    instances[0].run_function(&rig);
    let mut elsewhere = instances[1].listen("", &rig.client).await;
    let mut above = instances[0].listen("", &rig.house).await;
    for _ in 0..2 {
        warm_up(&instances[0], &rig.client, [&mut elsewhere, &mut above]).await;
        let id = instances[1].happen(&rig.client).await;
        for socket in [&mut elsewhere, &mut above] {
            assert_eq!(socket.hear_of(&id).await["type"], "message.canceled");
        }
        redis.kill();
        // Nothing else suffers: messages are accepted and withdrawn, and connections stay.
        instances[0].happen(&rig.client).await;
        elsewhere.say(r#"{"type":"ping"}"#).await;
        while elsewhere.hear().await["type"] != "pong" {}
        assert_eq!(instances[0].open("", Some("sk_live_nonsense")).await.err().unwrap().0, 401);
        redis.restart().await;
    }
    let opened: Opened = limits::open(Some(&redis.url())).unwrap();
    let mut heard = opened.fanout.subscribe(&rig.world.reseller.to_string());
    warm_up(&instances[0], &rig.client, [&mut elsewhere]).await;
    assert!(!matches!(heard.next_now(), Some(Heard::Message(_))), "who has nobody listening is told nothing");
}
