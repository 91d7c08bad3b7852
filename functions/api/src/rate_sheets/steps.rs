//! What is done with a sheet: approve, apply, undo, reject. Each as a whole, or not at all.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::rate_sheet::{Held, Line, Refusal, Terms, compare};
use domain::{OperatorId, RateId, SheetId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::Tx;
use store::rate_sheets::apply::{self, Close, NotUndone, Publish};
use store::rate_sheets::{self, Sheet};
use store::users;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::dry_run::{offer, put_row_dates, show as show_line};
use super::rules::{PutRules, TWO};
use super::view::{RateSheet, RateSheetLine};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict};
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(approve_sheet))
        .routes(routes!(apply_sheet))
        .routes(routes!(undo_sheet))
        .routes(routes!(reject_sheet))
}

/// How to apply a sheet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ApplySheet {
    /// Apply the rest where rows are broken or refused; false when nothing is said: then nothing is applied.
    leave_out: Option<bool>,
}

/// Why a sheet is undone or rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EndSheet {
    /// For the record.
    #[schema(example = "the supplier sent a correction")]
    reason: String,
}

/// A locked sheet in a transaction, and who acts on it.
struct Step {
    tx: Tx,
    sheet: Sheet,
    id: SheetId,
    now: DateTime<Utc>,
}

impl Step {
    /// The sheet, which must be in one of these states.
    async fn begin(api: &Api, caller: &Caller, id: &str, states: &[&str]) -> Result<Self, Problem> {
        may(caller)?;
        let id: SheetId = path_id(id)?;
        let mut tx = api.db.begin().await?;
        let sheet = rate_sheets::lock(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
        if !states.contains(&sheet.state.as_str()) {
            let detail = format!("the sheet is {}; this needs one that is {}", sheet.state, states.join(" or "));
            return Err(Problem::new(Code::Conflict, detail));
        }
        Ok(Self { tx, sheet, id, now: crate::time::now() })
    }

    /// Marks it, and makes it durable.
    async fn end(
        mut self,
        api: &Api,
        caller: &Caller,
        state: &'static str,
        detail: Value,
    ) -> Result<Json<RateSheet>, Problem> {
        let reason = detail["reason"].as_str().unwrap_or_default();
        rate_sheets::mark(&mut self.tx, self.id, state, (&caller.actor.to_string(), self.now), reason).await?;
        let action = match state {
            "approved" => "rate_sheet.approve",
            "applied" => "rate_sheet.apply",
            "undone" => "rate_sheet.undo",
            _ => "rate_sheet.reject",
        };
        let change = Change { account: caller.account, action, subject: self.id.to_string(), detail };
        api.commit(self.tx, caller, change).await?;
        super::show(api, self.id).await
    }
}

/// Approve a sheet. Where the rules ask for a second person, who uploaded it may not.
#[utoipa::path(post, path = "/v1/rate-sheets/{id}/approve", tag = "operators",
    params(("id" = String, Path, description = "`sheet_…`")), responses((status = 200, body = RateSheet), Refusals))]
async fn approve_sheet(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<RateSheet>, Problem> {
    let mut step = Step::begin(&api, &caller, &id, &["draft"]).await?;
    if step.sheet.second_person {
        caller.is_person(TWO)?;
        if !users::are_two(&mut step.tx, &step.sheet.uploaded_by, &caller.actor.to_string()).await? {
            let detail = "who uploaded a sheet may not approve it, nor may a log-in that can be the same person's";
            return Err(Problem::new(Code::Forbidden, detail));
        }
    }
    step.end(&api, &caller, "approved", json!({})).await
}

/// Apply a sheet: publish its rates and end those that it closes, all in one transaction.
#[utoipa::path(post, path = "/v1/rate-sheets/{id}/apply", tag = "operators", request_body = ApplySheet,
    params(("id" = String, Path, description = "`sheet_…`")), responses((status = 200, body = RateSheet), Refusals))]
async fn apply_sheet(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<RateSheet>, Problem> {
    may(&caller)?;
    let ApplySheet { leave_out } = raw.parse()?;
    let mut step = Step::begin(&api, &caller, &id, &["draft", "approved"]).await?;
    if step.sheet.second_person && step.sheet.state == "draft" {
        return Err(Problem::new(
            Code::Conflict,
            "the sheet must be approved first, by somebody else than who uploaded it",
        ));
    }
    let lines = changes(&mut step, leave_out.unwrap_or(false)).await?;
    let published: Vec<Publish> = lines.iter().filter(|line| line.publishes()).filter_map(publish).collect();
    let closed: Vec<Close> = lines.iter().filter(|line| line.closes()).filter_map(close).collect();
    let operator = OperatorId::from_uuid(step.sheet.operator_id);
    apply::close(&mut step.tx, step.id, &closed).await?;
    let twice = |error| conflict(error, "operator_rates_do_not_overlap", "a rate of this moment is there already");
    let rules: PutRules = serde_json::from_value(step.sheet.rules.clone()).map_err(Problem::internal)?;
    apply::publish(&mut step.tx, step.id, operator, (&published, rules.charge_on())).await.map_err(twice)?;
    let detail = json!({"operator_id": operator, "published": published.len(), "closed": closed.len(),
        "leave_out": leave_out.unwrap_or(false)});
    step.end(&api, &caller, "applied", detail).await
}

/// Undo a sheet before it is in force: its rates go, and what it ended holds on as before.
#[utoipa::path(post, path = "/v1/rate-sheets/{id}/undo", tag = "operators", request_body = EndSheet,
    params(("id" = String, Path, description = "`sheet_…`")), responses((status = 200, body = RateSheet), Refusals))]
