//! `GET /v1/audit-logs`: who changed what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{AccountId, Role};
use serde::{Deserialize, Serialize};
use store::audit;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{List, Query, page};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_changes))
}

/// Which changes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// To things of this account; your own when nothing is said.
    account_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// One change.
#[derive(Serialize, ToSchema)]
struct AuditLog {
    /// Sorts by time.
    id: String,
    /// Whose thing was changed.
    account_id: String,
    /// Who did it: `usr_…`, `key_…` or `system`.
    actor: String,
    /// For example `operator.update`.
    action: String,
    /// Id of what was changed.
    subject: String,
    /// The new values, without secrets.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
    /// When.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
}

/// List the changes to things of an account, newest first.
#[utoipa::path(get, path = "/v1/audit-logs", tag = "account", params(Filters),
    responses((status = 200, body = List<AuditLog>), Refusals))]
async fn list_changes(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<AuditLog>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let account = named(&api, &caller, &mut check, query.account_id.as_deref())?;
    let account = check.finish_with(account)?;
    let rows = audit::list(&api.db, account, page).await?;
    // What an account sells for is its own business, also when that changed.
    let sells = caller.role == Role::Admin || account == caller.account;
    let buys = caller.knows_prices_of(&api.catalogue.get(), account);
    let is_known = |action: &str| match action.split('.').next() {
        Some("tariff" | "price_list") => sells,
        Some("lookups") => buys,
        _ => true,
    };
    let detail = |row: &audit::Row| {
        let mut detail = row.detail.clone();
        if let (false, Some(members)) = (is_known(&row.action), detail.as_object_mut()) {
            members.retain(|name, _| !name.starts_with("price"));
        }
        detail
    };
    let view = |row: audit::Row| AuditLog {
        id: row.id.simple().to_string(),
        account_id: AccountId::from_uuid(row.account_id).to_string(),
        detail: detail(&row),
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        at: row.at,
    };
    Ok(Json(List::new(page, rows, |row| row.id, view)))
}
