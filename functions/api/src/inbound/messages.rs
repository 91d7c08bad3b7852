//! `/v1/inbound-messages`: what handsets sent.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::Number;
use domain::inbound::{Action, address};
use serde::{Deserialize, Serialize};
use store::inbound::{self, Filter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_inbound)).routes(routes!(get_inbound))
}

/// Which messages from handsets.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this account; else of your own and all below it.
    account_id: Option<String>,
    /// Of this handset.
    from: Option<String>,
    /// To this number or short code.
    to: Option<String>,
    /// Received at this time or later.
    #[serde(rename = "received_at[gte]")]
    since: Option<String>,
    /// Received before this time.
    #[serde(rename = "received_at[lt]")]
    until: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// A message from a handset.
#[derive(Serialize, ToSchema)]
struct InboundMessage {
    /// Its id.
    #[schema(example = "mo_01m835r56ceywr0hvw89c806ve")]
    id: String,
    /// Whose it is; null: no rule claims it, and only the house sees it.
    account_id: Option<String>,
    /// The rule that made it so.
    rule_id: Option<String>,
    /// The handset, in the form of E.164 where it is a number.
    #[schema(example = "+998901234567")]
    from: String,
    /// The number or short code that it wrote to.
    #[schema(example = "4400")]
    to: String,
    /// What it says; where `encoding` is `binary`, two hexadecimal digits per octet. `[...]` stands for missing parts.
    text: String,
    /// `gsm7`, `ucs2` or `binary`.
    encoding: &'static str,
    /// Short messages that it came in.
    parts: u8,
    /// Parts were missing when the time was over.
    partial: bool,
    /// `opt_out` or `opt_in`: what it did besides being delivered.
    action: Option<&'static str>,
    /// When its first part came.
    #[serde(serialize_with = "crate::time::millis")]
    received_at: DateTime<Utc>,
    /// Through which operator. Only the house sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<String>,
}

fn view(row: inbound::InboundMessage, to_house: bool) -> InboundMessage {
    let from = row.from.into_exposed();
    InboundMessage {
        id: row.id.to_string(),
        account_id: row.account.map(|id| id.to_string()),
        rule_id: row.rule.map(|id| id.to_string()),
        from: Number::parse(&from).map(Number::e164).unwrap_or(from),
        to: row.to,
        text: row.text.into_exposed(),
        encoding: row.encoding.name(),
        parts: row.parts,
        partial: row.partial,
        action: row.action.map(Action::name),
        received_at: row.received_at,
        operator_id: to_house.then(|| row.operator.to_string()),
    }
}

/// List messages from handsets, newest first. The house also sees those that no rule claims.
#[utoipa::path(get, path = "/v1/inbound-messages", tag = "messages", params(Filters),
    responses((status = 200, body = List<InboundMessage>), Refusals))]
async fn list_inbound(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<InboundMessage>>, Problem> {
    caller.may(Scope::MessagesRead)?;
    let is_house = caller.is_house().is_ok();
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let filter = Filter {
        unclaimed: is_house,
        account: check.parse_some("/account_id", query.account_id.as_deref()),
        from: query.from.as_deref().map(address),
        to: query.to.as_deref().map(address),
        since: check.time("/received_at[gte]", query.since.as_deref()),
        until: check.time("/received_at[lt]", query.until.as_deref()),
        id: None,
    };
    check.finish()?;
    if let Some(account) = filter.account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    let rows = inbound::list(&api.db, caller.account, &filter, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), |row| view(row, is_house))))
}

/// Read a message from a handset.
#[utoipa::path(get, path = "/v1/inbound-messages/{id}", tag = "messages", params(("id" = String, Path, description = "`mo_…`")),
    responses((status = 200, body = InboundMessage), Refusals))]
async fn get_inbound(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<InboundMessage>, Problem> {
    caller.may(Scope::MessagesRead)?;
    let is_house = caller.is_house().is_ok();
    let row = inbound::get(&api.db, caller.account, path_id(&id)?, is_house).await?;
    row.map(|row| Json(view(row, is_house))).ok_or_else(Problem::not_found)
}
