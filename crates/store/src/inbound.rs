//! Messages from handsets: their parts until they are whole, and what became of them.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use contract::{CustomerEvent, Deliver, Encoding, InboundPart, queues, seal};
use domain::inbound::Action;
use domain::{AccountId, InboundId, InboundRuleId, OperatorId, Private};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::conclude::tell;
use crate::page::{Page, narrow, parse};
use crate::publish::publish;
use crate::{Db, Error, Publish, Tx};

/// What all parts of one message share. Two handsets never do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartKey {
    /// Who sent them.
    pub operator: OperatorId,
    /// The handset, as [`domain::inbound::address`] writes it.
    pub sender: String,
    /// The number or short code, likewise.
    pub recipient: String,
    /// The handset's own number for the message.
    pub reference: u16,
    /// How many parts.
    pub total: u8,
}

/// A part that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// As the edge sent it.
    pub item: InboundPart,
    /// When it was stored here.
    pub stored_at: DateTime<Utc>,
    /// The message that it went into; `None`: it waits.
    pub message: Option<InboundId>,
}

/// Lets one transaction at a time work on each of `keys`, until it ends; always in one order.
pub async fn lock(connection: &mut PgConnection, keys: &[PartKey]) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = keys.iter().map(|key| format!("inbound {key:?}")).collect();
    query!(
        "SELECT pg_advisory_xact_lock(l.hash)::text AS locked
         FROM (SELECT DISTINCT hashtextextended(n, 0) AS hash FROM unnest($1::text[]) AS n ORDER BY 1) l",
        &names
    )
    .fetch_all(connection)
    .await?;
    Ok(())
}

/// The columns of keys.
struct KeyRows<'a> {
    operators: Vec<Uuid>,
    senders: Vec<&'a str>,
    recipients: Vec<&'a str>,
    references: Vec<i32>,
    totals: Vec<i16>,
}

impl<'a> KeyRows<'a> {
    fn of(keys: impl Iterator<Item = &'a PartKey> + Clone) -> Self {
        Self {
            operators: keys.clone().map(|key| key.operator.uuid()).collect(),
            senders: keys.clone().map(|key| key.sender.as_str()).collect(),
            recipients: keys.clone().map(|key| key.recipient.as_str()).collect(),
            references: keys.clone().map(|key| i32::from(key.reference)).collect(),
            totals: keys.map(|key| i16::from(key.total)).collect(),
        }
    }
}

/// Stores parts; one whose id is stored stays as it is.
pub async fn store_parts(connection: &mut PgConnection, parts: &[(PartKey, InboundPart)]) -> Result<(), Error> {
    if parts.is_empty() {
        return Ok(());
    }
    let rows = KeyRows::of(parts.iter().map(|(key, _)| key));
    let ids: Vec<Uuid> = parts.iter().map(|(_, part)| part.id).collect();
    let numbers: Vec<i16> = parts.iter().map(|(_, part)| part.part_of.map_or(1, |of| i16::from(of.part))).collect();
    let items = parts.iter().map(|(_, part)| serde_json::to_value(part)).collect::<Result<Vec<_>, _>>()?;
    let times: Vec<DateTime<Utc>> = parts.iter().map(|(_, part)| part.received_at).collect();
    query!(
        "INSERT INTO inbound_parts (id, operator_id, sender, recipient, reference, total, part, item, received_at)
         SELECT p.id, p.operator, p.sender, p.recipient, p.reference, p.total, p.part, p.item, p.at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::smallint[], $7::smallint[],
            $8::jsonb[], $9::timestamptz[]) AS p (id, operator, sender, recipient, reference, total, part, item, at)
         ON CONFLICT DO NOTHING",
        &ids,
        &rows.operators,
        &rows.senders as &[&str],
        &rows.recipients as &[&str],
        &rows.references,
        &rows.totals,
        &numbers,
        &items,
        &times
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The parts of `keys` that wait, and those that came at `since` or later, in the order in which they came.
pub async fn parts(
    connection: &mut PgConnection,
    keys: &[PartKey],
    since: DateTime<Utc>,
) -> Result<Vec<StoredPart>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = KeyRows::of(keys.iter());
    let rows = query!(
        "SELECT p.item, p.stored_at, p.message_id
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::smallint[])
            AS k (operator, sender, recipient, reference, total)
         JOIN inbound_parts p ON p.operator_id = k.operator AND p.sender = k.sender AND p.recipient = k.recipient
            AND p.reference = k.reference AND p.total = k.total
         WHERE p.message_id IS NULL OR p.received_at >= $6
         ORDER BY p.received_at, p.id",
        &rows.operators,
        &rows.senders as &[&str],
        &rows.recipients as &[&str],
        &rows.references,
        &rows.totals,
        since
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let message = row.message_id.map(InboundId::from_uuid);
            Ok(StoredPart { item: serde_json::from_value(row.item)?, stored_at: row.stored_at, message })
        })
        .collect()
}

