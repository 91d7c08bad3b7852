//! Numbering: the world's list, imports that need no restart, and numbers that moved.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use domain::Number;
use domain::overrides::Overrides;
use http::{Request, header};
use serde_json::{Value, json};
use store::holder::Holder;
use testkit::eventually;
use tokio_util::sync::CancellationToken;

use super::rig::{Answer, Rig};

/// How soon every process must have what was imported.
const LIVE_WITHIN: Duration = Duration::from_secs(5);

impl Rig {
    /// Posts a CSV sheet as the house.
    async fn import(&self, path: &str, csv: impl Into<axum::body::Body>) -> Answer {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.house))
            .header(header::CONTENT_TYPE, "text/csv; charset=utf-8");
        self.raw(request.body(csv.into()).unwrap()).await
    }

    /// The network that messages to `to` would be priced for.
    async fn network_of(&self, to: &str) -> Value {
        self.post(&self.house, "/v1/routing/decision", &json!({"to": to})).await.json()["mcc_mnc"].clone()
    }
}

/// Pointers, codes and details of a refusal.
fn errors(answer: &Answer) -> Vec<(String, String)> {
    let text = |error: &Value, field: &str| error[field].as_str().unwrap_or_default().to_owned();
    let body = answer.json();
    body["errors"].as_array().into_iter().flatten().map(|e| (text(e, "pointer"), text(e, "code"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_is_known_from_the_first_start() {
    let rig = Rig::new().await;
    sqlx::query("DELETE FROM mcc_mnc_prefixes").execute(rig.world.pool()).await.unwrap();
    rig.world.catalogue.refresh().await.unwrap();
    let rows = [
        ("+998931234567", "43405"),
        ("+12025550123", "310"),
        ("+14165550123", "302"),
        ("+77011234567", "40102"),
        ("+447400123456", "234"),
        ("+8613800138000", "460"),
    ];
    for (to, expected) in rows {
        let found = rig.network_of(to).await;
        assert!(found.as_str().is_some_and(|found| found.starts_with(&expected[..3])), "{to}: {found}");
        if expected.len() > 3 {
            assert_eq!(found, expected, "{to}");
        }
    }
    let list = async |query: &str| rig.get(&rig.client, &format!("/v1/networks?{query}")).await.expect(200).json();
    let found = list("country=uz&name=ucell").await;
    let ucell = json!({"mcc": "434", "mnc": "05", "name": "Ucell", "country": "UZ", "country_name": "Uzbekistan"});
    assert_eq!(found["data"], json!([ucell]));
    let first = list("mcc=250&limit=3").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = list(&format!("mcc=250&limit=3&cursor={cursor}")).await;
    let mncs = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|row| row["mnc"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((mncs(&first).len(), mncs(&next).len()), (3, 3));
    assert!(mncs(&first).last() < mncs(&next).first(), "{first} {next}");
    let countries = rig.get(&rig.client, "/v1/countries").await.expect(200).json();
    assert!(countries["data"].as_array().unwrap().len() > 220);
    for (query, pointer) in
        [("country=ZZ", "/country"), ("mcc=1", "/mcc"), ("cursor=x", "/cursor"), ("limit=0", "/limit")]
    {
        let refused = rig.get(&rig.client, &format!("/v1/networks?{query}")).await.expect(400);
        assert_eq!(errors(&refused), [(pointer.to_owned(), "invalid_request".to_owned())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_names_every_broken_line_and_stores_nothing_of_it() {
    let rig = Rig::new().await;
    let overrides: [(&str, &[(&str, &str)]); 9] = [
        ("", &[("/columns", "invalid_request"), ("/columns", "invalid_request")]),
        ("number\n998931234567\n", &[("/columns", "invalid_request")]),
        ("number,mcc,colour\n998931234567,434,red\n", &[("/columns/2", "unknown_field")]),
        ("number,mcc,mcc\n998931234567,434,434\n", &[("/columns/2", "invalid_request")]),
        ("number,mcc\n", &[("", "invalid_request")]),
        ("number,mcc\n998931234567,434,05\n", &[("/lines/2", "invalid_request")]),
        (
            "number,mcc,mnc,expires_at\n998931234567,434,05,\nx,434,05,\n998931234568,43,5,soon\n998931234567,434,04,\n",
            &[
                ("/lines/3/number", "invalid_number"),
                ("/lines/4/mcc", "invalid_request"),
                ("/lines/4/mnc", "invalid_request"),
                ("/lines/4/expires_at", "invalid_request"),
                ("/lines/5/number", "invalid_request"),
            ],
        ),
        (
            "number,mcc\n998931234567,\n998931234568,,\n,434\n",
            &[("/lines/3", "invalid_request"), ("/lines/4/number", "invalid_number")],
        ),
        ("\u{feff}Number,MCC\n\"998931234567\",4340\n", &[("/lines/2/mcc", "invalid_request")]),
    ];
    for (csv, expected) in overrides {
        let refused = rig.import("/v1/number-overrides/import", csv).await;
        let expected: Vec<_> = expected.iter().map(|(p, c)| ((*p).to_owned(), (*c).to_owned())).collect();
        assert_eq!((errors(&refused), refused.status.is_client_error()), (expected, true), "{csv}");
    }
    let prefixes = "prefix,mcc,operator_name\n0998,434,\n99893,434,\u{7}\n99894,,x\n";
    let refused = rig.import("/v1/prefixes/import?first_line=50001", prefixes).await;
    let pointers: Vec<String> = errors(&refused).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/lines/50002/prefix", "/lines/50003/operator_name", "/lines/50004/mcc"]);
    let many: String = (0..2_000).map(|_| "x,434\n").collect();
    let refused = rig.import("/v1/number-overrides/import", format!("number,mcc\n{many}")).await.expect(400);
    assert_eq!(errors(&refused).len(), 1_001, "a bound on what is named");
    let json = rig.post(&rig.house, "/v1/number-overrides/import", &json!({})).await;
    assert_eq!(json.refusal(), (415, "unsupported_media_type".to_owned()));
    assert_eq!(rig.world.count("SELECT count(*) FROM number_overrides").await, 0);
    assert_eq!(rig.world.count("SELECT count(*) FROM mcc_mnc_prefixes").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_in_force_everywhere_within_seconds_and_without_a_restart() {
    let rig = Rig::new().await;
    // Another process, with a picture of its own.
    let elsewhere = Holder::load(rig.world.db.clone()).await.unwrap();
    let (stop, following) = (CancellationToken::new(), elsewhere.clone());
    let stopped = stop.clone();
    let follow = tokio::spawn(async move { following.follow(stopped.cancelled()).await });
    let number = Number::parse("998931234567").unwrap();
    let everywhere = async |expected: &str, what: &str| {
        assert_eq!(rig.network_of("+998931234567").await, expected, "{what}, where it was imported");
        let expected = expected.parse().ok();
        eventually(LIVE_WITHIN, async || elsewhere.get().network(number) == expected).await;
    };
    let prefixes = rig.import("/v1/prefixes/import", "operator_name,prefix,mnc,mcc\nMoved,9989312,07,434\n").await;
    assert_eq!(prefixes.expect(200).json(), json!({"lines": 1, "dry_run": false}));
    everywhere("43407", "a prefix").await;
    let csv = "number,mcc,mnc,source\n+998 93 123-45-67,434,04,portability\n998931234568,434,08,\n";
    let dry = rig.import("/v1/number-overrides/import?dry_run=true", csv).await;
    assert_eq!(dry.expect(200).json(), json!({"lines": 2, "dry_run": true}));
    everywhere("43407", "a dry run changes nothing").await;
    rig.import("/v1/number-overrides/import", csv).await.expect(200);
    everywhere("43404", "an override").await;
    rig.import("/v1/number-overrides/import", "number,mcc,mnc\n998931234567,,\n").await.expect(200);
    everywhere("43407", "what is forgotten").await;
    rig.import("/v1/number-overrides/import", "number,mcc\n998931234567,250\n").await.expect(200);
    everywhere("250", "what was forgotten and comes back").await;
    sqlx::query("DELETE FROM number_overrides WHERE number = 998931234567").execute(rig.world.pool()).await.unwrap();
    rig.world.catalogue.refresh().await.unwrap();
    everywhere("43407", "what somebody deleted by hand").await;
    let listed = rig.get(&rig.house, "/v1/number-overrides").await.expect(200).json();
    let numbers: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|row| &row["number"]).collect();
    assert_eq!(numbers, ["+998931234568"]);
    stop.cancel();
    follow.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_ends_with_its_time_and_tombstones_are_dropped() {
    let rig = Rig::new().await;
    let number = Number::parse("998931234567").unwrap();
    rig.import("/v1/number-overrides/import", "number,mcc,mnc,expires_at\n998931234567,434,04,2100-01-01T00:00:00Z\n")
        .await
        .expect(200);
    let away = rig.world.catalogue.get().overrides.clone();
    assert_eq!(away.get(number.value()), "43404".parse().ok());
    let at = |text: &str| text.parse().unwrap();
    let sweep = async |now: &str| store::overrides::sweep(&rig.world.db, at(now)).await.unwrap();
    assert_eq!(sweep("2099-12-31T00:00:00Z").await, 0);
    assert_eq!(sweep("2100-01-01T00:00:01Z").await, 1);
    rig.world.catalogue.refresh().await.unwrap();
    assert_eq!(rig.world.catalogue.get().network(number), "43405".parse().ok());
    let version = store::catalogue::version(&rig.world.db).await.unwrap();
    assert_eq!(sweep("2100-01-01T12:00:00Z").await, 0);
    assert_eq!(
        store::catalogue::version(&rig.world.db).await.unwrap(),
        version,
        "a look that finds nothing is no change"
    );
    assert_eq!(sweep("2100-01-02T00:00:02Z").await, 1, "its tombstone is dropped after a day");
    assert_eq!(rig.world.count("SELECT count(*) FROM number_overrides").await, 0);
    // Who has not read the tombstone reads everything anew.
    let back = store::catalogue::load(&rig.world.db, &away).await.unwrap();
    assert_eq!(back.overrides.get(number.value()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_thousand_overrides_do_not_slow_down_changes_of_other_things() {
    const ROWS: i64 = 200_000;
    let rig = Rig::new().await;
    let started = Instant::now();
    sqlx::query("INSERT INTO number_overrides (number, mcc, mnc, source) SELECT 998930000000 + n, '434', '04', 'test' FROM generate_series(1, $1) n")
        .bind(ROWS)
        .execute(rig.world.pool())
        .await
        .unwrap();
    let stored = started.elapsed();
    let whole = Instant::now();
    let all = store::catalogue::load(&rig.world.db, &Overrides::default()).await.unwrap();
    let whole = whole.elapsed();
    assert_eq!(i64::try_from(all.overrides.len()).unwrap(), ROWS);
    rig.import("/v1/number-overrides/import", "number,mcc,mnc\n998930000001,434,08\n").await.expect(200);
    let changed = Instant::now();
    let next = store::catalogue::load(&rig.world.db, &all.overrides).await.unwrap();
    let changed = changed.elapsed();
    println!("{ROWS} overrides: stored in {stored:?}, read whole in {whole:?}, one change read in {changed:?}");
    assert_eq!(next.overrides.get(998_930_000_001), "43408".parse().ok());
    assert_eq!(i64::try_from(next.overrides.len()).unwrap(), ROWS);
    assert!(changed * 4 < whole, "a change reads {changed:?}, everything {whole:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_imports_a_file_in_parts() {
    let rig = Rig::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(listener, rig.router.clone()).into_future());
    let folder = testkit::temp_dir();
    let import = async |csv: &str, more: &[&str]| {
        let file = folder.path().join("numbers.csv");
        std::fs::write(&file, csv).unwrap();
        let mut command = tokio::process::Command::new(crate::chappe::binary::chappe());
        command.env_clear().args(["numbers", "import", "overrides"]).arg(&file).args(more);
        let output = command.args(["--url", &url, "--key", &rig.house]).output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let mut csv = "number,mcc,mnc\n".to_owned();
    for number in 0..60_000 {
        writeln!(csv, "{},434,04", 998_930_000_000_u64 + number).unwrap();
    }
    let stored = async || rig.world.count("SELECT count(*) FROM number_overrides").await;
    let dry = import(&csv, &["--dry-run"]).await;
    assert_eq!(
        (dry.0, dry.1.trim(), stored().await),
        (true, "60000 lines are good; nothing was stored", 0),
        "{}",
        dry.2
    );
    let broken = import(&format!("{csv}x,434,04\n"), &[]).await;
    assert_eq!((broken.0, stored().await), (false, 0), "nothing of a file with a broken line is stored");
    assert!(broken.2.contains("/lines/60002/number"), "{}", broken.2);
    let good = import(&csv, &[]).await;
    assert_eq!((good.0, good.1.trim(), stored().await), (true, "60000 lines imported", 60_000), "{}", good.2);
    serving.abort();
}
