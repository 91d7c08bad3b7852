//! Traffic that somebody lists, line by line: as JSON or as CSV.

use std::collections::HashSet;
use std::sync::Arc;

use domain::{AccountId, Catalogue, Encoding, Network, Number, TemplateName, TrafficClass};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AskWhatIf;
use crate::check::Check;
use crate::numbering::sheet::{self, Form, Row};
use crate::problem::Code;

/// Lines of JSON at most.
const LINES_MAX: usize = 100_000;
/// Lines of CSV at most.
const CSV_LINES_MAX: usize = 1_000_000;
/// Messages of one line at most.
const COUNT_MAX: u32 = 1_000_000;
/// Messages of all lines at most: what a processor routes in a minute.
const MESSAGES_MAX: u64 = 10_000_000;
/// Most errors that one answer lists.
const ERRORS_MAX: usize = 1_000;

/// Messages that are alike.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// The recipient.
    to: String,
    /// Whose messages; the house's own when nothing is said.
    account_id: Option<String>,
    /// Their sender.
    from: Option<String>,
    /// Their class of traffic.
    traffic_class: Option<String>,
    /// The template that they were made of.
    template: Option<String>,
    /// `gsm7` when nothing is said.
    encoding: Option<String>,
    /// 1 when nothing is said.
    segments: Option<u8>,
    /// How many; 1 when nothing is said, at most a million.
    count: Option<u32>,
}

/// The columns of CSV: what rules of routing look at, and how many.
const FORM: Form = Form {
    columns: &["to", "account_id", "from", "traffic_class", "template", "encoding", "segments", "count"],
    required: 1,
    rows_max: CSV_LINES_MAX,
    first_line: 1,
};

/// One line in words, wherever it stands.
struct Said<'a> {
    to: &'a str,
    account_id: Option<&'a str>,
    from: Option<&'a str>,
    traffic_class: Option<&'a str>,
    template: Option<&'a str>,
    encoding: Option<&'a str>,
    segments: Option<u8>,
    count: Option<u32>,
}

/// Messages that are alike, to one number.
pub(in super::super) struct Listed {
    pub(in super::super) to: Number,
    pub(in super::super) network: Network,
    pub(in super::super) kind: Arc<Kind>,
    pub(in super::super) count: u32,
}

/// What lines of many numbers have in common.
#[derive(PartialEq, Eq, Hash)]
pub(in super::super) struct Kind {
    pub(in super::super) account: AccountId,
    pub(in super::super) from: String,
    pub(in super::super) traffic_class: Option<TrafficClass>,
    pub(in super::super) template: Option<TemplateName>,
    pub(in super::super) encoding: Encoding,
    pub(in super::super) segments: u8,
}

/// What the question lists; `None`: nothing. `house` is the account of lines that name none.
pub(super) fn read(
    catalogue: &Catalogue,
    check: &mut Check,
    body: &AskWhatIf,
    house: AccountId,
) -> Option<Vec<Listed>> {
    let mut lines = Lines { catalogue, house, kinds: HashSet::new() };
    let listed = match (&body.messages, &body.csv) {
        (Some(_), Some(_)) => {
            check.refuse("/csv", Code::InvalidRequest, "send messages or csv, not both");
            Vec::new()
        }
        (Some(messages), None) => lines.json(check, messages),
        (None, Some(csv)) => lines.csv(check, csv),
        (None, None) => return None,
    };
    let messages: u64 = listed.iter().map(|line| u64::from(line.count)).sum();
    let place = if body.csv.is_some() { "/csv" } else { "/messages" };
    check.that(messages <= MESSAGES_MAX, place, "expected at most 10000000 messages in all lines");
    Some(listed)
}

struct Lines<'a> {
    catalogue: &'a Catalogue,
    house: AccountId,
    kinds: HashSet<Arc<Kind>>,
}

