//! A report as JSON and CSV, by who looks at it.

use axum::response::Response;
use chrono::NaiveDate;
use domain::money::decimal;
use domain::report::share;
use domain::{Currency, Role};
use serde::Serialize;
use store::traffic::{Dimension, Question, Row};
use utoipa::ToSchema;

use crate::csv::{self, Cell};

/// What was sent, divided as asked.
#[derive(Serialize, ToSchema)]
#[schema(as = TrafficReport)]
pub(super) struct Report {
    /// The first day, UTC.
    from: NaiveDate,
    /// The last day.
    to: NaiveDate,
    /// By what it is divided.
    by: Vec<&'static str>,
    /// One for each group and currency.
    rows: Vec<Group>,
}

/// One group. What the report is not divided by is null.
#[derive(Serialize, ToSchema)]
#[schema(as = TrafficGroup)]
struct Group {
    /// The day of acceptance, UTC.
    day: Option<NaiveDate>,
    /// Who sent.
    account_id: Option<String>,
    /// MCC.
    country: Option<String>,
    /// MCC and MNC.
    network: Option<String>,
    /// Who had the messages last; null also where nobody had them.
    operator_id: Option<String>,
    /// The sender; empty: all senders together beyond 200 of one account and day.
    sender: Option<String>,
    /// Messages that ended.
    messages: i64,
    /// Short messages that they took.
    segments: i64,
    /// Short messages that operators accepted.
    accepted_segments: i64,
    /// Messages that were delivered.
    delivered: i64,
    /// Messages without a final receipt in time.
    unconfirmed: i64,
    /// Messages that ended otherwise.
    failed: i64,
    /// `delivered` of `messages`, with four digits; null where there are none.
    #[schema(example = "0.9731")]
    delivery_rate: Option<String>,
    /// Segments that were refunded to those right below you; to you, for messages of your own.
    refunded_segments: i64,
    /// What those right below you paid, before refunds; null for a client, which has none below it.
    revenue_gross: Option<Amount>,
    /// What was refunded to those right below you; null for a client.
    refunded: Option<Amount>,
    /// `revenue_gross` less `refunded`; null for a client.
    revenue_net: Option<Amount>,
    /// What you paid, before refunds: the house its operators, others the account above them.
    cost_gross: Amount,
    /// What was refunded to you; operators refund nothing.
    cost_refunded: Amount,
    /// `cost_gross` less `cost_refunded`.
    cost_net: Amount,
    /// What `cost_net` comes to in the currency of the revenue, by the exchange rates of each message and with their
    /// spreads; null for a client, and where there was no exchange rate.
    cost_converted: Option<Amount>,
    /// `revenue_net` less `cost_converted`; null where one of them is.
    margin: Option<Amount>,
    /// Half of the final receipts came within this time behind the submit, in milliseconds, rounded up to a step.
    receipt_p50_ms: Option<u32>,
    /// 95 of 100 came within this time.
    receipt_p95_ms: Option<u32>,
}

/// A sum of money.
#[derive(Serialize, ToSchema)]
#[schema(as = TrafficAmount)]
struct Amount {
    /// A decimal.
    #[schema(example = "1250.50")]
    total: String,
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
}

impl Amount {
    fn new(micros: i128, currency: Currency) -> Self {
        Self { total: decimal(micros), currency: currency.to_string() }
    }
}

