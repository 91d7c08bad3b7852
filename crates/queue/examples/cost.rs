//! What a message costs PostgreSQL: sends, receives and acknowledges bodies of 50 KB, one at a time.
//!
//! `cargo run --release -p queue --example cost -- postgres://user@host/database [messages] [body_bytes] [batch]`
//! Read the processor time of the server's processes before and after (`/proc/<pid>/stat`), or watch `top`.

use std::time::{Duration, Instant};

use queue::{Out, Settle, Take};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a measuring tool talks to its user")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("name the database")?;
    let mut number = |default: usize| match arguments.next() {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let (messages, body_bytes, batch) = (number(2_000)?, number(50_000)?, number(1)?);
    let queue = queue::open(&url).await?;
    queue.create("cost").await?;
    let body = Out::now(b"{\"to\":\"+998901234567\"}".repeat(body_bytes / 22));
    let take = Take { max: batch, wait: Duration::ZERO, lease: Duration::from_mins(1) };
    let started = Instant::now();
    for _ in 0..messages / batch {
        for result in queue.send("cost", &vec![body.clone(); batch]).await {
            result?;
        }
        let came = queue.receive("cost", take).await?;
        let acks = came.into_iter().map(|one| (one.lease, Settle::Ack)).collect();
        for result in queue.settle("cost", acks).await {
            result?;
        }
    }
    println!("{messages} messages of {body_bytes} bytes in {:?}", started.elapsed());
    Ok(())
}
