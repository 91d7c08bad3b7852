//! Reading CDRs, a page at a time, with all that belongs to them.
//!
//! A message can have several records: a late receipt, or a late word of what an operator took, writes one that corrects the
//! one before. What a record here says of money is what it adds to the books, so that the records of a message, and those of
//! an account, sum up to the journal.

mod hops;
mod look;

pub use hops::{Hop, HopEntry, hops};

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::tariff::Chain;
use domain::{AccountId, ChainId, OperatorId};
use sqlx::{PgConnection, query_as};
use uuid::Uuid;

use crate::exports::{Export, Filter};
use crate::{Db, Error, chain};
use look::Place;

/// One CDR, and what names it elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Cdr {
    /// The message.
    pub message_id: Uuid,
    /// 0, or which correction it is: it corrects the record of the number before.
    pub correction: i16,
    /// Whose it is.
    pub account_id: Uuid,
    /// E.164 digits.
    pub recipient: i64,
    /// As the handset shows it.
    pub sender: String,
    /// Where it was priced for.
    pub mcc_mnc: String,
    /// How it travelled.
    pub encoding: String,
    /// Short messages that it takes.
    pub segments: i16,
    /// Of which operators accepted.
    pub accepted_segments: i16,
    /// Segments accepted that the record before did not tell of.
    pub added_segments: i16,
    /// What tariffs that charge on delivery make of it: see `domain::settlement::Outcome`.
    pub outcome: String,
    /// What the record before said of that; `None`: there is none.
    pub outcome_before: Option<String>,
    /// How it ended.
    pub state: String,
    /// Why.
    pub code: Option<String>,
    /// Who carried it at last.
    pub operator_id: Option<Uuid>,
    /// At which attempt.
    pub hop: i16,
    /// Who pays.
    pub chain_id: Uuid,
    /// The operator's rate.
    pub rate_id: Option<Uuid>,
    /// Why that operator.
    pub decision_id: Option<Uuid>,
    /// The routing rule that held.
    pub rule_id: Option<String>,
    /// In which version.
    pub rule_version: Option<String>,
    /// Captured from the sender's wallet, less what the record before says.
    pub price_micros: i64,
    /// Of the wallet.
    pub currency: String,
    /// Owed to all its operators in `cost_currency`.
    pub cost_micros: i64,
    /// The same by the record before.
    pub cost_before_micros: i64,
    /// Of the rate.
    pub cost_currency: Option<String>,
    /// By which that of the last hop was exchanged.
    pub exchange_rate_id: Option<Uuid>,
    /// What the record adds to the cost of all hops in `currency`, exchanges and all; `None`: nobody can convert it.
    pub converted_micros: Option<i64>,
    /// The hops before the last, as the record says; see [`hops`].
    pub hops: Option<serde_json::Value>,
    /// The same by the record before.
    pub hops_before: Option<serde_json::Value>,
    /// The journal entry that captured it.
    pub capture_entry_id: Option<Uuid>,
    /// The journal entry that settled the submit.
    pub submit_entry_id: Option<Uuid>,
    /// The journal entry that settled the end.
    pub final_entry_id: Option<Uuid>,
    /// The journal entry that booked what the last operator is owed.
    pub supplier_entry_id: Option<Uuid>,
    /// The customer's own reference.
    pub client_reference: Option<String>,
    /// The id that an SMPP customer was told.
    pub receipt_id: Option<Uuid>,
    /// What kind of traffic it was.
    pub traffic_class: Option<String>,
    /// The template that its text was made of, as the customer said it.
    pub template: Option<String>,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

