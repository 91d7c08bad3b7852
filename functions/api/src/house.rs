//! Founding: the account above all others, which no caller of the API can make, for there is none yet.

use std::fmt;

use domain::{AccountId, Currency, UserId};
use host::secrets::{self, Keys};
use serde_json::json;
use store::audit::{self, Entry};
use store::keys::NewKey;
use store::tx::Tx;
use store::users::NewUser;
use store::{Db, accounts, keys, users};

use crate::auth::Scopes;
use crate::auth::keys::{Minted, mint};
use crate::auth::password::hash_blocking;
use crate::users::is_email;

/// Most characters of the house's name.
const NAME_MAX: usize = 200;
/// Who did it, in the audit log.
const ACTOR: &str = "system";
/// What the first key is called.
const KEY_NAME: &str = "first key";

/// What the house is to be.
#[derive(Debug, Clone)]
pub struct NewHouse {
    /// For people; 1 to 200 characters.
    pub name: String,
    /// The currency of every wallet below it.
    pub currency: Currency,
    /// Who logs in to the console first. Without anybody only the key opens the platform, and a key cannot make log-ins.
    pub email: Option<String>,
}

/// The house. Its secrets are stored nowhere else, and hide themselves.
pub struct House {
    /// Its account.
    pub account: AccountId,
    /// Its first key, which may do everything that a key may.
    pub key: Minted,
    /// What the key may do.
    pub scopes: Vec<String>,
    /// The password of the first log-in, where an address was given.
    pub password: Option<String>,
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("House").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Why no house was founded.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// A platform has one house.
    #[error("this platform has a house already; its people make what else is needed")]
    Exists,
    /// Not a name.
    #[error("the name must have 1 to {NAME_MAX} characters")]
    Name,
    /// Not an address.
    #[error("the e-mail address is none")]
    Email,
    /// The schema is missing or old.
    #[error("the schema is not up to date; run `chappe migrate` first")]
    Schema,
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] store::Error),
    /// The system gave no randomness, or the password could not be hashed.
    #[error("cannot make secrets: {0}")]
    Secrets(String),
}

impl From<secrets::Error> for FoundError {
    fn from(error: secrets::Error) -> Self {
        Self::Secrets(error.to_string())
    }
}

/// Makes the house, its key and, where an address is given, a log-in, in one transaction.
///
/// # Errors
/// When there is a house, `new` is not good, or the database fails; then nothing was made.
pub async fn found_house(db: &Db, keys: &Keys, new: &NewHouse) -> Result<House, FoundError> {
    check(new)?;
    if !store::schema::is_current(db).await? {
        return Err(FoundError::Schema);
    }
    let house = House {
        account: AccountId::generate(),
        key: mint(keys)?,
        scopes: Scopes::ALL.names(),
        password: new.email.is_some().then(secrets::random_token).transpose()?,
    };
    let mut tx = db.begin().await?;
    accounts::create_house(&mut tx, house.account, new.name.trim(), new.currency).await.map_err(refused)?;
    add_key(&mut tx, &house).await?;
    if let (Some(email), Some(password)) = (&new.email, &house.password) {
        add_login(&mut tx, house.account, email, password).await?;
    }
    audit::record(&mut tx, &entry(new, &house)).await?;
    tx.commit().await?;
    Ok(house)
}

fn check(new: &NewHouse) -> Result<(), FoundError> {
    let is_named = (1..=NAME_MAX).contains(&new.name.trim().chars().count());
    if !is_named || new.name.contains(char::is_control) {
        return Err(FoundError::Name);
    }
    if new.email.as_deref().is_some_and(|email| !is_email(email)) {
        return Err(FoundError::Email);
    }
    Ok(())
}

fn refused(error: store::Error) -> FoundError {
    match error.constraint() {
        Some("accounts_one_house") => FoundError::Exists,
        _ => error.into(),
    }
}

// The store answers `false` to what is outside of the tenant's subtree; here everything is inside.
async fn add_key(tx: &mut Tx, house: &House) -> Result<(), FoundError> {
    let key = NewKey {
        id: house.key.id,
        account: house.account,
        name: KEY_NAME.to_owned(),
        secret_hash: house.key.hash,
        scopes: house.scopes.clone(),
        expires_at: None,
    };
    keys::create(tx, house.account, &key).await?;
    Ok(())
}

async fn add_login(tx: &mut Tx, house: AccountId, email: &str, password: &str) -> Result<(), FoundError> {
    let hash = hash_blocking(password).map_err(|error| FoundError::Secrets(error.to_string()))?;
    let new = NewUser { id: UserId::generate(), account: house, email, password_hash: &hash, created_by: None };
    users::create(tx, house, &new).await?;
    Ok(())
}

fn entry(new: &NewHouse, house: &House) -> Entry {
    Entry {
        account: house.account,
        actor_account: house.account,
        actor: ACTOR.to_owned(),
        action: "house.create",
        subject: house.account.to_string(),
        detail: json!({"name": new.name.trim(), "currency": new.currency, "email": new.email, "key": house.key.id.to_string()}),
    }
}
