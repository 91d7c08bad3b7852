//! The HTTP border: which action, which fault, and answers as the SDK reads them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

use crate::account::Account;
use crate::actions::{Answer, act};
use crate::batches::{Failing, Odd};
use crate::fault::Fault;
use crate::refusal::Refusal;

/// The longest request, in bytes: text may be six times longer as JSON.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

const JSON: &str = "application/x-amz-json-1.0";

pub(crate) async fn serve(listener: TcpListener, account: Arc<Account>) {
    let app = Router::new().fallback(post(handle)).layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)).with_state(account);
    if let Err(error) = axum::serve(listener, app).await {
        eprintln!("the emulator of SQS ended: {error}");
    }
}

async fn handle(State(account): State<Arc<Account>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let action = target.rsplit('.').next().unwrap_or_default();
    match account.faults.meet(action, 1) {
        None => respond(act(&account, action, &body, Odd::default()).await),
        Some(fault) => handle_with(&account, action, &body, fault).await,
    }
}

async fn handle_with(account: &Account, action: &str, body: &[u8], fault: Fault) -> Response {
    let mut odd = Odd::default();
    let (mut delay, mut is_lost, mut is_twice) = (Duration::ZERO, false, false);
    match fault {
        Fault::Refuse { status, code } => {
            return respond(Err(Refusal { status, code, message: "as it was asked to".to_owned() }));
        }
        Fault::FailEntries { places, code, is_senders_fault } => {
            odd.fail = Some((places, Failing { code, is_senders_fault }));
        }
        Fault::ForgetEntries { places } => odd.forget = places,
        Fault::LoseAnswer => is_lost = true,
        Fault::Delay(time) => delay = time,
        Fault::Duplicate => is_twice = true,
    }
    tokio::time::sleep(delay).await;
    let answer = act(account, action, body, odd).await;
    if is_lost {
        return cut();
    }
    if is_twice {
        show_again(account, body, &answer);
    }
    respond(answer)
}

fn respond(answer: Answer) -> Response {
    match answer {
        Ok(body) => ([(http::header::CONTENT_TYPE, JSON)], body).into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let body = serde_json::json!({
                "__type": format!("com.amazonaws.sqs#{}", refusal.code),
                "message": refusal.message,
            });
            let headers = [("content-type", JSON.to_owned()), ("x-amzn-query-error", refusal.query_code())];
            (status, headers, body.to_string()).into_response()
        }
    }
}

/// An answer that breaks off: the body ends in an error, upon which the connection is closed.
fn cut() -> Response {
    let broken = stream::iter([Err::<Bytes, _>(io::Error::other("the answer is lost"))]);
    (StatusCode::OK, [("content-type", JSON)], Body::from_stream(broken)).into_response()
}

/// Makes what was just handed out visible at once.
fn show_again(account: &Account, request: &[u8], answer: &Answer) {
    let parsed = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    let request = parsed(request);
    let answer = answer.as_deref().map(parsed).unwrap_or_default();
    let Ok(queue) = account.queue(request["QueueUrl"].as_str().unwrap_or_default()) else {
        return;
    };
    let messages = answer["Messages"].as_array().into_iter().flatten();
    for handle in messages.filter_map(|message| message["ReceiptHandle"].as_str()) {
        let _ = queue.hide(handle, Duration::ZERO);
    }
}
