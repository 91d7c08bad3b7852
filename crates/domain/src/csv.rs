//! CSV that people open in a spreadsheet (RFC 4180), safe against text that a spreadsheet would run as a formula.

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// What people wrote. A spreadsheet takes what begins with `=`, `+`, `-`, `@` or a control character for a formula;
    /// such a cell gets an apostrophe before it.
    Text(String),
    /// What we wrote: numbers, ids, times.
    Plain(String),
}

impl Cell {
    /// What people wrote, or nothing.
    pub fn text(text: Option<&str>) -> Self {
        Self::Text(text.unwrap_or_default().to_owned())
    }

    /// What we wrote, or nothing.
    pub fn plain<T: ToString>(value: Option<T>) -> Self {
        Self::Plain(value.map(|value| value.to_string()).unwrap_or_default())
    }

    /// Appends it to `out`: in quotes where it has to be.
    fn write(&self, out: &mut String) {
        let (guard, text) = match self {
            Self::Text(text) if text.trim_start_matches(' ').starts_with(is_formula) => ("'", text),
            Self::Text(text) | Self::Plain(text) => ("", text),
        };
        if text.contains([',', '"', '\r', '\n']) {
            out.extend(["\"", guard, &text.replace('"', "\"\""), "\""]);
        } else {
            out.extend([guard, text]);
        }
    }
}

/// Appends a line of `cells` to `out`.
pub fn row(out: &mut String, cells: &[Cell]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        cell.write(out);
    }
    out.push_str("\r\n");
}

/// Appends the line of the headings to `out`.
pub fn headings<'a>(out: &mut String, headings: impl IntoIterator<Item = &'a str>) {
    let cells: Vec<Cell> = headings.into_iter().map(|heading| Cell::plain(Some(heading))).collect();
    row(out, &cells);
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
            (Cell::text(Some("=cmd|' /C calc'!A0")), "'=cmd|' /C calc'!A0"),
            (Cell::text(Some("@SUM(A1),x")), "\"'@SUM(A1),x\""),
            (Cell::text(Some("-3")), "'-3"),
            (Cell::text(Some("\t=1")), "'\t=1"),
            (Cell::text(Some("\n=1")), "\"'\n=1\""),
            (Cell::text(Some(" =1")), "' =1"),
            (Cell::plain(Some("-3.50")), "-3.50"),
            (Cell::plain(Some("+998901234567")), "+998901234567"),
            (Cell::plain(Some("[{\"hop\":0}]")), "\"[{\"\"hop\"\":0}]\""),
            (Cell::plain(Some(7)), "7"),
            (Cell::plain(None::<i64>), ""),
        ];
        for (cell, expected) in rows {
            let mut out = String::new();
            row(&mut out, &[cell.clone(), Cell::plain(Some("end"))]);
            assert_eq!(out, format!("{expected},end\r\n"), "{cell:?}");
        }
        let mut out = String::new();
        headings(&mut out, ["day", "sender"]);
        assert_eq!(out, "day,sender\r\n");
    }
}
