//! CSV as suppliers write it: any separator, UTF-8 or UTF-16 with or without a byte order mark, or Windows-1252.

use std::borrow::Cow;

use crate::grid::{Cell, Error, Row, Rows};

/// What may stand between cells, the most likely first.
const SEPARATORS: [char; 4] = [';', '\t', ',', '|'];
/// Lines that are looked at to find the separator.
const LINES_LOOKED_AT: usize = 20;

/// The rows of a text.
pub(crate) fn rows(bytes: &[u8], separator: Option<char>) -> Result<Vec<Row>, Error> {
    let text = decode(bytes)?.replace("\r\n", "\n").replace('\r', "\n");
    let (hint, body) = excel_hint(&text);
    let separator = separator.or(hint).unwrap_or_else(|| find_separator(body));
    let separator = u8::try_from(separator).unwrap_or(b',');
    let mut reader =
        ::csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(text.as_bytes());
    let (mut rows, mut record) = (Rows::default(), ::csv::StringRecord::new());
    let (mut line, mut counted) = (1_u32, 0);
    while reader.read_record(&mut record).map_err(|error| Error::NotASheet(error.to_string()))? {
        // The position is where reading began: blank lines, which the reader skips, come before the row.
        let start = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or(counted);
        let rest = text.get(start..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start_matches('\n').len();
        let newlines = text.get(counted..start + blank).unwrap_or_default().matches('\n').count();
        line = line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        counted = start + blank;
        if hint.is_some() && line == 1 {
            continue;
        }
        for (column, cell) in record.iter().enumerate() {
            rows.put(line, column, Cell::text(cell))?;
        }
    }
    Ok(rows.into_rows())
}

/// The text of the bytes.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    let (text, _, broken) = match encoding_rs::Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding.decode(bytes),
        None if std::str::from_utf8(bytes).is_ok() => encoding_rs::UTF_8.decode(bytes),
        None => encoding_rs::WINDOWS_1252.decode(bytes),
    };
    if broken || text.contains('\0') {
        return Err(Error::NotASheet("neither text nor XLSX".to_owned()));
    }
    Ok(text)
}

/// Excel writes `sep=;` as a first line to tell itself the separator.
fn excel_hint(text: &str) -> (Option<char>, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut hint = first.trim_matches('"').strip_prefix("sep=").unwrap_or_default().chars();
    match (hint.next(), hint.next()) {
        (Some(separator), None) if separator.is_ascii() => (Some(separator), rest),
        _ => (None, text),
    }
}

/// The separator that stands in most lines equally often; of equals, the one that stands there more often.
fn find_separator(text: &str) -> char {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(LINES_LOOKED_AT).collect();
    let score = |separator: char| {
        let counts: Vec<usize> = lines.iter().map(|line| outside_quotes(line, separator)).collect();
        let alike = |count: usize| counts.iter().filter(|other| **other == count).count();
        let best = counts.iter().copied().filter(|count| *count > 0).max_by_key(|count| (alike(*count), *count));
        best.map_or((0, 0), |count| (alike(count), count))
    };
    // `max_by_key` takes the last of equals, and the first separator is the most likely.
    SEPARATORS.into_iter().rev().max_by_key(|separator| score(*separator)).unwrap_or(',')
}

fn outside_quotes(line: &str, separator: char) -> usize {
    let mut quoted = false;
    let count = |c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    };
    line.chars().map(count).filter(|is_one| *is_one).count()
}
