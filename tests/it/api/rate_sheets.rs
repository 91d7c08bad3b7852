//! Suppliers' rate sheets over the API: what each row changes, and that a sheet is applied and undone as a whole.

mod command_line;

use axum::body::Body;
use chrono::{DateTime, Days, SecondsFormat, TimeDelta, Utc};
use http::{Request, header};
use serde_json::{Value, json};
use sqlx::Row as _;

use super::rig::{Answer, Rig};

/// The first moment of the day so many days from now.
pub(super) fn midnight(days: u64) -> DateTime<Utc> {
    Utc::now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc() + Days::new(days)
}

fn day(days: u64) -> String {
    midnight(days).format("%Y-%m-%d").to_string()
}

pub(super) fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Rig {
    async fn upload(&self, token: &str, query: &str, file: impl Into<Body>) -> Answer {
        let path = format!("/v1/operators/{}/rate-sheets?{query}", self.world.operators[0]);
        let request = Request::post(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.raw(request.header(header::CONTENT_TYPE, "text/csv").body(file.into()).unwrap()).await
    }

    /// The id of an uploaded sheet, and how many lines it has of each kind.
    async fn sheet(&self, file: impl Into<Body>) -> (String, Value) {
        let sheet = self.upload(&self.house, "name=rates.csv", file).await.expect(201).json();
        (sheet["id"].as_str().unwrap().to_owned(), sheet["summary"].clone())
    }

    fn rules_path(&self) -> String {
        format!("/v1/operators/{}/rate-sheet-rules", self.world.operators[0])
    }

    async fn rules(&self, rules: &Value) {
        self.call("PUT", &self.rules_path(), Some(&self.house), Some(rules)).await.expect(200);
    }

    async fn step(&self, token: &str, id: &str, verb: &str, body: Value) -> Answer {
        self.post(token, &format!("/v1/rate-sheets/{id}/{verb}"), &body).await
    }

    /// Every line of a sheet of a kind.
    async fn lines(&self, id: &str, query: &str) -> Vec<Value> {
        let (mut lines, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/rate-sheets/{id}/lines?limit=1000{query}{cursor}");
            let page = self.get(&self.house, &path).await.expect(200).json();
            lines.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return lines,
            }
        }
    }

    /// Every rate of every operator, as it is stored.
    async fn rates(&self) -> Vec<String> {
        let rows = sqlx::query("SELECT r::text FROM operator_rates r ORDER BY r.id").fetch_all(self.world.pool()).await;
        rows.unwrap().iter().map(|row| row.get::<String, _>(0)).collect()
    }
}

/// `kind mcc mnc old -> new`, for tables.
fn short(line: &Value) -> String {
    let part = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
    let row = line["row"].as_u64().map_or_else(|| "-".to_owned(), |row| row.to_string());
    format!("{row} {} {}{} {} -> {}", part("kind"), part("mcc"), part("mnc"), part("old_price"), part("price"))
}

