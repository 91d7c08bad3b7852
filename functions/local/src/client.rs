//! The HTTP API, as the commands use it.

use anyhow::{Context, Result, anyhow, bail};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::cli::{Api, Common};
use crate::exit::Misused;
use crate::folder::Folder;
use crate::settings::given;

/// How long an answer may take.
pub(crate) const ANSWER_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
/// How long a download may take.
const DOWNLOAD_LIMIT: std::time::Duration = std::time::Duration::from_hours(6);
/// Errors of single fields that are printed.
const ERRORS_SHOWN: usize = 20;
/// Operators that one call asks for, and pages of them that are looked through for a name.
const OPERATOR_PAGE: usize = 1_000;
const OPERATOR_PAGES_MAX: usize = 100;
/// How long the answer to a sheet of many lines may take.
const SHEET_LIMIT: std::time::Duration = std::time::Duration::from_mins(5);

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

    /// An answer that is not JSON.
    pub(crate) async fn get_text(&self, path: &str, query: &[(&str, String)]) -> Result<String> {
        self.text(self.request(Method::GET, path).query(query)).await
    }

    pub(crate) async fn post(&self, path: &str, json: &Value) -> Result<Value> {
        self.send(self.request(Method::POST, path).json(json)).await
    }

    pub(crate) async fn put(&self, path: &str, json: &Value) -> Result<Value> {
        self.send(self.request(Method::PUT, path).json(json)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.text(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// The id of an operator by its id or name.
    pub(crate) async fn find_operator(&self, wanted: &str) -> Result<String> {
        if wanted.starts_with("op_") {
            return Ok(wanted.to_owned());
        }
        let mut query = vec![("limit", OPERATOR_PAGE.to_string())];
        for _ in 0..OPERATOR_PAGES_MAX {
            let page = self.get("/v1/operators", &query).await?;
            let found = list(&page, "data").iter().find(|one| text(one, "name").eq_ignore_ascii_case(wanted));
            if let Some(found) = found {
                return Ok(text(found, "id"));
            }
            let Some(next) = page["next_cursor"].as_str() else { break };
            query.truncate(1);
            query.push(("cursor", next.to_owned()));
        }
        Err(Misused(format!("there is no operator {wanted}")).into())
    }

    /// Posts a CSV sheet.
    pub(crate) async fn post_csv(&self, path: &str, query: &[(&str, String)], csv: String) -> Result<Value> {
        let request = self.request(Method::POST, path).query(query).timeout(SHEET_LIMIT);
        self.send(request.header("content-type", "text/csv").body(csv)).await
    }

    /// Posts a file as it is; its bytes say what it is.
    pub(crate) async fn upload(&self, path: &str, query: &[(&str, String)], file: Vec<u8>) -> Result<Value> {
        let request = self.request(Method::POST, path).query(query).timeout(SHEET_LIMIT);
        self.send(request.header("content-type", "application/octet-stream").body(file)).await
    }

    /// The answer to a download from octet `from` on, whose body the caller reads as it comes.
    pub(crate) async fn download(&self, path: &str, from: u64) -> Result<reqwest::Response> {
        let mut request = self.request(Method::GET, path).timeout(DOWNLOAD_LIMIT);
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        let answer = request.send().await.with_context(|| format!("no answer from {}", self.url))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refusal(status, &answer.text().await.context("the answer broke off")?));
        }
        if from > 0 && status != StatusCode::PARTIAL_CONTENT {
            bail!(Refused("the server does not go on with a download".to_owned()));
        }
        Ok(answer)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value> {
        let text = self.text(request).await?;
        serde_json::from_str(&text).context("the answer is not JSON; is this the address of Chappe's API?")
    }

    /// The body of a good answer; a problem becomes an error that says what the API says.
    async fn text(&self, request: RequestBuilder) -> Result<String> {
        let answer = request.send().await.with_context(|| format!("no answer from {}", self.url))?;
        let status = answer.status();
        let text = answer.text().await.context("the answer broke off")?;
        if !status.is_success() {
            return Err(refusal(status, &text));
        }
        Ok(text)
    }
}

/// What the API will not do, however often it is asked.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// The error that an answer with this status and body is.
fn refusal(status: StatusCode, body: &str) -> anyhow::Error {
    let told = format!("{status}: {}", problem(body));
    let may_change = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    if may_change { anyhow!(told) } else { Refused(told).into() }
}

/// Code and explanation of a problem document; the text itself where it is none.
fn problem(body: &str) -> String {
    let Ok(problem) = serde_json::from_str::<Value>(body) else { return body.trim().to_owned() };
    let part = |name: &str| problem.get(name).and_then(Value::as_str);
    let told = part("detail").or_else(|| part("title")).unwrap_or("no explanation");
    let told = match part("code") {
        Some(code) => format!("{told} ({code})"),
        None => told.to_owned(),
    };
    list(&problem, "errors")
        .iter()
        .take(ERRORS_SHOWN)
        .fold(told, |told, error| format!("{told}\n  {}: {}", text(error, "pointer"), text(error, "detail")))
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
