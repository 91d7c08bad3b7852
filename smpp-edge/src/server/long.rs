//! Which parts belong together: the first that comes stands for all.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::PartOf;
use contract::intake::{LongPart, Submission};
use domain::{MessageId, SmppSystemId};

/// Parts that come later than this begin another message.
const LIFE: Duration = Duration::from_mins(10);

/// Long messages whose parts come. One lock, taken for parts only.
///
/// **Invariant:** knows at most `max` messages.
#[derive(Debug)]
pub(super) struct Long {
    max: usize,
    hasher: RandomState,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    heads: HashMap<Key, Head>,
    order: VecDeque<(Key, Instant)>,
}

/// The addresses are hashed: two of one system that collide within ten minutes, and share reference and total, join
/// two messages in a list and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    system: SmppSystemId,
    addresses: u64,
    reference: u16,
    wide: bool,
    total: u8,
}

#[derive(Debug)]
struct Head {
    id: MessageId,
    since: Instant,
    /// Which parts came: bit `part` of 256.
    parts: [u64; 4],
}

impl Head {
    /// Notes a part; false if it came before.
    const fn add(&mut self, part: u8) -> bool {
        let [bit_low, ..] = part.to_le_bytes();
        let word = match bit_low >> 6 {
            0 => &mut self.parts[0],
            1 => &mut self.parts[1],
            2 => &mut self.parts[2],
            _ => &mut self.parts[3],
        };
        let bit = 1_u64 << (bit_low & 63);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

impl Long {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), hasher: RandomState::new(), known: Mutex::default() }
    }

    /// Says of a part which message it belongs to. A part that came before begins another message: its sender uses
    /// the same reference again.
    pub(super) fn place(&self, submission: &Submission, part_of: PartOf, now: Instant) -> LongPart {
        let key = Key {
            system: submission.system_id,
            addresses: self.hasher.hash_one((&submission.from, submission.to.expose())),
            reference: part_of.reference,
            wide: part_of.wide,
            total: part_of.total,
        };
        let fresh = || Head { id: submission.message_id, since: now, parts: [0; 4] };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.forget(now, self.max);
        let known = &mut *known;
        let head = known.heads.entry(key).or_insert_with(|| {
            known.order.push_back((key, now));
            fresh()
        });
        if !head.add(part_of.part) {
            known.order.push_back((key, now));
            *head = fresh();
            head.add(part_of.part);
        }
        LongPart { head: head.id, part: part_of.part, total: part_of.total }
    }
}

impl Known {
    fn forget(&mut self, now: Instant, max: usize) {
        while let Some(&(key, since)) = self.order.front() {
            if self.order.len() < max && now.saturating_duration_since(since) < LIFE {
                return;
            }
            self.order.pop_front();
            if self.heads.get(&key).is_some_and(|head| head.since == since) {
                self.heads.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::{Encoding, SmppFields};
    use domain::{AccountId, Private};

    use super::*;

    fn submission(from: &str) -> Submission {
        Submission {
            message_id: MessageId::generate(),
            account_id: AccountId::generate(),
            system_id: SmppSystemId::from_uuid(uuid::Uuid::nil()),
            to: Private::new("998901234567"),
            from: from.to_owned(),
            text: Private::new("Hi"),
            encoding: Encoding::Gsm7,
            fields: SmppFields::default(),
            registered_delivery: 0,
            expires_at: None,
            scheduled_at: None,
            receipt_id: None,
            long: None,
            traffic_class: None,
        }
    }

    fn part(part: u8) -> PartOf {
        PartOf { reference: 7, wide: false, total: 255, part }
    }

    #[test]
    fn parts_find_their_head_for_a_while() {
        let (long, start) = (Long::new(100), Instant::now());
        let first = submission("a");
        let head = |from: &str, number, at| long.place(&submission(from), part(number), at).head;
        assert_eq!(long.place(&first, part(255), start).head, first.message_id);
        assert_eq!(head("a", 1, start), first.message_id);
        assert_eq!(head("a", 64, start + LIFE / 2), first.message_id);
        assert_ne!(head("b", 2, start), first.message_id, "another sender");
        assert_ne!(head("a", 2, start + LIFE), first.message_id, "too late");
    }

    #[test]
    fn a_part_that_comes_again_begins_another_message() {
        let (long, now) = (Long::new(100), Instant::now());
        let first = long.place(&submission("a"), part(1), now).head;
        let second = long.place(&submission("a"), part(1), now).head;
        assert_ne!(first, second);
        assert_eq!(long.place(&submission("a"), part(2), now).head, second);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let (long, start) = (Long::new(10), Instant::now());
        for number in 0..1_000_u32 {
            long.place(&submission(&number.to_string()), part(1), start + Duration::from_millis(number.into()));
        }
        let known = long.known.lock().unwrap();
        assert!(known.heads.len() <= 10 && known.order.len() <= 10, "{known:?}");
    }
}
