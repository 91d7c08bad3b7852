//! `/v1/revenue-balance` and `/v1/accounts/{id}/payouts`: what a seller earned, and how it goes out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::AccountId;
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::payout::{self, Payout, PayoutError, Revenue, To};
use store::ledger::transactions;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::once::{Begun, Once};
use super::transactions::view as transaction;
use super::transfers::Moved;
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(get_revenue_balance)).routes(routes!(credit_revenue)).routes(routes!(pay_out))
}

/// What you earned in one currency.
#[derive(Serialize, ToSchema)]
struct RevenueBalance {
    /// ISO 4217.
    currency: String,
    /// Paid by those right below you, less what was refunded to them.
    #[schema(example = "800.00")]
    earned: String,
    /// What of it went out: into your wallet, or paid to you outside.
    #[schema(example = "500.00")]
    paid_out: String,
    /// What of it is not paid yet: how far balances of those right below you are under zero, by their credit limits.
    #[schema(example = "0.00")]
    uncollected: String,
    /// What can still go out: `earned` - `paid_out` - `uncollected`. Below zero: refunds took back what had gone out.
    #[schema(example = "300.00")]
    open: String,
}

/// What you earned.
#[derive(Serialize, ToSchema)]
struct RevenueBalances {
    /// One for each currency that you earned in.
    data: Vec<RevenueBalance>,
}

fn view(revenue: &Revenue) -> RevenueBalance {
    RevenueBalance {
        currency: revenue.currency.to_string(),
        earned: revenue.earned.to_string(),
        paid_out: revenue.paid_out.to_string(),
        uncollected: revenue.uncollected.to_string(),
        open: revenue.open().to_string(),
    }
}

/// Read what you earned as a seller: what those right below you paid, what of it went out, and what is open. What you paid
/// yourself for the same messages left your wallet; see `/v1/revenue-shares`.
#[utoipa::path(get, path = "/v1/revenue-balance", tag = "money",
    responses((status = 200, body = RevenueBalances), Refusals))]
async fn get_revenue_balance(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<RevenueBalances>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_seller()?;
    let mut tx = api.db.begin().await?;
    let revenue = payout::revenue(&mut tx, caller.account).await?;
    Ok(Json(RevenueBalances { data: revenue.iter().map(view).collect() }))
}

/// Revenue that goes into the wallet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRevenueCredit {
    /// How much, in the currency of the wallet; no more than is open.
    #[schema(example = "300.00")]
    amount: String,
    /// Why; it stands on the statement.
    #[schema(example = "earned in November")]
    reason: String,
    /// An account right below you that paid you outside: the money goes on into its wallet at once. So it is no more below
    /// zero, and what it spent on credit is collected.
    account_id: Option<String>,
}

/// Put what you earned into your own wallet, or through it into that of a customer who paid you outside.
#[utoipa::path(post, path = "/v1/revenue-balance/credits", tag = "money", request_body = NewRevenueCredit,
    params(("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = Moved), Refusals))]
async fn credit_revenue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let once = match Once::begin(&api, &caller, (&headers, &uri), &raw).await? {
        Begun::New(once) => once,
        Begun::Answered(answer) => return Ok(*answer),
    };
    let NewRevenueCredit { amount, reason, account_id } = raw.parse()?;
    let mut check = Check::default();
    let customer = customer(&api, &caller, &mut check, account_id.as_deref())?;
    let amount = super::amount(&mut check, &amount);
    super::reason(&mut check, &reason);
    let amount = check.finish_with(amount)?;
    let to = customer.map_or(To::Wallet, To::Customer);
    let (seller, actor) = (caller.account, caller.actor.to_string());
    post(&api, &caller, once, Payout { seller, to, amount, reason: reason.trim().to_owned(), actor }).await
}

/// An account that the caller sells to.
fn customer(
    api: &Api,
    caller: &Caller,
    check: &mut Check,
    account: Option<&str>,
) -> Result<Option<AccountId>, Problem> {
    let account: Option<AccountId> = check.parse_some("/account_id", account);
    let Some(account) = account else { return Ok(None) };
    let catalogue = api.catalogue.get();
    caller.sees(&catalogue, account)?;
    let seller = catalogue.accounts.get(&account).and_then(|account| account.parent);
    check.that(seller == Some(caller.account), "/account_id", "expected an account right below your own");
    Ok(Some(account))
}

/// Revenue that was paid to a seller outside.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPayout {
    /// How much, in the currency of the seller's wallet; no more than is open.
    #[schema(example = "300.00")]
    amount: String,
    /// How the payment is found again, such as the number of the bank's order; it stands with the transaction.
    #[schema(example = "bank order 4711")]
    reference: String,
}

/// Record that what a seller earned was paid to it outside. Only the house may: it leaves the house's cash.
#[utoipa::path(post, path = "/v1/accounts/{id}/payouts", tag = "money", request_body = NewPayout,
    params(("id" = String, Path, description = "`acc_…`, the seller"),
        ("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = Moved), Refusals))]
async fn pay_out(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let seller: AccountId = path_id(&id)?;
    caller.sees(&api.catalogue.get(), seller)?;
    let once = match Once::begin(&api, &caller, (&headers, &uri), &raw).await? {
        Begun::New(once) => once,
        Begun::Answered(answer) => return Ok(*answer),
    };
    let NewPayout { amount, reference } = raw.parse()?;
    let mut check = Check::default();
    let amount = super::amount(&mut check, &amount);
    check.label("/reference", &reference, 500);
    let amount = check.finish_with(amount)?;
    let (to, reason, actor) = (To::Outside, reference.trim().to_owned(), caller.actor.to_string());
    post(&api, &caller, once, Payout { seller, to, amount, reason, actor }).await
}

async fn post(api: &Api, caller: &Caller, mut once: Once, payout: Payout) -> Result<Response, Problem> {
    let entries = payout::pay_out(&mut once.tx, &payout).await.map_err(refused)?;
    let mut sides = Vec::new();
    for entry in &entries {
        sides.extend(transactions::of_entry(&mut once.tx, caller.account, *entry).await?);
    }
    let entry = entries.first().copied().unwrap_or_default();
    let body = Moved { entry_id: entry.to_string(), transactions: sides.into_iter().map(transaction).collect() };
    let action = match payout.to {
        To::Wallet | To::Customer(_) => "revenue.credit",
        To::Outside => "revenue.payout",
    };
    let detail = json!({"amount": payout.amount, "reason": payout.reason, "entry_id": entry});
    let change = Change { account: payout.seller, action, subject: payout.seller.to_string(), detail };
    once.finish((api, caller), change, &body).await
}

fn refused(error: PayoutError) -> Problem {
    match error {
        PayoutError::Short => {
            Problem::new(Code::InsufficientCredit, "the seller has not earned so much that is still open")
        }
        PayoutError::Currency => {
            Problem::field("/account_id", Code::InvalidRequest, "that account pays in another currency")
        }
        PayoutError::Store(error) => error.into(),
    }
}
