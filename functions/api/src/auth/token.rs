//! Access tokens of log-ins: JWT (RFC 7519), HS256, short-lived; nothing of them is stored.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

/// How long an access token is good, in seconds.
pub(crate) const LIFE_SECONDS: i64 = 900;
/// Who issues it, and for whom.
const ISSUER: &str = "chappe";

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Who.
    pub(crate) user: UserId,
    /// For which account.
    pub(crate) account: AccountId,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    iss: String,
    sub: UserId,
    acc: AccountId,
    iat: i64,
    exp: i64,
}

/// Issues a token.
pub(crate) fn issue(key: &[u8], claims: Claims, now: DateTime<Utc>) -> Result<String, jsonwebtoken::errors::Error> {
    let wire = Wire {
        iss: ISSUER.to_owned(),
        sub: claims.user,
        acc: claims.account,
        iat: now.timestamp(),
        exp: (now + TimeDelta::seconds(LIFE_SECONDS)).timestamp(),
    };
    encode(&Header::new(Algorithm::HS256), &wire, &EncodingKey::from_secret(key))
}

/// What a token says, where it is ours and in force.
pub(crate) fn verify(key: &[u8], token: &str) -> Option<Claims> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_issuer(&[ISSUER]);
    rules.set_required_spec_claims(&["exp", "iss", "sub"]);
    rules.leeway = 0;
    let wire = decode::<Wire>(token, &DecodingKey::from_secret(key), &rules).ok()?.claims;
    Some(Claims { user: wire.sub, account: wire.acc })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_fresh_tokens_are_believed() {
        let claims = Claims { user: UserId::generate(), account: AccountId::generate() };
        let now = Utc::now();
        let token = issue(b"key", claims, now).unwrap();
        assert_eq!(verify(b"key", &token), Some(claims));
        assert_eq!(verify(b"other", &token), None);
        let old = issue(b"key", claims, now - TimeDelta::seconds(LIFE_SECONDS + 2)).unwrap();
        assert_eq!(verify(b"key", &old), None);
        let (head, rest) = token.split_once('.').unwrap();
        assert_eq!(verify(b"key", &format!("{head}x.{rest}")), None);
        // "alg": "none"
        assert_eq!(verify(b"key", &format!("eyJhbGciOiJub25lIn0.{}.", rest.split_once('.').unwrap().0)), None);
    }
}
