//! `/v1/users`: people who log in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::UserId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::users::{self, NewUser};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::accounts::named;
use crate::auth::password::LENGTH;
use crate::auth::{Actor, Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::list::{List, Paging, Query};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(create_user)).routes(routes!(list_users))
}

/// A log-in to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateUser {
    /// Unique on the platform.
    #[schema(example = "person@example.com")]
    email: String,
    /// 8 to 200 characters.
    #[schema(format = Password)]
    password: String,
    /// For which account; your own when nothing is said.
    account_id: Option<String>,
}

/// A person who logs in.
#[derive(Serialize, ToSchema)]
struct User {
    /// Its id.
    id: String,
    /// For which account.
    account_id: String,
    /// The address.
    email: String,
    /// The log-in that made it; null: the platform itself, or nobody knows. It approves nothing that its maker asks for.
    created_by: Option<String>,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

/// Make a log-in. Only a person can: no key makes people.
#[utoipa::path(post, path = "/v1/users", tag = "account", request_body = CreateUser,
    responses((status = 201, body = User), Refusals))]
async fn create_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<User>), Problem> {
    caller.may(Scope::AccountWrite)?;
    if !caller.scopes.covers(crate::auth::Scopes::ALL) {
        // A log-in has every scope: a key with fewer must not make itself one.
        return Err(Problem::new(Code::Forbidden, "only a person who is logged in can make log-ins"));
    }
    let CreateUser { email, password, account_id } = raw.parse()?;
    let mut check = Check::default();
    let account = named(&api, &caller, &mut check, account_id.as_deref())?;
    check_email(&mut check, &email);
    check.that(LENGTH.contains(&password.chars().count()), "/password", "expected 8 to 200 characters");
    let account = check.finish_with(account)?;
    let hash = api.passwords.hash(password).await?;
    let id = UserId::generate();
    let mut tx = api.db.begin().await?;
    let created_by = match caller.actor {
        Actor::User(user) => Some(user),
        Actor::Key(_) => None,
    };
    let new = NewUser { id, account, email: &email, password_hash: &hash, created_by };
    let made = users::create(&mut tx, caller.account, &new).await;
    found(made.map_err(|error| conflict(error, "account_credentials_email", "this address is taken"))?)?;
    let change = Change { account, action: "user.create", subject: id.to_string(), detail: json!({"email": email}) };
    api.commit(tx, &caller, change).await?;
    let user = User {
        id: id.to_string(),
        account_id: account.to_string(),
        email,
        created_by: created_by.map(|user| user.to_string()),
        created_at: crate::time::now(),
    };
    Ok((StatusCode::CREATED, Json(user)))
}

fn check_email(check: &mut Check, email: &str) {
    check.that(is_email(email), "/email", "expected an e-mail address");
}

/// Whether it has the form of an address; whether somebody reads what goes there nobody can see.
pub(crate) fn is_email(text: &str) -> bool {
    text.len() <= 320
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// List the people of your own account and of all below it, newest first.
#[utoipa::path(get, path = "/v1/users", tag = "account", params(Paging),
    responses((status = 200, body = List<User>), Refusals))]
async fn list_users(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<User>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let page = query.page()?;
    let rows = users::list(&api.db, caller.account, page).await?;
    let view = |row: users::User| User {
        id: row.id.to_string(),
        account_id: row.account.to_string(),
        email: row.email,
        created_by: row.created_by.map(|user| user.to_string()),
        created_at: row.created_at,
    };
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), view)))
}
