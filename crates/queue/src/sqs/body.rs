//! Bodies as SQS takes them: text that is legal in XML and not empty. What is not travels in base64 and says so in
//! an attribute, so that any bytes come out as they went in.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::Out;

/// Attributes of messages.
pub(super) const ENCODING: &str = "encoding";
pub(super) const DUE: &str = "due";
pub(super) const WHY: &str = "why";
pub(super) const RECEIVED: &str = "received";
pub(super) const ENQUEUED_AT: &str = "enqueued_at";
pub(super) const PARKED_AT: &str = "parked_at";
pub(super) const ORIGINAL_ID: &str = "original_id";

/// The value of [`ENCODING`] for what is not legal text.
pub(super) const BASE64: &str = "base64";

/// The value of [`ENCODING`] for no bytes at all, which SQS does not take; what stands in their place means nothing.
pub(super) const EMPTY: &str = "empty";

/// The longest delay that SQS knows (`DelaySeconds`).
const DELAY_SECONDS_MAX: u64 = 900;

/// The longest reason that goes with a parked message, in characters; what is longer is cut.
const WHY_CHARS_MAX: usize = 1_000;

/// The longest `MessageGroupId`.
const GROUP_BYTES_MAX: usize = 128;

/// A message as it goes to SQS.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) text: String,
    /// Name and value; all are of the type String.
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) delay_s: i32,
    pub(super) group: Option<String>,
}

impl Entry {
    /// A body that may be received at once.
    pub(super) fn of(body: &Bytes) -> Self {
        match std::str::from_utf8(body) {
            Ok("") => Self::plain("-".to_owned(), vec![(ENCODING, EMPTY.to_owned())]),
            Ok(text) if is_legal(text) => Self::plain(text.to_owned(), Vec::new()),
            _ => Self::plain(STANDARD.encode(body), vec![(ENCODING, BASE64.to_owned())]),
        }
    }

    fn plain(text: String, attributes: Vec<(&'static str, String)>) -> Self {
        Self { text, attributes, delay_s: 0, group: None }
    }

    /// A message to send. Delays beyond what SQS knows go on as an attribute: who receives the message before it is
    /// due hides it again.
    pub(super) fn of_out(out: &Out, now: DateTime<Utc>) -> Self {
        let mut entry = Self::of(&out.body);
        let delay_s = seconds_up(out.delay);
        if delay_s > DELAY_SECONDS_MAX {
            let due = now + chrono::Duration::from_std(out.delay).unwrap_or(chrono::Duration::MAX);
            entry.attributes.push((DUE, due.timestamp_millis().to_string()));
        }
        entry.delay_s = i32::try_from(delay_s.min(DELAY_SECONDS_MAX)).unwrap_or(0);
        entry.group = out.group.clone().filter(|group| is_group(group));
        entry
    }

    /// What SQS counts against its limits.
    pub(super) fn bytes(&self) -> usize {
        let type_bytes = "String".len();
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + value.len() + type_bytes);
        self.text.len() + attributes.sum::<usize>()
    }
}

/// The body of a message that came with this text and this encoding. Text that is not what it claims to be is handed
/// on as it is: it cannot be read, and that is the business of who handles it.
pub(super) fn decode(text: String, encoding: Option<&str>) -> Bytes {
    match encoding {
        Some(EMPTY) => Bytes::new(),
        Some(BASE64) => STANDARD.decode(&text).map_or_else(|_| Bytes::from(text), Bytes::from),
        _ => Bytes::from(text),
    }
}

/// A reason as an attribute: legal, not empty, not too long.
pub(super) fn reason(why: &str) -> String {
    let legal = why.chars().map(|c| if is_legal_char(c) { c } else { char::REPLACEMENT_CHARACTER });
    let cut: String = legal.take(WHY_CHARS_MAX).collect();
    if cut.is_empty() { "no reason given".to_owned() } else { cut }
}

/// Whole seconds, rounded up, as SQS knows no others: nothing comes too early.
pub(super) fn seconds_up(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// Whether SQS takes a text as it is.
fn is_legal(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_legal_char)
}

/// What `SendMessage` allows: the characters of XML 1.0.
fn is_legal_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether a text may be a `MessageGroupId`; a group is a hint, so another is left out.
fn is_group(group: &str) -> bool {
    (1..=GROUP_BYTES_MAX).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_comes_out_as_it_went_in() {
        let rows: [(&[u8], bool); 8] = [
            (b"{\"v\":1}", false),
            ("ўзбекча 🚀\r\n\t".as_bytes(), false),
            (b"", true),
            (b"\0", true),
            (b"\x1b[0m", true),
            ("\u{fffe}".as_bytes(), true),
            (b"\xff\xfe", true),
            (b"YQ==", false),
        ];
        for (body, is_encoded) in rows {
            let entry = Entry::of(&Bytes::from_static(body));
            assert_eq!(!entry.attributes.is_empty(), is_encoded, "{body:?}");
            let encoding = entry.attributes.first().map(|(_, value)| value.as_str());
            assert_eq!(decode(entry.text.clone(), encoding), body);
        }
        assert_eq!(decode("not base64!".to_owned(), Some(BASE64)), "not base64!");
    }

    #[test]
    fn delays_are_composed() {
        let now = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
        let rows = [
            (Duration::ZERO, 0, None),
            (Duration::from_millis(1), 1, None),
            (Duration::from_mins(15), 900, None),
            (Duration::from_hours(1), 900, Some("1700003600000")),
        ];
        for (delay, delay_s, due) in rows {
            let entry = Entry::of_out(&Out::after(delay, "x"), now);
            assert_eq!(entry.delay_s, delay_s, "{delay:?}");
            assert_eq!(entry.attributes.first().map(|(_, value)| value.as_str()), due, "{delay:?}");
        }
    }

    #[test]
    fn reasons_are_legal() {
        assert_eq!(reason("a\0b"), "a\u{fffd}b");
        assert_eq!(reason(""), "no reason given");
        assert_eq!(reason(&"ü".repeat(2_000)).chars().count(), WHY_CHARS_MAX);
    }
}
