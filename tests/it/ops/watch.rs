//! Metrics name routes, customers and operators: where they have a door of their own, the public one is closed.

use crate::chappe::{Chappe, free_port};

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