/// Good rows among 20 and more kinds of broken ones: the cells of each row, and the reason where it is broken.
fn many(rows: u32) -> Vec<(Vec<String>, Option<&'static str>)> {
    let broken: [(&[&str], &str); 24] = [
        (&["", "01", "No code", "1.5", "UZS", ""], "mcc_missing"),
        (&["43", "01", "Short code", "1.5", "UZS", ""], "mcc_invalid"),
        (&["901", "12345", "Long code", "1.5", "UZS", ""], "mnc_invalid"),
        (&["999", "7", "Lost zero", "1.5", "UZS", ""], "mnc_lost_zero"),
        (&["901.5", "01", "Fraction", "1.5", "UZS", ""], "code_is_decimal"),
        (&["9.01E+02", "01", "Exponent", "1.5", "UZS", ""], "code_is_decimal"),
        (&["901", "02", "No price", "", "UZS", ""], "price_missing"),
        (&["901", "03", "Words", "on request", "UZS", ""], "price_not_a_number"),
        (&["901", "04", "Comma", "0,015", "UZS", ""], "price_ambiguous"),
        (&["901", "05", "Below zero", "-1.5", "UZS", ""], "price_negative"),
        (&["901", "06", "Too fine", "0.12345678", "UZS", ""], "price_too_precise"),
        (&["901", "08", "Too much", "99999999999999", "UZS", ""], "price_too_large"),
        (&["901", "09", "No currency", "1.5", "", ""], "currency_missing"),
        (&["901", "10", "Wrong currency", "1.5", "Sums", ""], "currency_invalid"),
        (&["901", "11", "Two currencies", "1.5 EUR", "UZS", ""], "currency_differs"),
        (&["901", "12", "No day", "1.5", "UZS", "2027-02-30"], "date_invalid"),
        (&["901", "13", "Two days", "1.5", "UZS", "01/02/2027"], "date_ambiguous"),
        (&["901", "14", "Garbled \u{fffd}", "1.5", "UZS", ""], "text_garbled"),
        (&["901", "15", "Twice", "1.5", "UZS", ""], "rows_contradict"),
        (&["901", "15", "Twice", "1.6", "UZS", ""], "rows_contradict"),
        (&["200", "00", "Again", "1.500001", "UZS", ""], "duplicate_row"),
        (&["Total", "", "", "4711.00", "", ""], "totals_row"),
        (&["MCC", "MNC", "Network", "Price", "Currency", "Effective"], "repeated_header"),
        (&["All prices without VAT", "", "", "", "", ""], "note"),
    ];
    let every = usize::try_from(rows).unwrap() / broken.len();
    let mut many: Vec<(Vec<String>, Option<&str>)> = Vec::new();
    let mut good = (0_u32..).map(|n| {
        let (mcc, mnc) = (200 + n / 90, n % 90);
        let price = format!("{}.{:06}", 1 + n % 7, 500_001 + n);
        vec![mcc.to_string(), format!("{mnc:02}"), format!("Network {n}"), price, "UZS".to_owned(), String::new()]
    });
    for (cells, reason) in broken {
        many.extend(good.by_ref().take(every).map(|cells| (cells, None)));
        many.push((cells.iter().copied().map(str::to_owned).collect(), Some(reason)));
    }
    many
}

const HEAD: [&str; 6] = ["MCC", "MNC", "Network", "Price", "Currency", "Effective"];

fn as_csv(rows: &[(Vec<String>, Option<&str>)]) -> Vec<u8> {
    let line = |cells: &[String]| format!("{}\r\n", cells.join(";"));
    let head = HEAD.map(str::to_owned);
    std::iter::once(line(&head)).chain(rows.iter().map(|(cells, _)| line(cells))).collect::<String>().into_bytes()
}

