//! PDUs as a capture file that Wireshark and tshark open: synthetic IP and TCP around what a session said.
//!
//! Packets have no link layer (`LINKTYPE_RAW`), correct lengths and checksums, and sequence and acknowledgement numbers
//! as a real connection has them, so that a PDU in several segments is put together again. Everything is bytes out:
//! write [`file_header`] once and then what a [`Flow`] appends, in the order of time.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The port under which Wireshark looks for SMPP first. Other ports are recognised by what is said.
pub const PORT: u16 = 2775;

/// Octets of one segment; longer PDUs take several, as on a real line.
const SEGMENT_BYTES_MAX: usize = 1400;
const TCP_HEADER_BYTES: usize = 20;
const IPV4_HEADER_BYTES: usize = 20;
const PROTOCOL_TCP: u8 = 6;
const HOP_LIMIT: u8 = 64;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// The start of every capture file: microseconds, packets of any length, no link layer.
pub fn file_header() -> [u8; 24] {
    const MAGIC: u32 = 0xA1B2_C3D4;
    const LINKTYPE_RAW: u32 = 101;
    const SNAP_BYTES: u32 = 262_144;
    let mut header = [0; 24];
    let fields =
        [MAGIC.to_le_bytes(), [2, 0, 4, 0], [0; 4], [0; 4], SNAP_BYTES.to_le_bytes(), LINKTYPE_RAW.to_le_bytes()];
    for (slot, field) in header.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
        *slot = field;
    }
    header
}

/// Who sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The one who connected; with an `outbind` too.
    Client,
    /// The one who listens.
    Server,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug)]
struct End {
    addr: SocketAddr,
    /// The number of the next octet that it sends.
    next: u32,
}

/// What one packet carries.
struct Sent<'a> {
    from: From,
    flags: u8,
    payload: &'a [u8],
}

const fn bare(from: From, flags: u8) -> Sent<'static> {
    Sent { from, flags, payload: &[] }
}

/// One TCP connection as packets.
#[derive(Clone, Debug)]
pub struct Flow {
    client: End,
    server: End,
    /// Numbers the packets, as IPv4 wants it.
    packets: u16,
    /// Whether the handshake was written.
    is_open: bool,
}

impl Flow {
    /// A connection between these addresses. If only one is IPv6, the other is mapped into it.
    pub const fn new(client: SocketAddr, server: SocketAddr) -> Self {
        let (client, server) = (End { addr: client, next: 1000 }, End { addr: server, next: 2000 });
        Self { client, server, packets: 0, is_open: false }
    }

    /// Appends what one side said at this time (since 1970), after the handshake if it is the first.
    pub fn say(&mut self, out: &mut Vec<u8>, at: Duration, from: From, octets: &[u8]) {
        self.open(out, at);
        for segment in octets.chunks(SEGMENT_BYTES_MAX) {
            self.packet(out, at, &Sent { from, flags: PSH | ACK, payload: segment });
        }
    }

    /// Appends the end of the connection, which this side wants.
    pub fn close(&mut self, out: &mut Vec<u8>, at: Duration, from: From) {
        self.open(out, at);
        let other = match from {
            From::Client => From::Server,
            From::Server => From::Client,
        };
        self.packet(out, at, &bare(from, FIN | ACK));
        self.packet(out, at, &bare(other, FIN | ACK));
        self.packet(out, at, &bare(from, ACK));
    }

    fn open(&mut self, out: &mut Vec<u8>, at: Duration) {
        if !self.is_open {
            self.is_open = true;
            self.packet(out, at, &bare(From::Client, SYN));
            self.packet(out, at, &bare(From::Server, SYN | ACK));
            self.packet(out, at, &bare(From::Client, ACK));
        }
    }

    fn packet(&mut self, out: &mut Vec<u8>, at: Duration, sent: &Sent<'_>) {
        let Sent { from, flags, payload } = *sent;
        self.packets = self.packets.wrapping_add(1);
        let (sender, receiver) = match from {
            From::Client => (&mut self.client, &self.server),
            From::Server => (&mut self.server, &self.client),
        };
        let ends = Ends::new(sender.addr, receiver.addr);
        let acknowledged = if flags & ACK == 0 { 0 } else { receiver.next };
        let tcp = tcp(&ends, [sender.next, acknowledged], flags, payload);
        // Beginning and end count like an octet each.
        let phantom = u32::from(flags & (SYN | FIN) != 0);
        let octets = u32::try_from(payload.len()).unwrap_or(u32::MAX).wrapping_add(phantom);
        sender.next = sender.next.wrapping_add(octets);
        let ip = ip_header(&ends, self.packets, tcp.len());
        let length = u32::try_from(ip.len() + tcp.len()).unwrap_or(u32::MAX).to_le_bytes();
        let seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX).to_le_bytes();
        for field in [seconds, at.subsec_micros().to_le_bytes(), length, length] {
            out.extend_from_slice(&field);
        }
        out.extend_from_slice(&ip);
        out.extend_from_slice(&tcp);
    }
}

