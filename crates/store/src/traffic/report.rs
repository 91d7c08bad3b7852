//! Reading the counters.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::report::ReceiptTimes;
use domain::{AccountId, Currency, OperatorId};
use sqlx::query;
use uuid::Uuid;

use crate::advance::currency_of;
use crate::{Db, Error};

/// Groups of a report at most.
const ROWS_MAX: usize = 10_000;
/// Rows that are read for them: a group has one for each bucket of receipt times.
const READ_MAX: i64 = 200_000;

/// By what a report is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The day of acceptance, UTC.
    Day,
    /// The account that sent.
    Account,
    /// The country, by its MCC.
    Country,
    /// The network, by MCC and MNC.
    Network,
    /// The operator that had the message last.
    Operator,
    /// The sender.
    Sender,
}

impl Dimension {
    /// Every dimension, in the order of columns.
    pub const ALL: [Self; 6] = [Self::Day, Self::Account, Self::Country, Self::Network, Self::Operator, Self::Sender];

    /// Its name in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Account => "account",
            Self::Country => "country",
            Self::Network => "network",
            Self::Operator => "operator",
            Self::Sender => "sender",
        }
    }
}

/// What a report is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The first day, UTC.
    pub since: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
    /// By what it is divided.
    pub by: Vec<Dimension>,
    /// Of this account and those below it.
    pub account: Option<AccountId>,
    /// Of this country, by its MCC.
    pub country: Option<String>,
    /// Of this network, by MCC and MNC.
    pub network: Option<String>,
    /// By this operator.
    pub operator: Option<OperatorId>,
    /// By this sender.
    pub sender: Option<String>,
}

/// One group of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The day, where it is divided by it; the same for what follows.
    pub day: Option<NaiveDate>,
    /// Who sent.
    pub account: Option<AccountId>,
    /// MCC.
    pub country: Option<String>,
    /// MCC and MNC.
    pub network: Option<String>,
    /// The operator; `None`: none had it.
    pub operator: Option<OperatorId>,
    /// The sender; empty: one of those beyond the bound of a day.
    pub sender: Option<String>,
    /// Of `revenue`.
    pub currency: Currency,
    /// Of `cost`.
    pub cost_currency: Currency,
    /// Messages that ended.
    pub messages: i64,
    /// Their segments.
    pub segments: i64,
    /// Those that an operator accepted.
    pub accepted_segments: i64,
    /// Messages that were delivered.
    pub delivered: i64,
    /// Messages without a receipt.
    pub unconfirmed: i64,
    /// Paid to the viewer, in micros, before refunds.
    pub revenue: i128,
    /// Paid by the viewer, in micros, before refunds.
    pub cost: i128,
    /// Segments that were given back to the accounts right below the viewer; of its own messages, to the viewer.
    pub refunded_segments: i64,
    /// Given back of `revenue`, in micros.
    pub revenue_refunded: i128,
    /// Given back of `cost`, in micros.
    pub cost_refunded: i128,
    /// What `cost` comes to in `currency`, exchanges and all, in micros; `None`: nobody can convert all of it.
    pub converted: Option<i128>,
    /// Times from submit to final receipt.
    pub receipts: ReceiptTimes,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// More groups than a report has.
    #[error("the report has more than {ROWS_MAX} rows")]
    TooLong,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for ReportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

type Key = (Option<NaiveDate>, Option<Uuid>, Option<String>, Option<String>, Option<Uuid>, Option<String>);

