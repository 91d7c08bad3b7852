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
