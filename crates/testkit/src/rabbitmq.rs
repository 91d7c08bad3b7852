//! A RabbitMQ for tests: a node of its own on free ports, which vanishes with the process that started it, however that
//! ends, and its Erlang port mapper with it.
//!
//! A start costs 4 to 5 seconds of one processor (most of it is Erlang loading and compiling its modules), so the
//! tests of a process share one broker, each in a virtual host of its own, and only those that kill one start another.
//! Measured (3.10, 2 cores): one scheduler and two disk threads instead of one and ten for each core save a second;
//! plugins are off; making virtual hosts at the start by an imported file costs 20 ms each, `rabbitmqctl` for one 2 s.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::{certificate, free_port, temp_dir, until_some};

/// A start on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// How long a node may take to answer one octet.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How many tests of one process can have a virtual host.
const VHOSTS_MAX: usize = 24;

/// What a client says first, and what no other server answers with a frame of a method.
const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Small, and less patient than by default: what a queue of delayed messages could not pass on at a restart it tries
/// again after 3 minutes.
const ERLANG_FLAGS: &str = "+S 1:1 +SDio 2 +sbwt none -rabbit dead_letter_worker_publisher_confirm_timeout 2000";

/// Where distributions keep the programs themselves. Debian's on the search path want to be root and change the user.
const DIRS: [&str; 6] = [
    "/usr/lib/rabbitmq/bin",
    "/usr/lib/rabbitmq/sbin",
    "/opt/homebrew/sbin",
    "/usr/local/sbin",
    "/usr/sbin",
    "/usr/bin",
];

/// Runs the port mapper and the broker until its own standard input ends, which it does when whoever holds the other
/// end is gone. Then everything is removed, unless a line came before.
const GUARD: &str = r#"
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 & epmd=$!
"$1" & broker=$!
read -r word
kill -9 "$broker" "$epmd" 2>/dev/null
wait
[ "$word" = keep ] || rm -rf "$HOME""#;

/// The broker that the tests of this process share.
static SHARED: OnceCell<RabbitMq> = OnceCell::const_new();

/// A broker with the user `test`, whose password is `test`, in `VHOSTS_MAX` virtual hosts.
#[derive(Debug)]
pub struct RabbitMq {
    guard: Option<Child>,
    /// Removed by the guard, who survives this process.
    dir: PathBuf,
    port: u16,
    epmd_port: u16,
    /// Where it listens in TLS, as a managed broker does.
    tls_port: Option<u16>,
    vhosts_used: AtomicUsize,
}

impl RabbitMq {
    /// A broker of one's own, for tests that kill it.
    pub async fn start() -> Self {
        Self::begin(None).await
    }

    /// The same, which listens in TLS as well, see [`RabbitMq::tls_url`]. Its certificate is for `localhost`, by the
    /// authority of [`RabbitMq::authority`].
    pub async fn start_tls() -> Self {
        Self::begin(Some(free_port())).await
    }

    async fn begin(tls_port: Option<u16>) -> Self {
        let dir = temp_dir().keep();
        let (port, epmd_port) = (free_port(), free_port());
        let mut broker = Self { guard: None, dir, port, epmd_port, tls_port, vhosts_used: AtomicUsize::new(0) };
        if tls_port.is_some() {
            certificate::write_to(&broker.dir).expect("cannot make a certificate");
        }
        std::fs::write(broker.file("plugins"), "[].").expect("cannot write into a temporary folder");
        std::fs::write(broker.file("definitions.json"), definitions()).expect("cannot write into a temporary folder");
        std::fs::write(broker.file("rabbitmq.conf"), configuration(&broker.dir, tls_port))
            .expect("cannot write into a temporary folder");
        broker.restart().await;
        broker
    }