/// Keys of up to `max` parts that were stored at `before` or earlier and still wait, the oldest first.
pub async fn overdue(connection: &mut PgConnection, before: DateTime<Utc>, max: i64) -> Result<Vec<PartKey>, Error> {
    let rows = query!(
        "SELECT operator_id, sender, recipient, reference, total FROM inbound_parts
         WHERE message_id IS NULL AND stored_at <= $1 ORDER BY stored_at LIMIT $2",
        before,
        max
    )
    .fetch_all(connection)
    .await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        keys.push(PartKey {
            operator: OperatorId::from_uuid(row.operator_id),
            sender: row.sender,
            recipient: row.recipient,
            reference: narrow(row.reference, "reference")?,
            total: narrow(row.total, "total")?,
        });
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// Says of parts which message they went into.
pub async fn mark_parts(connection: &mut PgConnection, parts: &[(Uuid, InboundId)]) -> Result<(), Error> {
    if parts.is_empty() {
        return Ok(());
    }
    let (ids, messages): (Vec<Uuid>, Vec<Uuid>) = parts.iter().map(|(id, message)| (*id, message.uuid())).unzip();
    query!(
        "UPDATE inbound_parts p SET message_id = m.message FROM unnest($1::uuid[], $2::uuid[]) AS m (id, message)
         WHERE p.id = m.id",
        &ids,
        &messages
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A message from a handset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// That of its first part.
    pub id: InboundId,
    /// Whose it is; `None`: no rule claims it.
    pub account: Option<AccountId>,
    /// The rule that made it so.
    pub rule: Option<InboundRuleId>,
    /// Who sent it.
    pub operator: OperatorId,
    /// The handset, as [`domain::inbound::address`] writes it.
    pub from: Private,
    /// The number or short code, likewise.
    pub to: String,
    /// What it says.
    pub text: Private,
    /// How it is written best.
    pub encoding: Encoding,
    /// Short messages that it came in.
    pub parts: u8,
    /// Some were missing when the time was over.
    pub partial: bool,
    /// What it did besides being delivered.
    pub action: Option<Action>,
    /// When its first part came.
    pub received_at: DateTime<Utc>,
}

/// Stores messages; answers which of them are new.
pub async fn store(connection: &mut PgConnection, messages: &[InboundMessage]) -> Result<HashSet<InboundId>, Error> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<Uuid> = messages.iter().map(|m| m.id.uuid()).collect();
    let accounts: Vec<Option<Uuid>> = messages.iter().map(|m| m.account.map(AccountId::uuid)).collect();
    let rules: Vec<Option<Uuid>> = messages.iter().map(|m| m.rule.map(InboundRuleId::uuid)).collect();
    let operators: Vec<Uuid> = messages.iter().map(|m| m.operator.uuid()).collect();
    let senders: Vec<&str> = messages.iter().map(|m| m.from.expose()).collect();
    let recipients: Vec<&str> = messages.iter().map(|m| m.to.as_str()).collect();
    let bodies: Vec<&str> = messages.iter().map(|m| m.text.expose()).collect();
    let encodings: Vec<&str> = messages.iter().map(|m| m.encoding.name()).collect();
    let parts: Vec<i16> = messages.iter().map(|m| i16::from(m.parts)).collect();
    let partial: Vec<bool> = messages.iter().map(|m| m.partial).collect();
    let actions: Vec<Option<&str>> = messages.iter().map(|m| m.action.map(Action::name)).collect();
    let times: Vec<DateTime<Utc>> = messages.iter().map(|m| m.received_at).collect();
    let rows = query!(
        "INSERT INTO inbound_messages (id, account_id, rule_id, operator_id, sender, recipient, body, encoding, parts,
            partial, action, received_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::smallint[], $10::bool[], $11::text[], $12::timestamptz[])
         ON CONFLICT DO NOTHING RETURNING id",
        &ids,
        &accounts as &[Option<Uuid>],
        &rules as &[Option<Uuid>],
        &operators,
        &senders as &[&str],
        &recipients as &[&str],
        &bodies as &[&str],
        &encodings as &[&str],
        &parts,
        &partial,
        &actions as &[Option<&str>],
        &times
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| InboundId::from_uuid(row.id)).collect())
}

