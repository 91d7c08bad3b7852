//! Circuit breakers of operators at networks, as they are stored, and the probes that half-open ones let through.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::routing::breaker::{Breaker, Evidence, PROBES, PROBES_EVERY, State, WINDOW};
use domain::{Network, OperatorId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::narrow;
use crate::standings::{changed_now, network_of};
use crate::{Db, Error};

/// Who turns breakers when no person does.
pub const SYSTEM: &str = "system";
/// The width of what counts are kept by.
const BUCKET_SECONDS: f64 = 10.0;

/// A breaker, and who turned it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Of which operator.
    pub operator: OperatorId,
    /// At which network.
    pub network: Network,
    /// How it stands.
    pub breaker: Breaker,
    /// Why.
    pub reason: String,
    /// `system`, or the key or user that did it by hand.
    pub made_by: String,
}

struct Row {
    operator_id: Uuid,
    mcc_mnc: String,
    state: String,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    openings: i16,
    reason: String,
    made_by: String,
}

impl Row {
    fn stored(self) -> Result<Stored, Error> {
        let state = match (self.state.as_str(), self.until) {
            ("closed", _) => State::Closed,
            ("open", None) => State::Held,
            ("open", Some(_)) => State::Open,
            ("half_open", _) => State::HalfOpen,
            _ => return Err(Error::Corrupt("breaker".into())),
        };
        let openings = narrow(self.openings, "openings")?;
        Ok(Stored {
            operator: OperatorId::from_uuid(self.operator_id),
            network: network(&self.mcc_mnc)?,
            breaker: Breaker { state, since: self.since, until: self.until, openings },
            reason: self.reason,
            made_by: self.made_by,
        })
    }
}

fn network(stored: &str) -> Result<Network, Error> {
    network_of(stored)?.ok_or_else(|| Error::Corrupt("mcc_mnc".into()))
}

/// A held breaker is stored as one that is open without end.
const fn stored_state(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open | State::Held => "open",
        State::HalfOpen => "half_open",
    }
}

/// The breakers that were ever open; of one operator where one is named.
///
/// # Errors
/// When the database fails.
pub async fn list(connection: &mut PgConnection, operator: Option<OperatorId>) -> Result<Vec<Stored>, Error> {
    let rows = query_as!(
        Row,
        "SELECT operator_id, mcc_mnc, state, since, until, openings, reason, made_by FROM operator_breakers
         WHERE $1::uuid IS NULL OR operator_id = $1 ORDER BY operator_id, mcc_mnc",
        operator.map(OperatorId::uuid)
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::stored).collect()
}

pub(crate) async fn not_closed(connection: &mut PgConnection) -> Result<Vec<(OperatorId, Network, State)>, Error> {
    let all = list(connection, None).await?;
    let open = all.into_iter().filter(|stored| stored.breaker.state != State::Closed);
    Ok(open.map(|stored| (stored.operator, stored.network, stored.breaker.state)).collect())
}

/// What was counted for each place with traffic or with a breaker: of a closed one within its window and since it
/// closed, of a half-open one since the ten seconds in which it became that.
///
/// # Errors
/// When the database fails.
pub async fn evidence(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<HashMap<(OperatorId, Network), Evidence>, Error> {
    let rows = query!(
        r#"SELECT c.operator_id AS "operator_id!", c.mcc_mnc AS "mcc_mnc!",
               sum(c.accepted + c.refused + c.unanswered)::bigint AS "submits!",
               sum(c.refused + c.unanswered)::bigint AS "failures!"
           FROM operator_counts c JOIN operators o ON o.id = c.operator_id AND o.deleted_at IS NULL
           LEFT JOIN operator_breakers b ON b.operator_id = c.operator_id AND b.mcc_mnc = c.mcc_mnc
           WHERE c.bucket >= $1 AND b.state IS DISTINCT FROM 'half_open' AND (b.since IS NULL OR c.bucket >= b.since)
           GROUP BY 1, 2
           UNION ALL
           SELECT c.operator_id, c.mcc_mnc, sum(c.accepted + c.refused + c.unanswered)::bigint,
               sum(c.refused + c.unanswered)::bigint
           FROM operator_breakers b
           JOIN operator_counts c ON c.operator_id = b.operator_id AND c.mcc_mnc = b.mcc_mnc
           WHERE b.state = 'half_open' AND c.bucket > b.since - make_interval(secs => $2)
           GROUP BY 1, 2"#,
        now - WINDOW,
        BUCKET_SECONDS
    )
    .fetch_all(connection)
    .await?;
    let counted = rows.into_iter().map(|row| {
        let place = (OperatorId::from_uuid(row.operator_id), network(&row.mcc_mnc)?);
        Ok((place, Evidence { submits: row.submits.unsigned_abs(), failures: row.failures.unsigned_abs() }))
    });
    counted.collect()
}

/// Whether a person opened the breaker of an operator for a whole country.
///
/// # Errors
/// When the database fails.
pub async fn is_held(connection: &mut PgConnection, operator: OperatorId, country: Network) -> Result<bool, Error> {
    let row = query!(
        r#"SELECT EXISTS (SELECT FROM operator_breakers WHERE operator_id = $1 AND mcc_mnc = $2 AND state = 'open'
             AND until IS NULL) AS "held!""#,
        operator.uuid(),
        country.to_string()
    );
    Ok(row.fetch_one(connection).await?.held)
}

