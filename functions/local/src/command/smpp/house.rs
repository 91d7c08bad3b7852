//! The internal API, as people of the house use it.

use anyhow::{Context, Result};
use host::secrets::Keys;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;

use crate::cli::Common;
use crate::exit::Misused;
use crate::folder::Folder;
use crate::settings;

/// The way to it.
pub(in crate::command) struct House {
    http: reqwest::Client,
    url: String,
    token: SecretString,
}

impl House {
    /// With the secret of the environment, or of the data folder.
    pub(in crate::command) fn new(common: &Common, url: &str) -> Result<Self> {
        let config = settings::read(common, Folder::new(&common.data_dir).secret_if_there()?, None, &[])?;
        let secret = config.secret_key.as_ref().ok_or_else(|| {
            Misused("no secret: give CHAPPE_SECRET_KEY, or the --data-dir of a platform on this machine".to_owned())
        })?;
        let keys = Keys::new(secret.expose_secret())?;
        // No limit for the whole answer: a trace goes on for as long as somebody looks.
        let http = reqwest::Client::builder().connect_timeout(std::time::Duration::from_secs(5)).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), token: keys.internal_token().into() })
    }

    /// What lies at `path`.
    pub(in crate::command) async fn get(&self, path: &str) -> Result<Json> {
        self.open(path, &[]).await?.json().await.context("the answer is not JSON; is this the internal API?")
    }

    /// The answer of `path`, not read yet.
    pub(super) async fn open(&self, path: &str, query: &[(&str, &str)]) -> Result<Response> {
        let request = self.http.get(format!("{}{path}", self.url)).query(query);
        let answer = request.bearer_auth(self.token.expose_secret()).send().await;
        let answer = answer.with_context(|| format!("no answer from {}", self.url))?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Err(Misused("that platform has another secret".to_owned()).into()),
            StatusCode::NOT_FOUND => Err(Misused(format!("{} has no {path}", self.url)).into()),
            _ => Ok(answer.error_for_status()?),
        }
    }
}
