//! `/v1/operators` and `/v1/operator-rates`: who carries messages, how to bind to them, and what they charge.
//! The house only.

pub(crate) mod health;
mod presets;
mod profile;
mod rate_ends;
mod rates;
mod view;

pub(crate) use profile::check_hours;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use contract::BindType;
use domain::OperatorId;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::operators::{self, Operator as Row};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::body::Raw;
use crate::change::{Change, conflict, found};
use crate::check::Check;
use crate::list::{List, Paging, Query, path_id};
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};
use view::Operator;

/// Bytes of a password and a `system_id` on the wire (SMPP 3.4 sections 5.2.1 and 5.2.2), without their NUL.
const PASSWORD_MAX: usize = 8;
const SYSTEM_ID_MAX: usize = 15;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create_operator))
        .routes(routes!(list_operators))
        .routes(routes!(get_operator))
        .routes(routes!(change_operator))
        .routes(routes!(delete_operator))
        .merge(health::routes())
        .merge(presets::routes())
        .merge(rates::routes())
        .merge(rate_ends::routes())
}

/// An operator to connect to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateOperator {
    /// For people; unique.
    #[schema(example = "Ucell")]
    name: String,
    /// Host name or address.
    #[schema(example = "smpp.example.com")]
    host: String,
    /// TCP port.
    #[schema(example = 2775)]
    port: u16,
    /// Our name there.
    #[schema(example = "chappe")]
    system_id: String,
    /// Our password there. It is sealed, and never shown again.
    #[schema(format = Password)]
    password: String,
    /// Mostly empty.
    system_type: Option<String>,
    /// `transceiver` (default), `transmitter` or `receiver`.
    bind_type: Option<String>,
    /// How many sessions: 1 to 100; 1 when nothing is said.
    binds: Option<u16>,
    /// Unanswered submits per session: 1 to 10,000; 10 when nothing is said.
    window: Option<u16>,
    /// Segments per second over all sessions; 0 (default): no limit.
    tps: Option<u32>,
    /// Segments that it is given on one day (UTC); 0 (default): no limit.
    daily_cap: Option<u64>,
    /// Among equal costs the smaller is chosen; 100 when nothing is said.
    priority: Option<i16>,
    /// Connect and use it; true when nothing is said.
    enabled: Option<bool>,
    /// A profile to begin with, by its name in `/v1/operator-presets`.
    preset: Option<String>,
    /// In what it differs from others, over the preset where one is named. `smpp-edge/OPERATORS.md` explains each
    /// field.
    #[schema(value_type = Option<Object>, additional_properties)]
    profile: Option<Map<String, Value>>,
    /// The key of our certificate there, in PEM. It is sealed, and never shown again.
    #[schema(format = Password)]
    tls_key: Option<String>,
}

/// What to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeOperator {
    /// For people; unique.
    name: Option<String>,
    /// Host name or address.
    host: Option<String>,
    /// TCP port.
    port: Option<u16>,
    /// Our name there.
    system_id: Option<String>,
    /// Our password there.
    #[schema(format = Password)]
    password: Option<String>,
    /// Mostly empty.
    system_type: Option<String>,
    /// `transceiver`, `transmitter` or `receiver`.
    bind_type: Option<String>,
    /// How many sessions: 1 to 100.
    binds: Option<u16>,
    /// Unanswered submits per session: 1 to 10,000.
    window: Option<u16>,
    /// Segments per second over all sessions; 0: no limit.
    tps: Option<u32>,
    /// Segments that it is given on one day (UTC); 0: no limit. What was routed before it had one does not count.
    daily_cap: Option<u64>,
    /// Among equal costs the smaller is chosen.
    priority: Option<i16>,
    /// Connect and use it.
    enabled: Option<bool>,
    /// Another profile to begin with; the one before goes.
    preset: Option<String>,
    /// In what it differs from others, as a whole: what is not in it has its default, or that of the preset.
    #[schema(value_type = Option<Object>, additional_properties)]
    profile: Option<Map<String, Value>>,
    /// The key of our certificate there, in PEM; empty: none.
    #[schema(format = Password)]
    tls_key: Option<String>,
}

/// Connect to a new operator.
#[utoipa::path(post, path = "/v1/operators", tag = "operators", request_body = CreateOperator,
    responses((status = 201, body = Operator), Refusals))]
