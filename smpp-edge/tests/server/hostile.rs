//! Strangers who mean harm: what they do costs them their connection and nobody else anything.

use std::time::{Duration, Instant};

use contract::SystemSettings;
use smpp::pdu::Bind;
use smpp::{Body, CommandId, Status};
use tokio::net::TcpStream;

use crate::esme::{Esme, bind, sm};
use crate::rig::{NAME, PASSWORD, Rig, bounds, system};

/// Octets that no PDU begins with, and the nack before the end; before and after a bind.
#[tokio::test]
async fn a_bad_command_length_is_nacked_and_ends_the_session() {
    let rig = Rig::start(&system()).await;
    for length in [0_u32, 1, 15, 70 * 1024 + 1, 0x7FFF_FFFF, u32::MAX] {
        for is_bound in [false, true] {
            let mut esme = if is_bound { rig.bound(CommandId::BIND_TRANSMITTER).await } else { rig.connect().await };
            let garbage = [&length.to_be_bytes()[..], &[0xFF; 60]].concat();
            esme.raw(&garbage).await;
            let got = esme.next().await;
            let nack = (CommandId::GENERIC_NACK, Status::RINVCMDLEN, 0);
            assert_eq!((got.command, got.status, got.number), nack, "{length} {is_bound}");
            assert!(esme.is_closed().await, "{length} {is_bound}");
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn half_a_pdu_is_waited_for_only_so_long() {
    let limits = smpp_edge::Bounds { pdu_read: Duration::from_millis(200), ..bounds() };
    let rig = Rig::start_with(limits, &[system()], |listener| listener).await;
    let mut esme = rig.transceiver().await;
    let started = Instant::now();
    // One octet after the other: each alone is in time, the PDU is not.
    for octet in [0, 0, 0, 16, 0, 0] {
        esme.raw(&[octet]).await;
    }
    assert!(esme.is_closed().await);
    assert!(started.elapsed() >= Duration::from_millis(200));
    rig.stop().await;
}

/// The slowest and the mean of some submits, one after the other.
async fn latency(esme: &mut Esme) -> (Duration, Duration) {
    let mut slowest = Duration::ZERO;
    let all = Instant::now();
    for _ in 0..200 {
        let started = Instant::now();
        let got = esme.ask(&Body::SubmitSm(sm("998901234567", b"Hello"))).await;
        assert_eq!(got.status, Status::ROK);
        slowest = slowest.max(started.elapsed());
    }
    (slowest, all.elapsed() / 200)
}

#[tokio::test]
async fn connections_that_never_bind_drive_out_their_own() {
    let limits = smpp_edge::Bounds { unbound_max: 50, ..bounds() };
    let rig = Rig::start_with(limits, &[SystemSettings { window: 100, ..system() }], |listener| listener).await;
    let mut esme = rig.transceiver().await;
    let (_, before) = latency(&mut esme).await;
    let mut flood = Vec::new();
    for _ in 0..400 {
        flood.push(Esme::over(TcpStream::connect(rig.addr).await.unwrap()));
    }
    let (_, during) = latency(&mut esme).await;
    // Twice as long, and what a busy machine adds.
    assert!(during <= before * 2 + Duration::from_millis(5), "{before:?} {during:?}");
    // Who binds still can, and the first ones are gone.
    let mut second = rig.transceiver().await;
    assert_eq!(second.ask(&Body::EnquireLink).await.status, Status::ROK);
    for esme in flood.iter_mut().take(300) {
        assert!(esme.is_closed().await);
    }
    rig.stop().await;
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed() {
    let limits = smpp_edge::Bounds { connections_max: 3, ..bounds() };
    let rig = Rig::start_with(limits, &[system()], |listener| listener).await;
    let mut esme = rig.transceiver().await;
    let _others = [rig.connect().await, rig.connect().await];
    let mut fourth = rig.connect().await;
    let asked = bind(CommandId::BIND_TRANSCEIVER, Bind::new(NAME.as_bytes(), PASSWORD.as_bytes()));
    fourth.send(&asked).await;
    assert!(fourth.is_closed().await);
    assert_eq!(esme.ask(&Body::EnquireLink).await.status, Status::ROK);
    rig.stop().await;
}

#[tokio::test]
async fn who_never_reads_is_ended_and_harms_nobody() {
    let quick = Duration::from_millis(300);
    let limits = smpp_edge::Bounds { enquire_after: quick, enquire_timeout: quick, ..bounds() };
    let systems = [SystemSettings { window: 1000, ..system() }];
    let rig = Rig::start_with(limits, &systems, |listener| listener).await;
    let mut deaf = rig.bound(CommandId::BIND_TRANSMITTER).await;
    let writing = tokio::spawn(async move {
        let mut out = bytes::BytesMut::new();
        for number in 1..=1000 {
            smpp::encode(&mut out, Status::ROK, number, &Body::SubmitSm(sm("998901234567", b"Hello"))).unwrap();
        }
        while deaf.try_raw(&out).await.is_ok() {}
    });
    let mut esme = rig.transceiver().await;
    for _ in 0..200 {
        assert_eq!(esme.ask(&Body::SubmitSm(sm("998901234567", b"Hello"))).await.status, Status::ROK);
    }
    writing.await.unwrap();
    rig.stop().await;
}
