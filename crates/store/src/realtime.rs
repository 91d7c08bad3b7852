//! Who listens to events at this moment, and the tickets that open a connection.
//!
//! [`Listening`] is what the hot path looks at: which accounts have somebody listening, read once a second at most
//! and by whoever comes by then. Where nobody listens, an event costs nothing.

mod listening;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use contract::{CustomerEvent, RealtimeEvent, queues, seal};
use domain::{AccountId, KeyId};
use sqlx::query;
use uuid::Uuid;

use crate::publish::publish;
use crate::{Db, Error, Tx};

use listening::Heard;
pub use listening::Listening;

/// Publishes those of `events` that somebody listens to.
pub async fn tell(
    tx: &mut Tx,
    db: &Db,
    events: impl IntoIterator<Item = CustomerEvent>,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let events: Vec<CustomerEvent> = events.into_iter().collect();
    let accounts: HashSet<AccountId> = events.iter().map(CustomerEvent::account_id).collect();
    let listeners = db.listening.of(tx, &accounts).await?;
    let mut items: Vec<RealtimeEvent> = Vec::with_capacity(events.len());
    for event in events {
        let Some(Heard { near, far }) = listeners.get(&event.account_id()) else { continue };
        let heard = [(near, false), (far, true)].into_iter().filter(|(listeners, _)| !listeners.is_empty());
        items.extend(heard.map(|(listeners, hides_price)| RealtimeEvent {
            listeners: listeners.clone(),
            event: event.clone(),
            hides_price,
        }));
    }
    publish(tx, db.publish, queues::REALTIME, seal(&items, at)?, 0).await
}

/// Notes that process `instance` holds connections of `accounts`, until `until`; removes what has ended.
pub async fn listen(db: &Db, instance: Uuid, accounts: &[AccountId], until: DateTime<Utc>) -> Result<(), Error> {
    let ids: Vec<String> = accounts.iter().map(|account| format!("{}/{account}", instance.simple())).collect();
    let accounts: Vec<Uuid> = accounts.iter().map(|account| account.uuid()).collect();
    query!(
        "WITH ended AS (DELETE FROM realtime_connections WHERE expires_at < now() - interval '1 minute')
         INSERT INTO realtime_connections (id, account_id, expires_at)
         SELECT c.id, c.account, $3 FROM unnest($1::text[], $2::uuid[]) AS c (id, account)
         ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at",
        &ids,
        &accounts,
        until
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}

/// Process `instance` holds no connections any more.
pub async fn leave(db: &Db, instance: Uuid) -> Result<(), Error> {
    let prefix = instance.simple().to_string();
    query!("DELETE FROM realtime_connections WHERE starts_with(id, $1)", prefix).execute(&db.pool).await?;
    Ok(())
}

/// Who may listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// For which account.
    pub account: AccountId,
    /// The API key that it was allowed by; `None`: a person.
    pub key: Option<KeyId>,
}

/// A connection that API Gateway holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// API Gateway's id of it.
    pub id: String,
    /// Who listens.
    pub holder: Holder,
    /// Which events it wants; empty: every event.
    pub events: Vec<String>,
}

/// Stores a connection. `false`: its account has `connections_max` already.
pub async fn connect(
    db: &Db,
    connection: &Connection,
    connections_max: i64,
    until: DateTime<Utc>,
) -> Result<bool, Error> {
    let made = query!(
        "WITH ended AS (DELETE FROM realtime_connections WHERE expires_at < now() - interval '1 minute')
         INSERT INTO realtime_connections (id, account_id, key_id, gateway, events, expires_at)
         SELECT $2, $1, $6, true, $3, $4 WHERE $5 > (SELECT count(*) FROM realtime_connections
            WHERE account_id = $1 AND gateway AND expires_at > now())
         ON CONFLICT (id) DO NOTHING",
        connection.holder.account.uuid(),
        connection.id,
        &connection.events,
        until,
        connections_max,
        connection.holder.key.map(KeyId::uuid)
    )
    .execute(&db.pool)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Changes which events a connection wants. Whoever speaks on it is who opened it, so there is no tenant to give.
pub async fn subscribe(db: &Db, connection: &str, events: &[String]) -> Result<(), Error> {
    query!("UPDATE realtime_connections SET events = $2 WHERE id = $1 AND gateway", connection, events)
        .execute(&db.pool)
        .await?;
    Ok(())
}

/// The connections that API Gateway holds for `accounts`; those whose key is no longer in force are left out.
pub async fn connections(db: &Db, accounts: &[AccountId]) -> Result<Vec<Connection>, Error> {
    let accounts: Vec<Uuid> = accounts.iter().map(|account| account.uuid()).collect();
    let rows = query!(
        "SELECT c.id, c.account_id, c.key_id, c.events FROM realtime_connections c
         WHERE c.account_id = ANY($1) AND c.gateway AND c.expires_at > now() AND (c.key_id IS NULL OR EXISTS (
            SELECT FROM api_keys k WHERE k.id = c.key_id AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > now())))
         ORDER BY c.id",
        &accounts
    )
    .fetch_all(&db.pool)
    .await?;
    let connection = |account, key: Option<Uuid>, id, events| {
        let holder = Holder { account: AccountId::from_uuid(account), key: key.map(KeyId::from_uuid) };
        Connection { id, holder, events }
    };
    Ok(rows.into_iter().map(|row| connection(row.account_id, row.key_id, row.id, row.events)).collect())
}

/// Forgets connections of API Gateway.
pub async fn disconnect(db: &Db, connections: &[String]) -> Result<(), Error> {
    query!("DELETE FROM realtime_connections WHERE id = ANY($1) AND gateway", connections).execute(&db.pool).await?;
    Ok(())
}

/// Stores a ticket by its hash; removes what nobody used.
pub async fn issue_ticket(db: &Db, holder: Holder, hash: &[u8; 32], until: DateTime<Utc>) -> Result<(), Error> {
    query!(
        "WITH ended AS (DELETE FROM realtime_tickets WHERE expires_at < now())
         INSERT INTO realtime_tickets (ticket_hash, account_id, key_id, expires_at) VALUES ($2, $1, $3, $4)",
        holder.account.uuid(),
        hash.as_slice(),
        holder.key.map(KeyId::uuid),
        until
    )
    .execute(&db.pool)
    .await?;
    Ok(())
}

/// Uses a ticket up. `None`: there is none in force with this hash. Of two who use it at once, one gets it.
pub async fn use_ticket(db: &Db, hash: &[u8; 32]) -> Result<Option<Holder>, Error> {
    let row = query!(
        "DELETE FROM realtime_tickets WHERE ticket_hash = $1 RETURNING account_id, key_id, expires_at > now() AS \"good!\"",
        hash.as_slice()
    )
    .fetch_optional(&db.pool)
    .await?;
    let row = row.filter(|row| row.good);
    Ok(row.map(|row| Holder { account: AccountId::from_uuid(row.account_id), key: row.key_id.map(KeyId::from_uuid) }))
}
