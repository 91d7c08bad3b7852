//! What machines ask.

use axum::body::Body;
use http::Request;

use super::rig::Rig;

async fn look(rig: &Rig, path: &str) -> (u16, String) {
    let answer = rig.raw(Request::get(path).body(Body::empty()).unwrap()).await;
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.bytes).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_the_schema_is_whole() {
    let rig = Rig::new().await;
    assert_eq!(look(&rig, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(look(&rig, "/readyz").await, (200, "ready\n".to_owned()));
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 8").execute(rig.world.pool()).await.unwrap();
    assert_eq!(look(&rig, "/readyz").await.0, 503);
    assert_eq!(look(&rig, "/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_and_the_errors_are_served() {
    let rig = Rig::new().await;
    let (status, document) = look(&rig, "/openapi.json").await;
    assert_eq!((status, document), (200, api::openapi_document()));
    let (status, errors) = look(&rig, "/errors").await;
    assert_eq!(status, 200);
    assert!(errors.contains("## insufficient_credit"));
}
