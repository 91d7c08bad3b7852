//! Metrics name routes, customers and operators: where they have a door of their own, the public one is closed.

use std::time::Duration;

use testkit::eventually;

use crate::chappe::{Chappe, free_port};

const LIMIT: Duration = Duration::from_secs(20);

async fn status(url: String) -> u16 {
    reqwest::get(url).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_api_tells_no_metrics_where_a_process_is_watched_elsewhere() {
    let watch = format!("127.0.0.1:{}", free_port());
    let chappe = Chappe::with_settings(vec![("CHAPPE_WATCH_ADDR", watch.clone())]).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(status(format!("http://{watch}{path}")).await, 200, "{path}");
    }
    assert_eq!(status(chappe.url("/metrics")).await, 404);
    // What balancers ask stays.
    assert_eq!(status(chappe.url("/readyz")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_door_of_their_own_metrics_stay_at_the_api() {
    let chappe = Chappe::start().await;
    assert_eq!(status(chappe.url("/metrics")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_just_started_tells_of_the_last_check_of_the_books() {
    let mut chappe = Chappe::start().await;
    let checked = "SELECT count(*) FROM ledger_nights";
    eventually(LIMIT, async || sqlx::query_scalar::<_, i64>(checked).fetch_one(chappe.db().pool()).await.unwrap() == 1)
        .await;
    // Somebody else checked some nights ago, and this night is done.
    let found = "UPDATE ledger_nights SET at = '2026-01-02T03:04:05Z', violations = 7";
    sqlx::query(found).execute(chappe.db().pool()).await.unwrap();
    chappe.kill();
    chappe.restart().await;
    eventually(LIMIT, async || {
        let told = reqwest::get(chappe.url("/metrics")).await.unwrap().text().await.unwrap();
        told.contains("chappe_ledger_violations 7\n")
            && told.contains("chappe_ledger_checked_timestamp_seconds 1767323045\n")
    })
    .await;
}
