//! Receipt text by a template, for customers whose library reads one form and no other.
//!
//! A template is text with placeholders in braces. `{id}`, `{sub}`, `{dlvrd}`, `{submit_date}`, `{done_date}`, `{stat}`,
//! `{err}` and `{text}` are those of the usual form; a date takes its number of digits behind a colon
//! (`{done_date:12}`), 10 without. A brace that is meant is doubled.

use std::fmt::Write;

use super::{Date, Receipt, State};

/// The form of appendix B, which nearly everybody reads; what `to_octets` writes.
pub const STANDARD: &str = "id:{id} sub:{sub} dlvrd:{dlvrd} submit date:{submit_date} done date:{done_date} \
                            stat:{stat} err:{err} text:{text}";

/// Every placeholder that a template may hold.
pub const PLACEHOLDERS: [&str; 12] = [
    "id",
    "sub",
    "dlvrd",
    "submit_date",
    "submit_date:12",
    "submit_date:14",
    "done_date",
    "done_date:12",
    "done_date:14",
    "stat",
    "err",
    "text",
];

/// Digits of a date (`YYMMDDhhmm`, with seconds, or with seconds and four digits of the year).
#[derive(Clone, Copy)]
enum Digits {
    Ten,
    Twelve,
    Fourteen,
}

/// A piece of a template.
enum Piece<'a> {
    Literal(&'a str),
    /// What stands between braces.
    Placeholder(&'a str),
    /// A brace that nothing closes, with the rest of the template.
    Unclosed(&'a str),
}

/// The text that goes into `short_message`. What the receipt lacks is written as in the usual form (`sub:001`,
/// `stat:UNKNOWN`); a placeholder that nobody knows stays as it is, so check with [`problems`] first.
pub fn render(template: &str, receipt: &Receipt<'_>) -> Vec<u8> {
    let mut octets = Vec::with_capacity(template.len() + 64);
    for piece in pieces(template) {
        match piece {
            Piece::Literal(text) => octets.extend_from_slice(text.as_bytes()),
            Piece::Placeholder("text") => octets.extend_from_slice(&receipt.text),
            Piece::Placeholder(name) => match value(name, receipt) {
                Some(value) => octets.extend_from_slice(value.as_bytes()),
                None => octets.extend_from_slice(format!("{{{name}}}").as_bytes()),
            },
            Piece::Unclosed(rest) => octets.extend_from_slice(rest.as_bytes()),
        }
    }
    octets
}

/// What is wrong with a template, one sentence for each; empty when nothing is.
pub fn problems(template: &str) -> Vec<String> {
    let problem = |piece: Piece<'_>| match piece {
        Piece::Placeholder(name) if !PLACEHOLDERS.contains(&name) => {
            Some(format!("unknown placeholder {{{name}}}; known are {}", PLACEHOLDERS.join(", ")))
        }
        Piece::Unclosed(rest) => Some(format!("a brace is never closed: {rest:?} (a brace that is meant is doubled)")),
        Piece::Literal(_) | Piece::Placeholder(_) => None,
    };
    pieces(template).filter_map(problem).collect()
}

fn value(name: &str, receipt: &Receipt<'_>) -> Option<String> {
    let delivered = || receipt.delivered.unwrap_or_else(|| u32::from(receipt.state == Some(State::Delivered)));
    Some(match name {
        "id" => receipt.id.as_deref().unwrap_or_default().to_owned(),
        "sub" => format!("{:03}", receipt.submitted.unwrap_or(1).min(999)),
        "dlvrd" => format!("{:03}", delivered().min(999)),
        "submit_date" => date(receipt.submit_date, Digits::Ten),
        "submit_date:12" => date(receipt.submit_date, Digits::Twelve),
        "submit_date:14" => date(receipt.submit_date, Digits::Fourteen),
        "done_date" => date(receipt.done_date, Digits::Ten),
        "done_date:12" => date(receipt.done_date, Digits::Twelve),
        "done_date:14" => date(receipt.done_date, Digits::Fourteen),
        "stat" => receipt.state.unwrap_or(State::Unknown).name().to_owned(),
        "err" => receipt.error.as_deref().unwrap_or("000").to_owned(),
        _ => return None,
    })
}

fn date(date: Option<Date>, digits: Digits) -> String {
    let date = date.unwrap_or_default();
    let mut text = match digits {
        Digits::Fourteen => format!("{:02}", date.year / 100),
        Digits::Ten | Digits::Twelve => String::new(),
    };
    // A string takes everything that is written to it.
    let _never_fails = write!(text, "{date}");
    if !matches!(digits, Digits::Ten) {
        let _never_fails = write!(text, "{:02}", date.second);
    }
    text
}

fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        let (piece, after) = next_piece(rest)?;
        rest = after;
        Some(piece)
    })
}

/// The first piece and what follows it; `None` at the end.
fn next_piece(rest: &str) -> Option<(Piece<'_>, &str)> {
    if rest.is_empty() {
        return None;
    }
    for doubled in ["{{", "}}"] {
        if let Some(after) = rest.strip_prefix(doubled) {
            return Some((Piece::Literal(&doubled[..1]), after));
        }
    }
    if let Some(open) = rest.strip_prefix('{') {
        return Some(match open.split_once('}') {
            Some((name, after)) => (Piece::Placeholder(name), after),
            None => (Piece::Unclosed(rest), ""),
        });
    }
    // A closing brace on its own is harmless, and taken as it is.
    let start = rest.char_indices().skip(1).find(|&(_, character)| matches!(character, '{' | '}'));
    let (literal, after) = rest.split_at(start.map_or(rest.len(), |(at, _)| at));
    Some((Piece::Literal(literal), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt<'static> {
        let date = Date { year: 2026, month: 11, day: 3, hour: 9, minute: 5, second: 7 };
        Receipt {
            id: Some("7f".into()),
            submit_date: Some(date),
            done_date: Some(date),
            state: Some(State::Delivered),
            text: b"h\xF6".as_slice().into(),
            ..Receipt::default()
        }
    }

    #[test]
    fn placeholders_are_filled() {
        for (template, expected) in [
            ("", &b""[..]),
            ("id:{id}", b"id:7f"),
            ("{sub}/{dlvrd} {stat} {err}", b"001/001 DELIVRD 000"),
            ("{submit_date} {submit_date:12} {submit_date:14}", b"2611030905 261103090507 20261103090507"),
            ("{done_date} {done_date:12} {done_date:14}", b"2611030905 261103090507 20261103090507"),
            ("Text:{text}", b"Text:h\xF6"),
            ("{{id}} }", b"{id} }"),
            ("{nope} {id", b"{nope} {id"),
        ] {
            assert_eq!(render(template, &receipt()), expected, "{template:?}");
        }
        assert_eq!(render("{id}|{dlvrd}|{done_date}|{stat}", &Receipt::default()), b"|000|0001010000|UNKNOWN");
        assert_eq!(render(STANDARD, &receipt()), receipt().to_octets());
    }

    #[test]
    fn problems_are_all_told() {
        for (template, count) in
            [("", 0), (STANDARD, 0), ("{{x}}", 0), ("{x} {id} {done_date:13}", 2), ("{ID} {id", 2), ("{}", 1)]
        {
            assert_eq!(problems(template).len(), count, "{template:?}: {:?}", problems(template));
        }
        assert!(problems("{x}")[0].contains("{x}"));
    }
}
