//! Rows and cells, as they stand in the file.

use chrono::NaiveDateTime;

/// Bytes of a file at most.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of everything inside an XLSX at most, unpacked: a zip bomb ends here.
pub const UNPACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Rows at most, blank ones included.
pub const ROWS_MAX: u32 = 50_000;
/// Columns at most.
pub const COLUMNS_MAX: usize = 100;
/// Characters of a cell at most; a longer one is cut, and is no value.
pub const CELL_CHARS_MAX: usize = 1_000;

/// What kind of file it is. Its bytes say so, not its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text with separators.
    Csv,
    /// Excel since 2007: a zip of XML.
    Xlsx,
}

impl Format {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }

    fn of(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.starts_with(b"PK\x03\x04") {
            Ok(Self::Xlsx)
        } else if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
            Err(Error::OldExcel)
        } else {
            Ok(Self::Csv)
        }
    }
}

/// Why a file is no sheet at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than [`BYTES_MAX`].
    #[error("the file has more than {BYTES_MAX} bytes")]
    TooLarge,
    /// More bytes than [`UNPACKED_BYTES_MAX`] inside.
    #[error("the file unpacks to more than {UNPACKED_BYTES_MAX} bytes")]
    Unpacked,
    /// More rows than [`ROWS_MAX`].
    #[error("the sheet has more than {ROWS_MAX} rows")]
    TooLong,
    /// More columns than [`COLUMNS_MAX`].
    #[error("row {0} has more than {COLUMNS_MAX} columns")]
    TooWide(u32),
    /// The format of Excel before 2007.
    #[error("this is the old format of Excel (.xls): save it as .xlsx or .csv")]
    OldExcel,
    /// Neither text nor XLSX.
    #[error("this is no sheet: {0}")]
    NotASheet(String),
    /// The mapping names a sheet that is not there.
    #[error("there is no sheet of this name; the sheets are {0}")]
    NoSuchSheet(String),
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cell {
    /// Nothing, or white space.
    #[default]
    Empty,
    /// Text, trimmed.
    Text(String),
    /// A number of a spreadsheet, as decimal text of at most 15 significant digits: what Excel itself keeps and shows.
    Number(String),
    /// A number that the spreadsheet shows as a date.
    Date(NaiveDateTime),
    /// An error of a formula, such as `#N/A`.
    Error(String),
}

impl Cell {
    /// Text of a cell, trimmed of every kind of white space.
    pub(crate) fn text(text: &str) -> Self {
        let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'));
        if text.is_empty() { Self::Empty } else { Self::Text(text.chars().take(CELL_CHARS_MAX + 1).collect()) }
    }

    /// The cell as a person sees it.
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Number(text) | Self::Error(text) => text.clone(),
            Self::Date(at) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }
}

/// One row that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number as a spreadsheet or an editor shows it, from 1.
    pub number: u32,
    /// Its cells; those behind the last are empty.
    pub cells: Vec<Cell>,
}

impl Row {
    /// The cell of a column, from 0.
    pub fn cell(&self, column: usize) -> &Cell {
        self.cells.get(column).unwrap_or(&Cell::Empty)
    }
}

/// A sheet as rows of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// What the file was.
    pub format: Format,
    /// The rows that are not blank, in order.
    pub rows: Vec<Row>,
}

impl Grid {
    /// Reads a file. `sheet` names the sheet of a workbook (the first when nothing is said); `separator` is what stands
    /// between the cells of a CSV (found out when nothing is said).
    pub fn read(bytes: &[u8], sheet: Option<&str>, separator: Option<char>) -> Result<Self, Error> {
        if bytes.len() > BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let format = Format::of(bytes)?;
        let rows = match format {
            Format::Csv => crate::csv::rows(bytes, separator)?,
            Format::Xlsx => crate::xlsx::rows(bytes, sheet)?,
        };
        Ok(Self { format, rows })
    }
}

/// Rows as they are read, within the bounds.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<Row>);

impl Rows {
    /// Puts a cell where it belongs. Cells come row by row; an empty one need not come.
    pub(crate) fn put(&mut self, number: u32, column: usize, cell: Cell) -> Result<(), Error> {
        if cell == Cell::Empty {
            return Ok(());
        }
        if number > ROWS_MAX {
            return Err(Error::TooLong);
        }
        if column >= COLUMNS_MAX {
            return Err(Error::TooWide(number));
        }
        if self.0.last().is_none_or(|row| row.number < number) {
            self.0.push(Row { number, cells: Vec::new() });
        }
        // Some writers go back; the row is then found.
        let Some(row) = self.0.iter_mut().rev().find(|row| row.number == number) else { return Ok(()) };
        if row.cells.len() <= column {
            row.cells.resize(column + 1, Cell::Empty);
        }
        row.cells[column] = cell;
        Ok(())
    }

    pub(crate) fn into_rows(self) -> Vec<Row> {
        self.0
    }
}

#[cfg(test)]
mod tests;
