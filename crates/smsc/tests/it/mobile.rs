//! Messages from handsets in every form that operators send them in.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

use std::collections::BTreeMap;

use smpp::pdu::ESM_UDHI;
use smpp::text::{self, Encoding, gsm7};
use smpp::udh::{Reference, Udh};
use smpp::{Body, Status, Tag};
use smsc::{Alphabet, DeliverError, Mobile, MobileError, Parts, Profile, Rule, Smsc};

use crate::client::{Client, NUMBER, message, quiet, smsc};

const LONG: &str = "Ўзбекистон Республикаси, Ўзбекистон Республикаси, Ўзбекистон Республикаси, Ўзбекистон.";

fn mobile(text: &str) -> Mobile {
    Mobile::new(NUMBER, "1234", text)
}

/// What arrived: `esm_class`, `data_coding`, user data and the SAR numbers.
struct Arrived {
    esm_class: u8,
    data_coding: u8,
    octets: Vec<u8>,
    sar: Option<(u32, u32, u32)>,
}

async fn arrive(smsc: &Smsc, client: &mut Client, mobile: &Mobile, parts: usize) -> Vec<Arrived> {
    smsc.send_mo("acme", mobile).unwrap();
    let mut arrived = Vec::new();
    for _ in 0..parts {
        let pdu = client.receive().await;
        let (esm_class, data_coding, octets, tlvs) = match pdu.frame().body.unwrap() {
            Body::DeliverSm(sm) if !mobile.data_sm => (sm.esm_class, sm.data_coding, sm.text(), sm.tlvs),
            Body::DataSm(data) if mobile.data_sm => {
                (data.esm_class, data.data_coding, data.tlvs.message_payload().unwrap(), data.tlvs)
            }
            other => panic!("not what was asked for: {other:?}"),
        };
        let sar = tlvs.int(Tag::SAR_MSG_REF_NUM).map(|reference| {
            (reference, tlvs.int(Tag::SAR_TOTAL_SEGMENTS).unwrap(), tlvs.int(Tag::SAR_SEGMENT_SEQNUM).unwrap())
        });
        arrived.push(Arrived { esm_class, data_coding, octets: octets.to_vec(), sar });
    }
    assert!(client.is_silent().await);
    arrived
}

#[tokio::test]
async fn parts_are_told_apart_in_every_way() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::receiver(&smsc).await;
    let rows = [
        (Parts::Udh8, vec![1, 2], false),
        (Parts::Udh8, vec![2, 1], true),
        (Parts::Udh16, vec![2, 1], false),
        (Parts::Udh16, vec![2], true),
        (Parts::Sar, vec![2, 1, 1], false),
    ];
    for (parts, order, ports) in rows {
        for data_sm in [false, true] {
            let reference = Some(0x0107);
            let mobile = Mobile { parts, order: order.clone(), reference, ports, data_sm, ..mobile(LONG) };
            let arrived = arrive(&smsc, &mut client, &mobile, order.len()).await;
            let mut shown = BTreeMap::new();
            for (part, arrived) in order.iter().zip(arrived) {
                let (numbers, body) = if let Some((reference, total, part)) = arrived.sar {
                    assert_eq!(arrived.esm_class, 0);
                    ((reference, total, part), arrived.octets)
                } else {
                    assert_eq!(arrived.esm_class, ESM_UDHI);
                    let (udh, body) = Udh::parse(&arrived.octets).unwrap();
                    assert_eq!(udh.elements().count(), if ports { 2 } else { 1 });
                    let concat = udh.concat().unwrap();
                    let reference = match concat.reference {
                        Reference::Bits8(low) => 0x0100 + u32::from(low),
                        Reference::Bits16(all) => u32::from(all),
                    };
                    ((reference, u32::from(concat.total), u32::from(concat.part)), body.to_vec())
                };
                assert_eq!(numbers, (0x0107, 2, u32::from(*part)), "{mobile:?}");
                shown.insert(numbers.2, text::decode(&body, Encoding::Ucs2));
            }
            if shown.len() == 2 {
                assert_eq!(shown.into_values().collect::<String>(), LONG);
            }
        }
    }
}

#[tokio::test]
async fn alphabets_and_payloads() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::receiver(&smsc).await;
    let row = |alphabet, data_coding, text: &str| Mobile { alphabet, data_coding, ..mobile(text) };
    let packed = gsm7::pack_filled(b"1234567", 0);
    let payload = Mobile { parts: Parts::Payload, ..mobile(LONG) };
    let all = text::encode(LONG, Encoding::Ucs2).unwrap();
    for (mobile, data_coding, octets) in [
        (row(None, None, "STOP"), 0, b"STOP".to_vec()),
        (row(None, None, "Ў"), 8, vec![0x04, 0x0E]),
        (row(Some(Alphabet::Latin1), None, "\u{e9}@"), 3, vec![0xE9, b'@']),
        (row(Some(Alphabet::Latin1), Some(0), "\u{e9}@"), 0, vec![0xE9, b'@']),
        (row(Some(Alphabet::Gsm7), Some(0xF0), "@_"), 0xF0, vec![0x00, 0x11]),
        (row(Some(Alphabet::Gsm7Packed), None, "1234567"), 0, packed),
        (payload, 8, all),
    ] {
        let arrived = arrive(&smsc, &mut client, &mobile, 1).await;
        assert_eq!((arrived[0].data_coding, &arrived[0].octets), (data_coding, &octets), "{mobile:?}");
        assert_eq!(arrived[0].esm_class, 0);
    }
}