impl Group {
    fn of(row: &Row, role: Role) -> Self {
        let has_customers = role != Role::Client;
        let (revenue_net, cost_net) = (row.revenue - row.revenue_refunded, row.cost - row.cost_refunded);
        let converted = row.converted.map(|cost| cost - row.cost_refunded).filter(|_| has_customers);
        let earned = |micros| has_customers.then(|| Amount::new(micros, row.currency));
        let paid = |micros| Amount::new(micros, row.cost_currency);
        Self {
            day: row.day,
            account_id: row.account.map(|id| id.to_string()),
            country: row.country.clone(),
            network: row.network.clone(),
            operator_id: row.operator.map(|id| id.to_string()),
            sender: row.sender.clone(),
            messages: row.messages,
            segments: row.segments,
            accepted_segments: row.accepted_segments,
            delivered: row.delivered,
            unconfirmed: row.unconfirmed,
            failed: row.messages - row.delivered - row.unconfirmed,
            delivery_rate: share(row.delivered, row.messages),
            refunded_segments: row.refunded_segments,
            revenue_gross: earned(row.revenue),
            refunded: earned(row.revenue_refunded),
            revenue_net: earned(revenue_net),
            cost_gross: paid(row.cost),
            cost_refunded: paid(row.cost_refunded),
            cost_net: paid(cost_net),
            cost_converted: converted.map(|cost| Amount::new(cost, row.currency)),
            margin: converted.map(|cost| Amount::new(revenue_net - cost, row.currency)),
            receipt_p50_ms: row.receipts.percentile_ms(50),
            receipt_p95_ms: row.receipts.percentile_ms(95),
        }
    }

    /// The columns of money, from `revenue_gross` to `margin`.
    fn money(&self) -> Vec<Cell> {
        let total = |amount: Option<&Amount>| Cell::plain(amount.map(|amount| amount.total.clone()));
        vec![
            total(self.revenue_gross.as_ref()),
            total(self.refunded.as_ref()),
            total(self.revenue_net.as_ref()),
            Cell::plain(self.revenue_gross.as_ref().map(|amount| amount.currency.clone())),
            total(Some(&self.cost_gross)),
            total(Some(&self.cost_refunded)),
            total(Some(&self.cost_net)),
            Cell::plain(Some(&self.cost_gross.currency)),
            total(self.cost_converted.as_ref()),
            total(self.margin.as_ref()),
        ]
    }

    fn cell(&self, dimension: Dimension) -> Cell {
        match dimension {
            Dimension::Day => Cell::plain(self.day),
            Dimension::Account => Cell::plain(self.account_id.as_deref()),
            Dimension::Country => Cell::plain(self.country.as_deref()),
            Dimension::Network => Cell::plain(self.network.as_deref()),
            Dimension::Operator => Cell::plain(self.operator_id.as_deref()),
            Dimension::Sender => Cell::text(self.sender.as_deref()),
        }
    }
}

impl Report {
    pub(super) fn of(question: &Question, rows: &[Row], role: Role) -> Self {
        Self {
            from: question.since,
            to: question.until,
            by: question.by.iter().map(|dimension| dimension.name()).collect(),
            rows: rows.iter().map(|row| Group::of(row, role)).collect(),
        }
    }

    pub(super) fn into_csv(self, question: &Question) -> Response {
        let mut headings: Vec<&str> = self.by;
        headings.extend([
            "messages",
            "segments",
            "accepted_segments",
            "delivered",
            "unconfirmed",
            "failed",
            "delivery_rate",
            "refunded_segments",
            "revenue_gross",
            "refunded",
            "revenue_net",
            "revenue_currency",
            "cost_gross",
            "cost_refunded",
            "cost_net",
            "cost_currency",
            "cost_converted",
            "margin",
            "receipt_p50_ms",
            "receipt_p95_ms",
        ]);
        let cells = |group: &Group| {
            let mut cells: Vec<Cell> = question.by.iter().map(|dimension| group.cell(*dimension)).collect();
            for count in [
                group.messages,
                group.segments,
                group.accepted_segments,
                group.delivered,
                group.unconfirmed,
                group.failed,
            ] {
                cells.push(Cell::plain(Some(count)));
            }
            cells.push(Cell::plain(group.delivery_rate.as_deref()));
            cells.push(Cell::plain(Some(group.refunded_segments)));
            cells.extend(group.money());
            cells.push(Cell::plain(group.receipt_p50_ms));
            cells.push(Cell::plain(group.receipt_p95_ms));
            cells
        };
        let rows: Vec<Vec<Cell>> = self.rows.iter().map(cells).collect();
        csv::answer(&format!("traffic-{}-{}", self.from, self.to), &headings, &rows)
    }
}
