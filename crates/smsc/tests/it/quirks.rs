//! Every quirk of the field that a profile can turn on, as the customer sees it.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

use std::time::{Duration, Instant};

use smpp::pdu::{Bind, ESM_UDHI, Sm};
use smpp::receipt::{self, State};
use smpp::udh::{Concat, Reference};
use smpp::{Body, CommandId, Status, Tag};
use smsc::{
    Answers, Fault, FaultKind, Format, IdForm, Nul, Outcome, Outcomes, Profile, ReceiptParts, Receipts, Refusal,
    SecondFinal, Wire,
};

use crate::client::{Client, NUMBER, message, quiet, smsc, until, with_receipts};

/// Whether something is as it should be.
type Fits = fn(&str) -> bool;

#[tokio::test]
async fn ids_take_every_form() {
    let rows: [(IdForm, Fits); 8] = [
        (IdForm::Decimal, |id| id.parse::<u64>().is_ok()),
        (IdForm::PaddedDecimal, |id| id.len() == 20 && id.starts_with('0')),
        (IdForm::Hex, |id| u64::from_str_radix(id, 16).is_ok() && id == id.to_lowercase()),
        (IdForm::UpperHex, |id| u64::from_str_radix(id, 16).is_ok() && id == id.to_uppercase()),
        (IdForm::PaddedHex, |id| id.len() == 16 && id.starts_with('0')),
        (IdForm::Uuid, |id| id.len() == 36),
        (IdForm::Cyclic, |id| id.len() == 3),
        (IdForm::Empty, str::is_empty),
    ];
    for (ids, fits) in rows {
        let smsc = smsc(quiet(|profile| profile.ids = ids)).await;
        let mut client = Client::transmitter(&smsc).await;
        let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
        assert!(fits(&id), "{ids:?}: {id}");
    }
}

#[tokio::test]
async fn text_and_tlv_may_name_the_message_differently() {
    let receipts = Receipts {
        ids: Some(IdForm::PaddedHex),
        tlv_ids: Some(IdForm::UpperHex),
        tlv_without_nul: true,
        ..Receipts::default()
    };
    let smsc = smsc(with_receipts(receipts)).await;
    let mut client = Client::transceiver(&smsc).await;
    let id: u64 = client.submit_and_wait(NUMBER, "hi").await.message_id().parse().unwrap();
    let receipt = client.receive().await;
    let sm = receipt.deliver_sm();
    let text = receipt::parse(sm.short_message).id.unwrap().into_owned();
    assert_eq!(text, format!("{id:016X}"));
    assert_eq!(sm.tlvs.get(Tag::RECEIPTED_MESSAGE_ID).unwrap().value, format!("{id:X}").as_bytes());
}

#[tokio::test]
async fn receipt_text_is_what_the_profile_says() {
    let failed = Outcomes { undelivered_per_mille: 1000, ..Outcomes::default() };
    let of = |template: &str| Receipts {
        template: Some(template.into()),
        format: Format::TextOnly,
        outcomes: failed,
        error: Some("EC_9".into()),
        ..Receipts::default()
    };
    let digits = |date_digits| Receipts { date_digits, outcomes: failed, ..Receipts::default() };
    let rows: [(Receipts, Fits); 6] = [
        (of("Id:{id} Stat:{stat} Text:"), |text| text.starts_with("Id:") && text.ends_with("Stat:UNDELIV Text:")),
        (of("err:{err} id:{id}"), |text| text.starts_with("err:EC_9 id:")),
        (digits(10), |text| date(text).len() == 10),
        (digits(12), |text| date(text).len() == 12),
        (digits(14), |text| date(text).len() == 14 && date(text).starts_with("20")),
        (Receipts { date_digits: 14, ..of("done_date:{done_date}") }, |text| text.len() == 24),
    ];
    for (receipts, fits) in rows {
        let smsc = smsc(with_receipts(receipts)).await;
        let mut client = Client::transceiver(&smsc).await;
        client.submit_and_wait(NUMBER, "hi").await;
        let receipt = client.receive().await;
        let text = String::from_utf8(receipt.deliver_sm().short_message.to_vec()).unwrap();
        assert!(fits(&text), "{text}");
    }
}

