//! The settings of what runs: the environment, with the command line on top and what suits one machine below.

use host::Config;
use host::config::{Environment, Need, Strings, Unreadable};

use crate::cli::Common;
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
/// `database_url` is where the private database listens, or what was found out before.
pub(crate) fn read(
    common: &Common,
    secret: Option<String>,
    database_url: Option<String>,
    needs: &[Need],
) -> Result<Config, Misused> {
    let mut above = vec![("CHAPPE_DATA_DIR", common.data_dir.display().to_string())];
    let database_url = database_url.or_else(|| from_command_line(common.database_url.as_deref(), "DATABASE_URL"));
    let queue_url = from_command_line(common.queue_url.as_deref(), "QUEUE_URL");
    let redis_url = from_command_line(common.redis_url.as_deref(), "REDIS_URL");
    let options = [
        (("DATABASE_URL", "DATABASE_URL_FILE"), database_url),
        (("QUEUE_URL", "QUEUE_URL_FILE"), queue_url),
        (("REDIS_URL", "REDIS_URL_FILE"), redis_url),
    ];
    for ((name, name_of_file), value) in options {
        // Where the command line speaks, a file of the environment is not asked.
        above.extend(value.into_iter().flat_map(|value| [(name, value), (name_of_file, String::new())]));
    }
    let mut below = vec![("CHAPPE_LOG", "warn".to_owned()), ("CHAPPE_LOG_FORMAT", log_format().to_owned())];
    let elsewhere = ["CHAPPE_SECRET_KEY_FILE", "CHAPPE_SECRET_KEY_ARN"];
    if elsewhere.iter().all(|name| matches!(Environment.get(name), Ok(None))) {
        below.extend(secret.map(|secret| ("CHAPPE_SECRET_KEY", secret)));
    }
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

/// A setting that is also an option: what the command line says, else the environment, else the file that the
/// environment names. `None` where nobody says anything.
pub(crate) fn given(option: Option<&str>, name: &'static str) -> Result<Option<String>, Misused> {
    match from_command_line(option, name) {
        Some(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        None => host::config::setting(&Environment, name).map_err(Misused),
    }
}

/// What differs from the environment comes from the command line: the parser fills an option from either.
fn from_command_line(option: Option<&str>, name: &str) -> Option<String> {
    let environment = Environment.get(name).ok().flatten();
    option.filter(|option| *option != environment.as_deref().unwrap_or_default()).map(str::to_owned)
}

/// Lines for people where a person looks on.
fn log_format() -> &'static str {
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) { "pretty" } else { "json" }
}