async fn undo_sheet(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<RateSheet>, Problem> {
    may(&caller)?;
    let reason = reason(&raw)?;
    let mut step = Step::begin(&api, &caller, &id, &["applied"]).await?;
    let why = match apply::undo(&mut step.tx, step.id, step.now).await? {
        Ok(()) => return step.end(&api, &caller, "undone", json!({"reason": reason})).await,
        Err(NotUndone::InForce) => "something of this sheet is in force already: publish other rates instead",
        Err(NotUndone::ChangedSince) => "rates of this sheet were changed since: undo what came later first",
    };
    Err(Problem::new(Code::Conflict, why))
}

/// Reject a sheet that is not applied.
#[utoipa::path(post, path = "/v1/rate-sheets/{id}/reject", tag = "operators", request_body = EndSheet,
    params(("id" = String, Path, description = "`sheet_…`")), responses((status = 200, body = RateSheet), Refusals))]
async fn reject_sheet(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<RateSheet>, Problem> {
    may(&caller)?;
    let reason = reason(&raw)?;
    let step = Step::begin(&api, &caller, &id, &["draft", "approved"]).await?;
    step.end(&api, &caller, "rejected", json!({"reason": reason})).await
}

/// These steps are the house's.
fn may(caller: &Caller) -> Result<(), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()
}

fn reason(raw: &Raw) -> Result<String, Problem> {
    let EndSheet { reason } = raw.parse()?;
    let mut check = Check::default();
    check.label("/reason", &reason, 500);
    check.finish()?;
    Ok(reason.trim().to_owned())
}

/// What the sheet changes now. The dry run that a person saw must still be true.
async fn changes(step: &mut Step, leave_out: bool) -> Result<Vec<Line>, Problem> {
    let stored = rate_sheets::all_lines(&mut step.tx, step.id).await?;
    // What a later row of the sheet replaces before it could begin is nobody's mistake.
    let is_bad = |line: &&rate_sheets::Line| match line.kind.as_str() {
        "broken" => true,
        "refused" => line.body["reason"] != Refusal::Superseded.name(),
        _ => false,
    };
    let bad = stored.iter().filter(is_bad).count();
    if bad > 0 && !leave_out {
        let detail = format!("{bad} rows are broken or refused; with leave_out the others are applied");
        return Err(Problem::new(Code::Conflict, detail));
    }
    let shown: Vec<RateSheetLine> = stored
        .into_iter()
        .filter(|line| !matches!(line.kind.as_str(), "broken" | "skipped"))
        .map(|line| serde_json::from_value(line.body).map_err(Problem::internal))
        .collect::<Result<_, _>>()?;
    let offers: Vec<_> = shown.iter().filter_map(offer).collect();
    let rules: PutRules = serde_json::from_value(step.sheet.rules.clone()).map_err(Problem::internal)?;
    let then = Terms {
        received_at: step.sheet.received_at,
        default_from: step.sheet.default_from,
        now: step.sheet.created_at,
        notice_days: rules.notice_days,
        on_short_notice: rules.on_short_notice(),
        is_whole: rules.is_whole,
    };
    let operator = OperatorId::from_uuid(step.sheet.operator_id);
    let held = apply::held(&mut step.tx, operator, then.now).await?;
    let mut again: Vec<RateSheetLine> = compare(&offers, &held, &then).iter().map(show_line).collect();
    put_row_dates(&mut again, &offers);
    let now = compare(&offers, &held, &Terms { now: step.now, ..then });
    let told = |line: &Line| (line.row, line.change, line.refused);
    if !now.iter().map(told).eq(compare(&offers, &held, &then).iter().map(told)) || !is_same(shown, again) {
        return Err(Problem::new(
            Code::Conflict,
            "since the upload the rates of this operator were changed, or a row is replaced by one whose date has come: upload \
             the sheet again",
        ));
    }
    Ok(now)
}

/// Do two dry runs say the same, but for the traffic that they were weighed with?
fn is_same(shown: Vec<RateSheetLine>, again: Vec<RateSheetLine>) -> bool {
    let plain = |line: RateSheetLine| serde_json::to_value(RateSheetLine { impact: None, ..line }).ok();
    shown.into_iter().map(plain).eq(again.into_iter().map(plain))
}

fn publish(line: &Line) -> Option<Publish> {
    let (price, currency) = line.new?;
    let (network, traffic_class, from, to) = (line.network, line.traffic_class, line.from, line.to);
    let rate = Held { id: RateId::generate(), network, traffic_class, price, currency, from, to };
    Some(Publish { row: line.row, rate })
}

fn close(line: &Line) -> Option<Close> {
    Some(Close { rate: line.old?.0?, at: line.from })
}
