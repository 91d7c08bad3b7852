//! What the operator took: the last messages in full, what handsets show, and how often each message came.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use smpp::receipt::State;
use smpp::text::{self, Encoding};
use smpp::udh::Concat;

use crate::IdForm;

/// A message segment that the operator took. `Debug` hides numbers and text.
#[derive(Clone)]
pub struct Accepted {
    /// The account that sent it.
    pub system_id: Arc<str>,
    /// Its number at the operator; [`Accepted::message_id`] is the form that was answered.
    pub number: u64,
    /// Sender as sent.
    pub source: Box<[u8]>,
    /// Addressee as sent.
    pub destination: Box<[u8]>,
    /// As sent.
    pub esm_class: u8,
    /// As sent.
    pub data_coding: u8,
    /// As sent.
    pub registered_delivery: u8,
    /// Which part of a long message, from the user data header or the SAR TLVs.
    pub part: Option<Concat>,
    /// Text octets, without the user data header.
    pub body: Box<[u8]>,
    pub(crate) ids: IdForm,
    pub(crate) state: Option<State>,
    pub(crate) done_ms: u64,
}

impl Accepted {
    /// The id in the answer to the submit.
    pub fn message_id(&self) -> String {
        self.ids.render(self.number)
    }

    /// What a handset shows of this segment alone.
    pub fn text(&self) -> String {
        decode(&self.body, self.data_coding)
    }
}

impl std::fmt::Debug for Accepted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Accepted")
            .field("system_id", &self.system_id)
            .field("message_id", &self.message_id())
            .field("part", &self.part)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Unknown alphabets are shown as Latin-1, which never fails.
fn decode(octets: &[u8], data_coding: u8) -> String {
    text::decode(octets, Encoding::from_data_coding(data_coding).unwrap_or(Encoding::Latin1))
}

/// A whole message as a handset shows it. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// Sender.
    pub source: String,
    /// Text of all parts together.
    pub text: String,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Shown({} characters)", self.text.chars().count())
    }
}

/// How often messages came, told apart by destination, text and part number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repeats {
    /// Different segments.
    pub distinct: u64,
    /// Segments that came again, each time counted.
    pub repeated: u64,
    /// Segments not told apart because [`crate::Config::seen_max`] was reached.
    pub untold: u64,
}

/// The record; one lock per batch of messages.
#[derive(Debug)]
pub(crate) struct Recorder {
    log_max: usize,
    seen_max: usize,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    log: VecDeque<Accepted>,
    seen: HashMap<u64, u32>,
    repeats: Repeats,
}

impl Recorder {
    pub(crate) fn new(log_max: usize, seen_max: usize) -> Self {
        Self { log_max, seen_max, record: Mutex::default() }
    }

    /// Whether messages are worth being collected for [`Recorder::add`].
    pub(crate) const fn wants_messages(&self) -> bool {
        self.log_max > 0 || self.seen_max > 0
    }

    /// Drains `batch`.
    pub(crate) fn add(&self, batch: &mut Vec<Accepted>) {
        let mut record = self.record();
        for accepted in batch.drain(..) {
            if self.seen_max > 0 {
                let key = key(&accepted.destination, accepted.part.map(|part| part.part), &accepted.body);
                record.note(key, self.seen_max);
            }
            if self.log_max > 0 {
                if record.log.len() == self.log_max {
                    record.log.pop_front();
                }
                record.log.push_back(accepted);
            }
        }
    }

    pub(crate) fn log(&self) -> Vec<Accepted> {
        self.record().log.iter().cloned().collect()
    }

    pub(crate) fn repeats(&self) -> Repeats {
        self.record().repeats
    }

    /// State and final time of the message with this id, newest first.
    pub(crate) fn find(&self, message_id: &[u8]) -> Option<(Option<State>, u64)> {
        let record = self.record();
        let mut newest_first = record.log.iter().rev();
        let found = newest_first.find(|accepted| accepted.message_id().as_bytes() == message_id)?;
        Some((found.state, found.done_ms))
    }

    /// How often all parts of this text came to this destination.
    pub(crate) fn times_seen(&self, destination: &str, text: &str) -> u32 {
        let encoding = text::choose(text);
        let Ok(parts) = text::split(text, encoding, text::Concat::Udh8) else { return 0 };
        let record = self.record();
        let single = parts.len() == 1;
        let times = (1..=u8::MAX).zip(&parts).map(|(number, body)| {
            let key = key(destination.as_bytes(), (!single).then_some(number), body);
            record.seen.get(&key).copied().unwrap_or(0)
        });
        times.min().unwrap_or(0)
    }

    /// The whole messages among those logged that `destination` shows, in the order of their last parts.
    pub(crate) fn shown(&self, destination: &str) -> Vec<Shown> {
        let record = self.record();
        let mut open: HashMap<_, Parts<'_>> = HashMap::new();
        let mut shown = Vec::new();
        for accepted in record.log.iter().filter(|accepted| *accepted.destination == *destination.as_bytes()) {
            let Some(part) = accepted.part else {
                shown.push(show(accepted, &accepted.body));
                continue;
            };
            let parts = open.entry((&accepted.source, part.reference, part.total)).or_default();
            parts.insert(part.part, &accepted.body);
            if parts.len() == usize::from(part.total) {
                let whole: Vec<&[u8]> = (1..=part.total).filter_map(|number| parts.get(&number).copied()).collect();
                shown.push(show(accepted, &whole.concat()));
                parts.clear();
            }
        }
        shown
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Parts<'a> = HashMap<u8, &'a [u8]>;

fn show(accepted: &Accepted, body: &[u8]) -> Shown {
    let source = String::from_utf8_lossy(&accepted.source).into_owned();
    Shown { source, text: decode(body, accepted.data_coding) }
}

impl Record {
    fn note(&mut self, key: u64, seen_max: usize) {
        if let Some(times) = self.seen.get_mut(&key) {
            *times = times.saturating_add(1);
            self.repeats.repeated += 1;
        } else if self.seen.len() < seen_max {
            self.seen.insert(key, 1);
            self.repeats.distinct += 1;
        } else {
            self.repeats.untold += 1;
        }
    }
}

/// What makes a segment the same to the person who reads it. The concatenation reference is left out: a message
/// that is sent again may get another one.
fn key(destination: &[u8], part: Option<u8>, body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (destination, part, body).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
