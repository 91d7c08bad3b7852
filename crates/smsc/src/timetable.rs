//! Things to do at a later time, in buckets of one millisecond: one entry in a tree per millisecond and not one
//! timer per message.

use std::collections::BTreeMap;

/// Items by the millisecond at which they are due.
#[derive(Debug)]
pub(crate) struct Timetable<T> {
    buckets: BTreeMap<u64, Vec<T>>,
    len: usize,
}

impl<T> Default for Timetable<T> {
    fn default() -> Self {
        Self { buckets: BTreeMap::new(), len: 0 }
    }
}

impl<T> Timetable<T> {
    pub(crate) fn push(&mut self, due_ms: u64, item: T) {
        self.buckets.entry(due_ms).or_default().push(item);
        self.len += 1;
    }

    /// When the next item is due.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.buckets.first_key_value().map(|(&due_ms, _)| due_ms)
    }

    /// The earliest bucket if it is due, in the order of pushing.
    pub(crate) fn pop(&mut self, now_ms: u64) -> Option<Vec<T>> {
        let bucket = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now_ms)?.remove();
        self.len -= bucket.len();
        Some(bucket)
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::Timetable;

    #[test]
    fn items_come_by_time_and_then_by_order() {
        let mut table = Timetable::default();
        for (due_ms, item) in [(5, 'c'), (3, 'a'), (3, 'b'), (9, 'd')] {
            table.push(due_ms, item);
        }
        assert_eq!((table.next_ms(), table.len()), (Some(3), 4));
        assert_eq!(table.pop(2), None);
        assert_eq!(table.pop(5), Some(vec!['a', 'b']));
        assert_eq!(table.pop(5), Some(vec!['c']));
        assert_eq!(table.pop(5), None);
        assert_eq!((table.next_ms(), table.len()), (Some(9), 1));
    }
}
