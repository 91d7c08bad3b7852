//! `GET /v1/statement.csv`: a statement for a spreadsheet (RFC 4180), read and sent page by page.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use domain::csv::{Cell, row};
use domain::{AccountId, Currency, Micros};
use futures_util::{StreamExt as _, stream};
use http::header;
use store::ledger::statement::{self, Balances, Line, Part};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Filters, read};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::list::Query;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// Lines of one look into the database.
const PAGE_LINES: u16 = 1000;
/// The heading.
const HEADING: &str = "entry_id,line,at,operation,amount,held,balance_after,held_after,currency,messages,reason\r\n";
/// Among lines of this age no entry comes any more: balances need not be counted from the wallet again.
const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(20);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(export_statement))
}

/// Export the statement of a wallet as CSV, newest movement first. Before the first movement stands a row `closing_balance`,
/// behind the last one a row `opening_balance`, both in the column `balance_after`: a file without its last row is not whole.
/// More than a million movements are refused with `/from`: ask for a shorter time. `cursor` and `limit` are not looked at.
#[utoipa::path(get, path = "/v1/statement.csv", tag = "money", params(Filters),
    responses((status = 200, body = String, content_type = "text/csv"), Refusals))]
async fn export_statement(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Response, Problem> {
    caller.may(Scope::BalanceRead)?;
    let (account, part) = read(&api, &caller, &query)?;
    let part = Part { behind: None, lines: PAGE_LINES, ..part };
    let most = api.settings.statement_lines_max;
    if statement::count(&api.db, account, &part, most).await? > most {
        let detail =
            format!("the statement has more than {most} lines: ask for a shorter time, one file after the other");
        return Err(Problem::field("/from", Code::InvalidRequest, detail));
    }
    // What fails at once is told as a problem; later the answer can only break off.
    let (first, balances) = statement::opened(&api.db, account, &part).await?;
    let (now, until, since) = (crate::time::now(), part.until, part.since);
    let mut head = HEADING.to_owned();
    let mut foot = String::new();
    if let Some(Balances { opening, closing, currency }) = balances {
        balance(&mut head, ("closing_balance", Some(until.map_or(now, |until| until.min(now)))), closing, currency);
        balance(&mut foot, ("opening_balance", since), opening, currency);
    }
    let begun = Export { api, account, part, page: Some(first), sent: 0 };
    let pages = stream::try_unfold(begun, async |export| export.next().await);
    let one = |text: String| stream::once(async { anyhow::Ok(Bytes::from(text)) });
    let body = Body::from_stream(one(head).chain(pages).chain(one(foot)));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"statement.csv\""),
    ];
    Ok((headers, body).into_response())
}

/// An export under way.
struct Export {
    api: Arc<Api>,
    account: AccountId,
    part: Part,
    /// Read and not sent.
    page: Option<Vec<Line>>,
    /// Lines that are sent.
    sent: u32,
}

impl Export {
    async fn next(mut self) -> anyhow::Result<Option<(Bytes, Self)>> {
        let Some(mut lines) = self.page.take() else { return Ok(None) };
        let has_more = lines.len() > usize::from(PAGE_LINES);
        lines.truncate(usize::from(PAGE_LINES));
        let mut text = String::new();
        for line in &lines {
            write(&mut text, line);
        }
        self.sent += u32::try_from(lines.len())?;
        // Lines that came since they were counted stand before the first page. Whatever it is: no file may end as if it were whole.
        anyhow::ensure!(self.sent <= self.api.settings.statement_lines_max, "the statement has grown too long");
        if let Some(last) = lines.last().filter(|_| has_more) {
            self.part.behind = Some((last.entry, last.number));
            self.part.below = below(last, Utc::now()).filter(|_| self.part.operation.is_none());
            self.page = Some(statement::lines(&self.api.db, self.account, &self.part).await?);
        }
        Ok(Some((Bytes::from(text), self)))
    }
}

/// Balance and hold below `line`, where nothing can come between any more.
fn below(line: &Line, now: DateTime<Utc>) -> Option<(Micros, Micros)> {
    let before = |after: Micros, by: Micros| Micros::new(after.get() - by.get());
    let settled = line.at < now - SETTLED_AFTER;
    settled.then(|| (before(line.balance_after, line.amount), before(line.held_after, line.held)))
}

/// A row that says what the wallet had at a moment; without one, before all movements.
fn balance(out: &mut String, (name, at): (&str, Option<DateTime<Utc>>), balance: Micros, currency: Currency) {
    let at = at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    let nothing = || Cell::plain(None::<&str>);
    row(
        out,
        &[
            nothing(),
            nothing(),
            Cell::plain(at),
            Cell::plain(Some(name)),
            nothing(),
            nothing(),
            Cell::plain(Some(balance)),
            nothing(),
            Cell::plain(Some(currency)),
            nothing(),
            nothing(),
        ],
    );
}

fn write(out: &mut String, line: &Line) {
    let Line { entry, number, at, operation, amount, held, balance_after, held_after, currency, messages, reason } =
        line;
    row(
        out,
        &[
            Cell::plain(Some(entry)),
            Cell::plain(Some(number)),
            Cell::plain(Some(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))),
            Cell::plain(Some(operation)),
            Cell::plain(Some(amount)),
            Cell::plain(Some(held)),
            Cell::plain(Some(balance_after)),
            Cell::plain(Some(held_after)),
            Cell::plain(Some(currency)),
            Cell::plain(Some(messages)),
            Cell::text(reason.as_deref()),
        ],
    );
}
