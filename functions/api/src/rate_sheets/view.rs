//! Sheets and their lines as the API shows them.

use chrono::{DateTime, Utc};
use domain::{OperatorId, SheetId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rate_sheets::Sheet;
use utoipa::ToSchema;

/// The kinds of lines.
pub(super) const KINDS: [&str; 9] =
    ["new", "up", "down", "currency", "unchanged", "closed", "refused", "broken", "skipped"];

/// A supplier's rate sheet.
#[derive(Serialize, ToSchema)]
pub(super) struct RateSheet {
    /// Its id.
    #[schema(example = "sheet_01k2v7p0w3c4b8e9s6m1f5h7ja")]
    id: String,
    /// Whose rates it lists.
    operator_id: String,
    /// `draft`, `approved`, `applied`, `undone` or `rejected`.
    state: String,
    /// The name of the file.
    name: String,
    /// `csv` or `xlsx`.
    format: String,
    /// SHA-256 of the file, in hex.
    sha256: String,
    /// Mapping and terms that it was read by: those that held when it came.
    #[schema(value_type = Object)]
    rules: Value,
    /// When the supplier's message came; notice is counted from here.
    #[serde(serialize_with = "crate::time::millis")]
    received_at: DateTime<Utc>,
    /// Rows with anything in them, below the headings.
    rows: i32,
    /// What it changes.
    #[schema(value_type = RateSheetSummary)]
    summary: Value,
    /// Who: `usr_…` or `key_…`.
    uploaded_by: String,
    /// Who.
    approved_by: Option<String>,
    /// When.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    approved_at: Option<DateTime<Utc>>,
    /// Who.
    applied_by: Option<String>,
    /// When.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    applied_at: Option<DateTime<Utc>>,
    /// Who undid or rejected it.
    ended_by: Option<String>,
    /// When.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    ended_at: Option<DateTime<Utc>>,
    /// Why it was undone or rejected.
    reason: String,
    /// When it was uploaded.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

impl RateSheet {
    pub(super) fn of(sheet: Sheet) -> Self {
        Self {
            id: SheetId::from_uuid(sheet.id).to_string(),
            operator_id: OperatorId::from_uuid(sheet.operator_id).to_string(),
            state: sheet.state,
            name: sheet.name,
            format: sheet.format,
            sha256: crate::hex(&sheet.sha256),
            rules: sheet.rules,
            received_at: sheet.received_at,
            rows: sheet.rows_read,
            summary: sheet.summary,
            uploaded_by: sheet.uploaded_by,
            approved_by: sheet.approved_by,
            approved_at: sheet.approved_at,
            applied_by: sheet.applied_by,
            applied_at: sheet.applied_at,
            ended_by: sheet.ended_by,
            ended_at: sheet.ended_at,
            reason: sheet.reason,
            created_at: sheet.created_at,
        }
    }
}

/// How many lines there are of each kind, and what the sheet does to last week's traffic.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(super) struct RateSheetSummary {
    /// Networks without a rate before.
    pub(super) new: usize,
    /// Dearer.
    pub(super) up: usize,
    /// Cheaper.
    pub(super) down: usize,
    /// In another currency.
    pub(super) currency: usize,
    /// The same; nothing is published.
    pub(super) unchanged: usize,
    /// Rates that end.
    pub(super) closed: usize,
    /// Rows that can be read and are not applied; each says why.
    pub(super) refused: usize,
    /// Faults of rows that cannot be read.
    pub(super) broken: usize,
    /// Rows that are no rates and need not be: duplicates, sums, headings, notes.
    pub(super) skipped: usize,
    /// The sheet should close what it does not list, but has broken rows: nobody knows what they list, so nothing is closed.
    pub(super) closings_withheld: bool,
    /// What all changes together do to the traffic of the last seven days, by currency of the cost.
    #[schema(inline)]
    pub(super) impact: Vec<TotalImpact>,
}

/// What all changes in one currency do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct TotalImpact {
    /// ISO 4217.
    pub(super) currency: String,
    /// Segments that the changes are about.
    pub(super) segments: i64,
    /// What they cost before.
    pub(super) old_cost: String,
    /// What they cost then.
    pub(super) new_cost: String,
    /// The one less the other: what a week costs more.
    pub(super) difference: String,
}

/// What one row changes, or what is wrong with it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(super) struct RateSheetLine {
    /// The row, as a spreadsheet or an editor numbers it; null: the sheet does not list the network, or has no row for this moment: a
    /// whole sheet says its prices again where a stored rate of later would begin.
    pub(super) row: Option<u32>,
    /// `new`, `up`, `down`, `currency`, `unchanged`, `closed`, `refused`, `broken` or `skipped`.
    pub(super) kind: String,
    /// Mobile country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mcc: Option<String>,
    /// Mobile network code; absent: the default of the country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mnc: Option<String>,
    /// What the supplier calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// For this class of traffic only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) traffic_class: Option<String>,
    /// Of a refused row: what it would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) change: Option<String>,
    /// Why a row is refused (`short_notice`, `same_moment`, `over`, `superseded`) or broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Of a broken row: its column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<String>,
    /// Of a broken row: what stands in the cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cell: Option<String>,
    /// Of a broken row: what else is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
    /// The price of a segment that holds at that moment otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old_price: Option<String>,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old_currency: Option<String>,
    /// Its rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old_rate_id: Option<String>,
    /// The price of a segment in the sheet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<String>,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) currency: Option<String>,
    /// The sheet has more than six digits behind the point, and the mapping says how to round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_rounded: Option<bool>,
    /// From when the change holds; of a closing: when the rate ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effective_from: Option<DateTime<Utc>>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effective_to: Option<DateTime<Utc>>,
    /// What the sheet says, where the rule of notice or the clock moved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) moved_from: Option<DateTime<Utc>>,
    /// The date in the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) row_effective: Option<DateTime<Utc>>,
    /// The cease date in the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) row_cease: Option<DateTime<Utc>>,
    /// What it does to the traffic of the last seven days; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub(super) impact: Option<LineImpact>,
}

/// What one change does to the traffic of a week that the operator carried.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct LineImpact {
    /// Segments.
    pub(super) segments: i64,
    /// What the house earned for them, by currency.
    #[schema(value_type = Object, additional_properties)]
    pub(super) earned: std::collections::BTreeMap<String, String>,
    /// What they cost before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old_cost: Option<String>,
    /// What they cost then; absent: the operator has no rate for them any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new_cost: Option<String>,
    /// Earned less cost before; absent where the currencies differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old_margin: Option<String>,
    /// Earned less cost then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new_margin: Option<String>,
}
