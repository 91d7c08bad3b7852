//! A CSV body: a first line with the names of its columns, in any order, and a value of a row each line after it. All that
//! is wrong is named by line and column.

use std::collections::HashSet;
use std::convert::Infallible;
use std::hash::Hash;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::{StatusCode, header};

use crate::check::Check;
use crate::problem::{Code, FieldError, Problem};

/// Most errors that one answer lists.
const ERRORS_MAX: usize = 1_000;

/// The bytes of a CSV body, within the limit of the endpoint; or why there are none, for who has the right to know.
#[derive(Debug)]
pub(crate) struct Csv(pub(crate) Result<Bytes, Problem>);

impl<S: Send + Sync> FromRequest<S> for Csv {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Self::bytes(request, state).await))
    }
}

impl Csv {
    async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/csv") {
            return Err(Problem::new(Code::UnsupportedMediaType, "send Content-Type: text/csv"));
        }
        Bytes::from_request(request, state).await.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(Code::PayloadTooLarge, "the body is larger than this endpoint takes; send it in parts")
            }
            _ => Problem::new(Code::InvalidRequest, "the body could not be read to its end"),
        })
    }
}

/// What a sheet may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Every column that is known; for [`read`] the first one names the row and cannot stand twice.
    pub(crate) columns: &'static [&'static str],
    /// How many of them, from the front, must be there.
    pub(crate) required: usize,
    /// Rows at most.
    pub(crate) rows_max: usize,
    /// The number of the first line: of a larger file, where the body is a part of one.
    pub(crate) first_line: u64,
}

/// One line of a sheet.
pub(crate) struct Row<'a> {
    record: &'a csv::StringRecord,
    places: &'a [Option<usize>],
    form: &'a Form,
    /// JSON pointer to the line.
    pub(crate) at: String,
}

impl Row<'_> {
    /// The value in a column of the form; an empty one is none.
    pub(crate) fn get(&self, column: &str) -> Option<&str> {
        let at = self.form.columns.iter().position(|name| *name == column)?;
        let text = self.record.get((*self.places.get(at)?)?)?.trim();
        Some(text).filter(|text| !text.is_empty())
    }

    /// The pointer to a column of this line.
    pub(crate) fn pointer(&self, column: &str) -> String {
        format!("{}/{column}", self.at)
    }
}

/// Reads every line with `row`, which answers the row and what names it.
///
/// # Errors
/// Everything that is wrong with any line, up to a thousand errors.
pub(crate) fn read<T, K: Eq + Hash>(
    bytes: &[u8],
    form: &Form,
    row: impl Fn(&mut Check, &Row<'_>) -> Option<(K, T)>,
) -> Result<Vec<T>, Problem> {
    let mut names = HashSet::new();
    read_all(bytes, form, |check, line| {
        let (name, value) = row(check, line)?;
        if names.insert(name) {
            return Some(value);
        }
        let detail = format!("this {} stands in the sheet twice", form.columns[0]);
        check.refuse(&line.pointer(form.columns[0]), Code::InvalidRequest, detail);
        None
    })
}

/// The same, where lines may be alike.
///
/// # Errors
/// Everything that is wrong with any line, up to a thousand errors.
pub(crate) fn read_all<T>(
    bytes: &[u8],
    form: &Form,
    mut row: impl FnMut(&mut Check, &Row<'_>) -> Option<T>,
) -> Result<Vec<T>, Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(true).flexible(false).from_reader(bytes);
    let places = places(reader.headers().map_err(|error| broken(&error, form))?, form)?;
    let (mut rows, mut check) = (Vec::new(), Check::default());
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                check.refuse(&pointer(error.position(), form), Code::InvalidRequest, told(&error));
                if check.len() < ERRORS_MAX {
                    continue;
                }
            }
        }
        if rows.len() >= form.rows_max {
            check.refuse("", Code::InvalidRequest, format!("expected at most {} lines", form.rows_max));
            break;
        }
        let line = Row { record: &record, places: &places, form, at: pointer(record.position(), form) };
        rows.extend(row(&mut check, &line));
        if check.len() >= ERRORS_MAX {
            check.refuse("", Code::InvalidRequest, "more lines may be wrong: only the first thousand errors are named");
            break;
        }
    }
    if rows.is_empty() && check.is_clean() {
        check.refuse("", Code::InvalidRequest, "expected at least one line behind the names of the columns");
    }
    check.finish()?;
    Ok(rows)
}

/// Where each column of the form stands in the sheet.
fn places(header: &csv::StringRecord, form: &Form) -> Result<Vec<Option<usize>>, Problem> {
    let names: Vec<String> = header.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
    let mut errors = Vec::new();
    let columns = form.columns.join(", ");
    for (at, name) in names.iter().enumerate() {
        let pointer = || format!("/columns/{at}");
        if !form.columns.contains(&name.as_str()) {
            let detail = format!("this column is not known; the columns are {columns}");
            errors.push(FieldError::new(pointer(), Code::UnknownField, detail));
        } else if names[..at].contains(name) {
            errors.push(FieldError::new(pointer(), Code::InvalidRequest, "this column stands in the sheet twice"));
        }
    }
    for column in &form.columns[..form.required] {
        if !names.iter().any(|name| name == column) {
            let detail = format!("the column {column} is missing; the first line names the columns: {columns}");
            errors.push(FieldError::new("/columns", Code::InvalidRequest, detail));
        }
    }
    if errors.is_empty() {
        Ok(form.columns.iter().map(|column| names.iter().position(|name| name == column)).collect())
    } else {
        Err(Problem::fields(errors))
    }
}

/// The pointer to a line; the names of the columns are line 1.
fn pointer(position: Option<&csv::Position>, form: &Form) -> String {
    format!("/lines/{}", position.map_or(1, csv::Position::line) + form.first_line.saturating_sub(1))
}

fn broken(error: &csv::Error, form: &Form) -> Problem {
    Problem::field(pointer(error.position(), form), Code::InvalidRequest, told(error))
}

fn told(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("expected {expected_len} values as the first line has, found {len}")
        }
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        _ => "the line cannot be read as CSV".to_owned(),
    }
}
