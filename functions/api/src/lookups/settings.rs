//! `/v1/accounts/{id}/lookups`: for whom numbers are looked up, and at what price; who is asked is in `providers`.

mod providers;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::lookup::{Policy, Terms};
use domain::{AccountId, Micros};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::lookups;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(get_terms)).routes(routes!(put_terms)).merge(providers::routes())
}

/// What is looked up for an account.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LookupTerms {
    /// `never`, `cached` or `always`; null: that of the account above, and `never` where nobody says anything.
    #[schema(example = "always")]
    policy: Option<String>,
    /// What the account pays its seller for a look-up that a provider answers; zero: the seller absorbs it.
    #[schema(example = "0.01")]
    price: Option<String>,
}

/// What is looked up for an account, and what follows from it.
#[derive(Serialize, ToSchema)]
struct AccountLookups {
    /// As it was agreed; null: that of the account above.
    policy: Option<&'static str>,
    /// The policy that is in force.
    in_force: &'static str,
    /// What the account pays its seller for a look-up.
    price: String,
    /// The currency of its wallet.
    currency: String,
}

fn show(api: &Api, account: AccountId) -> Result<Json<AccountLookups>, Problem> {
    let catalogue = api.catalogue.get();
    let own = catalogue.accounts.get(&account).ok_or_else(Problem::not_found)?;
    let terms = catalogue.lookups.get(&account).copied().unwrap_or_default();
    Ok(Json(AccountLookups {
        policy: terms.policy.map(Policy::name),
        in_force: catalogue.lookup_policy(account).name(),
        price: terms.price.to_string(),
        currency: own.currency.to_string(),
    }))
}

/// Read what is looked up for your account or one right below it, and at what price. The house reads all.
#[utoipa::path(get, path = "/v1/accounts/{id}/lookups", tag = "numbering",
    params(("id" = String, Path, description = "`acc_…`")), responses((status = 200, body = AccountLookups), Refusals))]
async fn get_terms(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AccountLookups>, Problem> {
    caller.may(Scope::AccountRead)?;
    let account: AccountId = path_id(&id)?;
    caller.sees(&api.catalogue.get(), account)?;
    caller.knows_prices(&api.catalogue.get(), account)?;
    show(&api, account)
}

/// Agree with an account below your own what is looked up for it, and at what price. The house may do so for itself, too.
#[utoipa::path(put, path = "/v1/accounts/{id}/lookups", tag = "numbering", request_body = LookupTerms,
    params(("id" = String, Path, description = "`acc_…`")), responses((status = 200, body = AccountLookups), Refusals))]
async fn put_terms(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<AccountLookups>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let account: AccountId = path_id(&id)?;
    caller.sees(&api.catalogue.get(), account)?;
    if account == caller.account && caller.is_house().is_err() {
        return Err(Problem::new(Code::Forbidden, "nobody but a seller above agrees with an account"));
    }
    let body: LookupTerms = raw.parse()?;
    let mut check = Check::default();
    let policy: Option<Policy> = check.parse_some("/policy", body.policy.as_deref());
    let price = body.price.as_deref().map_or(Some(Micros::ZERO), |price| check.price("/price", price));
    let price = check.finish_with(price)?;
    let mut tx = api.db.begin().await?;
    found(lookups::put_terms(&mut tx, caller.account, account, Terms { policy, price }).await?)?;
    let detail = json!({"policy": body.policy, "price": price.to_string()});
    let change = Change { account, action: "lookups.put", subject: account.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    show(&api, account)
}
