//! One bind: connects, serves the session until it ends, waits, connects again. Two sessions where it is a pair.

mod connect;
mod flow;
mod inbound;
mod pace;
mod serve;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use contract::edge::{BindState, BindType, OperatorSettings};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::meters::Meters;
use crate::operator::{Lane, Shared};
use crate::seats::Seated;
use crate::status::{BindCell, Half};

/// A session that lived this long was a good one: the back-off starts anew.
const GOOD_SESSION: Duration = Duration::from_secs(30);

/// What a bind is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) number: u16,
    pub(crate) seat: Arc<Seated>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) bell: Arc<Notify>,
    pub(crate) settings: watch::Receiver<Arc<OperatorSettings>>,
    pub(crate) shared: Shared,
    pub(crate) stop: CancellationToken,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The edge or this bind stops.
    #[error("stopped")]
    Stopped,
    /// The settings name another peer or account: connect again at once.
    #[error("settings changed")]
    Changed,
    /// No message for as long as the profile says: connect again at once.
    #[error("no message for a long time")]
    Inactive,
    /// The operator said unbind.
    #[error("the operator unbound")]
    Unbound,
    /// The operator closed the connection.
    #[error("the operator closed the connection")]
    Eof,
    /// The operator does not take this bind. A person must look, unless the status says that it passes.
    #[error("bind refused with {0}")]
    Refused(smpp::Status),
    /// A submit was answered with a status that says the session is in another state than we think.
    #[error("session lost: a submit was answered with {0}")]
    Lost(smpp::Status),
    /// No answer in time.
    #[error("no answer to {0}")]
    Silent(&'static str),
    /// The boundary between PDUs is lost.
    #[error("not SMPP: {0}")]
    Garbage(#[from] smpp::FrameError),
    /// A `generic_nack` without a number: what it refuses cannot be known.
    #[error("generic_nack without a sequence number")]
    Nack,
    /// What we would send cannot be told in SMPP, for example a password with a NUL.
    #[error("cannot be sent: {0}")]
    Encode(#[from] smpp::EncodeError),
    /// The edge itself is broken: nothing that happens could be told.
    #[error("the publisher has ended")]
    Publisher,
    /// The TLS settings cannot be used: a person must look.
    #[error("TLS settings: {0}")]
    Tls(#[from] tls::Error),
    /// TCP, or TLS over it.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
}

/// Keeps one bind until `stop`: one session, or the two of a pair.
pub(crate) async fn run(parts: Parts) {
    let seat = Arc::clone(&parts.seat);
    let Some(_turn) = parts.stop.run_until_cancelled(seat.turn.lock()).await else { return };
    let Parts { number, lane, settings, shared, stop, .. } = &parts;
    let receiver = Parts {
        number: *number,
        seat: Arc::clone(&seat),
        lane: Arc::clone(lane),
        bell: Arc::default(),
        settings: settings.clone(),
        shared: shared.clone(),
        stop: stop.clone(),
    };
    tokio::join!(Box::pin(keep(parts, Half::First)), Box::pin(keep(receiver, Half::Second)));
}

/// Keeps one half until `stop`; while the settings want none, waits for other settings.
async fn keep(mut parts: Parts, half: Half) {
    while !parts.stop.is_cancelled() {
        let is_wanted = half.bind_type(&parts.settings.borrow_and_update()).is_some();
        if is_wanted {
            parts = sessions(parts, half).await;
            continue;
        }
        tokio::select! {
            () = parts.stop.cancelled() => {}
            changed = parts.settings.changed() => if changed.is_err() { return },
        }
    }
}

/// Session after session, until `stop` or until this half is wanted no more.
async fn sessions(parts: Parts, half: Half) -> Parts {
    let now = (parts.shared.config.clock)();
    let operator = Arc::clone(&parts.settings.borrow());
    let place = (parts.number, half);
    let cell = parts.shared.status.add(operator.id, place, now);
    let meters = Meters::new(&operator.name, parts.number);
    let mut bind = Bind { parts, half, cell, meters, failures: 0 };
    bind.meters.moved(None, Some(bind.cell.state()));
    while !bind.parts.stop.is_cancelled() {
        let settings = Arc::clone(&bind.parts.settings.borrow_and_update());
        let Some(bind_type) = half.bind_type(&settings) else { break };
        let end = bind.session(&settings, bind_type).await;
        bind.pause_after(end).await;
    }
    bind.move_to(BindState::Closed, None);
    bind.meters.moved(Some(BindState::Closed), None);
    bind.parts.shared.status.remove(operator.id, place);
    bind.parts
}

impl Half {
    /// What this half is bound as; `None` where the settings want no such session.
    fn bind_type(self, settings: &OperatorSettings) -> Option<BindType> {
        let is_pair = settings.profile.session.pairs && settings.bind_type == BindType::Transceiver;
        match (self, is_pair) {
            (Self::First, false) => Some(settings.bind_type),
            (Self::First, true) => Some(BindType::Transmitter),
            (Self::Second, true) => Some(BindType::Receiver),
            (Self::Second, false) => None,
        }
    }
}

/// One half of a bind over its sessions.
#[derive(Debug)]
struct Bind {
    parts: Parts,
    half: Half,
    cell: Arc<BindCell>,
    meters: Meters,
    /// Sessions that failed one after the other.
    failures: u32,
}

impl Bind {
    /// One session from connecting to its end.
    async fn session(&mut self, settings: &Arc<OperatorSettings>, bind_type: BindType) -> End {
        self.cell.describe(bind_type, settings.window);
        self.move_to(BindState::Connecting, None);
        let connected = tokio::select! {
            connected = connect::connect(settings, bind_type, &self.parts.shared.config) => connected,
            () = self.parts.stop.cancelled() => return End::Stopped,
        };
        let connected = match connected {
            Ok(connected) => connected,
            Err(end) => return end,
        };
        let (operator, bind) = (&settings.name, self.parts.number);
        tracing::info!(operator.id = %settings.id, bind, "bound to operator {operator} as {}", bind_type.name());
        self.move_to(BindState::Bound, None);
        let since = Instant::now();
        let end = serve::serve(self, connected, settings).await;
        if since.elapsed() >= GOOD_SESSION {
            self.failures = 0;
        }
        self.meters.reconnects.increment(1);
        self.meters.in_flight.set(0.0);
        self.cell.set_in_flight(0);
        self.cell.set_rate(0);
        end
    }

    /// Waits as long as the end of the last session asks for. Changed settings and a stop end the wait.
    async fn pause_after(&mut self, end: End) {
        let config = &self.parts.shared.config;
        let (state, pause) = match &end {
            End::Stopped | End::Changed => return,
            End::Inactive => {
                let bind = self.parts.number;
                tracing::info!(bind, "a session without messages is opened anew");
                return;
            }
            End::Refused(status) if !passes(*status) => (BindState::Refused, config.refused_backoff),
            End::Tls(_) => (BindState::Refused, config.refused_backoff),
            _ => (BindState::BackingOff, backoff(self.failures, config.backoff_min, config.backoff_max)),
        };
        self.failures = self.failures.saturating_add(1);
        let operator = Arc::clone(&self.parts.settings.borrow());
        let bind = self.parts.number;
        if state == BindState::Refused {
            self.meters.binds_refused.increment(1);
            tracing::error!(operator.id = %operator.id, bind, "operator {} refuses us: {end}", operator.name);
        } else {
            tracing::warn!(operator.id = %operator.id, bind, "session with operator {} ended: {end}", operator.name);
        }
        self.move_to(state, Some(end.to_string()));
        tokio::select! {
            () = tokio::time::sleep(jittered(pause)) => {}
            () = self.parts.stop.cancelled() => {}
            _ = self.parts.settings.changed() => {}
        }
    }

    fn move_to(&self, state: BindState, error: Option<String>) {
        let now = (self.parts.shared.config.clock)();
        self.meters.moved(Some(self.cell.state()), Some(state));
        self.cell.set(state, now, error);
    }
}

/// Whether a refusal of a bind is about the moment and not about us.
const fn passes(status: smpp::Status) -> bool {
    matches!(status.class(), smpp::Class::Temporary | smpp::Class::Throttle)
}

/// Doubles with every failure.
fn backoff(failures: u32, min: Duration, max: Duration) -> Duration {
    min.saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX)).min(max)
}

/// Half to all of `pause`: edges that lost an operator together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let whole = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(rand::random_range(whole / 2..=whole))
}

/// A time of the profile, or the edge's own where it says 0.
pub(super) fn seconds_or(seconds: u16, default: Duration) -> Duration {
    if seconds == 0 { default } else { Duration::from_secs(seconds.into()) }
}

/// Whether a session of `old` can go on under `new`.
fn same_session(old: &OperatorSettings, new: &OperatorSettings) -> bool {
    let identity = |s: &OperatorSettings| {
        (s.host.clone(), s.port, s.system_id.clone(), s.password.clone(), s.system_type.clone(), s.bind_type)
    };
    identity(old) == identity(new)
        && old.tls_key == new.tls_key
        && old.profile.session == new.profile.session
        && old.profile.tls == new.profile.tls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_by_doubling_up_to_a_bound() {
        let (min, max) = (Duration::from_millis(500), Duration::from_secs(30));
        for (failures, expected_ms) in [(0, 500), (1, 1_000), (5, 16_000), (6, 30_000), (u32::MAX, 30_000)] {
            assert_eq!(backoff(failures, min, max), Duration::from_millis(expected_ms));
        }
        let pause = jittered(max);
        assert!(pause >= max / 2 && pause <= max);
    }
}