fn date(text: &str) -> &str {
    text.split_once("done date:").unwrap().1.split_once(' ').unwrap().0
}

#[tokio::test]
async fn dates_are_in_the_operators_time_zone() {
    let mut dates = Vec::new();
    for utc_offset_minutes in [-600, 0, 600] {
        let smsc = smsc(with_receipts(Receipts { utc_offset_minutes, date_digits: 14, ..Receipts::default() })).await;
        let mut client = Client::transceiver(&smsc).await;
        client.submit_and_wait(NUMBER, "hi").await;
        let receipt = client.receive().await;
        dates.push(receipt::parse(receipt.deliver_sm().short_message).done_date.unwrap());
    }
    assert!(dates.is_sorted() && dates[0].hour != dates[1].hour && dates[1].hour != dates[2].hour, "{dates:?}");
}

#[tokio::test]
async fn receipts_may_hide_what_they_are_or_come_as_data_sm() {
    let smsc = smsc(with_receipts(Receipts { esm_class: Some(0), ..Receipts::default() })).await;
    let mut client = Client::transceiver(&smsc).await;
    client.submit_and_wait(NUMBER, "hi").await;
    let hidden = client.receive().await;
    assert!(!hidden.deliver_sm().is_receipt());
    assert_eq!(receipt::parse(hidden.deliver_sm().short_message).state, Some(State::Delivered));

    let error = Some("27".into());
    let outcomes = Outcomes { undelivered_per_mille: 1000, ..Outcomes::default() };
    let receipts = Receipts { data_sm: true, network_error: true, error, outcomes, ..Receipts::default() };
    smsc.set_profile(with_receipts(receipts));
    let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
    let receipt = client.receive().await;
    let data = receipt.data_sm();
    assert_eq!(data.tlvs.receipted_message_id(), Some(id.as_bytes()));
    assert_eq!(data.tlvs.get(Tag::NETWORK_ERROR_CODE).unwrap().value, [3, 0, 27]);
    assert!(data.tlvs.message_payload().unwrap().starts_with(b"id:"));
    let until_answered = smsc.counters().deliveries_confirmed;
    client.send_as(&Body::DataSmResp(smpp::pdu::MessageResp::default()), Status::ROK, receipt.head().2).await;
    until(|| smsc.counters().deliveries_confirmed == until_answered + 1).await;
}

#[tokio::test]
async fn one_receipt_for_a_message_of_parts() {
    for (parts, reported) in
        [(ReceiptParts::Each, vec![1, 2, 3]), (ReceiptParts::First, vec![1]), (ReceiptParts::Last, vec![3])]
    {
        let smsc = smsc(with_receipts(Receipts { parts, ..Receipts::default() })).await;
        let mut transmitter = Client::transmitter(&smsc).await;
        let mut ids = Vec::new();
        for part in 1..=3 {
            let octets = Concat { reference: Reference::Bits8(9), total: 3, part }.prefix(b"text");
            let sm = Sm { esm_class: ESM_UDHI, ..message(NUMBER, &octets) };
            ids.push(transmitter.ask(&Body::SubmitSm(sm)).await.message_id());
        }
        let mut receiver = Client::receiver(&smsc).await;
        for part in reported {
            assert_eq!(receiver.receive().await.receipt().0, ids[part - 1], "{parts:?}");
        }
        assert!(receiver.is_silent().await);
    }
}

#[tokio::test]
async fn a_final_receipt_after_the_final_one() {
    let second_final = Some(SecondFinal { outcome: Outcome::Undelivered, after_ms: 50 });
    let smsc = smsc(with_receipts(Receipts { second_final, ..Receipts::default() })).await;
    let mut client = Client::transceiver(&smsc).await;
    let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
    for state in [State::Delivered, State::Undeliverable] {
        assert_eq!(client.receive().await.receipt(), (id.clone(), state));
    }
}

