//! Values that hide themselves, so that message text never reaches a log line by accident.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A string that a person wrote to a person. `Debug` shows its length only; there is no `Display`.
///
/// **Invariant:** the only way to the text is [`Private::expose`], which a reviewer can search for.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private(String);

impl Private {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the wire and the database, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text itself, given away.
    pub fn into_exposed(self) -> String {
        self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Private({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_text() {
        assert_eq!(format!("{:?}", Private::new("hello")), "Private(5 bytes)");
    }
}
