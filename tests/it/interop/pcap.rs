//! What a relay kept, as a capture file: as if sniffed, but no rights are needed, as nothing is sniffed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use smpp::pcap::{self, Flow, From};

/// The connecting sides are told apart by their ports, from this one on.
const CLIENT_PORT_FIRST: u16 = 40_000;

/// What one side wrote, or a piece of it.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Which connection, from 0.
    pub(super) connection: u16,
    pub(super) from: From,
    /// Since the beginning of the capture.
    pub(super) at: Duration,
    pub(super) octets: Vec<u8>,
}

/// The capture file of these chunks, which stand in the order in which they were sent; the listening side has
/// [`pcap::PORT`] in it, whatever it really had.
pub(super) fn file(chunks: &[Chunk]) -> Vec<u8> {
    let mut file = pcap::file_header().to_vec();
    let mut flows = BTreeMap::new();
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for Chunk { connection, from, at: time, octets } in chunks {
        let new = || Flow::new(at(CLIENT_PORT_FIRST + connection), at(pcap::PORT));
        flows.entry(*connection).or_insert_with(new).say(&mut file, *time, *from, octets);
    }
    file
}
