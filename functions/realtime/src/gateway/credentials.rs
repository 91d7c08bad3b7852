//! Who opens a connection: an API key in the `Authorization` header, or a ticket in the query. People who are logged
//! in get a ticket from `POST /v1/realtime/tickets`, as browsers do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use domain::{KeyId, api_key};
use host::secrets::Keys;
use store::realtime::{self, Holder};
use store::{Db, Error, keys};

/// The scope that it takes.
const SCOPE: &str = "messages:read";

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Nothing that is valid.
    #[error("the credentials are not valid")]
    Unauthorized,
    /// Valid, but not for this.
    #[error("the scope {SCOPE} is needed")]
    Forbidden,
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] Error),
}

/// What a request brings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Given<'a> {
    pub(super) authorization: Option<&'a str>,
    pub(super) ticket: Option<&'a str>,
}

/// Who is behind it.
pub(super) async fn check(db: &Db, keys: &Keys, given: Given<'_>, now: DateTime<Utc>) -> Result<Holder, Refused> {
    if let Some(ticket) = given.ticket {
        let holder = realtime::use_ticket(db, &keys.hash(ticket.as_bytes())).await?;
        return holder.ok_or(Refused::Unauthorized);
    }
    let (named, secret) = read(given.authorization.ok_or(Refused::Unauthorized)?).ok_or(Refused::Unauthorized)?;
    let id = api_key::id_of(&secret).ok_or(Refused::Unauthorized)?;
    let known = keys::find(db, id).await?.ok_or(Refused::Unauthorized)?;
    let good = keys.matches(secret.as_bytes(), &known.secret_hash)
        && known.expires_at.is_none_or(|at| at > now)
        && named.is_none_or(|named| named == id);
    match good {
        false => Err(Refused::Unauthorized),
        true if !known.scopes.iter().any(|scope| scope == SCOPE) => Err(Refused::Forbidden),
        true => Ok(Holder { account: known.account, key: Some(id) }),
    }
}

/// The secret in `Bearer` or `Basic`; with `Basic` also the key that it says it is of.
fn read(header: &str) -> Option<(Option<KeyId>, String)> {
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((None, value.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((Some(id.parse().ok()?), secret.to_owned()))
}
