//! Settings whose secrets lie in AWS Secrets Manager: where they are, and putting them to where they belong.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::values::{Reader, secret_arn};
use super::{Config, Errors};

/// Answers the URL of the database with the credentials of now, or nothing when they could not be read.
pub type Renew = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<String>> + Send>> + Send + Sync>;

/// Which secrets lie elsewhere. ARNs are names, and no secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// `CHAPPE_DATABASE_SECRET_ARN`: user and password of `DATABASE_URL`, as RDS keeps them.
    pub database: Option<String>,
    /// `CHAPPE_SECRET_KEY_ARN`: what `CHAPPE_SECRET_KEY` would say.
    pub secret_key: Option<String>,
    /// `CHAPPE_REDIS_SECRET_ARN`: the token of `REDIS_URL`.
    pub redis: Option<String>,
}

impl Remote {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            database: reader.optional("CHAPPE_DATABASE_SECRET_ARN", secret_arn),
            secret_key: reader.optional("CHAPPE_SECRET_KEY_ARN", secret_arn),
            redis: reader.optional("CHAPPE_REDIS_SECRET_ARN", secret_arn),
        }
    }

    /// Everything is here.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What contradicts the other settings.
    pub(super) fn faults(&self, config: &Config) -> Vec<String> {
        let mut faults = Vec::new();
        if self.database.is_some() {
            faults.extend(place_fault("CHAPPE_DATABASE_SECRET_ARN", "DATABASE_URL", config.database_url.as_ref()));
        }
        if self.redis.is_some() {
            faults.extend(place_fault("CHAPPE_REDIS_SECRET_ARN", "REDIS_URL", config.redis_url.as_ref()));
        }
        if self.secret_key.is_some() && config.secret_key.is_some() {
            faults.push("CHAPPE_SECRET_KEY and CHAPPE_SECRET_KEY_ARN are both set: only one can be meant".to_owned());
        }
        if !self.is_empty() && cfg!(not(feature = "aws")) {
            faults.push("secrets of AWS Secrets Manager need a program built with the feature `aws`".to_owned());
        }
        faults
    }
}

/// Credentials go into a URL that has none.
fn place_fault(secret: &str, place: &str, url: Option<&SecretString>) -> Option<String> {
    let Some(url) = url else { return Some(format!("{secret} needs {place}, without user and password")) };
    let has_user = authority(url.expose_secret()).is_none_or(|(_, rest)| host_of(rest).contains('@'));
    has_user.then(|| format!("{place} must be a URL without user and password, for {secret} gives them"))
}

/// A URL in two: up to `://`, and what follows.
fn authority(url: &str) -> Option<(&str, &str)> {
    url.split_once("://")
}

