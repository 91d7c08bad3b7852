//! The statements of accepting.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use contract::{queues, seal};
use domain::{AccountId, MessageId, Number, TemplateName, TrafficClass};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::accept::{IdempotencyRecord, NewMessage, Single, needs};
use crate::ledger::caps;
use crate::outbox::Outboxed;
use crate::{Db, Error, Publish, chain, opt_outs};

/// Keys that were used before, and what was answered then.
pub(super) type Known = Vec<((AccountId, String), IdempotencyRecord)>;

/// What became of one statement.
pub(super) enum Stored {
    /// Everything; what was written to the outbox with it.
    All(Vec<Outboxed>),
    /// Nothing, for these keys were used before.
    Known(Known),
    /// Nothing, for these messages are stored already.
    Before(HashSet<MessageId>),
    /// Nothing, for these recipients want no more messages of these accounts.
    OptedOut(HashSet<(AccountId, Number)>),
    /// Nothing, for some wallet has not enough for all of it, or a cap is reached, or it is more than can be counted.
    Short,
}

/// Holds, stores and publishes `batch`, all or nothing, in one statement of its own.
///
/// The wallets come last in it, after all that takes time, since everybody else waits for them. Whether they have
/// enough is said by the constraint on the wallet, so that nothing can come between a look and the hold.
pub(super) async fn store(db: &Db, batch: &[&Single]) -> Result<Stored, Error> {
    // A chain that is new takes a connection of its own, and there may be no second one: first the rows.
    let Some(rows) = Rows::of(db, batch).await? else { return Ok(Stored::Short) };
    let mut connection = db.pool.lend().await?;
    let stored = insert(&mut connection, db, batch, rows).await?;
    connection.done().await?;
    Ok(stored)
}

/// The same within a transaction of the caller, who has met the chains of `batch` before.
pub(super) async fn store_on(connection: &mut PgConnection, db: &Db, batch: &[&Single]) -> Result<Stored, Error> {
    match Rows::of(db, batch).await? {
        Some(rows) => insert(connection, db, batch, rows).await,
        None => Ok(Stored::Short),
    }
}