impl Lines<'_> {
    fn json(&mut self, check: &mut Check, messages: &[Line]) -> Vec<Listed> {
        check.that(messages.len() <= LINES_MAX, "/messages", "expected at most 100000 lines; csv takes a million");
        let mut listed = Vec::with_capacity(messages.len().min(LINES_MAX));
        for (at, line) in messages.iter().take(LINES_MAX).enumerate() {
            if check.len() >= ERRORS_MAX {
                break;
            }
            let mut inner = Check::default();
            listed.extend(self.line(&mut inner, &line.said()));
            if !inner.is_clean() {
                check.take(&format!("/messages/{at}"), inner.into_errors());
            }
        }
        listed
    }

    fn csv(&mut self, check: &mut Check, csv: &str) -> Vec<Listed> {
        let read = sheet::read_all(csv.as_bytes(), &FORM, |check, row| {
            let mut inner = Check::default();
            let said = said(&mut inner, row);
            let line = self.line(&mut inner, &said);
            check.take(&row.at, inner.into_errors());
            line
        });
        read.unwrap_or_else(|problem| {
            check.take("/csv", problem.errors().to_vec());
            Vec::new()
        })
    }

    fn line(&mut self, check: &mut Check, said: &Said<'_>) -> Option<Listed> {
        let to = check.value("/to", Code::InvalidNumber, Number::parse(said.to));
        let unpriced = "no prefix leads to the network of this number";
        let network =
            to.and_then(|to| check.value("/to", Code::UnpricedDestination, self.catalogue.network(to).ok_or(unpriced)));
        let kind = self.kind(check, said);
        let count = said.count.unwrap_or(1);
        check.that((1..=COUNT_MAX).contains(&count), "/count", "expected 1 to 1000000");
        Some(Listed { to: to?, network: network?, kind: kind?, count })
    }

    fn kind(&mut self, check: &mut Check, said: &Said<'_>) -> Option<Arc<Kind>> {
        let account = check.parse_some("/account_id", said.account_id).unwrap_or(self.house);
        check.that(self.catalogue.accounts.contains_key(&account), "/account_id", "there is no such account");
        let encoding = Encoding::parse(said.encoding.unwrap_or("gsm7"));
        let encoding = encoding.ok_or("expected gsm7, ucs2, latin1 or binary");
        let segments = said.segments.unwrap_or(1);
        check.that(segments > 0, "/segments", "expected 1 to 255");
        let kind = Kind {
            account,
            from: said.from.unwrap_or_default().to_owned(),
            traffic_class: check.parse_some("/traffic_class", said.traffic_class),
            template: check.parse_some("/template", said.template),
            encoding: check.value("/encoding", Code::InvalidRequest, encoding)?,
            segments,
        };
        if let Some(known) = self.kinds.get(&kind) {
            return Some(Arc::clone(known));
        }
        let kind = Arc::new(kind);
        self.kinds.insert(Arc::clone(&kind));
        Some(kind)
    }
}

impl Line {
    fn said(&self) -> Said<'_> {
        Said {
            to: &self.to,
            account_id: self.account_id.as_deref(),
            from: self.from.as_deref(),
            traffic_class: self.traffic_class.as_deref(),
            template: self.template.as_deref(),
            encoding: self.encoding.as_deref(),
            segments: self.segments,
            count: self.count,
        }
    }
}

fn said<'r>(check: &mut Check, row: &'r Row<'_>) -> Said<'r> {
    let number = |check: &mut Check, column: &str, max: u32| {
        let text = row.get(column)?;
        let read = text.parse::<u32>().ok().filter(|number| (1..=max).contains(number));
        let expected = || format!("expected a whole number of 1 to {max}");
        check.value(&format!("/{column}"), Code::InvalidRequest, read.ok_or_else(expected))
    };
    Said {
        to: row.get("to").unwrap_or_default(),
        account_id: row.get("account_id"),
        from: row.get("from"),
        traffic_class: row.get("traffic_class"),
        template: row.get("template"),
        encoding: row.get("encoding"),
        segments: number(check, "segments", u8::MAX.into()).and_then(|number| u8::try_from(number).ok()),
        count: number(check, "count", COUNT_MAX),
    }
}
