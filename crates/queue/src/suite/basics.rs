//! Sending, receiving, names, delays, depths.

use std::time::Duration;

use super::{Rig, only, texts};
use crate::{BODY_BYTES_MAX, Depth, Error, Out, SendError, Settle};

pub(super) async fn bodies_unchanged(rig: Rig) {
    let mut bodies = vec![b"{\"v\":1}".to_vec(), vec![b'x'; BODY_BYTES_MAX]];
    if rig.features.any_bytes {
        bodies.push(Vec::new());
        bodies.push((0..=255).collect());
        bodies.push(b"\0{not json \xff\xfe".to_vec());
    }
    let batch: Vec<Out> = bodies.iter().cloned().map(Out::now).collect();
    rig.send_all(&batch).await;
    let mut came: Vec<Vec<u8>> = Vec::new();
    for delivery in rig.gather(bodies.len()).await {
        assert_eq!(delivery.received, 1, "the first receipt counts as one");
        came.push(delivery.body.to_vec());
        assert!(rig.settle(&delivery.lease, Settle::Ack).await);
    }
    came.sort();
    bodies.sort();
    assert_eq!(came, bodies);
    assert!(rig.look().await.is_empty(), "acknowledged messages are gone");
}

pub(super) async fn long_batch(rig: Rig) {
    let bodies: Vec<String> = (0..250).map(|n| format!("message {n}")).collect();
    let batch: Vec<Out> = bodies.iter().map(|body| Out::now(body.clone())).collect();
    rig.send_all(&batch).await;
    let mut came = texts(&rig.gather(bodies.len()).await);
    came.sort();
    let mut sent = bodies;
    sent.sort();
    assert_eq!(came, sent);
}

pub(super) async fn too_large(rig: Rig) {
    let batch = [Out::now("first"), Out::now(vec![b'x'; BODY_BYTES_MAX + 1]), Out::now("third")];
    let results = rig.queue.send(&rig.name, &batch).await;
    assert_eq!(results.len(), 3);
    assert!(results[0].is_ok() && results[2].is_ok());
    let bytes = BODY_BYTES_MAX + 1;
    assert!(matches!(results[1], Err(SendError::TooLarge { bytes: b }) if b == bytes));
    let mut came = texts(&rig.gather(2).await);
    came.sort();
    assert_eq!(came, ["first", "third"]);
}

pub(super) async fn bad_queues(rig: Rig) {
    let long = "x".repeat(81);
    for name in ["", "with space", "quote'", "ümlaut", long.as_str()] {
        assert!(matches!(rig.queue.create(name).await, Err(Error::BadName(_))), "{name:?}");
    }
    let unknown = format!("{}.unknown", rig.name);
    let sent = rig.queue.send(&unknown, &[Out::now("lost?")]).await;
    assert!(matches!(sent[..], [Err(SendError::Failed(Error::NoQueue(_)))]), "{sent:?}");
    let depth = rig.queue.depth(&unknown).await;
    assert!(matches!(depth, Err(Error::NoQueue(_))), "{depth:?}");
    assert!(rig.queue.send(&rig.name, &[]).await.is_empty(), "an empty batch is fine");
}

pub(super) async fn create_twice(rig: Rig) {
    rig.send(&["kept"]).await;
    rig.other.create(&rig.name).await.expect("creating again is no error");
    assert_eq!(texts(&rig.receive(1).await), ["kept"]);
    let names = rig.queue.queues().await.expect("the names can be listed");
    assert_eq!(names.iter().filter(|name| **name == rig.name).count(), 1);
}

pub(super) async fn keeps_the_order(rig: Rig) {
    if !rig.features.ordered {
        return;
    }
    rig.send(&["1", "2", "3"]).await;
    rig.send(&["4"]).await;
    assert_eq!(texts(&rig.gather(2).await), ["1", "2"]);
    assert_eq!(texts(&rig.gather(2).await), ["3", "4"]);
}

pub(super) async fn queues_apart(rig: Rig) {
    let neighbour = Rig { name: format!("{}.other", rig.name), ..rig.clone() };
    neighbour.queue.create(&neighbour.name).await.expect("the queue can be created");
    rig.send(&["ours"]).await;
    assert!(neighbour.look().await.is_empty());
    let ours = only(rig.receive(9).await);
    let stray = neighbour.settle(&ours.lease, Settle::Ack).await;
    assert!(!stray, "a lease counts in its own queue only");
    assert!(rig.settle(&ours.lease, Settle::Ack).await);
}

pub(super) async fn delays(rig: Rig) {
    let sent_at = tokio::time::Instant::now();
    rig.send_all(&[Out::after(Duration::from_secs(2), "later"), Out::now("now")]).await;
    assert_eq!(texts(&rig.receive(9).await), ["now"]);
    let later = rig.receive_with(9, Duration::from_secs(10), Duration::from_mins(1)).await;
    assert_eq!(texts(&later), ["later"]);
    assert!(sent_at.elapsed() >= Duration::from_millis(1_900), "it came too early");
}

pub(super) async fn depth(rig: Rig) {
    if !rig.features.exact_depth {
        return;
    }
    assert_eq!((told(&rig).await.oldest_age, told(&rig).await.oldest_waiting_age), (None, None));
    rig.send(&["a", "b", "c"]).await;
    rig.send_all(&[Out::after(Duration::from_mins(1), "d")]).await;
    let leased = only(rig.receive(1).await);
    tells(&rig, (2, 2, 0)).await;
    let depth = told(&rig).await;
    assert!(depth.oldest_age.is_some() && depth.oldest_waiting_age.is_some());
    assert!(rig.settle(&leased.lease, Settle::Park("why".to_owned())).await);
    tells(&rig, (2, 1, 1)).await;
}

async fn told(rig: &Rig) -> Depth {
    rig.queue.depth(&rig.name).await.expect("the depth can be told")
}

/// Waits until so much is told. A message that is handed over at that moment may count twice.
async fn tells(rig: &Rig, expected: (u64, u64, u64)) {
    loop {
        let depth = told(rig).await;
        if (depth.ready, depth.waiting, depth.parked) == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
}
