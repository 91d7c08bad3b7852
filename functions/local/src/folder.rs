//! The data folder: what a platform on one machine keeps.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
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
        pgserver::reachable_dir(&self.postgres_of_its_user())
    }

    /// Where it lives when the user who runs the platform is not root.
    pub(crate) fn postgres_of_its_user(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// The platform's secret, where it was made.
    pub(crate) fn secret_if_there(&self) -> Result<Option<String>> {
        read_if_there(&self.path.join("secret"))
    }

    /// The platform's secret: 32 random bytes in base64, made when it is new.
    pub(crate) fn secret(&self) -> Result<String> {
        let file = self.path.join("secret");
        if let Some(secret) = read_if_there(&file)? {
            return Ok(secret);
        }
        let token = host::secrets::random_token().context("no randomness")?;
        // 43 characters of base64url without padding are 44 of plain base64 with it.
        let secret = format!("{}=", token.replace('-', "+").replace('_', "/"));
        write_secret(&file, &secret)?;
        Ok(secret)
    }

    /// The demo client's API key, where the demo has run.
    pub(crate) fn demo_key(&self) -> Result<Option<String>> {
        read_if_there(&self.path.join("demo-key"))
    }

    /// The password of the demo's SMPP system, where the demo has run.
    pub(crate) fn demo_password(&self) -> Result<Option<String>> {
        read_if_there(&self.path.join("demo-smpp-password"))
    }

    /// Keeps the password of the demo's SMPP system for the banner of the next start.
    pub(crate) fn keep_demo_password(&self, password: &str) -> Result<()> {
        write_secret(&self.path.join("demo-smpp-password"), password)
    }

    /// Keeps the demo client's API key for the commands and for the next start.
    pub(crate) fn keep_demo_key(&self, key: &str) -> Result<()> {
        write_secret(&self.path.join("demo-key"), key)
    }
}

/// Writes a file that only its owner reads; a crash leaves the old content or the new one.
fn write_secret(file: &Path, text: &str) -> Result<()> {
    let say = || format!("cannot write {}", file.display());
    let half = file.with_extension("new");
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).with_context(say)?;
    let mut options = OpenOptions::new();
    let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&half).with_context(say)?;
    writeln!(out, "{text}").with_context(say)?;
    out.sync_all().with_context(say)?;
    std::fs::rename(&half, file).with_context(say)
}

/// The trimmed content of a small file, None where there is no such file.
fn read_if_there(file: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}
