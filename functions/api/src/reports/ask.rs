//! What a report is asked: query parameters in, a question out.

use chrono::{NaiveDate, TimeDelta};
use domain::Role;
use domain::network::Mcc;
use http::HeaderMap;
use store::traffic::{Dimension, Question};

use super::Filters;
use crate::check::Check;
use crate::csv;
use crate::problem::{Code, Problem};

/// Days of one report.
const DAYS_MAX: i64 = 400;
/// Characters of a sender.
const SENDER_MAX: usize = 15;

/// A question, and how it is answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) csv: bool,
}

pub(super) fn read(filters: &Filters, headers: &HeaderMap, today: NaiveDate, role: Role) -> Result<Asked, Problem> {
    let mut check = Check::default();
    let until = day(&mut check, "/to", filters.to.as_deref()).unwrap_or(today);
    let since = day(&mut check, "/from", filters.from.as_deref()).unwrap_or(until - TimeDelta::days(6));
    check.that(since <= until, "/from", "the first day comes behind the last");
    check.that((until - since).num_days() < DAYS_MAX, "/from", "a report has 400 days at most");
    let mut by = Vec::new();
    for name in filters.by.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match Dimension::ALL.into_iter().find(|dimension| dimension.name() == name) {
            Some(dimension) if by.contains(&dimension) => {}
            Some(dimension) => by.push(dimension),
            None => check.refuse(
                "/by",
                Code::InvalidRequest,
                "expected day, account, country, network, operator or sender, apart by commas",
            ),
        }
    }
    by.sort_unstable();
    let csv = format(&mut check, filters.format.as_deref(), headers);
    if let Some(sender) = &filters.sender {
        let length = sender.chars().count();
        check.that((1..=SENDER_MAX).contains(&length), "/sender", "expected 1 to 15 characters");
    }
    let network = filters.network.as_deref().and_then(|text| check.parse::<domain::Network>("/network", text));
    let country = filters.country.as_deref().and_then(|text| check.parse::<Mcc>("/country", text));
    let question = Question {
        since,
        until,
        by,
        account: check.parse_some("/account_id", filters.account_id.as_deref()),
        country: country.map(|country| country.to_string()),
        network: network.map(|network| network.to_string()),
        operator: check.parse_some("/operator_id", filters.operator_id.as_deref()),
        sender: filters.sender.clone(),
    };
    check.finish()?;
    let asks_for_operators = question.operator.is_some() || question.by.contains(&Dimension::Operator);
    if asks_for_operators && role != Role::Admin {
        return Err(Problem::new(
            Code::Forbidden,
            "only the house sees operators; leave operator out of by and filters",
        ));
    }
    Ok(Asked { question, csv })
}

fn day(check: &mut Check, at: &str, text: Option<&str>) -> Option<NaiveDate> {
    let read = text?.parse::<NaiveDate>();
    check.value(at, Code::InvalidRequest, read.map_err(|_| "expected a day such as 2026-11-28"))
}

/// CSV where the query says so, or where it says nothing and the header prefers it.
fn format(check: &mut Check, format: Option<&str>, headers: &HeaderMap) -> bool {
    match format {
        Some("csv") => true,
        Some("json") => false,
        Some(_) => {
            check.refuse("/format", Code::InvalidRequest, "expected json or csv");
            false
        }
        None => csv::is_wanted(headers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(pairs: &[(&str, &str)]) -> Filters {
        let get = |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Filters {
            from: get("from"),
            to: get("to"),
            by: get("by"),
            account_id: get("account_id"),
            country: get("country"),
            network: get("network"),
            operator_id: get("operator_id"),
            sender: get("sender"),
            format: get("format"),
        }
    }

    /// The query, and the fields that are refused.
    type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let rows: [Case; 8] = [
            (&[], &[]),
            (&[("from", "2026-11-01"), ("by", "day, network,day"), ("format", "csv")], &[]),
            (&[("from", "yesterday"), ("by", "week"), ("format", "pdf")], &["/by", "/format", "/from"]),
            (&[("from", "2026-11-29")], &["/from"]),
            (&[("from", "2025-01-01")], &["/from"]),
            (&[("country", "43"), ("network", "4"), ("sender", "")], &["/country", "/network", "/sender"]),
            (&[("account_id", "x"), ("operator_id", "y")], &["/account_id", "/operator_id"]),
            (&[("to", "2026-13-01")], &["/to"]),
        ];
        let today = NaiveDate::from_ymd_opt(2026, 11, 28).unwrap();
        for (pairs, expected) in rows {
            let read = read(&filters(pairs), &HeaderMap::new(), today, Role::Admin);
            let mut wrong: Vec<String> = read
                .err()
                .map(|problem| problem.errors().iter().map(|e| e.pointer.clone()).collect())
                .unwrap_or_default();
            wrong.sort();
            assert_eq!(wrong, expected, "{pairs:?}");
        }
    }

    #[test]
    fn only_the_house_asks_for_operators() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 28).unwrap();
        for (role, is_good) in [(Role::Admin, true), (Role::Reseller, false), (Role::Client, false)] {
            let read = read(&filters(&[("by", "operator")]), &HeaderMap::new(), today, role);
            assert_eq!(read.is_ok(), is_good, "{role:?}");
        }
    }
}
