//! The envelope: what every queue message looks like.

use chrono::{DateTime, Utc};
use domain::{AccountId, EnvelopeId};
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize};

/// Bytes that a sealed envelope has at most; SQS bills per 64 KB.
pub const BODY_BYTES_MAX: usize = 60_000;
/// Bytes of an envelope around its items: version, id, kind, time, brackets. Generous.
const FRAME_BYTES: usize = 200;
/// The version that this code writes.
const VERSION: u16 = 1;

/// What an envelope carries. `KIND` names it on the wire and never changes its meaning.
pub trait Item: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// For example `message.accepted`.
    const KIND: &'static str;

    /// Whose it is, where it is somebody's: queues that can share themselves fairly do so between accounts.
    fn tenant(&self) -> Option<AccountId> {
        None
    }
}

/// Items of one kind that are handled together, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<T> {
    /// The inbox drops an id that it has seen.
    pub id: EnvelopeId,
    /// When it was sealed.
    pub at: DateTime<Utc>,
    /// It may lie in the queue a second time, see [`mark_again`].
    pub again: bool,
    /// One or more.
    pub items: Vec<T>,
}

#[derive(Deserialize)]
struct Wire<'a, T> {
    v: u16,
    id: EnvelopeId,
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    at: DateTime<Utc>,
    #[serde(default)]
    again: bool,
    items: Vec<T>,
}

impl<'de, T: Item> Deserialize<'de> for Envelope<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::<T>::deserialize(deserializer)?;
        if wire.v != VERSION {
            return Err(de::Error::custom(format!("envelope version {} is not {VERSION}", wire.v)));
        }
        if wire.kind != T::KIND {
            return Err(de::Error::custom(format!("envelope of kind {} where {} is expected", wire.kind, T::KIND)));
        }
        if wire.items.is_empty() {
            return Err(de::Error::custom("an envelope has at least one item"));
        }
        Ok(Self { id: wire.id, at: wire.at, again: wire.again, items: wire.items })
    }
}

/// An envelope as bytes, ready for a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its id, for the outbox.
    pub id: EnvelopeId,
    /// JSON in UTF-8, at most [`BODY_BYTES_MAX`] unless one item alone is larger.
    pub body: Vec<u8>,
    /// Whose its first item is. What is gathered from many is short anyway, and hurts nobody's share.
    pub tenant: Option<AccountId>,
}

/// Says in a sealed envelope that it may have been published before: whoever must not do a thing twice, and keeps no
/// inbox, finds out first what became of its items. What is no envelope stays as it is.
pub fn mark_again(body: &mut Vec<u8>) {
    let head = format!(r#"{{"v":{VERSION},"#).into_bytes();
    if body.starts_with(&head) {
        body.splice(head.len()..head.len(), br#""again":true,"#.iter().copied());
    }
}

/// Packs `items` in as few envelopes as fit the bound, in their order.
///
/// # Errors
/// When an item cannot be written as JSON, which is a bug in its type.
pub fn seal<T: Item>(items: &[T], at: DateTime<Utc>) -> Result<Vec<Sealed>, serde_json::Error> {
    let mut sealed = Vec::new();
    let mut open: Option<Sealed> = None;
    for item in items {
        let mut envelope = match open.take() {
            Some(envelope) => envelope,
            None => start(item, at)?,
        };
        let before = envelope.body.len();
        if envelope.body.last() != Some(&b'[') {
            envelope.body.push(b',');
        }
        serde_json::to_writer(&mut envelope.body, item)?;
        if envelope.body.len() > BODY_BYTES_MAX - 2 && before > FRAME_BYTES {
            envelope.body.truncate(before);
            sealed.push(finish(envelope));
            envelope = start(item, at)?;
            serde_json::to_writer(&mut envelope.body, item)?;
        }
        open = Some(envelope);
    }
    sealed.extend(open.map(finish));
    Ok(sealed)
}

fn start<T: Item>(first: &T, at: DateTime<Utc>) -> Result<Sealed, serde_json::Error> {
    let id = EnvelopeId::generate();
    let mut body = Vec::with_capacity(4096);
    body.extend_from_slice(format!(r#"{{"v":{VERSION},"id":"{id}","kind":"{}","at":"#, T::KIND).as_bytes());
    serde_json::to_writer(&mut body, &at)?;
    body.extend_from_slice(br#","items":["#);
    Ok(Sealed { id, body, tenant: first.tenant() })
}

fn finish(mut envelope: Sealed) -> Sealed {
    envelope.body.extend_from_slice(b"]}");
    envelope
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Word(String);
    impl Item for Word {
        const KIND: &'static str = "word";
    }

    fn open(sealed: &[Sealed]) -> Vec<Word> {
        sealed.iter().flat_map(|s| serde_json::from_slice::<Envelope<Word>>(&s.body).unwrap().items).collect()
    }

    #[test]
    fn an_envelope_says_whether_it_may_be_there_twice() {
        let mut body = seal(&[Word("x".to_owned())], DateTime::UNIX_EPOCH).unwrap().remove(0).body;
        let open = |body: &[u8]| serde_json::from_slice::<Envelope<Word>>(body).unwrap();
        let first = open(&body);
        assert!(!first.again);
        mark_again(&mut body);
        assert_eq!(open(&body), Envelope { again: true, ..first });
        let mut other = b"[]".to_vec();
        mark_again(&mut other);
        assert_eq!(other, b"[]");
    }

    proptest! {
        #[test]
        fn items_come_back_in_order_within_the_bound(lengths in prop::collection::vec(0_usize..30_000, 0..40)) {
            let words: Vec<Word> = lengths.iter().map(|n| Word("x".repeat(*n))).collect();
            let sealed = seal(&words, DateTime::UNIX_EPOCH).unwrap();
            prop_assert!(sealed.iter().all(|s| s.body.len() <= BODY_BYTES_MAX));
            prop_assert_eq!(open(&sealed), words);
        }
    }

    #[test]
    fn what_is_refused() {
        let good =
            r#"{"v":1,"id":"env_00000000000000000000000001","kind":"word","at":"2026-01-01T00:00:00Z","items":["a"]}"#;
        for (body, expected) in [
            (good.to_owned(), None),
            (good.replace("\"v\":1", "\"v\":2"), Some("envelope version 2")),
            (good.replace("\"word\"", "\"other\""), Some("envelope of kind other")),
            (good.replace("[\"a\"]", "[]"), Some("at least one item")),
            (good.replace("\"v\":1,", ""), Some("missing field `v`")),
        ] {
            let error = serde_json::from_str::<Envelope<Word>>(&body).err().map(|e| e.to_string());
            match expected {
                Some(part) => assert!(error.unwrap().contains(part), "{body}"),
                None => assert_eq!(error, None),
            }
        }
    }
}
