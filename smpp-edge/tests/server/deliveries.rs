//! Receipts and messages from handsets, to the customer.

use domain::{MessageId, State};
use smpp::Status;

use crate::rig::{Rig, receipt, system};

#[tokio::test]
async fn a_receipt_waits_for_a_session_and_is_settled_by_its_answer() {
    let system = system();
    let rig = Rig::start(&system).await;
    let id = MessageId::generate();
    rig.deliver(&system, vec![receipt(id, State::Delivered)]).await;
    let mut esme = rig.transceiver().await;
    let got = esme.next().await;
    let sm = got.sm();
    assert_eq!((sm.esm_class, sm.data_coding, sm.source.addr), (4, 0, &b"998901234567"[..]));
    let text = format!(
        "id:{id} sub:001 dlvrd:001 submit date:2605041159 done date:2605041200 stat:DELIVRD err:000 text:Hello"
    );
    assert_eq!(sm.short_message, text.as_bytes());
    assert_eq!(sm.tlvs.receipted_message_id(), Some(id.to_string().as_bytes()));
    assert_eq!(sm.tlvs.message_state(), Some(2));
    esme.answer(&got, Status::ROK).await;
    rig.wait_until_settled(&system).await;
    rig.stop().await;
}
