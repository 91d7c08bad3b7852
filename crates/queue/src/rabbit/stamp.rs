//! What a message carries besides its body: who it is, since when, how often it came, how long it must still wait.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lapin::BasicProperties;
use lapin::message::Delivery as Raw;
use lapin::types::{AMQPValue, FieldTable};
use uuid::Uuid;

/// Milliseconds since 1970 at which the message was sent; AMQP's own timestamp counts seconds.
const SENT_AT: &str = "chappe-sent-at-ms";
/// How often it was received before it was put where it lies.
const RECEIVED: &str = "chappe-received";
/// What is left of its wait after this bucket, in milliseconds.
const LEFT: &str = "chappe-left-ms";
/// Why it was parked, and when.
const WHY: &str = "chappe-why";
const PARKED_AT: &str = "chappe-parked-at-ms";
/// How often a quorum queue took it back.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// Why the broker itself set a message aside.
const DEATH_REASON: &str = "x-first-death-reason";

/// Kept on disk.
const PERSISTENT: u8 = 2;

#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) id: String,
    pub(super) sent_at_ms: i64,
    /// Receipts before the next one.
    pub(super) received: u32,
    pub(super) left_ms: u64,
}

impl Stamp {
    /// The stamp of a new message.
    pub(super) fn fresh() -> Self {
        Self { id: Uuid::now_v7().to_string(), sent_at_ms: now_ms(), received: 0, left_ms: 0 }
    }

    /// Reads it off a message. One of strangers gets what is missing.
    pub(super) fn of(raw: &Raw) -> Self {
        let id = raw.properties.message_id().as_ref().map(ToString::to_string);
        Self {
            id: id.unwrap_or_else(|| Uuid::now_v7().to_string()),
            sent_at_ms: header(raw, SENT_AT).unwrap_or_else(now_ms),
            received: count(header(raw, RECEIVED)),
            left_ms: header(raw, LEFT).and_then(|left| u64::try_from(left).ok()).unwrap_or(0),
        }
    }

    /// The stamp with the receipts that the broker knows of, without the one that brought it.
    pub(super) fn unreceived(raw: &Raw) -> Self {
        let mut stamp = Self::of(raw);
        let returned = count(header(raw, DELIVERY_COUNT)).max(u32::from(raw.redelivered));
        stamp.received = stamp.received.saturating_add(returned);
        stamp
    }

    /// The stamp with the receipts that the broker knows of, and this one.
    pub(super) fn receipt(raw: &Raw) -> Self {
        let mut stamp = Self::unreceived(raw);
        stamp.received = stamp.received.saturating_add(1);
        stamp
    }

    pub(super) fn sent_at(&self) -> DateTime<Utc> {
        time(self.sent_at_ms)
    }

    pub(super) fn properties(&self) -> BasicProperties {
        self.properties_with(FieldTable::default())
    }

    /// Those of a parked message.
    pub(super) fn parked(&self, why: &str) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert(WHY.into(), AMQPValue::LongString(why.into()));
        headers.insert(PARKED_AT.into(), AMQPValue::LongLongInt(now_ms()));
        self.properties_with(headers)
    }

    /// Only ours go on: the broker drops what it believes to go round in circles, and knows that by its own headers.
    fn properties_with(&self, mut headers: FieldTable) -> BasicProperties {
        headers.insert(SENT_AT.into(), AMQPValue::LongLongInt(self.sent_at_ms));
        headers.insert(RECEIVED.into(), AMQPValue::LongLongInt(self.received.into()));
        if self.left_ms > 0 {
            headers.insert(LEFT.into(), AMQPValue::LongLongInt(i64::try_from(self.left_ms).unwrap_or(i64::MAX)));
        }
        BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(self.id.as_str().into())
            .with_headers(headers)
    }
}

/// Why and when a message was parked. The broker parks on its own what it would not deliver any more.
pub(super) fn parked(raw: &Raw) -> (String, DateTime<Utc>) {
    let why = header_text(raw, WHY).unwrap_or_else(|| {
        let reason = header_text(raw, DEATH_REASON).unwrap_or_else(|| "unknown".to_owned());
        format!("set aside by RabbitMQ: {reason}")
    });
    (why, header(raw, PARKED_AT).map_or_else(Utc::now, time))
}

/// How long ago a message was sent.
pub(super) fn age(sent_at_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms().saturating_sub(sent_at_ms)).unwrap_or(0))
}

pub(super) fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

fn header(raw: &Raw, name: &str) -> Option<i64> {
    match raw.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongLongInt(value) => Some(*value),
        AMQPValue::LongInt(value) => Some((*value).into()),
        AMQPValue::LongUInt(value) => Some((*value).into()),
        AMQPValue::ShortInt(value) => Some((*value).into()),
        AMQPValue::ShortUInt(value) => Some((*value).into()),
        AMQPValue::ShortShortInt(value) => Some((*value).into()),
        AMQPValue::ShortShortUInt(value) => Some((*value).into()),
        _ => None,
    }
}

fn header_text(raw: &Raw, name: &str) -> Option<String> {
    match raw.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => None,
    }
}

fn count(value: Option<i64>) -> u32 {
    value.and_then(|value| u32::try_from(value.max(0)).ok()).unwrap_or(0)
}
