//! `/v1/api-keys`: keys for programs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use domain::{AccountId, KeyId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::keys::{self, NewKey};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::accounts::named;
use crate::auth::keys::mint;
use crate::auth::{Caller, Scope, Scopes, scope};
use crate::body::Raw;
use crate::change::{Change, found};
use crate::check::Check;
use crate::list::{List, Paging, Query, path_id};
use crate::money::caps::is_uncapped;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(create_key)).routes(routes!(list_keys)).routes(routes!(revoke_key))
}

/// A key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    /// For people.
    #[schema(example = "shop server")]
    name: String,
    /// What it may do; sending, reading messages and the balance when nothing is said.
    #[schema(example = json!(["messages:write", "messages:read", "balance:read"]))]
    scopes: Option<Vec<String>>,
    /// Not used after this; for ever when nothing is said.
    expires_at: Option<String>,
    /// For which account; your own when nothing is said.
    account_id: Option<String>,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
struct CreatedKey {
    /// Its id: the user name of HTTP Basic.
    id: String,
    /// The key itself. It is shown this once; send it as `Authorization: Bearer`, or as the password of Basic.
    secret: String,
    /// What it may do.
    scopes: Vec<String>,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
struct ApiKey {
    /// Its id.
    id: String,
    /// For which account it acts.
    account_id: String,
    /// For people.
    name: String,
    /// What it may do.
    scopes: Vec<String>,
    /// Not used after this.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    #[serde(serialize_with = "crate::time::millis_some")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    #[serde(serialize_with = "crate::time::millis")]
    created_at: DateTime<Utc>,
}

/// Make an API key. It cannot do more than you can; a key with a spend cap makes none.
#[utoipa::path(post, path = "/v1/api-keys", tag = "account", request_body = CreateKey,
    responses((status = 201, body = CreatedKey), Refusals))]
async fn create_key(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<CreatedKey>), Problem> {
    caller.may(Scope::AccountWrite)?;
    is_uncapped(&api, &caller).await?;
    let body: CreateKey = raw.parse()?;
    let mut check = Check::default();
    check.label("/name", &body.name, 200);
    let account = named(&api, &caller, &mut check, body.account_id.as_deref())?;
    let scopes = read_scopes(&mut check, body.scopes.as_deref());
    let expires_at = check.time("/expires_at", body.expires_at.as_deref());
    check.that(expires_at.is_none_or(|at| at > Utc::now()), "/expires_at", "expected a time to come");
    let account = check.finish_with(account)?;
    if !caller.scopes.covers(scopes) {
        return Err(Problem::new(Code::Forbidden, "a key cannot do more than who makes it"));
    }
    let minted = mint(&api.keys).map_err(Problem::internal)?;
    let key = NewKey {
        id: minted.id,
        account,
        name: body.name.trim().to_owned(),
        secret_hash: minted.hash,
        scopes: scopes.names(),
        expires_at,
    };
    let mut tx = api.db.begin().await?;
    found(keys::create(&mut tx, caller.account, &key).await?)?;
    let detail = json!({"name": key.name, "scopes": key.scopes});
    let change = Change { account, action: "api_key.create", subject: key.id.to_string(), detail };
    api.commit(tx, &caller, change).await?;
    let created = CreatedKey { id: key.id.to_string(), secret: minted.secret, scopes: key.scopes };
    Ok((StatusCode::CREATED, Json(created)))
}

fn read_scopes(check: &mut Check, names: Option<&[String]>) -> Scopes {
    let Some(names) = names else { return Scopes::DEFAULT };
    let mut scopes = Scopes::default();
    for (at, name) in names.iter().enumerate() {
        if let Some(scope) = scope::parse(name) {
            scopes = scopes.with(scope);
        } else {
            let detail = format!("expected one of {}", Scopes::ALL.names().join(", "));
            check.refuse(&format!("/scopes/{at}"), Code::InvalidRequest, detail);
        }
    }
    check.that(!names.is_empty(), "/scopes", "expected at least one scope");
    scopes
}

/// List the keys of your own account and of all below it, newest first.
#[utoipa::path(get, path = "/v1/api-keys", tag = "account", params(Paging),
    responses((status = 200, body = List<ApiKey>), Refusals))]
async fn list_keys(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<ApiKey>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let page = query.page()?;
    let rows = keys::list(&api.db, caller.account, page).await?;
    let view = |row: keys::Key| ApiKey {
        id: KeyId::from_uuid(row.id).to_string(),
        account_id: AccountId::from_uuid(row.account_id).to_string(),
        name: row.name,
        scopes: row.scopes,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
        created_at: row.created_at,
    };
    Ok(Json(List::new(page, rows, |row| row.id, view)))
}

/// Revoke a key for good. In force everywhere within five seconds.
#[utoipa::path(delete, path = "/v1/api-keys/{id}", tag = "account", params(("id" = String, Path, description = "`key_…`")),
    responses((status = 204), Refusals))]
async fn revoke_key(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AccountWrite)?;
    let id: KeyId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let account = keys::revoke(&mut tx, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    let change = Change { account, action: "api_key.revoke", subject: id.to_string(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    api.key_cache.forget(id);
    Ok(StatusCode::NO_CONTENT)
}
