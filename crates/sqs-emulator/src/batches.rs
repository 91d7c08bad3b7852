//! Batches of ten, and entries of them that fail on demand.

use std::collections::HashSet;

use crate::account::Account;
use crate::actions::{self, Answer, answer};
use crate::protocol::{Accepted, Batch, BatchAnswer, Failed, Handle, Sent};
use crate::queue::Queue;
use crate::refusal::Refusal;

/// The most entries of a batch, and the most bytes of all its messages.
const ENTRIES_MAX: usize = 10;
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// What goes wrong with entries, by their places.
#[derive(Debug, Default)]
pub(crate) struct Odd {
    /// These fail with this.
    pub(crate) fail: Option<(Vec<usize>, Failing)>,
    /// These are done and not mentioned.
    pub(crate) forget: Vec<usize>,
}

/// How an entry fails.
#[derive(Debug)]
pub(crate) struct Failing {
    pub(crate) code: String,
    pub(crate) is_senders_fault: bool,
}

pub(crate) fn send(account: &Account, queue: &Queue, batch: Batch<Sent>, odd: &Odd) -> Answer {
    let bytes: usize = batch.entries.iter().map(|entry| entry.message_body.len()).sum();
    if bytes > REQUEST_BYTES_MAX && batch.entries.len() > 1 {
        return Err(Refusal::new("BatchRequestTooLong", "The messages of a batch have 262144 bytes at most."));
    }
    run(batch, odd, |sent| sent.id.clone(), |sent| actions::send(account, queue, sent))
}

pub(crate) fn delete(queue: &Queue, batch: Batch<Handle>, odd: &Odd) -> Answer {
    let delete = |handle: Handle| {
        queue.delete(&handle.receipt_handle)?;
        Ok(Accepted { id: handle.id, ..Accepted::default() })
    };
    run(batch, odd, |handle| handle.id.clone(), delete)
}

pub(crate) fn hide(queue: &Queue, batch: Batch<Handle>, odd: &Odd) -> Answer {
    let hide = |handle: Handle| {
        actions::hide(queue, &handle)?;
        Ok(Accepted { id: handle.id, ..Accepted::default() })
    };
    run(batch, odd, |handle| handle.id.clone(), hide)
}

fn run<T>(
    batch: Batch<T>,
    odd: &Odd,
    id: impl Fn(&T) -> String,
    act: impl Fn(T) -> Result<Accepted, Refusal>,
) -> Answer {
    check(&batch.entries.iter().map(&id).collect::<Vec<_>>())?;
    let mut told = BatchAnswer::default();
    for (place, entry) in batch.entries.into_iter().enumerate() {
        let id = id(&entry);
        if let Some((_, failing)) = odd.fail.as_ref().filter(|(places, _)| places.contains(&place)) {
            let (code, message) = (failing.code.clone(), "as it was asked to".to_owned());
            told.failed.push(Failed { id, code, message, sender_fault: failing.is_senders_fault });
            continue;
        }
        match act(entry) {
            Ok(_) if odd.forget.contains(&place) => {}
            Ok(accepted) => told.successful.push(accepted),
            Err(Refusal { status, code, message }) => {
                told.failed.push(Failed { id, code, message, sender_fault: status < 500 });
            }
        }
    }
    answer(&told)
}

fn check(ids: &[String]) -> Result<(), Refusal> {
    match ids.len() {
        0 => return Err(Refusal::new("EmptyBatchRequest", "There should be at least one entry in the request.")),
        1..=ENTRIES_MAX => {}
        _ => return Err(Refusal::new("TooManyEntriesInBatchRequest", "A batch has 10 entries at most.")),
    }
    if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return Err(Refusal::new("BatchEntryIdsNotDistinct", "Two entries have the same id."));
    }
    Ok(())
}
