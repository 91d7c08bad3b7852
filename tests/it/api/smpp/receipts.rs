//! Receipts for SMPP customers: one for every end of every message that asked.

use std::sync::Arc;

use bill::Bill;
use contract::{
    CustomerReceipt, Octets, Outcome, OutcomeClass, Receipt, ReceiptState, Routed, SegmentOutcome, What, queues, seal,
};
use dlr::Dlr;
use domain::State;
use queue::Out;
use route::Route;

use super::*;

async fn publish<T: Item>(world: &World, queue: &str, item: T) {
    let sealed = seal(&[item], Utc::now()).unwrap().remove(0);
    world.queue.send(queue, &[Out::now(sealed.body)]).await.remove(0).unwrap();
}

fn told(what: Deliver) -> CustomerReceipt {
    match what.what {
        What::Receipt(receipt) => receipt,
        What::Inbound(inbound) => panic!("{inbound:?}"),
    }
}

/// What the operator does with a message.
#[derive(Clone, Copy)]
enum Operator {
    Refuses(u32),
    Takes(ReceiptState, &'static str),
}

/// Walks one message to its end; answers what its customer was told.
async fn walk(rig: &Rig, message: Submission, does: Operator) -> Vec<CustomerReceipt> {
    let (world, system) = (&rig.world, message.system_id);
    let clock = || Arc::new(host::clock::System);
    assert_eq!(one(rig, message).await.0, 0);
    let route = Route::new(world.db.clone(), Arc::clone(&world.catalogue), clock());
    crate::ledger::pump(world, &route, queues::ROUTE).await;
    for operator_id in world.operators {
        for routed in taken::<Routed>(world, &queues::submit(operator_id)).await {
            let (class, status) = match does {
                Operator::Refuses(status) => (OutcomeClass::Permanent, status),
                Operator::Takes(..) => (OutcomeClass::Accepted, 0),
            };
            let id = Some(routed.message_id.to_string()).filter(|_| status == 0);
            let segments =
                vec![SegmentOutcome { segment: 1, status: Some(status), smpp_message_id: id.clone(), part_of: None }];
            let Routed { message_id, account_id, hop, .. } = routed;
            let outcome = Outcome { message_id, account_id, operator_id, hop, class, at: Utc::now(), segments };
            publish(world, queues::BILL, outcome).await;
            crate::ledger::pump(world, &Bill::new(world.db.clone(), clock()), queues::BILL).await;
            let (Operator::Takes(state, error), Some(smpp_message_id)) = (does, id) else { continue };
            let receipt = Receipt {
                operator_id,
                smpp_message_id,
                state,
                error: error.to_owned(),
                meaning: None,
                done_at: None,
                received_at: Utc::now(),
                raw: Private::new(""),
                lookups: 0,
            };
            publish(world, queues::DLR, receipt).await;
            crate::ledger::pump(world, &Dlr::new(world.db.clone(), clock()), queues::DLR).await;
        }
    }
    if !world.queue.queues().await.unwrap().contains(&queues::deliver(system)) {
        return Vec::new();
    }
    delivered(world, system).await.into_iter().map(told).collect()
}

/// `registered_delivery`, what the operator does, and the receipts that follow.
type Row = (u8, Operator, &'static [(State, &'static str)]);

#[tokio::test(flavor = "multi_thread")]
async fn every_end_is_told_to_who_asked_and_to_nobody_else() {
    use Operator::{Refuses, Takes};
    use ReceiptState::{Delivered, Enroute, Expired, Rejected, Undeliverable};
    use State as S;
    let rows: [Row; 13] = [
        (0x01, Takes(Delivered, "000"), &[(S::Delivered, "000")]),
        (0x01, Takes(Undeliverable, "1"), &[(S::Undelivered, "001")]),
        (0x01, Takes(Expired, "0b2"), &[(S::Expired, "0b2")]),
        (0x01, Takes(Rejected, ""), &[(S::Undelivered, "000")]),
        (0x01, Refuses(0x0B), &[(S::Failed, "011")]),
        (0x02, Takes(Delivered, ""), &[]),
        (0x02, Takes(Undeliverable, ""), &[(S::Undelivered, "000")]),
        (0x02, Refuses(0x45), &[(S::Failed, "069")]),
        (0x03, Takes(Delivered, ""), &[(S::Delivered, "000")]),
        (0x03, Refuses(0x0B), &[]),
        (0x00, Takes(Delivered, ""), &[]),
        (0x11, Takes(Delivered, ""), &[(S::Sent, "000"), (S::Delivered, "000")]),
        (0x10, Takes(Enroute, ""), &[(S::Sent, "000"), (S::Buffered, "000")]),
    ];
    let rig = Rig::new().await;
    for (registered_delivery, does, expected) in rows {
        // Nobody has made the queue: the first receipt does.
        let message = Submission { registered_delivery, ..submission(&rig, SmppSystemId::generate()) };
        let found = walk(&rig, message, does).await;
        let found: Vec<(State, &str)> = found.iter().map(|r| (r.state, r.error.as_str())).collect();
        assert_eq!(found, expected, "{registered_delivery:#x}");
    }
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_says_what_the_customer_knows_the_message_by() {
    let rig = Rig::new().await;
    let told_id = MessageId::generate();
    let mut message = submission(&rig, SmppSystemId::generate());
    message.receipt_id = Some(told_id);
    message.text = Private::new("a text of more than twenty characters");
    message.fields.source = Some((5, 1));
    message.fields.destination = Some((2, 8));
    message.fields.tlvs = Octets(vec![0x02, 0x04, 0, 2, 0x12, 0x34]);
    let found = walk(&rig, message, Operator::Takes(ReceiptState::Delivered, "")).await;
    let [receipt] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((receipt.message_id, receipt.user_message_reference), (told_id, Some(0x1234)));
    assert_eq!((receipt.text.expose(), receipt.segments), ("a text of more than ", 1));
    let (to, from) = (&receipt.recipient, &receipt.sender);
    assert_eq!((to.ton, to.npi, to.addr.expose()), (2, 8, TO));
    assert_eq!((from.ton, from.npi, from.addr.expose()), (5, 1, "TestCompany"));
    let plain = submission(&rig, SmppSystemId::generate());
    let found = walk(&rig, plain, Operator::Takes(ReceiptState::Delivered, "")).await;
    assert_eq!((found[0].recipient.ton, found[0].recipient.npi, found[0].sender.ton), (1, 1, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_route_has_its_receipt_too() {
    let rig = Rig::new().await;
    set(&rig, "UPDATE operators SET enabled = false WHERE $1::uuid IS NOT NULL").await;
    let message = submission(&rig, SmppSystemId::generate());
    let found = walk(&rig, message, Operator::Refuses(0)).await;
    assert_eq!((found[0].state, found[0].error.as_str()), (State::Rejected, "901"));
    rig.world.assert_books_are_right().await;
}
