//! The fuzz targets without a fuzzer: random octets, and well-formed ones that were damaged. Bounded, on the stable
//! compiler, in every run. `fuzz/` has the same bodies for libFuzzer.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a crate of its own for the fuzzer, a module here")]
mod targets;

use bytes::BytesMut;
use proptest::prelude::*;
use smpp::pdu::{Address, Bind, ESM_RECEIPT, ESM_UDHI, MessageResp, Sm};
use smpp::tlv::{self, Tag};
use smpp::{Body, Status, Tlvs};

const RECEIPT: &[u8] =
    b"id:0aF1 sub:001 dlvrd:001 submit date:2611230905 done date:261123090501 stat:DELIVRD err:000 text:hi";
const UDH: &[u8] = &[14, 5, 4, 1, 2, 3, 4, 0, 3, 9, 2, 2, 0x24, 1, 1, b'x', b'y'];

/// Octets that each target can read.
fn well_formed() -> Vec<Vec<u8>> {
    let mut tlvs = BytesMut::new();
    tlv::put_text(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, b"0aF1").unwrap();
    tlv::put(&mut tlvs, Tag::MESSAGE_STATE, &[2]).unwrap();
    tlv::put(&mut tlvs, Tag(0x1400), &[0; 40]).unwrap();
    let addressed = Sm {
        source: Address::new(5, 0, b"Acme"),
        destination: Address::new(1, 1, b"998901234567"),
        tlvs: Tlvs::new(&tlvs),
        ..Sm::default()
    };
    let bodies = [
        Body::BindTransceiver(Bind::new(b"acme", b"secret")),
        Body::SubmitSm(Sm { esm_class: ESM_UDHI, short_message: UDH, ..addressed }),
        Body::DeliverSm(Sm { esm_class: ESM_RECEIPT, short_message: RECEIPT, ..addressed }),
        Body::SubmitSmResp(MessageResp::new(b"0aF1")),
        Body::EnquireLink,
    ];
    let mut stream = BytesMut::new();
    let mut samples = vec![
        RECEIPT.to_vec(),
        UDH.to_vec(),
        [&[ESM_UDHI, 0], UDH].concat(),
        smpp::receipt::template::STANDARD.into(),
        b"\x6B\x03\x9C\xE0261123070000004+".to_vec(),
        b"\x6B\x03\x9C\xE0990012236060000R".to_vec(),
        tlvs.to_vec(),
        "Ўзбек 😀 [€]".encode_utf16().flat_map(u16::to_be_bytes).collect(),
    ];
    for (sequence_number, body) in (1..).zip(&bodies) {
        let mut pdu = BytesMut::new();
        smpp::encode(&mut pdu, Status::ROK, sequence_number, body).unwrap();
        stream.extend_from_slice(&pdu);
        samples.push(pdu.to_vec());
    }
    samples.push(stream.to_vec());
    samples
}

/// A well-formed sample with octets replaced, removed and put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), 0u8..3, any::<u8>()), 1..6);
    (prop::sample::select(well_formed()), damage).prop_map(|(mut octets, damage)| {
        for (at, kind, octet) in damage {
            let at = at.index(octets.len() + 1);
            match kind {
                0 => octets.insert(at, octet),
                1 => drop(octets.drain(at..octets.len().min(at + 3))),
                _ => octets.iter_mut().skip(at).take(1).for_each(|old| *old = octet),
            }
        }
        octets
    })
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..600), 4 => damaged()]
}

fn run(octets: &[u8]) {
    targets::frame(octets);
    targets::pdu(octets);
    targets::tlv(octets);
    targets::udh(octets);
    targets::receipt(octets);
    targets::text(octets);
    targets::user_data(octets);
    targets::template(octets);
    targets::time(octets);
}

#[test]
fn well_formed_octets_hold() {
    for octets in well_formed() {
        run(&octets);
    }
    run(&[]);
}

/// Every sample, ended at every place: half-sent PDUs are the commonest damage.
#[test]
fn truncated_octets_hold() {
    for octets in well_formed() {
        (0..octets.len()).for_each(|end| run(&octets[..end]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_hold(octets in octets()) {
        run(&octets);
    }

    /// A header of every command in front, so that each body is read.
    #[test]
    fn any_body_holds(command in 0u32..0x110, response: bool, body in octets()) {
        let command = if response { command | 0x8000_0000 } else { command };
        let length = u32::try_from(16 + body.len()).unwrap();
        let header = [length, command, 0, 1].map(u32::to_be_bytes).concat();
        targets::frame(&[header, body].concat());
    }
}
