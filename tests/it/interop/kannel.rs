//! Kannel in processes of its own: bearerbox, which binds to an operator, and smsbox, which takes messages by HTTP
//! and tells what came back by HTTP.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use testkit::{eventually, until_some};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::tools;
use crate::chappe::free_port;

/// Kannel tells, asks and binds within this time, on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);
/// Its own secret, for whoever asks it.
const SECRET: &str = "kannel";
/// Every kind of report: delivered, undelivered, queued, accepted and refused by the operator.
const EVERY_REPORT: &str = "31";

/// What Kannel tells by HTTP: the parameters of the addresses that it calls.
pub(super) type Told = BTreeMap<String, String>;

/// A running gateway. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Kannel {
    bearerbox: Child,
    smsbox: Child,
    admin_port: u16,
    send_port: u16,
    told_port: u16,
    told: Arc<Mutex<Vec<Told>>>,
    dir: tempfile::TempDir,
    _stop: DropGuard,
}

impl Kannel {
    /// Binds at `port` by this name and password; `more` are further lines of the connection's settings, such as
    /// `transceiver-mode = true`.
    pub(super) async fn start(port: u16, (system_id, password): (&str, &str), more: &str) -> Self {
        let dir = testkit::temp_dir();
        let told = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let told_port = listen(Arc::clone(&told), stop.clone()).await;
        let [admin_port, box_port, send_port] = [free_port(), free_port(), free_port()];
        let log = dir.path().display();
        let settings = format!(
            "group = core
admin-port = {admin_port}
admin-interface = 127.0.0.1
admin-password = {SECRET}
smsbox-port = {box_port}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
dlr-storage = internal
sms-resend-freq = 1
log-file = {log}/bearerbox.log
log-level = 0

group = smsc
smsc = smpp
smsc-id = operator
host = 127.0.0.1
port = {port}
smsc-username = {system_id}
smsc-password = {password}
system-type = VMA
source-addr-autodetect = true
reconnect-delay = 1
enquire-link-interval = 1
{more}

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box_port}
sendsms-port = {send_port}
sendsms-interface = 127.0.0.1
mo-recode = true
log-file = {log}/smsbox.log
log-level = 0

group = sendsms-user
username = {SECRET}
password = {SECRET}
max-messages = 10
concatenation = true

group = sms-service
keyword = default
get-url = \"http://127.0.0.1:{told_port}/?what=message&from=%p&to=%P&text=%b&charset=%C&coding=%c\"
max-messages = 0
"
        );
        let file = dir.path().join("kannel.conf");
        std::fs::write(&file, settings).unwrap();
        let start = |program: &str| {
            let mut command = Command::new(tools::system(program));
            command.current_dir(dir.path()).arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(Stdio::null()).spawn().unwrap()
        };
        let bearerbox = start("bearerbox");
        listens(box_port).await;
        let smsbox = start("smsbox");
        listens(send_port).await;
        Self { bearerbox, smsbox, admin_port, send_port, told_port, told, dir, _stop: stop.drop_guard() }
    }

    /// Waits until the operator has taken its bind.
    pub(super) async fn until_bound(&self) {
        let status = format!("http://127.0.0.1:{}/status.txt?password={SECRET}", self.admin_port);
        let bound = async || self.get(&status).await.contains("(online");
        eventually(LIMIT, bound).await;
    }

    /// Sends a text: its reports are told as `what=report` with this `to`. `coding` is 0 for GSM 7-bit, 2 for UCS-2.
    pub(super) async fn send(&self, (from, to): (&str, &str), text: &str, coding: u8) {
        let report = format!("http://127.0.0.1:{}/?what=report&to={to}&type=%d&answer=%A&id=%F", self.told_port);
        let coding = coding.to_string();
        let parameters = [
            ("username", SECRET),
            ("password", SECRET),
            ("from", from),
            ("to", to),
            ("text", text),
            ("charset", "UTF-8"),
            ("coding", &coding),
            ("dlr-mask", EVERY_REPORT),
            ("dlr-url", &report),
        ];
        let smsbox = format!("http://127.0.0.1:{}/cgi-bin/sendsms", self.send_port);
        let url = reqwest::Url::parse_with_params(&smsbox, parameters).unwrap();
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), 202, "{:?}", answer.text().await);
    }

    /// The next thing told for which `wanted` holds.
    pub(super) async fn told(&self, wanted: impl Fn(&Told) -> bool) -> Told {
        until_some(LIMIT, async || self.told.lock().unwrap().iter().find(|told| wanted(told)).cloned()).await
    }

    /// How many reports of this type came about `to`: 1 delivered, 2 undelivered, 8 accepted, 16 refused.
    pub(super) fn reports(&self, to: &str, kind: &str) -> usize {
        let told = self.told.lock().unwrap();
        told.iter().filter(|one| one["what"] == "report" && one["to"] == to && one["type"] == kind).count()
    }

    /// Waits until that many came.
    pub(super) async fn until_reported(&self, to: &str, kind: &str, count: usize) {
        eventually(LIMIT, async || self.reports(to, kind) == count).await;
    }

    /// Asks it to stop, and waits for its end.
    pub(super) async fn stop(&mut self) {
        let shutdown = format!("http://127.0.0.1:{}/shutdown?password={SECRET}", self.admin_port);
        self.get(&shutdown).await;
        until_some(LIMIT, async || self.bearerbox.try_wait().unwrap()).await;
    }

    async fn get(&self, url: &str) -> String {
        match reqwest::get(url).await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

impl Drop for Kannel {
    fn drop(&mut self) {
        for child in [&mut self.smsbox, &mut self.bearerbox] {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.path().join("bearerbox.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the last words of bearerbox:\n{}", lines[lines.len().saturating_sub(80)..].join("\n"));
            eprintln!("it told:\n{:#?}", self.told.lock().unwrap());
        }
    }
}

async fn listens(port: u16) {
    eventually(LIMIT, async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
}

/// Keeps the parameters of every request; answers the port.
async fn listen(told: Arc<Mutex<Vec<Told>>>, stop: CancellationToken) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let keep = async |State(told): State<Arc<Mutex<Vec<Told>>>>, Query(parameters): Query<Told>| {
        told.lock().unwrap().push(parameters);
    };
    let router = Router::new().fallback(keep).with_state(told);
    tokio::spawn(stop.run_until_cancelled_owned(async move { axum::serve(listener, router).await.unwrap() }));
    port
}
