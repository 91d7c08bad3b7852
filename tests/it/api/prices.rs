//! Prices and rates by class of traffic, the default of a plan, and how they end: over the API, and in what messages cost.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain::{Micros, PlanId, TariffId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use store::tariffs::NewTariff;

use super::rig::{Rig, send};

const BEELINE: &str = "+998901234567";
const UCELL: &str = "+998931234567";
const RUSSIA: &str = "+79161234567";

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Rig {
    /// The plan that the client pays by.
    async fn plan(&self) -> String {
        self.get(&self.reseller, "/v1/tariff-plans").await.expect(200).json()["data"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn price(&self, plan: &str, more: Value) -> Value {
        let mut body = json!({"plan_id": plan});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post(&self.reseller, "/v1/tariffs", &body).await.expect(201).json()
    }

    /// What a segment costs the client, or why it has no price.
    async fn costs(&self, to: &str, class: Option<&str>) -> String {
        let answer = self.post(&self.client, "/v1/messages", &send(&json!({"to": to, "traffic_class": class}))).await;
        match answer.json() {
            refused if answer.status != 201 => refused["errors"][0]["code"].as_str().unwrap().to_owned(),
            message => message["cost"]["unit_price"].as_str().unwrap().to_owned(),
        }
    }
}

/// The reseller pays for what the client sends: it has a price everywhere.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    let plans = rig.get(&rig.house, "/v1/tariff-plans").await.expect(200).json();
    let of_house = plans["data"].as_array().unwrap().iter().find(|p| p["account_id"] == rig.world.house.to_string());
    let body = json!({"plan_id": of_house.unwrap()["id"], "price": "0.5"});
    let default = rig.post(&rig.house, "/v1/tariffs", &body).await.expect(201).json();
    assert_eq!(
        (&default["mcc"], &default["mnc"], &default["traffic_class"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let prefix = json!({"prefix": "7", "mcc": "250"});
    rig.post(&rig.house, "/v1/prefixes", &prefix).await.expect(201);
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn what_held_is_not_changed_afterwards() {
    let rig = Rig::new().await;
    let plan = rig.post(&rig.house, "/v1/tariff-plans", &json!({"name": "past"})).await.expect(201).text("id");
    let hours_ago = |hours| (Utc::now() - TimeDelta::hours(hours)).to_rfc3339();
    let operator = rig.world.operators[0];
    for (path, name, own) in
        [("/v1/tariffs", "plan_id", json!(plan)), ("/v1/operator-rates", "operator_id", json!(operator))]
    {
        let body = |price: &str, from: String| {
            let mut body = json!({"mcc": "450", "price": price, "effective_from": from});
            body[name] = own.clone();
            if path.ends_with("rates") {
                body["currency"] = json!("UZS");
            }
            body
        };
        rig.post(&rig.house, path, &body("5", hours_ago(9))).await.expect(201);
        let refused = rig.post(&rig.house, path, &body("6", hours_ago(3))).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], "/effective_from");
        rig.post(&rig.house, path, &body("6", Utc::now().to_rfc3339())).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_costs_the_price_that_names_most_of_it() {
    let rig = rig().await;
    let plan = rig.plan().await;
    let otp = Some("otp");
    assert_eq!(rig.costs(UCELL, otp).await, "80.00");
    assert_eq!(rig.costs(RUSSIA, None).await, "unpriced_destination");
    for (more, rows) in [
        (json!({"price": "7"}), vec![(RUSSIA, None, "7.00"), (UCELL, None, "80.00")]),
        (json!({"price": "6", "traffic_class": "otp"}), vec![(RUSSIA, otp, "6.00"), (RUSSIA, None, "7.00")]),
        (json!({"price": "5", "mcc": "250"}), vec![(RUSSIA, otp, "5.00"), (RUSSIA, None, "5.00")]),
        (
            json!({"price": "81", "mcc": "434", "traffic_class": "otp"}),
            vec![(UCELL, otp, "80.00"), (BEELINE, otp, "90.00")],
        ),
        (
            json!({"price": "82", "mcc": "434", "mnc": "05", "traffic_class": "otp"}),
            vec![(UCELL, otp, "82.00"), (UCELL, Some("marketing"), "80.00"), (UCELL, None, "80.00")],
        ),
    ] {
        let shown = rig.price(&plan, more.clone()).await;
        assert_eq!(shown["traffic_class"], more["traffic_class"]);
        let ucell = shown["mnc"] == "05";
        assert_eq!(
            shown["network"],
            if ucell { json!("Ucell") } else { Value::Null },
            "a country has no network's name"
        );
        assert_eq!(shown["country_name"].is_null(), shown["mcc"].is_null(), "the default of a plan is nowhere");
        for (to, class, expected) in rows {
            assert_eq!(rig.costs(to, class).await, expected, "{more} {to} {class:?}");
        }
    }
    // An SMPP customer pays by the same rows: they go through the same catalogue.
    let listed = rig.get(&rig.client, "/v1/tariffs").await.expect(200).json();
    let classes = listed["data"].as_array().unwrap().iter().filter(|row| row["traffic_class"] == "otp").count();
    assert_eq!(classes, 3, "a client sees what it pays");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_costs_the_rate_that_names_most_of_a_message() {
    let rig = rig().await;
    let [ucell, beeline] = rig.world.operators.map(|id| id.to_string());
    for (operator, class, mnc, price) in [(&ucell, Some("otp"), None, "10"), (&beeline, Some("otp"), Some("05"), "11")]
    {
        let body = json!({"operator_id": operator, "mcc": "434", "mnc": mnc, "traffic_class": class, "price": price,
            "currency": "UZS"});
        let shown = rig.post(&rig.house, "/v1/operator-rates", &body).await.expect(201).json();
        assert_eq!(shown["traffic_class"], "otp");
        let name = if mnc.is_some() { json!("Ucell") } else { Value::Null };
        assert_eq!((&shown["network"], &shown["country"]), (&name, &json!("UZ")));
    }
    for (class, expected) in
        [(Some("otp"), ["10.00", "11.00"]), (Some("sale"), ["45.00", "50.00"]), (None, ["45.00", "50.00"])]
    {
        let ask = json!({"to": UCELL, "account_id": rig.world.client, "traffic_class": class});
        let decision = rig.post(&rig.house, "/v1/routing/decision", &ask).await.expect(200).json();
        let costs: Vec<&Value> = decision["candidates"].as_array().unwrap().iter().map(|c| &c["cost"]).collect();
        assert_eq!(costs, expected, "{class:?}");
    }
}

/// (price, from, to) of what a plan has for 434 05 and a class, in order of time.
async fn spans(rig: &Rig, plan: PlanId) -> Vec<(i64, DateTime<Utc>, Option<DateTime<Utc>>)> {
    sqlx::query_as(
        "SELECT price_micros, effective_from, effective_to FROM tariffs WHERE plan_id = $1 AND mnc = '05'
           AND traffic_class = 'otp' ORDER BY effective_from",
    )
    .bind(plan.uuid())
    .fetch_all(rig.world.pool())
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_published_or_taken_back_no_moment_is_without_a_price_or_has_two() {
    let rig = rig().await;
    let plan: PlanId = rig.plan().await.parse().unwrap();
    let start = Utc::now() + TimeDelta::days(1);
    for seed in 0..20 {
        sqlx::query("DELETE FROM tariffs WHERE traffic_class = 'otp'").execute(rig.world.pool()).await.unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        // What must hold from each moment on: a plain model.
        let mut model = std::collections::BTreeMap::from([(0, 1_i64)]);
        let mut ids = std::collections::BTreeMap::new();
        for step in 0..20 {
            let moment = if step == 0 { 0 } else { rng.random_range(1..30) };
            let mut tx = rig.world.db.begin().await.unwrap();
            if let Some(id) = ids.get(&moment).filter(|_| moment > 0).copied() {
                assert!(store::tariffs::withdraw(&mut tx, rig.world.house, id, Utc::now()).await.unwrap());
                ids.remove(&moment);
                model.remove(&moment);
            } else {
                let (id, price) = (TariffId::generate(), step + 1);
                let new = NewTariff {
                    id,
                    plan,
                    network: "43405".parse().ok(),
                    traffic_class: "otp".parse().ok(),
                    price: Micros::new(price),
                    charge_on: domain::tariff::ChargeOn::Submit,
                    on_unconfirmed: domain::tariff::OnUnconfirmed::Release,
                    from: start + TimeDelta::hours(moment),
                };
                assert!(store::tariffs::publish(&mut tx, rig.world.house, &new).await.unwrap());
                ids.insert(moment, id);
                model.insert(moment, price);
            }
            tx.commit().await.unwrap();
            let at = |moment: i64| start + TimeDelta::hours(moment);
            let ends = model.keys().skip(1).map(|next| Some(at(*next))).chain([None]);
            let expected: Vec<_> = model.iter().zip(ends).map(|((from, price), to)| (*price, at(*from), to)).collect();
            let found = spans(&rig, plan).await;
            let rounded: Vec<_> =
                found.iter().map(|(price, from, to)| (*price, rfc3339(*from), to.map(rfc3339))).collect();
            let expected: Vec<_> =
                expected.into_iter().map(|(p, from, to)| (p, rfc3339(from), to.map(rfc3339))).collect();
            assert_eq!(rounded, expected, "seed {seed}, step {step}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_of_one_moment_leave_neither_a_gap_nor_an_overlap() {
    let rig = rig().await;
    let plan = rig.plan().await;
    let start = Utc::now() + TimeDelta::days(1);
    let publish = async |hours: i64| {
        let from = rfc3339(start + TimeDelta::hours(hours));
        let body = json!({"plan_id": plan, "mcc": "434", "mnc": "05", "traffic_class": "otp", "price": "1", "effective_from": from});
        rig.post(&rig.reseller, "/v1/tariffs", &body).await.status.as_u16()
    };
    assert_eq!(publish(0).await, 201);
    let answers = futures_util::future::join_all((1..20).map(|n| publish(1 + (n * 7) % 19))).await;
    assert_eq!(answers, [201; 19]);
    let found = spans(&rig, plan.parse().unwrap()).await;
    assert_eq!(found.len(), 20);
    for pair in found.windows(2) {
        assert_eq!(pair[0].2, Some(pair[1].1));
    }
    assert_eq!(found.last().unwrap().2, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_and_rates_end_on_purpose_and_those_of_later_can_be_taken_back() {
    let rig = rig().await;
    let plan = rig.plan().await;
    let in_a_day = rfc3339(Utc::now() + TimeDelta::days(1));
    let rate = json!({"operator_id": rig.world.operators[0], "mcc": "250", "price": "1", "currency": "UZS"});
    let mut later_rate = rate.clone();
    later_rate["effective_from"] = json!(in_a_day);
    let now_price = rig.price(&plan, json!({"mcc": "250", "price": "5"})).await;
    let now_rate = rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201).json();
    let later_price = rig.price(&plan, json!({"mcc": "250", "price": "6", "effective_from": in_a_day})).await;
    let later_rate = rig.post(&rig.house, "/v1/operator-rates", &later_rate).await.expect(201).json();
    let path = |what: &str, row: &Value| format!("/v1/{what}/{}", row["id"].as_str().unwrap());
    for (what, token, now, later) in
        [("tariffs", &rig.reseller, now_price, later_price), ("operator-rates", &rig.house, now_rate, later_rate)]
    {
        let shown = async |row: &Value| {
            let listed = rig.get(token, &format!("/v1/{what}")).await.expect(200).json();
            listed["data"].as_array().unwrap().iter().find(|one| one["id"] == row["id"]).cloned().unwrap_or_default()
        };
        assert_eq!(shown(&now).await["effective_to"], in_a_day, "{what}: a new one closes the one before");
        rig.call("DELETE", &path(what, &later), Some(token), None).await.expect(204);
        assert_eq!(
            (shown(&now).await["effective_to"].clone(), shown(&later).await),
            (Value::Null, Value::Null),
            "{what}"
        );
        assert_eq!(rig.call("DELETE", &path(what, &later), Some(token), None).await.refusal().0, 404);
        assert_eq!(rig.call("DELETE", &path(what, &now), Some(token), None).await.refusal().1, "conflict");
        let end = format!("{}/end", path(what, &now));
        for (body, pointer) in [
            (json!({"reason": " "}), "/reason"),
            (json!({"reason": "x", "effective_to": "2020-01-01T00:00:00Z"}), "/effective_to"),
            (json!({"reason": "x", "effective_to": "soon"}), "/effective_to"),
            (json!({}), "/reason"),
        ] {
            let refused = rig.post(token, &end, &body).await.expect(400).json();
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{what} {body}");
        }
        let ended =
            rig.post(token, &end, &json!({"reason": "closed", "effective_to": in_a_day})).await.expect(200).json();
        assert_eq!(ended["effective_to"], in_a_day);
        let ended = rig.post(token, &end, &json!({"reason": "closed at once"})).await.expect(200).json();
        assert_eq!(shown(&now).await, ended, "{what}: it can be ended still earlier");
        assert_eq!(rig.post(token, &end, &json!({"reason": "twice"})).await.refusal().1, "conflict", "{what}");
        assert_eq!(rig.post(&rig.client, &end, &json!({"reason": "x"})).await.refusal().1, "forbidden");
    }
    assert_eq!(rig.costs(RUSSIA, None).await, "unpriced_destination");
    let trail = rig.get(&rig.house, "/v1/audit-logs").await.expect(200).json();
    let of_house: Vec<&Value> = trail["data"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(of_house[..3], ["operator_rate.end", "operator_rate.end", "operator_rate.withdraw"]);
    let path = format!("/v1/audit-logs?account_id={}", rig.world.reseller);
    let trail = rig.get(&rig.house, &path).await.expect(200).json();
    assert_eq!(
        (&trail["data"][0]["action"], &trail["data"][0]["detail"]["reason"]),
        (&json!("tariff.end"), &json!("closed at once"))
    );
}

/// In days from now: when a price ends on purpose, when later ones begin, and which of them is taken back in which order.
type Ended = (Option<i64>, &'static [i64], &'static [usize]);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_on_purpose_is_not_revived_by_taking_back_what_came_later() {
    let rig = rig().await;
    let plan = rig.plan().await;
    let day = |days: i64| rfc3339(Utc::now() + TimeDelta::days(days));
    let rows: [Ended; 6] = [
        (Some(20), &[20], &[0]),
        (Some(20), &[10], &[0]),
        (Some(20), &[30], &[0]),
        (Some(20), &[5, 10], &[0, 1]),
        (Some(20), &[10, 5], &[1, 0]),
        (None, &[10, 5], &[0, 1]),
    ];
    for (row, (ended, later, taken_back)) in rows.into_iter().enumerate() {
        let mcc = (310 + row).to_string();
        let price = json!({"plan_id": plan, "mcc": mcc, "price": "5"});
        let rate = json!({"operator_id": rig.world.operators[0], "mcc": mcc, "price": "1", "currency": "UZS"});
        for (what, token, body) in [("tariffs", &rig.reseller, price), ("operator-rates", &rig.house, rate)] {
            let publish = async |from: Option<String>| {
                let mut body = body.clone();
                body["effective_from"] = json!(from);
                rig.post(token, &format!("/v1/{what}"), &body).await.expect(201).text("id")
            };
            let first = publish(None).await;
            let moments: Vec<String> = [0].iter().chain(later).map(|days| day(*days)).collect();
            if let Some(days) = ended {
                let at =
                    later.iter().position(|one| *one == days).map_or_else(|| day(days), |at| moments[at + 1].clone());
                let body = json!({"reason": "the contract ends", "effective_to": at});
                rig.post(token, &format!("/v1/{what}/{first}/end"), &body).await.expect(200);
            }
            let ends = async || {
                let listed = rig.get(token, &format!("/v1/{what}")).await.expect(200).json();
                let own = listed["data"].as_array().unwrap().iter().find(|one| one["id"] == json!(first)).cloned();
                own.unwrap()["effective_to"].as_str().map(|at| at.parse::<DateTime<Utc>>().unwrap())
            };
            let before = ends().await;
            let mut ids = Vec::new();
            for moment in &moments[1..] {
                ids.push(publish(Some(moment.clone())).await);
            }
            for at in taken_back {
                rig.call("DELETE", &format!("/v1/{what}/{}", ids[*at]), Some(token), None).await.expect(204);
            }
            assert_eq!((ends().await, before.is_some()), (before, ended.is_some()), "{what} {row}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_price_is_named() {
    let rig = rig().await;
    let plan = rig.plan().await;
    for (path, body, expected) in [
        (
            "/v1/tariffs",
            json!({"plan_id": plan, "mnc": "05", "price": "1", "traffic_class": "OTP"}),
            vec!["/mnc", "/traffic_class"],
        ),
        ("/v1/tariffs", json!({"plan_id": plan, "mcc": "4", "price": "-1"}), vec!["/mcc", "/price"]),
        (
            "/v1/operator-rates",
            json!({"operator_id": rig.world.operators[0], "mcc": "434", "price": "1", "currency": "UZS", "traffic_class": ""}),
            vec!["/traffic_class"],
        ),
    ] {
        let refused = rig.post(&rig.house, path, &body).await.expect(400).json();
        let pointers: Vec<&Value> = refused["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
        assert_eq!(pointers, expected, "{body}");
    }
}