/// One segment at one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The message.
    pub message_id: Uuid,
    /// At which attempt.
    pub hop: i16,
    /// From 1.
    pub segment: i16,
    /// Of how many.
    pub segments: i16,
    /// At which operator.
    pub operator_id: Uuid,
    /// The operator's id.
    pub smpp_message_id: Option<String>,
    /// SMPP `command_status`.
    pub submit_status: Option<i64>,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// Where it stands.
    pub state: String,
    /// What the receipt gives as error.
    pub error: Option<String>,
    /// The receipt as it came.
    pub receipt: Option<String>,
    /// When it came.
    pub receipt_at: Option<DateTime<Utc>>,
    /// The reference of its concatenation header.
    pub udh_reference: Option<i32>,
    /// Which part the header says it is.
    pub udh_part: Option<i16>,
    /// Of how many.
    pub udh_total: Option<i16>,
}

/// Money that was given back for a message, as one payer got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The message.
    pub message_id: Uuid,
    /// Who got it.
    pub account_id: Uuid,
    /// For how many segments.
    pub segments: i16,
    /// How much.
    pub amount_micros: i64,
    /// The journal entry that gave it.
    pub entry_id: Uuid,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A page of CDRs.
#[derive(Debug, Default)]
pub struct Page {
    /// Those that fit, in order of message.
    pub cdrs: Vec<Cdr>,
    /// Their segments, by message.
    pub parts: HashMap<Uuid, Vec<Part>>,
    /// Their price chains.
    pub chains: HashMap<ChainId, Arc<Chain>>,
    /// What was given back to or by who asked, by message, in order.
    pub refunds: HashMap<Uuid, Vec<Refund>>,
    /// What operators before the last were owed by, by message and hop.
    pub hop_entries: HashMap<(Uuid, i16), HopEntry>,
    /// The last CDR that was looked at; `None`: there are no more.
    pub cursor: Option<(Uuid, i16)>,
}

/// Reads what the next page of `export` holds: of the next `look_at` CDRs of its time those that fit. The work of a page
/// is bounded, whatever fits.
///
/// # Errors
/// When the database fails, or a stored filter or chain cannot be read.
pub async fn page(tx: &mut PgConnection, db: &Db, export: &Export, look_at: u16) -> Result<Page, Error> {
    let filter: Filter = serde_json::from_value(export.filter.clone())?;
    let tenant = filter.account.map_or(export.account_id, AccountId::uuid);
    let looked = look::at(tx, export, tenant, look_at).await?;
    let cdrs = fitting(tx, export, (&filter, tenant), &looked).await?;
    let ids: Vec<Uuid> = cdrs.iter().map(|cdr| cdr.message_id).collect();
    Ok(Page {
        parts: by_message(parts_of(tx, &ids).await?, |part| part.message_id),
        chains: chain::load(tx, db, cdrs.iter().map(|cdr| ChainId::from_uuid(cdr.chain_id))).await?,
        refunds: by_message(refunds_of(tx, export, &ids).await?, |refund| refund.message_id),
        hop_entries: hops::entries(tx, &cdrs).await?,
        cursor: looked.last().copied(),
        cdrs,
    })
}

fn by_message<T>(rows: Vec<T>, message: impl Fn(&T) -> Uuid) -> HashMap<Uuid, Vec<T>> {
    let mut grouped: HashMap<Uuid, Vec<T>> = HashMap::new();
    for row in rows {
        grouped.entry(message(&row)).or_default().push(row);
    }
    grouped
}