    /// The broker that the tests of this process share.
    pub async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::start).await
    }

    /// What names a virtual host in `QUEUE_URL` that nobody else got.
    pub fn url(&self) -> String {
        let number = self.vhosts_used.fetch_add(1, Ordering::Relaxed);
        assert!(number < VHOSTS_MAX, "more than {VHOSTS_MAX} tests share a broker");
        format!("amqp://test:test@127.0.0.1:{}/{}", self.port, vhost(number))
    }

    /// The same over TLS.
    pub fn tls_url(&self) -> String {
        let port = self.tls_port.expect("it was started with TLS");
        self.url().replace("amqp:", "amqps:").replace(&format!("127.0.0.1:{}", self.port), &format!("localhost:{port}"))
    }

    /// The certificate of the authority that vouches for it, in PEM: for `SSL_CERT_FILE`.
    pub fn authority(&self) -> PathBuf {
        self.file(certificate::AUTHORITY)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once. What it wrote stays.
    pub fn kill(&mut self) {
        self.end("keep\n");
    }

    /// Starts it again, where it was and with what it wrote.
    pub async fn restart(&mut self) {
        self.kill();
        let log = std::fs::File::create(self.file("output")).expect("cannot write into a temporary folder");
        let errors = log.try_clone().expect("a file has a second handle");
        let mut guard = self.command("sh");
        guard.args(["-c", GUARD, "sh"]).arg(program("rabbitmq-server"));
        guard.stdin(Stdio::piped()).stdout(log).stderr(errors);
        self.guard = Some(guard.spawn().expect("cannot start a shell"));
        until_some(START_LIMIT, async || self.answers().then_some(())).await;
    }

    /// `rabbitmqctl stop_app`: the node stays, the broker closes every connection and is away.
    pub async fn stop_app(&self) {
        self.ctl(&["stop_app"]).await;
    }

    /// `rabbitmqctl start_app`.
    pub async fn start_app(&self) {
        self.ctl(&["start_app"]).await;
    }

    /// Cuts every connection of every client.
    pub async fn close_connections(&self) {
        self.ctl(&["close_all_connections", "a test cuts it"]).await;
    }

    /// Runs `rabbitmqctl`, which takes seconds, and returns what it printed.
    pub async fn ctl(&self, arguments: &[&str]) -> String {
        let mut command = tokio::process::Command::from(self.command(program("rabbitmqctl")));
        command.args(["-q", "-n", &self.node()]).args(arguments).kill_on_drop(true);
        let output = command.output().await.expect("cannot start rabbitmqctl");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "rabbitmqctl {arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    fn end(&mut self, word: &str) {
        if let Some(mut guard) = self.guard.take() {
            if let Some(mut line) = guard.stdin.take() {
                // A guard that is gone needs no word.
                let _ = line.write_all(word.as_bytes());
            }
            guard.wait().expect("the guard of the broker ends");
        }
    }

    fn node(&self) -> String {
        format!("test{}@localhost", self.port)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A program that talks to this node, and to no other on this machine.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", &self.dir)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            // The port for other nodes and for rabbitmqctl. Zero lets the system choose; the port mapper knows it.
            .env("RABBITMQ_DIST_PORT", free_port().to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", self.file("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.file("plugins"))
            .env("RABBITMQ_MNESIA_BASE", self.file("data"))
            .env("RABBITMQ_LOG_BASE", self.file("log"))
            .env("RABBITMQ_PID_FILE", self.file("pid"))
            // The script becomes the node instead of waiting for it, so that the guard knows whom to end.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_FLAGS)
            .env("RABBITMQ_CTL_ERL_ARGS", "+S 1:1 +SDio 1 +sbwt none");
        command
    }

    /// Whether it speaks AMQP by now.
    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<u8> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            stream.write_all(HEADER)?;
            let mut first = [0];
            stream.read_exact(&mut first)?;
            Ok(first[0])
        };
        ask().is_ok_and(|first| first == 1)
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.end("");
    }
}

fn vhost(number: usize) -> String {
    format!("test{number}")
}

/// What the node imports at its first start.
fn definitions() -> String {
    let names: Vec<String> = (0..VHOSTS_MAX).map(vhost).collect();
    let vhosts: Vec<String> = names.iter().map(|name| format!(r#"{{"name":"{name}"}}"#)).collect();
    let may =
        |name: &String| format!(r#"{{"user":"test","vhost":"{name}","configure":".*","write":".*","read":".*"}}"#);
    let permissions: Vec<String> = names.iter().map(may).collect();
    format!(
        r#"{{"users":[{{"name":"test","password":"test","tags":"administrator"}}],"vhosts":[{}],"permissions":[{}]}}"#,
        vhosts.join(","),
        permissions.join(",")
    )
}

fn configuration(dir: &Path, tls_port: Option<u16>) -> String {
    let dir = dir.display();
    let plain = format!(
        "load_definitions = {dir}/definitions.json\nlog.console = false\nlog.file.level = warning\n\
         raft.wal_max_size_bytes = 16000000\n"
    );
    let Some(port) = tls_port else { return plain };
    let (authority, server, key) = (certificate::AUTHORITY, certificate::SERVER, certificate::KEY);
    format!(
        "{plain}listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {dir}/{authority}\n\
         ssl_options.certfile = {dir}/{server}\nssl_options.keyfile = {dir}/{key}\n\
         ssl_options.verify = verify_none\n"
    )
}

fn program(name: &str) -> PathBuf {
    let candidates = DIRS.iter().map(|dir| Path::new(dir).join(name));
    candidates.into_iter().find(|path| path.exists()).unwrap_or_else(|| {
        panic!("no {name} in {DIRS:?}; infra/setup/install.sh test installs RabbitMQ");
    })
}
