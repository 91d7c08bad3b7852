//! The quirks of the field, each by its number in the list of requirements: what an operator does, the setting that
//! answers it, and that every message and every receipt comes to its end all the same.

use std::collections::HashSet;

use contract::profile::Receipts as Read;
use contract::profile::{
    Addresses, Coding, Errors, IdRule, Long, Plan, Profile as Ours, Session, StatusMeaning, Validity,
};
use contract::{Alphabet, BindType, OutcomeClass, PartOf, ReceiptState};
use smsc::{Answers, Format, IdForm, Link, Mobile, Nul, Profile, ReceiptParts, Receipts, Refusal, SecondFinal, Wire};

use crate::rig::{Rig, config, message, messages, operator, until};

fn receipts(receipts: Receipts) -> Profile {
    Profile { receipts, ..Profile::default() }
}

fn read(receipts: Read) -> Ours {
    Ours { receipts, ..Ours::default() }
}

fn ids(rule: IdRule) -> Ours {
    read(Read { ids: rule, ..Read::default() })
}

/// An operator that behaves as `theirs` is spoken to as `ours`: all messages are taken, long ones too, and each id
/// that was told has its final receipt.
async fn every_receipt_finds_its_message(quirk: &str, theirs: Profile, ours: Ours) {
    let (smsc, mut settings) = operator(theirs).await;
    *settings.profile = ours;
    let rig = Rig::start(config(), &[&settings]).await;
    let mut sent = messages(8);
    sent.push(message("998907777777", &"long ".repeat(70)));
    rig.submit(&settings, &sent).await;
    let outcomes = rig.wait_for_outcomes(sent.len()).await;
    assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Accepted), "{quirk}");
    let told: HashSet<String> =
        outcomes.iter().flat_map(|o| &o.segments).filter_map(|s| s.smpp_message_id.clone()).collect();
    let finals = || {
        let delivered = rig.receipts().into_iter().filter(|r| r.state == ReceiptState::Delivered);
        delivered.map(|r| r.smpp_message_id).collect::<HashSet<_>>()
    };
    until(quirk, || told.is_subset(&finals())).await;
    assert!(!told.is_empty() && finals().is_subset(&told), "{quirk}: a receipt of nothing");
    assert!(rig.inbound().is_empty(), "{quirk}: a receipt was taken for a message");
    assert_eq!(smsc.repeats().repeated, 0, "{quirk}");
    rig.wait_until_settled(&settings).await;
    rig.stop().await;
}

#[tokio::test]
async fn ids_in_receipts() {
    let form = |ids, receipt| Profile {
        ids,
        receipts: Receipts { ids: Some(receipt), ..Receipts::default() },
        ..Profile::default()
    };
    for (quirk, theirs, ours) in [
        ("1: hexadecimal in the receipt", form(IdForm::Decimal, IdForm::Hex), ids(IdRule::ReceiptHex)),
        ("1: and padded", form(IdForm::PaddedDecimal, IdForm::PaddedHex), ids(IdRule::ReceiptHex)),
        ("1: decimal in the receipt", form(IdForm::UpperHex, IdForm::Decimal), ids(IdRule::ReceiptDecimal)),
        ("2: zeros lost", form(IdForm::PaddedDecimal, IdForm::Decimal), ids(IdRule::Stripped)),
        ("2: zeros won", form(IdForm::Decimal, IdForm::PaddedDecimal), ids(IdRule::Stripped)),
        ("3: no number", form(IdForm::Uuid, IdForm::Uuid), ids(IdRule::Raw)),
        ("3: no number, stripped", form(IdForm::Uuid, IdForm::Uuid), ids(IdRule::Stripped)),
        ("3: other case", form(IdForm::Hex, IdForm::UpperHex), ids(IdRule::Stripped)),
        ("7: ids come again", form(IdForm::Repeated, IdForm::Repeated), ids(IdRule::Raw)),
        ("7: ids come again after a thousand", form(IdForm::Cyclic, IdForm::Cyclic), ids(IdRule::Raw)),
    ] {
        every_receipt_finds_its_message(quirk, theirs, ours).await;
    }
}

