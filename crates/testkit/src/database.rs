//! A migrated database for one test: cloned from a template, on one server per test process.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::sync::OnceCell;
use uuid::{Timestamp, Uuid};

use crate::server;

/// Names a server to use instead of a private one; its role must be allowed to create databases.
const SERVER_VARIABLE: &str = "TEST_DATABASE_URL";
/// Begins the names of the databases that tests use.
const PREFIX: &str = "chappe_test_";
/// A database of this age belongs to a run that was killed.
const ABANDONED_AFTER_S: u64 = 3600;
/// Serialises the making of the template; the number is arbitrary and ours alone.
const TEMPLATE_LOCK: i64 = 0x6368_6170_7065;
/// Connections of one test at most.
const CONNECTIONS_MAX: u32 = 10;
/// How long a test waits for one of its connections.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(20);

/// The server that the tests of this process share.
static SHARED: OnceCell<Shared> = OnceCell::const_new();

#[derive(Debug)]
struct Shared {
    admin: PgConnectOptions,
    template: String,
    /// Holds the private server; None when one was given.
    _server: Option<pgserver::Server>,
}

/// A migrated and otherwise empty database that nobody else uses; dropped with this value.
#[derive(Debug)]
pub struct Database {
    pool: PgPool,
    name: String,
    options: PgConnectOptions,
}

impl Database {
    /// A new database. The first call of a process starts the server and runs the migrations.
    pub async fn fresh() -> Self {
        let database = Self::try_fresh().await;
        database.unwrap_or_else(|error| panic!("no database for this test: {error:#}"))
    }

    /// The pool of this database. Connections are opened as they are asked for.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The connection string, for code under test that connects by itself.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    async fn try_fresh() -> Result<Self> {
        let shared = SHARED.get_or_try_init(Shared::start).await?;
        let name = format!("{PREFIX}{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect_with(&shared.admin).await.context("no connection")?;
        let create = format!("create database {name} template {}", shared.template);
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut admin).await.context("cannot clone the template")?;
        admin.close().await?;
        let options = shared.admin.clone().database(&name);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_LIMIT)
            .connect_lazy_with(options.clone());
        Ok(Self { pool, name, options })
    }
}

impl Drop for Database {
    /// Waits until the database is gone, so that the disk of a long run stays small. The test's own runtime may
    /// be ending, hence a thread with one of its own.
    fn drop(&mut self) {
        let Some(shared) = SHARED.get() else { return };
        let sql = format!("drop database if exists {} with (force)", self.name);
        let admin = shared.admin.clone();
        let dropping = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect_with(&admin).await?;
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut admin).await?;
                Ok(admin.close().await?)
            })
        });
        // A database that cannot be dropped goes with its server, or with a later run.
        let _ = dropping.join();
    }
}

impl Shared {
    async fn start() -> Result<Self> {
        let given = given_server();
        let server = if given.is_some() { None } else { Some(Self::private_server().await?) };
        let url = given.or_else(|| server.as_ref().map(pgserver::Server::url)).unwrap_or_default();
        let admin: PgConnectOptions = url.parse().context("TEST_DATABASE_URL is no connection string")?;
        let admin = admin.disable_statement_logging();
        drop_abandoned(&admin).await?;
        let template = make_template(&admin).await?;
        Ok(Self { admin, template, _server: server })
    }

    async fn private_server() -> Result<pgserver::Server> {
        server::remove_abandoned();
        server::start(pgserver::Options::throwaway).await
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' only setting, read once, in the crate that uses it")]
fn given_server() -> Option<String> {
    std::env::var(SERVER_VARIABLE).ok()
}

/// Makes the template of these migrations where there is none, and returns its name.
async fn make_template(admin: &PgConnectOptions) -> Result<String> {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let migrator = Migrator::new(migrations).await.context("cannot read the migrations")?;
    let template = template_name(&migrator);
    let mut connection = PgConnection::connect_with(admin).await.context("cannot reach PostgreSQL")?;
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&template)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        fill_template(admin, &mut connection, &template, &migrator).await?;
    }
    connection.close().await?;
    Ok(template)
}

/// Migrates under another name first: a template that can be seen is whole.
async fn fill_template(
    admin: &PgConnectOptions,
    connection: &mut PgConnection,
    template: &str,
    migrator: &Migrator,
) -> Result<()> {
    let half = format!("{template}_half");
    let make = format!("drop database if exists {half} with (force)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&mut *connection).await?;
    let make = format!("create database {half}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&mut *connection).await?;
    let mut inside = PgConnection::connect_with(&admin.clone().database(&half)).await?;
    migrator.run(&mut inside).await.context("a migration failed")?;
    inside.close().await?;
    let rename = format!("alter database {half} rename to {template}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(rename)).execute(&mut *connection).await?;
    Ok(())
}

/// A name that changes with every change of a migration.
fn template_name(migrator: &Migrator) -> String {
    let mut sums = Vec::new();
    for migration in migrator.iter() {
        sums.extend_from_slice(&migration.checksum);
    }
    let hash = sums
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("chappe_template_{hash:016x}")
}

/// Drops what killed runs left on a server that outlives them. Ids are UUID v7: they carry their time.
async fn drop_abandoned(admin: &PgConnectOptions) -> Result<()> {
    let mut connection = PgConnection::connect_with(admin).await.context("cannot reach PostgreSQL")?;
    let names: Vec<String> =
        sqlx::query_scalar("select datname::text from pg_database").fetch_all(&mut connection).await?;
    let now_s = seconds(Uuid::now_v7());
    for name in names {
        let made_s = name.strip_prefix(PREFIX).and_then(|id| id.parse().ok()).map(seconds);
        if made_s.is_some_and(|made_s| made_s + ABANDONED_AFTER_S < now_s) {
            let sql = format!("drop database if exists {name} with (force)");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
        }
    }
    Ok(connection.close().await?)
}

/// The time inside an id of version 7, in seconds since 1970.
fn seconds(id: Uuid) -> u64 {
    id.get_timestamp().map_or(0, |time: Timestamp| time.to_unix().0)
}
