//! `POST /v1/messages/{id}/refunds`: money back for a message, through the whole chain of who paid for it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use domain::MessageId;
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ledger::refund::{self, NewRefund, RefundError};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::once::{Begun, Once};
use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::Change;
use crate::check::Check;
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(refund_message))
}

/// What to give back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundMessage {
    /// How many segments; all that are left when nothing is said. Parts of a segment are not given back: adjust the
    /// wallet instead.
    #[schema(example = 1)]
    segments: Option<u8>,
    /// Why; it stands on the statements.
    #[schema(example = "the receipt was forged")]
    reason: String,
}

/// What was given back.
#[derive(Serialize, ToSchema)]
struct Refunded {
    /// Names the entry of the journal.
    entry_id: String,
    /// The message.
    message_id: String,
    /// ISO 4217.
    currency: String,
    /// What each payer got, the sender first: each at its own price, up to who buys from you. Those further down than that got
    /// theirs, too; how much is their business.
    shares: Vec<RefundShare>,
}

/// What one payer got back.
#[derive(Serialize, ToSchema)]
struct RefundShare {
    /// Who.
    account_id: String,
    /// For how many segments.
    segments: u16,
    /// How much.
    amount: String,
}

/// Give back what a message cost.
///
/// Every payer from the sender up to who buys from you gets back what it paid, at its own price; the house gives back to
/// all of them. Refunds of a message never exceed what was taken for it, nor what the sellers in between have open of their
/// revenue; where it has gone out, the house alone gives back.
#[utoipa::path(post, path = "/v1/messages/{id}/refunds", tag = "money", request_body = RefundMessage,
    params(("id" = String, Path, description = "`msg_…`; it has ended"),
        ("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = Refunded), Refusals))]
async fn refund_message(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    (uri, headers): (Uri, HeaderMap),
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let message: MessageId = path_id(&id)?;
    let mut once = match Once::begin(&api, &caller, (&headers, &uri), &raw).await? {
        Begun::New(once) => once,
        Begun::Answered(answer) => return Ok(*answer),
    };
    let RefundMessage { segments, reason } = raw.parse()?;
    let mut check = Check::default();
    check.that(segments != Some(0), "/segments", "expected at least one segment");
    super::reason(&mut check, &reason);
    check.finish()?;
    let new = NewRefund { message, segments, reason: reason.trim().to_owned(), actor: caller.actor.to_string() };
    let made = refund::refund(&mut once.tx, &api.db, caller.account, &new).await.map_err(refused)?;
    let catalogue = api.catalogue.get();
    let known = made.shares.iter().filter(|share| caller.knows_prices_of(&catalogue, share.account));
    let shares = known.map(|share| RefundShare {
        account_id: share.account.to_string(),
        segments: share.segments,
        amount: share.amount.to_string(),
    });
    let body = Refunded {
        entry_id: made.entry.to_string(),
        message_id: message.to_string(),
        currency: made.currency.to_string(),
        shares: shares.collect(),
    };
    let detail = json!({"segments": segments, "reason": new.reason, "entry_id": made.entry});
    let change = Change { account: made.account, action: "message.refund", subject: message.to_string(), detail };
    once.finish((&api, &caller), change, &body).await
}

fn refused(error: RefundError) -> Problem {
    match error {
        RefundError::Unknown => Problem::not_found(),
        RefundError::Open => Problem::new(Code::Conflict, "the message has not ended; refund it when it has"),
        RefundError::NoSeller => Problem::new(Code::Forbidden, "nobody gives money back to themselves"),
        RefundError::TooMuch { left } => {
            Problem::field("/segments", Code::ExceedsOriginal, format!("{left} segments are left to give back"))
        }
        RefundError::PaidOut => Problem::new(
            Code::InsufficientCredit,
            "what was earned by the message has gone into a wallet or was paid out, and what is open does not cover it: take a \
             revenue_credit back by a correction first",
        ),
        RefundError::Store(error) => error.into(),
    }
}
