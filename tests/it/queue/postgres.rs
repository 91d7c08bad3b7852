//! The queue in PostgreSQL: the conformance suite, and what it alone promises.

use std::time::Duration;

use ::queue::Take;
use ::queue::suite::{self, Features};
use testkit::Database;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_passes_the_suite() {
    let database = Database::fresh().await;
    let queue = ::queue::open(&database.url()).await.unwrap();
    let other = ::queue::open(&database.url()).await.unwrap();
    let features = Features { any_bytes: true, ordered: true, exact_depth: true, once: true, fast_wake: true };
    suite::run(queue, other, features).await;
}

#[tokio::test]
async fn a_send_in_a_transaction_comes_with_its_commit() {
    let database = Database::fresh().await;
    let queue = ::queue::open(&database.url()).await.unwrap();
    let mut transaction = database.pool().begin().await.unwrap();
    sqlx::query("select queue.create('route')").execute(&mut *transaction).await.unwrap();
    sqlx::query("select queue.send('route', array['a', 'b']::bytea[], array[0, 0])")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert!(queue.depth("route").await.is_err(), "nothing is visible before the commit");
    transaction.commit().await.unwrap();
    let take = Take { max: 9, wait: Duration::ZERO, lease: Duration::from_mins(1) };
    assert_eq!(queue.receive("route", take).await.unwrap().len(), 2);
}

#[tokio::test]
async fn receivers_outlive_a_broken_listener() {
    let database = Database::fresh().await;
    let queue = ::queue::open(&database.url()).await.unwrap();
    queue.create("route").await.unwrap();
    let take = |wait| Take { max: 9, wait, lease: Duration::from_mins(1) };
    assert!(queue.receive("route", take(Duration::from_millis(200))).await.unwrap().is_empty());
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'chappe-queue' and datname = current_database()",
    )
    .execute(database.pool())
    .await
    .unwrap();
    sqlx::query("select queue.send('route', array['a']::bytea[], array[0])").execute(database.pool()).await.unwrap();
    let came = testkit::until_some(Duration::from_secs(10), async || {
        queue.receive("route", take(Duration::from_secs(1))).await.ok()?.pop()
    });
    assert_eq!(&came.await.body[..], b"a");
}
