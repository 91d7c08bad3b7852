//! Moving messages from state to state: the one statement that every step after the route goes through.

use chrono::{DateTime, Utc};
use domain::settlement::Outcome;
use domain::{AccountId, ChainId, Currency, MessageId, Micros, Number, OperatorId, SmppSystemId, State};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;
use crate::page::outcome;
use crate::receipts::Submitter;

/// A step that a message shall take. At most one for a message in one call.
#[derive(Debug, Clone)]
pub struct Advance {
    /// Whose message.
    pub account: AccountId,
    /// Which message.
    pub message: MessageId,
    /// Only if this is still its hop, or the last that an operator had, or an earlier one delivered it; `None` where the hop does
    /// not matter.
    pub hop: Option<i16>,
    /// Where to.
    pub to: State,
    /// Why, where there is a code.
    pub code: Option<String>,
    /// What those make of the end who pay on delivery; counts where `to` is final.
    pub outcome: Outcome,
    /// The operator of `hop` delivered it, or failed billably: it is owed where it bills that.
    pub earns: bool,
    /// Segments that the operator of `hop` accepted; counts only while the submit is not settled.
    pub accepted: u8,
    /// The journal entry in which the caller settles this step.
    pub entry: Uuid,
}

/// A step that was taken, and what is needed to settle and to tell it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "what a step settles are facts of their own, in any combination")]
pub struct Moved {
    /// Which message.
    pub message: MessageId,
    /// Whose.
    pub account: AccountId,
    /// Where it is now.
    pub state: State,
    /// Why.
    pub code: Option<String>,
    /// Who pays.
    pub chain: ChainId,
    /// Short messages that it takes.
    pub segments: u8,
    /// Of which the operator accepted.
    pub accepted: u8,
    /// This step settles the submit.
    pub settles_submit: bool,
    /// This step settles the end.
    pub settles_final: bool,
    /// This step corrects an end without a receipt.
    pub settles_late: bool,
    /// What those make of the end who pay on delivery; where it has not ended, nothing.
    pub outcome: Outcome,
    /// The try at a route that it is on.
    pub hop: i16,
    /// Its state changed, so that its customer is told; else only an operator's cost is to be booked.
    pub has_moved: bool,
    /// Segments that the operator is to be paid for by this step.
    pub taken: u8,
    /// Who had it, and at what cost of a segment.
    pub cost: Option<(OperatorId, Micros, Currency)>,
    /// That cost in the currency of the sender's wallet, where that is another one and an exchange rate was in force: the
    /// amount of a segment by the rate, and the spread of the exchange.
    pub exchange: Option<(Micros, Micros)>,
    /// Its journal entry.
    pub entry: Uuid,
    /// Taken from the sender's wallet by now.
    pub captured: Micros,
    /// Currency of the sender's wallet.
    pub currency: Currency,
    /// Where its events go.
    pub status_url: Option<String>,
    /// Where it goes.
    pub to: Number,
    /// The customer's own reference.
    pub client_reference: Option<String>,
    /// The SMPP customer that submitted it, who may want a receipt.
    pub submitter: Option<Box<Submitter>>,
}

/// Takes the steps of `items` that their messages may still take (the rank grows) and writes the CDR of those
/// that end. Answers the steps taken; the others came too late or twice and change nothing.
///
/// `IS TRUE` keeps the comparison of accounts out of the choice of an index: on a new partition the planner knows
/// no better than to take the one that begins with the account.
pub async fn advance(
    connection: &mut PgConnection,
    items: Vec<Advance>,
    now: DateTime<Utc>,
) -> Result<Vec<Moved>, Error> {
    take(connection, items, false, now).await
}

