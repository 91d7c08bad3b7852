//! The settings of what runs: the environment, with the command line on top and what suits one machine below.

use host::Config;
use host::config::{Environment, Need, Strings, Unreadable};

use crate::cli::Common;
use crate::database::given;
use crate::exit::Misused;

/// An environment with values that win over it (an empty one hides what it says) and values that stand in for
/// what it does not set.
#[derive(Debug)]
struct Layered {
    above: Vec<(&'static str, String)>,
    below: Vec<(&'static str, String)>,
}

impl Strings for Layered {
    fn get(&self, key: &str) -> Result<Option<String>, Unreadable> {
        let find =
            |layer: &[(&str, String)]| layer.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
        if let Some(value) = find(&self.above) {
            return Ok(Some(value).filter(|value| !value.is_empty()));
        }
        Ok(Environment.get(key)?.or_else(|| find(&self.below)))
    }

    fn names(&self) -> Vec<String> {
        Environment.names()
    }
}

/// Reads everything, or says all that is wrong. `secret` is the data folder's, used where the environment has none;
/// `database_url` is where the private database listens.
pub(crate) fn read(
    common: &Common,
    secret: Option<String>,
    database_url: Option<String>,
    needs: &[Need],
) -> Result<Config, Misused> {
    let mut above = vec![("CHAPPE_DATA_DIR", common.data_dir.display().to_string())];
    above.extend(database_url.or_else(|| owned(common.database_url.as_deref())).map(|url| ("DATABASE_URL", url)));
    // "postgres:" alone means the database that there is anyway; an empty value means that none was given.
    let queue_url = owned(common.queue_url.as_deref()).filter(|url| url != "postgres:").unwrap_or_default();
    above.push(("QUEUE_URL", queue_url));
    above.push(("REDIS_URL", owned(common.redis_url.as_deref()).unwrap_or_default()));
    let mut below = vec![("CHAPPE_LOG", "warn".to_owned()), ("CHAPPE_LOG_FORMAT", log_format().to_owned())];
    below.extend(secret.map(|secret| ("CHAPPE_SECRET_KEY", secret)));
    Config::read(&Layered { above, below }, needs).map_err(|errors| Misused(errors.to_string()))
}

/// The same, with the secrets that lie elsewhere.
pub(crate) async fn read_whole(
    common: &Common,
    secret: Option<String>,
    database_url: Option<String>,
    needs: &[Need],
) -> Result<Config, Misused> {
    let mut config = read(common, secret, database_url, needs)?;
    config.fetch_secrets().await.map_err(|errors| Misused(errors.to_string()))?;
    Ok(config)
}

fn owned(setting: Option<&str>) -> Option<String> {
    given(setting).map(str::to_owned)
}

/// Lines for people where a person looks on.
fn log_format() -> &'static str {
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) { "pretty" } else { "json" }
}
