//! Routing rules in their versions. They are the house's; no tenant sees them.

use chrono::{DateTime, Utc};
use domain::RoutingRuleId;
use domain::routing::rule::{Body, Rule};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::{Page, narrow};
use crate::{Db, Error};

/// A version, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// What it says. Its number counts when it was read; a new one gets the next.
    pub rule: Rule,
    /// Why it was made.
    pub reason: String,
    /// By whom.
    pub made_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

struct Row {
    rule_id: Uuid,
    version: i32,
    name: String,
    position: i32,
    body: serde_json::Value,
    reason: String,
    made_by: String,
    effective_from: DateTime<Utc>,
    effective_to: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl Row {
    fn version(self) -> Result<Version, Error> {
        let body: Body = serde_json::from_value(self.body)?;
        let rule = Rule {
            id: RoutingRuleId::from_uuid(self.rule_id),
            version: narrow(self.version, "version")?,
            name: self.name,
            position: self.position,
            body,
            from: self.effective_from,
            to: self.effective_to,
        };
        Ok(Version { rule, reason: self.reason, made_by: self.made_by, created_at: self.created_at })
    }
}

/// Publishes a version: closes the one that holds at its moment, ends where a later one begins, and gets the next
/// number; answers the number, and where it ends. A number that a version had which was taken back is not given again. The
/// constraint `routing_rules_do_not_overlap` refuses a second version of the same moment.
///
/// # Errors
/// When the database refuses or fails.
pub async fn publish(tx: &mut PgConnection, new: &Version) -> Result<(u32, Option<DateTime<Utc>>), Error> {
    let Rule { id, name, position, body, from, .. } = &new.rule;
    // Two at a time would close each other's row, and wait for each other for ever.
    query!("SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))", id.uuid()).execute(&mut *tx).await?;
    query!(
        "UPDATE routing_rules SET effective_to = $2
         WHERE rule_id = $1 AND effective_from < $2 AND (effective_to IS NULL OR effective_to > $2)",
        id.uuid(),
        from,
    )
    .execute(&mut *tx)
    .await?;
    let made = query!(
        "WITH next AS (
           INSERT INTO routing_rule_numbers AS n (rule_id, last_version) VALUES ($1, 1)
           ON CONFLICT (rule_id) DO UPDATE SET last_version = n.last_version + 1 RETURNING last_version)
         INSERT INTO routing_rules (rule_id, version, name, position, body, reason, made_by, effective_from, effective_to)
         SELECT $1, next.last_version, $2, $3, $4, $5, $6, $7,
           (SELECT min(r.effective_from) FROM routing_rules r WHERE r.rule_id = $1 AND r.effective_from > $7)
         FROM next
         RETURNING version, effective_to",
        id.uuid(),
        name,
        position,
        serde_json::to_value(body)?,
        new.reason,
        new.made_by,
        from,
    )
    .fetch_one(tx)
    .await?;
    Ok((narrow(made.version, "version")?, made.effective_to))
}

/// Takes back a version that begins after `now`: the one that it would have closed goes on as if it had never been
/// published, up to where that was ended on purpose or the next one begins. `false`: there is none, or it has begun, so that
/// messages may have been decided by it.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(
    tx: &mut PgConnection,
    id: RoutingRuleId,
    version: u32,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let gone = query!(
        "DELETE FROM routing_rules WHERE rule_id = $1 AND version = $2 AND effective_from > $3 RETURNING effective_from",
        id.uuid(),
        i32::try_from(version).map_err(|_| Error::Range)?,
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(gone) = gone else { return Ok(false) };
    query!(
        "UPDATE routing_rules r SET effective_to = least(r.ended_at,
           (SELECT min(n.effective_from) FROM routing_rules n WHERE n.rule_id = $1 AND n.effective_from > $2))
         WHERE rule_id = $1 AND effective_to = $2",
        id.uuid(),
        gone.effective_from,
    )
    .execute(tx)
    .await?;
    Ok(true)
}

/// Ends a rule at `at`: what holds then is closed, what was to begin later is dropped, for it never held. `false`: there
/// is nothing to end.
///
/// # Errors
/// When the database fails.
pub async fn end(tx: &mut PgConnection, id: RoutingRuleId, at: DateTime<Utc>) -> Result<bool, Error> {
    let dropped = query!("DELETE FROM routing_rules WHERE rule_id = $1 AND effective_from >= $2", id.uuid(), at)
        .execute(&mut *tx)
        .await?;
    let closed = query!(
        "UPDATE routing_rules SET effective_to = $2, ended_at = $2
         WHERE rule_id = $1 AND effective_from < $2 AND (effective_to IS NULL OR effective_to > $2)",
        id.uuid(),
        at,
    )
    .execute(tx)
    .await?;
    Ok(dropped.rows_affected() + closed.rows_affected() > 0)
}

/// All versions of a rule, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn versions(db: &Db, id: RoutingRuleId) -> Result<Vec<Version>, Error> {
    let rows = query_as!(
        Row,
        "SELECT rule_id, version, name, position, body, reason, made_by, effective_from, effective_to, created_at
         FROM routing_rules WHERE rule_id = $1 ORDER BY version DESC",
        id.uuid(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::version).collect()
}

/// The versions that hold at `at`, the newest rule first.
///
/// # Errors
/// When the database fails.
pub async fn in_force(db: &Db, at: DateTime<Utc>, page: Page) -> Result<Vec<Version>, Error> {
    let rows = query_as!(
        Row,
        "SELECT rule_id, version, name, position, body, reason, made_by, effective_from, effective_to, created_at
         FROM routing_rules
         WHERE effective_from <= $1 AND (effective_to IS NULL OR effective_to > $1) AND rule_id < $2
         ORDER BY rule_id DESC LIMIT $3",
        at,
        page.end(),
        page.limit(),
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(Row::version).collect()
}

/// Those that hold now or later, for the catalogue.
pub(crate) async fn current(connection: &mut PgConnection) -> Result<Vec<Rule>, Error> {
    let rows = query_as!(
        Row,
        "SELECT rule_id, version, name, position, body, reason, made_by, effective_from, effective_to, created_at
         FROM routing_rules WHERE effective_to IS NULL OR effective_to > now() - interval '1 hour'",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok(row.version()?.rule)).collect()
}
