//! The store behind PgBouncer in transaction mode: two connections to the server, and many clients.

use std::process::Stdio;
use std::sync::Arc;

use bill::Bill;
use chrono::Utc;
use contract::{Envelope, Outcome, OutcomeClass, Routed, SegmentOutcome, seal};
use host::{Delivery, Handler as _, clock};
use queue::{Out, Settle, Take};
use route::Route;
use sqlx::postgres::PgConnectOptions;
use store::accept::{Acceptance, Single, accept_gathered};
use store::db::Opening;
use store::holder::Holder;
use store::{Db, Publish};
use tokio::process::{Child, Command};

use super::{LIMIT, RICH};
use crate::world::World;

/// Clients at the same time.
const CLIENTS: usize = 40;
/// What each of them does.
const ROUNDS: usize = 3;

/// A PgBouncer in front of one database, which gives each transaction one of two connections.
struct Pooler {
    _child: Child,
    _dir: tempfile::TempDir,
    url: String,
}

impl Pooler {
    async fn start(database_url: &str) -> Self {
        let to: PgConnectOptions = database_url.parse().unwrap();
        let (dir, port) = (testkit::temp_dir(), testkit::free_port());
        let url: reqwest::Url = database_url.parse().unwrap();
        let (name, password) = (to.get_database().unwrap(), url.password().unwrap_or_default());
        let place = format!("host={} port={}", to.get_host(), to.get_port());
        // Started by root it must become somebody else.
        let user = if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            "user = nobody"
        } else {
            ""
        };
        let settings = format!(
            "[databases]\n{name} = {place} dbname={name} user={} password={password}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n{user}\n\
             pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n",
            to.get_username()
        );
        let file = dir.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let program =
            if std::path::Path::new("/usr/sbin/pgbouncer").exists() { "/usr/sbin/pgbouncer" } else { "pgbouncer" };
        let child = Command::new(program).arg(&file).stderr(Stdio::null()).kill_on_drop(true).spawn();
        let child = child.expect("no pgbouncer; infra/setup/install.sh test installs it");
        testkit::eventually(LIMIT, async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        Self { _child: child, _dir: dir, url: format!("postgres://chappe@127.0.0.1:{port}/{name}") }
    }

    /// A client with one connection to the pooler.
    fn client(&self) -> Db {
        let opening = Opening::new(&self.url, Publish::InTransaction).connections(Some(1));
        opening.behind_transaction_pooler(true).open().unwrap()
    }
}

/// One message all the way: accepted, routed, submitted and billed.
async fn send_one(world: &World, db: &Db) {
    let now = Utc::now();
    let single = Single { message: world.message("43405", 1, now), idempotency: None };
    let accepted = accept_gathered(db, &[single]).await.unwrap();
    assert_eq!(accepted, [Acceptance::Stored]);
    let route = Route::new(db.clone(), Holder::load(db.clone()).await.unwrap(), Arc::new(clock::System));
    let envelope: Envelope<contract::Accepted> = take(world, "route").await;
    route.handle(envelope, &delivery("route")).await.unwrap();
}

async fn bill_one(world: &World, db: &Db) {
    let submit = contract::queues::submit(world.operators[1]);
    let envelope: Envelope<Routed> = take(world, &submit).await;
    let outcomes: Vec<Outcome> = envelope.items.iter().map(|routed| accepted(world, routed)).collect();
    let sealed = seal(&outcomes, Utc::now()).unwrap();
    let batch: Vec<Out> = sealed.into_iter().map(|sealed| Out::now(sealed.body)).collect();
    assert!(world.queue.send("bill", &batch).await.iter().all(Result::is_ok));
    let envelope: Envelope<Outcome> = take(world, "bill").await;
    let bill = Bill::new(db.clone(), Arc::new(clock::System));
    bill.handle(envelope, &delivery("bill")).await.unwrap();
}

fn accepted(world: &World, routed: &Routed) -> Outcome {
    Outcome {
        message_id: routed.message_id,
        account_id: routed.account_id,
        operator_id: world.operators[1],
        hop: routed.hop,
        class: OutcomeClass::Accepted,
        at: Utc::now(),
        segments: vec![SegmentOutcome {
            segment: 1,
            status: Some(0),
            smpp_message_id: Some(uuid::Uuid::now_v7().simple().to_string()),
            part_of: None,
        }],
    }
}

async fn take<T: serde::de::DeserializeOwned>(world: &World, queue: &str) -> T {
    let one = Take { max: 1, wait: LIMIT, lease: LIMIT };
    let received = world.queue.receive(queue, one).await.unwrap().pop().unwrap();
    world.queue.settle(queue, vec![(received.lease, Settle::Ack)]).await;
    serde_json::from_slice(&received.body).unwrap()
}

fn delivery(queue: &str) -> Delivery {
    Delivery { queue: queue.to_owned(), id: "1".to_owned(), received: 1, enqueued_at: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_clients_share_two_connections() {
    let world = Arc::new(World::with_balance(RICH).await);
    let pooler = Pooler::start(&world.url()).await;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (world, db) = (Arc::clone(&world), pooler.client());
            tokio::spawn(async move {
                for _ in 0..ROUNDS {
                    send_one(&world, &db).await;
                    bill_one(&world, &db).await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let done = i64::try_from(CLIENTS * ROUNDS).unwrap();
    assert_eq!(world.count("SELECT count(*) FROM messages WHERE state = 'sent'").await, done);
    let db = pooler.client();
    assert_eq!(store::ledger::verify(&db).await.unwrap(), []);
    // The plans that our statements count on are in force here, too.
    let mut tx = db.begin().await.unwrap();
    let plans: String =
        sqlx::query_scalar("SELECT current_setting('enable_hashjoin') || current_setting('plan_cache_mode')")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert_eq!(plans, "offforce_generic_plan");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_the_pooler_refuses() {
    let world = World::with_balance(RICH).await;
    let pooler = Pooler::start(&world.url()).await;
    let db = Opening::new(&pooler.url, Publish::InTransaction).connections(Some(1)).open().unwrap();
    let refused = anyhow::Error::new(db.ping().await.unwrap_err());
    assert!(format!("{refused:#}").contains("unsupported startup parameter"), "{refused:#}");
}
