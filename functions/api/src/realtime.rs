//! `GET /v1/realtime`: events as they happen, over WebSocket (RFC 6455).
//!
//! Best effort: a client hears what happens while it is connected and keeps up. Who must miss nothing takes webhooks;
//! who connects again reads `GET /v1/messages` for what happened meanwhile.

mod hub;
mod serve;

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use contract::realtime::{Filter, SAID_BYTES_MAX};
use domain::{AccountId, KeyId};
use host::secrets;
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use store::realtime::{Holder, issue_ticket, use_ticket};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use hub::Hub;

use crate::Api;
use crate::auth::{Actor, Caller, Scope};
use crate::list::Query;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

/// How long a ticket is good.
const TICKET_LIFE: TimeDelta = TimeDelta::seconds(30);
/// How a ticket begins.
const TICKET_PREFIX: &str = "rt_";
/// Bytes that one connection reads at once.
const READ_BUFFER: usize = 4 * 1024;
/// Bytes that one connection gathers before it writes.
const WRITE_BUFFER: usize = 16 * 1024;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(connect)).routes(routes!(make_ticket))
}

/// What a connection is opened with.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Names of events with commas between them, such as `message.delivered,message.inbound`; every event when
    /// nothing is said. The client can change it with `{"type":"subscribe","events":[…]}`.
    events: Option<String>,
    /// A ticket, in place of the `Authorization` header.
    ticket: Option<String>,
}

/// Good for one connection.
#[derive(Serialize, ToSchema)]
struct Ticket {
    /// Give it as `ticket` in the query of `GET /v1/realtime`.
    ticket: String,
    /// Not good after this.
    #[serde(serialize_with = "crate::time::millis")]
    expires_at: DateTime<Utc>,
}

/// Who listens.
#[derive(Debug, Clone, Copy)]
struct Listener {
    account: AccountId,
    /// Its key, which may be revoked meanwhile.
    key: Option<KeyId>,
}

/// Listen to events.
///
/// Opens a WebSocket. Each message is one event of your own account or of one below it, in the form of a webhook's
/// body with the event's `id`: `{"id":"evt_…","type":"message.delivered","timestamp":"…","data":{…}}`. Best effort:
/// what happens while you are not connected is not repeated, an event can come twice, and order is not promised.
/// The client may send `{"type":"subscribe","events":["message.delivered"]}` and `{"type":"ping"}`. Closing codes:
/// 1001 connect again (the server stops, or two hours are over), 1009 a message of the client is too long, 4401 the
/// credentials are no longer in force, 4408 the client was too slow or silent.
#[utoipa::path(get, path = "/v1/realtime", tag = "realtime", params(Asked),
    responses((status = 101, description = "The connection is a WebSocket from here on"), Refusals))]
async fn connect(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let Query(asked): Query<Asked> = Query::from_request_parts(&mut parts, &api).await?;
    let known = match asked.ticket {
        None => Some(listener(&api, &mut parts).await?),
        Some(_) => None,
    };
    let filter = Filter::parse(asked.events.as_deref().unwrap_or_default())
        .map_err(|error| Problem::field("/events", Code::InvalidRequest, error.to_string()))?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &api)
        .await
        .map_err(|_| Problem::new(Code::InvalidRequest, "this path is opened as a WebSocket"))?;
    // A ticket is used up by what would open a connection, and by nothing less.
    let listener = match (known, asked.ticket) {
        (Some(listener), _) => listener,
        (None, ticket) => redeem(&api, &ticket.unwrap_or_default()).await?,
    };
    let mut seat = Hub::enter(&api.hub, listener.account)?;
    seat.announce().await?;
    let upgrade = upgrade
        .max_message_size(SAID_BYTES_MAX)
        .max_frame_size(SAID_BYTES_MAX)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| serve::serve(socket, api, seat, listener.key, filter)))
}

/// Get a ticket.
///
/// For browsers, which cannot send an `Authorization` header with a WebSocket: a ticket opens one connection, within
/// 30 seconds.
#[utoipa::path(post, path = "/v1/realtime/tickets", tag = "realtime",
    responses((status = 201, body = Ticket), Refusals))]
async fn make_ticket(State(api): State<Arc<Api>>, caller: Caller) -> Result<(StatusCode, Json<Ticket>), Problem> {
    caller.may(Scope::MessagesRead)?;
    let token = secrets::random_token().map_err(Problem::internal)?;
    let ticket = format!("{TICKET_PREFIX}{token}");
    let expires_at = Utc::now() + TICKET_LIFE;
    let Listener { account, key } = Listener::of(&caller);
    issue_ticket(&api.db, Holder { account, key }, &api.keys.hash(ticket.as_bytes()), expires_at).await?;
    Ok((StatusCode::CREATED, Json(Ticket { ticket, expires_at })))
}

impl Listener {
    fn of(caller: &Caller) -> Self {
        let key = match caller.actor {
            Actor::Key(key) => Some(key),
            Actor::User(_) => None,
        };
        Self { account: caller.account, key }
    }
}

async fn listener(api: &Arc<Api>, parts: &mut Parts) -> Result<Listener, Problem> {
    let caller = Caller::from_request_parts(parts, api).await?;
    caller.may(Scope::MessagesRead)?;
    Ok(Listener::of(&caller))
}

async fn redeem(api: &Api, ticket: &str) -> Result<Listener, Problem> {
    let holder = use_ticket(&api.db, &api.keys.hash(ticket.as_bytes())).await?;
    let Holder { account, key } = holder.ok_or_else(Problem::unauthorized)?;
    Ok(Listener { account, key })
}
