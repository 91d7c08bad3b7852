//! `GET /v1/balance`: what an account can still spend.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use domain::Micros;
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
    /// An account right below you; your own when nothing is said. The house reads all.
    account_id: Option<String>,
}

/// A wallet. `available` = `balance` + `credit_limit` - `held`.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the published answer")]
pub(crate) struct Balance {
    /// `prepaid`: what is there can be spent. `postpaid`: there is a credit limit, too.
    #[schema(example = "prepaid")]
    kind: &'static str,
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
            kind: if wallet.credit_limit > Micros::ZERO { "postpaid" } else { "prepaid" },
            balance: wallet.posted.to_string(),
            held: wallet.held.to_string(),
            available: wallet.available().to_string(),
            credit_limit: wallet.credit_limit.to_string(),
            currency: wallet.currency.to_string(),
        }
    }
}

/// The wallet of an account in the eyes of the caller. What it has before a message and behind it tells what the message
/// costs it, so the amounts are those of wallets whose prices the caller knows.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountBalance {
    /// `prepaid`: what is there can be spent. `postpaid`: there is a credit limit, too.
    #[schema(example = "prepaid")]
    kind: &'static str,
    /// What is there; null of accounts further down than right below you.
    #[schema(example = "50000.00")]
    balance: Option<String>,
    /// What is set aside for messages under way; null of accounts further down than right below you.
    #[schema(example = "150.00")]
    held: Option<String>,
    /// What can be spent now: `balance` + `credit_limit` - `held`; null of accounts further down than right below you.
    #[schema(example = "49850.00")]
    available: Option<String>,
    /// How far below zero the balance may go.
    #[schema(example = "0.00")]
    credit_limit: String,
    /// ISO 4217.
    #[schema(example = "UZS")]
    currency: String,
}

impl AccountBalance {
    /// `is_known`: what the account pays is the caller's business.
    pub(crate) fn of(wallet: &Wallet, is_known: bool) -> Self {
        let Balance { kind, balance, held, available, credit_limit, currency } = Balance::of(wallet);
        let told = |amount: String| is_known.then_some(amount);
        Self { kind, balance: told(balance), held: told(held), available: told(available), credit_limit, currency }
    }
}

/// A wallet, and how long it lasts.
#[derive(Serialize, ToSchema)]
struct WalletBalance {
    #[serde(flatten)]
    balance: Balance,
    /// What messages took in the last hour, less refunds.
    #[schema(example = "1200.00")]
    burn_per_hour: String,
    /// When nothing is left if that goes on; null: not for years.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    empty_at: Option<DateTime<Utc>>,
}

/// Read a balance, how fast it is spent, and when it is empty.
#[utoipa::path(get, path = "/v1/balance", tag = "account", params(Whose),
    responses((status = 200, body = WalletBalance), Refusals))]
async fn get_balance(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Whose>,
) -> Result<Json<WalletBalance>, Problem> {
    caller.may(Scope::BalanceRead)?;
    let mut check = Check::default();
    let account = account_of(&mut check, query.account_id.as_deref(), caller.account);
    let account = check.finish_with(account)?;
    caller.sees(&api.catalogue.get(), account)?;
    caller.knows_prices(&api.catalogue.get(), account)?;
    let wallet = ledger::balance(&api.db, account).await?.ok_or_else(Problem::not_found)?;
    let now = crate::time::now();
    let burn = ledger::burn::per_hour(&api.db, account, now).await?;
    let left = domain::burn::seconds_left(wallet.available(), burn).map(i64::from);
    Ok(Json(WalletBalance {
        balance: Balance::of(&wallet),
        burn_per_hour: burn.to_string(),
        empty_at: left.map(|seconds| now + TimeDelta::seconds(seconds)),
    }))
}