#[tokio::test]
async fn when_and_how_receipts_come() {
    let usual = Receipts::default;
    let hidden = || Receipts { esm_class: Some(0), format: Format::TextOnly, ..usual() };
    let pair = Session { pairs: true, ..Session::default() };
    for (quirk, theirs, ours) in [
        ("4: before the answer", receipts(Receipts { before_answer: true, ..usual() }), Ours::default()),
        ("5: over another bind", receipts(Receipts { other_bind: true, ..usual() }), Ours::default()),
        (
            "8: one for all parts",
            receipts(Receipts { parts: ReceiptParts::First, ..usual() }),
            read(Read { one_for_all_parts: true, ..Read::default() }),
        ),
        ("9: intermediate first", receipts(Receipts { intermediate: true, ..usual() }), Ours::default()),
        ("9: twice", receipts(Receipts { copies: 2, ..usual() }), Ours::default()),
        (
            "9: final after final",
            receipts(Receipts { second_final: Some(SecondFinal::default()), ..usual() }),
            Ours::default(),
        ),
        ("10: pairs", Profile::default(), Ours { session: pair, ..Ours::default() }),
        (
            "14: no NUL",
            Profile { wire: Wire { id_nul: Nul::None, ..Wire::default() }, ..Profile::default() },
            Ours::default(),
        ),
        (
            "14: two NULs",
            Profile { wire: Wire { id_nul: Nul::Two, ..Wire::default() }, ..Profile::default() },
            Ours::default(),
        ),
        ("14: parameter without NUL", receipts(Receipts { tlv_without_nul: true, ..usual() }), Ours::default()),
        (
            "16: bodies where none belong",
            Profile { wire: Wire { body_on_header_only: true, ..Wire::default() }, ..Profile::default() },
            Ours::default(),
        ),
        ("17: text in message_payload, as data_sm", receipts(Receipts { data_sm: true, ..usual() }), Ours::default()),
        (
            "D.5: without the bits of esm_class",
            receipts(hidden()),
            read(Read { without_esm_class: true, ..Read::default() }),
        ),
        (
            "D.5: without the bits and with parameters",
            receipts(Receipts { esm_class: Some(0), ..usual() }),
            Ours::default(),
        ),
        (
            "19: enquire_link flood",
            Profile { link: Link { enquire_link_every_ms: Some(1), ..Link::default() }, ..Profile::default() },
            Ours::default(),
        ),
        (
            "19: outbind",
            Profile { link: Link { outbind: true, ..Link::default() }, ..Profile::default() },
            Ours::default(),
        ),
    ] {
        every_receipt_finds_its_message(quirk, theirs, ours).await;
    }
}