#[expect(clippy::too_many_lines, reason = "one statement: its text and its parameters")]
async fn insert(connection: &mut PgConnection, db: &Db, batch: &[&Single], rows: Rows<'_>) -> Result<Stored, Error> {
    if batch.is_empty() {
        return Ok(Stored::All(Vec::new()));
    }
    let answer = query!(
        r#"
        WITH need AS (
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[]) AS n (account_id, micros, messages)
        ), asked AS (
            SELECT * FROM unnest($4::uuid[], $5::text[], $6::bytea[], $7::smallint[], $8::bytea[])
                AS a (account_id, key, fingerprint, status, response)
        ), known AS (
            SELECT k.account_id, k.key FROM asked a
            JOIN idempotency_keys k ON k.account_id = a.account_id AND k.key = a.key
        ), go AS (
            SELECT NOT EXISTS (SELECT FROM known) AND NOT EXISTS (
                SELECT FROM unnest($10::uuid[], $11::bigint[]) AS r (account_id, recipient)
                JOIN opt_outs o ON o.account_id = r.account_id AND o.recipient = r.recipient
            ) AS ok
        ), stored AS (
            INSERT INTO messages (id, account_id, recipient, sender, body, encoding, segments, mcc_mnc, chain_id,
                unit_price_micros, charge_on, currency, client_reference, status_url, metadata, expires_at, due_at,
                created_at, updated_at, scheduled_at, state, state_rank, smpp_system_id, registered_delivery,
                receipt_id, smpp, traffic_class, long_head, long_part, long_total, template)
            SELECT m.id, m.account_id, m.recipient, m.sender, m.body, m.encoding, m.segments, m.mcc_mnc, m.chain_id,
                m.unit_price_micros, m.charge_on, m.currency, m.client_reference, m.status_url, m.metadata::jsonb,
                m.expires_at, m.due_at, m.created_at, m.created_at, m.scheduled_at,
                CASE WHEN m.scheduled_at IS NULL THEN 'accepted' ELSE 'scheduled' END,
                CASE WHEN m.scheduled_at IS NULL THEN 0 ELSE 1 END, m.smpp_system_id, m.registered_delivery,
                m.receipt_id, m.smpp::jsonb, m.traffic_class, m.long_head, m.long_part, m.long_total,
                m.template
            FROM go, unnest($9::uuid[], $10::uuid[], $11::bigint[], $12::text[], $13::text[], $14::text[],
                $15::smallint[], $16::text[], $17::uuid[], $18::bigint[], $19::text[], $20::text[], $21::text[],
                $22::text[], $23::text[], $24::timestamptz[], $25::timestamptz[], $26::timestamptz[],
                $33::timestamptz[], $34::uuid[], $35::smallint[], $36::uuid[], $37::text[], $38::text[], $39::uuid[],
                $40::smallint[], $41::smallint[], $42::text[])
                AS m (id, account_id, recipient, sender, body, encoding, segments, mcc_mnc, chain_id,
                    unit_price_micros, charge_on, currency, client_reference, status_url, metadata, expires_at,
                    due_at, created_at, scheduled_at, smpp_system_id, registered_delivery, receipt_id, smpp,
                    traffic_class, long_head, long_part, long_total, template)
            WHERE go.ok
            RETURNING 1
        ), kept AS (
            INSERT INTO idempotency_keys (account_id, key, fingerprint, status, response)
            SELECT a.account_id, a.key, a.fingerprint, a.status, a.response FROM go, asked a WHERE go.ok
        ), today AS (
            SELECT (now() AT TIME ZONE 'UTC')::date AS day
        ), locked_keys AS (
            SELECT k.key_id FROM api_key_caps k, (SELECT count(*) FROM stored) s
            WHERE k.key_id = ANY ($43) ORDER BY k.key_id FOR NO KEY UPDATE OF k
        ), spent AS (
            -- An older transaction may come behind a younger one: a day that has begun goes on.
            UPDATE api_key_caps k SET spend_day = greatest(k.spend_day, t.day),
                spent_micros = CASE WHEN k.spend_day >= t.day THEN k.spent_micros ELSE 0 END + n.micros,
                excused_micros = CASE WHEN k.spend_day >= t.day THEN k.excused_micros ELSE 0 END
            FROM go, today t, unnest($43::uuid[], $44::bigint[]) AS n (key_id, micros)
            WHERE go.ok AND k.key_id = n.key_id AND (SELECT count(*) FROM locked_keys) > 0
            RETURNING 1
        ), locked AS (
            SELECT b.account_id FROM account_balances b, (SELECT count(*) FROM stored) s, (SELECT count(*) FROM spent) k
            WHERE b.account_id = ANY ($1) ORDER BY b.account_id FOR NO KEY UPDATE OF b
        ), held AS (
            UPDATE account_balances b SET held_micros = b.held_micros + n.micros, updated_at = now(),
                spend_day = CASE WHEN b.spend_cap_micros IS NULL THEN b.spend_day ELSE greatest(b.spend_day, t.day) END,
                spent_micros = CASE WHEN b.spend_cap_micros IS NULL THEN b.spent_micros
                    WHEN b.spend_day >= t.day THEN b.spent_micros + n.micros ELSE n.micros END,
                excused_micros = CASE WHEN b.spend_cap_micros IS NULL OR b.spend_day >= t.day
                    THEN b.excused_micros ELSE 0 END
            FROM go, today t, need n WHERE go.ok AND b.account_id = n.account_id AND (SELECT count(*) FROM locked) > 0
            RETURNING b.account_id, b.currency, b.posted_micros, b.held_micros, n.micros, n.messages
        ), journal AS (
            INSERT INTO balance_ledger (entry_id, line, operation, ledger, account_id, currency, held_micros,
                posted_after_micros, held_after_micros, messages)
            SELECT $27, row_number() OVER (), 'hold', 'wallet', h.account_id, h.currency, h.micros,
                h.posted_micros, h.held_micros, h.messages
            FROM held h
        ), opened AS (
            INSERT INTO entry_messages (entry_id, message_ids) SELECT $27, $9 FROM go WHERE go.ok
        ), outboxed AS (
            INSERT INTO outbox (id, queue, body)
            SELECT e.id, $28, e.body FROM go, unnest($29::uuid[], $30::bytea[]) AS e (id, body)
            WHERE go.ok AND NOT $31
        )
        SELECT go.ok AS "ok!",
            CASE WHEN go.ok AND $31 THEN queue.send($28, $30, $32::bigint[]) END::text AS sent,
            -- Nothing is stored without its hold: any payer without a wallet has it divide by zero.
            CASE WHEN go.ok THEN 1 / (cardinality($1) = (SELECT count(*) FROM held))::int END AS held
        FROM go
        "#,
        &rows.wallets,
        &rows.micros,
        &rows.counts,
        &rows.key_accounts,
        &rows.keys,
        &rows.fingerprints,
        &rows.statuses,
        &rows.responses,
        &rows.ids,
        &rows.accounts,
        &rows.recipients,
        &rows.senders as &[&str],
        &rows.bodies as &[&str],
        &rows.encodings as &[&str],
        &rows.segments,
        &rows.networks,
        &rows.chains,
        &rows.prices,
        &rows.charge_on as &[&str],
        &rows.currencies as &[&str],
        &rows.references as &[Option<&str>],
        &rows.urls as &[Option<&str>],
        &rows.metadata as &[Option<String>],
        &rows.expires,
        &rows.dues,
        &rows.created,
        Uuid::now_v7(),
        queues::ROUTE,
        &rows.envelope_ids,
        &rows.envelopes,
        db.publish == Publish::InTransaction,
        &vec![0_i64; rows.envelopes.len()],
        &rows.scheduled as &[Option<DateTime<Utc>>],
        &rows.smpp.systems as &[Option<Uuid>],
        &rows.smpp.registered as &[Option<i16>],
        &rows.smpp.receipt_ids as &[Option<Uuid>],
        &rows.smpp.fields as &[Option<String>],
        &rows.classes as &[Option<&str>],
        &rows.smpp.heads as &[Option<Uuid>],
        &rows.smpp.parts as &[Option<i16>],
        &rows.smpp.totals as &[Option<i16>],
        &rows.templates as &[Option<&str>],
        &rows.capped_keys,
        &rows.key_micros,
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(Error::from);
    let answer = match answer {
        Err(error) if caps::forbid(&error) => return Ok(Stored::Short),
        answer => answer?,
    };
    if answer.ok {
        return Ok(Stored::All(rows.outboxed(db)));
    }
    let known = known_keys(connection, batch).await?;
    if !known.is_empty() {
        return Ok(Stored::Known(known));
    }
    Ok(Stored::OptedOut(opt_outs::opted_out(connection, &recipients(batch.iter().map(|s| &s.message))).await?))
}

