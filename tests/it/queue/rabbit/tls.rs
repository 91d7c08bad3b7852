//! `amqps://`: the authority of the broker's certificate is one that the system trusts, or of the file that
//! `SSL_CERT_FILE` names.

use ::queue::Out;
use testkit::RabbitMq;

use super::receive;

/// Says to the test that it is the program that connects.
const URL: &str = "QUEUE_TEST_RABBITMQ_URL";
/// This test.
const NAME: &str = "queue::rabbit::tls::a_broker_in_tls_is_used_when_its_certificate_is_trusted";

/// The variable is read when a program connects, and a test must not change its own: so it starts itself again.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
async fn a_broker_in_tls_is_used_when_its_certificate_is_trusted() {
    if let Ok(url) = std::env::var(URL) {
        return use_it(&url).await;
    }
    let broker = RabbitMq::start_tls().await;
    let trusted = Some(broker.authority());
    for (url, authority, expected, why) in [
        (broker.tls_url(), trusted.clone(), true, "the authority is trusted"),
        (broker.tls_url(), None, false, "nobody vouches for the certificate"),
        (broker.tls_url().replace("localhost", "127.0.0.1"), trusted, false, "the certificate is for localhost"),
    ] {
        let ended = testkit::run_again(NAME, (URL, &url), authority.as_deref());
        assert_eq!(ended.status.success(), expected, "{why}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

async fn use_it(url: &str) {
    let queue = ::queue::open(url).await.unwrap();
    queue.create("secret").await.unwrap();
    let sent = queue.send("secret", &[Out::now("x")]).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(receive(queue.as_ref(), "secret", 1).await.len(), 1);
}
