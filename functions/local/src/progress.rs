//! How far something is, on the terminal: one line that is drawn over itself. Nothing where nobody looks.

use std::io::{IsTerminal as _, Write as _};

/// Characters of the bar.
const WIDTH: u64 = 30;

/// A line that is drawn again and again.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    is_shown: bool,
    is_drawn: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, is_shown: std::io::stderr().is_terminal(), is_drawn: false }
    }

    /// Shows `done` of `total`.
    pub(crate) fn show(&mut self, done: u64, total: u64) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r{}\x1b[K", draw(self.what, done, total));
            self.is_drawn = true;
        }
    }

    /// Ends the line; so does dropping it.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let _ = writeln!(std::io::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn draw(what: &str, done: u64, total: u64) -> String {
    let (total, done) = (total.max(done).max(1), done);
    let filled = done.saturating_mul(WIDTH) / total;
    let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
    format!("{what} [{bar}] {done} of {total}, {} %", done.saturating_mul(100) / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_filled_by_what_is_done() {
        let rows = [
            (0, 10, "x [..............................] 0 of 10, 0 %"),
            (5, 10, "x [###############...............] 5 of 10, 50 %"),
            (10, 10, "x [##############################] 10 of 10, 100 %"),
            (12, 10, "x [##############################] 12 of 12, 100 %"),
            (0, 0, "x [..............................] 0 of 1, 0 %"),
        ];
        for (done, total, expected) in rows {
            assert_eq!(draw("x", done, total), expected);
        }
    }
}
