//! Sealing the journal: batches of entries under one hash each, and each seal names the one before.
//!
//! A seal is made some seconds after its entries were written, by whoever holds the lock, so that writers neither wait
//! nor compute. Entries come in the order of their ids, which carry the time at which they were made. No seal reaches
//! beyond [`GRACE`] before the oldest open transaction that has written; what still comes later with an older id, from
//! a machine whose clock stands behind, gets a seal of its own, of kind `late`.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::dlr::uuid_at;
use crate::ledger::entries::{Sealable, canonical, digests};
use crate::{Db, Error};

/// The journal of one database is one shard: one chain takes far more than one database writes.
pub(super) const SHARD: i16 = 0;
/// How long an entry waits at least: longer than clocks differ and a transaction takes from its id to its first write.
pub const GRACE: TimeDelta = TimeDelta::seconds(20);
/// Entries of one seal.
const ENTRIES_MAX: i64 = 1000;
/// Seals of one look.
const SEALS_MAX: u32 = 500;
/// How long entries wait for a seal to become full.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);
/// How old the id of an entry may be that comes late. An older one is a violation.
pub(super) const LATE: TimeDelta = TimeDelta::minutes(10);
/// Two sealers never work at the same time: key of the advisory lock.
const LOCK: i64 = 0x6368_6170_7065_0001;
/// Bytes of an entry in `leaves`: its id, and the beginning of its digest.
pub(super) const LEAF_BYTES: usize = 24;

/// What a look sealed, and what is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Seals that were made.
    pub seals: u32,
    /// Entries under them.
    pub entries: u64,
    /// Of which came late.
    pub late: u64,
    /// When the oldest entry was made that has no seal yet.
    pub oldest_unsealed: Option<DateTime<Utc>>,
}

/// Seals what was written until `grace` ago. Does nothing where another sealer is at work.
///
/// # Errors
/// When the database fails.
pub async fn seal(db: &Db, now: DateTime<Utc>, grace: TimeDelta) -> Result<Sealed, Error> {
    let mut sealed = Sealed::default();
    for _ in 0..SEALS_MAX {
        let mut tx = db.begin().await?;
        if !lock(&mut tx).await? {
            return Ok(sealed);
        }
        let head = Head::read(&mut tx).await?;
        let horizon = horizon(&mut tx, now).await? - grace;
        let entries = digests(&mut tx, head.frontier, uuid_at(horizon), ENTRIES_MAX).await?;
        if !is_ripe(&entries, horizon, grace) {
            sealed.late = seal_late(&mut tx, &head, now).await?;
            sealed.oldest_unsealed = oldest(&mut tx, head.frontier).await?;
            tx.commit().await?;
            break;
        }
        head.follow(&mut tx, "range", &entries).await?;
        tx.commit().await?;
        sealed.seals += 1;
        sealed.entries += u64::try_from(entries.len()).unwrap_or_default();
    }
    Ok(sealed)
}

/// A full batch, or one whose first entry has waited long enough.
fn is_ripe(entries: &[Sealable], horizon: DateTime<Utc>, grace: TimeDelta) -> bool {
    let Some(first) = entries.first() else { return false };
    let patience = if grace < GRACE { TimeDelta::zero() } else { PATIENCE };
    entries.len() >= usize::try_from(ENTRIES_MAX).unwrap_or(usize::MAX) || made_at(first.id) <= horizon - patience
}

