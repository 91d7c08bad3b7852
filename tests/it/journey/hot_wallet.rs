//! One wallet that many customers empty at the same time, over HTTPS and SMPP together: it pays for exactly as many messages
//! as it has money for, and never for one more.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use smpp::pdu::Bind;
use smpp::{Body, CommandId, Status};
use smsc::Profile;

use super::customers::{esme::Esme, esme::bind, sm};
use super::{JOURNEY, balance};
use crate::chappe::{Api, Chappe, Company, Leftovers, ON_SUBMIT, OperatorIs, SENDER, smsc};

/// Half of them send over HTTPS, half over SMPP.
const TASKS: u64 = 64;
/// How many messages the wallet can pay for, and how many each task sends: half as many again together.
const AFFORDABLE: u64 = 512;
const OF_EACH: u64 = 12;
/// What a segment costs.
const PRICE: u64 = 80;
/// SMPP `ESME_RSUBMITFAIL`: what a customer without money is told.
const NO_CREDIT: Status = Status(0x45);

/// What became of the messages of one task.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    accepted: u64,
    without_credit: u64,
}

fn number(of: u64) -> String {
    format!("{}{of:07}", ON_SUBMIT.prefix)
}

async fn over_https(api: &Api, task: u64) -> Told {
    let mut told = Told::default();
    for message in 0..OF_EACH {
        let body = json!({"to": format!("+{}", number(task * OF_EACH + message)), "from": SENDER, "text": "Hello"});
        let answer = api.ask(Method::POST, "/v1/messages", Some(&body), None).await.unwrap();
        match answer.status {
            StatusCode::CREATED => told.accepted += 1,
            StatusCode::PAYMENT_REQUIRED if answer.body["code"] == "insufficient_credit" => told.without_credit += 1,
            other => panic!("{other}: {}", answer.body),
        }
    }
    told
}

async fn over_smpp(esme: &mut Esme, task: u64) -> Told {
    let mut told = Told::default();
    for message in 0..OF_EACH {
        let to = number(task * OF_EACH + message);
        let mut sm = sm(&to, b"Hello");
        sm.registered_delivery = 0;
        match esme.ask(&Body::SubmitSm(sm)).await.status {
            Status::ROK => told.accepted += 1,
            NO_CREDIT => told.without_credit += 1,
            other => panic!("{other:?}"),
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_64_customers_empty_at_once_pays_for_exactly_what_it_holds() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let carrier = smsc(Profile::default()).await;
    company.operator(&carrier, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    let client = company.one_more(&(AFFORDABLE * PRICE).to_string()).await;
    let api = company.key(&chappe, client).await;
    let system = json!({"system_id": "hot", "account_id": client.to_string(), "transmitters": TASKS / 2});
    let password = company.admin.post("/v1/smpp/systems", system).await["password"].as_str().unwrap().to_owned();
    let bound = async || {
        let mut esme = Esme::connect(chappe.smpp()).await;
        let body = bind(CommandId::BIND_TRANSMITTER, Bind::new(b"hot", password.as_bytes()));
        (esme.ask(&body).await.status == Status::ROK).then_some(esme)
    };
    let mut sessions = vec![testkit::until_some(JOURNEY, bound).await];
    while sessions.len() < usize::try_from(TASKS / 2).unwrap() {
        sessions.push(bound().await.expect("one more bind"));
    }
    let https = join_all((0..TASKS / 2).map(|task| over_https(&api, task)));
    let smpp = join_all(sessions.iter_mut().zip(TASKS / 2..).map(|(esme, task)| over_smpp(esme, task)));
    let (https, smpp) = futures_util::future::join(https, smpp).await;
    let of = |told: &[Told]| told.iter().map(|told| told.accepted).sum::<u64>();
    assert!(of(&https) > 0 && of(&smpp) > 0, "both ways are served: {} and {}", of(&https), of(&smpp));
    assert_eq!(of(&https) + of(&smpp), AFFORDABLE);
    let refused: u64 = https.iter().chain(&smpp).map(|told| told.without_credit).sum();
    assert_eq!(refused, TASKS * OF_EACH - AFFORDABLE);
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!(balance(&company, client).await, (0, 0));
    assert_eq!(chappe.count("SELECT count(*) FROM messages WHERE state = 'delivered'").await, 512);
}
