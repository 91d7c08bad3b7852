//! Tables as CSV (RFC 4180), safe to open in a spreadsheet.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};

/// A table with headings and rows, as an attachment of this name.
pub(crate) fn answer(name: &str, headings: &[&str], rows: &[Vec<Cell>]) -> Response {
    let mut csv = Csv::new(headings);
    for row in rows {
        csv.row(row);
    }
    csv.into_response(name)
}

/// Does the caller ask for CSV before anything else?
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').next().is_some_and(|first| first.trim().to_ascii_lowercase().starts_with("text/csv"))
}

/// A table that grows line by line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Csv {
    text: String,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// What people wrote. A spreadsheet takes what begins with `=`, `+`, `-`, `@` or a control character for a formula;
    /// such a cell gets an apostrophe before it.
    Text(String),
    /// What we wrote: numbers, ids, times.
    Plain(String),
}

impl Cell {
    /// What people wrote, or nothing.
    pub(crate) fn text(text: Option<&str>) -> Self {
        Self::Text(text.unwrap_or_default().to_owned())
    }

    /// What we wrote, or nothing.
    pub(crate) fn plain<T: ToString>(value: Option<T>) -> Self {
        Self::Plain(value.map(|value| value.to_string()).unwrap_or_default())
    }
}

impl Csv {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut csv = Self::default();
        csv.row(&headings.iter().map(|heading| Cell::Plain((*heading).to_owned())).collect::<Vec<_>>());
        csv
    }

    /// Appends a line.
    pub(crate) fn row(&mut self, cells: &[Cell]) {
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            self.text.push_str(&written(cell));
        }
        self.text.push_str("\r\n");
    }

    /// The table as text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// The answer of an endpoint, which a browser saves under this name.
    pub(crate) fn into_response(self, name: &str) -> Response {
        let mut response = self.into_text().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.csv\"")) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        response
    }
}

fn written(cell: &Cell) -> String {
    let text = match cell {
        Cell::Text(text) if text.trim_start_matches(' ').starts_with(is_formula) => format!("'{text}"),
        Cell::Text(text) | Cell::Plain(text) => text.clone(),
    };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn is_formula(first: char) -> bool {
    matches!(first, '=' | '+' | '-' | '@') || first.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula() {
        let rows = [
            (Cell::text(Some("Brand")), "Brand"),
            (Cell::text(None), ""),
            (Cell::text(Some("a,b")), "\"a,b\""),
            (Cell::text(Some("say \"hi\"")), "\"say \"\"hi\"\"\""),
            (Cell::text(Some("two\nlines")), "\"two\nlines\""),
            (Cell::text(Some("=1+1")), "'=1+1"),
            (Cell::text(Some("@SUM(A1),x")), "\"'@SUM(A1),x\""),
            (Cell::text(Some("-3")), "'-3"),
            (Cell::text(Some("\t=1")), "'\t=1"),
            (Cell::text(Some(" =1")), "' =1"),
            (Cell::plain(Some("-3.50")), "-3.50"),
            (Cell::plain(Some(7)), "7"),
            (Cell::plain(None::<i64>), ""),
        ];
        for (cell, expected) in rows {
            assert_eq!(written(&cell), expected, "{cell:?}");
        }
        let mut csv = Csv::new(&["day", "sender"]);
        csv.row(&[Cell::plain(Some("2026-11-28")), Cell::text(Some("x"))]);
        assert_eq!(csv.into_text(), "day,sender\r\n2026-11-28,x\r\n");
    }
}
