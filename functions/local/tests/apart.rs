//! The parts in processes of their own: API, functions, edge and operator meet only at the database, the queues and
//! the internal API.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::{Database, free_port, until_some};

/// Everything includes the start of four processes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

struct Cluster {
    database: Database,
    dir: tempfile::TempDir,
    http_port: u16,
    internal_port: u16,
    first_operator_port: u16,
    children: Vec<Child>,
}

impl Cluster {
    async fn new() -> Self {
        let [http_port, internal_port] = [free_port(), free_port()];
        let first_operator_port = free_port();
        let database = Database::fresh().await;
        Self { database, dir: testkit::temp_dir(), http_port, internal_port, first_operator_port, children: Vec::new() }
    }

    fn chappe(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chappe"));
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command.env("DATABASE_URL", self.database.url()).env("CHAPPE_DATA_DIR", self.dir.path());
        command.env("CHAPPE_HTTP_ADDR", format!("127.0.0.1:{}", self.http_port));
        command.env("CHAPPE_INTERNAL_ADDR", format!("127.0.0.1:{}", self.internal_port));
        command.env("CHAPPE_INTERNAL_URL", format!("http://127.0.0.1:{}", self.internal_port));
        command.env("CHAPPE_URL", format!("http://127.0.0.1:{}", self.http_port));
        command.env("CHAPPE_SMSC_ADDR", format!("127.0.0.1:{}", self.first_operator_port));
        if let Ok(secret) = std::fs::read_to_string(self.dir.path().join("secret")) {
            command.env("CHAPPE_SECRET_KEY", secret.trim());
        }
        command
    }

    fn start(&mut self, arguments: &[&str]) {
        let child = self.chappe(arguments).stdout(Stdio::null()).spawn().unwrap();
        self.children.push(child);
    }

    /// What a command prints with `--json`, once it succeeds.
    async fn json(&self, arguments: &[&str]) -> Value {
        until_some(LIMIT, async || {
            let output = self.chappe(arguments).arg("--json").stderr(Stdio::null()).output().unwrap();
            output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
        })
        .await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[tokio::test]
async fn a_message_passes_through_processes_that_share_nothing_else() {
    let mut cluster = Cluster::new().await;
    assert!(cluster.chappe(&["seed"]).status().unwrap().success());
    // The demo's second operator is Beeline.
    let beeline = format!("127.0.0.1:{}", cluster.first_operator_port + 1);
    cluster.start(&["smsc", "--account", "chappe:demo", "--listen", &beeline]);
    cluster.start(&["worker", "--api"]);
    cluster.start(&["worker", "route", "bill", "dlr", "callback", "sweep"]);
    cluster.start(&["edge", "--name", "tashkent-1"]);

    let sent = cluster.json(&["send", "--to", "+998901234567", "Hello from afar"]).await;
    let id = sent["id"].as_str().unwrap();
    let state = until_some(LIMIT, async || {
        let message = cluster.json(&["messages", id]).await;
        (message["state"] == "delivered").then_some(message["state"].clone())
    });
    assert_eq!(state.await, "delivered");
    assert_eq!(cluster.json(&["balance"]).await["held"], "0.00");
    assert_eq!(cluster.json(&["ledger", "verify"]).await["violations"], Value::from(Vec::<Value>::new()));
}