/// Addresses of one family, and ports.
struct Ends {
    addresses: Addresses,
    ports: [u16; 2],
}

enum Addresses {
    V4([[u8; 4]; 2]),
    V6([[u8; 16]; 2]),
}

impl Ends {
    fn new(sender: SocketAddr, receiver: SocketAddr) -> Self {
        let ports = [sender.port(), receiver.port()];
        let addresses = match (sender.ip(), receiver.ip()) {
            (IpAddr::V4(sender), IpAddr::V4(receiver)) => Addresses::V4([sender.octets(), receiver.octets()]),
            (sender, receiver) => Addresses::V6([mapped(sender).octets(), mapped(receiver).octets()]),
        };
        Self { addresses, ports }
    }

    /// What the TCP checksum covers besides the segment (RFC 9293, 3.1; RFC 8200, 8.1).
    fn pseudo_header(&self, tcp_bytes: u16) -> Vec<u8> {
        let [high, low] = tcp_bytes.to_be_bytes();
        match &self.addresses {
            Addresses::V4(addresses) => [addresses.as_flattened(), &[0, PROTOCOL_TCP, high, low]].concat(),
            Addresses::V6(addresses) => {
                [addresses.as_flattened(), &[0, 0, high, low], &[0, 0, 0, PROTOCOL_TCP]].concat()
            }
        }
    }
}

const fn mapped(addr: IpAddr) -> Ipv6Addr {
    match addr {
        IpAddr::V4(addr) => addr.to_ipv6_mapped(),
        IpAddr::V6(addr) => addr,
    }
}

/// A segment: header and payload.
fn tcp(ends: &Ends, numbers: [u32; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    const WORDS: u8 = 5 << 4;
    const CHECKSUM_AT: usize = 16;
    let mut segment = Vec::with_capacity(TCP_HEADER_BYTES + payload.len());
    segment.extend(ends.ports.iter().flat_map(|port| port.to_be_bytes()));
    segment.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    segment.extend([WORDS, flags, 0xFF, 0xFF]);
    // Checksum and urgent pointer.
    segment.extend([0; 4]);
    segment.extend_from_slice(payload);
    let length = u16::try_from(segment.len()).unwrap_or(u16::MAX);
    let checksum = checksum(&[&ends.pseudo_header(length), &segment]);
    put(&mut segment, CHECKSUM_AT, checksum);
    segment
}

fn ip_header(ends: &Ends, id: u16, tcp_bytes: usize) -> Vec<u8> {
    const CHECKSUM_AT: usize = 10;
    let length = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes();
    match &ends.addresses {
        Addresses::V4(addresses) => {
            let [high, low] = length(IPV4_HEADER_BYTES + tcp_bytes);
            let [id_high, id_low] = id.to_be_bytes();
            let fixed = [0x45, 0, high, low, id_high, id_low, 0x40, 0, HOP_LIMIT, PROTOCOL_TCP, 0, 0];
            let mut header = [&fixed, addresses.as_flattened()].concat();
            let checksum = checksum(&[&header]);
            put(&mut header, CHECKSUM_AT, checksum);
            header
        }
        Addresses::V6(addresses) => {
            let [high, low] = length(tcp_bytes);
            [&[0x60, 0, 0, 0, high, low, PROTOCOL_TCP, HOP_LIMIT], addresses.as_flattened()].concat()
        }
    }
}

fn put(octets: &mut [u8], at: usize, value: u16) {
    if let Some(slot) = octets.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<2>()) {
        *slot = value.to_be_bytes();
    }
}

/// The Internet checksum (RFC 1071) over parts; all but the last have an even number of octets.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        let (pairs, rest) = part.as_chunks::<2>();
        sum += pairs.iter().map(|&pair| u64::from(u16::from_be_bytes(pair))).sum::<u64>();
        sum += rest.first().map_or(0, |&octet| u64::from(octet) << 8);
    }
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    // At most sixteen bits by now.
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
