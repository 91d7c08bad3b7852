//! What everything that spreads news must do.

use std::time::Duration;

use bytes::Bytes;
use limits::{Fanout, Heard, Message, Subscription, TOPIC_BUFFER};
use testkit::eventually;
use tokio::time::timeout;

/// Nothing is waited for longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Judges a publisher, and who listens elsewhere.
pub(crate) async fn run(publisher: &dyn Fanout, listener: &dyn Fanout) {
    let mut first = hearing(publisher, listener, "a").await;
    let mut second = hearing(publisher, listener, "a").await;
    let mut other = hearing(publisher, listener, "a key} with {braces").await;
    drain(publisher, "!", [&mut first, &mut second, &mut other]).await;
    let spread = [said("a", "1"), said("b", "nobody listens"), said("a key} with {braces", "2"), said("a", "3")];
    publisher.publish(&spread).await.unwrap();
    for (subscription, expected) in [(&mut first, &["1", "3"][..]), (&mut second, &["1", "3"]), (&mut other, &["2"])] {
        for text in expected {
            assert_eq!(next(subscription).await, Heard::Message(Bytes::from(*text)));
        }
    }
    drop(first);
    publisher.publish(&[said("a", "4")]).await.unwrap();
    assert_eq!(next(&mut second).await, Heard::Message(Bytes::from("4")), "who stays hears on");
    drop(second);
    let mut again = hearing(publisher, listener, "a").await;
    drain(publisher, "!!", [&mut again]).await;
    who_is_too_slow_learns_it(publisher, &mut again).await;
}

fn said(topic: &str, text: &str) -> Message {
    Message { topic: topic.to_owned(), payload: Bytes::from(text.to_owned()) }
}

/// A listener that is heard of: what is published from now on reaches it.
async fn hearing(publisher: &dyn Fanout, listener: &dyn Fanout, topic: &str) -> Subscription {
    let mut subscription = listener.subscribe(topic);
    eventually(LIMIT, async || {
        publisher.publish(&[said(topic, "?")]).await.unwrap();
        subscription.next_now().is_some()
    })
    .await;
    subscription
}

/// Hears everything that was asked before, up to a mark that comes once.
async fn drain<const N: usize>(publisher: &dyn Fanout, mark: &'static str, subscriptions: [&mut Subscription; N]) {
    publisher.publish(&[said("a", mark), said("a key} with {braces", mark)]).await.unwrap();
    for subscription in subscriptions {
        while next(subscription).await != Heard::Message(Bytes::from(mark)) {}
    }
}

async fn next(subscription: &mut Subscription) -> Heard {
    timeout(LIMIT, subscription.next()).await.expect("something is heard")
}

async fn who_is_too_slow_learns_it(publisher: &dyn Fanout, subscription: &mut Subscription) {
    let many: Vec<Message> = (0..3 * TOPIC_BUFFER).map(|number| said("a", &number.to_string())).collect();
    publisher.publish(&many).await.unwrap();
    let last = Heard::Message(Bytes::from((3 * TOPIC_BUFFER - 1).to_string()));
    let mut missed = 0;
    loop {
        match next(subscription).await {
            Heard::Missed(more) => missed += more,
            heard if heard == last => break,
            Heard::Message(_) => {}
        }
    }
    // Whoever reads while they come misses fewer.
    assert!(missed <= u64::try_from(2 * TOPIC_BUFFER).unwrap(), "{missed} missed");
}
