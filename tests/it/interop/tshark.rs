//! Wireshark's SMPP dissector as a judge that knows nothing of our code.

use std::collections::BTreeMap;
use std::process::Command;

use smpp::pcap::{From, PORT};
use smpp::{CommandId, Framer, Policy};

use super::pcap::{self, Chunk};
use super::tools;

/// How the notes begin that it makes of every connection.
const HANDSHAKE: &str = "Connection establish";

/// What the dissector made of a capture.
#[derive(Debug)]
pub(super) struct Verdict {
    /// How many PDUs of each command it saw.
    pub(super) seen: BTreeMap<String, usize>,
    /// What it found wrong, one line for each packet: its number and the reasons.
    pub(super) complaints: Vec<String>,
}

/// Judges the octets of `chunks`.
pub(super) fn judge(chunks: &[Chunk]) -> Verdict {
    let dir = testkit::temp_dir();
    let file = dir.path().join("capture.pcap");
    std::fs::write(&file, pcap::file(chunks)).unwrap();
    let mut tshark = Command::new(tools::system("tshark"));
    tshark.env("HOME", dir.path()).env("LC_ALL", "C").arg("-r").arg(&file);
    tshark.args(["-n", "-d", &format!("tcp.port=={PORT},smpp"), "-T", "fields", "-E", "separator=;"]);
    // Names a packet's PDUs, and everything that any dissector noted about it: "malformed" is one such note.
    for field in ["frame.number", "smpp.command_id", "_ws.malformed", "_ws.expert.message"] {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "tshark: {errors}");
    let mut verdict = Verdict { seen: BTreeMap::new(), complaints: Vec::new() };
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut fields = line.split(';');
        let number = fields.next().unwrap_or_default();
        for id in fields.next().unwrap_or_default().split(',').filter(|id| !id.is_empty()) {
            let id = u32::from_str_radix(id.trim_start_matches("0x"), 16).unwrap();
            *verdict.seen.entry(CommandId(id).name().to_owned()).or_default() += 1;
        }
        let notes = fields.filter(|note| !note.is_empty() && !note.starts_with(HANDSHAKE));
        let notes: Vec<&str> = notes.collect();
        if !notes.is_empty() {
            verdict.complaints.push(format!("packet {number}: {}", notes.join("; ")));
        }
    }
    verdict
}

/// Fails unless the dissector finds nothing wrong, and sees the very PDUs that our own framer sees. Answers how many
/// of each command there were.
pub(super) fn assert_well_formed(chunks: &[Chunk]) -> BTreeMap<String, usize> {
    let verdict = judge(chunks);
    assert_eq!(verdict.complaints, Vec::<String>::new(), "the dissector complains");
    assert_eq!(verdict.seen, counted(chunks), "the dissector sees other PDUs than our framer");
    verdict.seen
}

/// The same count by our own code.
fn counted(chunks: &[Chunk]) -> BTreeMap<String, usize> {
    let mut streams: BTreeMap<_, Vec<u8>> = BTreeMap::new();
    for chunk in chunks {
        streams.entry((chunk.connection, chunk.from == From::Client)).or_default().extend(&chunk.octets);
    }
    let mut counted = BTreeMap::new();
    let framer = Framer::new(smpp::frame::PDU_BYTES_MAX);
    for stream in streams.values() {
        let mut rest = stream.as_slice();
        while let Some(length) = framer.peek(rest).unwrap() {
            let (pdu, behind) = rest.split_at(length);
            let header = smpp::decode(pdu, Policy::Lenient).unwrap().header;
            *counted.entry(header.command_id.name().to_owned()).or_default() += 1;
            rest = behind;
        }
        assert!(rest.is_empty(), "{} octets of no whole PDU at the end of a stream", rest.len());
    }
    counted
}
