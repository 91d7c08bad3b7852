//! What a person looks at: depths, and the messages that were set aside.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Postgres;
use crate::{Depth, Error, Parked};

/// Counts stop at $2. Both indexes begin with the oldest, so the age of what is ready costs two looks.
const DEPTH: &str = "
select (select count(*) from (select from queue.messages where queue = $1 and due is null limit $2) m),
       (select count(*) from (select from queue.messages where queue = $1 and due <= now() limit $2) m),
       (select count(*) from (select from queue.messages where queue = $1 and due > now() limit $2) m),
       (select count(*) from (select from queue.parked where queue = $1 limit $2) p),
       (extract(epoch from clock_timestamp() - least(
           (select enqueued_at from queue.messages where queue = $1 and due is null order by id limit 1),
           (select enqueued_at from queue.messages where queue = $1 and due <= now() order by due limit 1)
       )) * 1000)::bigint,
       (extract(epoch from clock_timestamp() - (select min(enqueued_at) from
           (select enqueued_at from queue.messages where queue = $1 and due > now() limit $2) m)) * 1000)::bigint";

const PARKED: &str = "
select id, why, body, received, enqueued_at, parked_at
from queue.parked where queue = $1 order by id limit $2";

const REPLAY: &str = "
with gone as (delete from queue.parked where id = $2 and queue = $1 returning body)
insert into queue.messages (queue, body) select $1, body from gone
returning pg_notify('queue', $3)::text";

const DISCARD: &str = "delete from queue.parked where id = $2 and queue = $1";

pub(super) async fn depth(postgres: &Postgres, queue: &str) -> Result<Depth, Error> {
    type Row = (i64, i64, i64, i64, Option<i64>, Option<i64>);
    let id = postgres.id(queue).await?;
    let (fresh, due, waiting, parked, oldest_ms, oldest_waiting_ms): Row =
        sqlx::query_as(DEPTH).bind(id).bind(i64::from(Depth::COUNT_MAX)).fetch_one(&postgres.pool).await?;
    let age = |ms: Option<i64>| ms.map(|ms| Duration::from_millis(count(ms)));
    Ok(Depth {
        ready: count(fresh + due).min(u64::from(Depth::COUNT_MAX)),
        waiting: count(waiting),
        parked: count(parked),
        oldest_age: age(oldest_ms),
        oldest_waiting_age: age(oldest_waiting_ms),
    })
}

pub(super) async fn parked(postgres: &Postgres, queue: &str, limit: usize) -> Result<Vec<Parked>, Error> {
    type Row = (i64, String, Vec<u8>, i32, DateTime<Utc>, DateTime<Utc>);
    let rows: Vec<Row> = sqlx::query_as(PARKED)
        .bind(postgres.id(queue).await?)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&postgres.pool)
        .await?;
    let parked = |(id, why, body, received, enqueued_at, parked_at): Row| Parked {
        id: id.to_string(),
        why,
        body: body.into(),
        received: u32::try_from(received).unwrap_or(u32::MAX),
        enqueued_at,
        parked_at,
    };
    Ok(rows.into_iter().map(parked).collect())
}

pub(super) async fn replay(postgres: &Postgres, queue: &str, id: &str) -> Result<bool, Error> {
    let target = postgres.id(queue).await?;
    let Ok(id) = id.parse::<i64>() else {
        return Ok(false);
    };
    let replayed = sqlx::query(REPLAY).bind(target).bind(id).bind(queue).fetch_all(&postgres.pool).await?;
    Ok(!replayed.is_empty())
}

pub(super) async fn discard(postgres: &Postgres, queue: &str, id: &str) -> Result<bool, Error> {
    let target = postgres.id(queue).await?;
    let Ok(id) = id.parse::<i64>() else {
        return Ok(false);
    };
    let gone = sqlx::query(DISCARD).bind(target).bind(id).execute(&postgres.pool).await?;
    Ok(gone.rows_affected() > 0)
}

/// Counts and ages are never negative, save for a clock that was set back.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
