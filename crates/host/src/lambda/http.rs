//! A router behind an HTTP API of API Gateway (payload format 2.0).

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Response;
use lambda_http::{RequestExt as _, Service as _, service_fn};
use tokio::time::timeout_at;

use super::{Emf, Window};
use crate::events::Until;

/// The longest answer that Lambda hands on (AWS Lambda, "Lambda quotas": 6 MB, base64 and headers included).
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Serves requests until Lambda ends the process. Every request is told when its answer must be there ([`Until`]);
/// `before_freeze` is awaited, within that time, when its answer is ready.
///
/// The router answers its own errors: an error of the service would be a failed invocation.
pub async fn run_http<F>(router: Router, before_freeze: impl Fn() -> F + Send + Sync + 'static) -> anyhow::Result<()>
where
    F: Future<Output = ()> + Send,
{
    let (emf, before_freeze) = (Emf::install()?, Arc::new(before_freeze));
    let serve = service_fn(move |request: lambda_http::Request| {
        let (router, emf, before_freeze) = (router.clone(), emf.clone(), Arc::clone(&before_freeze));
        async move {
            let window = request.lambda_context_ref().map_or_else(Window::usual, Window::of);
            let response = answer(router, request, window).await;
            if timeout_at(window.answer_by(), before_freeze()).await.is_err() {
                tracing::warn!("the API did not come to rest before it is frozen");
            }
            emf.flush();
            Ok::<_, Infallible>(response)
        }
    });
    lambda_http::run(serve).await.map_err(|error| anyhow::anyhow!(error))
}

/// The whole answer: behind it there is no time to stream.
async fn answer(mut router: Router, mut request: lambda_http::Request, window: Window) -> Response<Body> {
    request.extensions_mut().insert(Until(window.work_until()));
    let Ok(response) = router.call(request).await;
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_else(|error| {
        tracing::error!("an answer could not be gathered: {error}");
        Bytes::new()
    });
    Response::from_parts(parts, Body::from(bytes))
}