/// Publishes what goes to SMPP systems, each to the queue of its system, which is made where it is missing, and what
/// goes to webhooks and to who listens.
pub async fn deliver(
    tx: &mut Tx,
    db: &Db,
    deliveries: &[Deliver],
    events: &[CustomerEvent],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let mut systems: Vec<_> = deliveries.iter().map(|delivery| delivery.system_id).collect();
    systems.sort_unstable();
    systems.dedup();
    for system in systems {
        let queue = queues::deliver(system);
        if db.publish == Publish::InTransaction {
            let missing = "SELECT queue.create($1) WHERE NOT EXISTS (SELECT FROM queue.queues WHERE name = $1)";
            sqlx::query(missing).bind(&queue).execute(&mut **tx).await?;
        }
        let own: Vec<Deliver> = deliveries.iter().filter(|delivery| delivery.system_id == system).cloned().collect();
        publish(tx, db.publish, &queue, seal(&own, at)?, 0).await?;
    }
    tell(tx, db, events.to_vec(), at).await
}

/// Which messages are listed; `None` asks for any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that no rule claims as well: for the house.
    pub unclaimed: bool,
    /// Of this account; else of the whole subtree.
    pub account: Option<AccountId>,
    /// Of this handset.
    pub from: Option<String>,
    /// To this number.
    pub to: Option<String>,
    /// Received at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Received before this time.
    pub until: Option<DateTime<Utc>>,
    /// This one.
    pub id: Option<InboundId>,
}

/// Messages from handsets to the tenant's subtree, newest first.
pub async fn list(db: &Db, tenant: AccountId, filter: &Filter, page: Page) -> Result<Vec<InboundMessage>, Error> {
    let rows = query!(
        "SELECT m.id, m.account_id, m.rule_id, m.operator_id, m.sender, m.recipient, m.body, m.encoding, m.parts,
            m.partial, m.action, m.received_at
         FROM inbound_messages m LEFT JOIN accounts a ON a.id = m.account_id
         WHERE (a.path @> ARRAY[$1::uuid] OR ($2 AND m.account_id IS NULL))
            AND ($3::uuid IS NULL OR m.account_id = $3) AND ($4::text IS NULL OR m.sender = $4)
            AND ($5::text IS NULL OR m.recipient = $5) AND ($6::timestamptz IS NULL OR m.received_at >= $6)
            AND ($7::timestamptz IS NULL OR m.received_at < $7) AND ($8::uuid IS NULL OR m.id = $8) AND m.id < $9
         ORDER BY m.id DESC LIMIT $10",
        tenant.uuid(),
        filter.unclaimed,
        filter.account.map(AccountId::uuid),
        filter.from.as_deref(),
        filter.to.as_deref(),
        filter.since,
        filter.until,
        filter.id.map(InboundId::uuid),
        page.end(),
        page.limit()
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(InboundMessage {
                id: InboundId::from_uuid(row.id),
                account: row.account_id.map(AccountId::from_uuid),
                rule: row.rule_id.map(InboundRuleId::from_uuid),
                operator: OperatorId::from_uuid(row.operator_id),
                from: Private::new(row.sender),
                to: row.recipient,
                text: Private::new(row.body),
                encoding: Encoding::parse(&row.encoding).ok_or_else(|| Error::Corrupt("encoding".into()))?,
                parts: narrow(row.parts, "parts")?,
                partial: row.partial,
                action: row.action.map(|action| parse(&action, "action")).transpose()?,
                received_at: row.received_at,
            })
        })
        .collect()
}

/// One message from a handset.
pub async fn get(db: &Db, tenant: AccountId, id: InboundId, unclaimed: bool) -> Result<Option<InboundMessage>, Error> {
    let filter = Filter { id: Some(id), unclaimed, ..Filter::default() };
    Ok(list(db, tenant, &filter, Page::new(None, 1)).await?.pop())
}
