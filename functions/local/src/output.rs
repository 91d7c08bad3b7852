//! What commands print: tables and colour for people, JSON for programs.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

/// How a cell is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Plain,
    Good,
    Bad,
    /// Under way, or worth a look.
    Open,
}

/// One cell of a table.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    text: String,
    mood: Mood,
}

impl Value {
    pub(crate) fn with(mood: Mood, text: &impl ToString) -> Self {
        Self { text: text.to_string(), mood }
    }

    /// Another text in the same mood.
    pub(crate) fn saying(&self, text: &str) -> Self {
        Self { text: text.to_owned(), mood: self.mood }
    }
}

impl<T: ToString> From<T> for Value {
    fn from(text: T) -> Self {
        Self::with(Mood::Plain, &text)
    }
}

/// Where a command prints to.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, colour: wanted && std::io::stdout().is_terminal() }
    }

    /// Whether a program reads.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints rows below their headings; `empty` where there are none.
    pub(crate) fn table(&self, headings: &[&str], rows: Vec<Vec<Value>>, empty: &str) {
        if rows.is_empty() {
            return line(empty);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if !std::io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        table.set_header(headings.iter().map(|heading| self.cell(&Value::from(heading.to_uppercase()))));
        for row in rows {
            table.add_row(row.iter().map(|value| self.cell(value)));
        }
        line(&table.trim_fmt());
    }

    /// A line in the colour of its mood.
    pub(crate) fn coloured(&self, value: &Value) -> String {
        let code = match value.mood {
            _ if !self.colour => return value.text.clone(),
            Mood::Plain => return value.text.clone(),
            Mood::Good => 32,
            Mood::Bad => 31,
            Mood::Open => 33,
        };
        format!("\x1b[{code}m{}\x1b[0m", value.text)
    }

    /// Says how far something is, on a terminal, beside what is printed.
    pub(crate) fn progress(&self, text: &str) {
        if !self.json && std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    fn cell(&self, value: &Value) -> Cell {
        let cell = Cell::new(&value.text);
        match value.mood {
            _ if !self.colour => cell,
            Mood::Plain => cell,
            Mood::Good => cell.fg(Color::Green),
            Mood::Bad => cell.fg(Color::Red),
            Mood::Open => cell.fg(Color::Yellow),
        }
    }
}

/// A bar of what is done, on the terminal of a person; elsewhere nothing. It goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    total: usize,
    shown: bool,
}

/// Characters of a bar.
const BAR: usize = 30;

impl Progress {
    pub(crate) fn new(out: &Output, what: &'static str, total: usize) -> Self {
        let mut bar = Self { what, total: total.max(1), shown: !out.json && std::io::stderr().is_terminal() };
        bar.at(0);
        bar
    }

    /// So much is done.
    pub(crate) fn at(&mut self, done: usize) {
        if self.shown {
            let full = (done.min(self.total) * BAR) / self.total;
            let bar = format!("{}{}", "#".repeat(full), ".".repeat(BAR - full));
            let _ = write!(std::io::stderr(), "\r{} [{bar}] {done}/{}", self.what, self.total);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// Prints one line.
pub(crate) fn line(text: &str) {
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Empties the screen of a terminal; elsewhere what follows comes below.
pub(crate) fn clear() {
    if std::io::stdout().is_terminal() {
        let _ = write!(std::io::stdout(), "\x1b[2J\x1b[H");
    }
}

/// Prints a value as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}
