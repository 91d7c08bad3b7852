//! How operators stand: measured from what was counted, stored where it changed, read by routing.

use chrono::{DateTime, TimeDelta, Utc};
use domain::routing::health::{Basis, CLASSES, Counts, Judged, Latencies, Score};
use domain::routing::standing::{Known, Standings};
use domain::routing::trust::{Doubts, Record};
use domain::{Network, OperatorId};
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use crate::page::narrow;
use crate::{Db, Error, Tx, breakers};

/// Health is reckoned over so long.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// A segment that was accepted should have its final receipt after so long.
pub const RECEIPT_DUE: TimeDelta = TimeDelta::minutes(5);
/// Trust is reckoned over so many days.
const TRUST_DAYS: TimeDelta = TimeDelta::days(7);
/// Test results that are looked at, the newest.
const RESULTS_MAX: i64 = 10_000;
/// The lock of the one process that judges.
const JUDGE: i64 = 0x6865_616c_7468; // "health"

/// An operator at a network; without one, at all networks together.
pub type Place = (OperatorId, Option<Network>);

/// What is stored of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Which place.
    pub place: Place,
    /// How the operator does there.
    pub score: Score,
    /// What that rests on.
    pub basis: Basis,
    /// Why it is not fully trusted.
    pub doubts: Doubts,
    /// When this was judged.
    pub at: DateTime<Utc>,
}

impl Stored {
    /// How it does and what that rests on.
    pub fn judged(&self) -> Judged {
        Judged { score: self.score, basis: self.basis }
    }
}

