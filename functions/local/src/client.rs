//! The HTTP API, as the commands use it.

use anyhow::{Context, Result, bail};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::cli::{Api, Common};
use crate::exit::Misused;
use crate::folder::Folder;
use crate::settings::given;

/// How long an answer may take.
const ANSWER_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// A customer of the API.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Client {
    /// With the key that was given, or the demo's.
    pub(crate) fn new(common: &Common, api: &Api) -> Result<Self> {
        let key = match given(api.key.as_deref(), "CHAPPE_API_KEY")? {
            Some(key) => key,
            None => Folder::new(&common.data_dir).demo_key()?.ok_or_else(|| {
                Misused("no API key: give --key or CHAPPE_API_KEY, or start `chappe up --demo`".to_owned())
            })?,
        };
        Self::at(&api.url, &key)
    }

    /// At this address, with this key.
    pub(crate) fn at(url: &str, key: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER_LIMIT).build().context("no HTTP client")?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), key: key.to_owned() })
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    pub(crate) async fn post(&self, path: &str, json: &Value) -> Result<Value> {
        self.send(self.request(Method::POST, path).json(json)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// An answer that is no JSON.
    pub(crate) async fn get_text(&self, path: &str, query: &[(&str, String)]) -> Result<String> {
        self.send_for_text(self.request(Method::GET, path).query(query)).await
    }

    /// The body of a good answer; a problem becomes an error that says what the API says.
    async fn send(&self, request: RequestBuilder) -> Result<Value> {
        let text = self.send_for_text(request).await?;
        serde_json::from_str(&text).context("the answer is not JSON; is this the address of Chappe's API?")
    }

    async fn send_for_text(&self, request: RequestBuilder) -> Result<String> {
        let answer = request.send().await.with_context(|| format!("no answer from {}", self.url))?;
        let status = answer.status();
        let text = answer.text().await.context("the answer broke off")?;
        if !status.is_success() {
            bail!("{status}: {}", problem(&text));
        }
        Ok(text)
    }
}

/// Code and explanation of a problem document; the text itself where it is none.
fn problem(text: &str) -> String {
    let Ok(problem) = serde_json::from_str::<Value>(text) else { return text.trim().to_owned() };
    let part = |name: &str| problem.get(name).and_then(Value::as_str);
    let told = part("detail").or_else(|| part("title")).unwrap_or("no explanation");
    match part("code") {
        Some(code) => format!("{told} ({code})"),
        None => told.to_owned(),
    }
}

/// A member of an answer as text: strings as they are, nothing as nothing.
pub(crate) fn text(value: &Value, member: &str) -> String {
    match value.get(member) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A cost with its currency, from `{total, currency}`.
pub(crate) fn money(value: &Value, member: &str) -> String {
    value.get(member).map_or(String::new(), |money| format!("{} {}", text(money, "total"), text(money, "currency")))
}

/// The elements of a list; none where it is missing.
pub(crate) fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
