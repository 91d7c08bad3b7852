//! `/v1/statement`: every movement of a wallet, opened down to single messages.

mod csv;
mod lookups;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::AccountId;
use serde::{Deserialize, Serialize};
use store::ledger::open::{self, Opened};
use store::ledger::statement::{self, Line, OPERATIONS, Part};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{List, Query, limit_of, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get_statement))
        .routes(routes!(open_line))
        .merge(csv::routes())
        .merge(lookups::routes())
}

/// Which movements.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of the wallet of this account, right below you; of your own when nothing is said. The house reads all.
    account_id: Option<String>,
    /// From this moment on.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
    /// `hold`, `capture`, `release`, `lookup`, `refund`, `top_up`, `transfer`, `adjustment` or `correction`.
    operation: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// One movement of a wallet.
#[derive(Serialize, ToSchema)]
struct StatementLine {
    /// Names the entry of the journal.
    entry_id: String,
    /// Which line of it.
    line: i16,
    /// When.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
    /// `hold`, `capture`, `release`, `lookup`, `refund`, `top_up`, `transfer`, `adjustment` or `correction`.
    operation: String,
    /// By how much the balance changed.
    #[schema(example = "-80.00")]
    amount: String,
    /// By how much what is held changed.
    #[schema(example = "-80.00")]
    held: String,
    /// The balance behind it.
    balance_after: String,
    /// What was held behind it.
    held_after: String,
    /// ISO 4217.
    currency: String,
    /// How many messages it covers.
    messages: i32,
    /// Why, where somebody said so.
    reason: Option<String>,
}

fn view(line: Line) -> StatementLine {
    StatementLine {
        entry_id: line.entry.to_string(),
        line: line.number,
        at: line.at,
        operation: line.operation,
        amount: line.amount.to_string(),
        held: line.held.to_string(),
        balance_after: line.balance_after.to_string(),
        held_after: line.held_after.to_string(),
        currency: line.currency.to_string(),
        messages: line.messages,
        reason: line.reason,
    }
}

/// A page of a statement.
#[derive(Serialize, ToSchema)]
struct Statement {
    /// The movements, newest first.
    data: Vec<StatementLine>,
    /// There are more behind the last one.
    has_more: bool,
    /// Give it as `cursor` to get them.
    next_cursor: Option<String>,
    /// The balance where the time asked for begins: `0.00` where no `from` is given. Whatever page or `operation` is asked
    /// for, all movements of the time lie between this and `closing_balance`. Null: the account has no wallet.
    #[schema(example = "1250.00")]
    opening_balance: Option<String>,
    /// The balance where the time ends: that of now where no `to` is given.
    #[schema(example = "1170.00")]
    closing_balance: Option<String>,
    /// ISO 4217.
    currency: Option<String>,
}

/// Reads what is asked for; the account is one whose prices the caller knows, for a statement tells them.
fn read(api: &Api, caller: &Caller, query: &Filters) -> Result<(AccountId, Part), Problem> {
    let mut check = Check::default();
    let account = named(api, caller, &mut check, query.account_id.as_deref())?;
    let part = Part {
        since: check.time("/from", query.from.as_deref()),
        until: check.time("/to", query.to.as_deref()),
        operation: query.operation.clone(),
        behind: query.cursor.as_deref().and_then(|cursor| {
            let read = cursor_of(cursor).ok_or("expected next_cursor of the page before");
            check.value("/cursor", Code::InvalidRequest, read)
        }),
        below: None,
        lines: limit_of(&mut check, query.limit.as_deref()),
    };
    if part.operation.as_deref().is_some_and(|operation| !OPERATIONS.contains(&operation)) {
        check.refuse("/operation", Code::InvalidRequest, format!("expected one of {}", OPERATIONS.join(", ")));
    }
    let account = check.finish_with(account)?;
    caller.knows_prices(&api.catalogue.get(), account)?;
    Ok((account, part))
}

/// An entry's id and a line's number.
fn cursor_of(text: &str) -> Option<(Uuid, i16)> {
    let (entry, line) = text.split_once('-')?;
    Some((Uuid::try_parse(entry).ok()?, line.parse().ok()?))
}

/// Read the statement of a wallet, newest movement first: holds, captures, releases, look-ups, refunds, top-ups, transfers,
/// adjustments and corrections, each with the balance behind it, and the balances where the time begins and ends.
#[utoipa::path(get, path = "/v1/statement", tag = "money", params(Filters),
    responses((status = 200, body = Statement), Refusals))]
async fn get_statement(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<Statement>, Problem> {
    caller.may(Scope::BalanceRead)?;
    let (account, part) = read(&api, &caller, &query)?;
    let (mut lines, balances) = statement::opened(&api.db, account, &part).await?;
    let has_more = lines.len() > usize::from(part.lines);
    lines.truncate(usize::from(part.lines));
    let next = lines.last().filter(|_| has_more).map(|line| format!("{}-{}", line.entry.simple(), line.number));
    Ok(Json(Statement {
        data: lines.into_iter().map(view).collect(),
        has_more,
        next_cursor: next,
        opening_balance: balances.map(|balances| balances.opening.to_string()),
        closing_balance: balances.map(|balances| balances.closing.to_string()),
        currency: balances.map(|balances| balances.currency.to_string()),
    }))
}

/// Of which wallet, and which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// As this account's wallet sees it; your own when nothing is said.
    account_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// A message behind a line of a statement.
#[derive(Serialize, ToSchema)]
struct StatementMessage {
    /// The message.
    message_id: String,
    /// Who sent it.
    account_id: String,
    /// To whom.
    to: String,
    /// Where it stands now.
    state: &'static str,
    /// Short messages that it takes.
    segments: u8,
    /// Set aside by this entry.
    held: String,
    /// Taken by this entry.
    captured: String,
    /// Set free by this entry, and not taken.
    released: String,
    /// Given back by this entry.
    refunded: String,
    /// When it was accepted.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

fn message(row: &Opened) -> StatementMessage {
    StatementMessage {
        message_id: row.id.to_string(),
        account_id: row.sender.to_string(),
        to: row.to.e164(),
        state: row.state.name(),
        segments: row.segments,
        held: row.held.to_string(),
        captured: row.captured.to_string(),
        released: row.released.to_string(),
        refunded: row.refunded.to_string(),
        created_at: row.created_at,
    }
}

/// Open a line of a statement: the messages that it covers, newest first. Their amounts sum to those of the entry's
/// lines.
#[utoipa::path(get, path = "/v1/statement/{entry}/messages", tag = "money",
    params(("entry" = String, Path, description = "`entry_id` of the line"), Whose),
    responses((status = 200, body = List<StatementMessage>), Refusals))]
async fn open_line(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(entry): Path<String>,
    Query(query): Query<Whose>,
) -> Result<Json<List<StatementMessage>>, Problem> {
    caller.may(Scope::BalanceRead)?;
    caller.may(Scope::MessagesRead)?;
    let entry: Uuid = path_id(&entry)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let account = named(&api, &caller, &mut check, query.account_id.as_deref())?;
    let account = check.finish_with(account)?;
    caller.knows_prices(&api.catalogue.get(), account)?;
    if !statement::has(&api.db, account, entry).await? {
        return Err(Problem::not_found());
    }
    let rows = open::messages(&api.db, account, entry, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), |row| message(&row))))
}
