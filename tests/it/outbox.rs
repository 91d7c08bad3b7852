//! From the outbox to queues that are not in the database: here they are in another one.

use std::sync::Arc;
use std::time::Duration;

use ::outbox::{LEFT_AFTER, Opened, sweep_up};
use ::queue::{Delivery, Queue, Take};
use chrono::{DateTime, Utc};
use contract::{Accepted, Envelope, Sealed, queues};
use store::publish::publish;
use store::{Db, Publish};
use testkit::{Database, eventually, until_some};

/// How long a test waits for what must happen.
const LIMIT: Duration = Duration::from_secs(20);

/// The tables in one database, the queues in another.
struct Rig {
    tables: Database,
    _queues: Database,
    queue: Arc<dyn Queue>,
}

impl Rig {
    async fn new() -> Self {
        let (tables, queues) = tokio::join!(Database::fresh(), Database::fresh());
        let queue = ::queue::open(&queues.url()).await.unwrap();
        Self { tables, _queues: queues, queue }
    }

    /// Without anybody to hand over to.
    fn db(&self) -> Db {
        Db::open(&self.tables.url(), Publish::Outbox).unwrap()
    }

    fn opened(&self, is_lambda: bool) -> Opened {
        Opened::new(self.db(), Arc::clone(&self.queue), is_lambda)
    }

    async fn rows(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(self.tables.pool()).await.unwrap()
    }

    /// What lies in queue `route`, which may not exist.
    async fn look(&self) -> Vec<Delivery> {
        let take = Take { max: 100, wait: Duration::ZERO, lease: Duration::from_mins(1) };
        self.queue.receive(queues::ROUTE, take).await.unwrap_or_default()
    }
}

/// Envelopes of `count` messages, each alone.
fn sealed(count: usize) -> Vec<Sealed> {
    let fixture = include_str!("../fixtures/envelopes/v1/message.accepted.json");
    let envelope: Envelope<Accepted> = serde_json::from_str(fixture).unwrap();
    let one = |_| contract::seal(&envelope.items, DateTime::UNIX_EPOCH).unwrap();
    (0..count).flat_map(one).collect()
}

async fn write(db: &Db, sealed: &[Sealed]) -> store::Tx {
    let mut tx = db.begin().await.unwrap();
    publish(&mut tx, db.publishing(), queues::ROUTE, sealed.to_vec(), 0).await.unwrap();
    tx
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transaction_publishes_goes_out_after_its_commit_and_only_then() {
    let rig = Rig::new().await;
    let opened = rig.opened(false);
    let sealed = sealed(3);
    write(&opened.db, &sealed).await.rollback().await.unwrap();
    let tx = write(&opened.db, &sealed).await;
    opened.drained().await;
    assert!(rig.look().await.is_empty(), "nothing goes before the commit");
    tx.commit().await.unwrap();
    opened.drained().await;
    let mut came: Vec<Vec<u8>> = rig.look().await.into_iter().map(|delivery| delivery.body.to_vec()).collect();
    let mut sent: Vec<Vec<u8>> = sealed.into_iter().map(|sealed| sealed.body).collect();
    came.sort();
    sent.sort();
    assert_eq!(came, sent);
    assert_eq!(rig.rows().await, 0, "what is published is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_lambda_a_commit_ends_when_all_is_published() {
    let rig = Rig::new().await;
    let opened = rig.opened(true);
    write(&opened.db, &sealed(2)).await.commit().await.unwrap();
    assert_eq!((rig.look().await.len(), rig.rows().await), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_is_found_later() {
    let rig = Rig::new().await;
    let db = rig.db();
    write(&db, &sealed(2)).await.commit().await.unwrap();
    let (now, later) = (Utc::now(), Utc::now() + LEFT_AFTER + LEFT_AFTER);
    assert_eq!(sweep_up(&db, rig.queue.as_ref(), now).await.unwrap(), 0, "whoever wrote it is at it");
    let looks = tokio::join!(sweep_up(&db, rig.queue.as_ref(), later), sweep_up(&db, rig.queue.as_ref(), later));
    assert_eq!(looks.0.unwrap() + looks.1.unwrap(), 2, "two looks take each row once");
    assert_eq!((rig.look().await.len(), rig.rows().await), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_away_costs_nothing_but_time() {
    let tables = Database::fresh().await;
    let server = testkit::durable_postgres().await;
    store::migrate(Db::open(&server.url(), Publish::InTransaction).unwrap().pool()).await.unwrap();
    let queue = ::queue::open(&server.url()).await.unwrap();
    let opened = Opened::new(Db::open(&tables.url(), Publish::Outbox).unwrap(), Arc::clone(&queue), false);
    server.stop().await.unwrap();
    write(&opened.db, &sealed(2)).await.commit().await.unwrap();
    opened.drained().await;
    let rows = "SELECT count(*) FROM outbox";
    assert_eq!(sqlx::query_scalar::<_, i64>(rows).fetch_one(tables.pool()).await.unwrap(), 2, "they stay");
    server.resume().await.unwrap();
    let later = Utc::now() + LEFT_AFTER + LEFT_AFTER;
    eventually(LIMIT, async || {
        sweep_up(&opened.db, queue.as_ref(), later).await.unwrap();
        sqlx::query_scalar::<_, i64>(rows).fetch_one(tables.pool()).await.unwrap() == 0
    })
    .await;
    let take = Take { max: 9, wait: Duration::ZERO, lease: Duration::from_mins(1) };
    let came = until_some(LIMIT, async || queue.receive(queues::ROUTE, take).await.ok().filter(|came| came.len() == 2));
    came.await;
}
