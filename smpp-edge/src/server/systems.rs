//! The systems that may bind, one immutable picture after the other.

use std::collections::HashMap;
use std::sync::Arc;

use contract::SystemSettings;
use domain::SmppSystemId;

/// Every system, by both of its names.
#[derive(Debug, Default)]
pub(super) struct Systems {
    by_name: HashMap<String, Arc<SystemSettings>>,
    by_id: HashMap<SmppSystemId, Arc<SystemSettings>>,
}

impl Systems {
    /// The next picture. What did not change stays the same object, so that sessions see at once that it did not.
    pub(super) fn with(&self, settings: Vec<SystemSettings>) -> Self {
        let mut next = Self::default();
        for system in settings {
            let same = self.by_id.get(&system.id).filter(|old| ***old == system);
            let system = same.map_or_else(|| Arc::new(system), Arc::clone);
            next.by_name.insert(system.system_id.clone(), Arc::clone(&system));
            next.by_id.insert(system.id, system);
        }
        next
    }

    /// By the name that customers bind by.
    pub(super) fn named(&self, system_id: &str) -> Option<&Arc<SystemSettings>> {
        self.by_name.get(system_id)
    }

    /// By our id.
    pub(super) fn get(&self, id: SmppSystemId) -> Option<&Arc<SystemSettings>> {
        self.by_id.get(&id)
    }
}
