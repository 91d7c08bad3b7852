//! Two edges share an operator, and a customer is bound to one of them: what came in at either is for its bind.

use std::collections::BTreeSet;

use serde_json::json;
use smpp::{Body, CommandId, Status};
use smsc::{Mobile, Profile};
use testkit::{Redis, eventually};

use super::JOURNEY;
use super::customers::esme::Esme;
use super::customers::{NAME, bound, sm, system, told};
use crate::chappe::{Chappe, Company, Leftovers, ON_SUBMIT, OperatorIs, SYSTEM_ID, smsc_of};

/// One bind of the operator for each edge.
const SHARED: OperatorIs = OperatorIs { binds: 2, window: 5, tps: 50, ..OperatorIs::simple("Ucell", ON_SUBMIT, "50") };
/// What handsets write to.
const CODE: &str = "4400";
/// Messages at a time: more than one bind takes by itself.
const MESSAGES: u32 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_messages_of_handsets_reach_the_edge_that_holds_the_bind() {
    let (chappe, redis) = (Chappe::without_edge().await, Redis::start().await);
    let company = Company::found(&chappe).await;
    let edges = ["one", "two"].map(|name| chappe.start_edge(name, &redis.url()));
    let carrier = smsc_of(Profile::default(), SHARED.binds.into()).await;
    company.operator(&carrier, SHARED).await;
    let each = "SELECT count(*) FROM operator_binds WHERE bound = 1";
    eventually(JOURNEY, async || chappe.count(each).await == 2).await;
    let password = system(&company, json!({})).await;
    let systems = company.admin.get("/v1/smpp/systems").await;
    let system = systems["data"].as_array().unwrap().iter().find(|system| system["system_id"] == NAME).unwrap();
    let rule = json!({"account_id": company.client, "number": CODE, "smpp_system_id": system["id"]});
    company.admin.make("/v1/inbound-rules", rule).await;
    // To the one, then to the other.
    for edge in edges.iter().rev() {
        let mut esme = bound(edge.smpp(), &password, CommandId::BIND_TRANSCEIVER).await;
        gets_its_receipts(&mut esme).await;
        for bind in 0..2 {
            let from = format!("{}000000{bind}", ON_SUBMIT.prefix);
            let text = format!("Hello by bind {bind}");
            let mobile = Mobile { source: from.clone(), destination: CODE.to_owned(), text: text.clone(), ..by(bind) };
            carrier.send_mo(SYSTEM_ID, &mobile).unwrap();
            let got = esme.next().await;
            assert_eq!(got.sm().source.addr, from.as_bytes());
            assert_eq!(got.sm().short_message, text.as_bytes());
            esme.answer(&got, Status::ROK).await;
        }
        assert_eq!(esme.ask(&Body::Unbind).await.status, Status::ROK);
    }
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
}

fn by(bind: usize) -> Mobile {
    Mobile { binds: vec![bind], ..Mobile::default() }
}

/// Sends, and gets a receipt for each: those that come before the last answer too.
async fn gets_its_receipts(esme: &mut Esme) {
    let (mut accepted, mut receipts) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..MESSAGES {
        let to = format!("{}1{number:06}", ON_SUBMIT.prefix);
        esme.send(&Body::SubmitSm(sm(&to, b"Hello"))).await;
    }
    while accepted.len() + receipts.len() < 2 * usize::try_from(MESSAGES).unwrap() {
        let got = esme.next().await;
        if got.command == CommandId::SUBMIT_SM_RESP {
            assert_eq!(got.status, Status::ROK);
            accepted.insert(got.id());
            continue;
        }
        let (id, state) = told(&got);
        assert_eq!(state, "DELIVRD");
        receipts.insert(id);
        esme.answer(&got, Status::ROK).await;
    }
    assert_eq!(accepted, receipts);
}
