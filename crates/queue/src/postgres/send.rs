//! Sending: one statement per chunk, durable when it returns.

use std::time::Duration;

use super::{Postgres, millis};
use crate::{BODY_BYTES_MAX, Error, Out, SendError};

/// The most items that one statement sends.
const CHUNK_ITEMS_MAX: usize = 100;

/// `synchronous_commit` is off on these connections, for leases; what is sent must reach the disk.
const SEND: &str = "select queue.send($1, $2, $3), set_config('synchronous_commit', 'on', true)";

/// The SQLSTATE with which `queue.send` refuses an unknown queue.
const NO_QUEUE: &str = "QU001";

pub(super) async fn send(postgres: &Postgres, queue: &str, batch: &[Out]) -> Vec<Result<(), SendError>> {
    let mut results = Vec::with_capacity(batch.len());
    for chunk in batch.chunks(CHUNK_ITEMS_MAX) {
        let fitting: Vec<&Out> = chunk.iter().filter(|item| fits(item)).collect();
        let sent = if fitting.is_empty() { Ok(()) } else { send_chunk(postgres, queue, &fitting).await };
        results.extend(chunk.iter().map(|item| result(item, &sent)));
    }
    results
}

fn fits(item: &Out) -> bool {
    item.body.len() <= BODY_BYTES_MAX
}

fn result(item: &Out, sent: &Result<(), Error>) -> Result<(), SendError> {
    if !fits(item) {
        return Err(SendError::TooLarge { bytes: item.body.len() });
    }
    sent.clone().map_err(SendError::Failed)
}

async fn send_chunk(postgres: &Postgres, queue: &str, chunk: &[&Out]) -> Result<(), Error> {
    let bodies: Vec<&[u8]> = chunk.iter().map(|item| item.body.as_ref()).collect();
    let delays: Vec<i64> = chunk.iter().map(|item| delay_ms(item.delay)).collect();
    let sent = sqlx::query(SEND).bind(queue).bind(bodies).bind(delays).execute(&postgres.pool).await;
    match sent {
        Ok(_) => Ok(()),
        Err(error) if code(&error).as_deref() == Some(NO_QUEUE) => Err(Error::NoQueue(queue.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// A delay below one millisecond counts as one, not as none.
fn delay_ms(delay: Duration) -> i64 {
    match millis(delay) {
        0 if !delay.is_zero() => 1,
        delay_ms => delay_ms,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
