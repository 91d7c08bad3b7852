//! From submits to their answers.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use contract::SystemSettings;
use contract::intake::{Act, Answer, LongPart, MessageReport, Refusal};
use contract::system::IdForm;
use domain::State;
use smpp::pdu::{Address, CancelSm, DataSm, Destination, Destinations, QuerySm, ReplaceSm, SubmitMulti};
use smpp::{Body, CommandId, Status, Tlvs, encode};

use crate::esme::sm;
use crate::rig::{Rig, bounds, system, until};

const TO: &str = "998901234567";

#[tokio::test]
async fn a_submit_is_answered_with_our_id() {
    let system = system();
    let rig = Rig::start(&system).await;
    let mut esme = rig.transceiver().await;
    let got = esme.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await;
    let taken = rig.intake.last();
    assert_eq!((got.command, got.status), (CommandId::SUBMIT_SM_RESP, Status::ROK));
    assert_eq!(got.id(), IdForm::default().render(taken.message_id));
    assert_eq!((taken.to.expose(), taken.from.as_str(), taken.text.expose()), (TO, "Chappe", "Hello"));
    assert_eq!((taken.account_id, taken.system_id, taken.registered_delivery), (system.account_id, system.id, 1));
    rig.stop().await;
}

#[tokio::test]
async fn a_refusal_passes_its_status_and_the_session_goes_on() {
    let rig = Rig::start(&system()).await;
    let mut esme = rig.transceiver().await;
    // A refusal that says "no error" is a fault of ours.
    for (status, told) in
        [(0x0B, 0x0B), (0x0A, 0x0A), (0x45, 0x45), (0x58, 0x58), (0x62, 0x62), (0x14, 0x14), (0x401, 0x401), (0, 8)]
    {
        let to = format!("99890{status:07}");
        rig.intake.refuse(&to, status);
        let got = esme.ask(&Body::SubmitSm(sm(&to, b"Hello"))).await;
        assert_eq!((got.status, got.rest()), (Status(told), &b""[..]), "{status:#x}");
    }
    assert_eq!(esme.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await.status, Status::ROK);
    let session = &rig.status.sessions()[0];
    assert_eq!((session.submits, session.accepted), (9, 1));
    rig.stop().await;
}

#[tokio::test]
async fn ids_are_written_as_the_system_wants_them() {
    for form in [IdForm::Text, IdForm::Hex, IdForm::Decimal, IdForm::Uuid] {
        let mut system = system();
        system.receipts.id_form = form;
        let rig = Rig::start(&system).await;
        let mut esme = rig.transceiver().await;
        let got = esme.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await;
        assert_eq!(got.id(), form.render(rig.intake.last().message_id), "{form:?}");
        let id = got.id();
        let query = QuerySm { message_id: id.as_bytes(), source: Address::new(5, 0, b"Chappe") };
        assert_eq!(esme.ask(&Body::QuerySm(query)).await.status, Status::ROK, "{form:?}");
        assert_eq!(rig.intake.asked.lock().unwrap()[0].message_id, rig.intake.last().message_id);
        rig.stop().await;
    }
}

