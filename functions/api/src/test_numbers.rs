//! `/v1/test-numbers`: numbers of which the truth is known, and what really arrived there. Receipts of operators are
//! held against them. The house only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::{MessageId, Number};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::test_numbers::{self, Kind, TestNumber as Row, TestResult};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::{List, Paging, Query};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(put_test_number))
        .routes(routes!(list_test_numbers))
        .routes(routes!(delete_test_number))
        .routes(routes!(report_test_result))
}

/// A number to test operators with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutTestNumber {
    /// With the country code.
    #[schema(example = "+998931234567")]
    number: String,
    /// `dead`: nobody can reach it, so that a receipt which says delivered is a lie. `truthful`: you tell what arrived
    /// there.
    #[schema(example = "dead")]
    kind: String,
    /// For people.
    note: Option<String>,
}

/// A number to test operators with.
#[derive(Serialize, ToSchema)]
struct TestNumber {
    /// In the form of E.164.
    number: String,
    /// `dead` or `truthful`.
    kind: &'static str,
    /// For people.
    note: String,
    /// The key or user that added it.
    made_by: String,
}

/// What arrived.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReportTestResult {
    /// A message to this number.
    message_id: String,
    /// It arrived on the handset.
    arrived: bool,
}

fn view(row: Row) -> TestNumber {
    TestNumber { number: row.number.e164(), kind: row.kind.name(), note: row.note, made_by: row.made_by }
}

/// Add a test number, or change what is known of it. Messages to it are sent like any other, and cost as much.
#[utoipa::path(post, path = "/v1/test-numbers", tag = "operators", request_body = PutTestNumber,
    responses((status = 201, body = TestNumber), Refusals))]
async fn put_test_number(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<TestNumber>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let body: PutTestNumber = raw.parse()?;
    let mut check = Check::default();
    let number = check.value("/number", Code::InvalidNumber, Number::parse(&body.number));
    let kind = check.value("/kind", Code::InvalidRequest, Kind::parse(&body.kind).ok_or("expected dead or truthful"));
    let note = body.note.unwrap_or_default().trim().to_owned();
    check.that(note.chars().count() <= 1_000, "/note", "expected at most 1000 characters");
    let (number, kind) = check.finish_with(number.zip(kind))?;
    let new = Row { number, kind, note, made_by: caller.actor.to_string() };
    let mut tx = api.db.begin().await?;
    test_numbers::put(&mut tx, &new).await?;
    let detail = json!({"kind": kind.name(), "note": new.note});
    let change = Change { account: caller.account, action: "test_number.put", subject: number.e164(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, Json(view(new))))
}

/// List test numbers, in order of number.
#[utoipa::path(get, path = "/v1/test-numbers", tag = "operators", params(Paging),
    responses((status = 200, body = List<TestNumber>), Refusals))]
async fn list_test_numbers(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<TestNumber>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let page = query.number_page()?;
    let rows = test_numbers::list(&api.db, page.after, page.limit).await?;
    Ok(Json(List::by_number(page, rows, |row| row.number, view)))
}

/// Forget a test number. What it showed stays.
#[utoipa::path(delete, path = "/v1/test-numbers/{number}", tag = "operators",
    params(("number" = String, Path, description = "With the country code")), responses((status = 204), Refusals))]
async fn delete_test_number(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let number = Number::parse(&number).map_err(|_| Problem::not_found())?;
    let mut tx = api.db.begin().await?;
    found(test_numbers::delete(&mut tx, number).await?)?;
    let subject = number.e164();
    let change = Change { account: caller.account, action: "test_number.delete", subject, detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Report whether a message arrived at a truthful test number. What was reported of it before is replaced.
#[utoipa::path(post, path = "/v1/test-numbers/{number}/results", tag = "operators",
    params(("number" = String, Path, description = "With the country code")), request_body = ReportTestResult,
    responses((status = 204, description = "It is stored"), Refusals))]
async fn report_test_result(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(number): Path<String>,
    raw: Raw,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let number = Number::parse(&number).map_err(|_| Problem::not_found())?;
    let body: ReportTestResult = raw.parse()?;
    let mut check = Check::default();
    let message: Option<MessageId> = check.parse("/message_id", &body.message_id);
    let message = check.finish_with(message)?;
    let result = TestResult { number, message, arrived: body.arrived, made_by: caller.actor.to_string() };
    let mut tx = api.db.begin().await?;
    if !test_numbers::report(&mut tx, &result, crate::time::now()).await? {
        let detail = "expected a message to this number, which must be a truthful test number";
        return Err(Problem::field("/message_id", Code::InvalidRequest, detail));
    }
    let detail = json!({"message_id": message, "arrived": body.arrived});
    let change = Change { account: caller.account, action: "test_number.result", subject: number.e164(), detail };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
