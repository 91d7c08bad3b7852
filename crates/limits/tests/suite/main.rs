//! One set of rows for everything that keeps seats and rates, remembers answers and spreads news.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod answers;
mod away;
mod news;
mod rates;
mod seats;
mod tls;

use std::sync::Arc;

use limits::{Directory, InProcess, InProcessDirectory, InProcessFanout, InProcessRecall, Limiter, Redis};
use testkit::Redis as Server;

#[tokio::test]
async fn seats_in_process() {
    seats::run(|| -> Arc<dyn Directory> { Arc::new(InProcessDirectory::new()) }).await;
}

#[tokio::test]
async fn seats_in_redis() {
    let server = Server::start().await;
    seats::run(|| -> Arc<dyn Directory> {
        server.empty();
        Arc::new(Redis::open(&server.url(), InProcess::new(16)).unwrap())
    })
    .await;
}

#[tokio::test]
async fn rates_in_process() {
    rates::run(|| -> Arc<dyn Limiter> { Arc::new(InProcess::new(1_000)) }).await;
}

#[tokio::test]
async fn rates_in_redis() {
    let server = Server::start().await;
    rates::run(|| -> Arc<dyn Limiter> {
        server.empty();
        Arc::new(Redis::open(&server.url(), InProcess::new(16)).unwrap().with_time_of_callers())
    })
    .await;
}

#[tokio::test]
async fn answers_in_process() {
    let recall = Arc::new(InProcessRecall::new());
    answers::run(&*recall, &*recall).await;
}

#[tokio::test]
async fn answers_in_redis() {
    let server = Server::start().await;
    let open = || limits::open(Some(&server.url())).unwrap();
    let (one, other) = (open(), open());
    answers::run(&*one.recall, &*other.recall).await;
}

#[tokio::test]
async fn news_in_process() {
    let fanout = Arc::new(InProcessFanout::new());
    news::run(&*fanout, &*fanout).await;
}

#[tokio::test]
async fn news_in_redis() {
    let server = Server::start().await;
    let open = || limits::open(Some(&server.url())).unwrap();
    let (one, other) = (open(), open());
    news::run(&*one.fanout, &*other.fanout).await;
}