async fn create_operator(
    State(api): State<Arc<Api>>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<Operator>), Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let body: CreateOperator = raw.parse()?;
    let blank = Row {
        id: OperatorId::generate(),
        name: String::new(),
        host: String::new(),
        port: body.port,
        system_id: String::new(),
        password_sealed: Vec::new(),
        system_type: String::new(),
        bind_type: BindType::Transceiver,
        binds: 1,
        window: 10,
        tps: 0,
        daily_cap: 0,
        priority: 100,
        enabled: true,
        profile: Box::default(),
        tls_key_sealed: None,
        created_at: crate::time::now(),
    };
    let change = ChangeOperator {
        name: Some(body.name),
        host: Some(body.host),
        port: Some(body.port),
        system_id: Some(body.system_id),
        password: Some(body.password),
        system_type: body.system_type,
        bind_type: body.bind_type,
        binds: body.binds,
        window: body.window,
        tps: body.tps,
        daily_cap: body.daily_cap,
        priority: body.priority,
        enabled: body.enabled,
        preset: body.preset,
        profile: body.profile,
        tls_key: body.tls_key,
    };
    let operator = apply(&api, blank, change)?;
    // The queue is there before anybody can route to it; one too many does no harm.
    let queue = contract::queues::submit(operator.id);
    api.queue.create(&queue).await.map_err(Problem::internal)?;
    save(&api, &caller, &operator, "operator.create").await?;
    Ok((StatusCode::CREATED, show(&api, operator.id).await?))
}

async fn save(api: &Api, caller: &Caller, operator: &Row, action: &'static str) -> Result<(), Problem> {
    let mut tx = api.db.begin().await?;
    let taken = |error| conflict(error, "operators_name_key", "an operator has this name already");
    operators::put(&mut tx, operator).await.map_err(taken)?;
    api.commit(tx, caller, change(caller, operator, action)).await
}

fn change(caller: &Caller, operator: &Row, action: &'static str) -> Change {
    let detail = json!({"name": operator.name, "host": operator.host, "port": operator.port,
        "system_id": operator.system_id, "binds": operator.binds, "window": operator.window, "tps": operator.tps,
        "daily_cap": operator.daily_cap, "priority": operator.priority, "enabled": operator.enabled});
    Change { account: caller.account, action, subject: operator.id.to_string(), detail }
}

/// Puts the changes on top, checks the whole, and seals a new password.
fn apply(api: &Api, mut row: Row, change: ChangeOperator) -> Result<Row, Problem> {
    let mut check = Check::default();
    if let Some(name) = change.name {
        check.label("/name", &name, 100);
        name.trim().clone_into(&mut row.name);
    }
    if let Some(host) = change.host {
        let good =
            (1..=253).contains(&host.len()) && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
        check.that(good, "/host", "expected a host name or an address");
        row.host = host;
    }
    if let Some(bind_type) = change.bind_type {
        let read = BindType::parse(&bind_type).ok_or("expected transceiver, transmitter or receiver");
        row.bind_type = check.value("/bind_type", Code::InvalidRequest, read).unwrap_or(row.bind_type);
    }
    row.port = change.port.unwrap_or(row.port);
    row.binds = change.binds.unwrap_or(row.binds);
    row.window = change.window.unwrap_or(row.window);
    row.tps = change.tps.unwrap_or(row.tps);
    row.daily_cap = change.daily_cap.unwrap_or(row.daily_cap);
    row.priority = change.priority.unwrap_or(row.priority);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    row.system_id = change.system_id.unwrap_or(row.system_id);
    row.system_type = change.system_type.unwrap_or(row.system_type);
    check_ranges(&mut check, &row);
    if let Some(password) = change.password {
        check.that(wire_text(&password, PASSWORD_MAX), "/password", "expected up to 8 characters of ASCII");
        let sealed = api.keys.seal(password.as_bytes(), &row.id.to_string());
        row.password_sealed = sealed.map_err(Problem::internal)?;
    }
    if change.preset.is_some() || change.profile.is_some() {
        let read = profile::read(&mut check, change.preset.as_deref(), change.profile.unwrap_or_default());
        row.profile = Box::new(read.unwrap_or_default());
    }
    if let Some(key) = change.tls_key {
        check.that(key.is_empty() || is_key(&key), "/tls_key", "expected a private key in PEM, without a password");
        let sealed = api.keys.seal(key.as_bytes(), &operators::tls_place(row.id)).map_err(Problem::internal)?;
        row.tls_key_sealed = Some(sealed).filter(|_| !key.is_empty());
    }
    check_tls(&mut check, &row);
    check.finish()?;
    Ok(row)
}

