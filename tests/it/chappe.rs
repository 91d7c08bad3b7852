//! `chappe up` as users run it: the real program in a process of its own, with its own data, on ports of its own,
//! set up through its API. Dropping it ends the whole tree of processes and removes what it wrote.

mod api;
mod backend;
pub(crate) mod binary;
mod books;
mod company;
mod customer;
mod edge;
mod esme;
mod hook;
mod load;
mod worker;

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use host::secrets::Keys;
use queue::Queue;
use sqs_emulator::SqsEmulator;
use store::{Db, Publish};
pub(crate) use testkit::free_port;
use testkit::{Database, eventually, until_some};

pub(crate) use api::Api;
pub(crate) use backend::{Backend, Queues, on_every_backend};
pub(crate) use books::{Leftovers, Story};
pub(crate) use company::{
    Company, Network, ON_DELIVERY, ON_SUBMIT, OperatorIs, PASSWORD, SENDER, SYSTEM_ID, smsc, smsc_of,
};
pub(crate) use customer::Customer;
pub(crate) use edge::Edge;
pub(crate) use esme::{Esme, Inbox, Manners, sm};
pub(crate) use hook::Hook;
pub(crate) use load::Load;
pub(crate) use worker::Worker;

/// A start includes, at worst, the making of a database cluster in a debug build on a busy machine.
const READY_LIMIT: Duration = Duration::from_mins(2);
/// A stop includes the grace and the stop of the private database.
const STOP_LIMIT: Duration = Duration::from_mins(1);
/// The platform's secret; tests mint the first key with it, as an installer would.
const SECRET: [u8; 32] = [7; 32];
/// The same in the form of the environment.
const SECRET_BASE64: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
/// Bytes of the log that a failing test shows.
const LOG_SHOWN: u64 = 6_000;

/// Where the data is.
#[derive(Debug)]
enum Data {
    /// A clone of the tests' own template.
    Clone(Box<Database>),
    /// A server of its own that keeps what it acknowledged, and that the test can stop.
    Server(pgserver::Server),
    /// The private server that `chappe up` runs by itself.
    Private(PathBuf),
}

/// `chappe up`: everything in one process.
const UP: &[&str] = &["up", "--webhooks", "anywhere"];
/// Everything but the sessions.
const WITHOUT_EDGE: &[&str] =
    &["worker", "route", "bill", "dlr", "inbound", "callback", "sweep", "--api", "--webhooks", "anywhere"];
/// The API for people and for edges, and nothing that works.
pub(crate) const INTAKE: &[&str] = &["worker", "--api", "--webhooks", "anywhere"];

/// A running `chappe up`, or what is left of it when the edge runs elsewhere.
#[derive(Debug)]
pub(crate) struct Chappe {
    data: Data,
    queues: Queues,
    arguments: &'static [&'static str],
    child: Option<Child>,
    http_port: u16,
    internal_port: u16,
    smpp_port: u16,
    /// Further variables of its environment.
    more: Vec<(&'static str, String)>,
    /// Behind its back, see [`Chappe::db`] and [`Chappe::queue`]; made anew at every start.
    inside: Option<(Db, Arc<dyn Queue>)>,
    log: File,
    dir: tempfile::TempDir,
}

impl Chappe {
    /// Over a fast database that nobody kills.
    pub(crate) async fn start() -> Self {
        Self::with_settings(Vec::new()).await
    }

    /// The same with these further variables in its environment.
    pub(crate) async fn with_settings(more: Vec<(&'static str, String)>) -> Self {
        Self::over(Data::Clone(Box::new(Database::fresh().await)), Queues::Database, UP, more).await
    }

    /// Over a fast database, with queues of this kind.
    pub(crate) async fn on(backend: Backend) -> Self {
        Self::on_these(backend.queues().await).await
    }

    /// Over a fast database, with these queues.
    pub(crate) async fn on_these(queues: Queues) -> Self {
        Self::apart(queues, UP).await
    }

    /// The same over a durable server of its own, see [`Chappe::server`].
    pub(crate) async fn durable_on(backend: Backend) -> Self {
        Self::over(Data::Server(testkit::durable_postgres().await), backend.queues().await, UP, Vec::new()).await
    }

    /// The same with the private database that it runs by itself.
    pub(crate) async fn private_on(backend: Backend) -> Self {
        Self::over(Data::Private(PathBuf::new()), backend.queues().await, UP, Vec::new()).await
    }

    /// Without sessions, see [`Chappe::start_edge`].
    pub(crate) async fn without_edge() -> Self {
        Self::apart(Queues::Database, WITHOUT_EDGE).await
    }

    /// Only what `arguments` say, with these queues; the rest is started beside it.
    pub(crate) async fn apart(queues: Queues, arguments: &'static [&'static str]) -> Self {
        Self::over(Data::Clone(Box::new(Database::fresh().await)), queues, arguments, Vec::new()).await
    }

    /// Over a durable server that has data already.
    pub(crate) async fn on_this_server(server: pgserver::Server) -> Self {
        Self::over(Data::Server(server), Queues::Database, UP, Vec::new()).await
    }

