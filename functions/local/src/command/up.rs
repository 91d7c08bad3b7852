//! `chappe up`: everything in one process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use api::Api;
use clap::Args;
use host::config::Need;
use host::{Config, shutdown, telemetry};
use pgserver::{Listen, Server};
use smpp_edge::EdgeStatus;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::cli::Common;
use crate::demo::{self, Simulated};
use crate::edge::{Link, Station, watch};
use crate::folder::Folder;
use crate::functions::{Function, Webhooks};
use crate::http::{self, Doors};
use crate::output::line;
use crate::platform::Platform;
use crate::smpp::{self, Ports};
use crate::status::{self, Metrics, Watched};
use crate::{banner, edge, settings};

const EXAMPLES: &str = "\
Examples:
  chappe up --demo                                    with simulated operators, demo accounts and prices
  chappe up --data-dir /var/lib/chappe/data           an installation of your own
  DATABASE_URL=postgres://… chappe up                 on a PostgreSQL of your own

From the environment: CHAPPE_HTTP_ADDR (127.0.0.1:8080), CHAPPE_INTERNAL_ADDR (127.0.0.1:8081), CHAPPE_SMPP_ADDR
(127.0.0.1:2775), CHAPPE_SMPP_TLS_ADDR, CHAPPE_SMPP_TLS_CERT, CHAPPE_SMPP_TLS_KEY, CHAPPE_SMSC_ADDR
(127.0.0.1:2776, the demo's first operator), CHAPPE_WATCH_ADDR, CHAPPE_DATA_DIR, CHAPPE_SECRET_KEY, CHAPPE_LOG,
CHAPPE_LOG_FORMAT, CHAPPE_GRACE_SECONDS, DATABASE_URL, QUEUE_URL, REDIS_URL.";

/// How long closing idle connections may take at a stop.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked whether the private database still runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Simulate three operators; make the demo accounts where the database is empty
    #[arg(long)]
    demo: bool,
    /// Where the demo's first operator listens; the others follow on the next ports
    #[arg(long, env = "CHAPPE_SMSC_ADDR", default_value = "127.0.0.1:2776", value_name = "ADDR")]
    smsc_addr: SocketAddr,
    /// Where customers bind over SMPP; port 0 takes a free one
    #[arg(long, env = "CHAPPE_SMPP_ADDR", default_value = "127.0.0.1:2775", value_name = "ADDR")]
    smpp_addr: SocketAddr,
    #[command(flatten)]
    smpp: smpp::Options,
    #[command(flatten)]
    watched: Watched,
    /// Which addresses webhooks may reach; the demo reaches everywhere unless told otherwise
    #[arg(long, value_enum)]
    webhooks: Option<Webhooks>,
    /// The port of the private PostgreSQL on 127.0.0.1; a free one when not given
    #[arg(long, value_name = "PORT")]
    postgres_port: Option<u16>,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let folder = Folder::new(&common.data_dir);
    let config = settings::read(common, Some(folder.secret()?), None, &[])?;
    let doors = Doors::open(&config).await?;
    let ports = Ports::open(Some(options.smpp_addr), &options.smpp).await?;
    let listening = Listening { doors, ports, watched: options.watched.open().await? };
    let shutdown = shutdown::signal()?;
    // A start that is broken off drops what it has begun, and with it stops the private database.
    let started =
        shutdown.run_until_cancelled(Box::pin(start(common, &options, &folder, listening, shutdown.clone()))).await;
    let Some(started) = started else { return Ok(()) };
    started?.stopped().await
}

/// Every listener, opened before anything else starts.
#[derive(Debug)]
struct Listening {
    doors: Doors,
    ports: Ports,
    watched: Option<TcpListener>,
}

/// What runs until the process is asked to stop.
#[derive(Debug)]
struct Running {
    platform: Platform,
    simulated: Option<Simulated>,
    server: Option<Server>,
}

impl Running {
    /// Waits for the request to stop; then ends the parts before what they stand on.
    async fn stopped(self) -> Result<()> {
        self.platform.stopped().await;
        // Idle connections are closed before the database is; with the platform goes what listens to it.
        let _ = timeout(CLOSE_LIMIT, self.platform.db.pool().close()).await;
        drop(self.platform);
        if let Some(simulated) = self.simulated {
            simulated.stop().await;
        }
        if let Some(server) = self.server {
            server.stop().await?;
        }
        Ok(())
    }
}

