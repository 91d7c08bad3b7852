//! `GET /v1/exports/{id}/download`: a file that is done, chunk by chunk, from its beginning or from where an answer broke off.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use domain::{AccountId, ExportId};
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use store::exports::{self, Export};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Api;
use crate::auth::{Caller, Scope};
use crate::list::path_id;
use crate::openapi::Refusals;
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(download_export))
}

/// Download a file that is done. `Range: bytes=N-` goes on where a download broke off: the file does not change.
#[utoipa::path(get, path = "/v1/exports/{id}/download", tag = "messages",
    params(("id" = String, Path, description = "`exp_…`")),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 206, body = String, content_type = "text/csv"), Refusals))]
async fn download_export(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.may(Scope::MessagesRead)?;
    super::may_see_costs(&caller)?;
    let id: ExportId = path_id(&id)?;
    let export = exports::get(&api.db, caller.account, id).await?.ok_or_else(Problem::not_found)?;
    if export.state != "done" {
        return Err(Problem::new(Code::Conflict, "the export is not done; read it to see how far it is"));
    }
    let from = wanted(&headers).filter(|from| (1..export.bytes).contains(from));
    let place = match from {
        Some(from) => exports::place(&api.db, caller.account, id, from).await?.ok_or_else(Problem::not_found)?,
        None => (0, 0),
    };
    let mut response = Body::from_stream(chunks(api, (caller.account, id), export.chunks, place)).into_response();
    describe(response.headers_mut(), id, &export, from.unwrap_or(0));
    if from.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The first octet of a range without an end. What else can be asked for is not understood, and the whole is answered
/// (RFC 9110 section 14.2).
fn wanted(headers: &HeaderMap) -> Option<i64> {
    headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// The chunks from a place on, one in memory at a time. Where one is gone the answer breaks off: its length was said before.
fn chunks(
    api: Arc<Api>,
    (tenant, id): (AccountId, ExportId),
    count: i32,
    (first, skipped): (i32, i64),
) -> impl Stream<Item = std::io::Result<Vec<u8>>> {
    stream::unfold((api, first, skipped), move |(api, number, skipped)| async move {
        if number >= count {
            return None;
        }
        let chunk = exports::chunk(&api.db, tenant, id, number).await.map_err(std::io::Error::other);
        let chunk = chunk.and_then(|chunk| chunk.ok_or_else(|| std::io::Error::other("a chunk is gone")));
        let chunk = chunk.map(|chunk| chunk.get(usize::try_from(skipped).unwrap_or(0)..).unwrap_or_default().to_vec());
        let next = if chunk.is_ok() { number + 1 } else { count };
        Some((chunk, (api, next, 0)))
    })
}

fn describe(headers: &mut HeaderMap, id: ExportId, export: &Export, from: i64) {
    let kind = match (export.gzip, export.format.as_str()) {
        (true, _) => "application/gzip",
        (false, "csv") => "text/csv; charset=utf-8",
        (false, _) => "application/x-ndjson",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(export.bytes - from));
    let name = format!("{id}.{}{}", export.format, if export.gzip { ".gz" } else { "" });
    let told = [
        (header::CONTENT_DISPOSITION, Some(format!("attachment; filename=\"{name}\""))),
        (header::CONTENT_RANGE, (from > 0).then(|| format!("bytes {from}-{}/{}", export.bytes - 1, export.bytes))),
    ];
    for (name, value) in told {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_without_an_end_is_understood() {
        let rows = [
            ("bytes=0-", Some(0)),
            ("bytes=17-", Some(17)),
            ("bytes=0-9", None),
            ("bytes=-5", None),
            ("bytes=1-,7-", None),
            ("lines=1-", None),
        ];
        for (value, expected) in rows {
            let headers = [(header::RANGE, HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(wanted(&headers), expected, "{value}");
        }
    }
}