/// When an id was made.
pub(super) fn made_at(id: Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

async fn lock(connection: &mut PgConnection) -> Result<bool, Error> {
    let row = query!(r#"SELECT pg_try_advisory_xact_lock($1) AS "mine!""#, LOCK).fetch_one(&mut *connection).await?;
    canonical(connection).await?;
    Ok(row.mine)
}

/// When the oldest transaction began that has written and not ended; now where there is none.
async fn horizon(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<DateTime<Utc>, Error> {
    let row = query!(
        r#"SELECT least($1, min(xact_start)) AS "at!" FROM pg_stat_activity
           WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()"#,
        now
    )
    .fetch_one(connection)
    .await?;
    Ok(row.at)
}

async fn oldest(connection: &mut PgConnection, frontier: Uuid) -> Result<Option<DateTime<Utc>>, Error> {
    let row = query!("SELECT entry_id FROM balance_ledger WHERE entry_id > $1 ORDER BY entry_id LIMIT 1", frontier)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| made_at(row.entry_id)))
}

/// The end of the chain.
#[derive(Debug, Clone)]
struct Head {
    sequence: i64,
    hash: Vec<u8>,
    /// The last id of a range.
    frontier: Uuid,
}

impl Head {
    async fn read(connection: &mut PgConnection) -> Result<Self, Error> {
        let row = query!(
            r#"SELECT sequence, hash, (SELECT last_entry_id FROM journal_seals r WHERE r.shard = $1 AND r.kind = 'range'
                   ORDER BY last_entry_id DESC LIMIT 1) AS frontier
               FROM journal_seals WHERE shard = $1 ORDER BY sequence DESC LIMIT 1"#,
            SHARD
        )
        .fetch_optional(connection)
        .await?;
        Ok(match row {
            None => Self { sequence: 0, hash: vec![0; 32], frontier: Uuid::nil() },
            Some(row) => Self { sequence: row.sequence, hash: row.hash, frontier: row.frontier.unwrap_or_default() },
        })
    }

    /// Appends a seal over `entries`, which are in the order of their ids.
    async fn follow(&self, connection: &mut PgConnection, kind: &str, entries: &[Sealable]) -> Result<(), Error> {
        let body = Body::of(self, kind, entries)?;
        query!(
            "INSERT INTO journal_seals (shard, sequence, kind, after_entry_id, first_entry_id, last_entry_id, entries,
                lines, leaves, digest, previous_hash, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            SHARD,
            body.sequence,
            body.kind,
            body.after,
            body.first,
            body.last,
            body.entries,
            body.lines,
            leaves(entries),
            &body.digest,
            &body.previous,
            &body.hash()
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// What the hash of a seal is taken over.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) sequence: i64,
    pub(super) kind: String,
    pub(super) after: Uuid,
    pub(super) first: Uuid,
    pub(super) last: Uuid,
    pub(super) entries: i32,
    pub(super) lines: i32,
    pub(super) digest: Vec<u8>,
    pub(super) previous: Vec<u8>,
}

impl Body {
    fn of(head: &Head, kind: &str, entries: &[Sealable]) -> Result<Self, Error> {
        let nothing = || Error::Corrupt("a seal over nothing".into());
        let lines: i64 = entries.iter().map(|entry| entry.lines).sum();
        Ok(Self {
            sequence: head.sequence + 1,
            kind: kind.to_owned(),
            after: head.frontier,
            first: entries.first().ok_or_else(nothing)?.id,
            last: entries.last().ok_or_else(nothing)?.id,
            entries: i32::try_from(entries.len()).map_err(|_| Error::Range)?,
            lines: i32::try_from(lines).map_err(|_| Error::Range)?,
            digest: digest(entries),
            previous: head.hash.clone(),
        })
    }

    /// SHA-256 over all of it, numbers big-endian, each of its length.
    pub(super) fn hash(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(&self.previous);
        hash.update(SHARD.to_be_bytes());
        hash.update(self.sequence.to_be_bytes());
        hash.update(if self.kind == "late" { [1] } else { [0] });
        for id in [self.after, self.first, self.last] {
            hash.update(id.as_bytes());
        }
        hash.update(self.entries.to_be_bytes());
        hash.update(self.lines.to_be_bytes());
        hash.update(&self.digest);
        hash.finalize().to_vec()
    }
}

/// SHA-256 over the id and the digest of each entry.
pub(super) fn digest(entries: &[Sealable]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for entry in entries {
        hash.update(entry.id.as_bytes());
        hash.update(&entry.digest);
    }
    hash.finalize().to_vec()
}

fn leaves(entries: &[Sealable]) -> Vec<u8> {
    entries.iter().flat_map(Sealable::leaf).collect()
}

/// The ids in `leaves`, and how their digests begin.
pub(super) fn read_leaves(leaves: &[u8]) -> Vec<(Uuid, [u8; 8])> {
    let read = |leaf: &[u8]| {
        let (mut id, mut start) = ([0; 16], [0; 8]);
        id.copy_from_slice(&leaf[..16]);
        start.copy_from_slice(&leaf[16..]);
        (Uuid::from_bytes(id), start)
    };
    leaves.chunks_exact(LEAF_BYTES).map(read).collect()
}

/// Seals what came with ids of the last minutes that lie in sealed ranges. Answers how many entries.
async fn seal_late(connection: &mut PgConnection, head: &Head, now: DateTime<Utc>) -> Result<u64, Error> {
    let since = uuid_at(now - LATE);
    let rows = query!(
        r#"SELECT s.kind, s.after_entry_id, s.last_entry_id, s.leaves, s.lines,
               CASE WHEN s.kind = 'range' THEN (SELECT count(*) FROM balance_ledger l
                   WHERE l.entry_id > s.after_entry_id AND l.entry_id <= s.last_entry_id) ELSE 0 END AS "found!"
           FROM journal_seals s WHERE s.shard = $1 AND s.sealed_at > $2 AND s.last_entry_id > $3"#,
        SHARD,
        now - LATE - LATE,
        since
    )
    .fetch_all(&mut *connection)
    .await?;
    let sealed = rows.iter().flat_map(|row| read_leaves(&row.leaves)).map(|(id, _)| id).collect();
    let mut late: Vec<Sealable> = Vec::new();
    for row in rows.iter().filter(|row| row.kind == "range" && row.found > i64::from(row.lines)) {
        let sealed: &std::collections::HashSet<Uuid> = &sealed;
        let end = Uuid::from_u128(row.last_entry_id.as_u128() + 1);
        let found = digests(connection, row.after_entry_id, end, i64::MAX).await?;
        late.extend(found.into_iter().filter(|entry| entry.id >= since && !sealed.contains(&entry.id)));
    }
    late.sort_by_key(|entry| entry.id);
    late.truncate(usize::try_from(ENTRIES_MAX).unwrap_or_default());
    if !late.is_empty() {
        head.follow(connection, "late", &late).await?;
    }
    Ok(u64::try_from(late.len()).unwrap_or_default())
}
