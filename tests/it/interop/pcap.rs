//! TCP streams as a capture file, as if sniffed: every chunk gets IP and TCP headers that fit together, so that a
//! dissector can put PDUs together again. No rights are needed, as nothing is sniffed.

use std::time::Duration;

/// The port of the listening side in the file, whatever it really was.
pub(super) const SERVER_PORT: u16 = 2775;
/// The connecting sides are told apart by their ports, from this one on.
const CLIENT_PORT_FIRST: u16 = 40_000;
/// Octets of a chunk in one packet: what fits an IP packet beside its headers.
const CHUNK_BYTES_MAX: usize = 60_000;
/// Magic number of microsecond captures, major and minor version.
const MAGIC: (u32, u16, u16) = (0xA1B2_C3D4, 2, 4);
/// Packets begin with their IP header (`LINKTYPE_RAW`).
const LINKTYPE_RAW: u32 = 101;
const IP_AND_TCP_BYTES: usize = 40;

/// Who sent a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Side {
    /// Who connected.
    Client,
    /// Who listens.
    Server,
}

/// What one side wrote, or a piece of it.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Which connection, from 0.
    pub(super) connection: u16,
    pub(super) from: Side,
    /// Since the beginning of the capture.
    pub(super) at: Duration,
    pub(super) octets: Vec<u8>,
}

/// The capture file of these chunks, which stand in the order in which they were sent.
pub(super) fn file(chunks: &[Chunk]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(MAGIC.0.to_be_bytes());
    file.extend(MAGIC.1.to_be_bytes());
    file.extend(MAGIC.2.to_be_bytes());
    for field in [0, 0, u32::from(u16::MAX), LINKTYPE_RAW] {
        file.extend(u32::to_be_bytes(field));
    }
    let mut sent = std::collections::HashMap::new();
    for chunk in chunks {
        for octets in chunk.octets.chunks(CHUNK_BYTES_MAX) {
            let next = |side| sent.get(&(chunk.connection, side)).copied().unwrap_or(1_u32);
            let (own, other) = match chunk.from {
                Side::Client => (next(Side::Client), next(Side::Server)),
                Side::Server => (next(Side::Server), next(Side::Client)),
            };
            let length = u32::try_from(octets.len()).unwrap();
            sent.insert((chunk.connection, chunk.from), own.wrapping_add(length));
            packet(&mut file, chunk, octets, (own, other));
        }
    }
    file
}

/// One record: the time, the lengths, an IPv4 header, a TCP header, the octets. Checksums are left 0: "not known".
fn packet(file: &mut Vec<u8>, chunk: &Chunk, octets: &[u8], (sequence, acknowledged): (u32, u32)) {
    let total = IP_AND_TCP_BYTES + octets.len();
    let length = u32::try_from(total).unwrap();
    for field in [u32::try_from(chunk.at.as_secs()).unwrap(), chunk.at.subsec_micros(), length, length] {
        file.extend(field.to_be_bytes());
    }
    let client = (CLIENT_PORT_FIRST + chunk.connection, [127, 0, 0, 2]);
    let server = (SERVER_PORT, [127, 0, 0, 1]);
    let (source, destination) = match chunk.from {
        Side::Client => (client, server),
        Side::Server => (server, client),
    };
    file.extend([0x45, 0]);
    file.extend(u16::try_from(total).unwrap().to_be_bytes());
    // Identification, "don't fragment", time to live, TCP, checksum.
    file.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    file.extend(source.1);
    file.extend(destination.1);
    file.extend(source.0.to_be_bytes());
    file.extend(destination.0.to_be_bytes());
    file.extend(sequence.to_be_bytes());
    file.extend(acknowledged.to_be_bytes());
    // Five words of header, PSH and ACK, a full window, checksum, no urgent data.
    file.extend([0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
    file.extend(octets);
}