#[tokio::test]
async fn an_empty_id_is_an_accepted_message_without_one() {
    let (_smsc, settings) = operator(Profile { ids: IdForm::Empty, ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.submit(&settings, &messages(5)).await;
    for outcome in rig.wait_for_outcomes(5).await {
        let id = outcome.segments[0].smpp_message_id.clone();
        assert_eq!((outcome.class, id), (OutcomeClass::Accepted, None), "6");
    }
    rig.stop().await;
}

#[tokio::test]
async fn throttling_by_any_status_slows_and_refuses_nothing() {
    for (status, key) in [(0x08, "0x08"), (0x14, "20"), (0x45, "0x45"), (0x402, "0x402")] {
        let refusals = vec![Refusal { status, per_mille: 200 }];
        let wire = Wire { id_on_refusal: true, ..Wire::default() };
        let (smsc, mut settings) = operator(Profile { refusals, wire, ..Profile::default() }).await;
        let statuses = [(key.to_owned(), StatusMeaning::Throttled)].into();
        settings.profile.errors = Errors { statuses, ..Errors::default() };
        let rig = Rig::start(config(), &[&settings]).await;
        rig.submit(&settings, &messages(60)).await;
        let outcomes = rig.wait_for_outcomes(60).await;
        assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Accepted), "21: {status:#x}");
        assert!(smsc.counters().refused > 0, "21: {status:#x}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn octets_are_those_of_the_profile() {
    let default =
        |default_alphabet| Ours { coding: Coding { default_alphabet, ..Coding::default() }, ..Ours::default() };
    let plan = Some(Plan { ton: 0, npi: 1 });
    let addresses = Addresses { alphanumeric: plan, destination_prefix: "00".to_owned(), ..Addresses::default() };
    for (quirk, ours, data_coding, octets) in [
        ("11: GSM 7-bit", default(Alphabet::Gsm7), 0, b"\x00\x02\x11".as_slice()),
        ("11: Latin-1", default(Alphabet::Latin1), 0, b"@$_"),
        ("12: packed", default(Alphabet::Gsm7Packed), 0, b"\x00\x41\x04"),
        ("13: other addresses", Ours { addresses, ..Ours::default() }, 0, b"\x00\x02\x11"),
        (
            "22: local time",
            Ours { validity: Validity::Absolute { zone_minutes: 300 }, ..Ours::default() },
            0,
            b"\x00\x02\x11",
        ),
    ] {
        let (smsc, mut settings) = operator(Profile::default()).await;
        let prefix = ours.addresses.destination_prefix.clone();
        *settings.profile = ours;
        let rig = Rig::start(config(), &[&settings]).await;
        rig.submit(&settings, &[message("998901234567", "@$_")]).await;
        let outcomes = rig.wait_for_outcomes(1).await;
        assert_eq!(outcomes[0].class, OutcomeClass::Accepted, "{quirk}");
        let taken = &smsc.log()[0];
        assert_eq!((taken.data_coding, &*taken.body), (data_coding, octets), "{quirk}");
        assert_eq!(&*taken.destination, format!("{prefix}998901234567").as_bytes(), "{quirk}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn long_messages_in_every_form() {
    let text = "form ".repeat(70);
    for (long, pdus, shown) in [(Long::Udh8, 3, 1), (Long::Udh16, 3, 1), (Long::Sar, 3, 1), (Long::Payload, 1, 1)] {
        let (smsc, mut settings) = operator(Profile::default()).await;
        settings.profile.long = long;
        let rig = Rig::start(config(), &[&settings]).await;
        rig.submit(&settings, &[message("998901234567", &text)]).await;
        let outcome = &rig.wait_for_outcomes(1).await[0];
        assert_eq!((outcome.class, outcome.segments.len()), (OutcomeClass::Accepted, 3), "{long:?}");
        assert_eq!((smsc.counters().submits, smsc.shown("998901234567").len()), (pdus, shown), "{long:?}");
        assert_eq!(smsc.shown("998901234567")[0].text, text, "{long:?}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn messages_from_handsets() {
    use smsc::{Alphabet as MobileAlphabet, Parts as MobileParts};
    let long = "hello ".repeat(40);
    let latin1 = Coding { default_alphabet: Alphabet::Latin1, ..Coding::default() };
    let mobile = |text: &str| Mobile::new("998901112233", "1234", text);
    for (quirk, coding, mobile, alphabet, parts) in [
        ("one part", Coding::default(), mobile("STOP"), Alphabet::Gsm7, vec![]),
        ("Unicode", Coding::default(), mobile("\u{421}\u{422}\u{41e}\u{41f}"), Alphabet::Ucs2, vec![]),
        (
            "11: Latin-1 under 0",
            latin1,
            Mobile { alphabet: Some(MobileAlphabet::Latin1), data_coding: Some(0), ..mobile("\u{e9}") },
            Alphabet::Latin1,
            vec![],
        ),
        (
            "8-bit header",
            Coding::default(),
            Mobile { reference: Some(9), ..mobile(&long) },
            Alphabet::Gsm7,
            vec![(9, false, 1), (9, false, 2)],
        ),
        (
            "16-bit header behind ports, last first",
            Coding::default(),
            Mobile { reference: Some(300), ports: true, parts: MobileParts::Udh16, order: vec![2, 1], ..mobile(&long) },
            Alphabet::Gsm7,
            vec![(300, true, 2), (300, true, 1)],
        ),
        (
            "sar parameters",
            Coding::default(),
            Mobile { reference: Some(300), parts: MobileParts::Sar, ..mobile(&long) },
            Alphabet::Gsm7,
            vec![(300, true, 1), (300, true, 2)],
        ),
        (
            "17: payload",
            Coding::default(),
            Mobile { parts: MobileParts::Payload, ..mobile(&long) },
            Alphabet::Gsm7,
            vec![],
        ),
        (
            "18: a header without its bit",
            Coding::default(),
            Mobile { reference: Some(9), without_udhi: true, ..mobile(&long) },
            Alphabet::Gsm7,
            vec![(9, false, 1), (9, false, 2)],
        ),
        ("data_sm", Coding::default(), Mobile { data_sm: true, ..mobile("hi") }, Alphabet::Gsm7, vec![]),
    ] {
        let (smsc, mut settings) = operator(Profile::default()).await;
        settings.profile.coding = coding;
        settings.binds = 1;
        let rig = Rig::start(config(), &[&settings]).await;
        rig.wait_for_binds(&settings, 1).await;
        smsc.send_mo("chappe", &mobile).unwrap();
        let count = parts.len().max(1);
        until(quirk, || rig.inbound().len() == count).await;
        until(quirk, || usize::try_from(smsc.counters().deliveries_confirmed).unwrap() == count).await;
        let got = rig.inbound();
        assert!(got.iter().all(|part| part.alphabet == alphabet && part.to.addr.expose() == "1234"), "{quirk}");
        let numbered: Vec<_> = got
            .iter()
            .filter_map(|p| p.part_of)
            .map(|PartOf { reference, wide, part, .. }| (reference, wide, part))
            .collect();
        assert_eq!(numbered, parts, "{quirk}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_pair_is_two_sessions_of_one_number() {
    let (smsc, mut settings) = operator(Profile::default()).await;
    (settings.binds, settings.profile.session.pairs) = (2, true);
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 4).await;
    let shown = rig.status.operators().remove(0).binds;
    let types: Vec<_> = shown.iter().map(|bind| (bind.bind, bind.bind_type)).collect();
    let (out, back) = (BindType::Transmitter, BindType::Receiver);
    assert_eq!(types, [(0, out), (0, back), (1, out), (1, back)], "10");
    settings.profile.session.pairs = false;
    rig.platform.set(settings.clone());
    until("transceivers", || rig.status.bound(settings.id) == 2 && smsc.bound("chappe") == 2).await;
    rig.submit(&settings, &messages(20)).await;
    rig.wait_for_outcomes(20).await;
    until("receipts", || rig.receipts().len() == 20).await;
    let sum: u64 = rig.status.operators()[0].binds.iter().map(|bind| bind.submits).sum();
    assert_eq!(sum, 20);
    rig.stop().await;
}

#[tokio::test]
async fn an_unbind_that_is_ignored_ends_by_itself() {
    let link = Link { ignore_unbind: true, ..Link::default() };
    let (_smsc, settings) = operator(Profile { link, ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    let started = std::time::Instant::now();
    rig.stop().await;
    assert!(started.elapsed().as_secs() < 4, "20");
}

#[tokio::test]
async fn odd_answers_belong_to_nothing() {
    for answers in [Answers::Twice, Answers::Stray] {
        let (smsc, settings) = operator(Profile { answers, ..Profile::default() }).await;
        let rig = Rig::start(config(), &[&settings]).await;
        rig.submit(&settings, &messages(50)).await;
        let outcomes = rig.wait_for_outcomes(50).await;
        assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Accepted), "{answers:?}");
        assert_eq!((smsc.counters().submits, smsc.counters().binds), (50, 2), "{answers:?}");
        rig.stop().await;
    }
}
