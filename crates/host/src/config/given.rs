//! Settings that a program cannot do without, asked for where they are used.

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::Config;
use crate::secrets::Keys;

impl Config {
    /// `DATABASE_URL`, or an error that names it.
    pub fn database_url(&self) -> anyhow::Result<&str> {
        Ok(self.database_url.as_ref().context("DATABASE_URL is missing")?.expose_secret())
    }

    /// `QUEUE_URL` (or what stands in for it), or an error that names it.
    pub fn queue_url(&self) -> anyhow::Result<&str> {
        Ok(self.queue_url.as_ref().context("QUEUE_URL is missing")?.expose_secret())
    }

    /// `CHAPPE_REALTIME_ENDPOINT`, or an error that names it.
    pub fn realtime_endpoint(&self) -> anyhow::Result<&str> {
        self.realtime_endpoint.as_deref().context("CHAPPE_REALTIME_ENDPOINT is missing")
    }

    /// The keys that are derived from `CHAPPE_SECRET_KEY`, or an error that names it.
    pub fn keys(&self) -> anyhow::Result<Keys> {
        let secret = self.secret_key.as_ref().context("CHAPPE_SECRET_KEY is missing")?;
        Ok(Keys::new(secret.expose_secret())?)
    }
}
