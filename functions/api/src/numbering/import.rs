//! `POST /v1/prefixes/import` and `POST /v1/number-overrides/import`: many lines of CSV, all or none. They are in force when
//! they are answered, and within seconds in every process.

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use domain::{Network, Number, PrefixId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::overrides::{self, Change as Said, Override};
use store::prefixes::{self, NewPrefix};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::sheet::{self, Csv, Form, Row};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::change::Change;
use crate::check::Check;
use crate::list::Query;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// Bytes of one sheet at most.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Lines of one sheet at most; `chappe numbers import` sends larger files in parts.
const LINES_MAX: usize = 100_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(import_prefixes))
        .routes(routes!(import_overrides))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// How a sheet is taken.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct How {
    /// `true`: only say what is wrong; nothing is stored.
    dry_run: Option<String>,
    /// The number of the sheet's first line in the file that it is a part of; errors count from it.
    first_line: Option<String>,
}

impl How {
    fn read(&self, columns: &'static [&'static str], required: usize) -> Result<(bool, Form), Problem> {
        let mut check = Check::default();
        let dry_run: Option<bool> = check.parse_some("/dry_run", self.dry_run.as_deref());
        let first_line: Option<u32> = check.parse_some("/first_line", self.first_line.as_deref());
        check.finish()?;
        let first_line = u64::from(first_line.unwrap_or(1).max(1));
        Ok((dry_run.unwrap_or(false), Form { columns, required, rows_max: LINES_MAX, first_line }))
    }
}

/// What became of a sheet.
#[derive(Serialize, ToSchema)]
struct Imported {
    /// Lines that were stored, or would have been.
    lines: usize,
    /// Nothing was stored, as was asked for.
    dry_run: bool,
}

/// Import prefixes from CSV.
///
/// Columns: `prefix`, `mcc`, and where it is known `mnc` and `operator_name`. One that exists is led anew. All lines are
/// stored, or none.
#[utoipa::path(post, path = "/v1/prefixes/import", tag = "numbering", params(How),
    request_body(content = String, content_type = "text/csv", example = "prefix,mcc,mnc,operator_name\n99893,434,05,Ucell\n"),
    responses((status = 200, body = Imported), Refusals))]
async fn import_prefixes(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(how): Query<How>,
    Csv(body): Csv,
) -> Result<Json<Imported>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let (dry_run, form) = how.read(&["prefix", "mcc", "mnc", "operator_name"], 2)?;
    let new = sheet::read(&body?, &form, prefix)?;
    if !dry_run {
        let mut tx = api.db.begin().await?;
        prefixes::put(&mut tx, &new).await?;
        api.commit(tx, &caller, change(&caller, "prefix.import", new.len())).await?;
    }
    Ok(Json(Imported { lines: new.len(), dry_run }))
}

/// For the audit log: how many lines were stored.
fn change(caller: &Caller, action: &'static str, lines: usize) -> Change {
    Change { account: caller.account, action, subject: "import".to_owned(), detail: json!({"lines": lines}) }
}

fn prefix(check: &mut Check, row: &Row<'_>) -> Option<(String, NewPrefix)> {
    let prefix = row.get("prefix").unwrap_or_default().to_owned();
    let good =
        (1..=15).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit()) && !prefix.starts_with('0');
    check.that(good, &row.pointer("prefix"), "expected 1 to 15 digits that do not begin with 0");
    let network = network(check, row);
    let operator_name = row.get("operator_name").unwrap_or_default().to_owned();
    if !operator_name.is_empty() {
        check.label(&row.pointer("operator_name"), &operator_name, 100);
    }
    let network = network.filter(|_| good)?;
    Some((prefix.clone(), NewPrefix { id: PrefixId::generate(), prefix, network, operator_name }))
}

fn network(check: &mut Check, row: &Row<'_>) -> Option<Network> {
    check.network(&row.at, row.get("mcc").unwrap_or_default(), row.get("mnc"))
}

/// Import numbers that moved from CSV.
///
/// Columns: `number`, `mcc`, and where it is known `mnc`, `source` (`import` when nothing is said) and `expires_at`. A line
/// whose `mcc` and `mnc` are empty forgets the number: its prefix decides again. All lines are stored, or none.
#[utoipa::path(post, path = "/v1/number-overrides/import", tag = "numbering", params(How),
    request_body(content = String, content_type = "text/csv", example = "number,mcc,mnc\n998931234567,434,04\n998931234568,,\n"),
    responses((status = 200, body = Imported), Refusals))]
async fn import_overrides(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(how): Query<How>,
    Csv(body): Csv,
) -> Result<Json<Imported>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let (dry_run, form) = how.read(&["number", "mcc", "mnc", "source", "expires_at"], 2)?;
    let said = sheet::read(&body?, &form, moved)?;
    if !dry_run {
        let mut tx = api.db.begin().await?;
        overrides::change(&mut tx, &said).await?;
        api.commit(tx, &caller, change(&caller, "number_override.import", said.len())).await?;
    }
    Ok(Json(Imported { lines: said.len(), dry_run }))
}

fn moved(check: &mut Check, row: &Row<'_>) -> Option<(Number, Said)> {
    let number = Number::parse(row.get("number").unwrap_or_default());
    let number = check.value(&row.pointer("number"), Code::InvalidNumber, number);
    if row.get("mcc").is_none() && row.get("mnc").is_none() {
        return number.map(|number| (number, Said::Forget(number)));
    }
    let network = network(check, row);
    let source = row.get("source").unwrap_or("import").to_owned();
    check.label(&row.pointer("source"), &source, 100);
    let before = check.len();
    let expires_at = check.time(&row.pointer("expires_at"), row.get("expires_at"));
    let (number, network) = number.zip(network).filter(|_| check.len() == before)?;
    Some((number, Said::Put(Override { number, network, source, expires_at })))
}
