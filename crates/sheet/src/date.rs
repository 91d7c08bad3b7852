//! Dates as suppliers write them. What can be meant two ways is refused, not guessed.

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};

use crate::fault::Reason;
use crate::grid::Cell;
use crate::mapping::Mapping;

/// Years that a rate can begin or end in.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2100;
/// Serial numbers of Excel's dates of these years, where the cell was not formatted as a date.
const SERIALS: std::ops::RangeInclusive<i64> = 36_526..=73_415;
/// Forms that can be meant one way only.
const USUAL: [&str; 12] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %Y",
    "%d/%b/%Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
];
/// Words that mean as soon as possible.
const AT_ONCE: [&str; 7] = ["immediate", "immediately", "now", "asap", "current", "-", "n/a"];

/// Reads a date; `None`: nothing is said, or at once.
pub(crate) fn date(cell: &Cell, mapping: &Mapping) -> Result<Option<DateTime<Utc>>, Reason> {
    let local = match cell {
        Cell::Empty => return Ok(None),
        Cell::Error(_) => return Err(Reason::CellError),
        Cell::Date(at) => *at,
        Cell::Number(text) => serial(text).or_else(|| usual(text)).ok_or(Reason::DateInvalid)?,
        Cell::Text(text) if AT_ONCE.contains(&text.to_lowercase().as_str()) => return Ok(None),
        Cell::Text(text) => match DateTime::parse_from_rfc3339(text) {
            // It says itself where its day begins.
            Ok(at) => return within_years(at.with_timezone(&Utc)),
            Err(_) => from_text(text, mapping)?,
        },
    };
    let offset =
        mapping.utc_offset_minutes.checked_mul(60).and_then(FixedOffset::east_opt).ok_or(Reason::DateInvalid)?;
    let at = offset.from_local_datetime(&local).single().ok_or(Reason::DateInvalid)?;
    within_years(at.with_timezone(&Utc))
}

fn within_years(at: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Reason> {
    if YEARS.contains(&at.year()) { Ok(Some(at)) } else { Err(Reason::DateInvalid) }
}

/// A day as Excel counts them.
fn serial(text: &str) -> Option<NaiveDateTime> {
    let days: i64 = text.split('.').next()?.parse().ok()?;
    if !SERIALS.contains(&days) {
        return None;
    }
    let day = NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_signed(chrono::TimeDelta::try_days(days)?)?;
    Some(day.and_time(NaiveTime::MIN))
}

fn from_text(text: &str, mapping: &Mapping) -> Result<NaiveDateTime, Reason> {
    let own = mapping.date_formats.iter().filter_map(|format| by_format(text, &translate(format)));
    if let Some(at) = own.into_iter().next() {
        return Ok(at);
    }
    if let Some(at) = usual(text) {
        return Ok(at);
    }
    slashed(text)
}

fn usual(text: &str) -> Option<NaiveDateTime> {
    USUAL.iter().find_map(|format| by_format(text, format))
}

/// Reads a date with or without a time of day behind it.
fn by_format(text: &str, format: &str) -> Option<NaiveDateTime> {
    let day = || NaiveDate::parse_from_str(text, format).map(|day| day.and_time(NaiveTime::MIN));
    if let Ok(at) = NaiveDateTime::parse_from_str(text, format).or_else(|_| day()) {
        // `%Y` reads 26 as the year 26; another format knows better.
        return Some(at).filter(|at| YEARS.contains(&at.year()));
    }
    let (day, time) = text.rsplit_once(['T', ' '])?;
    let day = NaiveDate::parse_from_str(day.trim_end(), format).ok().filter(|day| YEARS.contains(&day.year()))?;
    let time = ["%H:%M:%S", "%H:%M"].iter().find_map(|format| NaiveTime::parse_from_str(time, format).ok())?;
    Some(day.and_time(time))
}

/// `31/12/2026` or `12/31/2026`; `01/02/2026` can be meant either way.
fn slashed(text: &str) -> Result<NaiveDateTime, Reason> {
    let (european, american) = (by_format(text, "%d/%m/%Y"), by_format(text, "%m/%d/%Y"));
    let dashed = || (by_format(text, "%d-%m-%Y"), by_format(text, "%m-%d-%Y"));
    let (european, american) = if european.or(american).is_some() { (european, american) } else { dashed() };
    match (european, american) {
        (Some(one), Some(other)) if one != other => Err(Reason::DateAmbiguous),
        (Some(at), _) | (None, Some(at)) => Ok(at),
        (None, None) => Err(Reason::DateInvalid),
    }
}

/// `dd/mm/yyyy hh:mi` in the words of chrono.
fn translate(format: &str) -> String {
    let mut out = String::new();
    let mut rest = format;
    let words = [
        ("yyyy", "%Y"),
        ("yy", "%y"),
        ("mmmm", "%B"),
        ("mmm", "%b"),
        ("mm", "%m"),
        ("mi", "%M"),
        ("m", "%m"),
        ("dd", "%d"),
        ("d", "%d"),
        ("hh", "%H"),
        ("ss", "%S"),
    ];
    while let Some(first) = rest.chars().next() {
        let lower = rest.to_ascii_lowercase();
        if let Some((word, token)) = words.iter().find(|(word, _)| lower.starts_with(word)) {
            out.push_str(token);
            rest = rest.get(word.len()..).unwrap_or_default();
        } else {
            out.push_str(if first == '%' { "%%" } else { rest.get(..first.len_utf8()).unwrap_or_default() });
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

/// A format with a day, a month and a year.
pub(crate) fn is_format(format: &str) -> bool {
    let translated = translate(format);
    let has = |tokens: &[&str]| tokens.iter().map(|token| translated.matches(token).count()).sum::<usize>() == 1;
    format.len() <= 40 && has(&["%d"]) && has(&["%m", "%b", "%B"]) && has(&["%Y", "%y"])
}

#[cfg(test)]
mod tests;
