//! XLSX: cells one by one, so that a single cell in the last row of the last column costs nothing.

use std::io::{Cursor, Read as _, sink};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};

use crate::grid::{Cell, Error, Row, Rows, UNPACKED_BYTES_MAX};

/// Files inside a workbook at most.
const ENTRIES_MAX: usize = 1_000;
/// Digits before or behind the point beyond which a number is left in its scientific form.
const PLACES_MAX: usize = 30;

/// The rows of a sheet of a workbook.
pub(crate) fn rows(bytes: &[u8], sheet: Option<&str>) -> Result<Vec<Row>, Error> {
    check_size(bytes)?;
    // A stranger's file must not end the caller, whatever the library makes of it.
    let read = catch_unwind(AssertUnwindSafe(|| read(bytes, sheet)));
    read.unwrap_or_else(|_| Err(Error::NotASheet("the workbook is broken".to_owned())))
}

/// Unpacks everything once to nowhere: what a zip says of its own sizes is not to be trusted.
fn check_size(bytes: &[u8]) -> Result<(), Error> {
    let broken = |error: &dyn std::fmt::Display| Error::NotASheet(format!("the workbook is broken: {error}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    if archive.len() > ENTRIES_MAX {
        return Err(Error::Unpacked);
    }
    let mut left = UNPACKED_BYTES_MAX;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(|error| broken(&error))?;
        let read = std::io::copy(&mut entry.take(left + 1), &mut sink()).map_err(|error| broken(&error))?;
        left = left.checked_sub(read).ok_or(Error::Unpacked)?;
    }
    Ok(())
}

fn read(bytes: &[u8], sheet: Option<&str>) -> Result<Vec<Row>, Error> {
    let broken = |error: XlsxError| Error::NotASheet(format!("the workbook is broken: {error}"));
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let names = book.sheet_names();
    let name = match sheet {
        None => names.first(),
        Some(wanted) => names.iter().find(|name| name.trim().eq_ignore_ascii_case(wanted.trim())),
    };
    let name = name.cloned().ok_or_else(|| Error::NoSuchSheet(names.join(", ")))?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(broken)?;
    let mut rows = Rows::default();
    while let Some(cell) = cells.next_cell().map_err(broken)? {
        let (row, column) = cell.get_position();
        rows.put(row.saturating_add(1), usize::try_from(column).unwrap_or(usize::MAX), value(cell.get_value()))?;
    }
    Ok(rows.into_rows())
}

fn value(data: &DataRef<'_>) -> Cell {
    match data {
        DataRef::Int(number) => Cell::Number(number.to_string()),
        DataRef::Float(number) => Cell::Number(decimal(*number)),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::text(text),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::Bool(value) => Cell::Text(value.to_string()),
        DataRef::DateTime(at) => match at.as_datetime() {
            Some(moment) if at.is_datetime() => Cell::Date(moment),
            _ => Cell::Number(decimal(at.as_f64())),
        },
        DataRef::Error(error) => Cell::Error(error.to_string()),
        DataRef::Empty => Cell::Empty,
    }
}

/// A number as plain decimal text of 15 significant digits: Excel keeps no more, and what is stored behind them is
/// the noise of binary fractions (0.1 + 0.2 is 0.30000000000000004 in the file and 0.3 on the screen).
fn decimal(number: f64) -> String {
    let scientific = format!("{number:.14e}");
    plain(&scientific).unwrap_or(scientific)
}

/// `1.50000000000000e-2` as `0.015`.
fn plain(scientific: &str) -> Option<String> {
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: isize = exponent.parse().ok()?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    if exponent.unsigned_abs() > PLACES_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (whole, fraction) = match usize::try_from(exponent) {
        Ok(exponent) => {
            let digits = format!("{digits:0<width$}", width = exponent + 1);
            let (whole, fraction) = digits.split_at(exponent + 1);
            (whole.to_owned(), fraction.to_owned())
        }
        Err(_) => ("0".to_owned(), format!("{}{digits}", "0".repeat(exponent.unsigned_abs() - 1))),
    };
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_what_excel_shows() {
        let rows = [
            (0.004_5, "0.0045"),
            (0.1 + 0.2, "0.3"),
            (434.0, "434"),
            (0.0, "0"),
            (-12.5, "-12.5"),
            (1e-7, "0.0000001"),
            (123_456.789_012, "123456.789012"),
            (1e20, "100000000000000000000"),
            (1e300, "1.00000000000000e300"),
            (f64::NAN, "NaN"),
        ];
        for (number, expected) in rows {
            assert_eq!(decimal(number), expected);
        }
    }
}