/// Takes the lock of the one who judges, until the transaction ends. `false`: another process has it.
///
/// # Errors
/// When the database fails.
pub async fn lock(tx: &mut Tx) -> Result<bool, Error> {
    let row = query!(r#"SELECT pg_try_advisory_xact_lock($1) AS "taken!""#, JUDGE).fetch_one(&mut **tx).await?;
    Ok(row.taken)
}

/// Keeps whoever judges away until this transaction ends: what a person says is not overwritten by who looked before.
pub async fn hold_off(tx: &mut Tx) -> Result<(), Error> {
    query!(r#"SELECT pg_advisory_xact_lock($1) AS "taken!: ()""#, JUDGE).fetch_one(&mut **tx).await?;
    Ok(())
}

pub(crate) fn network_of(stored: &str) -> Result<Option<Network>, Error> {
    match stored {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Error::Corrupt("mcc_mnc".into())),
    }
}

pub(crate) fn stored_network(network: Option<Network>) -> String {
    network.map(|network| network.to_string()).unwrap_or_default()
}

fn latencies(stored: &[i64]) -> Latencies {
    let mut latencies = [0; CLASSES];
    for (own, stored) in latencies.iter_mut().zip(stored) {
        *own = stored.unsigned_abs();
    }
    Latencies(latencies)
}

/// What was counted in the [window](WINDOW) before `now`, by operator and network; of one operator where one is named.
///
/// # Errors
/// When the database fails.
pub async fn measure(
    connection: &mut PgConnection,
    operator: Option<OperatorId>,
    now: DateTime<Utc>,
) -> Result<Vec<(OperatorId, Network, Counts)>, Error> {
    let rows = query!(
        r#"SELECT operator_id, mcc_mnc, sum(accepted)::bigint AS "accepted!", sum(refused)::bigint AS "refused!",
               sum(rejected)::bigint AS "rejected!", sum(unanswered)::bigint AS "unanswered!",
               sum(delivered)::bigint AS "delivered!", sum(failed)::bigint AS "failed!",
               coalesce(sum(greatest(accepted - delivered - failed, 0)) FILTER (WHERE bucket < $3), 0)::bigint
                   AS "missing!",
               ARRAY[sum(latency[1]), sum(latency[2]), sum(latency[3]), sum(latency[4]), sum(latency[5]),
                   sum(latency[6]), sum(latency[7]), sum(latency[8]), sum(latency[9]), sum(latency[10]),
                   sum(latency[11]), sum(latency[12])]::bigint[] AS "latency!"
           FROM operator_counts WHERE bucket >= $2 AND ($1::uuid IS NULL OR operator_id = $1)
           GROUP BY operator_id, mcc_mnc ORDER BY operator_id, mcc_mnc"#,
        operator.map(OperatorId::uuid),
        now - WINDOW,
        now - RECEIPT_DUE
    )
    .fetch_all(connection)
    .await?;
    let counts = rows.into_iter().map(|row| {
        let counts = Counts {
            accepted: row.accepted.unsigned_abs(),
            refused: row.refused.unsigned_abs(),
            rejected: row.rejected.unsigned_abs(),
            unanswered: row.unanswered.unsigned_abs(),
            delivered: row.delivered.unsigned_abs(),
            failed: row.failed.unsigned_abs(),
            missing: row.missing.unsigned_abs(),
            latencies: latencies(&row.latency),
        };
        let network = network_of(&row.mcc_mnc)?.ok_or_else(|| Error::Corrupt("mcc_mnc".into()))?;
        Ok((OperatorId::from_uuid(row.operator_id), network, counts))
    });
    counts.collect()
}

/// What trust is judged by: the counts of the last days and the newest test results, by operator and network.
///
/// A result is held against the receipts of whoever had the message. What arrived when several had it was delivered by one
/// who says so: it says nothing of the others.
///
/// # Errors
/// When the database fails.
pub async fn records(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<(OperatorId, Network, Record)>, Error> {
    let since = now - TRUST_DAYS;
    let rows = query!(
        r#"WITH tested AS (
               SELECT h.operator_id, m.mcc_mnc, count(*) AS tests,
                   count(*) FILTER (WHERE h.told <> r.arrived) AS untrue
               FROM (SELECT * FROM test_results WHERE reported_at >= $1 ORDER BY reported_at DESC LIMIT $3) r
               JOIN messages m ON m.id = r.message_id
               CROSS JOIN LATERAL (
                   SELECT p.operator_id, count(*) OVER () AS hops,
                       bool_and(p.state = 'delivered') FILTER (WHERE p.state NOT IN ('sent', 'buffered')) AS told
                   FROM message_parts p WHERE p.message_id = m.id AND p.state <> 'failed'
                   GROUP BY p.hop, p.operator_id
               ) h
               WHERE m.state IN ('delivered', 'undelivered', 'expired') AND h.told IS NOT NULL
                   AND (h.told OR NOT r.arrived OR h.hops = 1)
               GROUP BY 1, 2
           ), counted AS (
               SELECT operator_id, mcc_mnc, sum(delivered) AS delivered, sum(failed) AS failed,
                   sum(latency_ms) AS latency_ms, sum(latency_sq) AS latency_sq, sum(watched) AS watched,
                   sum(converted) AS converted, sum(not_received) AS not_received, sum(dead) AS dead,
                   sum(dead_delivered) AS dead_delivered,
                   ARRAY[sum(latency[1]), sum(latency[2]), sum(latency[3]), sum(latency[4]), sum(latency[5]),
                       sum(latency[6]), sum(latency[7]), sum(latency[8]), sum(latency[9]), sum(latency[10]),
                       sum(latency[11]), sum(latency[12])]::bigint[] AS latency
               FROM operator_count_days WHERE day >= $2 GROUP BY operator_id, mcc_mnc
           )
           SELECT operator_id AS "operator_id!", mcc_mnc AS "mcc_mnc!", coalesce(delivered, 0)::bigint AS "delivered!",
               coalesce(failed, 0)::bigint AS "failed!", coalesce(latency_ms, 0)::bigint AS "latency_ms!",
               coalesce(least(latency_sq, 9223372036854775807), 0)::bigint AS "latency_sq!",
               coalesce(watched, 0)::bigint AS "watched!", coalesce(converted, 0)::bigint AS "converted!",
               coalesce(not_received, 0)::bigint AS "not_received!", coalesce(dead, 0)::bigint AS "dead!",
               coalesce(dead_delivered, 0)::bigint AS "dead_delivered!",
               coalesce(latency, '{}') AS "latency!", coalesce(tests, 0) AS "tests!", coalesce(untrue, 0) AS "untrue!"
           FROM counted c FULL JOIN tested t USING (operator_id, mcc_mnc) ORDER BY 1, 2"#,
        since,
        since.date_naive(),
        RESULTS_MAX
    )
    .fetch_all(connection)
    .await?;
    let records = rows.into_iter().map(|row| {
        let record = Record {
            delivered: row.delivered.unsigned_abs(),
            failed: row.failed.unsigned_abs(),
            latencies: latencies(&row.latency),
            latency_ms: row.latency_ms.unsigned_abs(),
            latency_sq: row.latency_sq.unsigned_abs(),
            watched: row.watched.unsigned_abs(),
            converted: row.converted.unsigned_abs(),
            not_received: row.not_received.unsigned_abs(),
            dead: row.dead.unsigned_abs(),
            dead_delivered: row.dead_delivered.unsigned_abs(),
            tests: row.tests.unsigned_abs(),
            untrue: row.untrue.unsigned_abs(),
        };
        let network = network_of(&row.mcc_mnc)?.ok_or_else(|| Error::Corrupt("mcc_mnc".into()))?;
        Ok((OperatorId::from_uuid(row.operator_id), network, record))
    });
    records.collect()
}

struct Row {
    operator_id: Uuid,
    mcc_mnc: String,
    success_permille: i16,
    delivery_permille: i16,
    speed_permille: i16,
    trust_permille: i16,
    trust_reasons: serde_json::Value,
    basis: String,
    floor_permille: i16,
    regained_permille: i16,
    at: DateTime<Utc>,
}

impl Row {
    fn stored(self) -> Result<Stored, Error> {
        let score = Score {
            success: narrow(self.success_permille, "success")?,
            delivery: narrow(self.delivery_permille, "delivery")?,
            speed: narrow(self.speed_permille, "speed")?,
            trust: narrow(self.trust_permille, "trust")?,
        };
        let (floor, regained) = (narrow(self.floor_permille, "floor")?, narrow(self.regained_permille, "regained")?);
        let basis = match self.basis.as_str() {
            "unknown" => Basis::Unknown,
            "measured" => Basis::Measured,
            "kept" => Basis::Kept { regained },
            "regaining" => Basis::Regaining { floor, regained },
            _ => return Err(Error::Corrupt("basis".into())),
        };
        let place = (OperatorId::from_uuid(self.operator_id), network_of(&self.mcc_mnc)?);
        Ok(Stored { place, score, basis, doubts: serde_json::from_value(self.trust_reasons)?, at: self.at })
    }
}

/// What is stored of operators that are there; of one where one is named.
///
/// # Errors
/// When the database fails.
pub async fn stored(connection: &mut PgConnection, operator: Option<OperatorId>) -> Result<Vec<Stored>, Error> {
    let rows = query_as!(
        Row,
        "SELECT s.operator_id, s.mcc_mnc, s.success_permille, s.delivery_permille, s.speed_permille, s.trust_permille,
            s.trust_reasons, s.basis, s.floor_permille, s.regained_permille, s.at
         FROM operator_standings s JOIN operators o ON o.id = s.operator_id
         WHERE o.deleted_at IS NULL AND ($1::uuid IS NULL OR s.operator_id = $1) ORDER BY s.operator_id, s.mcc_mnc",
        operator.map(OperatorId::uuid)
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::stored).collect()
}

/// The floor, and the share that was regained, in thousandths.
fn shares(basis: Basis) -> Result<(i16, i16), Error> {
    let stored = |permille: u16| i16::try_from(permille).map_err(|_| Error::Range);
    Ok((stored(basis.floor().unwrap_or(1_000))?, stored(basis.regained())?))
}

/// Stores places that changed, and drops those of which nothing is known any more.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut PgConnection, changed: &[Stored], gone: &[Place], now: DateTime<Utc>) -> Result<(), Error> {
    let operators: Vec<Uuid> = changed.iter().map(|stored| stored.place.0.uuid()).collect();
    let networks: Vec<String> = changed.iter().map(|stored| stored_network(stored.place.1)).collect();
    let each = |part: fn(&Score) -> u16| {
        let parts = changed.iter().map(|stored| i16::try_from(part(&stored.score)).map_err(|_| Error::Range));
        parts.collect::<Result<Vec<i16>, Error>>()
    };
    let doubts = changed.iter().map(|stored| serde_json::to_value(&stored.doubts)).collect::<Result<Vec<_>, _>>()?;
    let bases: Vec<&str> = changed.iter().map(|stored| stored.basis.name()).collect();
    let shares = changed.iter().map(|stored| shares(stored.basis)).collect::<Result<Vec<_>, Error>>()?;
    let (floors, regained): (Vec<i16>, Vec<i16>) = shares.into_iter().unzip();
    query!(
        "INSERT INTO operator_standings (operator_id, mcc_mnc, success_permille, delivery_permille, speed_permille,
            trust_permille, trust_reasons, basis, floor_permille, regained_permille, at)
         SELECT i.*, $8 FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::smallint[], $5::smallint[],
            $6::smallint[], $7::jsonb[], $9::text[], $10::smallint[], $11::smallint[])
            AS i (operator, mcc_mnc, success, delivery, speed, trust, reasons, basis, floor, regained)
         JOIN operators o ON o.id = i.operator
         ON CONFLICT (operator_id, mcc_mnc) DO UPDATE SET success_permille = excluded.success_permille,
            delivery_permille = excluded.delivery_permille, speed_permille = excluded.speed_permille,
            trust_permille = excluded.trust_permille, trust_reasons = excluded.trust_reasons, basis = excluded.basis,
            floor_permille = excluded.floor_permille, regained_permille = excluded.regained_permille, at = excluded.at",
        &operators,
        &networks,
        &each(|score| score.success)?,
        &each(|score| score.delivery)?,
        &each(|score| score.speed)?,
        &each(|score| score.trust)?,
        &doubts,
        now,
        &bases as &[&str],
        &floors,
        &regained
    )
    .execute(&mut *tx)
    .await?;
    let operators: Vec<Uuid> = gone.iter().map(|(operator, _)| operator.uuid()).collect();
    let networks: Vec<String> = gone.iter().map(|(_, network)| stored_network(*network)).collect();
    query!(
        "DELETE FROM operator_standings s USING unnest($1::uuid[], $2::text[]) AS i (operator, mcc_mnc)
         WHERE s.operator_id = i.operator AND s.mcc_mnc = i.mcc_mnc",
        &operators,
        &networks
    )
    .execute(&mut *tx)
    .await?;
    changed_now(tx).await
}