/// Which of `messages` of these accounts are stored already.
pub(super) async fn stored(db: &Db, messages: &[(AccountId, MessageId)]) -> Result<HashSet<MessageId>, Error> {
    let accounts: Vec<Uuid> = messages.iter().map(|(account, _)| account.uuid()).collect();
    let ids: Vec<Uuid> = messages.iter().map(|(_, id)| id.uuid()).collect();
    let rows = query!(
        "SELECT m.id FROM unnest($1::uuid[], $2::uuid[]) AS i (account, id)
         JOIN messages m ON m.id = i.id AND (m.account_id = i.account) IS TRUE",
        &accounts,
        &ids
    )
    .fetch_all(&db.pool)
    .await?;
    Ok(rows.into_iter().map(|row| MessageId::from_uuid(row.id)).collect())
}

/// Those of `batch` that are stored already; `error` when it is none of them.
pub(super) async fn stored_before(db: &Db, batch: &[&Single], error: Error) -> Result<HashSet<MessageId>, Error> {
    let ids: Vec<_> = batch.iter().map(|single| (single.message.account_id, single.message.id)).collect();
    let found = stored(db, &ids).await?;
    if found.is_empty() { Err(error) } else { Ok(found) }
}

/// Who is written to by whom.
pub(super) fn recipients<'a>(messages: impl Iterator<Item = &'a NewMessage>) -> Vec<(AccountId, Number)> {
    messages.map(|message| (message.account_id, message.to)).collect()
}

