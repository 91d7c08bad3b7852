//! What an edge asks of the platform and tells it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use api::Api;
use api::internal::{self, BindReport, Submits};
use async_trait::async_trait;
use contract::Orders;
use contract::edge::{EdgeSnapshot, SubmitKey};
use contract::intake::{AboutMessage, Answer, Submissions, SubmitVerdict};
use host::secrets::Keys;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use smpp_edge::{Intake, Settings};
use store::Db;

/// How long an answer of the internal API may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The way to the platform.
#[derive(Debug)]
pub(crate) enum Link {
    /// In the same process.
    Direct { db: Db, keys: Arc<Keys>, api: Arc<Api> },
    /// Over the internal API at this address.
    Remote { http: reqwest::Client, url: String, token: SecretString },
}

impl Link {
    /// Over the internal API at `url`, with the token of the platform's secret.
    pub(crate) fn remote(url: &str, keys: &Keys) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER_LIMIT).build().context("no HTTP client")?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self::Remote { http, url, token: keys.internal_token().into() })
    }

    /// Tells where the sessions stand, and answers what shall be done about them.
    pub(crate) async fn report(&self, report: &BindReport) -> Result<Orders> {
        match self {
            Self::Direct { db, .. } => Ok(internal::report_binds(db, report).await?),
            Self::Remote { http, url, token } => ask(http, token, &format!("{url}/internal/edge/binds"), report).await,
        }
    }
}

#[async_trait]
impl Settings for Link {
    async fn snapshot(&self, known_version: Option<i64>) -> Result<Option<EdgeSnapshot>> {
        let (http, url, token) = match self {
            Self::Direct { db, keys, .. } => return internal::snapshot(db, keys, known_version).await,
            Self::Remote { http, url, token } => (http, url, token),
        };
        let request = http.get(format!("{url}/internal/edge/snapshot"));
        let request = request.query(&known_version.map(|version| [("known", version)]));
        let answer = answered(request.bearer_auth(token.expose_secret()).send().await)?;
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        Ok(Some(answer.json().await.context("the internal API's settings cannot be read")?))
    }

    async fn outcomes_known(&self, submits: &[SubmitKey]) -> Result<HashSet<SubmitKey>> {
        let (http, url, token) = match self {
            Self::Direct { db, .. } => return Ok(internal::outcomes_known(db, submits).await?.into_iter().collect()),
            Self::Remote { http, url, token } => (http, url, token),
        };
        let question = Submits { submits: submits.to_vec() };
        let known: Submits = ask(http, token, &format!("{url}/internal/edge/outcomes-known"), &question).await?;
        Ok(known.submits.into_iter().collect())
    }
}

#[async_trait]
impl Intake for Link {
    async fn submit(&self, submissions: &Submissions) -> Result<Vec<SubmitVerdict>> {
        match self {
            Self::Direct { api, .. } => api::smpp::submit(api, submissions).await,
            Self::Remote { http, url, token } => {
                ask(http, token, &format!("{url}/internal/edge/submissions"), submissions).await
            }
        }
    }

    async fn about(&self, about: &AboutMessage) -> Result<Answer> {
        match self {
            Self::Direct { api, .. } => api::smpp::about(api, about).await,
            Self::Remote { http, url, token } => ask(http, token, &format!("{url}/internal/edge/about"), about).await,
        }
    }
}

/// Posts a question and reads the answer.
async fn ask<T: DeserializeOwned>(
    http: &reqwest::Client,
    token: &SecretString,
    url: &str,
    question: &(impl Serialize + Sync),
) -> Result<T> {
    let request = http.post(url).json(question).bearer_auth(token.expose_secret());
    let answer = answered(request.send().await)?;
    answer.json().await.context("the internal API's answer cannot be read")
}

/// The answer, where it is a good one.
fn answered(sent: reqwest::Result<Response>) -> Result<Response> {
    sent.and_then(Response::error_for_status).context("the internal API does not answer")
}
