//! Reading receipt text.

use super::{Date, Receipt, State};

/// The keys, lower case and with their colon. A value runs from its key to the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Submitted,
    Delivered,
    SubmitDate,
    DoneDate,
    State,
    Error,
    Text,
}

const KEYS: [(&[u8], Key); 10] = [
    (b"id:", Key::Id),
    (b"sub:", Key::Submitted),
    (b"dlvrd:", Key::Delivered),
    (b"submit date:", Key::SubmitDate),
    (b"submit_date:", Key::SubmitDate),
    (b"done date:", Key::DoneDate),
    (b"done_date:", Key::DoneDate),
    (b"stat:", Key::State),
    (b"err:", Key::Error),
    (b"text:", Key::Text),
];

/// Reads whatever can be read: a message that is no receipt gives one with nothing in it. The first value of a key
/// counts. `text:` takes the rest of the message, whatever it looks like, so that a message cannot forge its own
/// receipt; only when it comes before both `id:` and `stat:` do keys after it count.
pub fn parse(message: &[u8]) -> Receipt<'_> {
    let mut receipt = Receipt::default();
    let mut found = next_key(message, 0);
    while let Some((key, _, from)) = found {
        if key == Key::Text && (receipt.id.is_some() || receipt.state.is_some()) {
            set(&mut receipt, key, &message[from..]);
            break;
        }
        found = next_key(message, from);
        let to = found.map_or(message.len(), |(_, start, _)| start);
        set(&mut receipt, key, &message[from..to]);
    }
    receipt
}

/// The first key at or after `from`: which, where it starts and where its value starts.
fn next_key(message: &[u8], from: usize) -> Option<(Key, usize, usize)> {
    (from..message.len()).find_map(|at| {
        let opens_word = at == 0 || is_separator(message[at - 1]) || at == from;
        if !opens_word {
            return None;
        }
        let here = &message[at..];
        let (name, key) = KEYS.iter().find(|(name, _)| starts_with(here, name))?;
        Some((*key, at, at + name.len()))
    })
}

fn starts_with(octets: &[u8], lower_case: &[u8]) -> bool {
    // The first octet decides nearly always: this halves the time of a receipt.
    if octets.first().map(u8::to_ascii_lowercase) != lower_case.first().copied() {
        return false;
    }
    octets.get(..lower_case.len()).is_some_and(|start| start.eq_ignore_ascii_case(lower_case))
}

const fn is_separator(octet: u8) -> bool {
    octet.is_ascii_whitespace() || matches!(octet, b',' | b';')
}

fn set<'a>(receipt: &mut Receipt<'a>, key: Key, value: &'a [u8]) {
    match key {
        Key::Id => keep_first(&mut receipt.id, non_empty(word(value)).map(String::from_utf8_lossy)),
        Key::Submitted => keep_first(&mut receipt.submitted, ascii(value).and_then(|word| word.parse().ok())),
        Key::Delivered => keep_first(&mut receipt.delivered, ascii(value).and_then(|word| word.parse().ok())),
        Key::SubmitDate => keep_first(&mut receipt.submit_date, ascii(value).and_then(Date::parse)),
        Key::DoneDate => keep_first(&mut receipt.done_date, ascii(value).and_then(Date::parse)),
        Key::State => keep_first(&mut receipt.state, ascii(value).and_then(State::from_name)),
        Key::Error => keep_first(&mut receipt.error, non_empty(phrase(value)).map(String::from_utf8_lossy)),
        Key::Text if receipt.text.is_empty() => receipt.text = value.into(),
        Key::Text => {}
    }
}

fn keep_first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

/// The first word of a value: what follows belongs to keys that we do not know.
fn word(value: &[u8]) -> &[u8] {
    value.split(|&octet| is_separator(octet)).find(|word| !word.is_empty()).unwrap_or_default()
}

fn ascii(value: &[u8]) -> Option<&str> {
    str::from_utf8(word(value)).ok()
}

/// A value of several words, up to a later word with a colon in it: that is a key that we do not know.
fn phrase(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    let first = value.iter().position(|&octet| is_separator(octet)).unwrap_or(value.len());
    let (_, later) = value.split_at(first);
    let Some(colon) = later.iter().position(|&octet| octet == b':') else {
        return trim_end(value);
    };
    let word_start = later[..colon].iter().rposition(|&octet| is_separator(octet)).unwrap_or(0);
    trim_end(&value[..first + word_start])
}

fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., last] = value
        && is_separator(*last)
    {
        value = rest;
    }
    value
}

fn non_empty(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value)
}