#[tokio::test]
async fn receipts_come_over_another_bind() {
    let smsc = smsc(with_receipts(Receipts { other_bind: true, ..Receipts::default() })).await;
    let mut first = Client::transceiver(&smsc).await;
    let id = first.submit_and_wait(NUMBER, "hi").await.message_id();
    assert!(first.is_silent().await);
    let mut second = Client::transceiver(&smsc).await;
    assert_eq!(second.receive().await.receipt().0, id);
    let id = second.submit_and_wait(NUMBER, "ho").await.message_id();
    assert_eq!(first.receive().await.receipt().0, id);
    // The receipt for a bind that has gone may come over any.
    first.submit_and_wait(NUMBER, "bye").await;
    drop((first, second));
    until(|| smsc.bound("acme") == 0).await;
    let mut third = Client::transceiver(&smsc).await;
    third.receive().await.receipt();
}

#[tokio::test]
async fn throttling_is_called_by_any_name() {
    for status in [0x58, 0x14, 0x08, 0x45, 0x401] {
        let smsc = smsc(quiet(|profile| {
            profile.submits_per_second_max = Some(1);
            profile.throttle_status = Some(status);
        }))
        .await;
        let mut client = Client::transmitter(&smsc).await;
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(client.submit_and_wait(NUMBER, "hi").await.head().1);
        }
        assert!(seen.contains(&Status(status)), "{seen:?}");
        assert_eq!(smsc.counters().throttled, smsc.counters().refused);
    }
}

#[tokio::test]
async fn answers_come_twice_or_with_numbers_that_nobody_knows() {
    let smsc = smsc(quiet(|profile| profile.answers = Answers::Twice)).await;
    let mut client = Client::transmitter(&smsc).await;
    let sent = client.submit(NUMBER, "hi").await;
    assert_eq!([client.receive().await.head().2, client.receive().await.head().2], [sent, sent]);
    smsc.set_profile(quiet(|profile| profile.answers = Answers::Stray));
    let sent = client.submit(NUMBER, "hi").await;
    assert_ne!(client.receive().await.head().2, sent);
    assert_eq!(client.receive().await.head().2, sent);
    smsc.set_profile(quiet(|profile| profile.answers = Answers::Misnumbered));
    let sent = client.submit(NUMBER, "hi").await;
    assert_ne!(client.receive().await.head().2, sent);
    assert!(client.is_silent().await);
}

#[tokio::test]
async fn pdus_are_not_quite_right() {
    let refuse_all = Refusal { status: 8, per_mille: 1000 };
    let row = |wire, refusals| {
        quiet(|profile| {
            profile.wire = wire;
            profile.refusals = refusals;
            profile.ids = IdForm::Cyclic;
        })
    };
    let nul = |id_nul| Wire { id_nul, ..Wire::default() };
    for (profile, body_bytes) in [
        (row(Wire::default(), vec![]), 4),
        (row(nul(Nul::None), vec![]), 3),
        (row(nul(Nul::Two), vec![]), 5),
        (row(Wire::default(), vec![refuse_all]), 0),
        (row(Wire { id_on_refusal: true, ..Wire::default() }, vec![refuse_all]), 4),
        (row(Wire { id_on_refusal: true, ..nul(Nul::None) }, vec![refuse_all]), 3),
        (row(Wire { body_on_header_only: true, ..Wire::default() }, vec![refuse_all]), 4),
    ] {
        let smsc = smsc(profile.clone()).await;
        let mut client = Client::transmitter(&smsc).await;
        client.submit(NUMBER, "hi").await;
        assert_eq!(client.receive().await.body().len(), body_bytes, "{profile:?}");
    }
    let smsc = smsc(row(Wire { body_on_header_only: true, ..Wire::default() }, vec![])).await;
    let mut client = Client::transmitter(&smsc).await;
    for body in [Body::EnquireLink, Body::Unbind] {
        assert!(!client.ask(&body).await.body().is_empty());
    }
}