/// Stores how a breaker stands from now on, and who turned it; it is in the audit log of the house.
///
/// # Errors
/// When the database fails. The constraint `operator_breakers_operator_id_fkey` refuses an operator that is not there.
pub async fn put(tx: &mut PgConnection, stored: &Stored) -> Result<(), Error> {
    let Breaker { state, since, until, openings } = stored.breaker;
    query!(
        "INSERT INTO operator_breakers (operator_id, mcc_mnc, state, since, until, openings, reason, made_by,
            probes_left, probes_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, NULL)
         ON CONFLICT (operator_id, mcc_mnc) DO UPDATE SET state = excluded.state, since = excluded.since,
            until = excluded.until, openings = excluded.openings, reason = excluded.reason,
            made_by = excluded.made_by, probes_left = 0, probes_at = NULL",
        stored.operator.uuid(),
        stored.network.to_string(),
        stored_state(state),
        since,
        until.filter(|_| state == State::Open),
        i16::from(openings),
        stored.reason,
        stored.made_by
    )
    .execute(&mut *tx)
    .await?;
    changed_now(tx).await
}

/// The same for one that nobody turned by hand, with an audit row of the house.
///
/// # Errors
/// When the database fails.
pub async fn turn(tx: &mut PgConnection, stored: &Stored) -> Result<(), Error> {
    put(tx, stored).await?;
    let detail = serde_json::json!({"mcc_mnc": stored.network, "state": stored.breaker.state,
        "until": stored.breaker.until, "reason": stored.reason});
    query!(
        "INSERT INTO audit_logs (id, account_id, actor_account_id, actor, action, subject, detail)
         SELECT $1, a.id, a.id, $2, 'operator_breaker.turn', $3, $4 FROM accounts a WHERE a.parent_id IS NULL LIMIT 1",
        Uuid::now_v7(),
        SYSTEM,
        stored.operator.to_string(),
        detail
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes probes of half-open breakers, at most as many as are wanted for each place. Over all processes no more than
/// [`PROBES`] are given in [`PROBES_EVERY`]; one that is not used is lost.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    db: &Db,
    wanted: &[(OperatorId, Network, i16)],
    now: DateTime<Utc>,
) -> Result<HashMap<(OperatorId, Network), i16>, Error> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let operators: Vec<Uuid> = wanted.iter().map(|(operator, ..)| operator.uuid()).collect();
    let networks: Vec<String> = wanted.iter().map(|(_, network, _)| network.to_string()).collect();
    let counts: Vec<i16> = wanted.iter().map(|(.., count)| *count).collect();
    let rows = query!(
        r#"
        WITH half_open AS (
            SELECT b.operator_id, b.mcc_mnc, i.wanted, b.probes_at IS NULL OR b.probes_at <= $4 AS is_renewed,
                CASE WHEN b.probes_at IS NULL OR b.probes_at <= $4 THEN $5 ELSE b.probes_left END AS available
            FROM unnest($1::uuid[], $2::text[], $3::smallint[]) AS i (operator, mcc_mnc, wanted)
            JOIN operator_breakers b ON b.operator_id = i.operator AND b.mcc_mnc = i.mcc_mnc
            WHERE b.state = 'half_open' ORDER BY b.operator_id, b.mcc_mnc FOR UPDATE OF b
        ), taken AS (
            SELECT *, least(wanted, available) AS taken FROM half_open WHERE available > 0
        )
        UPDATE operator_breakers b SET probes_left = t.available - t.taken,
            probes_at = CASE WHEN t.is_renewed THEN $6 ELSE b.probes_at END
        FROM taken t WHERE b.operator_id = t.operator_id AND b.mcc_mnc = t.mcc_mnc
        RETURNING b.operator_id, b.mcc_mnc, t.taken AS "taken!"
        "#,
        &operators,
        &networks,
        &counts,
        now - PROBES_EVERY,
        PROBES,
        now
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok(((OperatorId::from_uuid(row.operator_id), network(&row.mcc_mnc)?), row.taken)))
        .collect()
}