/// The same; `is_late`: the caller has locked the wallets that pay for what ends billable after it had ended without a
/// receipt, and they have enough. Else that is left alone: see [`crate::late`].
#[expect(clippy::too_many_lines, reason = "one statement: its text and its parameters")]
pub(crate) async fn take(
    connection: &mut PgConnection,
    mut items: Vec<Advance>,
    is_late: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Moved>, Error> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    // One order for all transactions, so that two of them wait for each other and never both for ever.
    items.sort_by_key(|item| item.message);
    let low = items[0].message.uuid();
    let ids: Vec<Uuid> = items.iter().map(|i| i.message.uuid()).collect();
    let accounts: Vec<Uuid> = items.iter().map(|i| i.account.uuid()).collect();
    let hops: Vec<Option<i16>> = items.iter().map(|i| i.hop).collect();
    let states: Vec<&str> = items.iter().map(|i| i.to.name()).collect();
    let ranks: Vec<i16> = items.iter().map(|i| i.to.rank()).collect();
    let codes: Vec<Option<&str>> = items.iter().map(|i| i.code.as_deref()).collect();
    let accepted: Vec<i16> = items.iter().map(|i| i16::from(i.accepted)).collect();
    let outcomes: Vec<&str> = items.iter().map(|i| i.outcome.name()).collect();
    let entries: Vec<Uuid> = items.iter().map(|i| i.entry).collect();
    let earns: Vec<bool> = items.iter().map(|i| i.earns).collect();
    let rows = query!(
        r#"
        WITH moved AS (
            UPDATE messages m SET
                state = i.state, state_rank = i.rank, code = coalesce(i.code, m.code), updated_at = $11,
                captured_micros = m.captured_micros
                    + CASE WHEN m.charge_on = 'submit' AND m.accepted_segments IS NULL
                        THEN m.unit_price_micros * greatest(i.accepted, m.accepted_before) ELSE 0 END
                    + CASE WHEN m.charge_on = 'delivered' AND i.rank >= 8 THEN m.unit_price_micros
                            * coalesce(m.accepted_segments, greatest(i.accepted, m.accepted_before))
                            * (CASE WHEN i.outcome = 'unconfirmed' OR m.state = 'unconfirmed'
                                        AND EXISTS (SELECT FROM message_refunds r WHERE r.message_id = m.id)
                                        THEN sender_charges(m.chain_id, 'unconfirmed')::int
                                    WHEN i.outcome = 'billable' THEN 1 ELSE 0 END
                                - CASE WHEN m.outcome = 'unconfirmed'
                                    THEN sender_charges(m.chain_id, m.outcome)::int ELSE 0 END)
                        ELSE 0 END,
                outcome = CASE WHEN i.rank < 8 THEN NULL
                    -- What somebody has given back is neither given back again nor taken after all.
                    WHEN m.state = 'unconfirmed' AND EXISTS (SELECT FROM message_refunds r WHERE r.message_id = m.id) THEN m.outcome
                    ELSE i.outcome END,
                late_entry_id = CASE WHEN m.state = 'unconfirmed' THEN i.entry END,
                submit_entry_id = CASE WHEN m.accepted_segments IS NULL THEN i.entry ELSE m.submit_entry_id END,
                final_entry_id = CASE WHEN i.rank >= 8 THEN coalesce(m.final_entry_id, i.entry) END,
                accepted_segments = coalesce(m.accepted_segments, greatest(i.accepted, m.accepted_before)),
                -- What an operator took, or delivered, it is paid for once: at the first word of it.
                hop_accepted = CASE WHEN (i.hop = m.hop AND CASE WHEN m.cost_charge_on = 'delivered' THEN i.earns
                        ELSE i.accepted > 0 AND (m.hop > 0 OR coalesce(m.accepted_segments, 0) = 0) END)
                    THEN coalesce(m.hop_accepted, i.accepted) ELSE m.hop_accepted END,
                hop_entry_id = CASE WHEN (i.hop = m.hop AND CASE WHEN m.cost_charge_on = 'delivered' THEN i.earns
                        ELSE i.accepted > 0 AND (m.hop > 0 OR coalesce(m.accepted_segments, 0) = 0) END)
                        AND m.hop_accepted IS NULL THEN i.entry ELSE m.hop_entry_id END,
                corrections = m.corrections + CASE WHEN m.state = 'unconfirmed' THEN 1 ELSE 0 END,
                -- What ended before its time is not looked at when that comes.
                released_at = CASE WHEN m.scheduled_at IS NOT NULL AND i.rank >= 8
                    THEN coalesce(m.released_at, $11) ELSE m.released_at END
            FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::smallint[], $6::text[],
                $7::smallint[], $8::text[], $9::uuid[], $13::bool[])
                AS i (id, account, hop, state, rank, code, accepted, outcome, entry, earns)
            WHERE m.id = i.id AND (m.account_id = i.account) IS TRUE AND m.id >= $10
                AND m.state_rank < i.rank
                AND (i.hop IS NULL OR i.hop = m.hop OR i.hop < m.hop AND i.state = 'delivered'
                    -- One had it before, the next never got it, and nobody else takes it.
                    OR i.hop = m.hop - 1 AND m.operator_id IS NULL AND i.rank >= 8
                        AND greatest(m.accepted_before, m.accepted_segments) > 0)
                AND (m.state <> 'unconfirmed' OR i.outcome <> 'billable' OR $12)
            RETURNING m.*, i.entry,
                -- Rows of before hops were counted have nothing there.
                coalesce(m.hop_accepted, CASE WHEN m.hop = 0 AND m.cost_charge_on = 'submit' THEN m.accepted_segments END, 0)::smallint
                    AS hop_taken
        ), cdr AS (
            INSERT INTO sms_cdr (message_id, correction, account_id, recipient, sender, mcc_mnc, encoding, segments,
                accepted_segments, state, code, operator_id, hop, chain_id, rate_id, decision_id, unit_price_micros,
                price_micros, currency, cost_micros, cost_currency, hops, capture_entry_id, client_reference, accepted_at,
                ended_at, traffic_class, template, exchange_rate_id, exchanged_micros, spread_micros, converted_micros,
                outcome, submit_entry_id, final_entry_id, late_entry_id)
            SELECT id, corrections + late_costs, account_id, recipient, sender, mcc_mnc, encoding, segments,
                accepted_segments, state, code, operator_id, hop, chain_id, rate_id, decision_id, unit_price_micros,
                captured_micros, currency, coalesce(unit_cost_micros, 0) * hop_taken
                    + CASE WHEN hop > 0 THEN hops_cost(id, hop, cost_currency) ELSE 0 END,
                cost_currency, CASE WHEN hop > 0 THEN hops_record(id, hop) END,
                CASE WHEN captured_micros = 0 THEN NULL WHEN charge_on = 'submit' THEN submit_entry_id
                    WHEN late_entry_id IS NOT NULL AND NOT sender_charges(chain_id, 'unconfirmed') THEN late_entry_id
                    ELSE final_entry_id END,
                client_reference, created_at, $11, traffic_class, template, exchange_rate_id,
                coalesce(unit_exchanged_micros * hop_taken, 0) + CASE WHEN hop > 0 THEN hops_exchanged(id, hop) ELSE 0 END,
                coalesce(unit_spread_micros * hop_taken, 0) + CASE WHEN hop > 0 THEN hops_spread(id, hop) ELSE 0 END,
                converted(unit_cost_micros, cost_currency, currency, unit_exchanged_micros, unit_spread_micros, hop_taken)
                    + CASE WHEN hop > 0 THEN hops_converted(id, hop, currency) ELSE 0 END,
                outcome, submit_entry_id, final_entry_id, late_entry_id
            FROM moved WHERE state_rank >= 8
        )
        SELECT id, account_id, state, code, chain_id, segments, accepted_segments AS "accepted!",
            submit_entry_id = entry AS "settles_submit!", coalesce(final_entry_id = entry, false) AS "settles_final!",
            coalesce(late_entry_id = entry, false) AS "settles_late!", outcome, hop,
            coalesce(hop_entry_id = entry, false) AS "settles_cost!", hop_accepted, operator_id, unit_cost_micros,
            cost_currency, unit_exchanged_micros, unit_spread_micros, entry AS "entry!", captured_micros, currency,
            status_url, recipient, client_reference, smpp_system_id, registered_delivery, receipt_id, sender,
            created_at, CASE WHEN smpp_system_id IS NOT NULL THEN smpp END AS smpp,
            CASE WHEN smpp_system_id IS NOT NULL AND encoding <> 'binary' THEN left(body, 20) END AS text
        FROM moved
        "#,
        &ids,
        &accounts,
        &hops as &[Option<i16>],
        &states as &[&str],
        &ranks,
        &codes as &[Option<&str>],
        &accepted,
        &outcomes as &[&str],
        &entries,
        low,
        now,
        is_late,
        &earns
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let cost = cost_of(row.operator_id, row.unit_cost_micros, row.cost_currency.as_deref())?;
            let message = MessageId::from_uuid(row.id);
            let submitter = match row.smpp_system_id {
                None => None,
                Some(system) => Some(Box::new(Submitter {
                    system: SmppSystemId::from_uuid(system),
                    registered_delivery: row.registered_delivery.map(count).transpose()?.unwrap_or_default(),
                    told: row.receipt_id.map_or(message, MessageId::from_uuid),
                    fields: row.smpp.map(serde_json::from_value).transpose()?.unwrap_or_default(),
                    sender: row.sender,
                    text: row.text.unwrap_or_default(),
                    submitted_at: row.created_at,
                })),
            };
            Ok(Moved {
                message,
                account: AccountId::from_uuid(row.account_id),
                state: row.state.parse().map_err(|_| Error::Corrupt("state".into()))?,
                code: row.code,
                chain: ChainId::from_uuid(row.chain_id),
                segments: count(row.segments)?,
                accepted: count(row.accepted)?,
                settles_submit: row.settles_submit,
                settles_final: row.settles_final,
                settles_late: row.settles_late,
                outcome: outcome(row.outcome.as_deref())?,
                hop: row.hop,
                has_moved: true,
                taken: if row.settles_cost { row.hop_accepted.map(count).transpose()?.unwrap_or(0) } else { 0 },
                cost,
                exchange: exchange_of(row.unit_exchanged_micros, row.unit_spread_micros),
                entry: row.entry,
                captured: Micros::new(row.captured_micros),
                currency: currency_of(&row.currency)?,
                status_url: row.status_url,
                to: Number::from_stored(row.recipient).ok_or_else(|| Error::Corrupt("recipient".into()))?,
                client_reference: row.client_reference,
                submitter,
            })
        })
        .collect()
}

