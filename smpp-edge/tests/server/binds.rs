//! Opening and closing sessions.

use std::time::{Duration, Instant};

use contract::{BindCounts, SystemSettings};
use smpp::pdu::{Bind, BindResp};
use smpp::{Body, CommandId, Status, Tlvs};
use tokio::net::TcpStream;

use crate::esme::{Esme, bind, sm};
use crate::rig::{NAME, PASSWORD, Rig, bounds, keys, system, until};

#[tokio::test]
async fn a_customer_binds_is_seen_and_unbinds() {
    let system = system();
    let rig = Rig::start(&system).await;
    let mut esme = rig.transceiver().await;
    let sessions = rig.status.sessions();
    assert_eq!((sessions.len(), sessions[0].system_id, sessions[0].tls), (1, system.id, false));
    assert_eq!(esme.ask(&Body::EnquireLink).await.command, CommandId::ENQUIRE_LINK_RESP);
    let got = esme.ask(&Body::Unbind).await;
    assert_eq!((got.command, got.status), (CommandId::UNBIND_RESP, Status::ROK));
    assert!(esme.is_closed().await);
    until("no session", || rig.status.sessions().is_empty()).await;
    rig.stop().await;
}

/// What is told of a bind; a refusal is a bare header, and the end.
async fn check(rig: &Rig, (name, password): (&str, &str), command: CommandId, expected: Status) {
    let mut esme = rig.connect().await;
    let got = esme.ask(&bind(command, Bind::new(name.as_bytes(), password.as_bytes()))).await;
    assert_eq!((got.command, got.status), (command.response(), expected), "{name} {command:?}");
    if expected != Status::ROK {
        assert_eq!(got.rest(), b"", "{name} {command:?}");
        assert!(esme.is_closed().await);
    }
}

