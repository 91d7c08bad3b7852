//! `rediss://` with a password, as a managed Redis wants it: the authority of its certificate is one that the system
//! trusts, or of the file that `SSL_CERT_FILE` names.

use std::time::Duration;

use bytes::Bytes;
use limits::{Message, Rate};
use testkit::Redis as Server;

/// Says to the test that it is the program that connects.
const URL: &str = "LIMITS_TEST_REDIS_URL";
/// This test.
const NAME: &str = "tls::a_redis_in_tls_with_a_password_does_everything";

/// The variable is read when a program connects, and a test must not change its own: so it starts itself again.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
async fn a_redis_in_tls_with_a_password_does_everything() {
    if let Ok(url) = std::env::var(URL) {
        return use_it(&url).await;
    }
    let server = Server::start_tls().await;
    let wrong_password = server.url().replace("rediss://:", "rediss://:not-");
    let trusted = Some(server.authority());
    for (url, authority, expected, why) in [
        (server.url(), trusted.clone(), true, "the authority is trusted"),
        (server.url(), None, false, "nobody vouches for the certificate"),
        (server.url().replace("localhost", "127.0.0.1"), trusted.clone(), false, "the certificate is for localhost"),
        (wrong_password, trusted, false, "the password is wrong"),
    ] {
        let ended = testkit::run_again(NAME, (URL, &url), authority.as_deref());
        assert_eq!(ended.status.success(), expected, "{why}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

async fn use_it(url: &str) {
    let limits = limits::open(Some(url)).unwrap();
    let seat = limits.directory.take("k", 1, "a", Duration::from_mins(1)).await;
    assert_eq!(seat.expect("the directory answers"), Some(0));
    let rate = Rate::new(1, 1).unwrap();
    let taken = limits.limiter.take("k", rate, 1, Duration::ZERO).await;
    assert_eq!(taken.unwrap().left, 0);
    limits.recall.keep("k", Bytes::from_static(b"v")).await;
    assert_eq!(limits.recall.recall("k").await.as_deref(), Some(b"v".as_slice()));
    let mut heard = limits.fanout.subscribe("t");
    let said = [Message { topic: "t".to_owned(), payload: Bytes::from_static(b"x") }];
    testkit::eventually(Duration::from_secs(20), async || {
        limits.fanout.publish(&said).await.unwrap();
        heard.next_now().is_some()
    })
    .await;
}
