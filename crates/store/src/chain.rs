//! Price chains: stored once each under a hash of their content, read once each.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::ChainId;
use domain::tariff::Chain;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::{Db, Error};

/// Chains that a process keeps; beyond it the memory starts anew.
const CHAINS_MAX: usize = 100_000;

/// Chains that this process has stored or read. They never change, so they never go stale.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chains(Arc<RwLock<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    ids: HashMap<Arc<Chain>, ChainId>,
    chains: HashMap<ChainId, Arc<Chain>>,
}

impl Chains {
    fn id(&self, chain: &Chain) -> Option<ChainId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).ids.get(chain).copied()
    }

    fn chain(&self, id: ChainId) -> Option<Arc<Chain>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).chains.get(&id).cloned()
    }

    fn keep(&self, id: ChainId, chain: &Arc<Chain>) {
        let mut memory = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if memory.ids.len() >= CHAINS_MAX {
            *memory = Memory::default();
        }
        memory.ids.insert(chain.clone(), id);
        memory.chains.insert(id, chain.clone());
    }
}

/// Stores what is not stored yet; answers the id of each, in order.
///
/// Known chains cost no statement. A new one is stored outside of the caller's transaction: a chain that no
/// message uses does no harm, and one that is remembered must be durable.
pub(crate) async fn remember<'a>(db: &Db, chains: impl Iterator<Item = &'a Arc<Chain>>) -> Result<Vec<ChainId>, Error> {
    let mut ids = Vec::new();
    for chain in chains {
        let id = match db.chains.id(chain) {
            Some(id) => id,
            None => store(db, chain).await?,
        };
        ids.push(id);
    }
    Ok(ids)
}

async fn store(db: &Db, chain: &Arc<Chain>) -> Result<ChainId, Error> {
    let json = serde_json::to_value(chain.as_ref())?;
    let hash = Sha256::digest(json.to_string().as_bytes());
    let id = ChainId::from_uuid(hashed(&hash));
    query!("INSERT INTO charge_chains (id, chain) VALUES ($1, $2) ON CONFLICT DO NOTHING", id.uuid(), json)
        .execute(&db.pool)
        .await?;
    db.chains.keep(id, chain);
    Ok(id)
}

/// An id from the first half of a hash.
pub(crate) fn hashed(hash: &[u8]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Reads the chains of `ids`; every id that a message names is there.
pub async fn load(
    connection: &mut PgConnection,
    db: &Db,
    ids: impl Iterator<Item = ChainId>,
) -> Result<HashMap<ChainId, Arc<Chain>>, Error> {
    let mut found = HashMap::new();
    let mut missing = Vec::new();
    for id in ids {
        match db.chains.chain(id) {
            Some(chain) => {
                found.insert(id, chain);
            }
            None => missing.push(id.uuid()),
        }
    }
    if !missing.is_empty() {
        let rows =
            query!("SELECT id, chain FROM charge_chains WHERE id = ANY ($1)", &missing).fetch_all(connection).await?;
        for row in rows {
            let id = ChainId::from_uuid(row.id);
            let chain: Arc<Chain> = Arc::new(serde_json::from_value(row.chain)?);
            db.chains.keep(id, &chain);
            found.insert(id, chain);
        }
    }
    Ok(found)
}
