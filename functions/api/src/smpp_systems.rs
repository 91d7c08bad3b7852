//! `/v1/smpp/systems` and `/v1/smpp/sessions`: how customers bind over SMPP, and who is bound.

mod form;
mod sessions;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use contract::SystemSettings;
use domain::SmppSystemId;
use host::secrets::random_token;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use store::smpp_systems;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::accounts::named;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::list::{List, Query, page, path_id};
use crate::money::caps::is_uncapped;
use crate::openapi::Refusals;
use crate::problem::Problem;
use form::SystemForm;
pub use form::blank;
use view::{MadeSystem, System};

/// Characters of a generated password: as many as the field of SMPP 3.4 section 5.2.2 holds, so that every library
/// takes it.
const GENERATED_CHARS: usize = 8;
/// Characters of a given one.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=64;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_system))
        .routes(routes!(list_systems))
        .routes(routes!(get_system))
        .routes(routes!(change_system))
        .routes(routes!(delete_system))
        .routes(routes!(change_password))
        .merge(sessions::routes())
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// 8 to 64 characters of ASCII; without one, a password of 8 characters is made.
    #[schema(format = Password)]
    password: Option<String>,
}

/// Which systems.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Of this account; else of your own and all below it.
    account_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

/// Let a customer bind over SMPP. The password is shown once, where it is made here.
#[utoipa::path(post, path = "/v1/smpp/systems", tag = "smpp", request_body = SystemForm,
    responses((status = 201, body = MadeSystem), Refusals))]
async fn create_system(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<MadeSystem>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    is_uncapped(&api, &caller).await?;
    let mut form: SystemForm = raw.parse()?;
    let mut check = Check::default();
    let account = named(&api, &caller, &mut check, form.account_id.take().as_deref())?;
    check.that(form.system_id.is_some(), "/system_id", "is required");
    let given = form.password.take();
    let (password, is_made) = password(&mut check, given)?;
    let mut settings = blank(SmppSystemId::generate(), account.unwrap_or(caller.account));
    form.apply(&mut check, &mut settings);
    check.finish()?;
    settings.password_hash.0 = api.keys.hash(password.as_bytes()).to_vec();
    // The queue is there before anything can be delivered to it; one too many does no harm.
    api.queue.create(&contract::queues::deliver(settings.id)).await.map_err(Problem::internal)?;
    save(&api, &caller, &settings, "smpp_system.create").await?;
    let system = show(&api, &caller, settings.id).await?;
    Ok((StatusCode::CREATED, Json(MadeSystem { system, password: Some(password).filter(|_| is_made) })))
}

/// The password that is given, or a new one, and whether it was made here.
fn password(check: &mut Check, given: Option<String>) -> Result<(String, bool), Problem> {
    let Some(given) = given else {
        return Ok((make_password().map_err(Problem::internal)?, true));
    };
    let good = PASSWORD_CHARS.contains(&given.len()) && given.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    check.that(good, "/password", "expected 8 to 64 characters of ASCII");
    Ok((given, false))
}

/// A random password that every SMPP library takes.
///
/// # Errors
/// When the system has no randomness.
pub fn make_password() -> Result<String, host::secrets::Error> {
    let mut password = String::new();
    while password.len() < GENERATED_CHARS {
        let token = random_token()?;
        password.extend(token.chars().filter(char::is_ascii_alphanumeric).take(GENERATED_CHARS - password.len()));
    }
    Ok(password)
}

async fn save(api: &Api, caller: &Caller, settings: &SystemSettings, action: &'static str) -> Result<(), Problem> {
    let mut tx = api.db.begin().await?;
    let taken = |error| conflict(error, "smpp_systems_system_id_key", "this system_id is taken");
    found(smpp_systems::put(&mut tx, &api.db, caller.account, settings).await.map_err(taken)?)?;
    api.commit(tx, caller, change(settings, action)).await
}

fn change(settings: &SystemSettings, action: &'static str) -> Change {
    let mut detail = serde_json::to_value(settings).unwrap_or_default();
    if let Some(fields) = detail.as_object_mut() {
        fields.remove("password_hash");
    }
    Change { account: settings.account_id, action, subject: settings.id.to_string(), detail }
}

async fn show(api: &Api, caller: &Caller, id: SmppSystemId) -> Result<System, Problem> {
    let row = smpp_systems::get(&api.db, caller.account, id).await?;
    row.map(System::of).ok_or_else(Problem::not_found)
}

