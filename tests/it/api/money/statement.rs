//! The statement: every movement, balances that chain, and lines that open down to single messages.

use contract::ReceiptState::{Delivered, Undeliverable};
use serde_json::{Value, json};

use super::{ON_DELIVERY, ON_SUBMIT, micros};
use crate::api::rig::{Rig, send};
use domain::AccountId;

impl Rig {
    /// The whole statement, newest first, read in pages of `limit`.
    async fn statement(&self, token: &str, query: &str, limit: usize) -> Vec<Value> {
        let (mut lines, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/statement?limit={limit}{query}{cursor}");
            let page = self.get(token, &path).await.expect(200).json();
            lines.extend(page["data"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return lines,
            }
        }
    }

    /// What the messages behind `entry` sum to on this wallet: posted and held.
    async fn opened(&self, token: &str, entry: &str) -> (i64, i64) {
        let path = format!("/v1/statement/{entry}/messages?limit=1000");
        let page = self.get(token, &path).await.expect(200).json();
        let sum = |field: &str| page["data"].as_array().unwrap().iter().map(|row| micros(&row[field])).sum::<i64>();
        (sum("refunded") - sum("captured"), sum("held") - sum("captured") - sum("released"))
    }
}

/// A life with everything in it.
async fn live(rig: &Rig) {
    rig.ended(ON_SUBMIT, 2, Delivered).await;
    let refunded = rig.ended(ON_DELIVERY, 3, Delivered).await;
    rig.ended(ON_DELIVERY, 1, Undeliverable).await;
    let batch: Vec<Value> = (0..7).map(|_| send(&json!({}))).collect();
    rig.post(&rig.client, "/v1/messages/batch", &json!({"messages": batch})).await.expect(202);
    let canceled = rig.post(&rig.client, "/v1/messages", &send(&json!({}))).await.expect(201).text("id");
    rig.call("DELETE", &format!("/v1/messages/{canceled}"), Some(&rig.client), None).await.expect(200);
    super::carry(&rig.world, Delivered).await;
    let back = json!({"segments": 1, "reason": "x"});
    rig.post(&rig.house, &format!("/v1/messages/{refunded}/refunds"), &back).await.expect(201);
    let client = rig.world.client;
    let down = json!({"direction": "down", "amount": "12.5", "reason": "=SUM(1)"});
    rig.post(&rig.reseller, &format!("/v1/accounts/{client}/transfers"), &down).await.expect(201);
    let topped = rig.get(&rig.client, "/v1/transactions?kind=top_up").await.expect(200).json();
    let path = format!("/v1/transactions/{}/corrections", topped["data"][0]["id"].as_str().unwrap());
    rig.post(&rig.house, &path, &json!({"amount": "3", "reason": "too much"})).await.expect(201);
}

async fn check(rig: &Rig, token: &str, account: AccountId) {
    let lines = rig.statement(token, "", 1000).await;
    // The lines chain from nothing to the wallet.
    let (posted, held) = rig.world.wallet(account).await;
    let mut at = (posted, held);
    for line in &lines {
        assert_eq!((micros(&line["balance_after"]), micros(&line["held_after"])), at, "{line}");
        at = (at.0 - micros(&line["amount"]), at.1 - micros(&line["held"]));
    }
    assert_eq!(at, (0, 0), "what was there before the first line");
    // Pages and filters show the same lines.
    assert_eq!(rig.statement(token, "", 3).await, lines);
    for operation in
        ["hold", "capture", "release", "lookup", "refund", "top_up", "transfer", "adjustment", "correction"]
    {
        let filtered = rig.statement(token, &format!("&operation={operation}"), 2).await;
        let expected: Vec<&Value> = lines.iter().filter(|line| line["operation"] == operation).collect();
        assert_eq!(filtered.iter().collect::<Vec<_>>(), expected, "{operation}");
    }
    // Every entry of messages opens into messages of its sums.
    let mut entries: Vec<&str> = lines.iter().map(|line| line["entry_id"].as_str().unwrap()).collect();
    entries.dedup();
    for entry in entries {
        let of_entry: Vec<&Value> = lines.iter().filter(|line| line["entry_id"] == entry).collect();
        if of_entry.iter().all(|line| line["messages"] == json!(0)) {
            assert_eq!(rig.opened(token, entry).await, (0, 0), "no messages, nothing to open");
            continue;
        }
        let sum = |field: &str| of_entry.iter().map(|line| micros(&line[field])).sum::<i64>();
        assert_eq!(rig.opened(token, entry).await, (sum("amount"), sum("held")), "{of_entry:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wallet_of_the_chain_has_its_statement_and_every_line_opens_to_the_micro() {
    let rig = Rig::new().await;
    live(&rig).await;
    rig.world.assert_books_are_right().await;
    for (token, account) in
        [(&rig.client, rig.world.client), (&rig.reseller, rig.world.reseller), (&rig.house, rig.world.house)]
    {
        check(&rig, token, account).await;
    }
    let operations: Vec<Value> =
        rig.statement(&rig.client, "", 1000).await.into_iter().map(|line| line["operation"].clone()).collect();
    for operation in ["hold", "capture", "release", "refund", "top_up", "transfer", "correction"] {
        assert!(operations.contains(&json!(operation)), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_has_its_time_and_its_tenant() {
    let rig = Rig::new().await;
    live(&rig).await;
    let lines = rig.statement(&rig.client, "", 1000).await;
    let middle = lines[lines.len() / 2]["at"].as_str().unwrap();
    let (newer, older) = (
        rig.statement(&rig.client, &format!("&from={middle}"), 1000).await,
        rig.statement(&rig.client, &format!("&to={middle}"), 1000).await,
    );
    assert_eq!(newer.into_iter().chain(older).collect::<Vec<_>>(), lines);
    let above = rig.statement(&rig.reseller, &format!("&account_id={}", rig.world.client), 1000).await;
    assert_eq!(above, lines, "who sells to it sees it, too");
    let entry = lines.iter().find(|line| line["operation"] == "capture").unwrap()["entry_id"].as_str().unwrap();
    let other = format!("/v1/statement/{entry}/messages?account_id={}", rig.world.reseller);
    assert_eq!(rig.get(&rig.client, &other).await.refusal().0, 404);
    for (query, pointer) in [
        ("operation=gift", "/operation"),
        ("from=yesterday", "/from"),
        ("to=x", "/to"),
        ("cursor=x", "/cursor"),
        ("limit=0", "/limit"),
    ] {
        let refused = rig.get(&rig.client, &format!("/v1/statement?{query}")).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_export_is_the_statement() {
    let rig = Rig::new().await;
    live(&rig).await;
    // Long ago, so that pages are counted on from each other; more lines than one page of the export.
    let old = "INSERT INTO balance_ledger (entry_id, line, at, operation, ledger, account_id, currency, posted_micros)
         SELECT uuid_at(now() - interval '2 days' + n * interval '1 second'), 1, now() - interval '2 days' + n * interval '1 second',
            'transfer', 'wallet', id, 'UZS', CASE WHEN n % 2 = 0 THEN 1000000 ELSE -1000000 END
         FROM accounts, generate_series(1, 2500) n WHERE role = 'client'";
    sqlx::query(old).execute(rig.world.pool()).await.unwrap();
    let answer = rig.get(&rig.client, "/v1/statement.csv").await.expect(200);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let lines = rig.statement(&rig.client, "", 500).await;
    let rows: Vec<&str> = text.trim_end().split("\r\n").collect();
    assert_eq!(rows.len(), lines.len() + 3);
    let balance = micros(&lines[0]["balance_after"]);
    let balance = domain::Micros::new(balance);
    assert!(
        rows[1].starts_with(",,20") && rows[1].ends_with(&format!("Z,closing_balance,,,{balance},,UZS,,")),
        "{}",
        rows[1]
    );
    assert_eq!(rows[rows.len() - 1], ",,,opening_balance,,,0.00,,UZS,,");
    for (row, line) in rows.iter().skip(2).zip(&lines) {
        let told = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let start = format!("{},{},{},{},", told("entry_id"), line["line"], told("at"), told("operation"));
        let amounts = ["amount", "held", "balance_after", "held_after"].map(told).join(",");
        assert!(row.starts_with(&format!("{start}{amounts},UZS,")), "{row} is not {line}");
    }
    assert!(text.contains(",'=SUM(1)\r\n"), "a reason is no formula");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_in_a_time_lies_between_its_opening_and_its_closing_balance() {
    let rig = Rig::new().await;
    live(&rig).await;
    let lines = rig.statement(&rig.client, "", 1000).await;
    let wallet = rig.world.wallet(rig.world.client).await.0;
    let at = |place: usize| lines[place]["at"].as_str().unwrap().to_owned();
    let (late, early) = (at(lines.len() / 3), at(2 * lines.len() / 3));
    // Where one ends the next begins, and each holds its own lines.
    let times = [
        (String::new(), format!("&to={early}")),
        (format!("&from={early}"), format!("&to={late}")),
        (format!("&from={late}"), String::new()),
    ];
    let mut balance = 0;
    for (from, to) in &times {
        let moved: i64 =
            rig.statement(&rig.client, &format!("{from}{to}"), 1000).await.iter().map(|l| micros(&l["amount"])).sum();
        // Whatever part of it is read.
        for part in ["limit=1000", "limit=1", "limit=1000&operation=transfer"] {
            let page = rig.get(&rig.client, &format!("/v1/statement?{part}{from}{to}")).await.expect(200).json();
            let told = (micros(&page["opening_balance"]), micros(&page["closing_balance"]), &page["currency"]);
            assert_eq!(told, (balance, balance + moved, &json!("UZS")), "{part}{from}{to}");
        }
        let path = format!("/v1/statement.csv?{}", format!("{from}{to}").trim_start_matches('&'));
        let text = String::from_utf8(rig.get(&rig.client, &path).await.expect(200).bytes.to_vec()).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|row| row.split(',').collect()).collect();
        let told = |row: &[&str]| (row[3].to_owned(), micros(&json!(row[6])));
        assert_eq!(told(&rows[1]), ("closing_balance".to_owned(), balance + moved), "{from}{to}");
        assert_eq!(told(&rows[rows.len() - 1]), ("opening_balance".to_owned(), balance), "{from}{to}");
        balance += moved;
    }
    assert_eq!(balance, wallet);
    // Before there was a wallet, and when nothing will ever have moved.
    for (query, expected) in [("to=2001-01-01T00:00:00Z", 0), ("from=2101-01-01T00:00:00Z", wallet)] {
        let page = rig.get(&rig.client, &format!("/v1/statement?{query}")).await.expect(200).json();
        let told = (micros(&page["opening_balance"]), micros(&page["closing_balance"]));
        assert_eq!((told, &page["data"]), ((expected, expected), &json!([])), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_too_long_for_a_file_is_refused_before_its_first_line() {
    let settings = api::Settings { segments_per_second: 1_000_000, statement_lines_max: 5, ..api::Settings::default() };
    let rig = Rig::with(crate::api::rig::RICH, settings).await;
    for _ in 0..5 {
        let down = json!({"direction": "down", "amount": "1", "reason": "x"});
        let path = format!("/v1/accounts/{}/transfers", rig.world.client);
        rig.post(&rig.reseller, &path, &down).await.expect(201);
    }
    let lines = rig.statement(&rig.client, "", 1000).await;
    assert_eq!(lines.len(), 6, "funded once, and five transfers");
    let refused = rig.get(&rig.client, "/v1/statement.csv").await.expect(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/from");
    let told = refused["errors"][0]["detail"].as_str().unwrap();
    assert!(told.contains("more than 5 lines") && told.contains("shorter time"), "{told}");
    // A part of it that is short enough is whole.
    let last = lines[4]["at"].as_str().unwrap();
    for query in [format!("from={last}"), "operation=transfer".to_owned()] {
        let text = rig.get(&rig.client, &format!("/v1/statement.csv?{query}")).await.expect(200).bytes;
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert_eq!(text.lines().count(), 5 + 3, "{query}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_opens_to_the_micro_after_its_messages_have_gone() {
    let rig = Rig::new().await;
    live(&rig).await;
    let wallets = [(&rig.client, rig.world.client), (&rig.reseller, rig.world.reseller), (&rig.house, rig.world.house)];
    let entry = rig.get(&rig.client, "/v1/statement?operation=capture&limit=1").await.expect(200).json();
    let path = format!("/v1/statement/{}/messages", entry["data"][0]["entry_id"].as_str().unwrap());
    let before = rig.get(&rig.client, &path).await.expect(200).json();
    // What has not ended has no record: it is canceled by nobody in 400 days.
    assert_eq!(rig.world.count("SELECT count(*) FROM messages WHERE state_rank < 8").await, 0);
    let later = chrono::Utc::now() + chrono::TimeDelta::days(500);
    store::sweep::retention(&rig.world.db, store::sweep::Retention::default(), later).await.unwrap();
    assert_eq!(rig.world.count("SELECT count(*) FROM messages").await, 0);
    for (token, account) in wallets {
        check(&rig, token, account).await;
    }
    assert_eq!(rig.get(&rig.client, &path).await.expect(200).json(), before);
}