fn host_of(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// `url` with credentials.
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only secrets from elsewhere need it"))]
fn with_credentials(url: &str, user: &str, password: &str) -> Option<String> {
    let (scheme, rest) = authority(url)?;
    Some(format!("{scheme}://{}:{}@{rest}", escaped(user), escaped(password)))
}

/// Percent-encoded (RFC 3986 section 2.1), all but the unreserved characters.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

#[cfg(not(feature = "aws"))]
impl Config {
    /// Reads what lies in AWS Secrets Manager. Without the feature `aws` nothing can: [`Config::read`] refused it.
    ///
    /// # Errors
    /// Everything that cannot be read, together.
    #[expect(clippy::unused_async, reason = "stands in for what was left out")]
    pub async fn fetch_secrets(&mut self) -> Result<(), Errors> {
        Ok(())
    }

    /// What asks for newer credentials of the database, where they lie elsewhere.
    pub fn database_renewal(&self) -> Option<Renew> {
        None
    }
}

#[cfg(feature = "aws")]
mod fetch {
    use anyhow::Context as _;
    use secrecy::{ExposeSecret as _, SecretString};
    use serde::Deserialize;
    use tokio::sync::OnceCell;

    use super::{Arc, Config, Errors, Renew, with_credentials};
    use crate::config::values::secret_key;
    use crate::secrets::manager::Manager;

    /// The manager of this process, made when the first secret is needed: who has none pays nothing.
    static MANAGER: OnceCell<Manager> = OnceCell::const_new();

    /// What RDS keeps of a user (AWS Secrets Manager, "JSON structure of database secrets"); other fields are left.
    #[derive(Deserialize)]
    struct Credentials {
        username: String,
        password: String,
    }

    impl Config {
        /// Reads what lies in AWS Secrets Manager, and puts it to where it belongs.
        ///
        /// # Errors
        /// Everything that cannot be read, together.
        pub async fn fetch_secrets(&mut self) -> Result<(), Errors> {
            if self.remote.is_empty() {
                return Ok(());
            }
            let remote = self.remote.clone();
            let mut faults = Vec::new();
            if let Some(arn) = &remote.database {
                let fetched = self.fetch_database(arn).await;
                faults.extend(fault("CHAPPE_DATABASE_SECRET_ARN", fetched));
            }
            if let Some(arn) = &remote.secret_key {
                let fetched = self.fetch_key(arn).await;
                faults.extend(fault("CHAPPE_SECRET_KEY_ARN", fetched));
            }
            if let Some(arn) = &remote.redis {
                let fetched = self.fetch_redis(arn).await;
                faults.extend(fault("CHAPPE_REDIS_SECRET_ARN", fetched));
            }
            if faults.is_empty() { Ok(()) } else { Err(Errors(faults)) }
        }

        async fn fetch_database(&mut self, arn: &str) -> anyhow::Result<()> {
            let url = self.database_url()?.to_owned();
            let whole = SecretString::from(dressed(&url, &read(arn).await?)?);
            // Queues in the database are reached as the database is.
            if self.queue_url.as_ref().is_some_and(|queue| queue.expose_secret() == url) {
                self.queue_url = Some(whole.clone());
            }
            self.database_url = Some(whole);
            Ok(())
        }

        async fn fetch_key(&mut self, arn: &str) -> anyhow::Result<()> {
            let text = read(arn).await?;
            self.secret_key = Some(secret_key(text.expose_secret().trim()).map_err(anyhow::Error::msg)?);
            Ok(())
        }

        async fn fetch_redis(&mut self, arn: &str) -> anyhow::Result<()> {
            let url = self.redis_url.as_ref().context("REDIS_URL is missing")?.expose_secret();
            let token = read(arn).await?;
            let whole = with_credentials(url, "", token.expose_secret().trim()).context("REDIS_URL is no URL")?;
            self.redis_url = Some(SecretString::from(whole));
            Ok(())
        }

        /// What asks for newer credentials of the database, where they lie elsewhere.
        pub fn database_renewal(&self) -> Option<Renew> {
            let arn = self.remote.database.clone()?;
            let url = self.database_url.clone()?;
            Some(Arc::new(move || {
                let (arn, url) = (arn.clone(), url.clone());
                Box::pin(async move { renewed(&arn, &url).await })
            }))
        }
    }

    async fn read(arn: &str) -> anyhow::Result<SecretString> {
        MANAGER.get_or_init(Manager::connect).await.read(arn).await
    }

    async fn renewed(arn: &str, url: &SecretString) -> Option<String> {
        let secret = MANAGER.get_or_init(Manager::connect).await.read_anew(arn).await;
        let dressed = secret.and_then(|secret| dressed(&bare(url.expose_secret()), &secret));
        dressed.inspect_err(|error| tracing::warn!("cannot read newer credentials of the database: {error:#}")).ok()
    }

    /// `url` with the credentials of a secret of RDS.
    fn dressed(url: &str, secret: &SecretString) -> anyhow::Result<String> {
        // The decoder's own message may quote what it read.
        let given: Option<Credentials> = serde_json::from_str(secret.expose_secret()).ok();
        let given = given.context("the secret is not JSON with username and password")?;
        with_credentials(url, &given.username, &given.password).context("DATABASE_URL is no URL")
    }

    /// `url` without the credentials that it has.
    fn bare(url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
        let host = rest.split_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{host}")
    }

    fn fault(setting: &str, fetched: anyhow::Result<()>) -> Option<String> {
        fetched.err().map(|error| format!("{setting}: {error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_into_a_url() {
        let rows = [
            ("postgres://db:5432/chappe?sslmode=require", "chappe", "a/b@c:d e", true),
            ("rediss://cache:6379", "", "token", true),
            ("nonsense", "a", "b", false),
        ];
        for (url, user, password, expected) in rows {
            let whole = with_credentials(url, user, password);
            assert_eq!(whole.is_some(), expected, "{url}");
        }
        let whole = with_credentials("postgres://db:5432/chappe", "chappe", "a/b@c:d e").unwrap();
        assert_eq!(whole, "postgres://chappe:a%2Fb%40c%3Ad%20e@db:5432/chappe");
    }
}
