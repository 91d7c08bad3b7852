//! Price lists as files, prices made from costs, and what would lose money.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};

use super::rate_sheets::{carried, midnight, text};
use super::rig::Rig;

impl Rig {
    /// The plan by which an account sells.
    async fn plan_of(&self, seller: domain::AccountId) -> String {
        let plans = self.get(&self.house, "/v1/tariff-plans").await.expect(200).json();
        let own = |plan: &&Value| plan["account_id"] == seller.to_string();
        plans["data"].as_array().unwrap().iter().find(own).unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// The lines of an answer in CSV.
    async fn csv(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Vec<String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::ACCEPT, "text/csv")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())));
        let answer = self.raw(request.unwrap()).await.expect(200);
        assert!(answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/csv; charset=utf-8"));
        String::from_utf8(answer.bytes.to_vec()).unwrap().lines().map(str::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_exports_what_it_pays_with_all_that_is_to_come() {
    let rig = Rig::new().await;
    let plan = rig.plan_of(rig.world.reseller).await;
    sqlx::query("UPDATE mcc_mnc_prefixes SET operator_name = '=HYPERLINK(\"http://x\")' WHERE mnc = '05'")
        .execute(rig.world.pool())
        .await
        .unwrap();
    let later = text(midnight(3));
    let price = json!({"plan_id": plan, "mcc": "434", "mnc": "05", "price": "81", "effective_from": later});
    rig.post(&rig.reseller, "/v1/tariffs", &price).await.expect(201);
    let later = later.replace('Z', ".000Z");
    let expected = [
        "mcc,mnc,network,traffic_class,price,currency,charge_on,effective_from,effective_to".to_owned(),
        "434,04,Beeline,,90.00,UZS,delivered,2020-01-01T00:00:00.000Z,".to_owned(),
        format!("434,05,\"'=HYPERLINK(\"\"http://x\"\")\",,80.00,UZS,submit,2020-01-01T00:00:00.000Z,{later}"),
        format!("434,05,\"'=HYPERLINK(\"\"http://x\"\")\",,81.00,UZS,submit,{later},"),
    ];
    assert_eq!(rig.csv(&rig.client, "GET", "/v1/price-lists/mine", None).await, expected);
    assert_eq!(rig.csv(&rig.reseller, "GET", &format!("/v1/price-lists/{plan}"), None).await, expected);
    let above = format!("/v1/price-lists/{}", rig.plan_of(rig.world.house).await);
    assert_eq!(rig.get(&rig.client, &above).await.refusal().0, 404, "what others pay is not for it");
    let at = text(midnight(4));
    let then = rig.csv(&rig.client, "GET", &format!("/v1/price-lists/mine?at={at}"), None).await;
    assert_eq!(then.len(), 3, "what is over then is left out");
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_made_from_costs_looked_at_and_published_at_once() {
    let rig = Rig::new().await;
    let plan = rig.plan_of(rig.world.house).await;
    let rate =
        json!({"operator_id": rig.world.operators[0], "mcc": "434", "mnc": "05", "price": "41.001", "currency": "UZS"});
    rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201);
    let rate = json!({"operator_id": rig.world.operators[0], "mcc": "250", "price": "1", "currency": "RUB"});
    rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201);
    let mut ask = json!({"effective_from": text(midnight(2)), "rules": [
        {"margin_permille": 200, "step": "0.01"},
        {"mcc": "434", "mnc": "05", "margin_permille": 100, "add": "1", "min": "46.5", "step": "0.5"},
    ]});
    let path = format!("/v1/price-lists/{plan}/proposal");
    let proposal = rig.post(&rig.house, &path, &ask).await.expect(200).json();
    let short = |one: &Value| {
        let part = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
        format!(
            "{}{} {} {} -> {} {}",
            part("mcc"),
            part("mnc"),
            part("cost"),
            part("old_price"),
            part("price"),
            part("change")
        )
    };
    let told: Vec<String> = proposal["prices"].as_array().unwrap().iter().map(short).collect();
    // 41.001 and a tenth and one are 46.1011, but 46.50 at least; the default is the cheaper operator's 45 and a fifth.
    assert_eq!(told, ["434- 45.00 60.00 -> 54.00 down", "43405 41.001 60.00 -> 46.50 new"]);
    assert_eq!(proposal["not_comparable"], 1, "roubles");
    let lines = rig.csv(&rig.house, "POST", &path, Some(&ask)).await;
    assert_eq!(lines.len(), 3);
    assert!(lines[2].ends_with(",60.00,46.50,5.499,UZS,new"), "{}", lines[2]);

    let publish = format!("/v1/price-lists/{plan}/publish");
    assert_eq!(rig.post(&rig.house, &publish, &ask).await.refusal(), (409, "conflict".to_owned()), "looked at first");
    ask["fingerprint"] = proposal["fingerprint"].clone();
    let published = rig.post(&rig.house, &publish, &ask).await.expect(200).json();
    assert_eq!(published["published"], 2);
    let count = "SELECT count(*) FROM tariffs WHERE price_micros IN (54000000, 46500000)";
    assert_eq!(rig.world.count(count).await, 2);
    assert_eq!(rig.post(&rig.house, &publish, &ask).await.refusal().0, 409, "the prices are others now");
    let again = rig.post(&rig.house, &path, &ask).await.expect(200).json();
    assert!(again["prices"].as_array().unwrap().iter().all(|one| one["change"] == "unchanged"), "{again}");

    // A reseller's costs are what it pays itself; who carries messages is not for it.
    let own = format!("/v1/price-lists/{}/proposal", rig.plan_of(rig.world.reseller).await);
    let ask = json!({"rules": [{"margin_permille": 500}]});
    let proposal = rig.post(&rig.reseller, &own, &ask).await.expect(200).json();
    let one = &proposal["prices"][0];
    assert_eq!((&one["cost"], &one["price"], &one["operator_id"]), (&json!("60.00"), &json!("90.00"), &Value::Null));
    assert_eq!(rig.post(&rig.reseller, &path, &ask).await.refusal().0, 404, "what it pays it does not sell by");
    assert_eq!(rig.post(&rig.client, &own, &ask).await.refusal().0, 403);

    let wrong = json!({"effective_from": "2020-01-01T00:00:00Z", "charge_on": "never", "rules": [
        {"mnc": "05"}, {"mcc": "43", "step": "0"}, {"add": "-1"}, {}, {}]});
    let refused = rig.post(&rig.house, &path, &wrong).await.expect(400).json();
    let told: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    let expected = ["/effective_from", "/charge_on", "/rules/0/mcc", "/rules/1/mcc", "/rules/2/add", "/rules/4"];
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_lose_money_tomorrow_is_told_today() {
    let rig = Rig::new().await;
    carried(&rig, "43405", 3).await;
    carried(&rig, "43405", 2).await;
    let nothing = rig.get(&rig.house, "/v1/reports/losses").await.expect(200).json();
    assert_eq!((&nothing["data"], &nothing["at"]), (&json!([]), &json!(text(midnight(1)).replace('Z', ".000Z"))));
    let rate = json!({"operator_id": rig.world.operators[0], "mcc": "434", "price": "70", "currency": "UZS",
        "effective_from": text(midnight(2))});
    rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201);
    let losses = rig.get(&rig.house, "/v1/reports/losses").await.expect(200).json();
    let loss = &losses["data"][0];
    for (name, expected) in [
        ("from", json!(text(midnight(2)).replace('Z', ".000Z"))),
        ("account_id", json!(rig.world.reseller)),
        ("mcc", json!("434")),
        ("mnc", json!("05")),
        ("operator", json!("Ucell")),
        ("segments", json!(5)),
        ("earned", json!("60.00")),
        ("cost", json!("70.00")),
        ("cheapest_operator", json!("Beeline")),
        ("cheapest_cost", json!("45.00")),
        ("is_avoidable", json!(true)),
        ("loss_per_segment", json!("10.00")),
        ("loss", json!("50.00")),
    ] {
        assert_eq!(loss[name], expected, "{name}");
    }
    let csv = rig.csv(&rig.house, "GET", "/v1/reports/losses", None).await;
    assert_eq!(csv.len(), 2);
    assert!(csv[1].ends_with(",434,05,,Ucell,5,UZS,60.00,70.00,Beeline,45.00,10.00,50.00"), "{}", csv[1]);
    // A price that is to come and covers it in time.
    let plan = rig.plan_of(rig.world.house).await;
    let price = json!({"plan_id": plan, "mcc": "434", "price": "75", "effective_from": text(midnight(2))});
    rig.post(&rig.house, "/v1/tariffs", &price).await.expect(201);
    assert_eq!(rig.get(&rig.house, "/v1/reports/losses").await.expect(200).json()["data"], json!([]));
    assert_eq!(rig.get(&rig.house, "/v1/reports/losses?at=2020-01-01T00:00:00Z").await.refusal().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_class_of_traffic_loses_by_its_own_rates_and_prices() {
    let rig = Rig::new().await;
    carried(&rig, "43405", 3).await;
    carried(&rig, "43405", 2).await;
    sqlx::query("UPDATE sms_cdr SET traffic_class = 'otp' WHERE segments = 2").execute(rig.world.pool()).await.unwrap();
    let rate = json!({"operator_id": rig.world.operators[0], "mcc": "434", "traffic_class": "otp", "price": "70",
        "currency": "UZS", "effective_from": text(midnight(2))});
    rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201);
    let losses = rig.get(&rig.house, "/v1/reports/losses").await.expect(200).json();
    let told: Vec<(&Value, &Value, &Value)> = losses["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|loss| (&loss["traffic_class"], &loss["segments"], &loss["loss"]))
        .collect();
    assert_eq!(told, [(&json!("otp"), &json!(2), &json!("20.00"))], "what is of no class goes by the rate of before");
    let csv = rig.csv(&rig.house, "GET", "/v1/reports/losses", None).await;
    assert!(csv[1].contains(",434,05,otp,Ucell,2,"), "{}", csv[1]);
    let plan = rig.plan_of(rig.world.house).await;
    let price = |class: &str| json!({"plan_id": plan, "mcc": "434", "traffic_class": class, "price": "75", "effective_from": text(midnight(2))});
    rig.post(&rig.house, "/v1/tariffs", &price("ads")).await.expect(201);
    assert_eq!(rig.get(&rig.house, "/v1/reports/losses").await.expect(200).json()["data"][0]["loss"], "20.00");
    rig.post(&rig.house, "/v1/tariffs", &price("otp")).await.expect(201);
    assert_eq!(rig.get(&rig.house, "/v1/reports/losses").await.expect(200).json()["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_made_for_each_class_that_has_a_cost_or_a_price_of_its_own() {
    let rig = Rig::new().await;
    let plan = rig.plan_of(rig.world.house).await;
    let rate = json!({"operator_id": rig.world.operators[0], "mcc": "434", "traffic_class": "otp", "price": "30", "currency": "UZS"});
    rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201);
    let price = json!({"plan_id": plan, "mcc": "434", "traffic_class": "ads", "price": "66"});
    rig.post(&rig.house, "/v1/tariffs", &price).await.expect(201);
    let mut ask = json!({"effective_from": text(midnight(2)), "rules": [
        {"margin_permille": 200}, {"traffic_class": "otp", "margin_permille": 500}]});
    let path = format!("/v1/price-lists/{plan}/proposal");
    let proposal = rig.post(&rig.house, &path, &ask).await.expect(200).json();
    let short = |one: &Value| {
        let part = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
        let names = ["mcc", "traffic_class", "cost", "old_price", "price", "change"];
        names.map(part).join(" ")
    };
    let told: Vec<String> = proposal["prices"].as_array().unwrap().iter().map(short).collect();
    // An operator's rate of the class goes before its other one; who has none asks 45 for it, too.
    assert_eq!(
        told,
        ["434 - 45.00 60.00 54.00 down", "434 ads 45.00 66.00 54.00 down", "434 otp 30.00 60.00 45.00 new"]
    );
    let lines = rig.csv(&rig.house, "POST", &path, Some(&ask)).await;
    assert!(
        lines[0].starts_with("mcc,mnc,traffic_class,cost,") && lines[3].starts_with("434,,otp,30.00,"),
        "{lines:?}"
    );
    ask["fingerprint"] = proposal["fingerprint"].clone();
    rig.post(&rig.house, &format!("/v1/price-lists/{plan}/publish"), &ask).await.expect(200);
    let then = format!("/v1/price-lists/{plan}?at={}", text(midnight(2)));
    let listed: Vec<String> = rig.csv(&rig.house, "GET", &then, None).await[1..]
        .iter()
        .map(|line| line.split(",UZS").next().unwrap().to_owned())
        .collect();
    assert_eq!(listed, ["434,,,,54.00", "434,,,ads,54.00", "434,,,otp,45.00"]);
    ask["rules"] = json!([{"traffic_class": "otp"}, {"traffic_class": "otp"}, {"traffic_class": "0"}]);
    let refused = rig.post(&rig.house, &path, &ask).await.expect(400).json();
    let wrong: Vec<&Value> = refused["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(wrong, ["/rules/1", "/rules/2/traffic_class"]);

    // A reseller pays by class, too.
    let own = format!("/v1/price-lists/{}/proposal", rig.plan_of(rig.world.reseller).await);
    let proposal =
        rig.post(&rig.reseller, &own, &json!({"rules": [{"margin_permille": 500}]})).await.expect(200).json();
    let told: Vec<String> = proposal["prices"].as_array().unwrap().iter().map(short).collect();
    // What it sells by network and buys by country costs it the country's price.
    let expected = [
        "434 - 60.00 - 90.00 new",
        "434 ads 66.00 - 99.00 new",
        "434 - 60.00 90.00 90.00 unchanged",
        "434 - 60.00 80.00 90.00 up",
    ];
    assert_eq!(told, expected);
}
