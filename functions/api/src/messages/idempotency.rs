//! `Idempotency-Key`: the same request twice has the effect of once, and the same answer.
//!
//! The record in the database is the truth. Beside it an answer is kept where it is found faster, after it is durable:
//! a repeat that finds it there costs the database nothing, and one that does not goes the ordinary way. It is kept
//! for a shorter time than the record, under the platform's own key, so that nobody else can write or read it.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::AccountId;
use host::secrets::fingerprint;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use store::accept::{self, IdempotencyRecord};

use crate::Api;
use crate::problem::{Code, Problem};

/// Longest key, in characters.
const KEY_MAX: usize = 255;
/// Bytes of an answer that is kept for a fast repeat; those of large batches are found in the database alone.
const KEPT_BYTES_MAX: usize = limits::VALUE_BYTES_MAX - 256;
/// Answers that are being kept at the same time; more are not kept.
pub(crate) const KEEPING_MAX: usize = 1_000;
/// The request header.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is one given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A key, and what it was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// As the customer sent it.
    pub(crate) key: String,
    /// SHA-256 of path and body.
    pub(crate) fingerprint: [u8; 32],
}

/// Reads the header, where there is one.
pub(crate) fn read(headers: &HeaderMap, path: &str, body: &[u8]) -> Result<Option<Key>, Problem> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=KEY_MAX).contains(&key.len()));
    let key = key.ok_or_else(|| {
        Problem::new(Code::InvalidRequest, "Idempotency-Key has 1 to 255 visible characters of ASCII")
    })?;
    Ok(Some(Key { key: key.to_owned(), fingerprint: fingerprint(&[b"POST", path.as_bytes(), body]) }))
}

impl Key {
    /// What is remembered when the request is done.
    pub(crate) fn record(self, status: StatusCode, response: Vec<u8>) -> IdempotencyRecord {
        IdempotencyRecord { key: self.key, fingerprint: self.fingerprint, status: status.as_u16(), response }
    }
}

/// The answer given before, or a refusal when it was given to another request.
pub(crate) fn replay(record: IdempotencyRecord, fingerprint: &[u8; 32]) -> Result<Response, Problem> {
    if record.fingerprint != *fingerprint {
        let detail = "this Idempotency-Key was sent with another request before; use a new key";
        return Err(Problem::new(Code::IdempotencyKeyReused, detail));
    }
    let status = StatusCode::from_u16(record.status).unwrap_or(StatusCode::OK);
    let mut response = json(status, record.response);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// The answer given before, where it is found without the database; a refusal when it was given to another request.
pub(crate) async fn recall(api: &Api, account: AccountId, key: Option<&Key>) -> Result<Option<Response>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let place = place(account, &key.key);
    let Some(sealed) = api.limits.recall.recall(&place).await else { return Ok(None) };
    // What does not open was not written by this platform, or not for this key: then the database knows.
    let Some(record) = api.keys.open(&sealed, &place).ok().and_then(|plain| unpack(&key.key, &plain)) else {
        return Ok(None);
    };
    metrics::counter!("chappe_idempotency_recalled_total").increment(1);
    replay(record, &key.fingerprint).map(Some)
}

/// Keeps an answer that is durable, behind the request.
pub(crate) fn keep(api: &Arc<Api>, account: AccountId, key: Key, status: StatusCode, response: &[u8]) {
    let Ok(permit) = Arc::clone(&api.keeping).try_acquire_owned() else { return };
    if response.len() > KEPT_BYTES_MAX {
        return;
    }
    let place = place(account, &key.key);
    let plain = pack(&key.record(status, response.to_vec()));
    let Ok(sealed) = api.keys.seal(&plain, &place) else { return };
    let api = Arc::clone(api);
    tokio::spawn(async move {
        api.limits.recall.keep(&place, sealed.into()).await;
        drop(permit);
    });
}

/// Where the answer to a key lies. Keys can be long, and hold anything.
fn place(account: AccountId, key: &str) -> String {
    format!("{account}:{}", URL_SAFE_NO_PAD.encode(fingerprint(&[key.as_bytes()])))
}

/// Fingerprint, status and response, one behind the other.
fn pack(record: &IdempotencyRecord) -> Vec<u8> {
    [&record.fingerprint, record.status.to_be_bytes().as_slice(), &record.response].concat()
}

fn unpack(key: &str, plain: &[u8]) -> Option<IdempotencyRecord> {
    let (fingerprint, rest) = plain.split_first_chunk()?;
    let (status, response) = rest.split_first_chunk()?;
    let (fingerprint, status) = (*fingerprint, u16::from_be_bytes(*status));
    Some(IdempotencyRecord { key: key.to_owned(), fingerprint, status, response: response.to_vec() })
}

/// Before a request is refused: was the same request accepted before? Then that answer stands.
pub(crate) async fn or_earlier(
    api: &Api,
    account: AccountId,
    key: Option<&Key>,
    refusal: Problem,
) -> Result<Response, Problem> {
    let Some(key) = key else { return Err(refusal) };
    match accept::idempotency_record(&api.db, account, &key.key).await? {
        Some(record) => replay(record, &key.fingerprint),
        None => Err(refusal),
    }
}

/// An answer of JSON that is written already.
pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}