/// As a workbook, with prices as numbers as far as they are.
fn as_xlsx(rows: &[(Vec<String>, Option<&str>)]) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    let head = (HEAD.map(str::to_owned).to_vec(), None);
    for (row, (cells, _)) in (0..).zip(std::iter::once(&head).chain(rows)) {
        for (column, cell) in (0..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            match cell.parse::<f64>() {
                Ok(number) if column == 3 => sheet.write(row, column, number).unwrap(),
                _ => sheet.write(row, column, cell).unwrap(),
            };
        }
    }
    book.save_to_buffer().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_thousand_rows_every_broken_one_is_named_and_nothing_is_half_applied() {
    let rows = many(5_000);
    let good = rows.iter().filter(|(_, reason)| reason.is_none()).count();
    let mut expected: Vec<(u64, &str)> =
        (2..).zip(&rows).filter_map(|(number, (_, reason))| Some((number, (*reason)?))).collect();
    expected.sort_unstable();
    assert!(good > 4_900, "{good}");
    for file in [as_csv(&rows), as_xlsx(&rows)] {
        let rig = Rig::new().await;
        let before = rig.rates().await;
        let (id, summary) = rig.sheet(file).await;
        assert_eq!((&summary["new"], &summary["broken"], &summary["skipped"]), (&json!(good), &json!(20), &json!(4)));
        let mut told = rig.lines(&id, "&kind=broken").await;
        told.extend(rig.lines(&id, "&kind=skipped").await);
        let mut told: Vec<(u64, &str)> =
            told.iter().map(|line| (line["row"].as_u64().unwrap(), line["reason"].as_str().unwrap())).collect();
        told.sort_unstable();
        assert_eq!(told, expected);
        assert_eq!(rig.rates().await, before, "a dry run changes nothing");

        let refused = rig.step(&rig.house, &id, "apply", json!({})).await;
        assert_eq!(refused.refusal(), (409, "conflict".to_owned()), "broken rows are never left out silently");
        assert_eq!(rig.rates().await, before);
        rig.step(&rig.house, &id, "apply", json!({"leave_out": true})).await.expect(200);
        assert_eq!(rig.rates().await.len(), before.len() + good);
        let named = "SELECT count(*) FROM operator_rates WHERE sheet_id IS NOT NULL AND sheet_row BETWEEN 2 AND 5100";
        assert_eq!(usize::try_from(rig.world.count(named).await).unwrap(), good, "each names its sheet and row");
        let exact = "SELECT count(*) FROM operator_rates WHERE mcc = '200' AND mnc = '00' AND price_micros = 1500001";
        assert_eq!(rig.world.count(exact).await, 1, "to the micro");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_is_compared_by_network_and_date() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}, "is_whole": true})).await;
    let base = "mcc;mnc;price\n434;01;10\n434;02;10\n434;03;10\n434;06;10\n434;07;10\n434;;50\n";
    let (id, _) = rig.sheet(base).await;
    rig.step(&rig.house, &id, "apply", json!({})).await.expect(200);
    let next = day(10);
    let sheet = format!(
        "mcc;mnc;price;currency;effective;cease\n434;01;10;;{next};\n434;02;12;;{next};\n434;03;8;;{next};\n434;05;9;;{next};\n\
         434;06;1;EUR;{next};\n434;02;11;;{};\n434;;50;;;{next}\n",
        day(20)
    );
    let (id, summary) = rig.sheet(sheet).await;
    let told: Vec<String> = rig.lines(&id, "").await.iter().map(short).collect();
    let expected = [
        "2 unchanged 43401 10.00 -> 10.00",
        "3 up 43402 10.00 -> 12.00",
        "4 down 43403 10.00 -> 8.00",
        "5 new 43405 - -> 9.00",
        "6 currency 43406 10.00 -> 1.00",
        // After row 3, not after what holds today.
        "7 down 43402 12.00 -> 11.00",
        "8 closed 434- 50.00 -> 50.00",
        "- closed 43407 10.00 -> -",
    ];
    assert_eq!(told, expected);
    assert_eq!((&summary["up"], &summary["closed"], &summary["refused"]), (&json!(1), &json!(2), &json!(0)));
    rig.step(&rig.house, &id, "apply", json!({})).await.expect(200);
    let at = |days: u64| midnight(days) + TimeDelta::hours(1);
    for (network, days, price) in [
        ("43402", 9, Some("10.00")),
        ("43402", 11, Some("12.00")),
        ("43402", 21, Some("11.00")),
        ("43405", 9, Some("50.00")),
        ("43405", 11, Some("9.00")),
        ("43407", 9, Some("10.00")),
        ("43407", 11, None),
    ] {
        rig.world.catalogue.refresh().await.unwrap();
        let catalogue = rig.world.catalogue.get();
        let network: domain::Network = network.parse().unwrap();
        let places = [network, network.country()];
        let rates = places.iter().filter_map(|place| catalogue.rates.get(place)).flatten();
        let found = rates.into_iter().find(|rate| {
            rate.operator == rig.world.operators[0] && domain::tariff::in_force(rate.from, rate.to, at(days))
        });
        assert_eq!(found.map(|rate| rate.price.to_string()), price.map(str::to_owned), "{network} in {days} days");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_increase_waits_for_its_notice_or_is_refused() {
    let rig = Rig::new().await;
    let rules = |on_short_notice: &str| json!({"mapping": {"currency": "UZS"}, "notice_days": 7, "on_short_notice": on_short_notice});
    let sheet = format!("mcc;mnc;price;effective\n434;;60;{}\n435;;60;{}\n", day(2), day(2));
    let received = text(Utc::now() - TimeDelta::days(1));
    rig.rules(&rules("move")).await;
    let answer = rig.upload(&rig.house, &format!("received_at={received}"), sheet.clone()).await.expect(201);
    let lines = rig.lines(&answer.text("id"), "").await;
    assert_eq!(short(&lines[0]), "2 up 434- 50.00 -> 60.00");
    assert_eq!(lines[0]["moved_from"], text(midnight(2)));
    // Seven days after yesterday is in six days at this time of day: the midnight after it.
    assert_eq!(lines[0]["effective_from"], text(midnight(7)));
    assert_eq!((&lines[1]["kind"], &lines[1]["effective_from"]), (&json!("new"), &json!(text(midnight(2)))));
    rig.rules(&rules("refuse")).await;
    let (id, summary) = rig.sheet(sheet).await;
    assert_eq!((&summary["refused"], &summary["new"]), (&json!(1), &json!(1)));
    let lines = rig.lines(&id, "&kind=refused").await;
    assert_eq!((&lines[0]["reason"], &lines[0]["change"]), (&json!("short_notice"), &json!("up")));
    assert_eq!(rig.step(&rig.house, &id, "apply", json!({})).await.refusal().0, 409);
    rig.step(&rig.house, &id, "apply", json!({"leave_out": true})).await.expect(200);
    assert_eq!(rig.world.count("SELECT count(*) FROM operator_rates WHERE mcc = '434'").await, 2, "of two operators");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_uploads_a_sheet_may_not_approve_it_where_two_must() {
    let rig = Rig::new().await;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    let rules = json!({"mapping": {"currency": "UZS"}, "second_person": true});
    rig.call("PUT", &rig.rules_path(), Some(&ann), Some(&rules)).await.expect(200);
    let sheet = format!("mcc;price;effective\n436;5;{}\n", day(3));
    // Whoever holds a key could be both people: neither uploads it one, nor approves, nor lifts the rule.
    assert_eq!(rig.upload(&rig.house, "", sheet.clone()).await.refusal(), (403, "forbidden".to_owned()));
    for path in [rig.rules_path(), "/v1/rate-sheet-rules".to_owned()] {
        let rules = json!({"second_person": path.ends_with("/v1/rate-sheet-rules")});
        assert_eq!(
            rig.call("PUT", &path, Some(&rig.house), Some(&rules)).await.refusal(),
            (403, "forbidden".to_owned())
        );
    }
    let id = rig.upload(&ann, "", sheet).await.expect(201).text("id");
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(rig.step(&bob, &id, "apply", json!({})).await.refusal(), (409, "conflict".to_owned()));
    assert_eq!(rig.step(&ann, &id, "approve", json!({})).await.refusal(), forbidden);
    assert_eq!(rig.step(&rig.house, &id, "approve", json!({})).await.refusal(), forbidden);
    let approved = rig.step(&bob, &id, "approve", json!({})).await.expect(200);
    assert_eq!(approved.text("state"), "approved");
    assert_ne!(approved.text("approved_by"), approved.text("uploaded_by"));
    let applied = rig.step(&rig.house, &id, "apply", json!({})).await.expect(200);
    assert_eq!(applied.text("state"), "applied");
    assert_eq!(rig.step(&bob, &id, "reject", json!({"reason": "late"})).await.refusal().0, 409);
    let audit = rig.get(&rig.house, "/v1/audit-logs").await.expect(200).json();
    let actions: Vec<&str> =
        audit["data"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["rate_sheet.apply", "rate_sheet.approve", "rate_sheet.upload", "rate_sheet_rules.put"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_restores_every_rate_exactly_and_only_before_it_is_in_force() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}, "is_whole": true})).await;
    let (id, _) = rig.sheet("mcc;mnc;price\n434;;50\n434;01;10\n434;02;10\n434;03;10\n".to_owned()).await;
    rig.step(&rig.house, &id, "apply", json!({})).await.expect(200);
    let undone = rig.step(&rig.house, &id, "undo", json!({"reason": "too late"})).await;
    assert_eq!(undone.refusal(), (409, "conflict".to_owned()), "its rates are in force");
    let before = rig.rates().await;
    // Dearer, a second step, an end by the sheet's own date, a new network, and an end by not being listed.
    let sheet = format!(
        "mcc;mnc;price;effective;cease\n434;01;11;{0};\n434;01;12;{1};\n434;02;10;;{2}\n434;09;3;{0};\n434;;50;{0};\n",
        day(4),
        day(8),
        day(6)
    );
    let (id, summary) = rig.sheet(sheet.clone()).await;
    assert_eq!((&summary["closed"], &summary["up"], &summary["new"]), (&json!(2), &json!(2), &json!(1)));
    rig.step(&rig.house, &id, "apply", json!({})).await.expect(200);
    assert_ne!(rig.rates().await, before);
    let undone = rig.step(&rig.house, &id, "undo", json!({"reason": "a correction came"})).await.expect(200);
    assert_eq!((undone.text("state"), undone.text("reason")), ("undone".to_owned(), "a correction came".to_owned()));
    assert_eq!(rig.rates().await, before);
    assert_eq!(rig.step(&rig.house, &id, "undo", json!({"reason": "again"})).await.refusal().0, 409);

    // What came later must be undone first.
    let (first, _) = rig.sheet(sheet.clone()).await;
    rig.step(&rig.house, &first, "apply", json!({})).await.expect(200);
    let applied = rig.rates().await;
    let sheet = format!(
        "mcc;mnc;price;effective\n434;01;13;{}\n434;;50;\n434;02;10;\n434;03;10;\n434;09;3;{}\n",
        day(6),
        day(4)
    );
    let (second, _) = rig.sheet(sheet).await;
    rig.step(&rig.house, &second, "apply", json!({})).await.expect(200);
    assert_eq!(rig.step(&rig.house, &first, "undo", json!({"reason": "x"})).await.refusal().0, 409);
    rig.step(&rig.house, &second, "undo", json!({"reason": "x"})).await.expect(200);
    assert_eq!(rig.rates().await, applied);
    rig.step(&rig.house, &first, "undo", json!({"reason": "x"})).await.expect(200);
    assert_eq!(rig.rates().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_is_read_where_a_plan_has_a_price_for_everywhere() {
    let rig = Rig::new().await;
    let plan = rig.post(&rig.reseller, "/v1/tariff-plans", &json!({"name": "all"})).await.expect(201).text("id");
    rig.post(&rig.reseller, "/v1/tariffs", &json!({"plan_id": plan, "price": "1"})).await.expect(201);
    rig.rules(&json!({"mapping": {"currency": "UZS"}})).await;
    let (_, summary) = rig.sheet("mcc;mnc;price\n434;09;10\n").await;
    assert_eq!(summary["new"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_sheet_takes_away_what_was_to_begin_later() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}})).await;
    let base = format!(
        "mcc;mnc;price;effective\n434;;50;\n434;01;10;\n434;02;20;\n434;02;21;{0}\n434;03;30;{0}\n434;01;11;{0}\n",
        day(20)
    );
    let (id, _) = rig.sheet(base).await;
    rig.step(&rig.house, &id, "apply", json!({})).await.expect(200);
    let before = rig.rates().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}, "is_whole": true})).await;
    let sheet = format!("mcc;mnc;price;effective\n434;;50;{0}\n434;01;9;{0}\n", day(10));
    let (id, summary) = rig.sheet(sheet.clone()).await;
    let told: Vec<(String, String)> = rig
        .lines(&id, "")
        .await
        .iter()
        .map(|line| (short(line), line["effective_from"].as_str().unwrap_or_default().to_owned()))
        .collect();
    let (soon, later) = (text(midnight(10)), text(midnight(20)));
    let expected = [
        ("2 unchanged 434- 50.00 -> 50.00", &soon),
        ("3 down 43401 10.00 -> 9.00", &soon),
        // What was to begin later is not confirmed: the sheet's own price goes on.
        ("- closed 43401 11.00 -> -", &later),
        ("- down 43401 11.00 -> 9.00", &later),
        ("- closed 43402 20.00 -> -", &soon),
        ("- closed 43402 21.00 -> -", &later),
        ("- closed 43403 30.00 -> -", &later),
    ];
    assert_eq!(told, expected.map(|(line, from)| (line.to_owned(), from.clone())));
    assert_eq!((&summary["closed"], &summary["down"], &summary["refused"]), (&json!(4), &json!(2), &json!(0)));
    rig.step(&rig.house, &id, "apply", json!({})).await.expect(200);
    let holds = async |network: &str, days: u64| {
        rig.world.catalogue.refresh().await.unwrap();
        let catalogue = rig.world.catalogue.get();
        let at = midnight(days) + TimeDelta::hours(1);
        let rates = catalogue.rates.get(&network.parse::<domain::Network>().unwrap());
        let own = rates
            .into_iter()
            .flatten()
            .find(|rate| rate.operator == rig.world.operators[0] && domain::tariff::in_force(rate.from, rate.to, at));
        own.map(|rate| rate.price.to_string())
    };
    for (network, days, price) in [
        ("43402", 9, Some("20.00")),
        ("43402", 11, None),
        ("43402", 21, None),
        ("43403", 21, None),
        ("43401", 11, Some("9.00")),
        ("43401", 21, Some("9.00")),
    ] {
        assert_eq!(holds(network, days).await.as_deref(), price, "{network} in {days} days");
    }
    // Undone, all is as it was; but not over what was published since.
    let other = json!({"operator_id": rig.world.operators[0], "mcc": "434", "mnc": "03", "price": "1", "currency": "UZS",
        "effective_from": text(midnight(30))});
    let made = rig.post(&rig.house, "/v1/operator-rates", &other).await.expect(201).text("id");
    assert_eq!(rig.step(&rig.house, &id, "undo", json!({"reason": "x"})).await.refusal(), (409, "conflict".to_owned()));
    rig.call("DELETE", &format!("/v1/operator-rates/{made}"), Some(&rig.house), None).await.expect(204);
    rig.step(&rig.house, &id, "undo", json!({"reason": "x"})).await.expect(200);
    assert_eq!(rig.rates().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_is_not_applied_when_the_rates_have_changed_since_its_dry_run() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}})).await;
    let (id, _) = rig.sheet(format!("mcc;price;effective\n437;5;{}\n434;60;{}\n", day(5), day(5))).await;
    let rate = json!({"operator_id": rig.world.operators[0], "mcc": "434", "price": "55", "currency": "UZS",
        "effective_from": text(midnight(5))});
    rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201);
    let before = rig.rates().await;
    assert_eq!(rig.step(&rig.house, &id, "apply", json!({})).await.refusal(), (409, "conflict".to_owned()));
    assert_eq!(rig.rates().await, before, "nothing is half applied");
    let (id, summary) = rig.sheet(format!("mcc;price;effective\n437;5;{}\n434;60;{}\n", day(5), day(5))).await;
    assert_eq!((&summary["refused"], &summary["new"]), (&json!(1), &json!(1)));
    assert_eq!(rig.lines(&id, "&kind=refused").await[0]["reason"], "same_moment");
    rig.step(&rig.house, &id, "reject", json!({"reason": "a mistake"})).await.expect(200);
    assert_eq!(rig.step(&rig.house, &id, "apply", json!({})).await.refusal().0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_row_replaces_before_it_begins_holds_nothing_up_and_never_holds() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}})).await;
    let (id, summary) = rig.sheet("mcc;price;effective\n437;5;2026-01-01\n437;6;2026-02-01\n".to_owned()).await;
    assert_eq!((&summary["refused"], &summary["new"]), (&json!(1), &json!(1)));
    assert_eq!(rig.lines(&id, "&kind=refused").await[0]["reason"], "superseded");
    rig.step(&rig.house, &id, "apply", json!({})).await.expect(200);
    let rates =
        rig.world.count("SELECT count(*) FROM operator_rates WHERE mcc = '437' AND price_micros = 6000000").await;
    assert_eq!((rates, rig.world.count("SELECT count(*) FROM operator_rates WHERE mcc = '437'").await), (1, 1));

    // What a person saw is no longer true when a date of a later row has come.
    let dates = [Utc::now() + TimeDelta::seconds(1), Utc::now() + TimeDelta::seconds(2)];
    let rows: Vec<String> = [7, 8].iter().zip(dates).map(|(price, at)| format!("438;{price};{}", text(at))).collect();
    let (id, summary) = rig.sheet(format!("mcc;price;effective\n{}\n", rows.join("\n"))).await;
    assert_eq!((&summary["refused"], &summary["new"], &summary["up"]), (&json!(0), &json!(1), &json!(1)));
    testkit::eventually(std::time::Duration::from_secs(5), async || Utc::now() > dates[1]).await;
    assert_eq!(rig.step(&rig.house, &id, "apply", json!({})).await.refusal(), (409, "conflict".to_owned()));
    assert_eq!(rig.world.count("SELECT count(*) FROM operator_rates WHERE mcc = '438'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_lost_their_zeros_are_found_in_the_worlds_list() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}})).await;
    let (id, _) = rig.sheet("mcc;mnc;price\n334;20;1\n722;10;1\n262;1;1\n".to_owned()).await;
    let networks: Vec<String> = rig.lines(&id, "").await.iter().map(short).collect();
    assert_eq!(networks, ["2 new 334020 - -> 1.00", "3 new 722010 - -> 1.00", "4 new 26201 - -> 1.00"]);
}

/// Writes the record of a message of the client that went over the first operator a while ago.
pub(super) async fn carried(rig: &Rig, network: &str, segments: i16) {
    let message = rig.world.message("43405", 1, Utc::now());
    let single = store::accept::Single { message, idempotency: None };
    store::accept::accept_gathered(&rig.world.db, &[single]).await.unwrap();
    sqlx::query(
        "INSERT INTO sms_cdr (message_id, account_id, recipient, sender, mcc_mnc, encoding, segments, accepted_segments,
           state, operator_id, hop, chain_id, unit_price_micros, price_micros, currency, cost_micros, accepted_at, ended_at)
         SELECT id, account_id, 998901234567, 'x', $1, 'gsm7', $2, $2, 'delivered', $3, 1, chain_id, 0, 0, 'UZS', 0, now(), now()
         FROM messages ORDER BY id DESC LIMIT 1",
    )
    .bind(network)
    .bind(segments)
    .bind(rig.world.operators[0].uuid())
    .execute(rig.world.pool())
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_the_changes_do_to_the_margin_of_a_week() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}})).await;
    carried(&rig, "43405", 3).await;
    carried(&rig, "43405", 2).await;
    carried(&rig, "43404", 4).await;
    let (id, summary) =
        rig.sheet(format!("mcc;mnc;price;effective\n434;05;62;{0}\n434;;40;{0}\n438;;1;{0}\n", day(3))).await;
    let lines = rig.lines(&id, "").await;
    // The house earns 60 for a segment from the reseller, and pays 50 by the rate of the country.
    let expected = json!({"segments": 5, "earned": {"UZS": "300.00"}, "old_cost": "250.00", "new_cost": "310.00",
        "old_margin": "50.00", "new_margin": "-10.00"});
    assert_eq!(lines[0]["impact"], expected);
    let expected = json!({"segments": 4, "earned": {"UZS": "240.00"}, "old_cost": "200.00", "new_cost": "160.00",
        "old_margin": "40.00", "new_margin": "80.00"});
    assert_eq!(lines[1]["impact"], expected, "without the network that gets a rate of its own");
    assert_eq!(lines[2]["impact"], Value::Null, "nothing was sent there");
    let total =
        json!([{"currency": "UZS", "segments": 9, "old_cost": "450.00", "new_cost": "470.00", "difference": "20.00"}]);
    assert_eq!(summary["impact"], total);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_what_was_earned_and_not_what_was_sent() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS"}})).await;
    for segments in [3, 2] {
        carried(&rig, "43405", segments).await;
    }
    let pool = rig.world.pool();
    sqlx::query("UPDATE sms_cdr SET state = 'undelivered' WHERE segments = 2").execute(pool).await.unwrap();
    let sheet = format!("mcc;mnc;price;effective\n434;05;62;{}\n", day(3));
    for (charge_on, earned) in [("submit", "300.00"), ("delivered", "180.00")] {
        sqlx::query(
            "WITH made AS (
               INSERT INTO charge_chains (id, chain)
               SELECT gen_random_uuid(), jsonb_set(chain, '{links}',
                 (SELECT jsonb_agg(l || jsonb_build_object('charge_on', $1::text) ORDER BY nth)
                  FROM jsonb_array_elements(chain -> 'links') WITH ORDINALITY AS x(l, nth)))
               FROM charge_chains WHERE id = (SELECT chain_id FROM sms_cdr LIMIT 1) RETURNING id)
             UPDATE sms_cdr SET chain_id = made.id FROM made",
        )
        .bind(charge_on)
        .execute(pool)
        .await
        .unwrap();
        let (id, _) = rig.sheet(sheet.clone()).await;
        assert_eq!(rig.lines(&id, "").await[0]["impact"]["earned"]["UZS"], earned, "by {charge_on}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_out_traffic_whose_class_has_a_rate_of_its_own() {
    let rig = Rig::new().await;
    rig.rules(&json!({"mapping": {"currency": "UZS", "columns": {"traffic_class": "class"},
        "traffic_classes": {"": "", "marketing": "marketing", "alerts": "alerts"}}}))
        .await;
    for (segments, class) in [(1, "otp"), (2, "marketing"), (4, "alerts"), (8, "")] {
        carried(&rig, "43405", segments).await;
        sqlx::query("UPDATE sms_cdr SET traffic_class = nullif($1, '') WHERE segments = $2")
            .bind(class)
            .bind(segments)
            .execute(rig.world.pool())
            .await
            .unwrap();
    }
    let rate = json!({"operator_id": rig.world.operators[0], "mcc": "434", "mnc": "05", "price": "20", "currency": "UZS",
        "traffic_class": "otp"});
    rig.post(&rig.house, "/v1/operator-rates", &rate).await.expect(201);
    let rows = ["434;05;;62", "434;05;marketing;30", "434;;alerts;35", "434;;;40"];
    let rows = rows.map(|row| format!("{row};{}", day(3))).join("\n");
    let (id, _) = rig.sheet(format!("mcc;mnc;class;price;effective\n{rows}\n")).await;
    let lines = rig.lines(&id, "").await;
    let told: Vec<_> =
        lines.iter().map(|line| &line["impact"]).map(|i| [&i["segments"], &i["old_cost"], &i["new_cost"]]).collect();
    let expected = [
        // Not the messages of the class that the supplier has a price for, nor those of the class that the sheet has one for.
        json!([12, "600.00", "744.00"]),
        json!([2, "100.00", "60.00"]),
        // The network has a rate of every class: nothing looks for one of its country.
        json!([null, null, null]),
        json!([null, null, null]),
    ];
    assert_eq!(told.iter().map(|told| json!(told)).collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sheet_is_refused_with_a_reason() {
    let rig = Rig::new().await;
    let rows: [(&str, &[u8], u16, &str); 6] = [
        ("", b"\x00\x01\x02", 400, ""),
        ("", b"\xd0\xcf\x11\xe0", 400, ""),
        ("", b"a;b\n1;2\n", 400, "/mapping/columns/mcc"),
        ("", b"mcc;b\n1;2\n", 400, "/mapping/columns/price"),
        ("received_at=2020-01-01T00:00:00Z", b"mcc;price\n1;2\n", 400, "/received_at"),
        ("is_whole=perhaps", b"mcc;price\n1;2\n", 400, "/is_whole"),
    ];
    for (query, file, status, pointer) in rows {
        let refused = rig.upload(&rig.house, query, file.to_vec()).await.expect(status).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let large = rig.upload(&rig.house, "", vec![b'1'; 9 * 1024 * 1024]).await;
    assert_eq!(large.refusal(), (413, "payload_too_large".to_owned()));
    let path = format!("/v1/operators/{}/rate-sheet-rules", rig.world.operators[0]);
    let wrong = json!({"mapping": {"separator": ";;", "currency": "Sum", "date_formats": ["mm"], "mnc_digits": 4,
        "traffic_classes": {"x": "No Class"}}, "notice_days": 400, "on_short_notice": "shrug"});
    let refused = rig.call("PUT", &path, Some(&rig.house), Some(&wrong)).await.expect(400).json();
    let told: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    let expected = [
        "/mapping/separator",
        "/mapping/currency",
        "/mapping/date_formats",
        "/mapping/mnc_digits",
        "/mapping/traffic_classes",
        "/notice_days",
        "/on_short_notice",
    ];
    assert_eq!(told, expected);
    let unknown = "/v1/operators/op_01m835r56ceywr0hvw89c806ve/rate-sheet-rules";
    assert_eq!(rig.call("PUT", unknown, Some(&rig.house), Some(&json!({}))).await.refusal().0, 404);
}
