//! CDRs as lines of CSV, or as one JSON object each, in the eyes of who asked.

mod house;
mod money;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::csv::{self, Cell};
use domain::world::world;
use domain::{AccountId, MessageId, Network, OperatorId};
use serde_json::{Map, Value, json};
use store::cdr::{Cdr, Page, Part};
use store::exports::{self, Export};

/// Columns that everybody sees; those of the house alone come behind them.
const COLUMNS: &[&str] = &[
    "message_id",
    "correction",
    "account_id",
    "client_reference",
    "smpp_receipt_id",
    "to",
    "from",
    "mcc_mnc",
    "country",
    "network",
    "traffic_class",
    "template",
    "encoding",
    "segments",
    "accepted_segments",
    "state",
    "code",
    "accepted_at",
    "submitted_at",
    "receipt_at",
    "ended_at",
    "charge_on",
    "unit_price",
    "price",
    "tariff_id",
    "cost",
    "cost_tariff_id",
    "currency",
    "capture_entry_id",
    "submit_entry_id",
    "final_entry_id",
    "refunded_segments",
    "refunded",
    "cost_refunded",
    "refunds",
    "parts",
];
/// Columns of what people wrote: a spreadsheet must not run it.
const WRITTEN: &[&str] = &["client_reference", "from", "code"];

/// A record by its columns.
type Row = Map<String, Value>;

/// In whose eyes CDRs are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer {
    account: AccountId,
    is_house: bool,
}

impl Viewer {
    /// Who asked for the export.
    pub(super) async fn of(tx: &mut store::Connection, export: &Export) -> anyhow::Result<Self> {
        let account = AccountId::from_uuid(export.account_id);
        Ok(Self { account, is_house: exports::is_house(tx, account).await? })
    }

    /// The chunk of a page; the first one of CSV begins with the names of the columns.
    pub(super) fn render(self, export: &Export, page: &Page) -> anyhow::Result<String> {
        let is_csv = export.format == "csv";
        let mut text = String::with_capacity(page.cdrs.len() * 512);
        if is_csv && export.chunks == 0 {
            csv::headings(&mut text, self.columns());
        }
        for cdr in &page.cdrs {
            let row = self.row(cdr, page)?;
            if is_csv {
                let cells: Vec<Cell> = self.columns().map(|column| cell(column, row.get(column))).collect();
                csv::row(&mut text, &cells);
            } else {
                text.push_str(&Value::Object(row).to_string());
                text.push('\n');
            }
        }
        Ok(text)
    }

    fn columns(self) -> impl Iterator<Item = &'static str> {
        let house = if self.is_house { house::COLUMNS } else { &[] };
        COLUMNS.iter().chain(house).copied()
    }

    fn row(self, cdr: &Cdr, page: &Page) -> anyhow::Result<Row> {
        let parts = page.parts.get(&cdr.message_id).map(Vec::as_slice).unwrap_or_default();
        let mut row = message(cdr);
        let mut put = |column: &str, value: Value| drop(row.insert(column.to_owned(), value));
        put("submitted_at", json!(parts.iter().map(|part| part.submitted_at).min().map(time)));
        put("receipt_at", json!(parts.iter().filter_map(|part| part.receipt_at).max().map(time)));
        put("parts", Value::Array(parts.iter().map(|one| self.part(one)).collect()));
        self.money(&mut row, cdr, page);
        self.refunds(&mut row, cdr, page);
        if self.is_house {
            house::put(&mut row, cdr, page)?;
        }
        Ok(row)
    }

    /// A segment. Who carried it is the house's own business.
    fn part(self, part: &Part) -> Value {
        let mut value = json!({
            "hop": part.hop,
            "segment": part.segment,
            "segments": part.segments,
            "smpp_message_id": part.smpp_message_id,
            "submit_status": part.submit_status,
            "submitted_at": time(part.submitted_at),
            "state": part.state,
            "error": part.error,
            "receipt": part.receipt,
            "receipt_at": part.receipt_at.map(time),
            "udh_reference": part.udh_reference,
            "udh_part": part.udh_part,
            "udh_total": part.udh_total,
        });
        if let (true, Some(members)) = (self.is_house, value.as_object_mut()) {
            members.insert("operator_id".to_owned(), json!(OperatorId::from_uuid(part.operator_id)));
        }
        value
    }
}

/// What the record itself says, but for money.
fn message(cdr: &Cdr) -> Row {
    let network: Option<Network> = cdr.mcc_mnc.parse().ok();
    let mut row = Row::new();
    let mut put = |column: &str, value: Value| drop(row.insert(column.to_owned(), value));
    put("message_id", json!(MessageId::from_uuid(cdr.message_id)));
    put("correction", json!(cdr.correction));
    put("account_id", json!(AccountId::from_uuid(cdr.account_id)));
    put("client_reference", json!(cdr.client_reference));
    put("smpp_receipt_id", json!(cdr.receipt_id.map(MessageId::from_uuid)));
    put("to", json!(format!("+{}", cdr.recipient)));
    put("from", json!(cdr.sender));
    put("mcc_mnc", json!(cdr.mcc_mnc));
    put("country", json!(network.and_then(|network| world().country(network.mcc)).map(|country| country.iso)));
    put("network", json!(network.and_then(|network| world().name(network))));
    put("traffic_class", json!(cdr.traffic_class));
    put("template", json!(cdr.template));
    put("encoding", json!(cdr.encoding));
    put("segments", json!(cdr.segments));
    put("accepted_segments", json!(cdr.accepted_segments));
    put("state", json!(cdr.state));
    put("code", json!(cdr.code));
    put("accepted_at", json!(time(cdr.accepted_at)));
    put("ended_at", json!(time(cdr.ended_at)));
    row
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A value in a cell: text as it is, nothing as nothing, and what has an inside as JSON.
fn cell(column: &str, value: Option<&Value>) -> Cell {
    match value {
        None | Some(Value::Null) => Cell::Plain(String::new()),
        Some(Value::String(text)) if WRITTEN.contains(&column) => Cell::Text(text.clone()),
        Some(Value::String(text)) => Cell::Plain(text.clone()),
        Some(Value::Array(list)) if list.is_empty() => Cell::Plain(String::new()),
        Some(other) => Cell::Plain(other.to_string()),
    }
}
