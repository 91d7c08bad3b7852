//! Messages that were set aside.

use super::{Rig, only, texts};
use crate::{Parked, Settle};

/// Parks a message that nobody can read, and returns it as parked.
async fn park(rig: &Rig) -> Parked {
    rig.send(&["{broken"]).await;
    let held = only(rig.receive(9).await);
    assert!(rig.settle(&held.lease, Settle::Park("cannot be \"read\"".to_owned())).await);
    let mut parked = rig.queue.parked(&rig.name, 9).await.expect("parked messages can be seen");
    assert_eq!(parked.len(), 1);
    parked.remove(0)
}

pub(super) async fn parks(rig: Rig) {
    let parked = park(&rig).await;
    assert_eq!(parked.why, "cannot be \"read\"");
    assert_eq!(&parked.body[..], b"{broken");
    assert_eq!(parked.received, 1);
    assert!(rig.look().await.is_empty(), "a parked message does not come");
    let none = rig.queue.parked(&rig.name, 0).await.expect("parked messages can be seen");
    assert!(none.is_empty(), "the limit holds");
    let still = rig.other.parked(&rig.name, 9).await.expect("parked messages can be seen");
    assert_eq!(still.len(), 1, "looking takes nothing away");
}

pub(super) async fn replays(rig: Rig) {
    let parked = park(&rig).await;
    assert!(rig.queue.replay(&rig.name, &parked.id).await.expect("replaying works"));
    let again = rig.receive(9).await;
    assert_eq!(texts(&again), ["{broken"]);
    assert_eq!(only(again).received, 1, "as if it were new");
    assert!(!rig.queue.replay(&rig.name, &parked.id).await.expect("replaying works"));
    assert!(!rig.queue.replay(&rig.name, "no such id").await.expect("replaying works"));
}

pub(super) async fn discards(rig: Rig) {
    let parked = park(&rig).await;
    assert!(rig.queue.discard(&rig.name, &parked.id).await.expect("discarding works"));
    assert!(!rig.queue.discard(&rig.name, &parked.id).await.expect("discarding works"));
    let none = rig.queue.parked(&rig.name, 9).await.expect("parked messages can be seen");
    assert!(none.is_empty());
    assert!(rig.look().await.is_empty());
}