async fn known_keys(connection: &mut PgConnection, batch: &[&Single]) -> Result<Known, Error> {
    let mut known = Vec::new();
    for single in batch {
        let Some(record) = &single.idempotency else { continue };
        let account = single.message.account_id;
        if let Some(found) = known_key(connection, account, &record.key).await? {
            known.push(((account, record.key.clone()), found));
        }
    }
    Ok(known)
}

/// What a key remembers.
pub(crate) async fn known_key(
    connection: &mut PgConnection,
    account: AccountId,
    key: &str,
) -> Result<Option<IdempotencyRecord>, Error> {
    let row = query!(
        "SELECT key, fingerprint, status, response FROM idempotency_keys WHERE account_id = $1 AND key = $2",
        account.uuid(),
        key
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let fingerprint = row.fingerprint.try_into().map_err(|_| Error::Corrupt("fingerprint".into()))?;
        let status = u16::try_from(row.status).map_err(|_| Error::Corrupt("status".into()))?;
        Ok(IdempotencyRecord { key: row.key, fingerprint, status, response: row.response })
    })
    .transpose()
}

/// Stores a key; `false` when another transaction has stored it first.
pub(crate) async fn remember_key(
    connection: &mut PgConnection,
    account: AccountId,
    record: &IdempotencyRecord,
) -> Result<bool, Error> {
    let status = i16::try_from(record.status).map_err(|_| Error::Range)?;
    let done = query!(
        "INSERT INTO idempotency_keys (account_id, key, fingerprint, status, response) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        account.uuid(),
        record.key,
        &record.fingerprint[..],
        status,
        record.response
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The columns of one statement.
#[derive(Default)]
struct Rows<'a> {
    wallets: Vec<Uuid>,
    capped_keys: Vec<Uuid>,
    key_micros: Vec<i64>,
    micros: Vec<i64>,
    counts: Vec<i32>,
    key_accounts: Vec<Uuid>,
    keys: Vec<String>,
    fingerprints: Vec<Vec<u8>>,
    statuses: Vec<i16>,
    responses: Vec<Vec<u8>>,
    ids: Vec<Uuid>,
    accounts: Vec<Uuid>,
    recipients: Vec<i64>,
    senders: Vec<&'a str>,
    bodies: Vec<&'a str>,
    encodings: Vec<&'a str>,
    segments: Vec<i16>,
    networks: Vec<String>,
    chains: Vec<Uuid>,
    prices: Vec<i64>,
    charge_on: Vec<&'a str>,
    currencies: Vec<&'a str>,
    references: Vec<Option<&'a str>>,
    urls: Vec<Option<&'a str>>,
    metadata: Vec<Option<String>>,
    expires: Vec<DateTime<Utc>>,
    dues: Vec<DateTime<Utc>>,
    created: Vec<DateTime<Utc>>,
    scheduled: Vec<Option<DateTime<Utc>>>,
    classes: Vec<Option<&'a str>>,
    templates: Vec<Option<&'a str>>,
    smpp: SmppRows,
    envelope_ids: Vec<Uuid>,
    envelopes: Vec<Vec<u8>>,
    tenants: Vec<Option<AccountId>>,
}

/// The columns of what SMPP customers say beyond that.
#[derive(Default)]
struct SmppRows {
    systems: Vec<Option<Uuid>>,
    registered: Vec<Option<i16>>,
    receipt_ids: Vec<Option<Uuid>>,
    fields: Vec<Option<String>>,
    heads: Vec<Option<Uuid>>,
    parts: Vec<Option<i16>>,
    totals: Vec<Option<i16>>,
}

impl SmppRows {
    fn message(&mut self, message: &NewMessage) -> Result<(), Error> {
        let smpp = message.smpp.as_deref();
        let long = smpp.and_then(|smpp| smpp.long);
        self.systems.push(smpp.map(|smpp| smpp.system_id.uuid()));
        self.registered.push(smpp.map(|smpp| i16::from(smpp.registered_delivery)));
        self.receipt_ids.push(smpp.and_then(|smpp| smpp.receipt_id).map(MessageId::uuid));
        self.fields.push(message.fields().map(serde_json::to_string).transpose()?);
        self.heads.push(long.map(|long| long.head.uuid()));
        self.parts.push(long.map(|long| i16::from(long.part)));
        self.totals.push(long.map(|long| i16::from(long.total)));
        Ok(())
    }
}

impl<'a> Rows<'a> {
    /// `None`: what all of it needs cannot be counted.
    async fn of(db: &Db, batch: &[&'a Single]) -> Result<Option<Self>, Error> {
        let Some((holds, spends)) = needs::of(batch.iter().map(|s| &s.message)) else { return Ok(None) };
        let mut rows = Self::default();
        for (wallet, (micros, count)) in holds {
            rows.wallets.push(wallet.uuid());
            rows.micros.push(micros);
            rows.counts.push(count);
        }
        for (key, micros) in spends {
            rows.capped_keys.push(key.uuid());
            rows.key_micros.push(micros);
        }
        let chains = chain::remember(db, batch.iter().map(|s| &s.message.chain)).await?;
        for (single, chain) in batch.iter().zip(chains) {
            rows.message(&single.message, chain.uuid())?;
            if let Some(record) = &single.idempotency {
                rows.key(single.message.account_id, record)?;
            }
        }
        // What is scheduled is sent on its way by the sweep.
        let items: Vec<_> =
            batch.iter().filter(|s| s.message.scheduled_at.is_none()).map(|s| s.message.item()).collect();
        let at = batch.first().map(|s| s.message.created_at).unwrap_or_default();
        for sealed in seal(&items, at)? {
            rows.envelope_ids.push(sealed.id.uuid());
            rows.tenants.push(sealed.tenant);
            rows.envelopes.push(sealed.body);
        }
        Ok(Some(rows))
    }

    fn message(&mut self, message: &'a NewMessage, chain: Uuid) -> Result<(), Error> {
        let own = message.chain.links.first().ok_or_else(|| Error::Corrupt("chain without a payer".into()))?;
        self.ids.push(message.id.uuid());
        self.accounts.push(message.account_id.uuid());
        self.recipients.push(message.to.stored());
        self.senders.push(message.from.as_str());
        self.bodies.push(message.text.expose());
        self.encodings.push(message.encoding.name());
        self.segments.push(i16::from(message.segments));
        self.networks.push(message.mcc_mnc.to_string());
        self.chains.push(chain);
        self.prices.push(own.price.get());
        self.charge_on.push(own.charge_on.name());
        self.currencies.push(message.chain.currency.code());
        self.references.push(message.client_reference.as_deref());
        self.urls.push(message.status_url.as_deref());
        self.metadata.push(message.metadata.as_ref().map(serde_json::to_string).transpose()?);
        self.expires.push(message.expires_at);
        self.dues.push(message.due_at());
        self.created.push(message.created_at);
        self.scheduled.push(message.scheduled_at);
        self.classes.push(message.traffic_class.as_ref().map(TrafficClass::as_str));
        self.templates.push(message.template.as_ref().map(TemplateName::as_str));
        self.smpp.message(message)
    }

    /// What the statement wrote to the outbox.
    fn outboxed(self, db: &Db) -> Vec<Outboxed> {
        if db.publish == Publish::InTransaction {
            return Vec::new();
        }
        let row = |((id, body), tenant)| Outboxed { id, queue: queues::ROUTE.to_owned(), body, delay_ms: 0, tenant };
        self.envelope_ids.into_iter().zip(self.envelopes).zip(self.tenants).map(row).collect()
    }

    fn key(&mut self, account: AccountId, record: &IdempotencyRecord) -> Result<(), Error> {
        self.key_accounts.push(account.uuid());
        self.keys.push(record.key.clone());
        self.fingerprints.push(record.fingerprint.to_vec());
        self.statuses.push(i16::try_from(record.status).map_err(|_| Error::Range)?);
        self.responses.push(record.response.clone());
        Ok(())
    }
}