async fn fitting(
    tx: &mut PgConnection,
    export: &Export,
    (filter, tenant): (&Filter, Uuid),
    looked: &[Place],
) -> Result<Vec<Cdr>, Error> {
    let (ids, corrections): (Vec<Uuid>, Vec<i16>) = looked.iter().copied().unzip();
    // Both: the account that is filtered by must lie below who asked, still. A record outlives its message, which only
    // adds what the record does not hold.
    let rows = query_as!(
        Cdr,
        r#"SELECT c.message_id, c.correction, c.account_id, c.recipient, c.sender, c.mcc_mnc, c.encoding, c.segments,
               c.accepted_segments,
               (c.accepted_segments - coalesce(p.accepted_segments, 0))::smallint AS "added_segments!",
               c.outcome, p.outcome AS "outcome_before?", c.state, c.code, c.operator_id, c.hop, c.chain_id, c.rate_id, c.decision_id,
               d.decision #>> '{rule,id}' AS rule_id, d.decision #>> '{rule,version}' AS rule_version,
               c.price_micros - coalesce(p.price_micros, 0) AS "price_micros!", c.currency AS "currency!",
               c.cost_micros, coalesce(p.cost_micros, 0) AS "cost_before_micros!", c.cost_currency, c.exchange_rate_id,
               cdr_converted(c.converted_micros, c.cost_micros, c.cost_currency, c.currency, c.hops)
                   - CASE WHEN c.correction = 0 THEN 0 ELSE
                       cdr_converted(p.converted_micros, p.cost_micros, p.cost_currency, p.currency, p.hops) END
                   AS converted_micros, c.hops,
               p.hops AS "hops_before?", c.capture_entry_id,
               coalesce(c.submit_entry_id, m.submit_entry_id) AS "submit_entry_id?",
               coalesce(c.final_entry_id, m.final_entry_id) AS "final_entry_id?",
               m.hop_entry_id AS "supplier_entry_id?", c.client_reference, m.receipt_id AS "receipt_id?",
               coalesce(c.traffic_class, m.traffic_class) AS "traffic_class?",
               coalesce(c.template, m.template) AS "template?", c.accepted_at, c.ended_at
           FROM unnest($1::uuid[], $2::smallint[]) AS i (id, correction)
           JOIN sms_cdr c ON c.message_id = i.id AND c.correction = i.correction
           JOIN accounts a ON a.id = c.account_id AND a.path @> ARRAY[$3::uuid] AND a.path @> ARRAY[$4::uuid]
           LEFT JOIN sms_cdr p ON p.message_id = c.message_id AND p.correction = c.correction - 1
           LEFT JOIN messages m ON m.id = c.message_id
           LEFT JOIN routing_decisions d ON d.id = c.decision_id
           WHERE c.ended_at <= $5
               AND (cardinality($6::text[]) = 0 OR left(c.mcc_mnc, 3) = ANY ($6)) IS TRUE
               AND ($7::text IS NULL OR c.mcc_mnc = $7) IS TRUE
               AND ($8::uuid IS NULL OR c.operator_id = $8) IS TRUE
               AND ($9::text IS NULL OR c.state = $9) IS TRUE
           ORDER BY c.message_id, c.correction"#,
        &ids,
        &corrections,
        export.account_id,
        tenant,
        export.created_at,
        &filter.mccs,
        filter.network,
        filter.operator.map(OperatorId::uuid),
        filter.state,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn parts_of(tx: &mut PgConnection, messages: &[Uuid]) -> Result<Vec<Part>, Error> {
    let rows = query_as!(
        Part,
        "SELECT message_id, hop, segment, segments, operator_id, smpp_message_id, submit_status, submitted_at, state, error,
            receipt, receipt_at, udh_reference, udh_part, udh_total
         FROM message_parts WHERE message_id = ANY ($1) ORDER BY message_id, hop, segment",
        messages,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Refunds from before the export was asked for, in which who asked got something or gave it.
async fn refunds_of(tx: &mut PgConnection, export: &Export, messages: &[Uuid]) -> Result<Vec<Refund>, Error> {
    let rows = query_as!(
        Refund,
        r#"SELECT r.message_id, r.account_id, r.segments, r.amount_micros, r.entry_id, r.at,
            (SELECT t.reason FROM transactions t WHERE t.entry_id = r.entry_id AND t.account_id = r.account_id LIMIT 1)
         FROM message_refunds r
         WHERE r.message_id = ANY ($1) AND r.at <= $2 AND (r.account_id = $3 OR r.seller_id = $3) IS TRUE
         ORDER BY r.message_id, r.entry_id"#,
        messages,
        export.created_at,
        export.account_id,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}