    async fn over(
        data: Data,
        queues: Queues,
        arguments: &'static [&'static str],
        more: Vec<(&'static str, String)>,
    ) -> Self {
        let dir = testkit::temp_dir();
        // The account that PostgreSQL runs under must be able to pass through.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let data = match data {
            Data::Private(_) => Data::Private(pgserver::reachable_dir(&dir.path().join("postgres")).unwrap()),
            other => other,
        };
        let log = File::options().create(true).append(true).read(true).open(dir.path().join("log")).unwrap();
        let [http_port, internal_port, smpp_port] = [free_port(), free_port(), free_port()];
        let (child, inside) = (None, None);
        let mut chappe =
            Self { data, queues, arguments, child, http_port, internal_port, smpp_port, more, inside, log, dir };
        chappe.restart().await;
        chappe
    }

    /// Starts it again on the same data and the same ports, and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let child = self.command().args(self.arguments).spawn().unwrap();
        self.child = Some(child);
        let ready = self.url("/readyz");
        let http = reqwest::Client::new();
        let mut ended = None;
        eventually(READY_LIMIT, async || {
            ended = self.child.as_mut().unwrap().try_wait().unwrap();
            ended.is_some() || http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        assert_eq!(ended, None, "`chappe up` ended at its start");
        self.look_inside().await;
    }

    /// Opens its database anew: after a restart of either of them the old connections are of no use.
    pub(crate) async fn look_inside(&mut self) {
        let (url, queue_url) = (self.database_url(), self.queue_url());
        let db = Db::open(&url, Publish::between(&url, &queue_url)).unwrap();
        self.inside = Some((db, queue::open(&queue_url).await.unwrap()));
    }

    /// The program in this installation.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(binary::chappe());
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path);
        for (name, port) in [
            ("CHAPPE_HTTP_ADDR", self.http_port),
            ("CHAPPE_INTERNAL_ADDR", self.internal_port),
            ("CHAPPE_SMPP_ADDR", self.smpp_port),
        ] {
            command.env(name, format!("127.0.0.1:{port}"));
        }
        command.env("CHAPPE_SECRET_KEY", SECRET_BASE64).envs(self.more.iter().cloned());
        command.env("CHAPPE_DATA_DIR", self.dir.path()).env("CHAPPE_LOG", "info").env("RUST_BACKTRACE", "1");
        match &self.data {
            Data::Clone(database) => command.env("DATABASE_URL", database.url()),
            Data::Server(server) => command.env("DATABASE_URL", server.url()),
            Data::Private(_) => &mut command,
        };
        if let Some(url) = self.queues.url() {
            command.env("QUEUE_URL", url);
        }
        let log = || Stdio::from(self.log.try_clone().unwrap());
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        command
    }

    /// An address of its API.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http_port)
    }

    /// Where customers bind.
    pub(crate) fn smpp(&self) -> std::net::SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, self.smpp_port).into()
    }

    /// A caller of its API.
    pub(crate) fn api(&self, key: &str) -> Api {
        Api::new(self.url(""), key)
    }

    /// The PostgreSQL of [`Chappe::durable_on`].
    pub(crate) fn server(&self) -> &pgserver::Server {
        match &self.data {
            Data::Server(server) => server,
            _ => panic!("this one has no server of its own"),
        }
    }

    /// The emulator that its queues are in.
    pub(crate) fn sqs(&self) -> &SqsEmulator {
        match &self.queues {
            Queues::Emulated(emulator, _) => emulator,
            _ => panic!("its queues are elsewhere"),
        }
    }

    /// Where its database is.
    pub(crate) fn database_url(&self) -> String {
        match &self.data {
            Data::Clone(database) => database.url(),
            Data::Server(server) => server.url(),
            Data::Private(dir) => pgserver::running_url(dir).unwrap().unwrap(),
        }
    }

    /// Where its queues are.
    pub(crate) fn queue_url(&self) -> String {
        self.queues.url().map_or_else(|| self.database_url(), str::to_owned)
    }

    /// Its database, for checks that a user cannot make.
    pub(crate) fn db(&self) -> Db {
        self.inside.as_ref().unwrap().0.clone()
    }

    /// Its queues, likewise.
    pub(crate) fn queue(&self) -> &dyn Queue {
        self.inside.as_ref().unwrap().1.as_ref()
    }

    /// The process is gone at once, as by a power cut; what it started lives on.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The memory that the process has now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.as_ref().unwrap().id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim_end_matches("kB").trim().parse().unwrap()
    }

    /// Asks it to stop, as service managers do, and waits for its end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let asked = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &child.id().to_string()]).status();
        assert!(asked.unwrap().success());
        until_some(STOP_LIMIT, async || child.try_wait().unwrap()).await
    }

    /// The end of what it said.
    fn last_words(&mut self) -> String {
        let length = self.log.seek(SeekFrom::End(0)).unwrap_or(0);
        let mut text = Vec::new();
        let _ = self.log.seek(SeekFrom::Start(length.saturating_sub(LOG_SHOWN)));
        let _ = self.log.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Chappe {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Data::Private(dir) = &self.data {
            let _ = pgserver::remove_abandoned(dir);
        }
        if std::thread::panicking() {
            eprintln!("the last words of `chappe up`:\n{}", self.last_words());
        }
    }
}

/// The platform's keys, as the installer knows them.
fn keys() -> Keys {
    Keys::new(&SECRET).unwrap()
}
