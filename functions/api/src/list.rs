//! Lists: query parameters in, a page with a cursor out.

use axum::extract::FromRequestParts;
use axum::extract::Query as AxumQuery;
use domain::{AccountId, Number};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::page::Page;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::check::Check;
use crate::problem::{Code, Problem};

/// Entries of a page when nothing is asked for.
const LIMIT_DEFAULT: u16 = 50;

/// Query parameters, read into a type whose fields are all optional strings. Unknown ones are refused.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        AxumQuery::<T>::try_from_uri(&parts.uri).map(|AxumQuery(query)| Self(query)).map_err(|error| {
            // Every field is a string, so what fails is a name: unknown, or there twice. serde quotes it.
            let message = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let name: String = message.split('`').nth(1).unwrap_or_default().chars().take(64).collect();
            let twice = message.contains("duplicate");
            let (code, detail) = if twice {
                (Code::InvalidRequest, "this parameter stands in the query twice")
            } else {
                (Code::UnknownField, "this query parameter is not known")
            };
            Problem::field(format!("/{name}"), code, detail)
        })
    }
}

/// The query of a list without filters.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1000; 50 when nothing is said.
    limit: Option<String>,
}

impl Paging {
    /// The page that it asks for.
    pub(crate) fn page(&self) -> Result<Page, Problem> {
        let mut check = Check::default();
        let page = page(&mut check, self.cursor.as_deref(), self.limit.as_deref());
        check.finish()?;
        Ok(page)
    }

    /// The page that it asks for of a list in order of number.
    pub(crate) fn number_page(&self) -> Result<NumberPage, Problem> {
        let mut check = Check::default();
        let after = self.cursor.as_deref().and_then(|cursor| {
            let read = Number::parse(cursor).map_err(|_| "expected next_cursor of the page before");
            check.value("/cursor", Code::InvalidRequest, read)
        });
        let limit = limit_of(&mut check, self.limit.as_deref());
        check.finish()?;
        Ok(NumberPage { after, limit })
    }
}

/// Reads `cursor` and `limit`.
pub(crate) fn page(check: &mut Check, cursor: Option<&str>, limit: Option<&str>) -> Page {
    let before = cursor.and_then(|cursor| {
        let read = Uuid::try_parse(cursor).map_err(|_| "expected next_cursor of the page before");
        check.value("/cursor", Code::InvalidRequest, read)
    });
    Page::new(before, limit_of(check, limit))
}

/// Reads `limit`.
pub(crate) fn limit_of(check: &mut Check, limit: Option<&str>) -> u16 {
    let read = limit.map(|text| text.parse::<u16>().ok().filter(|n| (1..=store::page::ROWS_MAX).contains(n)));
    match read {
        None => LIMIT_DEFAULT,
        Some(Some(limit)) => limit,
        Some(None) => {
            check.refuse("/limit", Code::InvalidRequest, "expected a whole number from 1 to 1000");
            LIMIT_DEFAULT
        }
    }
}

/// What a list in order of number is asked for: numbers behind `after`, so many of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberPage {
    pub(crate) after: Option<Number>,
    pub(crate) limit: u16,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The entries, newest first.
    pub(crate) data: Vec<T>,
    /// More entries follow.
    pub(crate) has_more: bool,
    /// Give it as `cursor` to read on; null at the end.
    pub(crate) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// Cuts `rows`, read with one row more than asked for, and turns them into entries.
    pub(crate) fn new<R>(page: Page, rows: Vec<R>, id: impl Fn(&R) -> Uuid, entry: impl Fn(R) -> T) -> Self {
        let (rows, has_more) = page.cut(rows);
        let next_cursor = rows.last().filter(|_| has_more).map(|row| id(row).simple().to_string());
        Self { data: rows.into_iter().map(entry).collect(), has_more, next_cursor }
    }

    /// The same of rows in order of number.
    pub(crate) fn by_number<R>(
        page: NumberPage,
        mut rows: Vec<R>,
        number: impl Fn(&R) -> Number,
        entry: impl Fn(R) -> T,
    ) -> Self {
        let has_more = rows.len() > usize::from(page.limit);
        rows.truncate(usize::from(page.limit));
        let next_cursor = rows.last().filter(|_| has_more).map(|row| number(row).digits());
        Self { data: rows.into_iter().map(entry).collect(), has_more, next_cursor }
    }
}

/// Reads an id of a path: what is no id names nothing.
pub(crate) fn path_id<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

/// The account that a request is about: the one it names, or the caller's own.
pub(crate) fn account_of(check: &mut Check, named: Option<&str>, own: AccountId) -> Option<AccountId> {
    match named {
        Some(text) => check.parse("/account_id", text),
        None => Some(own),
    }
}
