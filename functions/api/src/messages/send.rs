//! `POST /v1/messages`: the hot path. No SQL of its own; the gatherer accepts many requests with one statement.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use store::accept::{Acceptance, NewMessage, Single};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::idempotency::{self, Key};
use super::looked_up::prepare_all;
use super::prepare::SendRequest;
use super::view::AcceptedMessage;
use crate::Api;
use crate::auth::{Caller, Scope, keys};
use crate::body::Raw;
use crate::openapi::Refusals;
use crate::pace;
use crate::problem::{Code, Problem};

/// Where it lies; part of the fingerprint.
const PATH: &str = "/v1/messages";

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(send))
}

/// Send a message.
///
/// Validates, prices, checks the sender ID, holds the cost, and answers when all of it is durable. The message is
/// then routed, submitted and followed until it ends. Send an `Idempotency-Key` to be able to repeat a request
/// whose answer was lost.
#[utoipa::path(post, path = "/v1/messages", tag = "messages", request_body = SendRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 201, body = AcceptedMessage, headers(("Idempotency-Replayed" = String, description = "`true` when the answer is one given before"))), Refusals))]
async fn send(State(api): State<Arc<Api>>, caller: Caller, headers: HeaderMap, raw: Raw) -> Result<Response, Problem> {
    caller.may(Scope::MessagesWrite)?;
    let key = idempotency::read(&headers, PATH, &raw.0)?;
    if let Some(answer) = idempotency::recall(&api, caller.account, key.as_ref()).await? {
        return Ok(answer);
    }
    let (message, rate) = match admit(&api, &caller, &raw).await {
        Ok(admitted) => admitted,
        Err(refusal) => return idempotency::or_earlier(&api, caller.account, key.as_ref(), refusal).await,
    };
    let body = serde_json::to_vec(&AcceptedMessage::of(&message)).map_err(Problem::internal)?;
    let idempotency = key.clone().map(|key: Key| key.record(StatusCode::CREATED, body.clone()));
    api.note_time(&message);
    let mut response = match api.intake.accept(Single { message, idempotency }).await? {
        Acceptance::Stored => {
            if let Some(key) = key {
                idempotency::keep(&api, caller.account, key, StatusCode::CREATED, &body);
            }
            idempotency::json(StatusCode::CREATED, body)
        }
        Acceptance::Replayed(record) => {
            idempotency::replay(record, &key.map(|key| key.fingerprint).unwrap_or_default())?
        }
        Acceptance::NoCredit => return Err(no_credit()),
        Acceptance::SpendCap => return Err(spend_cap()),
        Acceptance::OptedOut => return Err(opted_out()),
    };
    rate.write(response.headers_mut());
    Ok(response)
}

/// Everything before the database: reads, prepares, and takes the message's segments from the account's rate.
async fn admit(api: &Api, caller: &Caller, raw: &Raw) -> Result<(NewMessage, pace::Rate), Problem> {
    let request: SendRequest = raw.parse()?;
    let key = keys::capped(api, caller.actor);
    let prepared = prepare_all(api, (caller.account, key), vec![request]).await.pop();
    let mut message = prepared.ok_or_else(Problem::not_found)?.map_err(Problem::fields)?;
    message.capped_key = key;
    let agreed = api.pace.agreed(&api.catalogue.get(), caller.account);
    let rate = api.pace.take(agreed, u32::from(message.segments)).await?;
    Ok((message, rate))
}

/// The recipient wants no more messages of the account.
pub(crate) fn opted_out() -> Problem {
    let detail = "the recipient has asked for no more messages of this account; nothing was stored or held";
    Problem::field("/to", Code::RecipientOptedOut, detail)
}

/// A wallet of the chain, or the key, has spent what it may on this day.
pub(crate) fn spend_cap() -> Problem {
    let detail = "the spend cap of the account or the key is reached for this UTC day; nothing was stored or held";
    Problem::new(Code::SpendCapReached, detail)
}

/// A wallet of the chain has not enough.
pub(crate) fn no_credit() -> Problem {
    Problem::new(Code::InsufficientCredit, "the balance does not cover the message; nothing was stored or held")
}
