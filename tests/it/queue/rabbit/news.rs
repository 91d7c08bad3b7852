//! News reach whoever bound a queue, as a client of anybody's sees them.

use std::time::Duration;

use ::queue::{News, Topic};
use lapin::options::{BasicAckOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use testkit::{RabbitMq, until_some};

fn news(topic: Topic, key: &str, id: &str) -> News {
    News { topic, key: key.to_owned(), id: id.to_owned(), body: format!(r#"{{"id":"{id}"}}"#).into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_reach_whoever_is_bound() {
    let url = RabbitMq::shared().await.url();
    let queue = ::queue::open(&url).await.unwrap();
    assert!(queue.has_listeners());
    let unheard = queue.announce(&[news(Topic::Messaging, "dlr.delivered", "n0")]).await;
    assert!(unheard.iter().all(Result::is_ok), "that nobody listens is no error");

    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    for (name, topic, key) in
        [("invoices", "billing", "bill_request.submit_sm_resp.*"), ("reports", "messaging", "dlr.delivered")]
    {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.into(), options, FieldTable::default()).await.unwrap();
        let bound = channel.queue_bind(name.into(), topic.into(), key.into(), <_>::default(), FieldTable::default());
        bound.await.unwrap();
    }
    let told = queue
        .announce(&[
            news(Topic::Billing, "bill_request.submit_sm_resp.acc_x", "n1"),
            news(Topic::Messaging, "dlr.delivered", "n2"),
            news(Topic::Messaging, "dlr.expired", "n3"),
        ])
        .await;
    assert!(told.iter().all(Result::is_ok), "{told:?}");
    for (name, exchange, key, id) in [
        ("invoices", "billing", "bill_request.submit_sm_resp.acc_x", "n1"),
        ("reports", "messaging", "dlr.delivered", "n2"),
    ] {
        let got =
            until_some(Duration::from_secs(10), async || channel.basic_get(name.into(), <_>::default()).await.unwrap());
        let got = got.await.delivery;
        assert_eq!((got.exchange.as_str(), got.routing_key.as_str()), (exchange, key));
        assert_eq!(got.data, format!(r#"{{"id":"{id}"}}"#).into_bytes());
        assert_eq!(got.properties.message_id().as_ref().map(lapin::types::ShortString::as_str), Some(id));
        assert_eq!(
            got.properties.content_type().as_ref().map(lapin::types::ShortString::as_str),
            Some("application/json")
        );
        assert_eq!(*got.properties.delivery_mode(), Some(2));
        assert!(got.properties.timestamp().is_some());
        got.acker.ack(BasicAckOptions::default()).await.unwrap();
    }
    let more = channel.basic_get("reports".into(), <_>::default()).await.unwrap();
    assert!(more.is_none(), "nobody asked for dlr.expired");
}
