//! Who calls, and what they may do.
//!
//! Three forms of one header: `Bearer sk_live_…` (an API key), `Basic` with the key's id and the same secret, and
//! `Bearer` with the access token of a log-in. Whatever is wrong with it, the answer is the same 401.

pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod password;
pub(crate) mod scope;
pub(crate) mod token;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{AccountId, Catalogue, KeyId, Role, UserId, api_key};
use http::header;
use http::request::Parts;

use crate::Api;
use crate::problem::{Code, Problem};
pub(crate) use scope::{Scope, Scopes};

/// Who acts, for the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// A program.
    Key(KeyId),
    /// A person.
    User(UserId),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::User(id) => id.fmt(f),
        }
    }
}

/// An authenticated caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// For which account: the tenant of everything that follows.
    pub(crate) account: AccountId,
    /// What that account is.
    pub(crate) role: Role,
    /// Who.
    pub(crate) actor: Actor,
    /// What the credentials allow.
    pub(crate) scopes: Scopes,
    /// The account, or one above it, is switched off.
    suspended: bool,
}

impl Caller {
    /// The credentials must allow `scope`. A suspended account may still look at what it has. (Sending says so by
    /// itself, from the price chain.)
    pub(crate) fn may(&self, scope: Scope) -> Result<(), Problem> {
        if !self.scopes.has(scope) {
            return Err(Problem::new(Code::Forbidden, format!("the scope {} is needed", scope.name())));
        }
        if self.suspended && scope.changes() {
            return Err(Problem::new(Code::AccountSuspended, "the account, or one above it, is suspended"));
        }
        Ok(())
    }

    /// The account must be the house.
    pub(crate) fn is_house(&self) -> Result<(), Problem> {
        match self.role {
            Role::Admin => Ok(()),
            _ => Err(Problem::new(Code::Forbidden, "only the house may do this")),
        }
    }

    /// Somebody must be logged in, for where two people are needed: whoever holds a key could be both.
    pub(crate) fn is_person(&self, why: &str) -> Result<(), Problem> {
        match self.actor {
            Actor::User(_) => Ok(()),
            Actor::Key(_) => Err(Problem::new(
                Code::Forbidden,
                format!("{why} two people are needed: log in instead of using a key"),
            )),
        }
    }

    /// The account must be one that has others below it.
    pub(crate) fn is_seller(&self) -> Result<(), Problem> {
        match self.role {
            Role::Admin | Role::Reseller => Ok(()),
            Role::Client => Err(Problem::new(Code::Forbidden, "only the house and resellers may do this")),
        }
    }

    /// Whether the prices that `account` pays are the caller's business: those of its own account, and of who buys from it.
    /// What accounts further down agree among themselves, and so what each of them earns, is theirs. The house runs the
    /// platform: it keeps the books of all, and sees all.
    pub(crate) fn knows_prices_of(&self, catalogue: &Catalogue, account: AccountId) -> bool {
        let seller = catalogue.accounts.get(&account).and_then(|account| account.parent);
        self.knows_prices_between(account, seller)
    }

    /// The same of an account whose seller is at hand.
    pub(crate) fn knows_prices_between(&self, account: AccountId, seller: Option<AccountId>) -> bool {
        self.role == Role::Admin || account == self.account || seller == Some(self.account)
    }

    /// The same, or a refusal.
    pub(crate) fn knows_prices(&self, catalogue: &Catalogue, account: AccountId) -> Result<(), Problem> {
        if self.knows_prices_of(catalogue, account) {
            return Ok(());
        }
        Err(Problem::new(
            Code::Forbidden,
            "what accounts further down pay is their business, and that of who sells to them",
        ))
    }

    /// The house, with credentials that may see what operators cost and what it earns.
    pub(crate) fn sees_costs(&self) -> bool {
        self.role == Role::Admin && self.scopes.has(Scope::AdminRead)
    }

    /// `account` must be the caller's own or lie below it; else it does not exist for this caller.
    pub(crate) fn sees(&self, catalogue: &Catalogue, account: AccountId) -> Result<(), Problem> {
        if catalogue.is_within(account, self.account) { Ok(()) } else { Err(Problem::not_found()) }
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION).ok_or_else(Problem::unauthorized)?;
        let value = value.to_str().map_err(|_| Problem::unauthorized())?;
        let (account, actor, scopes) = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => bearer(api, token.trim()).await?,
            Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => basic(api, pair.trim()).await?,
            _ => return Err(Problem::unauthorized()),
        };
        let (role, suspended) = standing(api, account).await?;
        Ok(Self { account, role, actor, scopes, suspended })
    }
}

type Identity = (AccountId, Actor, Scopes);

async fn bearer(api: &Api, token: &str) -> Result<Identity, Problem> {
    if token.starts_with(api_key::PREFIX) {
        return keys::authenticate(api, token).await;
    }
    let claims = token::verify(api.keys.token_key(), token).ok_or_else(Problem::unauthorized)?;
    Ok((claims.account, Actor::User(claims.user), Scopes::ALL))
}

async fn basic(api: &Api, pair: &str) -> Result<Identity, Problem> {
    let pair = STANDARD.decode(pair).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.ok_or_else(Problem::unauthorized)?;
    let (id, secret) = pair.split_once(':').ok_or_else(Problem::unauthorized)?;
    let identity = keys::authenticate(api, secret).await?;
    let named: KeyId = id.parse().map_err(|_| Problem::unauthorized())?;
    if identity.1 == Actor::Key(named) { Ok(identity) } else { Err(Problem::unauthorized()) }
}

/// Role and suspension from the catalogue. An account that another process has just made is not there yet: then
/// the catalogue is looked at once more.
async fn standing(api: &Api, account: AccountId) -> Result<(Role, bool), Problem> {
    if let Some(found) = look_up(&api.catalogue.get(), account) {
        return Ok(found);
    }
    api.catalogue.refresh().await?;
    look_up(&api.catalogue.get(), account).ok_or_else(Problem::unauthorized)
}

fn look_up(catalogue: &Catalogue, account: AccountId) -> Option<(Role, bool)> {
    let own = catalogue.accounts.get(&account)?;
    let mut at = own;
    for _ in 0..domain::catalogue::DEPTH_MAX {
        match at.parent.and_then(|parent| catalogue.accounts.get(&parent)) {
            Some(parent) if !at.suspended => at = parent,
            _ => break,
        }
    }
    Some((own.role, at.suspended))
}
