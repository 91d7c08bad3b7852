//! `/v1/statement/{entry}/lookups`: a line of look-ups, opened down to single numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::ledger::open::{self, LookedUp};
use store::ledger::statement;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{List, Query, path_id};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(open_lookups))
}

/// Of which wallet.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// As this account's wallet sees it; your own when nothing is said.
    account_id: Option<String>,
}

/// A look-up behind a line of a statement.
#[derive(Serialize, ToSchema)]
struct StatementLookup {
    /// Which number.
    number: String,
    /// Where it is: MCC and MNC.
    #[schema(example = "43405")]
    mcc_mnc: String,
    /// For whom it was asked.
    account_id: String,
    /// Taken from the wallet for it.
    #[schema(example = "3.00")]
    price: String,
    /// When it was asked.
    #[serde(serialize_with = "crate::time::millis")]
    looked_up_at: DateTime<Utc>,
}

fn view(row: &LookedUp) -> StatementLookup {
    StatementLookup {
        number: row.number.e164(),
        mcc_mnc: row.network.to_string(),
        account_id: row.account.to_string(),
        price: row.price.to_string(),
        looked_up_at: row.at,
    }
}

/// Open a line `lookup` of a statement: the numbers that were looked up, all in one answer. Their prices sum to the line's
/// amount.
#[utoipa::path(get, path = "/v1/statement/{entry}/lookups", tag = "money",
    params(("entry" = String, Path, description = "`entry_id` of the line"), Whose),
    responses((status = 200, body = List<StatementLookup>), Refusals))]
async fn open_lookups(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(entry): Path<String>,
    Query(query): Query<Whose>,
) -> Result<Json<List<StatementLookup>>, Problem> {
    caller.may(Scope::BalanceRead)?;
    caller.may(Scope::MessagesRead)?;
    let entry: Uuid = path_id(&entry)?;
    let mut check = Check::default();
    let account = named(&api, &caller, &mut check, query.account_id.as_deref())?;
    let account = check.finish_with(account)?;
    if !statement::has(&api.db, account, entry).await? {
        return Err(Problem::not_found());
    }
    let rows = open::look_ups(&api.db, account, entry).await?;
    Ok(Json(List { data: rows.iter().map(view).collect(), has_more: false, next_cursor: None }))
}