#[tokio::test]
async fn odd_sequence_numbers_are_echoed() {
    let rig = Rig::start(&system()).await;
    let mut esme = rig.transceiver().await;
    for number in [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 1] {
        esme.send_as(&Body::SubmitSm(sm(TO, b"Hello")), Status::ROK, number).await;
        let got = esme.next().await;
        assert_eq!((got.number, got.status), (number, Status::ROK));
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_intake_is_asked_again_and_then_given_up() {
    let rig = Rig::start(&system()).await;
    let mut esme = rig.transceiver().await;
    rig.intake.failures.store(2, Ordering::SeqCst);
    assert_eq!(esme.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await.status, Status::ROK);
    assert_eq!(*rig.intake.calls.lock().unwrap(), [false, true, true], "a repeated call says so");
    rig.intake.failures.store(3, Ordering::SeqCst);
    assert_eq!(esme.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await.status, Status::RSYSERR);
    assert_eq!(esme.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await.status, Status::ROK);
    rig.stop().await;
}

#[tokio::test]
async fn a_full_window_is_back_pressure_and_then_a_refusal() {
    let rig = Rig::start(&SystemSettings { window: 4, ..system() }).await;
    let mut esme = rig.transceiver().await;
    let shut = rig.intake.gate.acquire_many(1_000_000).await.unwrap();
    for _ in 0..10 {
        esme.send(&Body::SubmitSm(sm(TO, b"Hello"))).await;
    }
    esme.send(&Body::EnquireLink).await;
    // Nothing is refused before the intake has been stuck for a while; then what is behind is read.
    let mut got = Vec::new();
    for _ in 0..7 {
        got.push(esme.next().await);
    }
    assert!(got[..6].iter().all(|got| got.status == Status::RTHROTTLED), "{got:?}");
    assert_eq!(got[6].command, CommandId::ENQUIRE_LINK_RESP);
    drop(shut);
    for _ in 0..4 {
        assert_eq!(esme.next().await.status, Status::ROK);
    }
    assert_eq!((rig.intake.count(), rig.status.sessions()[0].throttled), (4, 6));
    rig.stop().await;
}

#[tokio::test]
async fn more_than_the_window_at_once_is_served_in_turn() {
    let rig = Rig::start(&SystemSettings { window: 3, ..system() }).await;
    let mut esme = rig.transceiver().await;
    let mut out = BytesMut::new();
    for number in 1..=500 {
        encode(&mut out, Status::ROK, number, &Body::SubmitSm(sm(TO, b"Hello"))).unwrap();
    }
    esme.raw(&out).await;
    for _ in 0..500 {
        assert_eq!(esme.next().await.status, Status::ROK);
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_rate_is_held_in_segments() {
    let rig = Rig::start(&SystemSettings { segments_per_second: 10, burst: 5, window: 100, ..system() }).await;
    let mut esme = rig.transceiver().await;
    let statuses = async |esme: &mut crate::esme::Esme, count: usize, text: &[u8]| {
        let mut out = BytesMut::new();
        for number in 0..count {
            let number = u32::try_from(number).unwrap();
            encode(&mut out, Status::ROK, number, &Body::SubmitSm(sm(TO, text))).unwrap();
        }
        esme.raw(&out).await;
        let mut accepted = 0;
        for _ in 0..count {
            let got = esme.next().await;
            assert!(matches!(got.status, Status::ROK | Status::RTHROTTLED), "{got:?}");
            accepted += usize::from(got.status == Status::ROK);
        }
        accepted
    };
    let accepted = statuses(&mut esme, 20, b"Hello").await;
    assert!((5..=6).contains(&accepted), "{accepted}");
    let started = Instant::now();
    let mut accepted = 0;
    while accepted < 10 {
        accepted += statuses(&mut esme, 1, b"Hello").await;
    }
    assert!(started.elapsed() >= Duration::from_millis(700), "{:?}", started.elapsed());
    let session = rig.status.sessions();
    assert!(session[0].throttled >= 14, "{session:?}");
    rig.stop().await;
}

#[tokio::test]
async fn parts_have_the_head_that_came_first() {
    let rig = Rig::start(&system()).await;
    let mut esme = rig.transceiver().await;
    let mut part = async |reference: u8, part: u8| {
        let octets = [&[5, 0, 3, reference, 3, part][..], b"Hi"].concat();
        let got = esme.ask(&Body::SubmitSm(smpp::pdu::Sm { esm_class: 0x40, ..sm(TO, &octets) })).await;
        assert_eq!(got.status, Status::ROK);
        (rig.intake.last().message_id, rig.intake.last().long)
    };
    let (head, long) = part(7, 2).await;
    assert_eq!(long, Some(LongPart { head, part: 2, total: 3 }));
    assert_eq!(part(7, 1).await.1, Some(LongPart { head, part: 1, total: 3 }));
    let (other, long) = part(8, 1).await;
    assert_eq!(long, Some(LongPart { head: other, part: 1, total: 3 }));
    assert_eq!(part(7, 3).await.1, Some(LongPart { head, part: 3, total: 3 }));
    let (again, long) = part(7, 2).await;
    assert_eq!(long, Some(LongPart { head: again, part: 2, total: 3 }), "the reference is used again");
    rig.stop().await;
}

#[tokio::test]
async fn a_data_sm_is_a_submit() {
    let rig = Rig::start(&system()).await;
    let mut esme = rig.transceiver().await;
    let data = DataSm {
        destination: Address::new(1, 1, TO.as_bytes()),
        tlvs: Tlvs::new(b"\x04\x24\x00\x02Hi"),
        ..DataSm::default()
    };
    let got = esme.ask(&Body::DataSm(data)).await;
    assert_eq!((got.command, got.status), (CommandId::DATA_SM_RESP, Status::ROK));
    assert_eq!(
        (got.id(), rig.intake.last().text.expose()),
        (IdForm::default().render(rig.intake.last().message_id), "Hi")
    );
    rig.stop().await;
}

fn multi<'a>(raw: &'a mut BytesMut, to: &[Destination<'_>], text: &'a [u8]) -> SubmitMulti<'a> {
    for to in to {
        to.write(raw).unwrap();
    }
    let destinations = Destinations::new(u8::try_from(to.len()).unwrap(), raw);
    SubmitMulti { destinations, message: smpp::pdu::Sm { destination: Address::default(), ..sm("", text) } }
}

#[tokio::test]
async fn one_text_to_many_has_one_answer() {
    let rig = Rig::start(&system()).await;
    let mut esme = rig.transceiver().await;
    rig.intake.refuse("998900000002", 0x0B);
    let address = |addr: &'static str| Destination::Address(Address::new(1, 1, addr.as_bytes()));
    let all = [address("998900000001"), address("998900000002"), address(""), address("998900000003")];
    let mut raw = BytesMut::new();
    let got = esme.ask(&Body::SubmitMulti(multi(&mut raw, &all, b"Hello"))).await;
    let Body::SubmitMultiResp(response) = got.body() else { panic!("{got:?}") };
    let refused: Vec<_> = response.unsuccessful().map(|one| (one.destination.addr, one.status)).collect();
    assert_eq!(refused, [(&b"998900000002"[..], Status::RINVDSTADR), (b"", Status::RINVDSTADR)]);
    let taken = rig.intake.taken.lock().unwrap().clone();
    assert_eq!(got.id(), IdForm::default().render(taken[0].message_id));
    assert_eq!((taken.len(), taken[0].receipt_id, taken[1].receipt_id), (2, None, Some(taken[0].message_id)));
    for (to, status) in [
        (&[address("998900000002"), address("998900000002")][..], Status::RINVDSTADR),
        (&[Destination::List(b"friends")], Status::RCNTSUBDL),
        (&[], Status::RINVNUMDESTS),
    ] {
        let mut raw = BytesMut::new();
        let got = esme.ask(&Body::SubmitMulti(multi(&mut raw, to, b"Hello"))).await;
        assert_eq!((got.command, got.status, got.rest()), (CommandId::SUBMIT_MULTI_RESP, status, &b""[..]));
    }
    assert_eq!(rig.status.sessions()[0].in_flight, 0);
    rig.stop().await;
}

#[tokio::test]
async fn questions_about_messages() {
    let rig = Rig::start(&system()).await;
    let mut esme = rig.transceiver().await;
    let id = esme.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await.id();
    let (id, source) = (id.as_bytes(), Address::new(5, 0, b"Chappe"));
    for (state, final_at, told) in [
        (State::Accepted, None, (6, &b""[..])),
        (State::Queued, None, (1, b"")),
        (State::Delivered, Some("2026-05-04T12:00:10Z"), (2, b"260504120010000+")),
        (State::Undelivered, Some("2026-05-04T12:00:10Z"), (5, b"260504120010000+")),
        (State::Expired, None, (3, b"")),
        (State::Canceled, None, (4, b"")),
        (State::Rejected, None, (8, b"")),
        (State::Unconfirmed, None, (7, b"")),
    ] {
        let final_at = final_at.map(|at| at.parse().unwrap());
        *rig.intake.about.lock().unwrap() = Answer::Report(MessageReport { state, final_at, error: 9 });
        let got = esme.ask(&Body::QuerySm(QuerySm { message_id: id, source })).await;
        let Body::QuerySmResp(response) = got.body() else { panic!("{got:?}") };
        assert_eq!((response.message_id, response.error_code), (id, 9));
        assert_eq!((response.message_state, response.final_date), told, "{state:?}");
    }
    let cancel = CancelSm { message_id: id, source, ..CancelSm::default() };
    let replace = ReplaceSm { message_id: id, source, short_message: b"Bye", ..ReplaceSm::default() };
    let got = esme.ask(&Body::CancelSm(cancel)).await;
    assert_eq!((got.command, got.status), (CommandId::CANCEL_SM_RESP, Status::ROK));
    let got = esme.ask(&Body::ReplaceSm(replace)).await;
    assert_eq!((got.command, got.status), (CommandId::REPLACE_SM_RESP, Status::ROK));
    let asked = rig.intake.asked.lock().unwrap().last().unwrap().clone();
    assert!(matches!(&asked.act, Act::Replace { text, .. } if text.expose() == "Bye"), "{asked:?}");
    assert_eq!(asked.from, "Chappe");
    *rig.intake.about.lock().unwrap() = Answer::Refused(Refusal { status: 0x11, code: "stub".to_owned() });
    for (body, status) in [
        (Body::CancelSm(cancel), Status::RCANCELFAIL),
        (Body::CancelSm(CancelSm { message_id: b"", ..cancel }), Status::RCANCELFAIL),
        (Body::QuerySm(QuerySm { message_id: b"nonsense", source }), Status::RINVMSGID),
        (Body::ReplaceSm(ReplaceSm { validity_period: b"x", ..replace }), Status::RINVEXPIRY),
        (Body::ReplaceSm(ReplaceSm { schedule_delivery_time: b"x", ..replace }), Status::RINVSCHED),
    ] {
        let got = esme.ask(&body).await;
        assert_eq!((got.command, got.status), (body.command_id().response(), status));
    }
    rig.stop().await;
}

#[tokio::test]
async fn too_many_unanswered_submits_of_all_are_throttled() {
    let limits = smpp_edge::Bounds { unanswered_max: 5, ..bounds() };
    let rig = Rig::start_with(limits, &[SystemSettings { window: 100, ..system() }], |listener| listener).await;
    let (mut first, mut second) = (rig.transceiver().await, rig.transceiver().await);
    let shut = rig.intake.gate.acquire_many(1_000_000).await.unwrap();
    for _ in 0..5 {
        first.send(&Body::SubmitSm(sm(TO, b"Hello"))).await;
    }
    until("five under way", || rig.status.sessions().iter().any(|session| session.in_flight == 5)).await;
    assert_eq!(second.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await.status, Status::RTHROTTLED);
    drop(shut);
    for _ in 0..5 {
        assert_eq!(first.next().await.status, Status::ROK);
    }
    assert_eq!(second.ask(&Body::SubmitSm(sm(TO, b"Hello"))).await.status, Status::ROK);
    rig.stop().await;
}
