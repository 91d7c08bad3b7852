//! `POST /v1/accounts/{id}/credit`: money for an account below one's own.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use domain::{AccountId, Micros, Role};
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::{self, TopUp, Transfer, TransferError};
use store::tx::Tx;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::balance::Balance;
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::path_id;
use crate::money::once::{Begun, Once};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(give_credit))
}

/// Money to give.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credit {
    /// How much, in the account's currency.
    #[schema(example = "10000.00")]
    amount: String,
    /// Why; it stands on the statement.
    #[schema(example = "invoice 17")]
    reason: String,
}

/// What was given.
#[derive(Serialize, ToSchema)]
struct Credited {
    /// Names the entry of the journal.
    entry_id: String,
    /// The account.
    account_id: String,
    /// How much.
    amount: String,
    /// The wallet behind it.
    balance: Balance,
}

/// Give money to an account.
///
/// The house posts money that came from outside. A reseller gives from its own balance, to those right below it.
#[utoipa::path(post, path = "/v1/accounts/{id}/credit", tag = "accounts", request_body = Credit,
    params(("id" = String, Path, description = "`acc_…`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = Credited), Refusals))]
async fn give_credit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let account: AccountId = path_id(&id)?;
    let catalogue = api.catalogue.get();
    caller.sees(&catalogue, account)?;
    let parent = catalogue.accounts.get(&account).and_then(|account| account.parent);
    if caller.role == Role::Reseller && account != caller.account && parent != Some(caller.account) {
        return Err(Problem::new(Code::Forbidden, "it is the account right above that gives it money"));
    }
    drop(catalogue);
    let mut once = match Once::begin(&api, &caller, (&headers, &uri), &raw).await? {
        Begun::New(once) => once,
        Begun::Answered(answer) => return Ok(*answer),
    };
    let Credit { amount, reason } = raw.parse()?;
    let mut check = Check::default();
    let amount: Option<Micros> = check.parse("/amount", &amount);
    let good = amount.is_none_or(|amount| amount > Micros::ZERO && amount <= Micros::AMOUNT_MAX);
    check.that(good, "/amount", "expected an amount above zero, up to 1000000000");
    check.label("/reason", &reason, 500);
    let amount = check.finish_with(amount)?;
    let entry = give(&mut once.tx, &caller, account, (amount, reason.clone())).await?;
    let detail = json!({"amount": amount, "reason": reason, "entry_id": entry});
    let change = Change { account, action: "account.credit", subject: account.to_string(), detail };
    let wallet = ledger::balance_within(&mut *once.tx, account).await?.ok_or_else(Problem::not_found)?;
    let credited = Credited {
        entry_id: entry.to_string(),
        account_id: account.to_string(),
        amount: amount.to_string(),
        balance: Balance::of(&wallet),
    };
    once.finish((&api, &caller), change, &credited).await
}

async fn give(
    tx: &mut Tx,
    caller: &Caller,
    account: AccountId,
    (amount, reason): (Micros, String),
) -> Result<uuid::Uuid, Problem> {
    let actor = caller.actor.to_string();
    if caller.role == Role::Admin {
        return Ok(ledger::top_up(tx, &TopUp { account, amount, reason, actor }).await?);
    }
    if account == caller.account {
        return Err(Problem::new(Code::Forbidden, "nobody gives money to themselves"));
    }
    let transfer = Transfer { from: caller.account, to: account, amount, reason, actor };
    ledger::transfer(tx, &transfer).await.map_err(|error| match error {
        TransferError::NoCredit => Problem::new(Code::InsufficientCredit, "your own balance does not cover it"),
        TransferError::Currency => Problem::new(Code::Conflict, "the accounts have different currencies"),
        TransferError::Store(error) => error.into(),
    })
}
