//! The program as people and scripts use it.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::process::{Command, Output};

use queue::{Out, Settle, Take};
use serde_json::Value;
use testkit::Database;

/// Runs `chappe` with its database at `url` and an empty environment otherwise.
fn chappe(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chappe"));
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("DATABASE_URL", url);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn wrong_use_ends_with_64_and_says_why() {
    let rows: [(&[&str], &str); 7] = [
        (&["frobnicate"], "unrecognized subcommand"),
        (&["send"], "--to"),
        (&["send", "--to", "+998901234567", "Hello"], "no API key"),
        (&["queues"], "no database"),
        (&["queues", "--queue-url", "http://example.com"], "QUEUE_URL"),
        (&["edge", "--name", "two words"], "letters, digits"),
        (&["house", "create", "--name", "Bright SMS"], "--currency"),
    ];
    for (arguments, expected) in rows {
        let output = chappe("", arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn help_ends_well_and_shows_examples() {
    for arguments in [
        vec!["--help"],
        vec!["send", "--help"],
        vec!["parked", "--help"],
        vec!["smsc", "--help"],
        vec!["house", "create", "--help"],
        vec!["rates", "--help"],
    ] {
        let output = chappe("", &arguments);
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("chappe "), "{arguments:?}");
    }
}

#[test]
fn health_says_by_its_exit_code_whether_a_process_is_ready() {
    // Answers one request for each of the two calls.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        for status in ["200 OK", "503 Service Unavailable"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let octets = std::io::Read::read(&mut stream, &mut request).unwrap();
            assert!(text(&request[..octets]).starts_with("GET /readyz "));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwhy\n");
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        }
    });
    assert_eq!(chappe("", &["health", "--url", &url]).status.code(), Some(0));
    let not_ready = chappe("", &["health", "--url", &url]);
    assert_eq!(not_ready.status.code(), Some(1));
    assert!(text(&not_ready.stderr).contains("why"), "{}", text(&not_ready.stderr));
    answering.join().unwrap();
    assert_eq!(chappe("", &["health", "--url", &url]).status.code(), Some(1), "nobody answers");
}

#[tokio::test]
async fn secrets_come_from_files() {
    let (db, dir) = (Database::fresh().await, tempfile::tempdir().unwrap());
    let file = dir.path().join("url");
    std::fs::write(&file, format!("{}\n", db.url())).unwrap();
    let migrate = |more: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chappe"));
        command.arg("migrate").env_clear().env("DATABASE_URL_FILE", &file).envs(more.iter().copied());
        command.output().unwrap()
    };
    assert!(migrate(&[]).status.success());
    let both = migrate(&[("DATABASE_URL", "postgres://127.0.0.1:1/x")]);
    assert_eq!(both.status.code(), Some(64));
    assert!(text(&both.stderr).contains("both set"), "{}", text(&both.stderr));
}

#[tokio::test]
async fn a_fresh_database_is_migrated_and_its_books_are_right() {
    let db = Database::fresh().await;
    assert!(chappe(&db.url(), &["migrate"]).status.success());
    let verified = chappe(&db.url(), &["ledger", "verify", "--json"]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&verified.stdout).unwrap()["violations"], serde_json::json!([]));
}

#[tokio::test]
async fn parked_messages_are_listed_shown_replayed_and_dropped() {
    let db = Database::fresh().await;
    let queue = queue::open(&db.url()).await.unwrap();
    queue.create("bill").await.unwrap();
    for body in ["{\"n\":1}", "{\"n\":2}"] {
        queue.send("bill", &[Out::now(body)]).await.remove(0).unwrap();
    }
    park_all(queue.as_ref()).await;

    let listed = chappe(&db.url(), &["parked", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed[0]["why"], "cannot be read");
    let ids = [listed[0]["id"].as_str().unwrap(), listed[1]["id"].as_str().unwrap()];

    let shown = chappe(&db.url(), &["parked", "show", "bill", ids[0], "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap()["body"]["n"], 1);
    assert!(chappe(&db.url(), &["parked", "replay", "bill", ids[0]]).status.success());
    assert!(chappe(&db.url(), &["parked", "drop", "bill", ids[1]]).status.success());
    let again = chappe(&db.url(), &["parked", "drop", "bill", ids[1]]);
    assert_eq!(again.status.code(), Some(1), "what is gone cannot be dropped twice");

    let queues = chappe(&db.url(), &["queues", "--json"]);
    let queues: Value = serde_json::from_slice(&queues.stdout).unwrap();
    let bill = queues.as_array().unwrap().iter().find(|queue| queue["queue"] == "bill").unwrap();
    assert_eq!((&bill["ready"], &bill["parked"]), (&Value::from(1), &Value::from(0)));
}

async fn park_all(queue: &dyn queue::Queue) {
    let take = Take { max: 10, wait: std::time::Duration::ZERO, lease: std::time::Duration::from_secs(30) };
    let taken = queue.receive("bill", take).await.unwrap();
    let parked = taken.into_iter().map(|delivery| (delivery.lease, Settle::Park("cannot be read".to_owned())));
    for result in queue.settle("bill", parked.collect()).await {
        result.unwrap();
    }
}
