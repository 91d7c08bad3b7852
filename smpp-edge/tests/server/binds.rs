//! Opening and closing sessions.

use smpp::pdu::{Bind, BindResp};
use smpp::{Body, CommandId, Status};

use crate::esme::{bind, sm};
use crate::rig::{NAME, PASSWORD, Rig, system, until};

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
