//! The data folder: what a platform on one machine keeps.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A data folder by its path.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the private PostgreSQL lives: here, or where its account can reach it when we are root.
    pub(crate) fn postgres(&self) -> Result<PathBuf> {
        pgserver::reachable_dir(&self.path.join("postgres"))
    }

    /// The API key of the demo's client.
    pub(crate) fn demo_key(&self) -> PathBuf {
        self.path.join("demo-key")
    }

    /// The demo's API key, where the demo has run.
    pub(crate) fn read_demo_key(&self) -> Result<Option<String>> {
        read_if_there(&self.demo_key())
    }
}

/// The trimmed content of a small file, None where there is no such file.
fn read_if_there(file: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}
