//! Queues in PostgreSQL: the embedded default, and enough for small installations.
//!
//! The tables and the two functions that others call within their transactions are `migrations/0001_queue.sql`.
//!
//! Why not pgmq: its bodies are `jsonb`, so a body that cannot be decoded cannot be stored, let alone parked, and
//! every body is parsed and rebuilt on its way; its functions build their statements as text, so each call plans
//! anew; it has no generation of leases and settles one outcome per call. What it does well is kept: a visibility
//! time, `for update skip locked`, batches, a wake-up by notification.
//!
//! A lease is not worth a wait for the disk: [`receive`](crate::Queue::receive) and
//! [`settle`](crate::Queue::settle) commit asynchronously, so a crash of PostgreSQL may bring back messages whose
//! acknowledgement was a fraction of a second old. That is within "at least once". Sending waits for the disk.

mod bell;
mod connect;
mod parking;
mod receive;
mod send;
mod settle;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::{Delivery, Depth, Error, Lease, OpenError, Out, Parked, Queue, SendError, Settle};
use crate::{SettleError, Take, name_is_valid};
use bell::Bells;

/// The PostgreSQL backend. Cheap to share in an `Arc`; owns a pool of connections of its own.
#[derive(Debug)]
pub struct Postgres {
    pool: PgPool,
    options: PgConnectOptions,
    /// Name to id. Rows of `queue.queues` never change, so what was found once holds.
    ids: Mutex<HashMap<String, i32>>,
    bells: Bells,
}

impl Postgres {
    /// Connects at first use. The schema must have been migrated.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        let options = connect::options(url).map_err(|error| OpenError::Url(Box::new(error)))?;
        let pool = connect::pool(options.clone());
        Ok(Self { pool, options, ids: Mutex::default(), bells: Bells::default() })
    }

    /// The id of a queue, or [`Error::NoQueue`].
    async fn id(&self, queue: &str) -> Result<i32, Error> {
        if let Some(id) = self.id_known(queue) {
            return Ok(id);
        }
        let found: Option<i32> = sqlx::query_scalar("select id from queue.queues where name = $1")
            .bind(queue)
            .fetch_optional(&self.pool)
            .await?;
        let id = found.ok_or_else(|| Error::NoQueue(queue.to_owned()))?;
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.insert(queue.to_owned(), id);
        Ok(id)
    }

    fn id_known(&self, queue: &str) -> Option<i32> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(queue).copied()
    }
}

#[async_trait]
impl Queue for Postgres {
    async fn create(&self, queue: &str) -> Result<(), Error> {
        if !name_is_valid(queue) {
            return Err(Error::BadName(queue.to_owned()));
        }
        sqlx::query("select queue.create($1)").bind(queue).execute(&self.pool).await?;
        Ok(())
    }

    async fn send(&self, queue: &str, batch: &[Out]) -> Vec<Result<(), SendError>> {
        send::send(self, queue, batch).await
    }

    async fn receive(&self, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
        receive::receive(self, queue, take).await
    }

    async fn settle(&self, queue: &str, batch: Vec<(Lease, Settle)>) -> Vec<Result<(), SettleError>> {
        settle::settle(self, queue, batch).await
    }

    async fn extend(&self, queue: &str, leases: &[Lease], lease: Duration) -> Vec<Result<(), SettleError>> {
        settle::extend(self, queue, leases, lease).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        parking::depth(self, queue).await
    }

    async fn queues(&self) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar("select name from queue.queues order by name collate \"C\"")
            .fetch_all(&self.pool)
            .await?)
    }

    async fn parked(&self, queue: &str, limit: usize) -> Result<Vec<Parked>, Error> {
        parking::parked(self, queue, limit).await
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        parking::replay(self, queue, id).await
    }

    async fn discard(&self, queue: &str, id: &str) -> Result<bool, Error> {
        parking::discard(self, queue, id).await
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Backend(Arc::new(error))
    }
}

impl From<sqlx::Error> for SettleError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Whole milliseconds, for SQL; what is longer than 300 million years counts as that.
fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
