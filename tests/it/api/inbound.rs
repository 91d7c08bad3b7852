//! Rules of numbers, and opt-outs by hand.

use serde_json::{Value, json};

use super::rig::{Rig, send};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_can_say() {
    let rig = Rig::new().await;
    let url = "https://example.com/inbound";
    let good = json!({"account_id": rig.world.client, "number": "+44 00", "url": url, "keyword": "news"});
    let with = |changes: Value| {
        let mut body = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let nobody = "sys_01m835qrr3ef4as1ezrrh37jmz";
    let rows = [
        (with(json!({"number": ""})), "/number"),
        (with(json!({"number": "123456789012345678901"})), "/number"),
        (with(json!({"keyword": "two words"})), "/keyword"),
        (with(json!({"keyword": ""})), "/keyword"),
        (with(json!({"keyword": "-x-"})), "/keyword"),
        (with(json!({"url": "http://127.0.0.1/"})), "/url"),
        (with(json!({"url": null})), "/url"),
        (with(json!({"smpp_system_id": nobody})), "/smpp_system_id"),
        (with(json!({"operator_id": "op_01m835qrr3ef4as1ezrrh37jmz"})), "/operator_id"),
        (with(json!({"stop_words": ["two words"]})), "/stop_words"),
        (with(json!({"stop_words": vec!["x"; 51]})), "/stop_words"),
        (with(json!({"keyward": "x"})), "/keyward"),
    ];
    for (body, pointer) in rows {
        let answer = rig.post(&rig.house, "/v1/inbound-rules", &body).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body} {answer:?}");
    }
    let made = rig.post(&rig.house, "/v1/inbound-rules", &good).await.expect(201).json();
    assert_eq!((&made["number"], &made["keyword"]), (&json!("4400"), &json!("NEWS")));
    let same = rig.post(&rig.house, "/v1/inbound-rules", &with(json!({"keyword": "News"}))).await;
    assert_eq!(same.refusal(), (409, "conflict".to_owned()));
    let path = format!("/v1/inbound-rules/{}", made["id"].as_str().unwrap());
    let change = async |body: Value| rig.call("PATCH", &path, Some(&rig.client), Some(&body)).await;
    let changed =
        change(json!({"url": "https://example.org/", "stop_words": ["стоп", "to‘xta"]})).await.expect(200).json();
    assert_eq!((&changed["url"], &changed["stop_words"]), (&json!("https://example.org/"), &json!(["СТОП", "TO'XTA"])));
    assert_eq!(change(json!({"url": ""})).await.refusal().0, 400, "it must lead somewhere");
    assert_eq!(rig.get(&rig.client, &path).await.expect(200).json(), changed);
    assert_eq!(rig.get(&rig.client, "/v1/inbound-rules").await.expect(200).json()["data"][0], changed);
    rig.call("DELETE", &path, Some(&rig.house), None).await.expect(204);
    assert_eq!(rig.get(&rig.client, &path).await.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_by_hand_is_in_force_at_once_and_can_be_taken_back() {
    let rig = Rig::new().await;
    let number = "+998931234567";
    for _ in 0..2 {
        let made =
            rig.post(&rig.reseller, "/v1/opt-outs", &json!({"number": number, "account_id": rig.world.client})).await;
        assert_eq!(made.expect(201).text("number"), number);
    }
    assert_eq!(rig.post(&rig.client, "/v1/opt-outs", &json!({"number": "x"})).await.refusal().1, "invalid_number");
    assert_eq!(rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.refusal().1, "recipient_opted_out");
    let listed = rig.get(&rig.client, "/v1/opt-outs?number=998931234567").await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert!(listed["data"][0]["source"].as_str().unwrap().starts_with("key_"));
    let path = format!("/v1/opt-outs/{number}");
    rig.call("DELETE", &path, Some(&rig.client), None).await.expect(204);
    assert_eq!(rig.call("DELETE", &path, Some(&rig.client), None).await.refusal().0, 404);
    rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201);
}
