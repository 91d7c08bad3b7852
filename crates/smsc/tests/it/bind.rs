//! Opening and closing sessions, and PDUs that make no sense.

use smpp::pdu::{Bind, QuerySm};
use smpp::{Body, CommandId, Status};
use smsc::{Config, Profile, Smsc};

use crate::client::{Client, NUMBER, message, quiet, smsc, until};

#[tokio::test]
async fn binds_are_checked() {
    let smsc = smsc(Profile::default()).await;
    for (system_id, password, status) in [
        ("acme", "secret", Status::ROK),
        ("acme", "Secret", Status::RINVPASWD),
        ("acme", "", Status::RINVPASWD),
        ("emca", "secret", Status::RINVSYSID),
    ] {
        let bind = Bind::new(system_id.as_bytes(), password.as_bytes());
        for body in [Body::BindTransmitter(bind), Body::BindReceiver(bind), Body::BindTransceiver(bind)] {
            let mut client = Client::connect(&smsc).await;
            let answer = client.ask(&body).await;
            assert_eq!(answer.head().0, body.command_id().response());
            assert_eq!(answer.head().1, status, "{system_id}");
            if status != Status::ROK {
                assert!(client.is_closed().await);
            }
            drop(client);
            until(|| smsc.bound("acme") == 0).await;
        }
    }
    assert_eq!((smsc.counters().binds, smsc.counters().binds_refused), (3, 9));
}

#[tokio::test]
async fn an_open_operator_takes_everybody() {
    let smsc = Smsc::start(Config::default()).await.unwrap();
    let mut client = Client::connect(&smsc).await;
    let answer = client.ask(&Body::BindTransceiver(Bind::new(b"anybody", b""))).await;
    assert_eq!(answer.head().1, Status::ROK);
    assert_eq!(smsc.bound("anybody"), 1);
}

#[tokio::test]
async fn binds_are_limited_and_freed() {
    let smsc = smsc(Profile::default()).await;
    let bind = Body::BindTransceiver(Bind::new(b"acme", b"secret"));
    let first = Client::transceiver(&smsc).await;
    let _second = Client::receiver(&smsc).await;
    let mut third = Client::connect(&smsc).await;
    assert_eq!(third.ask(&bind).await.head().1, Status::RBINDFAIL);
    drop(first);
    until(|| smsc.bound("acme") == 1).await;
    Client::transceiver(&smsc).await;
}

#[tokio::test]
async fn binds_are_refused_while_the_profile_says_so() {
    let smsc = smsc(quiet(|profile| profile.bind_status = Some(Status::RSYSERR.0))).await;
    let bind = Body::BindTransceiver(Bind::new(b"acme", b"secret"));
    let mut client = Client::connect(&smsc).await;
    assert_eq!(client.ask(&bind).await.head().1, Status::RSYSERR);
    smsc.set_profile(Profile::default());
    Client::transceiver(&smsc).await;
}

#[tokio::test]
async fn requests_in_the_wrong_state_or_of_no_kind() {
    let smsc = smsc(Profile::default()).await;
    let submit = Body::SubmitSm(message(NUMBER, b"hi"));
    let mut open = Client::connect(&smsc).await;
    assert_eq!(open.ask(&submit).await.head().1, Status::RINVBNDSTS);
    assert_eq!(open.ask(&Body::EnquireLink).await.head().0, CommandId::ENQUIRE_LINK_RESP);
    let mut receiver = Client::receiver(&smsc).await;
    assert_eq!(receiver.ask(&submit).await.head().1, Status::RINVBNDSTS);
    let again = Body::BindReceiver(Bind::new(b"acme", b"secret"));
    assert_eq!(receiver.ask(&again).await.head().1, Status::RALYBND);
    let unknown = receiver.ask(&Body::Other(CommandId(0x0000_0777), b"??")).await.head();
    assert_eq!((unknown.0, unknown.1), (CommandId::GENERIC_NACK, Status::RINVCMDID));
    // An answer that nobody waits for is ignored.
    receiver.send(&Body::EnquireLinkResp).await;
    assert!(receiver.is_silent().await);
    assert_eq!(receiver.ask(&Body::Unbind).await.head().0, CommandId::UNBIND_RESP);
    assert!(receiver.is_closed().await);
}

#[tokio::test]
async fn a_bad_body_costs_one_answer_and_a_bad_length_the_session() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::transceiver(&smsc).await;
    let answer = client.ask(&Body::Other(CommandId::SUBMIT_SM, b"\0\x01")).await.head();
    assert_eq!(answer.0, CommandId::SUBMIT_SM_RESP);
    assert_ne!(answer.1, Status::ROK);
    assert_eq!(client.submit_and_wait(NUMBER, "still there").await.head().1, Status::ROK);
    client.receive().await.receipt();
    client.send_bytes(&[0, 0, 0, 7, 0, 0, 0, 4]).await;
    let nack = client.receive().await.head();
    assert_eq!(nack, (CommandId::GENERIC_NACK, Status::RINVCMDLEN, 0));
    assert!(client.is_closed().await);
    assert_eq!(smsc.counters().malformed, 2);
}

#[tokio::test]
async fn queries_are_answered() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::transmitter(&smsc).await;
    let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
    let query = |id| Body::QuerySm(QuerySm { message_id: id, ..QuerySm::default() });
    let answer = client.ask(&query(id.as_bytes())).await;
    assert!(matches!(answer.frame().body, Ok(Body::QuerySmResp(resp)) if resp.message_state == 2));
    assert_eq!(client.ask(&query(b"nonsense")).await.head().1, Status::RINVMSGID);
}

#[tokio::test]
async fn stopping_and_disconnecting_close_connections() {
    let smsc = smsc(Profile::default()).await;
    let mut client = Client::transceiver(&smsc).await;
    smsc.disconnect_all();
    assert!(client.is_closed().await);
    let mut client = Client::transceiver(&smsc).await;
    smsc.stop().await;
    assert!(client.is_closed().await);
}
