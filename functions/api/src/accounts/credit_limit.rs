//! `PUT /v1/accounts/{id}/credit-limit`: how far below zero the account right below one's own may go.
//!
//! Credit is the risk of who sells to the account. A message of it is held in the wallet of every account above as well,
//! each at its own price, so nobody further up lends anything; and credit does not become money in another wallet, since
//! money moves up only as far as it is the giver's own ([`store::ledger::transfer_own`]).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::{AccountId, Role};
use serde::Deserialize;
use serde_json::json;
use store::accounts;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Account, show};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict};
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(set_credit_limit))
}

/// A limit to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetCreditLimit {
    /// How far below zero the balance may go, in the account's currency; `0`: prepaid.
    #[schema(example = "500.00")]
    amount: String,
}

/// Set how far below zero the balance of an account may go.
///
/// A reseller does so for accounts right below it, the house for all. The account's messages are held in the wallets of all
/// above it, too, whatever its limit is. Not less than the account uses already.
#[utoipa::path(put, path = "/v1/accounts/{id}/credit-limit", tag = "accounts", request_body = SetCreditLimit,
    params(("id" = String, Path, description = "`acc_…`")), responses((status = 200, body = Account), Refusals))]
async fn set_credit_limit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<Account>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let id: AccountId = path_id(&id)?;
    let catalogue = api.catalogue.get();
    caller.sees(&catalogue, id)?;
    let seller = catalogue.accounts.get(&id).and_then(|account| account.parent);
    if caller.role != Role::Admin && seller != Some(caller.account) {
        return Err(Problem::new(Code::Forbidden, "it is the account right above that gives it credit, or the house"));
    }
    drop(catalogue);
    let SetCreditLimit { amount } = raw.parse()?;
    let mut check = Check::default();
    let limit = check.limit("/amount", &amount);
    let limit = check.finish_with(limit)?;
    let mut tx = api.db.begin().await?;
    let short = "the balance and its holds need the credit limit that is there";
    let set = accounts::set_credit_limit(&mut tx, id, limit).await;
    set.map_err(|error| conflict(error, "balance_covers_holds", short))?;
    let detail = json!({"credit_limit": limit});
    let change = Change { account: id, action: "account.credit_limit", subject: id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    show(&api, &caller, id).await
}
