//! What must hold for any octets that a stranger sends. If we panic, we lose.
//!
//! Each function is one target; libFuzzer drives it from `fuzz_targets/`, and `cargo test -p smpp` with random and
//! with damaged octets.

use bytes::BytesMut;
use smpp::frame::HEADER_BYTES;
use smpp::receipt::id::Rule;
use smpp::text::{self, Concat, Encoding, gsm7};
use smpp::udh::Udh;
use smpp::{Body, Frame, Framer, Header, Policy, Tlvs, tlv};

/// A byte stream: the PDUs come out the same however it is cut, and never hold more than was sent.
pub fn frame(octets: &[u8]) {
    let framer = Framer::default();
    let whole = cut(framer, octets, octets.len().max(1));
    let pieces = cut(framer, octets, 7);
    assert_eq!(whole, pieces);
    let bytes: usize = whole.iter().map(Vec::len).sum();
    assert!(bytes <= octets.len());
    for octets in &whole {
        pdu(octets);
    }
}

/// The PDUs of a stream that comes in pieces of `piece_bytes`, up to the first broken length.
fn cut(framer: Framer, octets: &[u8], piece_bytes: usize) -> Vec<Vec<u8>> {
    let (mut received, mut pdus) = (BytesMut::new(), Vec::new());
    for piece in octets.chunks(piece_bytes) {
        received.extend_from_slice(piece);
        loop {
            match framer.next(&mut received) {
                Ok(Some(pdu)) => pdus.push(pdu.to_vec()),
                Ok(None) => break,
                Err(_) => return pdus,
            }
        }
    }
    pdus
}

/// One PDU: what can be read can be written, and then reads the same. What is strictly right is right leniently.
pub fn pdu(octets: &[u8]) {
    let Some(lenient) = smpp::decode(octets, Policy::Lenient) else {
        assert!(octets.len() < HEADER_BYTES);
        return;
    };
    if let Some(Frame { body: Ok(strict), .. }) = smpp::decode(octets, Policy::Strict) {
        assert_eq!(lenient.body, Ok(strict));
    }
    let Ok(body) = lenient.body else { return };
    walk(&body);
    let Header { command_status, sequence_number, .. } = lenient.header;
    let mut written = BytesMut::new();
    smpp::encode(&mut written, command_status, sequence_number, &body).expect("what was read can be written");
    let again = smpp::decode(&written, Policy::Lenient).expect("a header was written");
    assert_eq!((again.header, again.body), (lenient.header, Ok(body)));
}

/// Goes through all that is read lazily.
fn walk(body: &Body<'_>) {
    match body {
        Body::SubmitSm(sm) | Body::DeliverSm(sm) => {
            tlv(sm.tlvs.raw());
            udh(sm.text());
            receipt(sm.text());
        }
        Body::SubmitMulti(multi) => assert!(multi.destinations.iter().count() <= 255),
        Body::SubmitMultiResp(resp) => assert!(resp.unsuccessful().count() <= 255),
        Body::DataSm(data) => tlv(data.tlvs.raw()),
        _ => {}
    }
    assert!(!format!("{body:?}").is_empty());
}

/// Optional parameters: what is read can be written, and then reads the same.
pub fn tlv(octets: &[u8]) {
    let tlvs = Tlvs::new(octets);
    let mut written = BytesMut::new();
    for parameter in tlvs {
        let _width = parameter.int();
        assert!(!parameter.text().contains(&0));
        tlv::put(&mut written, parameter.tag, parameter.value).expect("what was read can be written");
        assert!(tlvs.get(parameter.tag).is_some());
    }
    assert!(octets.starts_with(&written));
    assert!(tlvs.iter().eq(Tlvs::new(&written)));
}

/// A user data header: elements can be written again, and then read the same.
pub fn udh(octets: &[u8]) {
    let Ok((udh, body)) = Udh::parse(octets) else { return };
    assert!(octets.ends_with(body));
    if let Some(concat) = udh.concat() {
        assert!(1 <= concat.part && concat.part <= concat.total);
    }
    let elements: Vec<_> = udh.elements().collect();
    let written = smpp::udh::build(&elements).expect("what was read can be written");
    let (again, rest) = Udh::parse(&written).expect("what was written can be read");
    assert_eq!((again.concat(), rest), (udh.concat(), &[][..]));
    assert!(again.elements().eq(elements));
}

/// A receipt: writing what was read and reading it again changes nothing but what was missing.
pub fn receipt(octets: &[u8]) {
    let read = smpp::receipt::parse(octets);
    let written = read.to_octets();
    let again = smpp::receipt::parse(&written);
    assert_eq!((again.id, again.text), (read.id.clone(), read.text.clone()));
    if read.state.is_some() {
        assert_eq!(again.state, read.state);
    }
    let tlvs = smpp::receipt::Tlvs { receipted_message_id: Some(octets), message_state: octets.first().copied() };
    let told = read.with_tlvs(tlvs);
    for rule in [Rule::Raw, Rule::Stripped, Rule::DecimalToHex, Rule::HexToDecimal] {
        let id = told.id.as_deref().unwrap_or_default();
        let once = rule.apply(id);
        if rule != Rule::DecimalToHex && rule != Rule::HexToDecimal {
            assert_eq!(rule.apply(&once), once);
        }
    }
}

/// Text: anything can be shown, what is shown can be sent, counted and split, and count and split agree.
pub fn text(octets: &[u8]) {
    for encoding in [Encoding::Gsm7, Encoding::Ucs2, Encoding::Latin1] {
        let shown = text::decode(octets, encoding);
        let counted = text::count(&shown);
        let sent = text::encode(&shown, counted.encoding).expect("the chosen encoding holds every character");
        assert_eq!(text::decode(&sent, counted.encoding), shown);
        for concat in [Concat::Udh8, Concat::Udh16] {
            let counted = text::count_as(&shown, counted.encoding, concat).expect("as above");
            match text::split(&shown, counted.encoding, concat) {
                Ok(parts) => assert_eq!(parts.len(), counted.segments),
                Err(error) => assert!(counted.segments > text::PARTS_MAX, "{error}"),
            }
        }
    }
    let unpacked = gsm7::unpack(octets, 0, usize::MAX);
    let packed = gsm7::pack(&unpacked, 0);
    assert_eq!(gsm7::unpack(&packed, 0, unpacked.len()), unpacked);
}
