//! Which RabbitMQ it is: the first frame that a broker sends, `connection.start`, says so. lapin keeps it to itself.
//!
//! A connection is opened for that and closed again, with a limit on all of it. So whatever does not speak AMQP, or
//! stays silent, is found out before lapin gives it a thread.

use std::sync::Arc;

use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lapin::tcp::AMQPUriTcpExt as _;
use lapin::uri::AMQPUri;

use super::fault::Fault;

/// The oldest RabbitMQ that will do: quorum queues have message TTL, and dead-letter at least once, since 3.10.
pub(super) const VERSION_MIN: (u32, u32) = (3, 10);

/// What a client says first (AMQP 0-9-1, 4.2.2).
const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// The longest first frame; RabbitMQ's takes about 500 octets.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Class and method of `connection.start`, and the two octets of the protocol's version.
const START: [u8; 6] = [0, 10, 0, 10, 0, 9];

/// Connects, asks and leaves. Fails unless it is a RabbitMQ that is new enough.
pub(super) async fn check(uri: &AMQPUri) -> Result<(), Fault> {
    let runtime = lapin::runtime::default_runtime()?;
    let unreachable = |error| Fault::Unreachable(Arc::new(error));
    let mut stream = uri.connect_async(&runtime).await.map_err(unreachable)?;
    stream.write_all(HEADER).await.map_err(unreachable)?;
    stream.flush().await.map_err(unreachable)?;
    let mut head = [0; 7];
    stream.read_exact(&mut head).await.map_err(unreachable)?;
    let [1, 0, 0, size @ ..] = head else {
        return Err(Fault::NotAmqp);
    };
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > FRAME_BYTES_MAX {
        return Err(Fault::NotAmqp);
    }
    let mut payload = vec![0; size];
    stream.read_exact(&mut payload).await.map_err(unreachable)?;
    let version = version(&payload).ok_or(Fault::NotAmqp)?;
    if is_supported(&version) { Ok(()) } else { Err(Fault::TooOld(version)) }
}

/// The server property `version` of a `connection.start`.
fn version(payload: &[u8]) -> Option<String> {
    let mut rest = Reader(payload.strip_prefix(&START)?);
    let mut table = Reader(rest.long()?);
    while !table.0.is_empty() {
        let key = table.short()?;
        let [kind] = *table.take(1)? else { return None };
        let value = table.value(kind)?;
        if key == b"version" && kind == b'S' {
            return String::from_utf8(value.to_vec()).ok();
        }
    }
    None
}

/// Whether `version` (`3.10.8`, `4.1.0-rc.1`) is [`VERSION_MIN`] or newer.
fn is_supported(version: &str) -> bool {
    let mut numbers = version.split(['.', '-', '+']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= VERSION_MIN,
        _ => false,
    }
}

/// Reads AMQP's fields (4.2.5) off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    /// What one octet of length precedes.
    fn short(&mut self) -> Option<&'a [u8]> {
        let [length] = *self.take(1)? else { return None };
        self.take(length.into())
    }

    /// What four octets of length precede.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        self.take(length.try_into().ok()?)
    }

    /// A value of a table, by its kind as RabbitMQ understands them.
    fn value(&mut self, kind: u8) -> Option<&'a [u8]> {
        match kind {
            b'V' => self.take(0),
            b't' | b'b' | b'B' => self.take(1),
            b's' | b'u' | b'U' => self.take(2),
            b'I' | b'i' | b'f' => self.take(4),
            b'D' => self.take(5),
            b'L' | b'l' | b'd' | b'T' => self.take(8),
            b'S' | b'x' | b'A' | b'F' => self.long(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `connection.start` with these properties, each a key, a kind and the octets of its value.
    fn start(properties: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let mut table = Vec::new();
        for (key, kind, value) in properties {
            table.push(u8::try_from(key.len()).unwrap());
            table.extend(key.as_bytes());
            table.push(*kind);
            table.extend(*value);
        }
        let length = u32::try_from(table.len()).unwrap().to_be_bytes();
        [&START[..], &length, &table].concat()
    }

    #[test]
    fn the_version_is_found_among_other_properties() {
        let capabilities: &[u8] = b"\0\0\0\x0a\x07confirmt\x01";
        let version_is = |text: &[u8]| [&[0, 0, 0, u8::try_from(text.len()).unwrap()], text].concat();
        let rows: [(Vec<u8>, Option<&str>); 5] = [
            (start(&[("capabilities", b'F', capabilities), ("version", b'S', &version_is(b"3.10.8"))]), Some("3.10.8")),
            (start(&[("n", b'l', &[0; 8]), ("version", b'S', &version_is(b"4.1.0-rc.1"))]), Some("4.1.0-rc.1")),
            (start(&[("product", b'S', &version_is(b"RabbitMQ"))]), None),
            (start(&[("version", b'?', b"")]), None),
            (vec![0, 10, 0, 10], None),
        ];
        for (payload, expected) in rows {
            assert_eq!(version(&payload).as_deref(), expected);
        }
    }

    #[test]
    fn old_brokers_are_refused() {
        for (text, supported) in [
            ("3.7.28", false),
            ("3.8.9", false),
            ("3.9.29", false),
            ("3.10.0", true),
            ("3.13.7", true),
            ("4.0.0-beta.1", true),
            ("4.1.4", true),
            ("2", false),
            ("", false),
            ("unknown", false),
        ] {
            assert_eq!(is_supported(text), supported, "{text:?}");
        }
    }
}
