//! Checking the seals: the chain of hashes, and every sealed entry against its digest.

use std::cmp::Ordering;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::{Count, FOUND_MAX, Watch};
use crate::Error;
use crate::ledger::entries::{Sealable, canonical, digests};
use crate::ledger::seal::{Body, LATE, SHARD, digest, made_at, read_leaves};

/// Seals of one read: their entries are in memory at the same time.
const SEALS_MAX: i64 = 20;

/// How far a check of the seals came, and what it found.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    /// The last seal, and its hash.
    pub(super) sequence: i64,
    pub(super) hash: Vec<u8>,
    /// The last sealed id.
    pub(super) frontier: Uuid,
    /// Entries behind the start of the check that came late, into ranges that were sealed before.
    pub(super) late: Vec<Uuid>,
    /// Entries in sealed ranges that may still get their seal.
    pub(super) strays: usize,
    pub(super) found: Vec<String>,
}

struct Seal {
    body: Body,
    hash: Vec<u8>,
    leaves: Vec<u8>,
}

type Leaves = HashMap<Uuid, [u8; 8]>;

/// Checks every seal behind `from`, whose hash is known, and the entries under it; and that the seal `known`, at which the
/// last clean check ended, is still there: who alters an entry and has it sealed again makes another chain that is whole.
pub(super) async fn check(
    connection: &mut PgConnection,
    from: Chain,
    known: &Chain,
    now: DateTime<Utc>,
    watch: &mut Watch<'_>,
) -> Result<Chain, Error> {
    canonical(connection).await?;
    let late = late_leaves(connection).await?;
    let mut chain = Chain { found: Vec::new(), ..from };
    if let Some(found) = changed_head(connection, known).await? {
        chain.found.push(found);
    }
    loop {
        let seals = read(connection, chain.sequence).await?;
        let (Some(first), Some(last)) = (seals.first(), seals.last()) else { break };
        let ranges = || seals.iter().filter(|seal| seal.body.kind == "range");
        let after = ranges().next().map_or(first.body.after, |seal| seal.body.after);
        let end = ranges().next_back().map_or(after, |seal| seal.body.last);
        let entries = digests(connection, after, next(end), i64::MAX).await?;
        watch.add(Count { seals: seals.len(), lines: entries.iter().map(|entry| entry.lines).sum() });
        for seal in &seals {
            chain.link(seal);
            if seal.body.kind == "range" {
                chain.range(seal, &entries, &late, now);
            } else {
                let members = by_id(connection, seal).await?;
                chain.late.extend(read_leaves(&seal.leaves).iter().map(|(id, _)| *id));
                chain.members(seal, &members);
            }
        }
        chain.sequence = last.body.sequence;
        chain.hash.clone_from(&last.hash);
        chain.found.truncate(FOUND_MAX);
    }
    Ok(chain)
}

/// The smallest id behind `id`.
fn next(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_add(1))
}

/// The seal at which an earlier check ended must be as it was.
async fn changed_head(connection: &mut PgConnection, known: &Chain) -> Result<Option<String>, Error> {
    if known.sequence == 0 {
        return Ok(None);
    }
    let row = query!("SELECT hash FROM journal_seals WHERE shard = $1 AND sequence = $2", SHARD, known.sequence)
        .fetch_optional(connection)
        .await?;
    let is_same = row.is_some_and(|row| row.hash == known.hash);
    Ok((!is_same).then(|| format!("seal {} is not the one that was checked before", known.sequence)))
}

async fn read(connection: &mut PgConnection, behind: i64) -> Result<Vec<Seal>, Error> {
    let rows = query!(
        "SELECT sequence, kind, after_entry_id, first_entry_id, last_entry_id, entries, lines, digest, previous_hash,
             hash, leaves
         FROM journal_seals WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
        SHARD,
        behind,
        SEALS_MAX
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Seal {
            body: Body {
                sequence: row.sequence,
                kind: row.kind,
                after: row.after_entry_id,
                first: row.first_entry_id,
                last: row.last_entry_id,
                entries: row.entries,
                lines: row.lines,
                digest: row.digest,
                previous: row.previous_hash,
            },
            hash: row.hash,
            leaves: row.leaves,
        })
        .collect())
}