fn check_ranges(check: &mut Check, row: &Row) {
    check.that(row.port > 0, "/port", "expected 1 to 65535");
    check.that((1..=100).contains(&row.binds), "/binds", "expected 1 to 100");
    check.that((1..=10_000).contains(&row.window), "/window", "expected 1 to 10000");
    check.that(row.tps <= 1_000_000, "/tps", "expected 0 to 1000000");
    check.that(row.daily_cap <= 1_000_000_000_000, "/daily_cap", "expected 0 to 1000000000000");
    let named = !row.system_id.is_empty() && wire_text(&row.system_id, SYSTEM_ID_MAX);
    check.that(named, "/system_id", "expected 1 to 15 characters of ASCII");
    check.that(wire_text(&row.system_type, 12), "/system_type", "expected up to 12 characters of ASCII");
}

/// What belongs together.
fn check_tls(check: &mut Check, row: &Row) {
    let shows = row.profile.tls.as_ref().is_some_and(|tls| tls.client_certificate.is_some());
    check.that(
        !shows || row.tls_key_sealed.is_some(),
        "/tls_key",
        "the client certificate of the profile needs its key",
    );
    let pairs = row.profile.session.pairs && row.bind_type != BindType::Transceiver;
    check.that(!pairs, "/profile/session/pairs", "pairs take the place of transceivers: set bind_type to that");
}

fn is_key(pem: &str) -> bool {
    pem.len() <= 16 * 1024
        && pem.contains("-----BEGIN ")
        && pem.contains("PRIVATE KEY-----")
        && !pem.contains("ENCRYPTED")
}

/// A C-octet string of SMPP: ASCII that shows.
fn wire_text(text: &str, max: usize) -> bool {
    text.len() <= max && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

async fn show(api: &Api, id: OperatorId) -> Result<Json<Operator>, Problem> {
    let row = operators::get(&api.db, id).await?.ok_or_else(Problem::not_found)?;
    let binds = operators::binds(&api.db, &[id]).await?;
    Ok(Json(Operator::of(row, &binds)))
}

/// List operators with their sessions, newest first.
#[utoipa::path(get, path = "/v1/operators", tag = "operators", params(Paging),
    responses((status = 200, body = List<Operator>), Refusals))]
async fn list_operators(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<Paging>,
) -> Result<Json<List<Operator>>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    let page = query.page()?;
    let rows = operators::list(&api.db, page).await?;
    let ids: Vec<OperatorId> = rows.iter().map(|row| row.id).collect();
    let binds = operators::binds(&api.db, &ids).await?;
    Ok(Json(List::new(page, rows, |row| row.id.uuid(), |row| Operator::of(row, &binds))))
}

/// Read an operator with its sessions.
#[utoipa::path(get, path = "/v1/operators/{id}", tag = "operators", params(("id" = String, Path, description = "`op_…`")),
    responses((status = 200, body = Operator), Refusals))]
async fn get_operator(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Operator>, Problem> {
    caller.may(Scope::AdminRead)?;
    caller.is_house()?;
    show(&api, path_id(&id)?).await
}

/// Change an operator. Its sessions follow within a second.
#[utoipa::path(patch, path = "/v1/operators/{id}", tag = "operators", params(("id" = String, Path, description = "`op_…`")),
    request_body = ChangeOperator, responses((status = 200, body = Operator), Refusals))]
async fn change_operator(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Json<Operator>, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: OperatorId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    let row = operators::get_for_update(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    let row = apply(&api, row, raw.parse()?)?;
    let taken = |error| conflict(error, "operators_name_key", "an operator has this name already");
    operators::put(&mut tx, &row).await.map_err(taken)?;
    let change = change(&caller, &row, "operator.update");
    api.commit(tx, &caller, change).await?;
    show(&api, id).await
}

/// Remove an operator. Its history stays; what waits in its queue is routed elsewhere.
#[utoipa::path(delete, path = "/v1/operators/{id}", tag = "operators", params(("id" = String, Path, description = "`op_…`")),
    responses((status = 204), Refusals))]
async fn delete_operator(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::AdminWrite)?;
    caller.is_house()?;
    let id: OperatorId = path_id(&id)?;
    let mut tx = api.db.begin().await?;
    found(operators::delete(&mut tx, id).await?)?;
    let change =
        Change { account: caller.account, action: "operator.delete", subject: id.to_string(), detail: json!({}) };
    api.commit(tx, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
