//! Journal entries as seals see them: an id, how many lines, and one digest over all that its lines say.

use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;

/// An entry under its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealable {
    pub(super) id: Uuid,
    pub(super) lines: i64,
    /// SHA-256 over the canonical texts of its lines, one below the other.
    pub(super) digest: Vec<u8>,
}

impl Sealable {
    /// What `leaves` keep of it.
    pub(super) fn leaf(&self) -> impl Iterator<Item = u8> + '_ {
        self.id.as_bytes().iter().chain(&self.digest[..8]).copied()
    }
}

/// The entries with ids behind `after` and before `end`, in their order, at most `limit`.
///
/// A line's canonical text is the text form of its row, `(id,1,"2026-…",…`, without what stands for nulls at its end:
/// a nullable column that is added later changes no digest of before. Fields that hold a comma, a bracket, a quote or a
/// space are quoted, so no two rows have the same text. Needs the settings of [`canonical`].
pub(super) async fn digests(
    connection: &mut PgConnection,
    after: Uuid,
    end: Uuid,
    limit: i64,
) -> Result<Vec<Sealable>, Error> {
    let rows = query!(
        r#"SELECT entry_id, count(*) AS "lines!",
               sha256(convert_to(string_agg(rtrim(l::text, ',)'), E'\n' ORDER BY line), 'UTF8')) AS "digest!"
           FROM balance_ledger l WHERE entry_id > $1 AND entry_id < $2
           GROUP BY entry_id ORDER BY entry_id LIMIT $3"#,
        after,
        end,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Sealable { id: row.entry_id, lines: row.lines, digest: row.digest }).collect())
}

/// Makes this transaction write times as digests need them.
pub(super) async fn canonical(connection: &mut PgConnection) -> Result<(), Error> {
    query!("SELECT set_config('timezone', 'UTC', true) AS zone, set_config('datestyle', 'ISO', true) AS style")
        .fetch_one(connection)
        .await?;
    Ok(())
}
