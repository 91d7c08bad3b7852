//! The list of all queues. AMQP cannot list them, and the management plugin is not everywhere, so the list is a message:
//! the only one in the queue `chappe.names`, one name a line.
//!
//! Whoever reads it takes it out and puts it back, one at a time: the exclusive queue `chappe.lock` is the lock, which
//! the broker releases when its owner's channel is gone. A crash between putting and taking leaves two messages, whose
//! union is the list. A name is listed before its queue is made.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicNackOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep};

use super::fault::{Fault, within};
use super::link::Session;
use super::stamp::Stamp;
use super::topology;

/// How long others may hold the lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before the lock is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The most messages that the list may have come apart into.
const PIECES_MAX: usize = 1_000;

/// What a handle knows of the list. Names stay, so what was once read holds.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The broker knows one connection from another; this is for the calls of one.
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    names: BTreeSet<String>,
    read_at: Option<Instant>,
}

/// The lock, while it is held.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    pub(super) channel: Channel,
    _turn: MutexGuard<'a, ()>,
}

impl Names {
    /// Waits for the lock of this virtual host.
    pub(super) async fn lock(&self, session: &Session) -> Result<Locked<'_>, Fault> {
        let turn = self.turn.lock().await;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            let channel = session.channel().await?;
            match try_lock(&channel).await {
                Ok(()) => return Ok(Locked { channel, _turn: turn }),
                Err(fault) if !fault.is_locked() => return Err(fault),
                Err(_) if Instant::now() > deadline => return Err(Fault::Locked),
                Err(_) => sleep(LOCK_PAUSE).await,
            }
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).names.contains(name)
    }

    /// All names, as they were at most `age` ago.
    pub(super) async fn all(&self, session: &Session, age: Duration) -> Result<BTreeSet<String>, Fault> {
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.read_at.filter(|at| at.elapsed() < age).map(|_| known.names.clone())
        };
        match known {
            Some(names) => Ok(names),
            None => Ok(self.read_and_add(session, None).await?.0),
        }
    }

    /// Puts a name on the list, unless it is there; whether it is new.
    pub(super) async fn add(&self, session: &Session, name: &str) -> Result<bool, Fault> {
        if self.knows(name) {
            return Ok(false);
        }
        Ok(self.read_and_add(session, Some(name)).await?.1)
    }

    /// The names, and whether `name` is a new one of them.
    async fn read_and_add(&self, session: &Session, name: Option<&str>) -> Result<(BTreeSet<String>, bool), Fault> {
        let locked = self.lock(session).await?;
        let (names, is_new) = exchange(&locked.channel, name).await?;
        locked.release().await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.names.extend(names);
        known.read_at = Some(Instant::now());
        Ok((known.names.clone(), is_new))
    }
}

impl Locked<'_> {
    /// Gives back what was taken and not acknowledged, and then the lock.
    pub(super) async fn release(self) {
        let all = BasicNackOptions { multiple: true, requeue: true };
        // Where that fails the channel is gone, which does the same.
        let _ = within("giving back", self.channel.basic_nack(0, all)).await;
        let _ = within("closing a channel", self.channel.close(200, "done".into())).await;
    }
}

/// The lock is a queue of this connection that ends with its only consumer, and so with the channel.
async fn try_lock(channel: &Channel) -> Result<(), Fault> {
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..<_>::default() };
    within("locking", channel.queue_declare(topology::LOCK.into(), options, <_>::default())).await?;
    let consuming = channel.basic_consume(topology::LOCK.into(), "lock".into(), <_>::default(), <_>::default());
    // Dropping the consumer would cancel it.
    std::mem::forget(within("locking", consuming).await?);
    Ok(())
}

/// Takes the list out, and puts it back whole and with the new name.
async fn exchange(channel: &Channel, name: Option<&str>) -> Result<(BTreeSet<String>, bool), Fault> {
    let options = QueueDeclareOptions { durable: true, ..<_>::default() };
    let settings = topology::plain_settings();
    within("declaring the list", channel.queue_declare(topology::NAMES.into(), options, settings)).await?;
    let mut names = BTreeSet::new();
    let mut pieces = Vec::new();
    while pieces.len() < PIECES_MAX
        && let Some(piece) =
            within("reading the list", channel.basic_get(topology::NAMES.into(), <_>::default())).await?
    {
        names.extend(String::from_utf8_lossy(&piece.delivery.data).lines().map(str::to_owned));
        pieces.push(piece.delivery.acker);
    }
    let is_new = name.is_some_and(|name| names.insert(name.to_owned()));
    if is_new || pieces.len() > 1 {
        put_back(channel, &names).await?;
        for piece in pieces {
            within("reading the list", piece.ack(<_>::default())).await?;
        }
    }
    Ok((names, is_new))
}

async fn put_back(channel: &Channel, names: &BTreeSet<String>) -> Result<(), Fault> {
    within("asking for confirms", channel.confirm_select(<_>::default())).await?;
    let body = names.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let properties = Stamp::fresh().properties();
    let publishing = channel.basic_publish("".into(), topology::NAMES.into(), options, body.as_bytes(), properties);
    let confirm = within("writing the list", publishing).await?;
    match within("writing the list", confirm).await? {
        Confirmation::Ack(None) => Ok(()),
        _ => Err(Fault::Nacked),
    }
}
