//! A Redis that is away, comes back, or says nothing.

use std::net::TcpListener;
use std::time::Duration;

use bytes::Bytes;
use limits::{Heard, Message, Opened, Rate};
use testkit::{Redis as Server, eventually};
use tokio::time::Instant;

/// Nothing is waited for longer.
const LIMIT: Duration = Duration::from_secs(30);

fn open(url: &str) -> Opened {
    limits::open(Some(url)).unwrap()
}

/// How many of 400 at one moment are let through at a rate of 100.
async fn passed(limits: &Opened, key: &str) -> usize {
    let rate = Rate::new(100, 100).unwrap();
    let mut passed = 0;
    for _ in 0..400 {
        // The time of callers stands still; Redis has its own.
        passed += usize::from(limits.limiter.check(key, rate, Duration::from_secs(1)).await.is_ok());
    }
    passed
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_takes_its_share_while_redis_is_away_and_the_whole_again_afterwards() {
    let mut server = Server::start().await;
    let processes: Vec<Opened> = (0..4).map(|_| open(&server.url())).collect();
    for process in &processes {
        process.join("api");
    }
    eventually(LIMIT, async || processes[0].directory.holders("instances:api").await.unwrap().len() == 4).await;
    // What each knows is at most one turn older than what is there: wait until each has counted again.
    let counted = Instant::now() + Duration::from_secs(3);
    eventually(LIMIT, async || Instant::now() > counted).await;
    server.kill();
    let mut all = 0;
    for process in &processes {
        all += passed(process, "a").await;
    }
    assert!((100..=104).contains(&all), "{all} of four processes together");
    server.restart().await;
    eventually(LIMIT, async || {
        let before = Instant::now();
        let rate = Rate::new(1, 1).unwrap();
        let key = format!("back {before:?}");
        // Shared again: what one takes, the other misses.
        processes[0].limiter.check(&key, rate, Duration::ZERO).await.is_ok()
            && processes[1].limiter.check(&key, rate, Duration::ZERO).await.is_err()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_never_answers_costs_little() {
    // The system accepts for it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = open(&format!("redis://{}", silent.local_addr().unwrap()));
    limits.join("api");
    let began = Instant::now();
    let first = passed(&limits, "a").await;
    assert_eq!(first, 100, "alone: the whole rate");
    for number in 0..1_000 {
        assert_eq!(limits.recall.recall(&number.to_string()).await, None);
        limits.recall.keep(&number.to_string(), Bytes::new()).await;
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "2,400 calls took {took:?}, and one of them waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn news_pause_and_go_on() {
    let mut server = Server::start().await;
    let (publisher, listener) = (open(&server.url()), open(&server.url()));
    let mut heard = listener.fanout.subscribe("a");
    let said = [Message { topic: "a".to_owned(), payload: Bytes::from_static(b"x") }];
    for _ in 0..2 {
        eventually(LIMIT, async || {
            let _ = publisher.fanout.publish(&said).await;
            heard.next_now() == Some(Heard::Message(Bytes::from_static(b"x")))
        })
        .await;
        server.kill();
        eventually(LIMIT, async || publisher.fanout.publish(&said).await.is_err()).await;
        while heard.next_now().is_some() {}
        server.restart().await;
    }
}