#[tokio::test]
async fn the_version_in_the_answer_to_a_bind() {
    for (told, asked, expected) in [
        (None, 0x34, Some(0x34)),
        (None, 0x33, None),
        (Some(0x50), 0x34, Some(0x50)),
        (Some(0x50), 0x33, Some(0x50)),
        (Some(0), 0x34, None),
    ] {
        let smsc = smsc(quiet(|profile| profile.link.interface_version = told)).await;
        let mut client = Client::connect(&smsc).await;
        let bind = Bind { interface_version: asked, ..Bind::new(b"acme", b"secret") };
        let answer = client.ask(&Body::BindTransceiver(bind)).await;
        let Ok(Body::BindTransceiverResp(resp)) = answer.frame().body else { panic!("no bind_transceiver_resp") };
        assert_eq!(resp.sc_interface_version(), expected);
    }
}

#[tokio::test]
async fn links_are_ignored_or_tested_all_the_time() {
    let smsc = smsc(quiet(|profile| {
        profile.link.ignore_enquire_link = true;
        profile.link.ignore_unbind = true;
    }))
    .await;
    let mut client = Client::transceiver(&smsc).await;
    for body in [Body::EnquireLink, Body::Unbind] {
        client.send(&body).await;
        assert!(client.is_silent().await);
    }
    assert_eq!(client.submit_and_wait(NUMBER, "still there").await.head().1, Status::ROK);

    smsc.set_profile(quiet(|profile| profile.link.enquire_link_every_ms = Some(1)));
    for _ in 0..50 {
        assert_eq!(client.receive().await.head().0, CommandId::ENQUIRE_LINK);
    }
}

#[tokio::test]
async fn outbind_comes_first_and_binds_may_stay_unanswered() {
    let smsc = smsc(quiet(|profile| {
        profile.link.outbind = true;
        profile.link.ignore_bind = true;
    }))
    .await;
    let mut client = Client::connect(&smsc).await;
    assert_eq!(client.receive().await.head().0, CommandId::OUTBIND);
    client.send(&Body::BindReceiver(Bind::new(b"acme", b"secret"))).await;
    assert!(client.is_silent().await);
}

#[tokio::test]
async fn octets_trickle() {
    let smsc = smsc(quiet(|profile| profile.link.bytes_per_second_max = Some(100))).await;
    let mut client = Client::connect(&smsc).await;
    let start = Instant::now();
    client.ask(&Body::EnquireLink).await;
    client.ask(&Body::EnquireLink).await;
    // Thirty-two octets, ten milliseconds between each and the next.
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
}

async fn broken_at_once(kind: FaultKind, profile: Profile) -> (smsc::Smsc, Client) {
    let smsc = smsc(Profile { fault: Some(Fault { after_submits: 0, kind }), ..profile }).await;
    let mut client = Client::transceiver(&smsc).await;
    client.submit(NUMBER, "broken").await;
    (smsc, client)
}

#[tokio::test]
async fn half_an_answer_comes_before_the_end() {
    let (_smsc, mut client) = broken_at_once(FaultKind::Cut, quiet(|_| {})).await;
    let raw = client.raw().await;
    assert!(raw.len() < 16 && raw[3] == 32, "{raw:?}");
}

#[tokio::test]
async fn an_operator_that_never_reads_still_delivers() {
    let (smsc, mut client) = broken_at_once(FaultKind::NeverRead, quiet(|_| {})).await;
    client.send(&Body::EnquireLink).await;
    assert!(client.is_silent().await);
    smsc.deliver("acme", NUMBER, "1234", "hi").unwrap();
    assert_eq!(client.receive().await.head().0, CommandId::DELIVER_SM);
    assert_eq!(smsc.bound("acme"), 1);
}

#[tokio::test]
async fn an_operator_that_goes_says_so() {
    let (_smsc, mut client) = broken_at_once(FaultKind::Unbind, quiet(|profile| profile.latency_ms = 20)).await;
    let unbind = client.receive().await.head();
    assert_eq!(unbind.0, CommandId::UNBIND);
    assert_eq!(client.receive().await.head().0, CommandId::SUBMIT_SM_RESP);
    client.send_as(&Body::UnbindResp, Status::ROK, unbind.2).await;
    assert!(client.is_closed().await);
}