async fn start(
    common: &Common,
    options: &Options,
    folder: &Folder,
    Listening { doors, ports, watched }: Listening,
    shutdown: CancellationToken,
) -> Result<Running> {
    let simulated = if options.demo { Some(Simulated::start(options.smsc_addr).await?) } else { None };
    let server = start_database(common, options, folder).await?;
    let url = server.as_ref().map(|server| server.socket_url().unwrap_or_else(|| server.url()));
    let needs = [Need::Database, Need::Queue, Need::SecretKey];
    let config = settings::read_whole(common, Some(folder.secret()?), url, &needs).await?;
    let metrics = telemetry::init(&config)?;
    let metrics: Metrics = Arc::new(move || metrics.render());
    migrate(&config).await?;
    let platform = Platform::open(&config, shutdown).await?;
    let first_time = match &simulated {
        Some(simulated) => demo::prepare(&platform, folder, &simulated.addresses()).await?,
        None => false,
    };
    for function in Function::ALL {
        function.start(&platform, options.reach())?;
    }
    let health = status::router(Arc::clone(&metrics), status::of_functions(platform.db.clone()));
    let metrics = status::serve(&platform, watched, health.clone(), metrics)?;
    let api = http::api(&platform, metrics, options.reach());
    let smpp = ports.addr()?.map(|addr| addr.to_string()).unwrap_or_default();
    let status = EdgeStatus::new();
    platform.run(edge::run(station(&platform, &config, ports, (&api, &status))));
    let watch = watch::router(status.tracer().clone(), Arc::clone(&platform.keys), platform.shutdown.clone());
    if let Some(server) = &server {
        platform.run(keep_database(server.clone(), platform.shutdown.clone()));
    }
    let url = http::start(&platform, doors, api, watch.merge(health))?;
    if options.demo {
        let key = folder.demo_key()?.context("the demo's API key is gone; remove the data folder to begin anew")?;
        if first_time {
            demo::send_first_messages(&url, &key).await;
        }
        let password = folder.demo_password()?.unwrap_or_default();
        banner::demo(&url, &key, (&smpp, &password));
    } else {
        banner::plain(&url, &smpp);
    }
    Ok(Running { platform, simulated, server })
}

/// The edge of this process.
fn station(platform: &Platform, config: &Config, ports: Ports, (api, status): (&Arc<Api>, &EdgeStatus)) -> Station {
    let (db, keys) = (platform.db.clone(), Arc::clone(&platform.keys));
    let link = Arc::new(Link::Direct { db, keys, api: Arc::clone(api) });
    let limits = &platform.limits;
    limits.join(edge::INSTANCES);
    // With a Redis there are others.
    let name = config.redis_url.as_ref().map_or("local".to_owned(), |_| edge::name::own());
    Station {
        server: ports.server(limits, &link, &platform.keys, &name),
        name,
        status: status.clone(),
        link,
        directory: Arc::clone(&limits.directory),
        queue: Arc::clone(&platform.queue),
        grace: platform.grace,
        shutdown: platform.shutdown.clone(),
    }
}

/// The private database, unless another one was named.
async fn start_database(common: &Common, options: &Options, folder: &Folder) -> Result<Option<Server>> {
    if settings::given(common.database_url.as_deref(), "DATABASE_URL")?.is_some() {
        return Ok(None);
    }
    let listen = options.postgres_port.map_or(Listen::FreePort, Listen::Port);
    let dir = folder.postgres()?;
    if !dir.starts_with(std::path::absolute(&common.data_dir)?) {
        tell_other_folder(&dir);
    }
    let options = pgserver::Options { listen, ..pgserver::Options::durable(dir) };
    Ok(Some(Server::start(options).await.context("cannot start the private PostgreSQL")?))
}

/// Starts the private database again when it ends by itself, for instance for want of memory.
async fn keep_database(server: Server, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(sleep(LOOK_EVERY)).await.is_some() {
        if server.is_running() {
            continue;
        }
        tracing::error!("postgresql ended, starting it again");
        if let Err(error) = server.resume().await {
            tracing::error!("postgresql does not start: {error:#}");
        }
    }
}

fn tell_other_folder(dir: &Path) {
    let dir = dir.display();
    line(&format!(
        "PostgreSQL does not run as root, and its user cannot enter the data folder: the database is in {dir}"
    ));
}

async fn migrate(config: &Config) -> Result<()> {
    let db = crate::platform::open_db(config)?;
    store::migrate(db.pool()).await?;
    db.pool().close().await;
    Ok(())
}

impl Options {
    /// Webhooks of a demo go to whoever tries it out, which is this machine.
    fn reach(&self) -> Webhooks {
        self.webhooks.unwrap_or(if self.demo { Webhooks::Anywhere } else { Webhooks::Public })
    }
}
