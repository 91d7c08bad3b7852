//! Receiving: subscribe, look, wait for the bell, look again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout};

use super::{Postgres, millis};
use crate::{Delivery, Error, Lease, RECEIVE_MAX, Take};

/// The longest wait between two looks. Whoever lost the listening connection is rung when it is back, so this is only
/// for a connection that is gone without anybody knowing; many idle queues must not cost the busy ones.
const POLL: Duration = Duration::from_secs(5);

/// The shortest wait between two looks, should a due message be locked by someone else.
const POLL_MIN: Duration = Duration::from_millis(5);

/// Waiting messages whose time has come go first, then ready ones in the order of their ids.
/// `now()` and not `clock_timestamp()`: an index can be searched by it, and the statement is the transaction.
const RECEIVE: &str = "
with due as materialized (
    select id from queue.messages
    where queue = $1 and due <= now() order by due limit $2 for update skip locked
), ready as materialized (
    select id from queue.messages
    where queue = $1 and due is null order by id limit $2 - (select count(*) from due)
    for update skip locked
)
update queue.messages m
set received = m.received + 1, generation = m.generation + 1,
    due = clock_timestamp() + $3 * interval '1 millisecond'
from (select id from due union all select id from ready) taken
where m.id = taken.id
returning m.id, m.generation, m.received, m.enqueued_at, m.body";

/// Milliseconds until the next waiting message is due.
const NEXT_DUE: &str = "
select ceil(extract(epoch from min(due) - clock_timestamp()) * 1000)::bigint
from queue.messages where queue = $1 and due is not null";

type Row = (i64, i32, i32, DateTime<Utc>, Vec<u8>);

pub(super) async fn receive(postgres: &Postgres, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
    let id = postgres.id(queue).await?;
    let deadline = Instant::now() + take.wait;
    if take.wait.is_zero() {
        return look(postgres, id, take).await;
    }
    let bell = postgres.bells.of(queue, &postgres.options);
    loop {
        let rung = bell.notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let found = look(postgres, id, take).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        if !found.is_empty() || left.is_zero() {
            return Ok(found);
        }
        let next = next_look(postgres, id).await?;
        let is_silent = timeout(next.min(left), rung).await.is_err();
        if is_silent && next >= left {
            // Nothing was sent and nothing was due meanwhile: there is nothing to look for.
            return Ok(Vec::new());
        }
    }
}

/// Takes what may be received now.
async fn look(postgres: &Postgres, queue: i32, take: Take) -> Result<Vec<Delivery>, Error> {
    let max = i64::try_from(take.max.min(RECEIVE_MAX)).unwrap_or(0);
    let mut rows: Vec<Row> =
        sqlx::query_as(RECEIVE).bind(queue).bind(max).bind(millis(take.lease)).fetch_all(&postgres.pool).await?;
    rows.sort_unstable_by_key(|row| row.0);
    Ok(rows.into_iter().map(delivery).collect())
}

fn delivery((id, generation, received, enqueued_at, body): Row) -> Delivery {
    Delivery {
        id: id.to_string(),
        lease: Lease::of_postgres(id, generation),
        body: body.into(),
        received: u32::try_from(received).unwrap_or(u32::MAX),
        enqueued_at,
    }
}

/// How long to sleep at most, unless the bell rings.
async fn next_look(postgres: &Postgres, queue: i32) -> Result<Duration, Error> {
    let due_ms: Option<i64> = sqlx::query_scalar(NEXT_DUE).bind(queue).fetch_one(&postgres.pool).await?;
    Ok(due_ms.map_or(POLL, |ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)).clamp(POLL_MIN, POLL)))
}
