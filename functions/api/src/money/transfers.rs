//! `POST /v1/accounts/{id}/transfers`: money between an account and the one above it, in either direction.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use domain::{AccountId, Catalogue, Micros, Role};
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::{self, Transfer, TransferError, transactions};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::once::{Begun, Once};
use super::transactions::{Transaction, view};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(transfer_money))
}

/// Money to move between an account and the one above it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTransfer {
    /// `down`: from the account above to this one. `up`: back.
    #[schema(example = "down")]
    direction: String,
    /// How much, in the accounts' currency.
    #[schema(example = "250.00")]
    amount: String,
    /// Why; it stands on both statements.
    #[schema(example = "credit for December")]
    reason: String,
}

/// Money that was moved.
#[derive(Serialize, ToSchema)]
pub(super) struct Moved {
    /// Names the entry of the journal.
    pub(super) entry_id: String,
    /// Its sides, as far as you see them.
    pub(super) transactions: Vec<Transaction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Down,
    Up,
}

/// Move money between an account and the one above it.
///
/// The account above and everybody further up moves money in either direction; the account itself gives money back. The
/// giving wallet must cover it without what it holds: upwards with money of its own, downwards with its credit limit, too.
#[utoipa::path(post, path = "/v1/accounts/{id}/transfers", tag = "money", request_body = NewTransfer,
    params(("id" = String, Path, description = "`acc_…`, the lower of the two"),
        ("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = Moved), Refusals))]
async fn transfer_money(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    let child: AccountId = path_id(&id)?;
    let mut once = match Once::begin(&api, &caller, (&headers, &uri), &raw).await? {
        Begun::New(once) => once,
        Begun::Answered(answer) => return Ok(*answer),
    };
    let (direction, amount, reason) = read(&raw.parse()?)?;
    let parent = parent_of(&api.catalogue.get(), &caller, child, direction)?;
    let (from, to) = if direction == Direction::Down { (parent, child) } else { (child, parent) };
    let transfer = Transfer { from, to, amount, reason: reason.clone(), actor: caller.actor.to_string() };
    let entry = match direction {
        Direction::Down => ledger::transfer(&mut once.tx, &transfer).await.map_err(refused)?,
        Direction::Up => ledger::transfer_own(&mut once.tx, &transfer).await.map_err(not_its_own)?,
    };
    let sides = transactions::of_entry(&mut once.tx, caller.account, entry).await?;
    let body = Moved { entry_id: entry.to_string(), transactions: sides.into_iter().map(view).collect() };
    let detail = json!({"from": from, "to": to, "amount": amount, "reason": reason, "entry_id": entry});
    let change = Change { account: child, action: "account.transfer", subject: child.to_string(), detail };
    once.finish((&api, &caller), change, &body).await
}

fn read(body: &NewTransfer) -> Result<(Direction, Micros, String), Problem> {
    let mut check = Check::default();
    let direction = match body.direction.as_str() {
        "down" => Some(Direction::Down),
        "up" => Some(Direction::Up),
        _ => {
            check.refuse("/direction", Code::InvalidRequest, "expected down or up");
            None
        }
    };
    let amount = super::amount(&mut check, &body.amount);
    super::reason(&mut check, &body.reason);
    let (direction, amount) = check.finish_with(direction.zip(amount))?;
    Ok((direction, amount, body.reason.trim().to_owned()))
}

/// The account above `child`, where the caller may move money between both.
fn parent_of(
    catalogue: &Catalogue,
    caller: &Caller,
    child: AccountId,
    direction: Direction,
) -> Result<AccountId, Problem> {
    caller.sees(catalogue, child)?;
    let parent = catalogue.accounts.get(&child).and_then(|account| account.parent);
    let parent = parent.ok_or_else(|| Problem::new(Code::Conflict, "nobody is above the house"))?;
    if child == caller.account && direction == Direction::Down {
        return Err(Problem::new(Code::Forbidden, "nobody gives money to themselves"));
    }
    if child != caller.account && caller.role == Role::Client {
        return Err(Problem::new(Code::Forbidden, "only the house and resellers may do this"));
    }
    Ok(parent)
}

fn not_its_own(error: TransferError) -> Problem {
    match error {
        TransferError::NoCredit => Problem::new(
            Code::InsufficientCredit,
            "what the giving wallet has of its own, without its credit limit and what it holds, does not cover it",
        ),
        error => refused(error),
    }
}

/// What the caller is told when a transfer was not made.
pub(super) fn refused(error: TransferError) -> Problem {
    match error {
        TransferError::NoCredit => Problem::new(Code::InsufficientCredit, "the giving wallet does not cover it"),
        TransferError::Currency => Problem::new(Code::Conflict, "the accounts have different currencies"),
        TransferError::Store(error) => error.into(),
    }
}
