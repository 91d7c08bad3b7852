//! What a customer is told when a request is refused: RFC 9457 problem details with a stable code.
//!
//! Every code has its entry in `errors.md`, which is served at `/errors`; a test holds that.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use domain::Micros;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// The page of the catalogue, relative to the API itself.
const CATALOGUE: &str = "/errors";
/// What a caller waits when we cannot say better, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:ident, $retryable:literal, $title:literal;)*) => {
        /// Why a request was refused. Codes are stable: programs branch on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in answers, events and docs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// Can the same request succeed later?
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)* }
            }

            /// A few words for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// Not JSON, a field missing, a value of the wrong form, or several things at once.
    InvalidRequest = "invalid_request", BAD_REQUEST, false, "The request is not valid";
    /// A field that the endpoint does not know.
    UnknownField = "unknown_field", BAD_REQUEST, false, "A field is not known";
    /// A recipient that is no phone number.
    InvalidNumber = "invalid_number", UNPROCESSABLE_ENTITY, false, "The number is not valid";
    /// A sender that networks do not carry.
    InvalidSender = "invalid_sender", UNPROCESSABLE_ENTITY, false, "The sender ID is not valid";
    /// A text without characters.
    EmptyText = "empty_text", UNPROCESSABLE_ENTITY, false, "The text is empty";
    /// A text of more segments than a message can have.
    TextTooLong = "text_too_long", UNPROCESSABLE_ENTITY, false, "The text is too long";
    /// No price is in force for the recipient's network.
    UnpricedDestination = "unpriced_destination", UNPROCESSABLE_ENTITY, false, "The destination has no price";
    /// The message costs more than `max_price`.
    AboveMaxPrice = "above_max_price", UNPROCESSABLE_ENTITY, false, "The price is above the given maximum";
    /// The wallet has not enough.
    InsufficientCredit = "insufficient_credit", PAYMENT_REQUIRED, false, "The balance is not sufficient";
    /// The account, one above it, or the key has spent what it may on this day.
    SpendCapReached = "spend_cap_reached", PAYMENT_REQUIRED, false, "The spend cap of the day is reached";
    /// More than is left of what is refunded or corrected.
    ExceedsOriginal = "exceeds_original", UNPROCESSABLE_ENTITY, false, "It is more than is left of the original";
    /// The sender ID is not approved for the account.
    SenderNotAllowed = "sender_not_allowed", FORBIDDEN, false, "The sender ID is not approved";
    /// The recipient has asked for no more messages of the account.
    RecipientOptedOut = "recipient_opted_out", UNPROCESSABLE_ENTITY, false, "The recipient has opted out";
    /// No key, a wrong one, or one that is no longer in force.
    Unauthorized = "unauthorized", UNAUTHORIZED, false, "The credentials are not valid";
    /// The credentials are good, but not for this.
    Forbidden = "forbidden", FORBIDDEN, false, "The credentials do not allow this";
    /// The account, or one above it, is switched off.
    AccountSuspended = "account_suspended", FORBIDDEN, false, "The account is suspended";
    /// An account above set it, and only that one or who is above it takes it back.
    SetFromAbove = "set_from_above", FORBIDDEN, false, "An account above set it";
    /// There is nothing there, or it belongs to somebody else.
    NotFound = "not_found", NOT_FOUND, false, "Not found";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, false, "The method is not allowed here";
    /// It contradicts something that is stored.
    Conflict = "conflict", CONFLICT, false, "It conflicts with what is stored";
    /// The key was used before, with another request.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, false, "The idempotency key was used with another request";
    /// A body larger than the endpoint takes.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, false, "The body is too large";
    /// A body that does not say it is JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, false, "The body must be JSON";
    /// Faster than agreed. Nothing was done.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, true, "Too fast";
    /// As many connections as an account, or a process, can have.
    TooManyConnections = "too_many_connections", TOO_MANY_REQUESTS, true, "Too many connections";
    /// The platform cannot take it at this moment.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, true, "Not available at this moment";
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, true, "A fault of the platform";
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field; empty: the body as a whole. Query parameters count as fields.
    pub pointer: String,
    /// Why it was refused.
    pub code: Code,
    /// A sentence that says what to do. Never a number, a text or a secret.
    pub detail: Cow<'static, str>,
}

