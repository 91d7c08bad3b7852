//! Batches: at most ten entries and so many bytes for a request, some requests at once, and a result for each entry.
//!
//! A request may succeed for some entries and fail for others. Those that failed for a passing reason go again, a few
//! times; an entry that the answer does not name at all counts as one of them.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use super::fault::Refused;
use crate::Error;

/// The most entries of one request.
pub(super) const ENTRIES_MAX: usize = 10;

/// The most bytes of one request. SQS takes more by now, but queues made by Terraform are bounded by this.
pub(super) const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// The most requests of one call of ours that are under way at a time.
pub(super) const REQUESTS_MAX: usize = 8;

/// How often an entry is tried at most. What is under it, the whole request, is tried by the SDK.
const TRIES_MAX: u32 = 3;

/// The pause before an entry's second try; doubled before the third.
const PAUSE: Duration = Duration::from_millis(100);

/// What a request of a batch came to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The ids of entries that are done.
    pub(super) done: Vec<String>,
    pub(super) failed: Vec<Failed>,
}

/// An entry that the service refused.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) id: String,
    pub(super) code: String,
    pub(super) is_senders_fault: bool,
}

/// One kind of batch request.
pub(super) trait Call: Sync {
    type Item: Sync;

    /// The name of the service's action.
    const ACTION: &'static str;

    /// The bytes that an item adds to a request, as far as the service counts them.
    fn bytes(_: &Self::Item) -> usize {
        0
    }

    /// Sends one request. Each item's id in it is its number here.
    fn call(&self, items: &[(usize, &Self::Item)]) -> impl Future<Output = Result<Answer, Error>> + Send;
}

/// Makes requests of all items, and returns one result per item, in order.
pub(super) async fn run<C: Call>(call: &C, items: &[C::Item]) -> Vec<Result<(), Refused>> {
    let mut requests = Vec::new();
    let mut rest = items;
    for items_count in chunks(items.iter().map(C::bytes)) {
        let (chunk, after) = rest.split_at(items_count);
        requests.push(run_chunk(call, chunk));
        rest = after;
    }
    let results: Vec<Vec<_>> = stream::iter(requests).buffered(REQUESTS_MAX).collect().await;
    results.into_iter().flatten().collect()
}

/// How many items go into each request. An item that is too long for any goes alone, and the service says so.
fn chunks(sizes: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut counts = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for size in sizes {
        if count == ENTRIES_MAX || (count > 0 && bytes + size > REQUEST_BYTES_MAX) {
            counts.push(count);
            (count, bytes) = (0, 0);
        }
        count += 1;
        bytes += size;
    }
    if count > 0 {
        counts.push(count);
    }
    counts
}

async fn run_chunk<C: Call>(call: &C, chunk: &[C::Item]) -> Vec<Result<(), Refused>> {
    let lost = || Err(Refused::Entry { action: C::ACTION, code: "no word of this entry".to_owned() });
    let mut results: Vec<Result<(), Refused>> = chunk.iter().map(|_| lost()).collect();
    let mut left: Vec<(usize, &C::Item)> = chunk.iter().enumerate().collect();
    for attempt in 0..TRIES_MAX {
        if attempt > 0 {
            sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
        }
        match call.call(&left).await {
            Ok(answer) => left.retain(|(place, _)| !is_final::<C>(&answer, *place, &mut results[*place])),
            Err(error) => {
                left.drain(..).for_each(|(place, _)| results[place] = Err(Refused::Call(error.clone())));
            }
        }
        if left.is_empty() {
            break;
        }
    }
    results
}

/// Notes what an answer says about an entry; whether that is the last word.
fn is_final<C: Call>(answer: &Answer, place: usize, result: &mut Result<(), Refused>) -> bool {
    let id = place.to_string();
    if answer.done.contains(&id) {
        *result = Ok(());
        return true;
    }
    let Some(failed) = answer.failed.iter().find(|failed| failed.id == id) else {
        return false;
    };
    *result = Err(Refused::Entry { action: C::ACTION, code: failed.code.clone() });
    failed.is_senders_fault && !is_throttled(&failed.code)
}

/// Throttling is called the sender's fault, and passes.
fn is_throttled(code: &str) -> bool {
    code.contains("Throttl")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn requests_hold_ten_entries_and_so_many_bytes() {
        let kib = 1024;
        let rows: [(&[usize], &[usize]); 6] = [
            (&[], &[]),
            (&[1; 10], &[10]),
            (&[1; 21], &[10, 10, 1]),
            (&[100 * kib, 100 * kib, 100 * kib], &[2, 1]),
            (&[256 * kib, 1, 256 * kib], &[1, 1, 1]),
            (&[300 * kib, 300 * kib], &[1, 1]),
        ];
        for (sizes, expected) in rows {
            assert_eq!(chunks(sizes.iter().copied()), expected, "{sizes:?}");
        }
    }

    /// Answers the entries by what they are.
    #[derive(Default)]
    struct Scripted(Mutex<Vec<Vec<&'static str>>>);

    impl Call for Scripted {
        type Item = &'static str;
        const ACTION: &'static str = "Scripted";

        async fn call(&self, items: &[(usize, &&'static str)]) -> Result<Answer, Error> {
            let mut calls = self.0.lock().unwrap();
            calls.push(items.iter().map(|(_, item)| **item).collect());
            let mut answer = Answer::default();
            for (place, item) in items {
                let (id, is_second) = (place.to_string(), calls.len() > 1);
                let fail =
                    |code: &str, is_senders_fault| Failed { id: id.clone(), code: code.to_owned(), is_senders_fault };
                match **item {
                    "lost" if !is_second => {}
                    "forbidden" => answer.failed.push(fail("AccessDenied", true)),
                    "throttled" if !is_second => answer.failed.push(fail("RequestThrottled", true)),
                    "broken" => answer.failed.push(fail("InternalError", false)),
                    _ => answer.done.push(id),
                }
            }
            Ok(answer)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn passing_faults_go_again_and_no_others() {
        let call = Scripted::default();
        let results = run(&call, &["fine", "lost", "forbidden", "throttled", "broken"]).await;
        let done: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(done, [true, true, false, true, false]);
        let calls = call.0.into_inner().unwrap();
        assert_eq!(calls[1..], [vec!["lost", "throttled", "broken"], vec!["broken"]]);
    }
}
