//! Storing how submits ended: the parts of messages at their operators.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use contract::{Outcome, PartOf, SubmitKey};
use domain::MessageId;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::advance::count;
use crate::{Db, Error};

/// SMPP `ESME_ROK`.
const ROK: u32 = 0;

/// How parts are numbered among others: a column each.
#[derive(Default)]
struct Numbers {
    references: Vec<Option<i32>>,
    parts: Vec<Option<i16>>,
    totals: Vec<Option<i16>>,
}

impl Numbers {
    fn push(&mut self, part_of: Option<PartOf>) {
        self.references.push(part_of.map(|part_of| i32::from(part_of.reference)));
        self.parts.push(part_of.map(|part_of| i16::from(part_of.part)));
        self.totals.push(part_of.map(|part_of| i16::from(part_of.total)));
    }
}

/// Stores the parts of `outcomes`: what receipts are matched against.
pub async fn store_parts(connection: &mut PgConnection, outcomes: &[Outcome]) -> Result<(), Error> {
    let mut ids: Vec<Uuid> = Vec::new();
    let mut hops: Vec<i16> = Vec::new();
    let mut segments: Vec<i16> = Vec::new();
    let mut totals: Vec<i16> = Vec::new();
    let mut accounts: Vec<Uuid> = Vec::new();
    let mut operators: Vec<Uuid> = Vec::new();
    let mut smpp_ids: Vec<Option<&str>> = Vec::new();
    let mut statuses: Vec<Option<i64>> = Vec::new();
    let mut times: Vec<DateTime<Utc>> = Vec::new();
    let mut states: Vec<&str> = Vec::new();
    let mut numbers = Numbers::default();
    for outcome in outcomes {
        for part in &outcome.segments {
            ids.push(outcome.message_id.uuid());
            hops.push(i16::from(outcome.hop));
            segments.push(i16::from(part.segment));
            totals.push(i16::try_from(outcome.segments.len()).map_err(|_| Error::Range)?);
            accounts.push(outcome.account_id.uuid());
            operators.push(outcome.operator_id.uuid());
            smpp_ids.push(part.smpp_message_id.as_deref().filter(|id| !id.is_empty()));
            statuses.push(part.status.map(i64::from));
            times.push(outcome.at);
            states.push(if part.status.is_none_or(|status| status == ROK) { "sent" } else { "failed" });
            numbers.push(part.part_of);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    query!(
        "INSERT INTO message_parts (message_id, hop, segment, operator_id, smpp_message_id, submit_status,
            submitted_at, state, segments, account_id, udh_reference, udh_part, udh_total)
         SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::uuid[], $5::text[], $6::bigint[],
            $7::timestamptz[], $8::text[], $9::smallint[], $10::uuid[], $11::integer[], $12::smallint[], $13::smallint[])
         ON CONFLICT DO NOTHING",
        &ids,
        &hops,
        &segments,
        &operators,
        &smpp_ids as &[Option<&str>],
        &statuses as &[Option<i64>],
        &times,
        &states as &[&str],
        &totals,
        &accounts,
        &numbers.references as &[Option<i32>],
        &numbers.parts as &[Option<i16>],
        &numbers.totals as &[Option<i16>]
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which of `submits` have an outcome already, for an edge that got an envelope twice. A message that has
/// ended, or went on to another hop, counts as one that has.
pub async fn known(db: &Db, submits: &[SubmitKey]) -> Result<HashSet<SubmitKey>, Error> {
    let ids: Vec<Uuid> = submits.iter().map(|(id, _)| id.uuid()).collect();
    let hops: Vec<i16> = submits.iter().map(|(_, hop)| i16::from(*hop)).collect();
    let rows = query!(
        r#"SELECT i.id AS "id!", i.hop AS "hop!" FROM unnest($1::uuid[], $2::smallint[]) AS i (id, hop)
           LEFT JOIN messages m ON m.id = i.id
           WHERE m.id IS NULL OR m.state_rank >= 8 OR m.state_rank >= 3 AND m.hop = 0 OR m.hop > i.hop OR EXISTS
               (SELECT FROM message_parts p WHERE p.message_id = i.id AND p.hop = i.hop)"#,
        &ids,
        &hops
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter().map(|row| Ok((MessageId::from_uuid(row.id), count(row.hop)?))).collect()
}
