//! Who may say what in which state, and what is said of everything else: one row for each.

use smpp::pdu::{Bind, MessageResp, Outbind, Sm};
use smpp::{Body, CommandId, Status};

use crate::esme::{Esme, bind, sm};
use crate::rig::{NAME, PASSWORD, Rig, system};

/// The states that a peer can be in when it asks.
#[derive(Clone, Copy, Debug)]
enum In {
    Open,
    Tx,
    Rx,
    Trx,
}

async fn in_state(rig: &Rig, state: In) -> Esme {
    match state {
        In::Open => rig.connect().await,
        In::Tx => rig.bound(CommandId::BIND_TRANSMITTER).await,
        In::Rx => rig.bound(CommandId::BIND_RECEIVER).await,
        In::Trx => rig.bound(CommandId::BIND_TRANSCEIVER).await,
    }
}

/// A PDU of this command with these octets behind its header, and how it is answered in a state: nothing, or a command
/// and a status. After it the session goes on.
async fn check(rig: &Rig, state: In, (command, octets): (u32, &[u8]), expected: Option<(CommandId, Status)>) {
    let mut esme = in_state(rig, state).await;
    let length = u32::try_from(16 + octets.len()).unwrap();
    let header = [length, command, 0, 77].map(u32::to_be_bytes).concat();
    esme.raw(&[&header, octets].concat()).await;
    esme.send_as(&Body::EnquireLink, Status::ROK, 78).await;
    let mut got = Vec::new();
    while !got.iter().any(|got: &crate::esme::Got| got.number == 78) || got.len() < 1 + usize::from(expected.is_some())
    {
        got.push(esme.next().await);
    }
    // An enquiry is answered at once, a submit when it is durable.
    got.sort_by_key(|got| got.number);
    let got: Vec<_> = got.iter().map(|got| (got.command, got.status, got.number)).collect();
    let answer = expected.map(|(command, status)| (command, status, 77));
    let alive = (CommandId::ENQUIRE_LINK_RESP, Status::ROK, 78);
    let expected: Vec<_> = answer.into_iter().chain([alive]).collect();
    assert_eq!(got, expected, "{state:?} {command:#X} {octets:?}");
    if !matches!(state, In::Open) {
        esme.ask(&Body::Unbind).await;
        assert!(esme.is_closed().await);
    }
}

fn octets(body: &Body<'_>) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    smpp::encode(&mut out, Status::ROK, 0, body).unwrap();
    out[16..].to_vec()
}

