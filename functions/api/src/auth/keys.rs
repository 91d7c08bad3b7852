//! API keys: `sk_live_`, the key's id, `_` and 256 random bits. The id makes the look-up; the whole is hashed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::{KeyId, api_key};
use host::secrets::{self, Keys};
use moka::sync::Cache;
use store::keys::Known;

use super::{Actor, Identity, Scopes};
use crate::Api;
use crate::problem::Problem;

/// Keys that one process remembers at most.
const CACHED_MAX: u64 = 100_000;
/// A remembered key is forgotten after this: a revocation is in force within five seconds everywhere.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(4_500);
/// A remembered key of this age is read again behind the request, so that no request waits for it.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A key as it was made: the secret is shown once.
#[derive(Clone)]
pub struct Minted {
    /// Its id.
    pub id: KeyId,
    /// What the customer keeps.
    pub secret: String,
    /// What we keep.
    pub hash: [u8; 32],
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes a key.
pub fn mint(keys: &Keys) -> Result<Minted, secrets::Error> {
    let id = KeyId::generate();
    let secret = api_key::secret_of(id, &secrets::random_token()?);
    let hash = keys.hash(secret.as_bytes());
    Ok(Minted { id, secret, hash })
}

#[derive(Debug)]
struct Entry {
    /// `None`: there is no such key in force.
    known: Option<(Known, Scopes)>,
    read_at: Instant,
    /// Somebody reads it again already.
    reading: AtomicBool,
}

/// The keys that were used lately.
#[derive(Debug)]
pub(crate) struct KeyCache(Cache<KeyId, Arc<Entry>>);

impl KeyCache {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(CACHED_MAX).time_to_live(FORGOTTEN_AFTER).build())
    }

    /// Forgets a key that was revoked here.
    pub(crate) fn forget(&self, key: KeyId) {
        self.0.invalidate(&key);
    }
}

/// The identity behind a secret.
pub(super) async fn authenticate(api: &Api, secret: &str) -> Result<Identity, Problem> {
    let id = api_key::id_of(secret).ok_or_else(Problem::unauthorized)?;
    let entry = match api.key_cache.0.get(&id) {
        Some(entry) => {
            read_again_behind(api, id, &entry);
            entry
        }
        None => read(api, id).await?,
    };
    let Some((known, scopes)) = &entry.known else { return Err(Problem::unauthorized()) };
    let expired = known.expires_at.is_some_and(|at| at <= chrono::Utc::now());
    if expired || !api.keys.matches(secret.as_bytes(), &known.secret_hash) {
        return Err(Problem::unauthorized());
    }
    Ok((known.account, Actor::Key(id), *scopes))
}

/// Whether a key that was good is still in force. A database that does not answer changes nothing.
pub(crate) async fn is_in_force(api: &Api, id: KeyId) -> bool {
    let entry = match api.key_cache.0.get(&id) {
        Some(entry) => Ok(entry),
        None => read(api, id).await,
    };
    let Ok(entry) = entry else { return true };
    let in_force = |(known, _): &(Known, Scopes)| known.expires_at.is_none_or(|at| at > chrono::Utc::now());
    entry.known.as_ref().is_some_and(in_force)
}

/// The key that `actor` is, where what it spends is counted. One that is not remembered at this moment may be.
pub(crate) fn capped(api: &Api, actor: Actor) -> Option<KeyId> {
    let Actor::Key(id) = actor else { return None };
    let entry = api.key_cache.0.get(&id);
    let known = entry.as_ref().and_then(|entry| entry.known.as_ref());
    known.is_none_or(|(known, _)| known.is_counted).then_some(id)
}

async fn read(api: &Api, id: KeyId) -> Result<Arc<Entry>, Problem> {
    let entry = load(&api.db, id).await?;
    api.key_cache.0.insert(id, Arc::clone(&entry));
    Ok(entry)
}

async fn load(db: &store::Db, id: KeyId) -> Result<Arc<Entry>, store::Error> {
    // The clock starts before the look: what was revoked behind it is not remembered for longer than promised.
    let read_at = Instant::now();
    let known = store::keys::find(db, id).await?;
    let known = known.map(|known| {
        let scopes = Scopes::from_names(&known.scopes);
        (known, scopes)
    });
    Ok(Arc::new(Entry { known, read_at, reading: AtomicBool::new(false) }))
}

/// Reads an old entry again in a task of its own, once.
fn read_again_behind(api: &Api, id: KeyId, entry: &Entry) {
    if entry.read_at.elapsed() < READ_AGAIN_AFTER || entry.reading.swap(true, Ordering::Relaxed) {
        return;
    }
    let (db, cache) = (api.db.clone(), api.key_cache.0.clone());
    tokio::spawn(async move {
        // A database that does not answer: the entry ends by itself, and the next request says so.
        if let Ok(entry) = load(&db, id).await {
            cache.insert(id, entry);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_names_its_key() {
        let keys = Keys::new(&[7; 32]).unwrap();
        let minted = mint(&keys).unwrap();
        assert_eq!(api_key::id_of(&minted.secret), Some(minted.id));
        assert!(keys.matches(minted.secret.as_bytes(), &minted.hash));
        for wrong in ["", "sk_live_", "sk_live_zz", "sk_test_x", &minted.secret.replacen('_', "-", 3)] {
            assert_eq!(api_key::id_of(wrong), None, "{wrong}");
        }
    }
}
