//! What an export tells of a long message is what was on the wire.

use chrono::{TimeDelta, Utc};
use domain::MessageId;
use serde_json::{Value, json};
use smpp::udh::Reference;
use smsc::Profile;
use testkit::eventually;

use super::JOURNEY;
use crate::chappe::{Chappe, Company, Leftovers, ON_SUBMIT, OperatorIs, smsc};

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_long_message_are_exported_with_the_reference_that_the_operator_saw() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let carrier = smsc(Profile::default()).await;
    let operator = company.operator(&carrier, OperatorIs::simple("Ucell", ON_SUBMIT, "50")).await;
    // Another message before, so that the reference is not the first.
    company.send("998930000001", &"a".repeat(200)).await;
    let id = company.send("998930000002", &"b".repeat(200)).await;
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;

    let (from, to) = (Utc::now() - TimeDelta::hours(1), Utc::now() + TimeDelta::hours(1));
    let asked = json!({"kind": "cdr", "from": from, "to": to, "format": "ndjson"});
    let path = format!("/v1/exports/{}", company.admin.make("/v1/exports", asked).await);
    eventually(JOURNEY, async || company.admin.get(&path).await["state"] == "done").await;
    let file = company.admin.text(&format!("{path}/download")).await;
    let records: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);

    let record = records.iter().find(|record| record["message_id"] == id).unwrap();
    let seen: Vec<_> = carrier.log().into_iter().filter(|one| &*one.destination == b"998930000002").collect();
    assert_eq!(seen.len(), 2);
    for (segment, seen) in (1..).zip(&seen) {
        let concat = seen.part.unwrap();
        let reference = match concat.reference {
            Reference::Bits8(reference) => u16::from(reference),
            Reference::Bits16(reference) => reference,
        };
        let parts = record["parts"].as_array().unwrap();
        let part = parts.iter().find(|part| part["smpp_message_id"] == seen.message_id()).unwrap();
        let numbers = ["udh_reference", "udh_part", "udh_total", "segment"].map(|member| part[member].clone());
        assert_eq!(numbers, [json!(reference), json!(concat.part), json!(2), json!(segment)]);
        assert_eq!(part["operator_id"], operator);
        assert!(part["receipt"].as_str().unwrap().contains("stat:DELIVRD"), "{part}");
    }
    let references: Vec<&Value> = records.iter().map(|record| &record["parts"][0]["udh_reference"]).collect();
    assert_ne!(references[0], references[1], "each message has its own");
    let parsed: MessageId = id.parse().unwrap();
    let stored: Vec<(i32, i16, i16)> = sqlx::query_as(
        "SELECT udh_reference, udh_part, udh_total FROM message_parts WHERE message_id = $1 ORDER BY segment",
    )
    .bind(parsed.uuid())
    .fetch_all(chappe.db().pool())
    .await
    .unwrap();
    assert_eq!(stored.iter().map(|(_, part, total)| (*part, *total)).collect::<Vec<_>>(), [(1, 2), (2, 2)]);
    assert_eq!(stored[0].0, stored[1].0, "both parts hold one reference");
}
