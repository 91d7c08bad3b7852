//! A connection that is made at first use and again after it broke.
//!
//! Not lapin's own recovery: that replays consumers, and a message that comes to a consumer without a receiver is
//! hoarded. Here everything that belongs to a connection lies in its [`Session`] and ends with it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, timeout};

use super::fault::{Fault, within};
use super::intake::Intake;
use super::probe;

/// How long a connection may take, from the look-up of the name to the login.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long after a failed attempt the next one may begin. Calls in between fail at once.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// A peer that says nothing for this long is gone, in seconds, unless the URL says another.
const HEARTBEAT_S: u16 = 10;

/// The most channels that publish at a time.
const PUBLISHERS_MAX: usize = 8;

/// The most queues that one handle receives from. A broker allows 2,047 channels on a connection.
const INTAKES_MAX: usize = 1_800;

/// A connection that comes back.
pub(super) struct Link {
    uri: AMQPUri,
    purpose: &'static str,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    failed: Option<(Instant, Fault)>,
    sessions: u64,
}

/// What lives as long as one connection.
pub(super) struct Session {
    /// Tells it from the link's earlier ones.
    number: u64,
    connection: Connection,
    intakes: Mutex<HashMap<String, Arc<Intake>>>,
    publishers: Mutex<Vec<Channel>>,
    publishing: Semaphore,
    control: tokio::sync::Mutex<Option<Channel>>,
    /// Whether the exchanges for news are there.
    pub(super) exchanges: OnceCell<()>,
}

impl Link {
    pub(super) fn new(mut uri: AMQPUri, purpose: &'static str) -> Self {
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        Self { uri, purpose, state: tokio::sync::Mutex::default() }
    }

    /// The connection that stands, or a new one.
    pub(super) async fn session(&self) -> Result<Arc<Session>, Fault> {
        let mut state = self.state.lock().await;
        if let Some(session) = state.session.as_ref().filter(|session| session.is_alive()) {
            return Ok(Arc::clone(session));
        }
        if let Some((at, fault)) = &state.failed
            && at.elapsed() < RECONNECT_PAUSE
        {
            return Err(fault.clone());
        }
        state.session = None;
        state.sessions += 1;
        match self.connect(state.sessions).await {
            Ok(session) => {
                let session = Arc::new(session);
                state.session = Some(Arc::clone(&session));
                state.failed = None;
                Ok(session)
            }
            Err(fault) => {
                state.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// The connection, only if it stands.
    pub(super) async fn session_alive(&self) -> Option<Arc<Session>> {
        let state = self.state.lock().await;
        state.session.as_ref().filter(|session| session.is_alive()).cloned()
    }

    async fn connect(&self, number: u64) -> Result<Session, Fault> {
        let connecting = async {
            probe::check(&self.uri).await?;
            let name = format!("chappe {}", self.purpose);
            let properties = ConnectionProperties::default().with_connection_name(name.as_str().into());
            Ok::<_, Fault>(Connection::connect_uri(self.uri.clone(), properties).await?)
        };
        let connection = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected?,
            Err(_) => return Err(Fault::Silent("connecting")),
        };
        tracing::debug!("connected to RabbitMQ for {}", self.purpose);
        Ok(Session {
            number,
            connection,
            intakes: Mutex::default(),
            publishers: Mutex::default(),
            publishing: Semaphore::new(PUBLISHERS_MAX),
            control: tokio::sync::Mutex::default(),
            exchanges: OnceCell::new(),
        })
    }
}

impl Session {
    fn is_alive(&self) -> bool {
        self.connection.status().connected()
    }

    /// A channel of one's own.
    pub(super) async fn channel(&self) -> Result<Channel, Fault> {
        within("opening a channel", self.connection.create_channel()).await
    }

    /// Where `queue` is received from. Made at first use; does not look whether the queue exists.
    pub(super) async fn intake(&self, queue: &str) -> Result<Arc<Intake>, Fault> {
        if let Some(intake) = self.intake_known(queue) {
            return Ok(intake);
        }
        let made = Intake::start(queue, self.channel().await?, self.number);
        let mut intakes = self.intakes.lock().unwrap_or_else(PoisonError::into_inner);
        intakes.retain(|_, intake| intake.is_alive());
        if intakes.len() >= INTAKES_MAX {
            return Err(Fault::TooMany(INTAKES_MAX));
        }
        Ok(Arc::clone(intakes.entry(queue.to_owned()).or_insert(made)))
    }

    /// Where `queue` is received from, unless that ended.
    pub(super) fn intake_known(&self, queue: &str) -> Option<Arc<Intake>> {
        let intakes = self.intakes.lock().unwrap_or_else(PoisonError::into_inner);
        intakes.get(queue).filter(|intake| intake.is_alive()).cloned()
    }

    /// Runs `publish` on a channel with confirms that nobody else publishes on meanwhile. A channel whose work failed
    /// is not used again.
    pub(super) async fn publishing<T>(
        &self,
        publish: impl AsyncFnOnce(&Channel) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _turn = timeout(super::fault::CALL_TIMEOUT, self.publishing.acquire()).await;
        let spare = self.publishers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let channel = match spare {
            Some(channel) if channel.status().connected() => channel,
            _ => {
                let channel = self.channel().await?;
                within("asking for confirms", channel.confirm_select(<_>::default())).await?;
                channel
            }
        };
        let published = publish(&channel).await?;
        self.publishers.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        Ok(published)
    }

    /// Runs one call on the channel for questions. A channel does not survive the answer "not found".
    pub(super) async fn ask<T>(&self, question: impl AsyncFnOnce(&Channel) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut control = self.control.lock().await;
        let channel = match control.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.channel().await?,
        };
        let answer = question(&channel).await?;
        *control = Some(channel);
        Ok(answer)
    }
}

impl fmt::Debug for Link {
    /// The URL holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}
