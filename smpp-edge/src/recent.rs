//! A bounded memory of what was seen lately.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// Remembers the last `max` different values.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    max: usize,
    seen: HashSet<T>,
    order: VecDeque<T>,
}

impl<T: Copy + Eq + Hash> Recent<T> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, seen: HashSet::new(), order: VecDeque::new() }
    }

    /// Remembers `value`; false if it was known.
    pub(crate) fn insert(&mut self, value: T) -> bool {
        if !self.seen.insert(value) {
            return false;
        }
        self.order.push_back(value);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    pub(crate) fn contains(&self, value: &T) -> bool {
        self.seen.contains(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest() {
        let mut recent = Recent::new(2);
        assert!(recent.insert(1) && recent.insert(2) && !recent.insert(1) && recent.insert(3));
        assert_eq!([1, 2, 3].map(|n| recent.contains(&n)), [false, true, true]);
    }
}
