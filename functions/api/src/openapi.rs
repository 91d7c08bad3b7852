//! The description of the API, generated from its code: `OpenAPI` 3.1.

use std::collections::BTreeMap;
use std::sync::Arc;

use utoipa::openapi::response::Response;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::Api;
use crate::problem::ProblemBody;

/// The frame; paths come from the routers.
#[derive(OpenApi)]
#[openapi(
    info(title = "Chappe", description = "Send SMS, and see what became of each. Money is decimal strings; times are RFC 3339 in UTC; ids are opaque strings with a prefix. Every refusal is a problem (RFC 9457) with a stable code; `/errors` explains each."),
    components(schemas(ProblemBody)),
    security(("key" = []), ("basic" = [])),
    modifiers(&Schemes),
    tags(
        (name = "messages", description = "Sending, and reading back"),
        (name = "realtime", description = "Events as they happen, over WebSocket"),
        (name = "auth", description = "Logging in"),
        (name = "account", description = "What an account has: balance, keys, people, sender IDs"),
        (name = "accounts", description = "The accounts below one's own"),
        (name = "money", description = "Transfers, adjustments, refunds, corrections, statements; what is spent and earned"),
        (name = "smpp", description = "How customers bind over SMPP, and who is bound"),
        (name = "prices", description = "What customers pay"),
        (name = "operators", description = "Who carries messages, and what that costs; the house only"),
        (name = "numbering", description = "Which network a number belongs to; the house only"),
        (name = "reports", description = "What was sent, what came of it, what it cost and earned"),
        (name = "system", description = "Health, metrics, this document")
    )
)]
struct Frame;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = |kind| SecurityScheme::Http(Http::new(kind));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", scheme(HttpAuthScheme::Bearer));
        components.add_security_scheme("basic", scheme(HttpAuthScheme::Basic));
    }
}

/// The refusals that every endpoint can answer with.
pub(crate) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusal = |description: &str| {
            let schema = Ref::from_schema_name(ProblemBody::name());
            let content = ContentBuilder::new().schema(Some(schema)).build();
            RefOr::T(
                ResponseBuilder::new().description(description).content("application/problem+json", content).build(),
            )
        };
        BTreeMap::from([
            ("4XX".to_owned(), refusal("Refused; the code says why")),
            ("5XX".to_owned(), refusal("Not possible at this moment; `retryable` says whether to try again")),
        ])
    }
}

/// A router that fills the document.
pub(crate) fn router() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Frame::openapi())
}

/// The document as it is served and kept in `openapi.json`.
pub fn document() -> String {
    let (_, document) = crate::routes().split_for_parts();
    // Maps, lists and strings can always be written.
    document.to_pretty_json().unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    /// Set it to write the file instead of comparing it.
    const REWRITE: &str = "CHAPPE_REWRITE_OPENAPI";
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
    fn the_file_is_not_stale() {
        let document = super::document();
        if std::env::var(REWRITE).is_ok() {
            std::fs::write(FILE, &document).unwrap();
        }
        let file = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(file == document, "openapi.json is stale: run `{REWRITE}=1 cargo test -p api openapi`");
    }

    #[test]
    fn every_operation_is_described_and_has_refusals() {
        let document: serde_json::Value = serde_json::from_str(&super::document()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                assert!(
                    operation["responses"].as_object().unwrap().len() > 1
                        || path.starts_with("/healthz")
                        || !path.starts_with("/v1"),
                    "{method} {path}"
                );
            }
        }
    }
}
