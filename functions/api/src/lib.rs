//! HTTPS for customers, resellers, the house, the console and the edge.
//!
//! [`router`] is the public API, described by `openapi.json`, which is generated from this code. [`internal_router`]
//! is for our own processes; where they run in this process they call [`internal`] directly. Handlers read, let a
//! pure function decide, and save; the tenant comes from the credentials and goes first into every store call.

mod accounts;
mod auth;
mod balance;
mod body;
mod change;
mod check;
mod csv;
mod exchange_rates;
mod exports;
mod front;
mod health;
mod house;
mod inbound;
pub mod internal;
mod keys;
mod list;
mod lookups;
mod messages;
mod money;
mod numbering;
mod openapi;
mod operators;
mod pace;
mod price_lists;
mod prices;
mod problem;
mod rate_sheets;
mod realtime;
mod reports;
mod routing;
mod senders;
mod serve;
pub mod smpp;
mod smpp_systems;
mod state;
mod test_numbers;
mod time;
mod trail;
mod users;
mod webhook_secret;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

pub use auth::keys::{Minted, mint as mint_key};
pub use auth::password::hash_blocking as hash_password;
pub use house::{FoundError, House, NewHouse, found_house};
pub use internal::internal_router;
pub use lookups::LookedUp;
pub use messages::prepare::{SendRequest, Terms, prepare};
pub use openapi::document as openapi_document;
pub use problem::{Code, FieldError, Problem, ProblemBody};
pub use serve::run;
pub use smpp_systems::{blank as smpp_system, make_password as smpp_password};
pub use state::{Api, Parts, Settings};

/// The processes that serve the API, which share its rates: see [`limits::Opened::join`].
pub const INSTANCES: &str = "api";

/// Bytes of a body at most, but of a batch.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Every described route.
fn routes() -> OpenApiRouter<Arc<Api>> {
    openapi::router()
        .merge(messages::send::routes())
        .merge(messages::batch::routes())
        .merge(messages::read::routes())
        .merge(messages::explain::routes())
        .merge(messages::cancel::routes())
        .merge(messages::feedback::routes())
        .merge(balance::routes())
        .merge(money::routes())
        .merge(auth::login::routes())
        .merge(accounts::routes())
        .merge(users::routes())
        .merge(keys::routes())
        .merge(senders::routes())
        .merge(inbound::rules::routes())
        .merge(inbound::messages::routes())
        .merge(inbound::opt_outs::routes())
        .merge(webhook_secret::routes())
        .merge(prices::routes())
        .merge(exchange_rates::routes())
        .merge(operators::routes())
        .merge(price_lists::routes())
        .merge(rate_sheets::routes())
        .merge(reports::routes())
        .merge(numbering::routes())
        .merge(lookups::routes())
        .merge(exports::routes())
        .merge(routing::routes())
        .merge(test_numbers::routes())
        .merge(smpp_systems::routes())
        .merge(realtime::routes())
        .merge(trail::routes())
        .merge(health::routes())
}

/// The public API.
#[expect(clippy::needless_pass_by_value, reason = "a router keeps it")]
pub fn router(api: Arc<Api>) -> Router {
    let (router, _) = routes().split_for_parts();
    dress(&api, router.with_state(Arc::clone(&api)))
}

/// What stands around every router: limits, a net for panics, and the front.
fn dress(api: &Arc<Api>, router: Router) -> Router {
    let router = if api.settings.on_demand {
        router.layer(middleware::from_fn_with_state(Arc::clone(api), front::fresh))
    } else {
        router
    };
    router
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "this path knows other methods; see /openapi.json")
        })
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| panicked()))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(front::front))
}

/// The panic itself was printed by the panic hook; the answer names the request.
fn panicked() -> Response {
    Problem::internal(anyhow::anyhow!("a handler panicked")).into_response()
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