impl FieldError {
    /// An error of one field.
    pub fn new(pointer: impl Into<String>, code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// A refusal. It becomes an answer in `front`, which knows the request's id.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after_seconds: Option<u32>,
    /// What went wrong inside, for our log only.
    cause: Option<std::sync::Arc<anyhow::Error>>,
}

impl Problem {
    /// A refusal of the request as a whole.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_seconds = (code.is_retryable() && code != Code::Internal).then_some(RETRY_AFTER_SECONDS);
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after_seconds, cause: None }
    }

    /// A refusal because of one or more fields. One kind of error gives its own code; several kinds together
    /// are `invalid_request`.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let first = errors.first().map_or(Code::InvalidRequest, |error| error.code);
        let code = if errors.iter().all(|error| error.code == first) { first } else { Code::InvalidRequest };
        let detail = match errors.as_slice() {
            [only] => only.detail.clone(),
            _ => Cow::Borrowed("see errors: each names a field and what is wrong with it"),
        };
        Self { errors, ..Self::new(code, detail) }
    }

    /// A refusal because of one field.
    pub fn field(pointer: impl Into<String>, code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::fields(vec![FieldError::new(pointer, code, detail)])
    }

    /// Not there, or not yours: the same answer for both.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such thing, or it is not visible with these credentials")
    }

    /// Credentials that do not open anything; never says why.
    pub fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "send a valid API key or access token in the Authorization header")
    }

    /// A fault of ours; `cause` goes to the log.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let mut problem =
            Self::new(Code::Internal, "the platform failed; the request id helps support to find out why");
        problem.cause = Some(std::sync::Arc::new(cause.into()));
        problem
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds.max(1));
        self
    }

    /// The code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What went wrong inside, where something did.
    pub fn cause(&self) -> Option<&anyhow::Error> {
        self.cause.as_deref()
    }

    /// The errors of single fields.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The body of the answer.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        let error = |e: &FieldError| FieldErrorBody {
            pointer: e.pointer.clone(),
            code: e.code.name().to_owned(),
            detail: e.detail.clone().into_owned(),
        };
        ProblemBody {
            kind: format!("{CATALOGUE}#{}", self.code.name()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            code: self.code.name().to_owned(),
            detail: self.detail.clone().into_owned(),
            errors: self.errors.iter().map(error).collect(),
            request_id: request_id.to_owned(),
            retryable: self.code.is_retryable(),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        if error.is_transient() {
            let mut problem = Self::new(Code::Unavailable, "the database does not answer; try again shortly");
            problem.cause = Some(std::sync::Arc::new(error.into()));
            return problem;
        }
        if error.constraint() == Some("wallet_is_countable") {
            let detail = format!("a wallet would hold more than {}, which nobody counts", Micros::WALLET_MAX);
            return Self::new(Code::Conflict, detail);
        }
        Self::internal(error)
    }
}

impl IntoResponse for Problem {
    /// Status and headers; the body is written by `front`.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, Basic realm=\"chappe\""));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Problem details (RFC 9457): the body of every answer of 400 and above.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The entry of the catalogue of errors.
    #[serde(rename = "type")]
    #[schema(example = "/errors#invalid_number")]
    kind: String,
    /// A few words for people.
    #[schema(example = "The number is not valid")]
    title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// A stable name to branch on.
    #[schema(example = "invalid_number")]
    code: String,
    /// What to do about it.
    #[schema(example = "a number has 7 to 15 digits with its country code")]
    detail: String,
    /// Every field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldErrorBody>,
    /// Names this request in our logs.
    #[schema(example = "req_0199f3a1b2c37d4e8f5061728394a5b6")]
    request_id: String,
    /// Can the same request succeed later?
    retryable: bool,
}

/// What is wrong with one field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldError)]
struct FieldErrorBody {
    /// JSON pointer (RFC 6901) to the field.
    #[schema(example = "/to")]
    pointer: String,
    /// A stable name to branch on.
    #[schema(example = "invalid_number")]
    code: String,
    /// What to do about it.
    detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The catalogue that is served at `/errors`.
    const PAGE: &str = include_str!("../errors.md");

    #[test]
    fn every_code_has_its_entry_in_the_catalogue_and_no_other_is_there() {
        let entries: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(entries, codes);
        for code in Code::ALL {
            let status = format!("Status {}", code.status().as_u16());
            let entry = PAGE.split("## ").find(|entry| entry.lines().next() == Some(code.name())).unwrap();
            assert!(entry.contains(&status), "{} does not say {status}", code.name());
        }
    }

    #[test]
    fn several_kinds_of_errors_are_an_invalid_request() {
        let error = |code| FieldError::new("/to", code, "no");
        let rows = [
            (vec![error(Code::InvalidNumber)], Code::InvalidNumber),
            (vec![error(Code::InvalidNumber), error(Code::InvalidNumber)], Code::InvalidNumber),
            (vec![error(Code::InvalidNumber), error(Code::EmptyText)], Code::InvalidRequest),
        ];
        for (errors, expected) in rows {
            assert_eq!(Problem::fields(errors).code(), expected);
        }
    }
}
