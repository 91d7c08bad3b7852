//! Traffic of the past by changed settings, over the API.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::rig::Rig;
use crate::ledger::live;

impl Rig {
    /// Asks, and waits for what comes of it.
    async fn what_if(&self, ask: &Value) -> Value {
        let asked = self.post(&self.house, "/v1/routing/what-if", ask).await.expect(202).text("id");
        let path = format!("/v1/routing/what-if/{asked}");
        let done = async || {
            let row = self.get(&self.house, &path).await.expect(200).json();
            (row["state"] != "running").then_some(row)
        };
        let row = testkit::until_some(Duration::from_secs(30), done).await;
        assert_eq!((&row["state"], &row["error"]), (&json!("done"), &Value::Null));
        row["result"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_traffic_is_replayed_by_changed_settings() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    Box::pin(live(&rig.world, 7)).await;
    let records = rig.world.count("SELECT count(*) FROM sms_cdr WHERE correction = 0").await;
    let segments = rig.world.count("SELECT sum(segments)::bigint FROM sms_cdr WHERE correction = 0").await;
    assert!(records > 10, "{records}");
    let until = (chrono::Utc::now() + chrono::TimeDelta::minutes(1)).to_rfc3339();
    let ask = |drafts: Value| {
        let mut ask = json!({"until": until});
        ask.as_object_mut().unwrap().extend(drafts.as_object().unwrap().clone());
        ask
    };
    let costs = |price: i64| domain::Micros::new(segments * price * 1_000_000).to_string();
    // Beeline costs 45, Ucell 50; the reseller pays 60.
    let rows = [
        (json!({}), 45, 0),
        (json!({"disabled": [beeline]}), 50, records),
        (json!({"rates": [{"operator_id": ucell, "network": "434", "price": "40", "currency": "UZS"}]}), 40, records),
        (json!({"rules": [{"position": 1, "then": {"except": [beeline]}}]}), 50, records),
    ];
    for (drafts, price, moved) in rows {
        let found = rig.what_if(&ask(drafts.clone())).await;
        assert_eq!((&found["messages"], &found["moved"]), (&json!(records), &json!(moved)), "{drafts} {found}");
        assert_eq!(found["before"]["cost"]["UZS"], costs(45), "{drafts}");
        assert_eq!(found["after"]["cost"]["UZS"], costs(price), "{drafts}");
        assert_eq!(found["after"]["revenue"]["UZS"], costs(60), "{drafts}");
        assert_eq!(found["after"]["margin"]["UZS"], costs(60 - price), "{drafts}");
    }
    // In euros Ucell is the cheaper one by an exchange rate alone.
    let euros = json!([{"operator_id": ucell, "network": "434", "price": "0.004", "currency": "EUR"}]);
    let rate = json!([{"from": "EUR", "to": "UZS", "rate": "9000", "spread_ppm": 111_111}]);
    let found = rig.what_if(&ask(json!({"rates": euros}))).await;
    assert_eq!(found["moved"], 0, "nobody can convert it");
    let found = rig.what_if(&ask(json!({"rates": euros, "exchange_rates": rate}))).await;
    let margin = domain::Micros::new(segments * (60_000_000 - 39_999_996)).to_string();
    assert_eq!((&found["moved"], &found["after"]["margin"]["UZS"]), (&json!(records), &json!(margin)), "{found}");
    let found = rig.what_if(&ask(json!({"guards": [{"min": "16"}]}))).await;
    assert_eq!(found["after"]["unrouted"], json!({"below_margin": records}));
    let found = rig.what_if(&ask(json!({"account_id": rig.world.house, "network": "401"}))).await;
    assert_eq!(found["messages"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_traffic_is_replayed_and_every_mistake_is_named() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    let line = json!({"to": "+998931234567", "account_id": rig.world.client, "segments": 2, "count": 1000});
    let weighted = json!({"strategy": "weighted",
        "operators": [{"operator_id": ucell, "weight": 1}, {"operator_id": beeline, "weight": 3}]});
    let found = rig.what_if(&json!({"messages": [line], "rules": [{"position": 1, "then": weighted}]})).await;
    assert_eq!((&found["messages"], &found["moved"]), (&json!(1000), &json!(250)));
    assert_eq!(found["networks"][0]["mcc_mnc"], "43405");
    let share = |name: &str| {
        let of = found["operators"].as_array().unwrap().iter().find(|one| one["operator"] == name).unwrap();
        (of["before"]["messages"].clone(), of["after"]["messages"].clone())
    };
    assert_eq!((share("Ucell"), share("Beeline")), ((json!(0), json!(250)), (json!(1000), json!(750))));

    let bad = json!({
        "messages": [{"to": "+1", "count": 0}], "at": "soon", "without_rules": ["x"],
        "rules": [{"position": 1, "then": {"strategy": "best"}}],
        "rates": [{"operator_id": ucell, "network": "4", "price": "-1", "currency": "uzs"}],
        "tariffs": [{"plan_id": "plan_01m835r56ceywr0hvw89c806ve", "network": "434", "price": "1"}],
        "exchange_rates": [{"from": "EUR", "to": "EUR", "rate": "0", "spread_ppm": 500_001}],
    });
    let refused = rig.post(&rig.house, "/v1/routing/what-if", &bad).await;
    let errors = refused.json()["errors"].as_array().cloned().unwrap_or_default();
    let mut pointers: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    let expected = [
        "/at",
        "/exchange_rates/0/rate",
        "/exchange_rates/0/spread_ppm",
        "/exchange_rates/0/to",
        "/messages/0/count",
        "/messages/0/to",
        "/rates/0/currency",
        "/rates/0/network",
        "/rates/0/price",
        "/rules/0/then/strategy",
        "/tariffs/0/plan_id",
        "/without_rules/0",
    ];
    assert_eq!(pointers, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_of_one_class_of_traffic_changes_nothing_for_the_others() {
    let rig = Rig::new().await;
    let [ucell, _] = rig.world.operators;
    let plans = rig.get(&rig.house, "/v1/tariff-plans").await.expect(200).json();
    let of_house = |plan: &&Value| plan["account_id"] == rig.world.house.to_string();
    let plan = plans["data"].as_array().unwrap().iter().find(of_house).unwrap()["id"].clone();
    let line = |class: Value, count: u32| {
        json!({"to": "+998931234567", "account_id": rig.world.client,
        "traffic_class": class, "count": count})
    };
    let mut ask = json!({"messages": [line(json!("otp"), 10), line(json!("ads"), 20), line(Value::Null, 30)],
        "rates": [{"operator_id": ucell, "network": "434", "traffic_class": "otp", "price": "40", "currency": "UZS"}],
        "tariffs": [{"plan_id": plan, "network": "434", "traffic_class": "ads", "price": "70"}]});
    let found = rig.what_if(&ask).await;
    assert_eq!((&found["messages"], &found["moved"]), (&json!(60), &json!(10)));
    // 45 and 60 a segment before; ten of them at 40, twenty for 70.
    assert_eq!(
        (&found["before"]["cost"]["UZS"], &found["after"]["cost"]["UZS"]),
        (&json!("2700.00"), &json!("2650.00"))
    );
    assert_eq!(
        (&found["before"]["revenue"]["UZS"], &found["after"]["revenue"]["UZS"]),
        (&json!("3600.00"), &json!("3800.00"))
    );
    ask["rates"][0]["traffic_class"] = json!("O");
    ask["tariffs"][0]["traffic_class"] = json!("");
    let refused = rig.post(&rig.house, "/v1/routing/what-if", &ask).await.expect(400).json();
    let wrong: Vec<&Value> = refused["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(wrong, ["/rates/0/traffic_class", "/tariffs/0/traffic_class"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_are_listed_newest_first_and_read_as_files() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    let line = json!({"to": "+998931234567", "account_id": rig.world.client, "count": 2});
    for _ in 0..3 {
        rig.what_if(&json!({"messages": [line], "disabled": [beeline]})).await;
    }
    let mut ids = Vec::new();
    let mut cursor = String::new();
    for (length, has_more) in [(2, true), (1, false)] {
        let page = rig.get(&rig.house, &format!("/v1/routing/what-ifs?limit=2{cursor}")).await.expect(200).json();
        let data = page["data"].as_array().unwrap();
        assert_eq!((data.len(), &page["has_more"]), (length, &json!(has_more)));
        assert!(data.iter().all(|one| one["state"] == "done" && one["messages"] == 2 && one.get("result").is_none()));
        ids.extend(data.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    assert!(ids.is_sorted_by(|one, next| one > next), "{ids:?}");
    assert_eq!(rig.get(&rig.reseller, "/v1/routing/what-ifs").await.refusal().0, 403);

    let path = format!("/v1/routing/what-if/{}", ids[0]);
    let file = async || {
        let request = http::Request::get(&path)
            .header("authorization", format!("Bearer {}", rig.house))
            .header("accept", "text/csv");
        rig.raw(request.body(axum::body::Body::empty()).unwrap()).await
    };
    let answer = file().await.expect(200);
    let csv = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "of,name,side,messages,segments,unrouted,currency,revenue,cost,margin");
    assert_eq!(lines[1], "all,,before,2,2,0,UZS,120.00,90.00,30.00");
    assert_eq!(lines[2], "all,,after,2,2,0,UZS,120.00,100.00,20.00");
    assert!(lines.contains(&"network,43405,after,2,2,0,UZS,120.00,100.00,20.00"), "{csv}");
    assert!(lines.contains(&"operator,Ucell,after,2,2,0,UZS,120.00,100.00,20.00"), "{csv} {ucell}");
    sqlx::query("UPDATE what_ifs SET state = 'failed', result = NULL").execute(rig.world.pool()).await.unwrap();
    assert_eq!(file().await.refusal(), (409, "conflict".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_of_single_messages_is_shared_out_as_the_weights_say() {
    let rig = Rig::new().await;
    let [ucell, beeline] = rig.world.operators;
    let weighted = json!({"strategy": "weighted",
        "operators": [{"operator_id": ucell, "weight": 1}, {"operator_id": beeline, "weight": 3}]});
    let mut csv = "count,to\n".to_owned();
    for number in 0..20_000 {
        writeln!(csv, ",+99893{number:07}").unwrap();
    }
    let found = rig
        .what_if(&json!({"csv": csv, "rules": [{"position": 1, "when": {"networks": ["434"]}, "then": weighted}]}))
        .await;
    let of = |name: &str| {
        let of = found["operators"].as_array().unwrap().iter().find(|one| one["operator"] == name).unwrap();
        of["after"]["messages"].clone()
    };
    assert_eq!((&found["messages"], &found["moved"]), (&json!(20_000), &json!(5_000)));
    assert_eq!((of("Ucell"), of("Beeline")), (json!(5_000), json!(15_000)));
    let kept = "SELECT count(*) FROM what_ifs WHERE pg_column_size(request) > 2000";
    assert_eq!(rig.world.count(kept).await, 0, "of the traffic only its size is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_csv_says_all_that_rules_look_at() {
    let rig = Rig::new().await;
    let client = rig.world.client;
    let csv = format!(
        "\u{feff}to, account_id ,from,traffic_class,template,encoding,segments,count\r\n\
         +998931234567,{client},Bank,otp,code.v1,ucs2,3,7\r\n+998931234568,,,,,,,2\r\n\
         \"+998931234569\",{client},\"Shop, Ltd\",,,,1,1\r\n"
    );
    let rows = [
        (json!({"templates": ["code.v1"]}), 7),
        (json!({"traffic_classes": ["otp"]}), 7),
        (json!({"senders": ["bank"]}), 7),
        (json!({"senders": ["Shop, Ltd"]}), 1),
        (json!({"encodings": ["ucs2"]}), 7),
        (json!({"segments_min": 3}), 7),
        (json!({"accounts": [client]}), 8),
        (json!({"prefixes": ["998931234568"]}), 2),
    ];
    for (when, blocked) in rows {
        let rules = json!([{"position": 1, "when": when, "then": {"strategy": "block"}}]);
        let found = rig.what_if(&json!({"csv": csv, "rules": rules})).await;
        assert_eq!(found["messages"], 10, "{when}");
        assert_eq!(found["after"]["unrouted"], json!({"blocked_by_rule": blocked}), "{when}");
    }
    let million = json!({"to": "+998931234567", "count": 1_000_000});
    for (ask, expected) in [
        (json!({"csv": "to,price\n+998931234567,1\n"}), vec!["/csv/columns/1"]),
        (json!({"csv": "from\nBank\n"}), vec!["/csv/columns"]),
        (json!({"csv": "to\n"}), vec!["/csv"]),
        (
            json!({"csv": "to,count,segments,template\n+998931234567,1,1,\n1,0,256,!\n"}),
            vec!["/csv/lines/3/count", "/csv/lines/3/segments", "/csv/lines/3/template", "/csv/lines/3/to"],
        ),
        (json!({"csv": "to\n+998931234567\n", "messages": []}), vec!["/csv"]),
        (json!({"messages": vec![million; 11]}), vec!["/messages"]),
        (json!({"csv": format!("to,count\n{}", "+998931234567,1000000\n".repeat(11))}), vec!["/csv"]),
        (
            json!({"messages": [{"to": "+998931234567", "segments": 0, "template": "!"}]}),
            vec!["/messages/0/segments", "/messages/0/template"],
        ),
    ] {
        let refused = rig.post(&rig.house, "/v1/routing/what-if", &ask).await.expect(400).json();
        let mut told: Vec<&str> =
            refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        told.sort_unstable();
        assert_eq!(told, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_takes_long_tells_how_far_it_is() {
    let rig = Rig::new().await;
    let turns = json!([{"position": 1, "then": {"strategy": "round_robin"}}]);
    let million = json!({"to": "+998931234567", "account_id": rig.world.client, "count": 1_000_000});
    let ask = json!({"messages": vec![million; 10], "rules": turns});
    let path = format!(
        "/v1/routing/what-if/{}",
        rig.post(&rig.house, "/v1/routing/what-if", &ask).await.expect(202).text("id")
    );
    // It was silent for long, as far as anybody can see: it must speak up.
    let old = "UPDATE what_ifs SET updated_at = now() - interval '50 seconds'";
    sqlx::query(old).execute(rig.world.pool()).await.unwrap();
    let told = testkit::until_some(Duration::from_secs(30), async || {
        let row = rig.get(&rig.house, &path).await.expect(200).json();
        assert_ne!(row["state"], "failed", "{row}");
        row["messages"].as_i64().filter(|messages| *messages > 0)
    })
    .await;
    assert!(told <= 10_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_is_replayed_at_the_hour_when_it_was_to_be_sent() {
    use chrono::Timelike as _;

    let rig = Rig::new().await;
    Box::pin(live(&rig.world, 11)).await;
    let records = rig.world.count("SELECT count(*) FROM sms_cdr WHERE correction = 0").await;
    let sending = chrono::Utc::now() + chrono::TimeDelta::hours(12);
    sqlx::query("UPDATE messages SET scheduled_at = $1").bind(sending).execute(rig.world.pool()).await.unwrap();
    let minute = sending.hour() * 60 + sending.minute();
    let hours =
        json!([{"from_minute": minute, "until_minute": (minute + 5) % 1440 + u32::from(minute == 1435) * 1440}]);
    let until = (chrono::Utc::now() + chrono::TimeDelta::minutes(1)).to_rfc3339();
    let rules = json!([{"position": 1, "when": {"hours": hours}, "then": {"strategy": "block"}}]);
    let found = rig.what_if(&json!({"until": until, "rules": rules})).await;
    assert_eq!(found["after"]["unrouted"], json!({"blocked_by_rule": records}));
}
