//! Numbers that moved to another network: hundreds of thousands of them, in memory, and changed without being copied.
//!
//! They lie in shards by the end of the number, each sorted. A change copies only the shards that it touches; the others
//! are shared with the catalogue of before. A look is one binary search.

use std::sync::Arc;

use crate::network::Network;

/// Shards; a million numbers make some four thousand in each.
const SHARDS: usize = 256;

type Shard = Arc<Vec<(u64, Network)>>;

/// Where numbers are that moved.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Up to which version of the catalogue changes were read.
    pub version: i64,
    /// None while there is no override, else [`SHARDS`].
    shards: Vec<Shard>,
}

/// A number, and where it is now; `None`: it is forgotten.
pub type Moved = (u64, Option<Network>);

impl Overrides {
    /// Where `number` is, if it moved.
    pub fn get(&self, number: u64) -> Option<Network> {
        let shard = self.shards.get(shard_of(number))?;
        let at = shard.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(shard[at].1)
    }

    /// How many numbers moved.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Did none move?
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.is_empty())
    }

    /// The same with `changes`, at `version`. Of several changes of one number the last counts.
    #[must_use]
    pub fn with(&self, changes: impl IntoIterator<Item = Moved>, version: i64) -> Self {
        let mut by_shard: Vec<Vec<Moved>> = vec![Vec::new(); SHARDS];
        for change in changes {
            by_shard[shard_of(change.0)].push(change);
        }
        let empty = Shard::default();
        let merged = by_shard.into_iter().enumerate().map(|(at, changes)| {
            let shard = self.shards.get(at).unwrap_or(&empty);
            if changes.is_empty() { Arc::clone(shard) } else { Arc::new(merge(shard, changes)) }
        });
        Self { version, shards: merged.collect() }
    }
}

fn shard_of(number: u64) -> usize {
    usize::try_from(number % 256).unwrap_or(0)
}

/// A sorted shard with changes in any order.
fn merge(shard: &[(u64, Network)], mut changes: Vec<Moved>) -> Vec<(u64, Network)> {
    // Stable: of several changes of one number the last stays last.
    changes.sort_by_key(|(number, _)| *number);
    let mut merged = Vec::with_capacity(shard.len() + changes.len());
    let mut old = shard.iter().copied().peekable();
    let mut changes = changes.into_iter().peekable();
    while let Some((number, network)) = changes.next() {
        if changes.peek().is_some_and(|(next, _)| *next == number) {
            continue;
        }
        while let Some(kept) = old.next_if(|(kept, _)| *kept < number) {
            merged.push(kept);
        }
        old.next_if(|(kept, _)| *kept == number);
        merged.extend(network.map(|network| (number, network)));
    }
    merged.extend(old);
    merged
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn network(at: u8) -> Option<Network> {
        ["43404", "43405", "43407"].get(usize::from(at)).map(|code| code.parse().unwrap())
    }

    proptest! {
        /// Whatever is changed in whatever portions, it is as if a plain map had been changed.
        #[test]
        fn changes_are_those_of_a_map(portions in prop::collection::vec(prop::collection::vec((0_u64..600, 0_u8..4), 0..60), 0..8)) {
            let mut model: HashMap<u64, Network> = HashMap::new();
            let mut overrides = Overrides::default();
            for (version, portion) in (1..).zip(&portions) {
                let changes: Vec<Moved> = portion.iter().map(|(number, at)| (*number, network(*at))).collect();
                for (number, network) in &changes {
                    match network {
                        Some(network) => model.insert(*number, *network),
                        None => model.remove(number),
                    };
                }
                overrides = overrides.with(changes, version);
                prop_assert_eq!(overrides.version, version);
            }
            prop_assert_eq!(overrides.len(), model.len());
            prop_assert_eq!(overrides.is_empty(), model.is_empty());
            for number in 0..600 {
                prop_assert_eq!(overrides.get(number), model.get(&number).copied());
            }
        }
    }
}
