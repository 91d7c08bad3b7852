//! `GET /v1/webhook-secret`: how a customer verifies that an event is ours (Standard Webhooks).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::openapi::Refusals;
use crate::problem::Problem;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(get_secret))
}

/// The key of your webhooks.
#[derive(Serialize, ToSchema)]
struct WebhookSecret {
    /// `whsec_` and base64: give it to any library of Standard Webhooks.
    secret: String,
}

/// Read the secret that signs the events sent to you.
#[utoipa::path(get, path = "/v1/webhook-secret", tag = "account", responses((status = 200, body = WebhookSecret), Refusals))]
async fn get_secret(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<WebhookSecret>, Problem> {
    caller.may(Scope::AccountWrite)?;
    Ok(Json(WebhookSecret { secret: api.keys.webhook_secret(&caller.account.to_string()) }))
}
