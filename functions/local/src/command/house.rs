//! `chappe house create`: the first account of an installation, its key and its log-in.

use anyhow::{Context as _, Result};
use api::{FoundError, House, NewHouse};
use clap::{Args, Subcommand};
use domain::Currency;
use host::config::Need;
use serde_json::{Value as Json, json};

use crate::cli::Common;
use crate::exit::Misused;
use crate::folder::Folder;
use crate::output::{Output, line, print_json};
use crate::{database, platform, settings};

const EXAMPLES: &str = "\
Once, in a migrated database without accounts; it refuses where a house is. What it prints is stored nowhere: the key
opens the API for the whole house, the password the console. Further accounts, keys and log-ins are made with these.

Examples:
  chappe house create --name \"Bright SMS\" --currency UZS --email ops@example.com
  docker compose run --rm api house create --name \"Bright SMS\" --currency EUR --email ops@example.com

Needs DATABASE_URL and CHAPPE_SECRET_KEY, or the --data-dir of a platform that runs on this machine.";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the account above all others, its API key and, with --email, its first log-in
    #[command(after_help = EXAMPLES)]
    Create(New),
}

#[derive(Debug, Args)]
struct New {
    /// What the house is called
    #[arg(long)]
    name: String,
    /// The currency of every wallet, by its three letters (ISO 4217); it cannot be changed later
    #[arg(long, value_name = "CODE")]
    currency: Currency,
    /// Who logs in to the console first; only a person who is logged in can make log-ins for others
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let Action::Create(New { name, currency, email }) = options.action;
    let (secret, url) = (Folder::new(&common.data_dir).secret_if_there()?, database::url(common)?);
    let config = settings::read_whole(common, secret, Some(url), &[Need::Database, Need::SecretKey]).await?;
    let (db, keys) = (platform::open_db(&config)?, config.keys()?);
    let new = NewHouse { name, currency, email };
    match api::found_house(&db, &keys, &new).await {
        Ok(house) => show(&new, &house, out),
        Err(error @ FoundError::Store(_)) => Err(error).context("cannot make the house"),
        Err(error) => Err(Misused(error.to_string()).into()),
    }
}

/// Tells what nobody can look up later.
fn show(new: &NewHouse, house: &House, out: &Output) -> Result<()> {
    if out.is_json() {
        return print_json(&as_json(new, house));
    }
    line(&format!("the house is made: {} {}", house.account, new.name.trim()));
    line(&format!("its API key, shown this once: {}", house.key.secret));
    if let (Some(email), Some(password)) = (&new.email, &house.password) {
        line(&format!("{email} logs in with this password, shown this once: {password}"));
    }
    Ok(())
}

fn as_json(new: &NewHouse, house: &House) -> Json {
    let login = new.email.as_ref().zip(house.password.as_ref());
    json!({
        "account_id": house.account.to_string(),
        "api_key": {"id": house.key.id.to_string(), "secret": house.key.secret, "scopes": house.scopes},
        "login": login.map(|(email, password)| json!({"email": email, "password": password})),
    })
}
