//! Where settings come from.

use std::collections::BTreeMap;
use std::env::{self, VarError};

/// A source of settings. Programs use [`Environment`], tests a map.
pub trait Strings {
    /// The value of a variable, `None` when it is not set or empty.
    fn get(&self, key: &str) -> Result<Option<String>, Unreadable>;

    /// The names of all variables that are set.
    fn names(&self) -> Vec<String>;
}

/// The value is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not valid UTF-8")]
pub struct Unreadable;

/// The environment of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

impl Strings for Environment {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the environment is read")]
    fn get(&self, key: &str) -> Result<Option<String>, Unreadable> {
        match env::var(key) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(Unreadable),
        }
    }

    fn names(&self) -> Vec<String> {
        env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }
}

impl Strings for BTreeMap<&str, &str> {
    fn get(&self, key: &str) -> Result<Option<String>, Unreadable> {
        Ok(BTreeMap::get(self, key).filter(|value| !value.is_empty()).map(|value| (*value).to_owned()))
    }

    fn names(&self) -> Vec<String> {
        self.keys().map(|name| (*name).to_owned()).collect()
    }
}
