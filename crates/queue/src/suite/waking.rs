//! Waiting: it ends when something comes, and when nothing does.

use std::time::Duration;

use tokio::time::Instant;

use super::{Rig, WAKE_MAX, only, texts};
use crate::{Out, Settle};

const LONG: Duration = Duration::from_mins(1);
const WAIT: Duration = Duration::from_secs(10);

pub(super) async fn ends_in_time(rig: Rig) {
    let started = Instant::now();
    assert!(rig.receive_with(9, Duration::from_secs(1), LONG).await.is_empty());
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(4), "{took:?}");
}

/// Receives in the background, having waited long enough to be asleep when `act` begins.
async fn wake_by<F: Future<Output = ()>>(rig: &Rig, act: F) -> (Vec<String>, Duration) {
    let sleeper = rig.clone();
    let sleeping = tokio::spawn(async move { sleeper.receive_with(9, WAIT, LONG).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let acted = Instant::now();
    act.await;
    let came = sleeping.await.expect("the receiver ends well");
    (texts(&came), acted.elapsed())
}

fn assert_woken(rig: &Rig, (came, took): (Vec<String>, Duration)) {
    assert_eq!(came, ["wake up"]);
    let bound = if rig.features.fast_wake { WAKE_MAX } else { WAIT };
    assert!(took < bound, "woken after {took:?}");
}

pub(super) async fn send_wakes(rig: Rig) {
    let woken = wake_by(&rig, async {
        let sent = rig.other.send(&rig.name, &[Out::now("wake up")]).await;
        assert!(sent.iter().all(Result::is_ok));
    });
    assert_woken(&rig, woken.await);
}

pub(super) async fn retry_wakes(rig: Rig) {
    rig.send(&["wake up"]).await;
    let held = only(rig.receive(9).await);
    let woken = wake_by(&rig, async {
        assert!(rig.settle(&held.lease, Settle::Retry(Duration::ZERO)).await);
    });
    assert_woken(&rig, woken.await);
}

/// Sends at every moment of a receiver's look; a receiver that looks before it subscribes misses some.
pub(super) async fn never_sleeps_through(rig: Rig) {
    let rounds = if rig.features.fast_wake { 200 } else { 5 };
    let started = Instant::now();
    let mut settling = tokio::task::JoinSet::new();
    for round in 0..rounds {
        let sender = rig.clone();
        let pause = Duration::from_micros(round % 20 * 100);
        let sending = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            sender.other.send(&sender.name, &[Out::now("x")]).await
        });
        let came = only(rig.receive_with(1, WAIT, LONG).await);
        // A backend may gather what it settles.
        let settler = rig.clone();
        settling.spawn(async move { settler.settle(&came.lease, Settle::Ack).await });
        assert!(sending.await.expect("the sender ends well").iter().all(Result::is_ok));
    }
    let took = started.elapsed();
    assert!(settling.join_all().await.into_iter().all(|is_settled| is_settled));
    assert!(took < Duration::from_secs(15), "{rounds} wake-ups took {took:?}");
}
