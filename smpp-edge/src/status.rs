//! Where every session stands, for whoever shows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use contract::SessionStatus;
use contract::edge::{BindState, BindStatus, BindType, OperatorStatus};
use domain::{OperatorId, SessionId};
use tokio_util::sync::CancellationToken;

use crate::trace::Tracer;

/// The sessions of one operator: by the number of the bind, and which of its two where it is a pair.
type Binds = BTreeMap<Place, Arc<BindCell>>;

/// Where a session stands among those of its operator.
pub(crate) type Place = (u16, Half);

/// A bind is one session, or two that only transmit and only receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Half {
    /// The only one, or the transmitter of a pair.
    First,
    /// The receiver of a pair.
    Second,
}

/// The states of all sessions. Cheap to clone; every clone sees the same.
#[derive(Clone, Debug, Default)]
pub struct EdgeStatus {
    operators: Arc<Mutex<BTreeMap<OperatorId, Binds>>>,
    sessions: Arc<Mutex<BTreeMap<SessionId, Arc<SessionCell>>>>,
    tracer: Tracer,
    has_settings: Arc<AtomicBool>,
}

impl EdgeStatus {
    /// An edge without sessions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the edge was told its operators and customers at least once: before, it can serve nobody.
    pub fn has_settings(&self) -> bool {
        self.has_settings.load(Ordering::Relaxed)
    }

    pub(crate) fn settings_came(&self) {
        self.has_settings.store(true, Ordering::Relaxed);
    }

    /// Every operator that has sessions, and where each stands now.
    pub fn operators(&self) -> Vec<OperatorStatus> {
        let operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        let status = |(id, binds): (&OperatorId, &Binds)| OperatorStatus {
            operator_id: *id,
            binds: binds.values().map(|cell| cell.status()).collect(),
        };
        operators.iter().map(status).collect()
    }

    /// What the sessions say, for who looks at it.
    pub const fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// How many sessions of this operator are bound.
    pub fn bound(&self, operator: OperatorId) -> usize {
        let operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        let binds = operators.get(&operator).into_iter().flat_map(BTreeMap::values);
        binds.filter(|cell| cell.status().state == BindState::Bound).count()
    }

    /// Every session of a customer, in the order of their binds, and where each stands now.
    pub fn sessions(&self) -> Vec<SessionStatus> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.values().map(|cell| cell.status()).collect()
    }

    /// Closes these sessions of customers: what is in flight is finished, then they are unbound. Those that are not
    /// here are left to their edges.
    pub fn cut(&self, ids: &[SessionId]) {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter_map(|id| sessions.get(id)).for_each(|cell| cell.cut.cancel());
    }

    pub(crate) fn add_session(&self, told: SessionStatus) -> Arc<SessionCell> {
        let id = told.id;
        let cell = Arc::new(SessionCell::new(told));
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&cell));
        cell
    }

    pub(crate) fn remove_session(&self, id: SessionId) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    pub(crate) fn add(&self, operator: OperatorId, place: Place, now: DateTime<Utc>) -> Arc<BindCell> {
        let cell = Arc::new(BindCell::new(place.0, now));
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        operators.entry(operator).or_default().insert(place, Arc::clone(&cell));
        cell
    }

    pub(crate) fn remove(&self, operator: OperatorId, place: Place) {
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(binds) = operators.get_mut(&operator) {
            binds.remove(&place);
            if binds.is_empty() {
                operators.remove(&operator);
            }
        }
    }
}

/// One session's entry, written by its own task only.
#[derive(Debug)]
pub(crate) struct BindCell {
    in_flight: AtomicU32,
    submits: AtomicU64,
    status: Mutex<BindStatus>,
}

impl BindCell {
    fn new(bind: u16, now: DateTime<Utc>) -> Self {
        let status = BindStatus {
            bind,
            bind_type: BindType::default(),
            state: BindState::Connecting,
            since: now,
            in_flight: 0,
            window: 0,
            submits: 0,
            submits_per_second: 0,
            last_error: None,
        };
        Self { in_flight: AtomicU32::new(0), submits: AtomicU64::new(0), status: Mutex::new(status) }
    }

    /// What the session is bound as, and its window.
    pub(crate) fn describe(&self, bind_type: BindType, window: u16) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        (status.bind_type, status.window) = (bind_type, window);
    }

    pub(crate) fn add_submits(&self, count: usize) {
        self.submits.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn submits(&self) -> u64 {
        self.submits.load(Ordering::Relaxed)
    }

    pub(crate) fn set_rate(&self, per_second: u32) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).submits_per_second = per_second;
    }

    pub(crate) fn state(&self) -> BindState {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).state
    }

    /// Another state; an error stays shown until the next one.
    pub(crate) fn set(&self, state: BindState, now: DateTime<Utc>, error: Option<String>) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.state != state {
            status.state = state;
            status.since = now;
        }
        if error.is_some() {
            status.last_error = error;
        }
    }

    pub(crate) fn set_in_flight(&self, in_flight: usize) {
        self.in_flight.store(u32::try_from(in_flight).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    fn status(&self) -> BindStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.in_flight = self.in_flight.load(Ordering::Relaxed);
        status.submits = self.submits();
        status
    }
}

/// One session of a customer, written by its own task only.
#[derive(Debug)]
pub(crate) struct SessionCell {
    /// Cancelled when somebody wants it closed.
    pub(crate) cut: CancellationToken,
    pub(crate) in_flight: AtomicU32,
    pub(crate) delivering: AtomicU32,
    pub(crate) submits: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) throttled: AtomicU64,
    pub(crate) delivered: AtomicU64,
    told: Mutex<SessionStatus>,
}

impl SessionCell {
    fn new(told: SessionStatus) -> Self {
        Self {
            cut: CancellationToken::new(),
            in_flight: AtomicU32::default(),
            delivering: AtomicU32::default(),
            submits: AtomicU64::default(),
            accepted: AtomicU64::default(),
            throttled: AtomicU64::default(),
            delivered: AtomicU64::default(),
            told: Mutex::new(told),
        }
    }

    /// What went wrong, in words; stays until the next one.
    pub(crate) fn set_error(&self, error: String) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).last_error = Some(error);
    }

    fn status(&self) -> SessionStatus {
        SessionStatus {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            delivering: self.delivering.load(Ordering::Relaxed),
            submits: self.submits.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            ..self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }
}
