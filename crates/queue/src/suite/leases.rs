//! Leases: whose a message is, for how long, and what an old one may still do.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Rig, only, texts};
use crate::{Settle, SettleError};

const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_mins(1);
const WAIT: Duration = Duration::from_secs(5);

pub(super) async fn exclusive(rig: Rig) {
    rig.send(&["one"]).await;
    let first = only(rig.receive(9).await);
    assert!(rig.look().await.is_empty(), "a leased message comes to nobody else");
    assert!(rig.settle(&first.lease, Settle::Ack).await);
}

pub(super) async fn expires(rig: Rig) {
    rig.send(&["one"]).await;
    let first = only(rig.receive_with(9, WAIT, SHORT).await);
    let second = only(rig.receive_with(9, WAIT, LONG).await);
    assert_eq!(second.received, 2);
    assert_eq!(second.id, first.id, "the id stays");
    assert_ne!(second.lease, first.lease, "the lease is another");
    assert_eq!(second.enqueued_at, first.enqueued_at);
}

pub(super) async fn extends(rig: Rig) {
    rig.send(&["one"]).await;
    let held = only(rig.receive_with(9, WAIT, SHORT).await);
    let extended = rig.queue.extend(&rig.name, std::slice::from_ref(&held.lease), LONG).await;
    assert!(matches!(extended[..], [Ok(())]), "{extended:?}");
    tokio::time::sleep(SHORT + Duration::from_millis(300)).await;
    assert!(rig.look().await.is_empty(), "an extended lease holds");
    assert!(rig.settle(&held.lease, Settle::Ack).await);
    let gone = rig.queue.extend(&rig.name, std::slice::from_ref(&held.lease), LONG).await;
    assert!(matches!(gone[..], [Err(SettleError::Outdated)]), "{gone:?}");
}

pub(super) async fn outdated(rig: Rig) {
    rig.send(&["one"]).await;
    let old = only(rig.receive_with(9, WAIT, SHORT).await);
    let new = only(rig.receive_with(9, WAIT, LONG).await);
    for verb in [Settle::Ack, Settle::Retry(Duration::ZERO), Settle::Park("old".to_owned())] {
        let results = rig.queue.settle(&rig.name, vec![(old.lease.clone(), verb)]).await;
        assert!(matches!(results[..], [Err(SettleError::Outdated)]), "{results:?}");
    }
    let extended = rig.queue.extend(&rig.name, std::slice::from_ref(&old.lease), LONG).await;
    assert!(matches!(extended[..], [Err(SettleError::Outdated)]), "{extended:?}");
    assert!(rig.look().await.is_empty(), "the newer lease was not touched");
    assert!(rig.settle(&new.lease, Settle::Ack).await);
}

pub(super) async fn settles_once(rig: Rig) {
    rig.send(&["one"]).await;
    let held = only(rig.receive(9).await);
    assert!(rig.settle(&held.lease, Settle::Retry(LONG)).await);
    assert!(!rig.settle(&held.lease, Settle::Ack).await, "a retried lease is over");
    rig.send(&["two"]).await;
    let held = only(rig.receive(9).await);
    let twice = vec![(held.lease.clone(), Settle::Ack), (held.lease, Settle::Ack)];
    let results = rig.queue.settle(&rig.name, twice).await;
    assert!(matches!(results[..], [Ok(()), Err(SettleError::Outdated)]), "{results:?}");
}

pub(super) async fn retries(rig: Rig) {
    rig.send(&["one"]).await;
    let held = only(rig.receive(9).await);
    assert!(rig.settle(&held.lease, Settle::Retry(Duration::ZERO)).await);
    let again = only(rig.receive(9).await);
    assert_eq!(again.received, 2);
    let settled_at = tokio::time::Instant::now();
    assert!(rig.settle(&again.lease, Settle::Retry(Duration::from_secs(2))).await);
    let third = only(rig.receive_with(9, WAIT, LONG).await);
    assert_eq!(third.received, 3);
    assert!(settled_at.elapsed() >= Duration::from_millis(1_900), "it came too early");
}

pub(super) async fn mixed_batch(rig: Rig) {
    rig.send(&["old", "ack", "retry", "park", "keep"]).await;
    let all = rig.gather(5).await;
    let lease = |text: &str| {
        let found = all.iter().find(|one| one.body == text.as_bytes());
        found.map(|one| one.lease.clone()).expect("the message came")
    };
    assert!(rig.settle(&lease("old"), Settle::Ack).await);
    let batch = vec![
        (lease("old"), Settle::Retry(Duration::ZERO)),
        (lease("ack"), Settle::Ack),
        (lease("retry"), Settle::Retry(Duration::ZERO)),
        (lease("park"), Settle::Park("why".to_owned())),
    ];
    let results = rig.queue.settle(&rig.name, batch).await;
    let taken: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [false, true, true, true]);
    assert_eq!(texts(&rig.receive(9).await), ["retry"]);
    let parked = rig.queue.parked(&rig.name, 9).await.expect("parked messages can be seen");
    assert_eq!(parked.len(), 1);
    assert!(rig.settle(&lease("keep"), Settle::Ack).await);
}

pub(super) async fn competing(rig: Rig) {
    let bodies: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let all: Vec<&str> = bodies.iter().map(String::as_str).collect();
    rig.send(&all).await;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let rig = rig.clone();
        workers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let some = rig.receive_with(7, SHORT, LONG).await;
                if some.is_empty() {
                    return mine;
                }
                let acks = some.iter().map(|one| (one.lease.clone(), Settle::Ack)).collect();
                let results = rig.queue.settle(&rig.name, acks).await;
                // Of two leases of one message the older may not count any more.
                assert!(!rig.features.once || results.iter().all(Result::is_ok), "{results:?}");
                mine.extend(texts(&some));
            }
        });
    }
    let came: Vec<String> = workers.join_all().await.into_iter().flatten().collect();
    assert!(!rig.features.once || came.len() == bodies.len(), "each message comes to one receiver: {came:?}");
    assert_eq!(came.iter().collect::<BTreeSet<_>>(), bodies.iter().collect());
}
