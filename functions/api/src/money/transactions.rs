//! `/v1/transactions`: what people moved, and corrections of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{Micros, TransactionId};
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::correct::{self, CorrectError, Correction};
use store::ledger::transactions::{self, Filter, KINDS};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::once::{Begun, Once};
use super::transfers::Moved;
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_transactions)).routes(routes!(correct_transaction))
}

/// One side of a movement of money.
#[derive(Serialize, ToSchema)]
pub(super) struct Transaction {
    /// Its id.
    id: String,
    /// Whose wallet.
    account_id: String,
    /// `top_up`, `transfer`, `adjustment`, `refund`, `correction`, `supplier_payment`, `revenue_credit` (what was earned went
    /// into the wallet) or `payout` (it was paid outside; the wallet did not change).
    kind: String,
    /// How much; below zero: out of the wallet.
    amount: String,
    /// ISO 4217.
    currency: String,
    /// Why.
    reason: String,
    /// Names the entry of the journal; on the statement the same.
    entry_id: String,
    /// A refund: of which message.
    message_id: Option<String>,
    /// A correction: of which transaction.
    original_id: Option<String>,
    /// A payment to an operator: to whom.
    operator_id: Option<String>,
    /// A payment to a provider of look-ups: to whom.
    provider_id: Option<String>,
    /// How much of it corrections took back.
    corrected: String,
    /// Who did it: `usr_…`, `key_…` or `system`.
    actor: String,
    /// When.
    #[serde(serialize_with = "crate::time::millis")]
    at: DateTime<Utc>,
}

/// As it is shown.
pub(super) fn view(row: transactions::Transaction) -> Transaction {
    Transaction {
        id: row.id.to_string(),
        account_id: row.account.to_string(),
        kind: row.kind,
        amount: row.amount.to_string(),
        currency: row.currency.to_string(),
        reason: row.reason,
        entry_id: row.entry.to_string(),
        message_id: row.message.map(|id| id.to_string()),
        original_id: row.original.map(|id| id.to_string()),
        operator_id: row.operator.map(|id| id.to_string()),
        provider_id: row.provider.map(|id| id.to_string()),
        corrected: row.corrected.to_string(),
        actor: row.actor,
        at: row.at,
    }
}

/// Which transactions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this account; of your own and all below it when nothing is said.
    account_id: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// List top-ups, transfers, adjustments, refunds, corrections and payouts, newest first.
#[utoipa::path(get, path = "/v1/transactions", tag = "money", params(Filters),
    responses((status = 200, body = List<Transaction>), Refusals))]
async fn list_transactions(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<Transaction>>, Problem> {
    caller.may(Scope::BalanceRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let account = check.parse_some("/account_id", query.account_id.as_deref());
    let known = query.kind.as_deref().is_none_or(|kind| KINDS.contains(&kind));
    if !known {
        check.refuse("/kind", Code::InvalidRequest, format!("expected one of {}", KINDS.join(", ")));
    }
    check.finish()?;
    if let Some(account) = account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    let filter = Filter { account, kind: query.kind, id: None };
    let rows = transactions::list(&api.db, caller.account, &filter, page).await?;
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), view)))
}

/// What to take back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCorrection {
    /// How much, without a sign; all that is left of it when nothing is said.
    #[schema(example = "50.00")]
    amount: Option<String>,
    /// Why; it stands on the statement.
    #[schema(example = "paid twice")]
    reason: String,
}

/// Take back a top-up, a transfer, an adjustment, revenue that went into a wallet, or a payout, in full or in part.
///
/// Corrections of one transaction never exceed it. Resellers correct transfers between accounts that they see, as far as the
/// wallet that got the money has it of its own, and take back revenue that they put into their own wallet; the house corrects
/// everything, of adjustments up to the limit of one person.
/// What is taken back of a payout is open again. A refund is not corrected, nor is a correction; a payment to a supplier is taken
/// back by one of the opposite amount.
#[utoipa::path(post, path = "/v1/transactions/{id}/corrections", tag = "money", request_body = NewCorrection,
    params(("id" = String, Path, description = "`txn_…`; of a transfer, either side"),
        ("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = Moved), Refusals))]
async fn correct_transaction(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let original: TransactionId = path_id(&id)?;
    let mut once = match Once::begin(&api, &caller, (&headers, &uri), &raw).await? {
        Begun::New(once) => once,
        Begun::Answered(answer) => return Ok(*answer),
    };
    let (amount, reason) = read(&raw.parse()?)?;
    let sides = correct::lock(&mut once.tx, caller.account, original).await.map_err(refused)?;
    let may = |side: &transactions::Transaction| match side.kind.as_str() {
        "transfer" => true,
        "revenue_credit" => side.account == caller.account,
        _ => false,
    };
    if !sides.iter().all(may) {
        caller.is_house()?;
    }
    let account = sides.iter().find(|side| side.id == original).map(|side| side.account);
    let account = account.ok_or_else(Problem::not_found)?;
    let correction = Correction { original, amount, reason: reason.clone(), actor: caller.actor.to_string() };
    let (entry, amount) = correct::correct(&mut once.tx, &sides, &correction).await.map_err(refused)?;
    let made = transactions::of_entry(&mut once.tx, caller.account, entry).await?;
    let body = Moved { entry_id: entry.to_string(), transactions: made.into_iter().map(view).collect() };
    let detail = json!({"amount": amount, "reason": reason, "entry_id": entry});
    let change = Change { account, action: "transaction.correct", subject: original.to_string(), detail };
    once.finish((&api, &caller), change, &body).await
}

fn read(body: &NewCorrection) -> Result<(Option<Micros>, String), Problem> {
    let mut check = Check::default();
    let amount = body.amount.as_deref().and_then(|amount| super::amount(&mut check, amount));
    super::reason(&mut check, &body.reason);
    check.finish()?;
    Ok((amount, body.reason.trim().to_owned()))
}

fn refused(error: CorrectError) -> Problem {
    match error {
        CorrectError::Unknown => Problem::not_found(),
        CorrectError::Kind(kind) if kind == "supplier_payment" => {
            Problem::new(Code::Conflict, "a payment to a supplier is not corrected: record one of the opposite amount")
        }
        CorrectError::Kind(kind) => {
            Problem::new(Code::Conflict, format!("a {kind} is not corrected; correct the transaction behind it"))
        }
        CorrectError::TooMuch { left } => {
            Problem::field("/amount", Code::ExceedsOriginal, format!("{left} is left of the transaction"))
        }
        CorrectError::NoCredit => {
            Problem::new(Code::InsufficientCredit, "the wallet that got the money does not cover it any more")
        }
        CorrectError::NeedsTwo { limit } => {
            let detail = format!(
                "above {limit} two people are needed to take back an adjustment: ask for one of the opposite amount, which \
                 another person approves"
            );
            Problem::new(Code::Forbidden, detail)
        }
        CorrectError::Store(error) => error.into(),
    }
}