#[tokio::test]
async fn requests_in_the_wrong_state_get_their_own_answer() {
    let rig = Rig::start(&system()).await;
    let submit = octets(&Body::SubmitSm(sm("998901234567", b"Hello")));
    let again = octets(&bind(CommandId::BIND_TRANSMITTER, Bind::new(NAME.as_bytes(), PASSWORD.as_bytes())));
    let (wrong, bound) = (Status::RINVBNDSTS, Status::RALYBND);
    for (state, command, body, status) in [
        (In::Open, CommandId::SUBMIT_SM, &submit[..], wrong),
        (In::Rx, CommandId::SUBMIT_SM, &submit, wrong),
        (In::Tx, CommandId::SUBMIT_SM, &submit, Status::ROK),
        (In::Trx, CommandId::SUBMIT_SM, &submit, Status::ROK),
        (In::Open, CommandId::DATA_SM, b"", wrong),
        (In::Rx, CommandId::DATA_SM, b"", wrong),
        (In::Open, CommandId::SUBMIT_MULTI, b"", wrong),
        (In::Rx, CommandId::SUBMIT_MULTI, b"", wrong),
        (In::Open, CommandId::QUERY_SM, b"", wrong),
        (In::Rx, CommandId::QUERY_SM, b"", wrong),
        (In::Rx, CommandId::CANCEL_SM, b"", wrong),
        (In::Rx, CommandId::REPLACE_SM, b"", wrong),
        (In::Open, CommandId::UNBIND, b"", wrong),
        (In::Tx, CommandId::BIND_TRANSMITTER, &again, bound),
        (In::Rx, CommandId::BIND_TRANSMITTER, &again, bound),
        (In::Trx, CommandId::BIND_RECEIVER, &again, bound),
        (In::Trx, CommandId::BIND_TRANSCEIVER, &again, bound),
        // What only an SMSC may ask.
        (In::Open, CommandId::DELIVER_SM, b"", wrong),
        (In::Trx, CommandId::DELIVER_SM, b"", wrong),
    ] {
        check(&rig, state, (command.0, body), Some((command.response(), status))).await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_nobody_knows_is_nacked_and_what_has_no_answer_gets_none() {
    let rig = Rig::start(&system()).await;
    let outbind = octets(&Body::Outbind(Outbind { system_id: b"x", password: b"y" }));
    let nack = Some((CommandId::GENERIC_NACK, Status::RINVCMDID));
    let response = octets(&Body::SubmitSmResp(MessageResp::new(b"1")));
    for state in [In::Open, In::Tx, In::Rx, In::Trx] {
        for (command, body, expected) in [
            (0x0000_0000, &b""[..], nack),
            (0x0000_000A, b"", nack),
            (0x0000_0107, b"text", nack),
            // The broadcasts of 5.0.
            (0x0000_0111, b"", nack),
            (0x0000_0112, b"", nack),
            (0x0000_0113, b"", nack),
            (0x0001_0200, b"vendor", nack),
            (CommandId::OUTBIND.0, &outbind, nack),
            (CommandId::ALERT_NOTIFICATION.0, b"\0\0\0\0\0\0", None),
            (CommandId::SUBMIT_SM_RESP.0, &response, None),
            (CommandId::DELIVER_SM_RESP.0, b"", None),
            (CommandId::UNBIND_RESP.0, b"", None),
            (0x8000_0111, b"", None),
            (0xFFFF_FFFF, b"", None),
            (CommandId::GENERIC_NACK.0, b"", None),
        ] {
            check(&rig, state, (command, body), expected).await;
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_broken_body_costs_one_answer() {
    let rig = Rig::start(&system()).await;
    let whole = octets(&Body::SubmitSm(sm("998901234567", b"Hello")));
    // sm_length stands before the five octets of the text.
    let mut long = whole.clone();
    let at = long.len() - 6;
    long[at] = 200;
    let mut short = whole.clone();
    short[at] = 3;
    let overrun = [&whole[..], b"\x14\x00\xFF\xFFx"].concat();
    let udhi = octets(&Body::SubmitSm(Sm { esm_class: 0x40, ..sm("998901234567", b"Hello") }));
    for (command, body, status) in [
        (CommandId::SUBMIT_SM, &b""[..], Status::RINVCMDLEN),
        (CommandId::SUBMIT_SM, &whole[..20], Status::RINVCMDLEN),
        (CommandId::SUBMIT_SM, &long, Status::RINVMSGLEN),
        (CommandId::SUBMIT_SM, &short, Status::RINVOPTPARSTREAM),
        (CommandId::SUBMIT_SM, &overrun, Status::RINVOPTPARSTREAM),
        (CommandId::SUBMIT_SM, &udhi, Status::RINVESMCLASS),
        (CommandId::SUBMIT_MULTI, b"\0\0\0\0\x01\x07", Status::RINVDESTFLAG),
        (CommandId::DATA_SM, b"", Status::RINVCMDLEN),
        (CommandId::QUERY_SM, b"", Status::RINVCMDLEN),
        (CommandId::CANCEL_SM, b"", Status::RINVCMDLEN),
        (CommandId::REPLACE_SM, b"", Status::RINVCMDLEN),
        // A body on what has none is nobody's harm.
        (CommandId::ENQUIRE_LINK, b"body", Status::ROK),
    ] {
        check(&rig, In::Trx, (command.0, body), Some((command.response(), status))).await;
    }
    rig.stop().await;
}
