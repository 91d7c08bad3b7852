//! `/v1/number-overrides`: numbers that moved to another network. They go before every prefix.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::Number;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::overrides::{self, Change as Said, Override};
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

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(put_override)).routes(routes!(list_overrides)).routes(routes!(delete_override))
}

/// A number and where it is now.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutOverride {
    /// With the country code.
    #[schema(example = "+998931234567")]
    number: String,
    /// Mobile country code.
    #[schema(example = "434")]
    mcc: String,
    /// Mobile network code.
    #[schema(example = "04")]
    mnc: Option<String>,
    /// Who says so; `manual` when nothing is said.
    #[schema(example = "portability")]
    source: Option<String>,
    /// Not used after this; for ever when nothing is said.
    expires_at: Option<String>,
}

/// A number that moved.
#[derive(Serialize, ToSchema)]
struct NumberOverride {
    /// In the form of E.164.
    number: String,
    /// Mobile country code.
    mcc: String,
    /// Mobile network code.
    mnc: Option<String>,
    /// Who says so.
    source: String,
    /// Not used after this.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<DateTime<Utc>>,
}

fn view(row: Override) -> NumberOverride {
    NumberOverride {
        number: row.number.e164(),
        mcc: row.network.mcc.to_string(),
        mnc: row.network.mnc.map(|mnc| mnc.to_string()),
        source: row.source,
        expires_at: row.expires_at,
    }
}

/// Say where a number is now. What was said of it before is replaced.
#[utoipa::path(post, path = "/v1/number-overrides", tag = "numbering", request_body = PutOverride,
    responses((status = 201, body = NumberOverride), Refusals))]
async fn put_override(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<NumberOverride>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let body: PutOverride = raw.parse()?;
    let mut check = Check::default();
    let number = check.value("/number", Code::InvalidNumber, Number::parse(&body.number));
    let network = check.network("", &body.mcc, body.mnc.as_deref());
    let source = body.source.unwrap_or_else(|| "manual".to_owned());
    check.label("/source", &source, 100);
    let expires_at = check.time("/expires_at", body.expires_at.as_deref());
    let (number, network) = check.finish_with(number.zip(network))?;
    let new = Override { number, network, source, expires_at };
    let mut tx = api.db.begin().await?;
    overrides::change(&mut tx, &[Said::Put(new.clone())]).await?;
    let detail = json!({"mcc_mnc": new.network, "source": new.source});
    let change = Change { account: caller.account, action: "number_override.put", subject: number.e164(), detail };
    api.commit(tx, &caller, change).await?;
    Ok((StatusCode::CREATED, Json(view(new))))
}

/// List overrides, in order of number.
#[utoipa::path(get, path = "/v1/number-overrides", tag = "numbering", params(Paging),
    responses((status = 200, body = List<NumberOverride>), Refusals))]
async fn list_overrides(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<NumberOverride>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let page = query.number_page()?;
    let rows = overrides::list(&api.db, page.after, page.limit).await?;
    Ok(Json(List::by_number(page, rows, |row| row.number, view)))
}

/// Forget an override: the prefix decides again.
#[utoipa::path(delete, path = "/v1/number-overrides/{number}", tag = "numbering",
    params(("number" = String, Path, description = "With the country code")), responses((status = 204), Refusals))]
async fn delete_override(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let number = Number::parse(&number).map_err(|_| Problem::not_found())?;
    let mut tx = api.db.begin().await?;
    found(overrides::forget(&mut tx, number).await?)?;
    let change =
        Change { account: caller.account, action: "number_override.delete", subject: number.e164(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
