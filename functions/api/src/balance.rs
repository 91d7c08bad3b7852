//! `GET /v1/balance`: what an account can still spend.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::ledger::{self, Balance as Wallet};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::check::Check;
use crate::list::{Query, account_of};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(get_balance))
}

/// Whose balance.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// An account below your own; else your own.
    account_id: Option<String>,
}

/// A wallet. `available` = `balance` + `credit_limit` - `held`.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the published answer")]
pub(crate) struct Balance {
    /// What is there.
    #[schema(example = "50000.00")]
    balance: String,
    /// What is set aside for messages under way.
    #[schema(example = "150.00")]
    held: String,
    /// What can be spent now.
    #[schema(example = "49850.00")]
    available: String,
    /// How far below zero the balance may go.
    #[schema(example = "0.00")]
    credit_limit: String,
    /// ISO 4217.
    #[schema(example = "UZS")]
    currency: String,
}

impl Balance {
    pub(crate) fn of(wallet: &Wallet) -> Self {
        Self {
            balance: wallet.posted.to_string(),
            held: wallet.held.to_string(),
            available: wallet.available().to_string(),
            credit_limit: wallet.credit_limit.to_string(),
            currency: wallet.currency.to_string(),
        }
    }
}

/// Read a balance.
#[utoipa::path(get, path = "/v1/balance", tag = "account", params(Whose),
    responses((status = 200, body = Balance), Refusals))]
async fn get_balance(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Whose>,
) -> Result<Json<Balance>, Problem> {
    caller.may(Scope::BalanceRead)?;
    let mut check = Check::default();
    let account = account_of(&mut check, query.account_id.as_deref(), caller.account);
    let account = check.finish_with(account)?;
    caller.sees(&api.catalogue.get(), account)?;
    let wallet = ledger::balance(&api.db, account).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(Balance::of(&wallet)))
}
