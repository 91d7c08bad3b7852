//! Which accounts have somebody listening, for whoever concludes.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use domain::AccountId;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::Error;

/// How often who listens is read: somebody new gets events after this, and what it takes to notice.
const READ_EVERY: Duration = Duration::from_secs(1);
/// Accounts whose place in the tree a process remembers; beyond it the memory starts anew.
const PLACES_MAX: usize = 100_000;

/// What one process knows of the listeners. Clones share it.
#[derive(Debug, Clone)]
pub struct Listening(Arc<State>);

#[derive(Debug)]
struct State {
    began: Instant,
    /// When they are read next, in milliseconds since `began`.
    next_read_ms: AtomicU64,
    accounts: ArcSwap<HashSet<AccountId>>,
    /// Each account with those above it, from the house on. An account never moves.
    places: RwLock<HashMap<AccountId, Arc<[AccountId]>>>,
}

impl Default for Listening {
    fn default() -> Self {
        Self(Arc::new(State {
            began: Instant::now(),
            next_read_ms: AtomicU64::new(0),
            accounts: ArcSwap::default(),
            places: RwLock::default(),
        }))
    }
}

/// Who hears of an account.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Itself, who sells to it, and the house: what it pays is their business.
    pub(super) near: Vec<AccountId>,
    /// Those in between.
    pub(super) far: Vec<AccountId>,
}

impl Heard {
    /// Of `place`, the way from the house down to an account, those who listen.
    fn of(place: &[AccountId], listening: &HashSet<AccountId>) -> Self {
        let mut heard = Self::default();
        for (depth, account) in place.iter().enumerate().filter(|(_, account)| listening.contains(*account)) {
            let is_near = depth == 0 || depth + 2 >= place.len();
            if is_near { &mut heard.near } else { &mut heard.far }.push(*account);
        }
        heard
    }
}

impl Listening {
    /// For each of `accounts` that somebody listens to: who does, of itself and those above it. Costs no query but
    /// one a second while nobody listens at all.
    pub(super) async fn of(
        &self,
        connection: &mut PgConnection,
        accounts: &HashSet<AccountId>,
    ) -> Result<HashMap<AccountId, Heard>, Error> {
        self.read_again(connection).await?;
        let listening = self.0.accounts.load();
        if listening.is_empty() || accounts.is_empty() {
            return Ok(HashMap::new());
        }
        let places = self.places(connection, accounts).await?;
        let listeners = |(account, place): (AccountId, Arc<[AccountId]>)| {
            let heard = Heard::of(&place, &listening);
            (!heard.near.is_empty() || !heard.far.is_empty()).then_some((account, heard))
        };
        Ok(places.into_iter().filter_map(listeners).collect())
    }

    /// Whether anybody listened when that was read last. It may be a second old, and more where nothing is concluded.
    pub(crate) fn is_anybody_there(&self) -> bool {
        let now = self.now_ms();
        !self.0.accounts.load().is_empty() || now >= self.0.next_read_ms.load(Ordering::Relaxed)
    }

    /// Reads who listens, if that is due and nobody else does it at this moment.
    async fn read_again(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let (now, due) = (self.now_ms(), self.0.next_read_ms.load(Ordering::Relaxed));
        let next = now + u64::try_from(READ_EVERY.as_millis()).unwrap_or(u64::MAX);
        let ours =
            now >= due && self.0.next_read_ms.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if ours {
            let rows = query!("SELECT DISTINCT account_id FROM realtime_connections WHERE expires_at > now()")
                .fetch_all(connection)
                .await?;
            let accounts = rows.into_iter().map(|row| AccountId::from_uuid(row.account_id)).collect();
            self.0.accounts.store(Arc::new(accounts));
        }
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn places(
        &self,
        connection: &mut PgConnection,
        accounts: &HashSet<AccountId>,
    ) -> Result<HashMap<AccountId, Arc<[AccountId]>>, Error> {
        let mut found = HashMap::with_capacity(accounts.len());
        let mut missing: Vec<Uuid> = Vec::new();
        {
            let known = self.0.places.read().unwrap_or_else(PoisonError::into_inner);
            for account in accounts {
                match known.get(account) {
                    Some(place) => drop(found.insert(*account, Arc::clone(place))),
                    None => missing.push(account.uuid()),
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let rows = query!("SELECT id, path FROM accounts WHERE id = ANY($1)", &missing).fetch_all(connection).await?;
        let mut known = self.0.places.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() + rows.len() > PLACES_MAX {
            known.clear();
        }
        for row in rows {
            let place: Arc<[AccountId]> = row.path.into_iter().map(AccountId::from_uuid).collect();
            known.insert(AccountId::from_uuid(row.id), Arc::clone(&place));
            found.insert(AccountId::from_uuid(row.id), place);
        }
        Ok(found)
    }
}
