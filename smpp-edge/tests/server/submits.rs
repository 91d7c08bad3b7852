//! From submits to their answers.

use smpp::{Body, CommandId, Status};

use crate::esme::sm;
use crate::rig::{Rig, system};

#[tokio::test]
async fn a_submit_is_answered_with_our_id() {
    let system = system();
    let rig = Rig::start(&system).await;
    let mut esme = rig.transceiver().await;
    let got = esme.ask(&Body::SubmitSm(sm("998901234567", b"Hello"))).await;
    let taken = rig.intake.last();
    assert_eq!((got.command, got.status), (CommandId::SUBMIT_SM_RESP, Status::ROK));
    assert_eq!(got.id(), taken.message_id.to_string());
    assert_eq!((taken.to.expose(), taken.from.as_str(), taken.text.expose()), ("998901234567", "Chappe", "Hello"));
    assert_eq!((taken.account_id, taken.system_id, taken.registered_delivery), (system.account_id, system.id, 1));
    rig.intake.refuse("998900000000", 0x0B);
    let got = esme.ask(&Body::SubmitSm(sm("998900000000", b"Hello"))).await;
    assert_eq!((got.status, got.rest()), (Status::RINVDSTADR, &b""[..]));
    rig.stop().await;
}