/// Gives the standings a new version: every process reads them anew.
pub(crate) async fn changed_now(tx: &mut PgConnection) -> Result<(), Error> {
    query!("UPDATE standings_version SET version = version + 1").execute(tx).await?;
    Ok(())
}

/// Reads how all operators stand.
///
/// # Errors
/// When the database fails.
pub async fn load(db: &Db) -> Result<Standings, Error> {
    let mut tx = db.begin_picture().await?;
    let standings = read(&mut tx).await?;
    tx.rollback().await?;
    Ok(standings)
}

/// The same, in the picture that a transaction has.
pub(crate) async fn read(connection: &mut PgConnection) -> Result<Standings, Error> {
    let version = query!("SELECT version FROM standings_version").fetch_one(&mut *connection).await?.version;
    let rows = query!("SELECT id, daily_cap FROM operators WHERE deleted_at IS NULL ORDER BY id");
    let rows = rows.fetch_all(&mut *connection).await?;
    let scores = stored(connection, None).await?;
    let full = query!(
        "SELECT o.id, max(d.day) AS day FROM operators o JOIN operator_days d ON d.operator_id = o.id
         WHERE o.deleted_at IS NULL AND d.segments >= o.daily_cap AND d.day >= current_date - 2 GROUP BY o.id"
    )
    .fetch_all(&mut *connection)
    .await?;
    let known = Known {
        capped: rows.iter().filter(|row| row.daily_cap.is_some()).map(|row| OperatorId::from_uuid(row.id)).collect(),
        operators: rows.into_iter().map(|row| OperatorId::from_uuid(row.id)).collect(),
        bases: scores
            .iter()
            .filter(|one| one.basis.regained() < 1_000)
            .map(|one| (one.place.0, one.place.1, one.basis))
            .collect(),
        scores: scores.into_iter().map(|stored| (stored.place.0, stored.place.1, stored.score)).collect(),
        breakers: breakers::not_closed(connection).await?,
        full: full.into_iter().filter_map(|row| Some((OperatorId::from_uuid(row.id), row.day?))).collect(),
    };
    Ok(Standings::new(version, known))
}

/// Everything that is known of how one operator does.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// What was counted of late.
    pub counts: Vec<(OperatorId, Network, Counts)>,
    /// What routing goes by.
    pub stored: Vec<Stored>,
    /// Breakers that were ever open.
    pub breakers: Vec<breakers::Stored>,
}

/// Looks at one operator, for people.
///
/// # Errors
/// When the database fails.
pub async fn look(db: &Db, operator: OperatorId, now: DateTime<Utc>) -> Result<Look, Error> {
    let mut tx = db.begin_picture().await?;
    let counts = measure(&mut tx, Some(operator), now).await?;
    let stored = stored(&mut tx, Some(operator)).await?;
    let breakers = breakers::list(&mut tx, Some(operator)).await?;
    tx.rollback().await?;
    Ok(Look { counts, stored, breakers })
}
