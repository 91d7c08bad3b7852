//! What a seller earns: what its children pay it, less what it pays itself for the same messages. From the journal, by
//! UTC day and child; nobody but the seller sees it.

use chrono::{DateTime, NaiveDate, Utc};
use domain::settlement::Ended;
use domain::{AccountId, ChainId, Currency, MessageId, Micros};
use sqlx::query;

use crate::page::{outcome, parse};
use crate::{Db, Error, chain};

/// What a seller earned by one child on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The UTC day.
    pub day: NaiveDate,
    /// Who bought: directly below the seller; it may have sold on.
    pub child: AccountId,
    /// Messages that were captured; one that is charged at its submit and again at its end counts once for each. Look-ups are
    /// in the amounts, and no messages.
    pub messages: i64,
    /// The currency that the child pays in; costs that nobody can convert stand apart, in theirs.
    pub currency: Currency,
    /// Paid by the child, less what was refunded to it.
    pub earned: Micros,
    /// Paid by the seller, less what was refunded to it; by the house: to operators and providers of look-ups, as far as in its own
    /// currency or exchanged into it.
    pub paid: Micros,
}

/// The shares of `seller` between two moments, newest day first. Days at most: as many as lie between; the caller
/// bounds them.
///
/// # Errors
/// When the database fails.
pub async fn shares(
    db: &Db,
    seller: AccountId,
    (since, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Share>, Error> {
    let rows = query!(
        r#"SELECT x.day AS "day!", x.child AS "child!", x.currency AS "currency!", sum(x.messages)::bigint AS "messages!",
               sum(x.earned)::bigint AS "earned!", sum(x.paid)::bigint AS "paid!"
           FROM (
               SELECT (l.at AT TIME ZONE 'UTC')::date AS day, a.path[array_position(a.path, $1) + 1] AS child,
                   l.currency, CASE WHEN l.ledger = 'revenue' THEN l.posted_micros ELSE 0 END AS earned,
                   CASE WHEN l.ledger = 'revenue' THEN 0 ELSE -l.posted_micros END AS paid,
                   CASE WHEN l.ledger = 'revenue' AND l.operation = 'capture' THEN l.messages ELSE 0 END AS messages
               FROM balance_ledger l CROSS JOIN LATERAL (
                       SELECT account_id FROM entry_messages WHERE entry_id = l.entry_id
                       UNION ALL
                       SELECT account_id FROM entry_lookups WHERE entry_id = l.entry_id
                   ) e JOIN accounts a ON a.id = e.account_id
               WHERE l.account_id = $1 AND l.operation IN ('capture', 'lookup', 'refund', 'supplier_cost', 'exchange')
                   AND l.ledger IN ('revenue', 'wallet', 'supplier_cost', 'fx_spread')
                   AND l.entry_id >= uuid_at($2::timestamptz - interval '10 minutes')
                   AND l.entry_id <= uuid_at($3::timestamptz + interval '10 minutes') AND l.at >= $2 AND l.at < $3
                   AND a.id <> $1
           ) x GROUP BY 1, 2, 3 HAVING sum(x.earned) <> 0 OR sum(x.paid) <> 0 ORDER BY 1 DESC, 2, 3"#,
        seller.uuid(),
        since,
        until
    )
    .fetch_all(&db.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Share {
                day: row.day,
                child: AccountId::from_uuid(row.child),
                messages: row.messages,
                currency: parse(&row.currency, "currency")?,
                earned: Micros::new(row.earned),
                paid: Micros::new(row.paid),
            })
        })
        .collect()
}

/// What `seller` earned by one message, by now: paid to it, and by it, less refunds, in the currency of the message. `None`: the message is not in its
/// subtree, or is its own.
///
/// # Errors
/// When the database fails.
pub async fn of_message(
    db: &Db,
    seller: AccountId,
    message: MessageId,
) -> Result<Option<(Micros, Micros, Currency)>, Error> {
    let mut connection = db.pool.lend().await?;
    let row = query!(
        r#"SELECT m.chain_id, m.outcome, coalesce(m.accepted_segments, 0) AS "accepted!",
               converted(m.unit_cost_micros, m.cost_currency, m.currency, m.unit_exchanged_micros, m.unit_spread_micros,
                   coalesce(m.hop_accepted, CASE WHEN m.hop = 0 AND m.cost_charge_on = 'submit' THEN m.accepted_segments END, 0))
                   + CASE WHEN m.hop > 0 THEN hops_converted(m.id, m.hop, m.currency) ELSE 0 END AS cost,
               ARRAY(SELECT r.account_id FROM message_refunds r WHERE r.message_id = m.id ORDER BY r.account_id, r.before_segments) AS "payers!",
               ARRAY(SELECT r.amount_micros FROM message_refunds r WHERE r.message_id = m.id ORDER BY r.account_id, r.before_segments) AS "back!"
           FROM messages m JOIN accounts a ON a.id = m.account_id
           WHERE m.id = $2 AND a.path @> ARRAY[$1::uuid] AND a.id <> $1"#,
        seller.uuid(),
        message.uuid()
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let chains = chain::load(&mut connection, db, std::iter::once(ChainId::from_uuid(row.chain_id))).await?;
    connection.done().await?;
    let chain = chains.values().next().ok_or_else(|| Error::Corrupt("a message without its chain".into()))?;
    let accepted = u16::try_from(row.accepted).map_err(|_| Error::Range)?;
    let ended = Ended { accepted, outcome: outcome(row.outcome.as_deref())? };
    let net = |link: &domain::tariff::Link| {
        let segments = domain::settlement::captured_segments(link, ended);
        let back = row.payers.iter().zip(&row.back).filter(|(payer, _)| **payer == link.account.uuid());
        let back: i64 = back.map(|(_, amount)| *amount).sum();
        Some(Micros::new(link.price.times(segments)?.get() - back))
    };
    let sum = |link: Option<&domain::tariff::Link>| link.map_or(Some(Micros::ZERO), net).ok_or(Error::Range);
    let earned = sum(chain.links.iter().find(|link| link.seller == seller && link.account != seller))?;
    let own = chain.links.iter().find(|link| link.account == seller);
    let paid = match own {
        Some(link) => sum(Some(link))?,
        // The house pays operators, each that had it; what nobody can convert is not in it.
        None => Micros::new(row.cost.unwrap_or(0)),
    };
    Ok(Some((earned, paid, chain.currency)))
}