pub(crate) fn count(stored: i16) -> Result<u8, Error> {
    u8::try_from(stored).map_err(|_| Error::Corrupt("segments".into()))
}

/// Who takes how much for a segment, where somebody has the message.
pub(crate) fn cost_of(
    operator: Option<Uuid>,
    unit_cost: Option<i64>,
    currency: Option<&str>,
) -> Result<Option<(OperatorId, Micros, Currency)>, Error> {
    let (Some(operator), Some(cost), Some(currency)) = (operator, unit_cost, currency) else { return Ok(None) };
    Ok(Some((OperatorId::from_uuid(operator), Micros::new(cost), currency_of(currency)?)))
}

/// The exchange of a segment, where there is one: its amount and its spread.
pub(crate) fn exchange_of(exchanged: Option<i64>, spread: Option<i64>) -> Option<(Micros, Micros)> {
    exchanged.zip(spread).map(|(exchanged, spread)| (Micros::new(exchanged), Micros::new(spread)))
}

pub(crate) fn currency_of(code: &str) -> Result<Currency, Error> {
    code.parse().map_err(|_| Error::Corrupt("currency".into()))
}

/// Something that happened to a message.
#[derive(Debug, Clone)]
pub struct Event {
    /// Which message.
    pub message: MessageId,
    /// When.
    pub at: DateTime<Utc>,
    /// The state that was reported, whether or not the message took it.
    pub state: State,
    /// Why, where there is a code.
    pub code: Option<String>,
    /// Which segment, where it concerns one.
    pub segment: Option<u8>,
    /// Which operator, where one was involved.
    pub operator: Option<OperatorId>,
}

/// Appends `events`; `source` says who saw them (route, bill, dlr, sweep, api).
pub async fn append_events(connection: &mut PgConnection, source: &str, events: &[Event]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = events.iter().map(|e| e.message.uuid()).collect();
    let at: Vec<DateTime<Utc>> = events.iter().map(|e| e.at).collect();
    let states: Vec<&str> = events.iter().map(|e| e.state.name()).collect();
    let codes: Vec<Option<&str>> = events.iter().map(|e| e.code.as_deref()).collect();
    let segments: Vec<Option<i16>> = events.iter().map(|e| e.segment.map(i16::from)).collect();
    let operators: Vec<Option<Uuid>> = events.iter().map(|e| e.operator.map(OperatorId::uuid)).collect();
    query!(
        "INSERT INTO message_events (message_id, at, state, source, code, segment, operator_id)
         SELECT e.id, e.at, e.state, $1, e.code, e.segment, e.operator
         FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::smallint[], $7::uuid[])
            AS e (id, at, state, code, segment, operator)",
        source,
        &ids,
        &at,
        &states as &[&str],
        &codes as &[Option<&str>],
        &segments as &[Option<i16>],
        &operators as &[Option<Uuid>]
    )
    .execute(connection)
    .await?;
    Ok(())
}
