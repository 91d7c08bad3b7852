//! The journey of a message that came over SMPP: customer, platform, operator, receipt, and back to the customer.

#[path = "../../../smpp-edge/tests/server/esme.rs"]
#[expect(dead_code, reason = "the edge's own tests use the rest")]
pub(super) mod esme;

use std::net::SocketAddr;

use serde_json::json;
use smpp::pdu::{Address, Bind, CancelSm, QuerySm, ReplaceSm, Sm};
use smpp::{Body, CommandId, Status};
use smsc::{Outcome, Profile, Rule};
use testkit::{eventually, until_some};

use self::esme::{Esme, Got};
use super::{BAD_NUMBER, BALANCE, JOURNEY, RESELLER, balance};
use crate::chappe::{
    Chappe, Company, Leftovers, ON_DELIVERY, ON_SUBMIT, OperatorIs, SENDER, Story, on_every_backend, smsc,
};

/// The name that the customer binds by.
pub(super) const NAME: &str = "shop";
/// What the client pays for a segment that is charged on submit.
const PRICE: i64 = 80_000_000;

/// A system of the client; answers its password.
pub(super) async fn system(company: &Company, more: serde_json::Value) -> String {
    let mut new = json!({"system_id": NAME, "account_id": company.client.to_string()});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    company.admin.post("/v1/smpp/systems", new).await["password"].as_str().unwrap().to_owned()
}

/// Binds at `addr`, as soon as the edge has heard of the system.
pub(super) async fn bound(addr: SocketAddr, password: &str, command: CommandId) -> Esme {
    until_some(JOURNEY, async || {
        let mut esme = Esme::connect(addr).await;
        let got = esme.ask(&esme::bind(command, Bind::new(NAME.as_bytes(), password.as_bytes()))).await;
        (got.status == Status::ROK).then_some(esme)
    })
    .await
}

pub(super) fn sm<'a>(to: &'a str, text: &'a [u8]) -> Sm<'a> {
    Sm { source: Address::new(5, 0, SENDER.as_bytes()), ..esme::sm(to, text) }
}

/// The id of the HTTP API.
fn full(id: &str) -> String {
    format!("msg_{id}")
}

/// Takes a receipt: the id that it names, and its state in words.
async fn receipt(esme: &mut Esme) -> (String, String) {
    let got = esme.next().await;
    let (id, state) = told(&got);
    esme.answer(&got, Status::ROK).await;
    (id, state)
}

/// The same of what came: the id, and the state.
pub(super) fn told(got: &Got) -> (String, String) {
    let text = String::from_utf8(got.sm().short_message.to_vec()).unwrap();
    let field = |name: &str| text.split(name).nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    (field("id:"), field("stat:"))
}

