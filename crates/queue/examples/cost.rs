//! What a message costs: sends, receives and acknowledges bodies of 50 KB, one at a time; or in batches, by several
//! workers at once.
//!
//! `cargo run --release -p queue --example cost -- <URL> [messages] [body_bytes] [batch] [workers]`
//! Read the processor time of the server's processes before and after (`/proc/<pid>/stat`), or watch `top`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queue::{Out, Queue, Settle, Take};
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a measuring tool talks to its user")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("name the queue's URL")?;
    let mut number = |default: usize| match arguments.next() {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let (messages, body_bytes) = (number(2_000)?, number(50_000)?);
    let (batch, workers) = (number(1)?, number(1)?);
    let queue = queue::open(&url).await?;
    queue.create("cost").await?;
    let body = Out::now(b"{\"to\":\"+998901234567\"}".repeat(body_bytes / 22));
    let started = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..workers {
        running.spawn(work(Arc::clone(&queue), messages / workers, batch, body.clone()));
    }
    for worked in running.join_all().await {
        worked?;
    }
    let took = started.elapsed();
    let rate = u128::try_from(messages)? * 1_000 / took.as_millis().max(1);
    println!("{messages} messages of {body_bytes} bytes in {took:?}: {rate} a second");
    Ok(())
}

/// Sends a batch, and settles as many as it sent; whose they are does not matter.
async fn work(queue: Arc<dyn Queue>, messages: usize, batch: usize, body: Out) -> Result<(), Failure> {
    let take = Take { max: batch, wait: Duration::from_secs(1), lease: Duration::from_mins(1) };
    for _ in 0..messages / batch {
        for result in queue.send("cost", &vec![body.clone(); batch]).await {
            result?;
        }
        let mut settled = 0;
        while settled < batch {
            let came = queue.receive("cost", Take { max: batch - settled, ..take }).await?;
            let acks: Vec<_> = came.into_iter().map(|one| (one.lease, Settle::Ack)).collect();
            settled += acks.len();
            for result in queue.settle("cost", acks).await {
                result?;
            }
        }
    }
    Ok(())
}