/// Every entry that came late, wherever its seal stands in the chain.
async fn late_leaves(connection: &mut PgConnection) -> Result<Leaves, Error> {
    let rows = query!("SELECT leaves FROM journal_seals WHERE shard = $1 AND kind = 'late'", SHARD)
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().flat_map(|row| read_leaves(&row.leaves)).collect())
}

/// The entries that a late seal names, each looked up by its id.
async fn by_id(connection: &mut PgConnection, seal: &Seal) -> Result<Vec<Sealable>, Error> {
    let mut members = Vec::new();
    for (id, _) in read_leaves(&seal.leaves) {
        members.extend(digests(connection, Uuid::from_u128(id.as_u128() - 1), next(id), 1).await?);
    }
    Ok(members)
}

impl Chain {
    /// A seal follows the one before it, and its hash is that of what it says.
    fn link(&mut self, seal: &Seal) {
        let Seal { body, hash, .. } = seal;
        let is_next = if body.sequence == 1 {
            self.sequence == 0 && body.previous == [0; 32]
        } else {
            body.sequence == self.sequence + 1 && body.previous == self.hash
        };
        if !is_next {
            self.found.push(format!("seal {} does not follow seal {}", body.sequence, self.sequence));
        }
        if body.hash() != *hash {
            self.found.push(format!("seal {} was altered", body.sequence));
        }
        if body.kind == "range" && body.after != self.frontier {
            self.found.push(format!("seal {} does not begin where the one before ends", body.sequence));
        }
        self.sequence = body.sequence;
        self.hash.clone_from(hash);
    }

    /// The entries of the range are those that were sealed, and those that got a seal later.
    fn range(&mut self, seal: &Seal, entries: &[Sealable], late: &Leaves, now: DateTime<Utc>) {
        let start = entries.partition_point(|entry| entry.id <= seal.body.after);
        let end = entries.partition_point(|entry| entry.id <= seal.body.last);
        let members: Vec<Sealable> =
            entries[start..end].iter().filter(|entry| !late.contains_key(&entry.id)).cloned().collect();
        // What came within the last minutes may still get its seal.
        let leaves = read_leaves(&seal.leaves);
        let is_stray = |entry: &Sealable| {
            made_at(entry.id) > now - LATE && leaves.binary_search_by_key(&entry.id, |leaf| leaf.0).is_err()
        };
        let (strays, members): (Vec<_>, Vec<_>) = members.into_iter().partition(is_stray);
        self.strays += strays.len();
        self.members(seal, &members);
        self.frontier = seal.body.last;
    }

    /// Compares the entries that are there with those that were sealed, both in the order of their ids.
    fn members(&mut self, seal: &Seal, entries: &[Sealable]) {
        let Seal { body, leaves, .. } = seal;
        let before = self.found.len();
        let mut sealed = read_leaves(leaves).into_iter().peekable();
        let mut there = entries.iter().peekable();
        loop {
            let order = match (sealed.peek(), there.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((id, _)), Some(entry)) => id.cmp(&entry.id),
            };
            let (sealed, there) = (
                (order != Ordering::Greater).then(|| sealed.next()).flatten(),
                (order != Ordering::Less).then(|| there.next()).flatten(),
            );
            match (sealed, there) {
                (Some((id, start)), Some(entry)) if entry.digest[..8] != start => {
                    self.found.push(format!("entry {id} was altered behind its seal {}", body.sequence));
                }
                (Some((id, _)), None) => {
                    self.found.push(format!("entry {id} of seal {} is missing", body.sequence));
                }
                (None, Some(entry)) => {
                    let id = entry.id;
                    self.found.push(format!("entry {id} was inserted into the range of seal {}", body.sequence));
                }
                _ => {}
            }
        }
        let lines: i64 = entries.iter().map(|entry| entry.lines).sum();
        let is_whole = digest(entries) == body.digest && i64::from(body.lines) == lines;
        if self.found.len() == before && !is_whole {
            self.found.push(format!(
                "an entry from {} to {} was altered behind its seal {}",
                body.first, body.last, body.sequence
            ));
        }
    }
}
