//! What a handset sends, on its way to a customer's webhook.

use chrono::Utc;
use contract::{Alphabet, InboundPart, Octets, PartOf, WireAddress, queues, seal};
use domain::{OperatorId, Private};
use serde_json::json;
use smsc::Profile;
use testkit::eventually;
use uuid::Uuid;

use super::JOURNEY;
use crate::chappe::{Chappe, Company, Hook, Leftovers, ON_SUBMIT, OperatorIs, smsc};

fn part(operator: OperatorId, octets: &[u8], part_of: Option<PartOf>) -> InboundPart {
    let address = |ton, addr: &str| WireAddress { ton, npi: 1, addr: Private::new(addr) };
    InboundPart {
        id: Uuid::now_v7(),
        operator_id: operator,
        from: address(1, "998930000001"),
        to: address(3, "4400"),
        alphabet: Alphabet::Ucs2,
        octets: Octets(octets.to_vec()),
        header_bytes: 6,
        part_of,
        data_coding: 8,
        tlvs: Octets::default(),
        received_at: Utc::now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_reaches_the_webhook_whole_and_stop_stops() {
    let (chappe, hook) = (Chappe::start().await, Hook::start().await);
    let company = Company::found(&chappe).await;
    let carrier = smsc(Profile::default()).await;
    let operator = company.operator(&carrier, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    let operator: OperatorId = operator.parse().unwrap();
    let rule =
        json!({"account_id": company.client, "number": "4400", "url": hook.url("127.0.0.1"), "keyword": "салом"});
    let rule = company.admin.make("/v1/inbound-rules", rule).await;
    let text = "Салом 🙂 дунё";
    let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    // The cut goes through the pair of the smiley.
    let (first, second) = octets.split_at(14);
    let of = |part| Some(PartOf { reference: 300, wide: true, total: 2, part });
    for (octets, place) in [(second, 2), (first, 1)] {
        let sealed = seal(&[part(operator, octets, of(place))], Utc::now()).unwrap();
        chappe.publish(queues::INBOUND, sealed).await;
    }
    eventually(JOURNEY, async || hook.received().len() == 1).await;
    let stop: Vec<u8> = "стоп Салом".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let words = json!({"stop_words": ["Стоп"]});
    company.admin.patch(&format!("/v1/inbound-rules/{rule}"), words).await;
    chappe.publish(queues::INBOUND, seal(&[part(operator, &stop, None)], Utc::now()).unwrap()).await;
    eventually(JOURNEY, async || hook.received().len() == 2).await;
    let requests = hook.received();
    for request in &requests {
        request.assert_signed(&company.webhook_secret);
    }
    let body = requests[0].body();
    assert_eq!(body["type"], "message.inbound");
    let data = &body["data"];
    for (field, expected) in [
        ("account_id", json!(company.client)),
        ("from", json!("+998930000001")),
        ("to", json!("4400")),
        ("text", json!(text)),
        ("encoding", json!("ucs2")),
        ("parts", json!(2)),
        ("partial", json!(false)),
        ("keyword", json!("САЛОМ")),
        ("action", json!(null)),
    ] {
        assert_eq!(data[field], expected, "{field}");
    }
    assert_eq!(requests[1].body()["data"]["action"], "opt_out");
    let id = data["id"].as_str().unwrap();
    let listed = company.admin.get(&format!("/v1/inbound-messages/{id}")).await;
    assert_eq!((&listed["text"], &listed["rule_id"]), (&json!(text), &json!(rule)));
    let opted_out = company.admin.get("/v1/opt-outs").await;
    assert_eq!(opted_out["data"][0]["number"], "+998930000001");
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
}
