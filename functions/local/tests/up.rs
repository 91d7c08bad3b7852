//! `chappe up --demo` as a person runs it who has just cloned the repository.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::{free_port, until_some};

/// A message is delivered within a second of the demo's operators; a busy machine may take longer.
const DELIVERY_LIMIT: Duration = Duration::from_mins(1);

/// A data folder and ports of its own.
#[derive(Debug)]
struct Place {
    dir: tempfile::TempDir,
    http_port: u16,
    internal_port: u16,
}

impl Place {
    fn new() -> Self {
        let dir = testkit::temp_dir();
        // The account that PostgreSQL runs under must be able to pass through.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir, http_port: free_port(), internal_port: free_port() }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// `chappe` with everything in this place.
    fn chappe(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chappe"));
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("CHAPPE_DATA_DIR", self.data());
        command.env("CHAPPE_HTTP_ADDR", format!("127.0.0.1:{}", self.http_port));
        command.env("CHAPPE_INTERNAL_ADDR", format!("127.0.0.1:{}", self.internal_port));
        command.env("CHAPPE_URL", format!("http://127.0.0.1:{}", self.http_port));
        command.env("CHAPPE_SMSC_ADDR", "127.0.0.1:0").env("CHAPPE_SMPP_ADDR", "127.0.0.1:0");
        command.stdin(Stdio::null());
        command
    }

    /// What a command prints with `--json`.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.chappe(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// States of the latest messages, sorted.
    fn states(&self) -> Vec<String> {
        let page = self.json(&["messages"]);
        let messages = page["data"].as_array().unwrap();
        let mut states: Vec<String> =
            messages.iter().map(|message| message["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    }
}

/// A running `chappe up`; killed when a test fails.
#[derive(Debug)]
struct Up {
    child: Child,
    banner: String,
}

impl Up {
    /// Starts and reads what it says until it is ready.
    fn start(place: &Place) -> Self {
        let mut child = place.chappe(&["up", "--demo"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut banner = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !banner.contains("Ctrl-C stops") {
            let read = lines.read_line(&mut banner).unwrap();
            assert!(read > 0, "it ended before it was ready: {banner}");
        }
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self { child, banner }
    }

    /// What Ctrl-C does.
    fn interrupt(mut self) {
        let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The `curl` command that the banner offers, as its words.
fn curl_of(banner: &str) -> Vec<String> {
    let start = banner.find("curl -sS").unwrap();
    let command = banner[start..].split("\n\n").next().unwrap();
    let mut words = Vec::new();
    // Quoted words and plain ones take turns; quotes never stand inside of a word here.
    for (at, part) in command.replace("\\\n", " ").split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Sends what the banner's `curl` sends, by the program's own words: address, key and body.
fn send_as_told(place: &Place, banner: &str) -> Value {
    let words = curl_of(banner);
    let url = words[2].strip_suffix("/v1/messages").unwrap();
    let key = words[4].strip_prefix("Authorization: Bearer ").unwrap();
    let body: Value = serde_json::from_str(&words[8]).unwrap();
    let [to, from, text] = ["to", "from", "text"].map(|name| body[name].as_str().unwrap());
    place.json(&["send", "--url", url, "--key", key, "--to", to, "--from", from, text])
}

#[tokio::test]
async fn a_first_message_is_delivered_and_a_second_start_keeps_it() {
    let place = Place::new();
    let up = Up::start(&place);
    assert_eq!(place.states(), ["delivered", "expired", "undelivered"], "the demo has a past");

    let sent = send_as_told(&place, &up.banner);
    assert_eq!((&sent["state"], &sent["segments"]), (&Value::from("accepted"), &Value::from(1)));
    let id = sent["id"].as_str().unwrap();
    let delivered = until_some(DELIVERY_LIMIT, async || {
        Some(place.json(&["messages", id])).filter(|message| message["state"] == "delivered")
    });
    let delivered = delivered.await;
    let states: Vec<&str> =
        delivered["events"].as_array().unwrap().iter().map(|event| event["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["accepted", "queued", "sent", "delivered"]);
    let balance = place.json(&["balance"]);
    assert_eq!(balance["held"], "0.00");
    assert_eq!(place.json(&["ledger", "verify"])["violations"], Value::from(Vec::<Value>::new()));
    up.interrupt();

    let up = Up::start(&place);
    assert_eq!(place.states(), ["delivered", "delivered", "expired", "undelivered"], "kept, and nothing is sent twice");
    let kept = place.json(&["balance"]);
    // When it is empty depends on when one asks.
    for member in ["balance", "held", "available", "credit_limit", "currency", "kind"] {
        assert_eq!(kept[member], balance[member], "{member}");
    }
    up.interrupt();
    assert_eq!(pgserver::running_url(&place.data().join("postgres")).unwrap(), None, "nothing is left running");
}

#[tokio::test]
async fn secrets_are_closed_to_others() {
    let place = Place::new();
    Up::start(&place).interrupt();
    for name in ["secret", "demo-key"] {
        let mode = std::fs::metadata(place.data().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_taken_port_and_wrong_settings_end_with_64_before_anything_starts() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let rows = [
        ("CHAPPE_HTTP_ADDR", taken.as_str(), "set CHAPPE_HTTP_ADDR"),
        ("CHAPPE_INTERNAL_ADDR", taken.as_str(), "set CHAPPE_INTERNAL_ADDR"),
        ("CHAPPE_SMSC_ADDR", taken.as_str(), "set CHAPPE_SMSC_ADDR"),
        ("CHAPPE_SMPP_ADDR", taken.as_str(), "set CHAPPE_SMPP_ADDR"),
        ("CHAPPE_HTTP_ADDR", "8080", "must be an address and a port"),
        ("CHAPPE_SECRET_KEY", "short", "must be exactly 32 bytes"),
        ("CHAPPE_HTTP_ADR", "127.0.0.1:1", "did you mean CHAPPE_HTTP_ADDR"),
    ];
    for (name, value, expected) in rows {
        let output = place.chappe(&["up", "--demo"]).env(name, value).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{name}={value}: {said}");
        assert!(said.contains(expected), "{name}={value}: {said}");
        assert!(!place.data().join("postgres").exists(), "{name}={value}");
    }
}

#[tokio::test]
async fn a_private_database_that_dies_comes_back_and_so_does_service() {
    let place = Place::new();
    let up = Up::start(&place);
    let pid_file = std::fs::read_to_string(place.data().join("postgres/cluster/postmaster.pid")).unwrap();
    let postgres = pid_file.lines().next().unwrap();
    assert!(Command::new("kill").args(["-QUIT", postgres]).status().unwrap().success());
    let sent = until_some(DELIVERY_LIMIT, async || {
        let output = place.chappe(&["send", "--to", "+998931234567", "Still here", "--json"]).output().unwrap();
        output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
    });
    let id = sent.await["id"].as_str().unwrap().to_owned();
    until_some(DELIVERY_LIMIT, async || {
        let output = place.chappe(&["messages", &id, "--json"]).output().unwrap();
        let message = serde_json::from_slice::<Value>(&output.stdout).ok()?;
        (message["state"] == "delivered").then_some(())
    })
    .await;
    up.interrupt();
}