#[tokio::test]
async fn packed_parts_stand_behind_their_fill_bits() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::receiver(&smsc).await;
    let text = "a".repeat(200);
    let mobile = Mobile { alphabet: Some(Alphabet::Gsm7Packed), ..mobile(&text) };
    let mut shown = String::new();
    for part in arrive(&smsc, &mut client, &mobile, 2).await {
        assert!(part.octets.len() <= 140);
        let (_, body) = Udh::parse(&part.octets).unwrap();
        shown += &gsm7::decode(&gsm7::unpack_filled(body, part.octets.len() - body.len()));
    }
    assert_eq!(shown, text);
}

#[tokio::test]
async fn a_header_may_lack_its_bit_the_bit_its_header_and_both_be_in_the_payload() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::receiver(&smsc).await;
    let announced = Mobile { esm_class: Some(ESM_UDHI), ..mobile("hi") };
    let arrived = arrive(&smsc, &mut client, &announced, 1).await;
    assert_eq!((arrived[0].esm_class, &arrived[0].octets[..]), (ESM_UDHI, &b"hi"[..]));

    smsc.send_mo("acme", &Mobile { in_payload: true, ..mobile(LONG) }).unwrap();
    for part in 1..=2 {
        let pdu = client.receive().await;
        let sm = pdu.deliver_sm();
        assert!(sm.short_message.is_empty() && sm.has_udh());
        let (udh, _) = Udh::parse(sm.tlvs.message_payload().unwrap()).unwrap();
        assert_eq!(udh.concat().unwrap().part, part);
    }
    let arrived = arrive(&smsc, &mut client, &Mobile { without_udhi: true, ..mobile(LONG) }, 2).await;
    assert!(arrived.iter().all(|part| part.esm_class == 0 && part.octets.starts_with(&[5, 0, 3])));
}

#[tokio::test]
async fn parts_come_over_the_binds_that_are_named() {
    let smsc = smsc(Profile::default()).await;
    smsc.send_mo("acme", &Mobile { binds: vec![1, 0], ..mobile(LONG) }).unwrap();
    let mut first = Client::receiver(&smsc).await;
    let part = |pdu: &crate::client::Pdu| Udh::parse(pdu.deliver_sm().short_message).unwrap().0.concat().unwrap().part;
    assert_eq!(part(&first.receive().await), 2);
    assert!(first.is_silent().await);
    let mut second = Client::transceiver(&smsc).await;
    let delivery = second.receive().await;
    assert_eq!(part(&delivery), 1);
    second.answer(&delivery, Status::ROK).await;
    assert!(first.is_silent().await && second.is_silent().await);
}

#[tokio::test]
async fn what_cannot_be_sent_is_told() {
    let smsc = smsc(Profile::default()).await;
    let check = |mobile: Mobile, expected: fn(&MobileError) -> bool| match smsc.send_mo("acme", &mobile) {
        Err(DeliverError::Mobile(error)) => assert!(expected(&error), "{error:?}"),
        other => panic!("{other:?}"),
    };
    let unencodable = |error: &MobileError| matches!(error, MobileError::Text(text::Error::Unencodable { .. }));
    check(Mobile { alphabet: Some(Alphabet::Latin1), ..mobile("Ў") }, unencodable);
    check(Mobile { order: vec![1, 2], ..mobile("hi") }, |error| {
        *error == MobileError::NoSuchPart { part: 2, total: 1 }
    });
    check(Mobile { parts: Parts::Payload, ..mobile(&"a".repeat(70_000)) }, |error| *error == MobileError::TooLong);
    assert!(matches!(smsc.send_mo("nobody", &mobile("hi")), Err(DeliverError::UnknownAccount)));
}

#[tokio::test]
async fn handsets_write_when_a_receiver_binds_and_reply_to_messages() {
    let reply = Rule { suffix: "67".into(), reply: Some("STOP".into()), ..Rule::default() };
    let smsc = smsc(quiet(|profile| {
        profile.mobile = vec![mobile("Salom")];
        profile.rules = vec![reply];
    }))
    .await;
    let mut transmitter = Client::transmitter(&smsc).await;
    assert!(transmitter.is_silent().await);
    let mut receiver = Client::receiver(&smsc).await;
    let hello = receiver.receive().await;
    assert_eq!(hello.deliver_sm().short_message, b"Salom");
    receiver.answer(&hello, Status::ROK).await;

    transmitter.ask(&Body::SubmitSm(message("998901234567", b"offer"))).await;
    let stop = receiver.receive().await;
    let sm = stop.deliver_sm();
    assert_eq!(
        (sm.short_message, sm.source.addr, sm.destination.addr),
        (&b"STOP"[..], &b"998901234567"[..], &b"Acme"[..])
    );
}
