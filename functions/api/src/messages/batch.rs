//! `POST /v1/messages/batch`: many messages of one account in one transaction, each with its own verdict.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use store::accept::{self, BatchAcceptance, NewMessage, accept_batch};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::idempotency;
use super::looked_up::prepare_all;
use super::prepare::SendRequest;
use super::send::{no_credit, opted_out, spend_cap};
use super::view::AcceptedMessage;
use crate::Api;
use crate::auth::{Caller, Scope, keys};
use crate::body::Raw;
use crate::openapi::Refusals;
use crate::pace;
use crate::problem::{Code, FieldError, Problem, ProblemBody};

/// How long a batch waits for one of those under way to end.
const SEAT_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// Messages of one batch at most.
const MESSAGES_MAX: usize = 10_000;
/// Bytes of one batch at most.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Where it lies; part of the fingerprint.
const PATH: &str = "/v1/messages/batch";

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(send_batch)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// Messages to send together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// 1 to 10,000 messages.
    #[schema(inline, min_items = 1, max_items = 10000)]
    messages: Vec<SendRequest>,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
struct BatchResult {
    /// How many were accepted.
    accepted: usize,
    /// How many were refused.
    rejected: usize,
    /// One verdict for each message, in their order.
    results: Vec<Verdict>,
}

/// What became of one message.
#[derive(Serialize, ToSchema)]
struct Verdict {
    /// Its place in the batch, from 0.
    index: usize,
    /// The message, where it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<AcceptedMessage>,
    /// Why it was refused, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// Send many messages.
///
/// A body of the wrong form is refused as a whole. A message that cannot be sent is refused by itself; the others
/// are accepted in their order, as far as the balance reaches. Without any acceptance the answer is still 202.
#[utoipa::path(post, path = "/v1/messages/batch", tag = "messages", request_body = Batch,
    params(("Idempotency-Key" = Option<String>, Header, description = "Up to 255 characters; the same key and body get the same answer for 48 hours")),
    responses((status = 202, body = BatchResult, headers(("Idempotency-Replayed" = String, description = "`true` when the answer is one given before"))), Refusals))]
async fn send_batch(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    raw: Raw,
) -> Result<Response, Problem> {
    caller.may(Scope::MessagesWrite)?;
    let key = idempotency::read(&headers, PATH, &raw.0)?;
    if let Some(answer) = idempotency::recall(&api, caller.account, key.as_ref()).await? {
        return Ok(answer);
    }
    let (prepared, rate) = match admit(&api, &caller, &raw).await {
        Ok(admitted) => admitted,
        Err(refusal) => return idempotency::or_earlier(&api, caller.account, key.as_ref(), refusal).await,
    };
    let busy = || Problem::new(Code::Unavailable, "too many batches at this moment; nothing was done");
    let seat = tokio::time::timeout(SEAT_LIMIT, api.batches.acquire()).await;
    let _seat = seat.ok().and_then(Result::ok).ok_or_else(busy)?;
    let good = prepared.iter().filter_map(|verdict| verdict.as_ref().ok()).cloned();
    let messages: Vec<NewMessage> = good.collect();
    for message in &messages {
        api.note_time(message);
    }
    let render = |fates: &[accept::Verdict]| (StatusCode::ACCEPTED.as_u16(), answer(&prepared, fates));
    let fingerprint = key.as_ref().map(|key| key.fingerprint).unwrap_or_default();
    let stored = key.clone().map(|key| (key.key, key.fingerprint));
    let mut response = match accept_batch(&api.db, caller.account, &messages, stored, &render).await? {
        BatchAcceptance::Stored(fates) => {
            let body = answer(&prepared, &fates);
            // Where nothing was stored, the key may have been another request's.
            if let Some(key) = key.filter(|_| fates.contains(&accept::Verdict::Stored)) {
                idempotency::keep(&api, caller.account, key, StatusCode::ACCEPTED, &body);
            }
            idempotency::json(StatusCode::ACCEPTED, body)
        }
        BatchAcceptance::Replayed(record) => idempotency::replay(record, &fingerprint)?,
    };
    rate.write(response.headers_mut());
    Ok(response)
}

type Prepared = Vec<Result<NewMessage, Vec<FieldError>>>;

async fn admit(api: &Api, caller: &Caller, raw: &Raw) -> Result<(Prepared, pace::Rate), Problem> {
    let Batch { messages } = raw.parse()?;
    if !(1..=MESSAGES_MAX).contains(&messages.len()) {
        return Err(Problem::field("/messages", Code::InvalidRequest, "expected 1 to 10000 messages"));
    }
    let key = keys::capped(api, caller.actor);
    let mut prepared: Prepared = prepare_all(api, (caller.account, key), messages).await;
    for message in prepared.iter_mut().flatten() {
        message.capped_key = key;
    }
    let agreed = api.pace.agreed(&api.catalogue.get(), caller.account);
    let segments = prepared.iter().flatten().map(|message| u32::from(message.segments)).sum();
    let rate = api.pace.take(agreed, segments).await?;
    Ok((prepared, rate))
}

/// The body: `fates` says of each prepared message what became of it.
fn answer(prepared: &Prepared, fates: &[accept::Verdict]) -> Vec<u8> {
    let mut fates = fates.iter();
    let verdict = |(index, prepared): (usize, &Result<NewMessage, Vec<FieldError>>)| {
        let refused = |problem: &Problem| Verdict { index, message: None, problem: Some(problem.body("")) };
        match prepared {
            Ok(message) => match fates.next() {
                Some(accept::Verdict::Stored) => {
                    Verdict { index, message: Some(AcceptedMessage::of(message)), problem: None }
                }
                Some(accept::Verdict::SpendCap) => refused(&spend_cap()),
                Some(accept::Verdict::OptedOut) => refused(&opted_out()),
                Some(accept::Verdict::NoCredit) | None => refused(&no_credit()),
            },
            Err(errors) => refused(&Problem::fields(errors.clone())),
        }
    };
    let results: Vec<Verdict> = prepared.iter().enumerate().map(verdict).collect();
    let accepted = results.iter().filter(|verdict| verdict.message.is_some()).count();
    // Strings and numbers can always be written.
    serde_json::to_vec(&BatchResult { accepted, rejected: results.len() - accepted, results }).unwrap_or_default()
}
