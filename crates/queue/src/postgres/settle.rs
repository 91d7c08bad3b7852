//! Settling and extending: one statement per batch; a lease is matched by (id, generation).
//!
//! **Invariant:** a row is touched only where its generation is the lease's. Under `read committed` PostgreSQL looks
//! again at the newest version of a row that it had to wait for, so this holds against concurrent receivers too.

use std::collections::HashSet;
use std::time::Duration;

use super::{Postgres, millis};
use crate::{Error, Lease, Settle, SettleError};

/// The usual batch: everything is done.
const ACK: &str = "
delete from queue.messages m
using unnest($2::bigint[], $3::int[]) as item (id, generation)
where m.id = item.id and m.generation = item.generation and m.queue = $1
returning m.id";

/// Any batch. An item retries when it has a delay, is parked when it has a reason, and is done otherwise.
const SETTLE: &str = "
with item as materialized (
    select * from unnest($3::bigint[], $4::int[], $5::bigint[], $6::text[]) as item (id, generation, delay_ms, why)
), retried as (
    update queue.messages m
    set generation = m.generation + 1,
        due = case when item.delay_ms > 0 then clock_timestamp() + item.delay_ms * interval '1 millisecond' end
    from item
    where item.delay_ms is not null
      and m.id = item.id and m.generation = item.generation and m.queue = $1
    returning m.id
), gone as (
    delete from queue.messages m using item
    where item.delay_ms is null
      and m.id = item.id and m.generation = item.generation and m.queue = $1
    returning m.id, m.received, m.enqueued_at, m.body, item.why
), parked as (
    insert into queue.parked (id, queue, received, enqueued_at, why, body)
    select id, $1, received, enqueued_at, why, body from gone where why is not null
)
select id, pg_notify('queue', $2)::text from retried
union all
select id, null from gone";

const EXTEND: &str = "
update queue.messages m
set due = clock_timestamp() + $4 * interval '1 millisecond'
from unnest($2::bigint[], $3::int[]) as item (id, generation)
where m.id = item.id and m.generation = item.generation and m.queue = $1
returning m.id";

pub(super) async fn settle(
    postgres: &Postgres,
    queue: &str,
    batch: Vec<(Lease, Settle)>,
) -> Vec<Result<(), SettleError>> {
    let keys: Vec<Option<(i64, i32)>> = batch.iter().map(|(lease, _)| lease.postgres()).collect();
    let settled = if batch.iter().all(|(_, settle)| *settle == Settle::Ack) {
        ack(postgres, queue, &keys).await
    } else {
        settle_any(postgres, queue, &keys, batch).await
    };
    results(&keys, settled)
}

pub(super) async fn extend(
    postgres: &Postgres,
    queue: &str,
    leases: &[Lease],
    lease: Duration,
) -> Vec<Result<(), SettleError>> {
    let keys: Vec<Option<(i64, i32)>> = leases.iter().map(Lease::postgres).collect();
    results(&keys, extend_all(postgres, queue, &keys, lease).await)
}

async fn ack(postgres: &Postgres, queue: &str, keys: &[Option<(i64, i32)>]) -> Result<Vec<i64>, Error> {
    let (ids, generations) = columns(keys);
    Ok(sqlx::query_scalar(ACK)
        .bind(postgres.id(queue).await?)
        .bind(ids)
        .bind(generations)
        .fetch_all(&postgres.pool)
        .await?)
}

async fn settle_any(
    postgres: &Postgres,
    queue: &str,
    keys: &[Option<(i64, i32)>],
    batch: Vec<(Lease, Settle)>,
) -> Result<Vec<i64>, Error> {
    let (ids, generations) = columns(keys);
    let mut delays: Vec<Option<i64>> = Vec::with_capacity(batch.len());
    let mut whys: Vec<Option<String>> = Vec::with_capacity(batch.len());
    for (_, settle) in batch {
        delays.push(match settle {
            Settle::Retry(after) => Some(millis(after)),
            _ => None,
        });
        whys.push(match settle {
            Settle::Park(why) => Some(why.replace('\0', "\u{fffd}")),
            _ => None,
        });
    }
    let rows: Vec<(i64, Option<String>)> = sqlx::query_as(SETTLE)
        .bind(postgres.id(queue).await?)
        .bind(queue)
        .bind(ids)
        .bind(generations)
        .bind(delays)
        .bind(whys)
        .fetch_all(&postgres.pool)
        .await?;
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

async fn extend_all(
    postgres: &Postgres,
    queue: &str,
    keys: &[Option<(i64, i32)>],
    lease: Duration,
) -> Result<Vec<i64>, Error> {
    let (ids, generations) = columns(keys);
    Ok(sqlx::query_scalar(EXTEND)
        .bind(postgres.id(queue).await?)
        .bind(ids)
        .bind(generations)
        .bind(millis(lease))
        .fetch_all(&postgres.pool)
        .await?)
}

/// Two columns of equal length. A lease of another backend matches no row.
fn columns(keys: &[Option<(i64, i32)>]) -> (Vec<i64>, Vec<i32>) {
    keys.iter().map(|key| key.unwrap_or((0, 0))).unzip()
}

/// Lays what was touched over what was asked for. The same lease twice in one batch succeeds once.
fn results(keys: &[Option<(i64, i32)>], touched: Result<Vec<i64>, Error>) -> Vec<Result<(), SettleError>> {
    let mut touched: HashSet<i64> = match touched {
        Ok(ids) => ids.into_iter().collect(),
        Err(error) => {
            return keys.iter().map(|_| Err(SettleError::Failed(error.clone()))).collect();
        }
    };
    let take = |key: &Option<(i64, i32)>| match key {
        Some((id, _)) if touched.remove(id) => Ok(()),
        _ => Err(SettleError::Outdated),
    };
    keys.iter().map(take).collect()
}
