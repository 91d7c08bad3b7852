//! `Idempotency-Key`: the same request twice has the effect of once, and the same answer.

use axum::response::{IntoResponse, Response};
use domain::AccountId;
use host::secrets::fingerprint;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use store::accept::{self, IdempotencyRecord};

use crate::Api;
use crate::problem::{Code, Problem};

/// Longest key, in characters.
const KEY_MAX: usize = 255;
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
