//! Tables as CSV, as answers of endpoints. What a line looks like is told by [`domain::csv`].

use axum::response::{IntoResponse, Response};
pub(crate) use domain::csv::Cell;
use domain::csv::{headings, row};
use http::{HeaderMap, HeaderValue, header};

/// A table with these headings and rows, as an attachment of this name.
pub(crate) fn answer(name: &str, names: &[&str], rows: &[Vec<Cell>]) -> Response {
    let mut text = String::new();
    headings(&mut text, names.iter().copied());
    for cells in rows {
        row(&mut text, cells);
    }
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.csv\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Does the caller ask for CSV before anything else?
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').next().is_some_and(|first| first.trim().to_ascii_lowercase().starts_with("text/csv"))
}
