//! HTTP to addresses that others name: webhooks of customers, providers of look-ups. A URL never reaches an address of
//! ours, whatever its name resolves to, and an answer has a bound.

mod guard;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, Response, Url};

use guard::Guarded;
pub use guard::Reach;

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A client that follows no redirects, goes through no proxy and connects to what `reach` allows; an answer may take
/// `answer_limit`.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn client(reach: Reach, answer_limit: Duration) -> anyhow::Result<Client> {
    Client::builder()
        .user_agent(concat!("Chappe/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(Guarded(reach)))
        .connect_timeout(CONNECT_LIMIT)
        .timeout(answer_limit)
        .no_proxy()
        .build()
        .context("cannot make an HTTP client")
}

/// Judges a URL before it is used: names are judged when they are resolved, an address that stands in the URL here.
///
/// # Errors
/// When it is not of http or https, or leads where `reach` does not.
pub fn check(reach: Reach, url: &Url) -> anyhow::Result<()> {
    anyhow::ensure!(matches!(url.scheme(), "http" | "https"), "the URL is neither http nor https");
    let host = url.host_str().context("the URL has no host")?;
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        anyhow::ensure!(reach.allows(address), "the URL leads to an address that may not be reached");
    }
    Ok(())
}

/// The body of an answer.
///
/// # Errors
/// When it breaks off, or is longer than `bytes_max`.
pub async fn body(mut response: Response, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        anyhow::ensure!(body.len() + chunk.len() <= bytes_max, "the answer has more than {bytes_max} bytes");
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
