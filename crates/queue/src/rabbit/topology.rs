//! The names and settings of what Chappe keeps in a virtual host. `RABBITMQ.md` tells an operator of it.
//!
//! A queue is a durable quorum queue. A message that must wait lies in a **bucket** of its queue, a quorum queue
//! whose messages all live equally long and are then dead-lettered into the queue: at least once, which is why buckets
//! are quorum queues and not classic ones. Long waits go through several buckets, each chosen by whoever receives the
//! message too early. A message carries what is left of its wait, not a time of day, so clocks need not agree and
//! none comes early.
//!
//! Buckets are made at their first use: most queues never delay anything.

use std::time::Duration;

use lapin::types::{AMQPValue, FieldTable};

/// The lives of buckets, in milliseconds.
const BUCKETS_MS: [u32; 8] = [250, 1_000, 2_000, 5_000, 15_000, 60_000, 300_000, 1_800_000];

/// A wait may become longer by this part of itself, to spare a way through another bucket.
const LATE_PART: u64 = 16;

/// How often the broker redelivers a message before it sets it aside. RabbitMQ 4 would drop messages after 20 by
/// default; how often is too often is for `host` to say. The same number on all versions, because the settings of a
/// queue never change.
const DELIVERY_LIMIT: i32 = 1_000_000;

/// What stands between a queue's name and the life of its bucket.
const DELAY: &str = ".delay.";

/// The queue that lists all queues: AMQP cannot.
pub(super) const NAMES: &str = "chappe.names";

/// The exclusive queue whose owner may read [`NAMES`] and parked messages, which means taking and returning them.
pub(super) const LOCK: &str = "chappe.lock";

/// Where parked messages of a queue lie.
pub(super) fn parked(queue: &str) -> String {
    format!("{queue}.parked")
}

/// The bucket of a queue whose messages live this long.
pub(super) fn bucket(queue: &str, life_ms: u32) -> String {
    format!("{queue}{DELAY}{life_ms}")
}

/// The buckets of a queue among `names`.
pub(super) fn buckets<'a>(queue: &str, names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let prefix = format!("{queue}{DELAY}");
    names.filter(|name| name.strip_prefix(&prefix).is_some_and(is_life)).cloned().collect()
}

/// Whether this is a bucket's name, and no queue's.
pub(super) fn is_bucket(name: &str) -> bool {
    name.rsplit_once(DELAY).is_some_and(|(_, life)| is_life(life))
}

fn is_life(text: &str) -> bool {
    text.parse().is_ok_and(|life_ms: u32| BUCKETS_MS.contains(&life_ms))
}

/// Which bucket comes next for a wait, and what is left of the wait after it. `wait_ms` is more than zero.
pub(super) fn next_bucket(wait_ms: u64) -> (u32, u64) {
    let [shortest, ..] = BUCKETS_MS;
    let close = BUCKETS_MS.into_iter().find(|life_ms| {
        let life_ms = u64::from(*life_ms);
        life_ms >= wait_ms && life_ms - wait_ms <= wait_ms / LATE_PART
    });
    let longest = BUCKETS_MS.into_iter().rfind(|life_ms| u64::from(*life_ms) <= wait_ms);
    let life_ms = close.or(longest).unwrap_or(shortest);
    (life_ms, wait_ms.saturating_sub(life_ms.into()))
}

/// Whole milliseconds; a wait below one counts as one.
pub(super) fn wait_ms(wait: Duration) -> u64 {
    match u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) {
        0 if !wait.is_zero() => 1,
        wait_ms => wait_ms,
    }
}

/// A queue that parks by itself what the broker would not deliver any more.
pub(super) fn queue_settings(queue: &str) -> FieldTable {
    let mut settings = plain_settings();
    settings.insert("x-dead-letter-exchange".into(), text(""));
    settings.insert("x-dead-letter-routing-key".into(), text(&parked(queue)));
    settings
}

/// A queue that keeps what it has.
pub(super) fn plain_settings() -> FieldTable {
    let mut settings = FieldTable::default();
    settings.insert("x-queue-type".into(), text("quorum"));
    settings.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    settings
}

/// A bucket of `queue`.
pub(super) fn bucket_settings(queue: &str, life_ms: u32) -> FieldTable {
    let mut settings = plain_settings();
    settings.insert("x-message-ttl".into(), AMQPValue::LongLongInt(life_ms.into()));
    settings.insert("x-dead-letter-exchange".into(), text(""));
    settings.insert("x-dead-letter-routing-key".into(), text(queue));
    settings.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    settings.insert("x-overflow".into(), text("reject-publish"));
    settings
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_cut_short_and_little_longer() {
        for wait in
            [1, 200, 250, 900, 1_000, 1_999, 2_000, 2_100, 7_000, 59_000, 61_000, 100_000, 3_600_000, 86_400_000]
        {
            let (mut left, mut total, mut hops) = (wait, 0, 0);
            while left > 0 {
                let (life_ms, rest) = next_bucket(left);
                (left, total, hops) = (rest, total + u64::from(life_ms), hops + 1);
            }
            assert!(total >= wait, "{wait} ms became {total}");
            assert!(total <= wait + 250.max(wait / LATE_PART), "{wait} ms became {total}");
            assert!(hops <= 48, "{wait} ms took {hops} buckets");
        }
    }

    #[test]
    fn buckets_are_told_from_queues() {
        for (name, expected) in
            [("bill.delay.2000", true), ("bill.delay.3", false), ("bill.delay", false), ("bill", false)]
        {
            assert_eq!(is_bucket(name), expected, "{name}");
        }
        let names = ["bill".to_owned(), bucket("bill", 2_000), bucket("bill.x", 2_000), bucket("dlr", 250)];
        assert_eq!(buckets("bill", names.iter()), ["bill.delay.2000"]);
    }
}
