//! Logging in: an access token for a quarter of an hour, and a refresh token that is used once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, UserId};
use host::secrets;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use store::tx::{Tx, commit};
use store::users::{self, NewToken, TokenUse};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::token::{self, Claims, LIFE_SECONDS};
use crate::Api;
use crate::body::Raw;
use crate::openapi::Refusals;
use crate::problem::Problem;

/// Wrong passwords until a log-in is locked.
const FAILURES_MAX: i32 = 10;
/// For how long it is locked.
const LOCK_MINUTES: i32 = 15;
/// How long a refresh token is good.
const REFRESH_DAYS: i64 = 30;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(log_in)).routes(routes!(refresh)).routes(routes!(log_out))
}

/// An address and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogIn {
    /// The address of the log-in.
    #[schema(example = "client@example.com")]
    email: String,
    /// Its password.
    #[schema(example = "password123", format = Password)]
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// As it was given; good for one use.
    refresh_token: String,
}

/// What a log-in gives.
#[derive(Serialize, ToSchema)]
struct Tokens {
    /// Send it as `Authorization: Bearer`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds that the access token is good for.
    expires_in: i64,
    /// Gives the next pair, once.
    refresh_token: String,
    /// The account that it acts for.
    account_id: String,
}

/// Log in.
///
/// A wrong password and an unknown address get the same answer. After ten wrong passwords the log-in is locked
/// for a quarter of an hour.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", request_body = LogIn, security(()),
    responses((status = 200, body = Tokens), Refusals))]
async fn log_in(State(api): State<Arc<Api>>, raw: Raw) -> Result<Json<Tokens>, Problem> {
    let LogIn { email, password } = raw.parse()?;
    let sane = !email.contains('\0') && email.len() <= 320 && password.len() <= 1024;
    let found = if sane { users::by_email(&api.db, &email).await? } else { None };
    let stored = found.as_ref().map(|user| user.password_hash.clone());
    let right = api.passwords.verify(password, stored).await?;
    let Some(user) = found else { return Err(Problem::unauthorized()) };
    if user.locked_until.is_some_and(|until| until > Utc::now()) {
        return Err(Problem::unauthorized());
    }
    if !right {
        users::count_failure(&api.db, user.user, FAILURES_MAX, LOCK_MINUTES).await?;
        return Err(Problem::unauthorized());
    }
    users::clear_failures(&api.db, user.user).await?;
    let mut tx = api.db.begin().await?;
    let tokens = issue(&api, &mut tx, (user.user, user.account), Uuid::now_v7()).await?;
    commit(tx).await?;
    Ok(Json(tokens))
}

/// Use a refresh token.
///
/// The token is used up. Using it a second time means that somebody has a copy: the whole log-in ends.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth", request_body = Refresh, security(()),
    responses((status = 200, body = Tokens), Refusals))]
async fn refresh(State(api): State<Arc<Api>>, raw: Raw) -> Result<Json<Tokens>, Problem> {
    let Refresh { refresh_token } = raw.parse()?;
    let mut tx = api.db.begin().await?;
    let used = users::use_token(&mut tx, &api.keys.hash(refresh_token.as_bytes())).await?;
    let tokens = match used {
        TokenUse::Fresh { user, account, family } => Some(issue(&api, &mut tx, (user, account), family).await?),
        TokenUse::Reused | TokenUse::Refused => None,
    };
    commit(tx).await?;
    tokens.map(Json).ok_or_else(Problem::unauthorized)
}

/// Log out.
///
/// Ends the log-in that the refresh token belongs to. Its access token runs out by itself.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", request_body = Refresh, security(()),
    responses((status = 204), Refusals))]
async fn log_out(State(api): State<Arc<Api>>, raw: Raw) -> Result<StatusCode, Problem> {
    let Refresh { refresh_token } = raw.parse()?;
    let mut tx = api.db.begin().await?;
    users::end_session(&mut tx, &api.keys.hash(refresh_token.as_bytes())).await?;
    commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn issue(api: &Api, tx: &mut Tx, (user, account): (UserId, AccountId), family: Uuid) -> Result<Tokens, Problem> {
    let now: DateTime<Utc> = Utc::now();
    let access_token = token::issue(api.keys.token_key(), Claims { user, account }, now).map_err(Problem::internal)?;
    let refresh_token = secrets::random_token().map_err(Problem::internal)?;
    let stored = NewToken {
        hash: api.keys.hash(refresh_token.as_bytes()),
        family,
        user,
        expires_at: now + TimeDelta::days(REFRESH_DAYS),
    };
    users::issue_token(tx, &stored).await?;
    Ok(Tokens {
        access_token,
        token_type: "Bearer",
        expires_in: LIFE_SECONDS,
        refresh_token,
        account_id: account.to_string(),
    })
}
