//! What must hold for any octets that a stranger sends. If we panic, we lose.
//!
//! Each function is one target; libFuzzer drives it from `fuzz_targets/`, and `cargo test -p smpp` with random and
//! with damaged octets.

use bytes::BytesMut;
use smpp::frame::HEADER_BYTES;
use smpp::pdu::Sm;
use smpp::receipt::id::Rule;
use smpp::text::{self, Concat, Encoding, gsm7};
use smpp::udh::Udh;
use smpp::{Body, CommandId, Frame, Framer, Header, Policy, Show, Status, Tlvs, tlv};

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
    tell(&lenient);
    let Header { command_status, sequence_number, .. } = lenient.header;
    let mut written = BytesMut::new();
    smpp::encode(&mut written, command_status, sequence_number, &body).expect("what was read can be written");
    let again = smpp::decode(&written, Policy::Lenient).expect("a header was written");
    assert_eq!((again.header, again.body), (lenient.header, Ok(body)));
}

/// In words: passwords never, numbers and texts only on request, and no line that the peer wrote.
fn tell(frame: &Frame<'_>) {
    let [hidden, full] = [Show::Hidden, Show::Full].map(|show| smpp::describe(frame, show));
    for told in [&hidden, &full] {
        assert!(!told.line.contains(char::is_control));
        assert!(told.details.iter().all(|(_, value)| !value.contains(char::is_control)));
    }
    assert_eq!((hidden.details.len(), hidden.line.is_empty()), (full.details.len(), false));
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

/// User data as `esm_class` and `data_coding` announce it (the first two octets): header, alphabet, packed or not.
/// What is read of packed text fits where it came from, and packing it again loses nothing.
pub fn user_data(octets: &[u8]) {
    let &[esm_class, data_coding, ref octets @ ..] = octets else { return };
    let sm = Sm { esm_class, data_coding, short_message: octets, ..Sm::default() };
    let body = match Udh::parse(sm.text()) {
        Ok((udh, body)) if sm.has_udh() => {
            assert!(udh.concat().is_none_or(|concat| concat.part <= concat.total));
            body
        }
        _ => octets,
    };
    let header_bytes = octets.len() - body.len();
    let encoding = Encoding::from_data_coding(data_coding).unwrap_or(Encoding::Latin1);
    assert!(text::decode(body, encoding).chars().count() <= body.len());
    let septets = gsm7::unpack_filled(body, header_bytes);
    assert!(septets.len() * 7 <= body.len() * 8 && septets.iter().all(|&septet| septet < 0x80));
    let again = gsm7::unpack_filled(&gsm7::pack_filled(&septets, header_bytes), header_bytes);
    match septets.last() {
        Some(0) => assert!(septets.starts_with(&again)),
        Some(0x0D) => assert!(again.starts_with(&septets)),
        _ => assert_eq!(again, septets),
    }
    let sequence_number = 1;
    let header = Header { command_id: CommandId::DELIVER_SM, command_status: Status::ROK, sequence_number };
    tell(&Frame { header, body: Ok(Body::DeliverSm(sm)) });
}

/// A time, as customers write it, from a moment that the first octets choose: within the years that two digits can
/// tell, never before that moment when it is relative to it, and the same however much white space is around it.
pub fn time(octets: &[u8]) {
    const CENTURY: i64 = 120 * 366 * 86_400;
    let Some((moment, text)) = octets.split_first_chunk::<4>() else { return };
    let now = i64::from(u32::from_be_bytes(*moment));
    let read = smpp::time::parse(text);
    assert_eq!(smpp::time::parse(&[b" ", text, b" "].concat()), read);
    match read.ok().flatten() {
        Some(time @ smpp::time::Time::Relative(_)) => assert!((now..now + CENTURY).contains(&time.unix(now))),
        Some(time @ smpp::time::Time::Absolute { .. }) => {
            assert!((946_000_000..4_103_000_000).contains(&time.unix(now)));
        }
        None => {}
    }
}

/// A receipt template, which a customer may write: what has no problems leaves no placeholder, and all ends.
pub fn template(octets: &[u8]) {
    let Ok(template) = str::from_utf8(octets) else { return };
    let rendered = smpp::receipt::render(template, &smpp::receipt::Receipt::default());
    assert!(rendered.len() <= template.len() * 8);
    if !template.contains(['{', '}']) {
        assert!(smpp::receipt::template::problems(template).is_empty());
        assert_eq!(rendered, octets);
    }
}