/// What `viewer` is paid, pays and has sent, divided as asked. One row has one currency.
///
/// # Errors
/// [`ReportError::TooLong`] above 10,000 rows.
pub async fn report(db: &Db, viewer: AccountId, question: &Question) -> Result<Vec<Row>, ReportError> {
    let by = |dimension| question.by.contains(&dimension);
    let rows = query!(
        r#"
        SELECT CASE WHEN $4 THEN c.day END AS day, CASE WHEN $5 THEN c.account_id END AS account_id,
            CASE WHEN $6 THEN left(c.mcc_mnc, 3) END AS country, CASE WHEN $7 THEN c.mcc_mnc END AS network,
            CASE WHEN $8 THEN c.operator_id END AS operator_id, CASE WHEN $9 THEN c.sender END AS sender,
            c.currency, c.cost_currency, c.receipt_bucket, sum(c.messages)::bigint AS "messages!",
            sum(c.segments)::bigint AS "segments!", sum(c.accepted_segments)::bigint AS "accepted_segments!",
            sum(c.delivered)::bigint AS "delivered!", sum(c.unconfirmed)::bigint AS "unconfirmed!",
            sum(c.revenue_micros)::text AS "revenue!", sum(c.cost_micros)::text AS "cost!",
            sum(c.refunded_segments)::bigint AS "refunded_segments!",
            sum(c.revenue_refunded_micros)::text AS "revenue_refunded!",
            sum(c.cost_refunded_micros)::text AS "cost_refunded!",
            (CASE WHEN c.currency = c.cost_currency THEN sum(c.cost_micros) ELSE 0 END
                + sum(c.exchanged_micros))::text AS "converted!", sum(c.unconverted)::bigint AS "unconverted!"
        FROM traffic_counters c
        WHERE c.viewer_id = $1 AND c.day BETWEEN $2 AND $3
            AND ($10::uuid IS NULL OR c.account_id IN (SELECT id FROM accounts WHERE path @> ARRAY[$10::uuid]))
            AND ($11::text IS NULL OR left(c.mcc_mnc, 3) = $11)
            AND ($12::text IS NULL OR c.mcc_mnc = $12)
            AND ($13::uuid IS NULL OR c.operator_id = $13)
            AND ($14::text IS NULL OR c.sender = $14)
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
        ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
        LIMIT $15
        "#,
        viewer.uuid(),
        question.since,
        question.until,
        by(Dimension::Day),
        by(Dimension::Account),
        by(Dimension::Country),
        by(Dimension::Network),
        by(Dimension::Operator),
        by(Dimension::Sender),
        question.account.map(AccountId::uuid),
        question.country,
        question.network,
        question.operator.map(OperatorId::uuid),
        question.sender,
        READ_MAX + 1
    )
    .fetch_all(&db.pool)
    .await?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) > READ_MAX {
        return Err(ReportError::TooLong);
    }
    let mut groups: BTreeMap<(Key, Currency, Currency), Row> = BTreeMap::new();
    for row in rows {
        let key: Key = (row.day, row.account_id, row.country, row.network, row.operator_id, row.sender);
        let (currency, cost_currency) = (currency_of(&row.currency)?, currency_of(&row.cost_currency)?);
        let group =
            groups.entry((key.clone(), currency, cost_currency)).or_insert_with(|| blank(key, currency, cost_currency));
        group.messages += row.messages;
        group.segments += row.segments;
        group.accepted_segments += row.accepted_segments;
        group.delivered += row.delivered;
        group.unconfirmed += row.unconfirmed;
        group.revenue += whole(&row.revenue)?;
        group.cost += whole(&row.cost)?;
        group.refunded_segments += row.refunded_segments;
        group.revenue_refunded += whole(&row.revenue_refunded)?;
        group.cost_refunded += whole(&row.cost_refunded)?;
        group.converted = group.converted.filter(|_| row.unconverted == 0).zip(Some(whole(&row.converted)?)).map(sum);
        group.receipts.add(row.receipt_bucket, row.messages);
    }
    // A correction can leave a group with nothing in it.
    groups.retain(|_, row| row.messages != 0 || row.revenue != 0 || row.cost != 0 || row.refunded_segments != 0);
    if groups.len() > ROWS_MAX { Err(ReportError::TooLong) } else { Ok(groups.into_values().collect()) }
}

fn sum((one, other): (i128, i128)) -> i128 {
    one + other
}

fn whole(text: &str) -> Result<i128, Error> {
    text.parse().map_err(|_| Error::Corrupt("a sum that is no whole number".into()))
}

fn blank(key: Key, currency: Currency, cost_currency: Currency) -> Row {
    let (day, account, country, network, operator, sender) = key;
    Row {
        day,
        account: account.map(AccountId::from_uuid),
        country,
        network,
        operator: operator.filter(|id| !id.is_nil()).map(OperatorId::from_uuid),
        sender,
        currency,
        cost_currency,
        messages: 0,
        segments: 0,
        accepted_segments: 0,
        delivered: 0,
        unconfirmed: 0,
        revenue: 0,
        cost: 0,
        refunded_segments: 0,
        revenue_refunded: 0,
        cost_refunded: 0,
        converted: Some(0),
        receipts: ReceiptTimes::default(),
    }
}
