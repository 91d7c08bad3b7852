//! An operator that breaks.

use smpp::{Body, Status};
use smsc::{Fault, FaultKind};

use crate::client::{Client, NUMBER, message, quiet, smsc};

async fn broken_after_two(kind: FaultKind) -> (smsc::Smsc, Client) {
    let smsc = smsc(quiet(|profile| profile.fault = Some(Fault { after_submits: 2, kind }))).await;
    let mut client = Client::transceiver(&smsc).await;
    for _ in 0..2 {
        assert_eq!(client.submit_and_wait(NUMBER, "well").await.head().1, Status::ROK);
    }
    client.send(&Body::SubmitSm(message(NUMBER, b"broken"))).await;
    (smsc, client)
}

#[tokio::test]
async fn closes() {
    let (smsc, mut client) = broken_after_two(FaultKind::Close).await;
    assert!(client.is_closed().await);
    assert_eq!((smsc.counters().submits, smsc.counters().accepted), (3, 2));
    Client::transceiver(&smsc).await;
}

#[tokio::test]
async fn stalls() {
    let (smsc, mut client) = broken_after_two(FaultKind::Stall).await;
    client.send(&Body::EnquireLink).await;
    assert!(client.is_silent().await);
    assert_eq!(smsc.bound("acme"), 0);
    smsc.disconnect_all();
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn sends_garbage() {
    let (_smsc, mut client) = broken_after_two(FaultKind::Garbage).await;
    let raw = client.raw().await;
    assert!(raw.len() >= 16 && raw.iter().all(|&octet| octet == 0xFF));
}
