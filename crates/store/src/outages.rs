//! Operators without a session, and the messages that wait for them.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{Accepted, Paid, SubmitKey};
use domain::{AccountId, MessageId, OperatorId};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::hops::{Again, again, leave};
use crate::{Db, Error, catalogue};

/// A status of binds older than this says nothing: its edge is gone.
const BINDS_FRESH: TimeDelta = TimeDelta::seconds(60);

/// Notes which operators have no session that can submit, and which have one again; the catalogue gets a new version when one
/// changed, also where nobody reports it since its edge is gone. Answers those that have had none for at least `after`, where
/// any other has one.
///
/// # Errors
/// When the database fails.
pub async fn down(db: &Db, now: DateTime<Utc>, after: TimeDelta) -> Result<Vec<OperatorId>, Error> {
    let mut tx = db.begin().await?;
    let changed = query!(
        r#"WITH up AS MATERIALIZED (
               SELECT operator_id FROM operator_binds WHERE at > $2 GROUP BY operator_id HAVING sum(bound) > 0
           ), over AS (
               DELETE FROM operator_outages o USING up WHERE o.operator_id = up.operator_id RETURNING o.operator_id
           ), new AS (
               INSERT INTO operator_outages (operator_id, since)
               SELECT id, $1 FROM operators WHERE deleted_at IS NULL AND id NOT IN (SELECT operator_id FROM up)
               ON CONFLICT DO NOTHING RETURNING operator_id
           )
           SELECT (SELECT count(*) FROM over) + (SELECT count(*) FROM new) AS "count!""#,
        now,
        now - BINDS_FRESH
    )
    .fetch_one(&mut *tx)
    .await?
    .count;
    if changed > 0 {
        catalogue::changed_now(&mut tx).await?;
    }
    let rows = query!(
        "WITH up AS MATERIALIZED (
             SELECT operator_id FROM operator_binds WHERE at > $1 GROUP BY operator_id HAVING sum(bound) > 0
         )
         SELECT operator_id FROM operator_outages
         WHERE since <= $2 AND operator_id NOT IN (SELECT operator_id FROM up) AND EXISTS (SELECT FROM up)
         ORDER BY operator_id",
        now - BINDS_FRESH,
        now - after
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(|row| OperatorId::from_uuid(row.operator_id)).collect())
}

/// A message that waits for an operator that has not got it.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// What another operator would get.
    pub item: Accepted,
    /// What operators were paid for it before.
    pub paid: Vec<Paid>,
    /// Which try at a route it is on.
    pub hop: u8,
}

/// Those of `submits` that still wait for `operator`: no outcome is known, and they have not ended.
pub async fn waiting(
    connection: &mut PgConnection,
    operator: OperatorId,
    submits: &[SubmitKey],
) -> Result<Vec<Waiting>, Error> {
    let ids: Vec<Uuid> = submits.iter().map(|(id, _)| id.uuid()).collect();
    let hops: Vec<i16> = submits.iter().map(|(_, hop)| i16::from(*hop)).collect();
    let rows = query!(
        "SELECT m.id, m.account_id, m.hop, m.state_rank FROM unnest($2::uuid[], $3::smallint[]) AS i (id, hop)
         JOIN messages m ON m.id = i.id AND m.hop = i.hop
         WHERE m.operator_id = $1 AND m.state_rank < 8 AND NOT EXISTS
             (SELECT FROM message_parts p WHERE p.message_id = m.id AND p.hop = m.hop)
         ORDER BY m.id FOR NO KEY UPDATE OF m",
        operator.uuid(),
        &ids,
        &hops
    )
    .fetch_all(&mut *connection)
    .await?;
    let one = |row: &(Uuid, Uuid, i16)| Again {
        account: AccountId::from_uuid(row.1),
        message: MessageId::from_uuid(row.0),
        // An operator before it may have taken it, and may still say so.
        is_taken: row.2 >= domain::State::Sent.rank(),
        otherwise: None,
    };
    let agains = rows.iter().map(|row| one(&(row.id, row.account_id, row.state_rank))).collect();
    let items = again(connection, agains).await?;
    let hop_of = |id: MessageId| rows.iter().find(|row| row.id == id.uuid()).map(|row| crate::advance::count(row.hop));
    items
        .into_iter()
        .map(|item| {
            let hop = hop_of(item.message_id).transpose()?.unwrap_or_default();
            let paid = item.reroute.as_ref().map(|reroute| reroute.paid.clone()).unwrap_or_default();
            Ok(Waiting { item, paid, hop })
        })
        .collect()
}

/// Takes messages that the caller has found [`waiting`] from their operator: they are between two operators from now on, and
/// an edge that asks is told not to send them.
pub async fn take_back(
    connection: &mut PgConnection,
    waiting: &[(MessageId, u8)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let next: Vec<(MessageId, i16)> = waiting.iter().map(|(id, hop)| (*id, i16::from(*hop) + 1)).collect();
    leave(connection, &next, now).await?;
    let ids: Vec<Uuid> = next.iter().map(|(id, _)| id.uuid()).collect();
    let hops: Vec<i16> = next.iter().map(|(_, hop)| *hop).collect();
    query!(
        "UPDATE messages m SET hop = i.hop, operator_id = NULL, updated_at = $3,
             accepted_before = greatest(m.accepted_before, m.hop_accepted), hop_accepted = NULL, hop_entry_id = NULL
         FROM unnest($1::uuid[], $2::smallint[]) AS i (id, hop)
         WHERE m.id = i.id AND m.hop = i.hop - 1 AND m.state_rank < 8",
        &ids,
        &hops,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
