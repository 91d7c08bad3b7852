//! What the edge is told and what it tells: plain functions, and the same over HTTP for an edge elsewhere.
//!
//! The HTTP form has an address of its own and one bearer token, derived from the platform's secret. It is no
//! part of the public API and of its description.

mod look;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::Utc;
use contract::edge::SubmitKey;
use contract::intake::{AboutMessage, Answer, Submissions, SubmitVerdict};
use contract::{EdgeSnapshot, OperatorSettings, OperatorStatus, Orders, SessionStatus};
use domain::Private;
use host::secrets::Keys;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use store::tx::commit;
use store::{Db, operators, smpp_systems};

use crate::list::Query;
use crate::problem::{Code, Problem};
use crate::{Api, dress, smpp};

/// What an edge reports of its sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BindReport {
    /// Which edge.
    pub edge_id: String,
    /// Every operator that it knows.
    pub operators: Vec<OperatorStatus>,
    /// Every session of a customer that it holds.
    #[serde(default)]
    pub sessions: Vec<SessionStatus>,
}

/// Which submits an edge asks about, and which of them have an outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Submits {
    /// (message, hop).
    pub submits: Vec<SubmitKey>,
}

/// Customers' submissions of one request at most.
const SUBMISSIONS_MAX: usize = 1_000;
/// Bytes of their body: a text of 255 segments in JSON, a thousand times over, is never sent; this is generous.
const SUBMISSIONS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Submits of one question at most.
const SUBMITS_MAX: usize = 10_000;

/// The settings of every operator and of every customer's system; `None` when the edge has this version already.
///
/// # Errors
/// When the database fails, or a password cannot be unsealed with this platform's secret.
pub async fn snapshot(db: &Db, keys: &Keys, known: Option<i64>) -> anyhow::Result<Option<EdgeSnapshot>> {
    if known.is_some() && known == Some(store::catalogue::version(db).await?) {
        return Ok(None);
    }
    let (version, rows) = operators::snapshot(db).await?;
    let operators = rows.into_iter().map(|row| settings(keys, row)).collect::<anyhow::Result<_>>()?;
    let systems = smpp_systems::snapshot(db).await?;
    Ok(Some(EdgeSnapshot { version, operators, systems }))
}

fn settings(keys: &Keys, row: operators::Operator) -> anyhow::Result<OperatorSettings> {
    let password = keys.open(&row.password_sealed, &row.id.to_string())?;
    let tls_key = row.tls_key_sealed.as_deref().map(|sealed| keys.open(sealed, &operators::tls_place(row.id)));
    let tls_key = tls_key.transpose()?.map(String::from_utf8).transpose()?;
    Ok(OperatorSettings {
        id: row.id,
        name: row.name,
        host: row.host,
        port: row.port,
        system_id: row.system_id,
        password: Private::new(String::from_utf8(password)?),
        system_type: row.system_type,
        bind_type: row.bind_type,
        binds: row.binds,
        window: row.window,
        tps: row.tps,
        enabled: row.enabled,
        profile: row.profile,
        tls_key: tls_key.map(Private::new),
    })
}

/// Which of these submits have an outcome already.
///
/// # Errors
/// When the database fails.
pub async fn outcomes_known(db: &Db, submits: &[SubmitKey]) -> Result<Vec<SubmitKey>, store::Error> {
    Ok(store::outcome::known(db, submits).await?.into_iter().collect())
}

/// Stores what an edge reports of its sessions, and answers what it shall do.
///
/// # Errors
/// When the database fails.
pub async fn report_binds(db: &Db, report: &BindReport) -> Result<Orders, store::Error> {
    let (mut tx, now) = (db.begin().await?, Utc::now());
    let cut = smpp_systems::report_sessions(&mut tx, &report.edge_id, &report.sessions, now).await?;
    operators::report_binds(&mut tx, &report.edge_id, &report.operators, now).await?;
    commit(tx).await?;
    Ok(Orders { cut })
}

/// The internal API over HTTP.
#[expect(clippy::needless_pass_by_value, reason = "a router keeps it")]
pub fn internal_router(api: Arc<Api>) -> Router {
    let router = Router::new()
        .route("/internal/edge/snapshot", get(get_snapshot))
        .route("/internal/edge/outcomes-known", post(post_outcomes))
        .route("/internal/edge/binds", post(post_binds))
        .route("/internal/edge/submissions", post(post_submissions))
        .route("/internal/edge/about", post(post_about))
        .route("/internal/smpp/sessions", get(look::sessions))
        .route("/internal/smpp/operators", get(look::operators))
        .route("/internal/operators/health", get(look::health))
        .layer(DefaultBodyLimit::max(SUBMISSIONS_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), authenticate))
        .with_state(Arc::clone(&api));
    dress(&api, router)
}

async fn authenticate(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Both sides are hashed: the comparison takes the same time for every wrong token.
    if api.keys.matches(token.as_bytes(), &api.keys.hash(api.keys.internal_token().as_bytes())) {
        return next.run(request).await;
    }
    Problem::unauthorized().into_response()
}

#[derive(Deserialize)]
struct Known {
    known: Option<String>,
}

async fn get_snapshot(State(api): State<Arc<Api>>, Query(query): Query<Known>) -> Result<Response, Problem> {
    let known = query.known.and_then(|version| version.parse().ok());
    let snapshot = snapshot(&api.db, &api.keys, known).await.map_err(unknown)?;
    Ok(match snapshot {
        Some(snapshot) => Json(snapshot).into_response(),
        None => StatusCode::NOT_MODIFIED.into_response(),
    })
}

async fn post_outcomes(State(api): State<Arc<Api>>, Json(body): Json<Submits>) -> Result<Json<Submits>, Problem> {
    if body.submits.len() > SUBMITS_MAX {
        return Err(Problem::new(Code::PayloadTooLarge, "at most 10000 submits"));
    }
    Ok(Json(Submits { submits: outcomes_known(&api.db, &body.submits).await? }))
}

async fn post_binds(State(api): State<Arc<Api>>, Json(body): Json<BindReport>) -> Result<Json<Orders>, Problem> {
    Ok(Json(report_binds(&api.db, &body).await?))
}

async fn post_submissions(
    State(api): State<Arc<Api>>,
    Json(body): Json<Submissions>,
) -> Result<Json<Vec<SubmitVerdict>>, Problem> {
    if body.submissions.len() > SUBMISSIONS_MAX {
        return Err(Problem::new(Code::PayloadTooLarge, "at most 1000 submissions"));
    }
    smpp::submit(&api, &body).await.map(Json).map_err(unknown)
}

async fn post_about(State(api): State<Arc<Api>>, Json(body): Json<AboutMessage>) -> Result<Json<Answer>, Problem> {
    smpp::about(&api, &body).await.map(Json).map_err(unknown)
}

/// The outcome is not known; the edge asks again.
fn unknown(error: anyhow::Error) -> Problem {
    match error.downcast::<store::Error>() {
        Ok(error) => Problem::from(error),
        Err(error) => Problem::internal(error),
    }
}
