//! What the store counts for who watches the platform: messages by the state that they came to.

use domain::State;

use crate::accept::{Acceptance, Verdict};
use crate::advance::Moved;

/// Counts messages that came to `state`. Counted beside the transaction and not in it: one that is rolled back and
/// done again counts twice, so this is for graphs and alarms. The books are the ledger.
fn came_to(state: State, messages: u64) {
    metrics::counter!("chappe_messages_total", "state" => state.name()).increment(messages);
}

/// Messages that moved.
pub(crate) fn moved(moved: &[Moved]) {
    for message in moved.iter().filter(|moved| moved.has_moved) {
        came_to(message.state, 1);
    }
}

/// Of single sends, those that are stored.
pub(crate) fn accepted(acceptances: &[Acceptance]) {
    let stored = acceptances.iter().filter(|acceptance| matches!(acceptance, Acceptance::Stored));
    came_to(State::Accepted, stored.count().try_into().unwrap_or(u64::MAX));
}

/// Of a batch, those that are stored.
pub(crate) fn accepted_of_batch(verdicts: &[Verdict]) {
    let stored = verdicts.iter().filter(|verdict| **verdict == Verdict::Stored);
    came_to(State::Accepted, stored.count().try_into().unwrap_or(u64::MAX));
}