/// An operator whose answers follow the last digits of a number.
async fn operator(company: &Company) -> smsc::Smsc {
    let rule = |suffix: &str, rule: Rule| Rule { suffix: suffix.to_owned(), ..rule };
    let receipt = |outcome| Rule { outcome: Some(outcome), ..Rule::default() };
    let rules = vec![
        rule("02", receipt(Outcome::Undelivered)),
        rule("03", Rule { status: Some(BAD_NUMBER), ..Rule::default() }),
        rule("04", receipt(Outcome::Expired)),
    ];
    let operator = smsc(Profile { rules, ..Profile::default() }).await;
    company.operator(&operator, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    operator
}

on_every_backend! {
    async fn every_end_comes_back_as_a_receipt_and_the_money_is_exact(backend) {
        let chappe = Chappe::on(backend).await;
        let company = Company::found(&chappe).await;
        let carrier = operator(&company).await;
        let password = system(&company, json!({})).await;
        let mut esme = bound(chappe.smpp(), &password, CommandId::BIND_TRANSCEIVER).await;
        // The network that charges on delivery has no operator: no route.
        let rows = [
            (format!("{}0000001", ON_SUBMIT.prefix), "DELIVRD", 1),
            (format!("{}0000002", ON_SUBMIT.prefix), "UNDELIV", 1),
            (format!("{}0000003", ON_SUBMIT.prefix), "UNDELIV", 0),
            (format!("{}0000004", ON_SUBMIT.prefix), "EXPIRED", 1),
            (format!("{}0000001", ON_DELIVERY.prefix), "REJECTD", 0),
        ];
        let mut paid = 0;
        for (to, state, segments) in &rows {
            let answer = esme.ask(&Body::SubmitSm(sm(to, b"Hello"))).await;
            assert_eq!(answer.status, Status::ROK, "{to}");
            let (id, told) = receipt(&mut esme).await;
            assert_eq!((id, told.as_str()), (answer.id(), *state), "{to}");
            let story = Story::of(&company.sender, &full(&answer.id())).await;
            assert_eq!((&story.0["to"], &story.0["text"]), (&json!(format!("+{to}")), &json!("Hello")));
            paid += segments;
        }
        assert_eq!(carrier.shown(&rows[0].0)[0].text, "Hello");
        let refused = esme.ask(&Body::SubmitSm(sm("12", b"Hello"))).await;
        assert_eq!(refused.status, Status::RINVDSTADR);
        chappe.assert_settled(JOURNEY, Leftovers::default()).await;
        assert_eq!(balance(&company, company.client).await, (BALANCE - paid * PRICE, 0));
        assert_eq!(balance(&company, company.reseller).await, (BALANCE - paid * RESELLER, 0));
        let session = until_some(JOURNEY, async || {
            let sessions = company.sender.get("/v1/smpp/sessions").await;
            sessions["data"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
        company.sender.ask(http::Method::DELETE, &format!("/v1/smpp/sessions/{session}"), None, None).await.unwrap();
        assert_eq!(esme.next().await.command, CommandId::UNBIND, "somebody wants the session closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_wait_for_their_customer_and_come_in_order() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let _carrier = operator(&company).await;
    let password = system(&company, json!({"id_form": "hex"})).await;
    let mut sending = bound(chappe.smpp(), &password, CommandId::BIND_TRANSMITTER).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let to = format!("{}00{number}01", ON_SUBMIT.prefix);
        let answer = sending.ask(&Body::SubmitSm(sm(&format!("{to}00"), b"Hello"))).await;
        assert_eq!(answer.status, Status::ROK);
        ids.push(answer.id());
        let ended = i64::try_from(ids.len()).unwrap();
        eventually(JOURNEY, async || {
            chappe.count("SELECT count(*) FROM messages WHERE state = 'delivered'").await == ended
        })
        .await;
    }
    let mut receiving = bound(chappe.smpp(), &password, CommandId::BIND_RECEIVER).await;
    let mut found = Vec::new();
    for _ in &ids {
        found.push(receipt(&mut receiving).await.0);
    }
    assert_eq!(found, ids);
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_is_looked_at_replaced_canceled_or_sent() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let carrier = operator(&company).await;
    let password = system(&company, json!({})).await;
    let mut esme = bound(chappe.smpp(), &password, CommandId::BIND_TRANSCEIVER).await;
    let source = || Address::new(5, 0, SENDER.as_bytes());
    let to = format!("{}0000001", ON_SUBMIT.prefix);
    // In an hour, relative; and in two seconds.
    let later = Sm { schedule_delivery_time: b"000000010000000R", ..sm(&to, b"later") };
    let soon = Sm { schedule_delivery_time: b"000000000002000R", ..sm(&to, b"soon") };
    let later = esme.ask(&Body::SubmitSm(later)).await.id();
    let query = async |esme: &mut Esme, id: &str| {
        let got = esme.ask(&Body::QuerySm(QuerySm { message_id: id.as_bytes(), source: source() })).await;
        match (got.status, got.body()) {
            (Status::ROK, Body::QuerySmResp(found)) => found.message_state,
            other => panic!("{other:?}"),
        }
    };
    query(&mut esme, &later).await;
    let replace =
        ReplaceSm { message_id: later.as_bytes(), source: source(), short_message: b"never", ..ReplaceSm::default() };
    assert_eq!(esme.ask(&Body::ReplaceSm(replace)).await.status, Status::ROK);
    assert_eq!(Story::of(&company.sender, &full(&later)).await.0["text"], "never");
    let cancel = CancelSm { message_id: later.as_bytes(), source: source(), ..CancelSm::default() };
    // Its receipt may come before the answer.
    let number = esme.send(&Body::CancelSm(cancel)).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let got = esme.next().await;
        if got.command == CommandId::DELIVER_SM {
            assert_eq!(told(&got), (later.clone(), "DELETED".to_owned()));
            esme.answer(&got, Status::ROK).await;
        } else {
            assert_eq!((got.number, got.status), (number, Status::ROK));
        }
        seen.push(got.command);
    }
    let again = CancelSm { message_id: later.as_bytes(), source: source(), ..CancelSm::default() };
    assert_eq!(esme.ask(&Body::CancelSm(again)).await.status, Status::RCANCELFAIL);
    assert_eq!(query(&mut esme, &later).await, 4, "DELETED");
    let soon = esme.ask(&Body::SubmitSm(soon)).await.id();
    assert!(carrier.shown(&to).is_empty(), "it waits for its time");
    assert_eq!(receipt(&mut esme).await, (soon, "DELIVRD".to_owned()));
    assert_eq!(carrier.shown(&to)[0].text, "soon");
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!(balance(&company, company.client).await, (BALANCE - PRICE, 0));
}
