//! The commands of infra/compose/compose.yaml, as plain processes that meet only at the database, the queues, Redis and
//! the internal API.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Database, RabbitMq, Redis, eventually, until_some};

use crate::chappe::{binary, free_port};
use crate::tidy::read;

/// Nine processes on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// The commands of our own services, in the order of the file: `command: ["worker", "--api"]`.
fn commands() -> Vec<Vec<String>> {
    let lines = read("infra/compose/compose.yaml");
    let listed = lines.lines().filter_map(|line| line.strip_prefix("    command: "));
    let commands = listed.filter_map(|list| serde_json::from_str::<Vec<String>>(list).ok());
    let ours = ["worker", "edge", "migrate"];
    commands.filter(|command| ours.contains(&command[0].as_str())).collect()
}

struct Cluster {
    database: Database,
    redis: Redis,
    /// A virtual host of RabbitMQ.
    queues: String,
    dir: tempfile::TempDir,
    ports: [u16; 4],
    children: Vec<Child>,
}

impl Cluster {
    /// `chappe` with its secrets in files, as in the containers.
    fn chappe(&self, arguments: &[String], more: &[(&str, String)]) -> Command {
        let [http, internal, smsc, _] = self.ports;
        let mut command = Command::new(binary::chappe());
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).stdout(Stdio::null());
        let urls = [
            ("DATABASE_URL", self.database.url()),
            ("REDIS_URL", self.redis.url()),
            ("QUEUE_URL", self.queues.clone()),
        ];
        for (name, value) in urls {
            let file = self.dir.path().join(name);
            // Written once: a service that starts may be reading it.
            if !file.exists() {
                std::fs::write(&file, value).unwrap();
            }
            command.env(format!("{name}_FILE"), file);
        }
        command.env("CHAPPE_DATA_DIR", self.dir.path()).env("CHAPPE_LOG", "error");
        command.env("CHAPPE_HTTP_ADDR", format!("127.0.0.1:{http}"));
        command.env("CHAPPE_URL", format!("http://127.0.0.1:{http}"));
        command.env("CHAPPE_INTERNAL_ADDR", format!("127.0.0.1:{internal}"));
        command.env("CHAPPE_INTERNAL_URL", format!("http://127.0.0.1:{internal}"));
        command.env("CHAPPE_SMSC_ADDR", format!("127.0.0.1:{smsc}")).envs(more.iter().cloned());
        let secret = self.dir.path().join("secret");
        if secret.exists() {
            command.env("CHAPPE_SECRET_KEY_FILE", secret);
        }
        command
    }

    fn run(&self, arguments: &[&str]) {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        assert!(self.chappe(&arguments, &[]).status().unwrap().success(), "{arguments:?}");
    }

    /// What a command prints with `--json`, once it succeeds.
    async fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<String> = arguments.iter().chain(&["--json"]).map(ToString::to_string).collect();
        until_some(LIMIT, async || {
            let output = self.chappe(&arguments, &[]).stdout(Stdio::piped()).stderr(Stdio::null()).output().unwrap();
            output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
        })
        .await
    }

    /// Starts one and waits until `chappe health` says that it is ready.
    async fn start(&mut self, arguments: &[String]) {
        let watch = free_port();
        let mut more = vec![("CHAPPE_WATCH_ADDR", format!("127.0.0.1:{watch}"))];
        if arguments[0] == "edge" {
            more.push(("CHAPPE_SMPP_ADDR", format!("127.0.0.1:{}", free_port())));
        }
        self.children.push(self.chappe(arguments, &more).spawn().unwrap());
        let url = format!("http://127.0.0.1:{watch}");
        let health: Vec<String> = ["health", "--url", &url].map(str::to_owned).to_vec();
        eventually(LIMIT, async || self.chappe(&health, &[]).stderr(Stdio::null()).status().unwrap().success()).await;
        let metrics = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
        assert!(metrics.contains("process_cpu_seconds_total"), "{arguments:?}: {metrics}");
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

#[tokio::test(flavor = "multi_thread")]
async fn the_services_of_the_compose_file_deliver_a_message() {
    let (database, redis, dir) = (Database::fresh().await, Redis::start().await, testkit::temp_dir());
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let queues = RabbitMq::shared().await.url();
    let mut cluster = Cluster { database, redis, queues, dir, ports, children: Vec::new() };
    let commands = commands();
    assert_eq!(commands.len(), 8, "{commands:?}");
    cluster.run(&["migrate"]);
    cluster.run(&["seed"]);
    // The demo's second operator is Beeline.
    let smsc = format!("127.0.0.1:{}", ports[2] + 1);
    let smsc: Vec<String> = ["smsc", "--account", "chappe:demo", "--listen", &smsc].map(str::to_owned).to_vec();
    cluster.children.push(cluster.chappe(&smsc, &[]).spawn().unwrap());
    for command in commands.iter().filter(|command| command[0] != "migrate") {
        cluster.start(command).await;
    }
    let sent = cluster.json(&["send", "--to", "+998901234567", "Hello from eight services"]).await;
    let id = sent["id"].as_str().unwrap();
    eventually(LIMIT, async || cluster.json(&["messages", id]).await["state"] == "delivered").await;
    assert_eq!(cluster.json(&["ledger", "verify"]).await["violations"], json!([]));
}
