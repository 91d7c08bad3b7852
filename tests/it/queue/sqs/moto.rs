//! The same over moto, which others wrote, so that the emulator is not only judged by its author; and the news, which go
//! to SNS.

use std::time::Duration;

use ::queue::suite::{self, Features};
use ::queue::{News, Take, Topic};
use serde_json::Value;
use testkit::Moto;

use super::FEATURES;

const REGION: &str = "eu-central-1";

/// moto looks for messages now and then while a receiver waits, and is slow; of two requests at a time it may give both
/// the same message.
const MOTO: Features = Features { once: false, fast_wake: false, ..FEATURES };

fn url(moto: &Moto, topics: &str) -> String {
    format!("sqs://{REGION}/it?endpoint={}{topics}", moto.endpoint())
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_passes_the_suite_on_moto() {
    let moto = Moto::start().await;
    let queue = ::queue::open(&url(&moto, "")).await.unwrap();
    let other = ::queue::open(&url(&moto, "")).await.unwrap();
    suite::run(queue, other, MOTO).await;
}

/// A request of the older protocol, which SNS speaks.
async fn sns(moto: &Moto, action: &str, parameters: &[(&str, &str)]) {
    let scope = format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/sns/aws4_request, Signature=none");
    let pairs = [("Action", action), ("Version", "2010-03-31")];
    let body: Vec<String> =
        pairs.iter().chain(parameters).map(|(name, value)| format!("{name}={}", value.replace(':', "%3A"))).collect();
    let request = reqwest::Client::new()
        .post(moto.endpoint())
        .header("authorization", scope)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.join("&"));
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{action}: {}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn news_reach_the_queues_that_listen() {
    let moto = Moto::start().await;
    let topics = format!("arn:aws:sns:{REGION}:123456789012:it");
    let quiet = ::queue::open(&url(&moto, "")).await.unwrap();
    assert!(!quiet.has_listeners() && quiet.announce(&[]).await.is_empty());
    let queue = ::queue::open(&url(&moto, &format!("&topics={topics}"))).await.unwrap();
    assert!(queue.has_listeners());
    queue.create("listener").await.unwrap();
    for topic in Topic::ALL {
        sns(&moto, "CreateTopic", &[("Name", &format!("it-{}", topic.name()))]).await;
    }
    let arns = [format!("{topics}-billing"), format!("arn:aws:sqs:{REGION}:123456789012:it-listener")];
    let subscription = [("TopicArn", arns[0].as_str()), ("Protocol", "sqs"), ("Endpoint", &arns[1])];
    sns(&moto, "Subscribe", &subscription).await;
    let news: Vec<News> = (0..12).map(|number| one_of(number, Topic::Billing)).collect();
    let told = queue.announce(&[news, vec![one_of(99, Topic::Messaging)]].concat()).await;
    assert_eq!(told.len(), 13);
    assert!(told.iter().all(Result::is_ok), "{told:?}");
    let take = Take { max: 100, wait: Duration::from_secs(5), lease: Duration::from_mins(1) };
    let mut came = Vec::new();
    while came.len() < 12 {
        let some = queue.receive("listener", take).await.unwrap();
        assert!(!some.is_empty(), "{} of 12 news came", came.len());
        came.extend(some);
    }
    let mut ids: Vec<String> = came.iter().map(|one| id_of(&one.body)).collect();
    ids.sort();
    let expected: Vec<String> = (0..12).map(|number| format!("id-{number:02}")).collect();
    assert_eq!(ids, expected);
}

fn one_of(number: u32, topic: Topic) -> News {
    let body = format!("{{\"number\":{number}}}");
    News {
        topic,
        key: "bill_request.submit_sm_resp.acc_01".to_owned(),
        id: format!("id-{number:02}"),
        body: body.into(),
    }
}

/// The id of news as SNS wraps them.
fn id_of(body: &[u8]) -> String {
    let wrapped: Value = serde_json::from_slice(body).unwrap();
    let attributes = &wrapped["MessageAttributes"];
    assert_eq!(attributes["routing_key"]["Value"], "bill_request.submit_sm_resp.acc_01");
    attributes["id"]["Value"].as_str().unwrap().to_owned()
}
