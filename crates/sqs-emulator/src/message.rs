//! A message, and what makes one legal.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// The longest group and attribute name.
const GROUP_BYTES_MAX: usize = 128;

/// The most attributes of a message.
const ATTRIBUTES_MAX: usize = 10;

/// A message attribute. Those of the type Binary are not known here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    #[serde(default)]
    pub(crate) string_value: Option<String>,
}

pub(crate) type Attributes = BTreeMap<String, Attribute>;

/// What somebody sent.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) body: String,
    pub(crate) body_md5: String,
    pub(crate) attributes: Attributes,
    pub(crate) attributes_md5: Option<String>,
    pub(crate) group: Option<String>,
}

/// A message in a queue. It keeps its id and its count where SQS moves it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) content: Arc<Content>,
    pub(crate) sent_ms: u64,
    pub(crate) first_received_ms: Option<u64>,
    pub(crate) received: u32,
    /// The number of the newest receipt; only its handle is good.
    pub(crate) receipt: u64,
}

impl Content {
    /// Checks what was sent, as `SendMessage` does.
    pub(crate) fn checked(body: String, attributes: Attributes, group: Option<String>) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Err(Refusal::new("MissingParameter", "The request must contain the parameter MessageBody."));
        }
        let values = attributes.values().filter_map(|attribute| attribute.string_value.as_deref());
        if !std::iter::once(body.as_str()).chain(values).all(is_legal) {
            return Err(Refusal::new("InvalidMessageContents", "Invalid characters found."));
        }
        let is_odd = |one: &Attribute| one.string_value.as_deref().is_none_or(str::is_empty);
        if attributes.len() > ATTRIBUTES_MAX || attributes.values().any(is_odd) {
            return Err(Refusal::bad_value("A message has at most 10 attributes, and each has a text."));
        }
        let is_group = |group: &String| (1..=GROUP_BYTES_MAX).contains(&group.len());
        if !group.as_ref().is_none_or(is_group) {
            return Err(Refusal::bad_value("MessageGroupId has 1 to 128 characters."));
        }
        let body_md5 = hex(&Md5::digest(body.as_bytes()));
        let attributes_md5 = (!attributes.is_empty()).then(|| attributes_md5(&attributes));
        Ok(Self { body, body_md5, attributes, attributes_md5, group })
    }

    /// What counts against the limits of queues and requests.
    pub(crate) fn bytes(&self) -> usize {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, one)| name.len() + one.data_type.len() + one.string_value.as_ref().map_or(0, String::len));
        self.body.len() + attributes.sum::<usize>()
    }
}

/// An id as SQS writes it.
pub(crate) fn message_id(id: u64) -> String {
    format!("00000000-0000-4000-8000-{id:012x}")
}

/// The characters of XML 1.0.
fn is_legal(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'\x7f');
    text.bytes().all(is_plain)
        || text
            .chars()
            .all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
}

/// By name: name, type and value, each with its length before it ("Calculating the MD5 message digest for message
/// attributes" in the developer guide).
fn attributes_md5(attributes: &Attributes) -> String {
    let mut digest = Md5::new();
    let mut part = |text: &str, kind: &[u8]| {
        digest.update(kind);
        digest.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(text.as_bytes());
    };
    for (name, attribute) in attributes {
        part(name, &[]);
        part(&attribute.data_type, &[]);
        part(attribute.string_value.as_deref().unwrap_or_default(), &[1]);
    }
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_checked() {
        let rows = [
            ("x", Ok("9dd4e461268c8034f5c8564e155c67a6")),
            ("", Err("MissingParameter")),
            ("\0", Err("InvalidMessageContents")),
            ("\u{ffff}", Err("InvalidMessageContents")),
        ];
        for (body, expected) in rows {
            let checked = Content::checked(body.to_owned(), Attributes::new(), None);
            let told =
                checked.as_ref().map(|content| content.body_md5.as_str()).map_err(|refusal| refusal.code.as_str());
            assert_eq!(told, expected, "{body:?}");
        }
    }
}
