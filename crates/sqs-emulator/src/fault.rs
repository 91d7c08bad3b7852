//! Faults on demand, and the count of requests.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a request meets instead of a plain answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error answer; nothing is done.
    Refuse { status: u16, code: String },
    /// A batch's entries at these places fail; the others are done.
    FailEntries { places: Vec<usize>, code: String, is_senders_fault: bool },
    /// The batch's entries at these places are done and not mentioned.
    ForgetEntries { places: Vec<usize> },
    /// All is done, and the connection breaks before the answer.
    LoseAnswer,
    /// All is done, later.
    Delay(Duration),
    /// What `ReceiveMessage` hands out is handed out once more at once.
    Duplicate,
}

impl Fault {
    /// Too many requests.
    pub fn throttled() -> Self {
        Self::Refuse { status: 400, code: "RequestThrottled".to_owned() }
    }

    /// The service is broken for a moment.
    pub fn internal() -> Self {
        Self::Refuse { status: 500, code: "InternalError".to_owned() }
    }

    /// Entries fail for a reason that passes.
    pub fn entries_internal(places: &[usize]) -> Self {
        Self::FailEntries { places: places.to_vec(), code: "InternalError".to_owned(), is_senders_fault: false }
    }

    /// Entries fail for a reason that stays.
    pub fn entries_refused(places: &[usize], code: &str) -> Self {
        Self::FailEntries { places: places.to_vec(), code: code.to_owned(), is_senders_fault: true }
    }
}

/// The faults to come, and the requests that came.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<String, VecDeque<Fault>>,
    requests: HashMap<String, u64>,
}

impl Faults {
    pub(crate) fn inject(&self, action: &str, fault: Fault, times: usize) {
        let mut state = self.state();
        state.waiting.entry(action.to_owned()).or_default().extend(std::iter::repeat_n(fault, times));
    }

    pub(crate) fn requests(&self) -> BTreeMap<String, u64> {
        self.state().requests.iter().map(|(action, count)| (action.clone(), *count)).collect()
    }

    /// Counts requests, and tells the fault that they meet.
    pub(crate) fn meet(&self, action: &str, requests: u64) -> Option<Fault> {
        let mut state = self.state();
        match state.requests.get_mut(action) {
            Some(count) => *count += requests,
            None => drop(state.requests.insert(action.to_owned(), requests)),
        }
        state.waiting.get_mut(action)?.pop_front()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