/// List the systems of your own account and of all below it, newest first.
#[utoipa::path(get, path = "/v1/smpp/systems", tag = "smpp", params(Filters),
    responses((status = 200, body = List<System>), Refusals))]
async fn list_systems(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Filters>,
) -> Result<Json<List<System>>, Problem> {
    caller.may(Scope::AccountRead)?;
    let mut check = Check::default();
    let page = page(&mut check, query.cursor.as_deref(), query.limit.as_deref());
    let account = check.parse_some("/account_id", query.account_id.as_deref());
    check.finish()?;
    if let Some(account) = account {
        caller.sees(&api.catalogue.get(), account)?;
    }
    let rows = smpp_systems::list(&api.db, caller.account, account, page).await?;
    Ok(Json(List::new(page, rows, |row| row.settings.id.uuid(), System::of)))
}

/// Read a system.
#[utoipa::path(get, path = "/v1/smpp/systems/{id}", tag = "smpp", params(("id" = String, Path, description = "`sys_…`")),
    responses((status = 200, body = System), Refusals))]
async fn get_system(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<System>, Problem> {
    caller.may(Scope::AccountRead)?;
    Ok(Json(show(&api, &caller, path_id(&id)?).await?))
}

/// Change a system; what is absent stays. Live sessions follow within seconds.
#[utoipa::path(patch, path = "/v1/smpp/systems/{id}", tag = "smpp", params(("id" = String, Path, description = "`sys_…`")),
    request_body = SystemForm, responses((status = 200, body = System), Refusals))]
async fn change_system(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<System>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    is_uncapped(&api, &caller).await?;
    let id: SmppSystemId = path_id(&id)?;
    let mut form: SystemForm = raw.parse()?;
    let mut check = Check::default();
    check.that(form.account_id.take().is_none(), "/account_id", "a system stays with its account");
    let mut tx = api.db.begin().await?;
    let row = smpp_systems::get_for_update(&mut tx, caller.account, id).await?;
    let mut settings = row.ok_or_else(Problem::not_found)?.settings;
    if form.password.is_some() {
        let (password, _) = password(&mut check, form.password.take())?;
        settings.password_hash.0 = api.keys.hash(password.as_bytes()).to_vec();
    }
    form.apply(&mut check, &mut settings);
    check.finish()?;
    let taken = |error| conflict(error, "smpp_systems_system_id_key", "this system_id is taken");
    found(smpp_systems::put(&mut tx, &api.db, caller.account, &settings).await.map_err(taken)?)?;
    api.commit(tx, &caller, change(&settings, "smpp_system.update")).await?;
    Ok(Json(show(&api, &caller, id).await?))
}

/// Remove a system. Its sessions are closed, its history stays, its name is free again.
#[utoipa::path(delete, path = "/v1/smpp/systems/{id}", tag = "smpp", params(("id" = String, Path, description = "`sys_…`")),
    responses((status = 204), Refusals))]
async fn delete_system(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_seller()?;
    let id: SmppSystemId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let account = smpp_systems::delete(&mut tx, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    let change = Change { account, action: "smpp_system.delete", subject: id.to_string(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a system another password. Sessions that are bound stay.
#[utoipa::path(post, path = "/v1/smpp/systems/{id}/password", tag = "smpp", params(("id" = String, Path, description = "`sys_…`")),
    request_body = NewPassword, responses((status = 200, body = MadeSystem), Refusals))]
async fn change_password(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<MadeSystem>, Problem> {
    caller.may(Scope::AccountWrite)?;
    is_uncapped(&api, &caller).await?;
    let id: SmppSystemId = path_id(&id)?;
    let body: NewPassword = raw.parse()?;
    let mut check = Check::default();
    let (password, is_made) = password(&mut check, body.password)?;
    check.finish()?;
    let mut tx = api.db.begin().await?;
    let row = smpp_systems::get_for_update(&mut tx, caller.account, id).await?;
    let mut settings = row.ok_or_else(Problem::not_found)?.settings;
    settings.password_hash.0 = api.keys.hash(password.as_bytes()).to_vec();
    found(smpp_systems::put(&mut tx, &api.db, caller.account, &settings).await?)?;
    let (account, action) = (settings.account_id, "smpp_system.password");
    api.commit(tx, &caller, Change { account, action, subject: id.to_string(), detail: json!({}) }).await?;
    let system = show(&api, &caller, id).await?;
    Ok(Json(MadeSystem { system, password: Some(password).filter(|_| is_made) }))
}