#[tokio::test]
async fn who_may_not_bind_is_told_why() {
    let none = BindCounts { transmitters: 0, receivers: 1, transceivers: 1 };
    let other = |name: &str| SystemSettings { system_id: name.to_owned(), ..system() };
    let systems = [
        system(),
        SystemSettings { enabled: false, ..other("off") },
        SystemSettings { addresses: vec!["192.0.2.0/24".to_owned()], ..other("elsewhere") },
        SystemSettings { addresses: vec!["127.0.0.0/8".to_owned()], ..other("here") },
        SystemSettings { binds: none, ..other("receives") },
    ];
    let rig = Rig::start_with(bounds(), &systems, |listener| listener).await;
    for (name, password, command, expected) in [
        (NAME, PASSWORD, CommandId::BIND_TRANSMITTER, Status::ROK),
        (NAME, PASSWORD, CommandId::BIND_RECEIVER, Status::ROK),
        (NAME, PASSWORD, CommandId::BIND_TRANSCEIVER, Status::ROK),
        ("here", PASSWORD, CommandId::BIND_TRANSCEIVER, Status::ROK),
        ("receives", PASSWORD, CommandId::BIND_RECEIVER, Status::ROK),
        ("receives", PASSWORD, CommandId::BIND_TRANSMITTER, Status::RBINDFAIL),
        ("off", PASSWORD, CommandId::BIND_TRANSCEIVER, Status::RBINDFAIL),
        ("elsewhere", PASSWORD, CommandId::BIND_TRANSCEIVER, Status::RBINDFAIL),
        ("", PASSWORD, CommandId::BIND_TRANSCEIVER, Status::RINVSYSID),
        ("sixteen letters!", PASSWORD, CommandId::BIND_TRANSCEIVER, Status::RINVSYSID),
        (NAME, "wrong", CommandId::BIND_TRANSCEIVER, Status::RINVPASWD),
        (NAME, "a longe", CommandId::BIND_TRANSCEIVER, Status::RINVPASWD),
        ("nobody", PASSWORD, CommandId::BIND_TRANSCEIVER, Status::RINVPASWD),
    ] {
        check(&rig, (name, password), command, expected).await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn wrong_passwords_are_slowed_and_then_not_even_looked_at() {
    let slow = Duration::from_millis(300);
    let rig = Rig::start_with(smpp_edge::Bounds { refusal_delay: slow, ..bounds() }, &[system()], |l| l).await;
    rig.transceiver().await;
    let started = Instant::now();
    for _ in 0..4 {
        check(&rig, (NAME, "wrong"), CommandId::BIND_TRANSCEIVER, Status::RINVPASWD).await;
    }
    check(&rig, (NAME, PASSWORD), CommandId::BIND_TRANSCEIVER, Status::RBINDFAIL).await;
    assert!(started.elapsed() >= slow, "{:?}", started.elapsed());
    rig.stop().await;
}

#[tokio::test]
async fn seats_are_counted_and_freed() {
    let rig = Rig::start(&system()).await;
    let mut first = rig.transceiver().await;
    let _second = rig.transceiver().await;
    check(&rig, (NAME, PASSWORD), CommandId::BIND_TRANSCEIVER, Status::RBINDFAIL).await;
    check(&rig, (NAME, PASSWORD), CommandId::BIND_TRANSMITTER, Status::ROK).await;
    first.ask(&Body::Unbind).await;
    // Binds until there is a seat.
    rig.transceiver().await;
    rig.stop().await;
}

#[tokio::test]
async fn only_peers_that_know_parameters_get_any() {
    let rig = Rig::start(&system()).await;
    for (version, tlvs) in
        [(0x34, &b"\x02\x10\x00\x01\x34"[..]), (0x50, b"\x02\x10\x00\x01\x34"), (0x33, b""), (0x00, b"")]
    {
        let mut esme = rig.connect().await;
        let mut asked = Bind::new(NAME.as_bytes(), PASSWORD.as_bytes());
        asked.interface_version = version;
        let got = esme.ask(&Body::BindReceiver(asked)).await;
        let expected = BindResp { system_id: b"edge-1", tlvs: Tlvs::new(tlvs) };
        assert_eq!(got.body(), Body::BindReceiverResp(expected), "{version:#04X}");
        esme.ask(&Body::Unbind).await;
        assert!(esme.is_closed().await);
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_is_behind_a_bind_is_kept() {
    let rig = Rig::start(&system()).await;
    let mut esme = rig.connect().await;
    let mut out = bytes::BytesMut::new();
    let asked = bind(CommandId::BIND_TRANSCEIVER, Bind::new(NAME.as_bytes(), PASSWORD.as_bytes()));
    smpp::encode(&mut out, Status::ROK, 1, &Body::EnquireLink).unwrap();
    smpp::encode(&mut out, Status::ROK, 2, &asked).unwrap();
    for number in 3..6 {
        smpp::encode(&mut out, Status::ROK, number, &Body::SubmitSm(sm("998901234567", b"Hello"))).unwrap();
    }
    smpp::encode(&mut out, Status::ROK, 6, &Body::Unbind).unwrap();
    // Torn in the middle of a PDU.
    let (first, rest) = out.split_at(60);
    esme.raw(first).await;
    esme.raw(rest).await;
    let mut got = Vec::new();
    while let Some(pdu) = esme.try_next().await {
        assert_eq!(pdu.status, Status::ROK, "{pdu:?}");
        got.push(pdu.number);
    }
    assert_eq!(got, [1, 2, 3, 4, 5, 6], "the unbind is answered last");
    assert_eq!(rig.intake.count(), 3);
    rig.stop().await;
}

#[tokio::test]
async fn who_does_not_bind_in_time_is_closed() {
    let limits = smpp_edge::Bounds { session_init: Duration::from_millis(200), ..bounds() };
    let rig = Rig::start_with(limits, &[system()], |listener| listener).await;
    rig.transceiver().await;
    let mut esme = rig.connect().await;
    assert_eq!(esme.ask(&Body::EnquireLink).await.status, Status::ROK);
    assert!(esme.is_closed().await, "an enquiry gives no more time");
    rig.stop().await;
}

#[tokio::test]
async fn changed_settings_reach_live_sessions() {
    let system = system();
    let rig = Rig::start(&system).await;
    let with = |change: &dyn Fn(&mut SystemSettings)| {
        let mut changed = system.clone();
        change(&mut changed);
        changed
    };
    for (why, changed) in [
        ("password", Some(with(&|s| s.password_hash.0[0] ^= 1))),
        ("name", Some(with(&|s| s.system_id = "other".to_owned()))),
        ("switched off", Some(with(&|s| s.enabled = false))),
        ("address", Some(with(&|s| s.addresses = vec!["192.0.2.1".to_owned()]))),
        ("kind", Some(with(&|s| s.binds.transceivers = 0))),
        ("deleted", None),
    ] {
        let mut esme = rig.transceiver().await;
        match changed {
            Some(changed) => rig.platform.set(changed),
            None => rig.platform.remove(system.id),
        }
        let got = esme.next().await;
        assert_eq!(got.command, CommandId::UNBIND, "{why}");
        esme.send_as(&Body::UnbindResp, Status::ROK, got.number).await;
        assert!(esme.is_closed().await, "{why}");
        rig.platform.set(system.clone());
    }
    let mut esme = rig.transceiver().await;
    rig.platform.set(with(&|s| s.senders = vec!["Bank".to_owned()]));
    let mut refused = Status::ROK;
    while refused == Status::ROK {
        refused = esme.ask(&Body::SubmitSm(sm("998901234567", b"Hello"))).await.status;
    }
    assert_eq!(refused, Status::RINVSRCADR, "the session stays and follows");
    rig.stop().await;
}

#[tokio::test]
async fn a_session_can_be_cut() {
    let rig = Rig::start(&system()).await;
    let (mut first, mut second) = (rig.transceiver().await, rig.bound(CommandId::BIND_TRANSMITTER).await);
    let cut = rig.status.sessions()[0].id;
    rig.status.cut(&[cut, domain::SessionId::generate()]);
    assert_eq!(first.next().await.command, CommandId::UNBIND);
    // Without an answer to our unbind it ends all the same.
    assert!(first.is_closed().await);
    assert_eq!(second.ask(&Body::EnquireLink).await.status, Status::ROK);
    rig.stop().await;
}

#[tokio::test]
async fn a_stop_finishes_windows_unbinds_and_frees_the_seats() {
    let system = system();
    let rig = Rig::start(&system).await;
    let mut esme = rig.transceiver().await;
    let shut = rig.intake.gate.acquire_many(1_000_000).await.unwrap();
    let number = esme.send(&Body::SubmitSm(sm("998901234567", b"Hello"))).await;
    until("a submit under way", || rig.status.sessions()[0].in_flight == 1).await;
    rig.ask_to_stop();
    drop(shut);
    let got = esme.next().await;
    assert_eq!((got.number, got.status, got.command), (number, Status::ROK, CommandId::SUBMIT_SM_RESP));
    let got = esme.next().await;
    assert_eq!(got.command, CommandId::UNBIND);
    esme.send_as(&Body::UnbindResp, Status::ROK, got.number).await;
    assert!(esme.is_closed().await);
    let directory = rig.directory.clone();
    rig.stop().await;
    let key = format!("smpp:{}:transceiver", system.id);
    assert_eq!(limits::Directory::holders(directory.as_ref(), &key).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn silence_is_asked_about_and_then_ended() {
    let quick = Duration::from_millis(100);
    let limits = smpp_edge::Bounds { enquire_after: quick, enquire_timeout: quick, ..bounds() };
    let rig = Rig::start_with(limits, &[system()], |listener| listener).await;
    let mut esme = rig.transceiver().await;
    for _ in 0..3 {
        let got = esme.next().await;
        assert_eq!(got.command, CommandId::ENQUIRE_LINK);
        esme.send_as(&Body::EnquireLinkResp, Status::ROK, got.number).await;
    }
    assert_eq!(esme.next().await.command, CommandId::ENQUIRE_LINK);
    assert!(esme.is_closed().await);
    rig.stop().await;
}

#[tokio::test]
async fn a_session_that_is_not_used_is_unbound() {
    let limits = smpp_edge::Bounds { inactivity: Duration::from_millis(200), ..bounds() };
    let rig = Rig::start_with(limits, &[system()], |listener| listener).await;
    let mut esme = rig.transceiver().await;
    assert_eq!(esme.next().await.command, CommandId::UNBIND);
    rig.stop().await;
}

#[tokio::test]
async fn a_load_balancer_tells_who_is_behind_it() {
    let allowed = SystemSettings { addresses: vec!["192.0.2.1".to_owned()], ..system() };
    let rig = Rig::start_with(bounds(), &[allowed], smpp_edge::Listener::behind_proxy).await;
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0C\xC0\x00\x02\x01\x0A\x00\x00\x01\xD9\x03\x0A\xD7";
    let mut esme = rig.connect().await;
    esme.raw(header).await;
    let asked = bind(CommandId::BIND_TRANSCEIVER, Bind::new(NAME.as_bytes(), PASSWORD.as_bytes()));
    assert_eq!(esme.ask(&asked).await.status, Status::ROK);
    assert_eq!(rig.status.sessions()[0].peer, "192.0.2.1:55555");
    let mut without = rig.connect().await;
    without.send(&asked).await;
    assert!(without.is_closed().await);
    rig.stop().await;
}

#[tokio::test]
async fn smpp_in_tls() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = smpp_edge::server_tls(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let rig = Rig::start_with(bounds(), &[system()], |listener| listener.with_tls(tls)).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = std::sync::Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let stream = TcpStream::connect(rig.addr).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(config);
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let mut esme = Esme::over(stream);
    let asked = bind(CommandId::BIND_TRANSCEIVER, Bind::new(NAME.as_bytes(), PASSWORD.as_bytes()));
    assert_eq!(esme.ask(&asked).await.status, Status::ROK);
    assert!(rig.status.sessions()[0].tls);
    for _ in 0..50 {
        assert_eq!(esme.ask(&Body::SubmitSm(sm("998901234567", b"Hello"))).await.status, Status::ROK);
    }
    assert!(keys().matches(PASSWORD.as_bytes(), &system().password_hash.0));
    rig.stop().await;
}
