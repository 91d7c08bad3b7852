//! One queue: what may be received, what is hidden until when, and whose handle is good.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::message::Message;
use crate::refusal::Refusal;

/// How long a message is hidden where nobody says.
const VISIBILITY_SECONDS: u64 = 30;

/// The longest message where the queue does not say, in bytes: what Terraform's provider makes queues with.
const MESSAGE_BYTES_MAX: u64 = 256 * 1024;

/// A queue, and the bell that wakes who waits for it.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) bell: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    attributes: BTreeMap<String, String>,
    messages: HashMap<u64, Message>,
    /// In the order in which they became visible; may name messages that are deleted.
    ready: VecDeque<u64>,
    /// Hidden and delayed ones, by the time at which they come back.
    hidden: BTreeSet<(Instant, u64)>,
    hidden_until: HashMap<u64, Instant>,
    receipts: u64,
}

/// What a receiver gets of a queue.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Messages with the handles of this receipt.
    pub(crate) messages: Vec<(Message, String)>,
    /// Messages that were received too often.
    pub(crate) dead: Vec<Message>,
    /// When the next hidden message comes back.
    pub(crate) next: Option<Instant>,
}

/// How many messages may be received, and how many are hidden or delayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) visible: usize,
    pub(crate) hidden: usize,
    pub(crate) delayed: usize,
}

impl Queue {
    pub(crate) fn new(name: &str, attributes: BTreeMap<String, String>) -> Self {
        let state = State { attributes, ..State::default() };
        Self { name: name.to_owned(), bell: Notify::new(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        self.state().attributes.clone()
    }

    pub(crate) fn set_attributes(&self, attributes: BTreeMap<String, String>) {
        self.state().attributes.extend(attributes);
    }

    /// An attribute that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.state().attributes.get(name)?.parse().ok()
    }

    pub(crate) fn redrive_policy(&self) -> Option<String> {
        self.state().attributes.get("RedrivePolicy").cloned()
    }

    pub(crate) fn bytes_max(&self) -> u64 {
        self.number("MaximumMessageSize").unwrap_or(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn visibility(&self) -> Duration {
        Duration::from_secs(self.number("VisibilityTimeout").unwrap_or(VISIBILITY_SECONDS))
    }

    pub(crate) fn push(&self, message: Message, delay: Duration) {
        let mut state = self.state();
        let id = message.id;
        state.messages.insert(id, message);
        if delay.is_zero() {
            state.ready.push_back(id);
        } else {
            state.hide(id, delay);
        }
        drop(state);
        self.bell.notify_one();
    }

    /// Takes up to `max` messages and hides them. Those that were received `received_max` times are dead.
    pub(crate) fn take(&self, max: usize, visibility: Duration, received_max: Option<u32>) -> Taken {
        let mut state = self.state();
        state.wake();
        let mut taken = Taken::default();
        while taken.messages.len() < max {
            let Some(id) = state.ready.pop_front() else { break };
            if state.hidden_until.contains_key(&id) {
                continue;
            }
            match state.messages.get(&id).map(|message| message.received) {
                None => {}
                Some(received) if received_max.is_some_and(|max| received >= max) => {
                    taken.dead.extend(state.messages.remove(&id));
                }
                Some(_) => taken.messages.extend(state.receive(&self.name, id, visibility)),
            }
        }
        let more = !state.ready.is_empty();
        taken.next = state.hidden.first().map(|(until, _)| *until);
        drop(state);
        // Whoever waits beside us was perhaps not rung.
        if more {
            self.bell.notify_one();
        }
        taken
    }

    /// Deletes a message. With an outdated handle it says so and does not, as Amazon may.
    pub(crate) fn delete(&self, handle: &str) -> Result<(), Refusal> {
        let (id, receipt) = self.parse(handle)?;
        let mut state = self.state();
        if state.is_newest(id, receipt) {
            state.show(id);
            state.messages.remove(&id);
        }
        Ok(())
    }

    /// Hides a message that is hidden for this long instead.
    pub(crate) fn hide(&self, handle: &str, time: Duration) -> Result<(), Refusal> {
        let (id, receipt) = self.parse(handle)?;
        let mut state = self.state();
        state.wake();
        if !state.is_newest(id, receipt) || !state.hidden_until.contains_key(&id) {
            let message = "Message does not exist or is not available for visibility timeout change.";
            return Err(Refusal::bad_value(message));
        }
        state.show(id);
        if time.is_zero() {
            state.ready.push_back(id);
        } else {
            state.hide(id, time);
        }
        drop(state);
        self.bell.notify_one();
        Ok(())
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut state = self.state();
        state.wake();
        let is_delayed = |id: &&u64| state.messages.get(id).is_some_and(|message| message.receipt == 0);
        let delayed = state.hidden_until.keys().filter(is_delayed).count();
        let hidden = state.hidden_until.len() - delayed;
        Counts { visible: state.messages.len() - hidden - delayed, hidden, delayed }
    }

    /// A handle names its queue, its message and its receipt.
    fn parse(&self, handle: &str) -> Result<(u64, u64), Refusal> {
        let ours = handle.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('/'));
        let parts = ours.and_then(|rest| rest.split_once('/'));
        let numbers = parts.and_then(|(id, receipt)| Some((id.parse().ok()?, receipt.parse().ok()?)));
        numbers.ok_or_else(Refusal::bad_handle)
    }
}

impl State {
    fn receive(&mut self, name: &str, id: u64, visibility: Duration) -> Option<(Message, String)> {
        self.receipts += 1;
        let receipt = self.receipts;
        let message = self.messages.get_mut(&id)?;
        message.receipt = receipt;
        message.received += 1;
        message.first_received_ms.get_or_insert_with(crate::account::now_ms);
        let message = message.clone();
        if visibility.is_zero() {
            self.ready.push_back(id);
        } else {
            self.hide(id, visibility);
        }
        Some((message, format!("{name}/{id}/{receipt}")))
    }

    fn is_newest(&self, id: u64, receipt: u64) -> bool {
        self.messages.get(&id).is_some_and(|message| message.receipt == receipt)
    }

    fn hide(&mut self, id: u64, time: Duration) {
        let until = Instant::now() + time;
        self.hidden.insert((until, id));
        self.hidden_until.insert(id, until);
    }

    /// No longer hidden; whoever calls says what becomes of it.
    fn show(&mut self, id: u64) {
        if let Some(until) = self.hidden_until.remove(&id) {
            self.hidden.remove(&(until, id));
        }
    }

    /// Shows what was hidden long enough.
    fn wake(&mut self) {
        let now = Instant::now();
        while let Some((until, id)) = self.hidden.first().copied().filter(|(until, _)| *until <= now) {
            self.hidden.remove(&(until, id));
            self.hidden_until.remove(&id);
            self.ready.push_back(id);
        }
    }
}
