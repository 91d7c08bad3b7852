//! Looking at the PDUs of a session while it runs. Costs one relaxed load per PDU where nobody looks.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use smpp::Framer;
use tokio::sync::mpsc;

/// PDUs that may wait for one who looks; more are left out and counted.
const WAITING_MAX: usize = 4_096;

/// Which way a PDU went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To us.
    Received,
    /// From us.
    Sent,
}

/// One PDU, as it was on the wire. It holds numbers and texts of people: show it to who may see them only.
#[derive(Clone)]
pub struct Traced {
    /// When it was read or written.
    pub at: DateTime<Utc>,
    /// Which session.
    pub session: Arc<SessionName>,
    /// Which way.
    pub direction: Direction,
    /// Header and body.
    pub pdu: Bytes,
    /// PDUs left out just before this one, because they came faster than they were looked at.
    pub left_out: usize,
}

impl std::fmt::Debug for Traced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} octets", self.direction, self.pdu.len())
    }
}

/// What a session is called, and its two ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName {
    /// By any of these it can be asked for: its id, the `system_id`, the operator's id or name, `op_…/3` for a bind.
    pub names: Vec<String>,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// The peer connected to us; else we to the peer.
    pub we_listen: bool,
}

/// All sessions of an edge, for who wants to look. Cheap to clone; every clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    sessions: Vec<Weak<Shared>>,
    watchers: Vec<Arc<Watcher>>,
}

#[derive(Debug)]
struct Watcher {
    what: String,
    to: mpsc::Sender<Traced>,
    left_out: AtomicUsize,
}

#[derive(Debug)]
struct Shared {
    name: Arc<SessionName>,
    /// How many look; the list is locked only while there are any.
    watched: AtomicUsize,
    watchers: Mutex<Vec<Arc<Watcher>>>,
}

impl Tracer {
    /// Everything that sessions of this name say from now on, also those that begin later. Ends when the receiver
    /// is dropped.
    pub fn watch(&self, what: &str) -> mpsc::Receiver<Traced> {
        let (to, from) = mpsc::channel(WAITING_MAX);
        let watcher = Arc::new(Watcher { what: what.to_owned(), to, left_out: AtomicUsize::new(0) });
        let mut inner = self.lock();
        inner.sessions.retain(|session| session.strong_count() > 0);
        inner.sessions.iter().filter_map(Weak::upgrade).for_each(|session| session.offer(&watcher));
        inner.watchers.retain(|watcher| !watcher.to.is_closed());
        inner.watchers.push(watcher);
        from
    }

    /// The names of the sessions that run.
    pub fn sessions(&self) -> Vec<Arc<SessionName>> {
        self.lock().sessions.iter().filter_map(Weak::upgrade).map(|session| Arc::clone(&session.name)).collect()
    }

    /// A session begins; what it says goes through the tap.
    pub(crate) fn tap(&self, name: SessionName) -> Tap {
        let session =
            Arc::new(Shared { name: Arc::new(name), watched: AtomicUsize::new(0), watchers: Mutex::default() });
        let mut inner = self.lock();
        inner.sessions.retain(|session| session.strong_count() > 0);
        inner.sessions.push(Arc::downgrade(&session));
        inner.watchers.retain(|watcher| !watcher.to.is_closed());
        inner.watchers.iter().for_each(|watcher| session.offer(watcher));
        Tap { session, unsent: 0 }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn offer(&self, watcher: &Arc<Watcher>) {
        if self.name.names.iter().any(|name| name.eq_ignore_ascii_case(&watcher.what)) {
            let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
            watchers.push(Arc::clone(watcher));
            self.watched.store(watchers.len(), Ordering::Relaxed);
        }
    }

    #[cold]
    fn tell(&self, direction: Direction, octets: &[u8]) {
        let at = Utc::now();
        let framer = Framer::new(smpp::frame::PDU_BYTES_MAX);
        let mut rest = octets;
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(Some(length)) = framer.peek(rest) {
            let (pdu, behind) = rest.split_at(length);
            rest = behind;
            let pdu = Bytes::copy_from_slice(pdu);
            for watcher in watchers.iter() {
                let left_out = watcher.left_out.swap(0, Ordering::Relaxed);
                let session = Arc::clone(&self.name);
                let traced = Traced { at, session, direction, pdu: pdu.clone(), left_out };
                if watcher.to.try_send(traced).is_err() {
                    watcher.left_out.fetch_add(left_out + 1, Ordering::Relaxed);
                }
            }
        }
        watchers.retain(|watcher| !watcher.to.is_closed());
        self.watched.store(watchers.len(), Ordering::Relaxed);
    }
}

/// The end that a session holds.
#[derive(Debug)]
pub(crate) struct Tap {
    session: Arc<Shared>,
    /// Octets at the front of the output that were told of and not written yet.
    unsent: usize,
}

impl Tap {
    /// A whole PDU was read.
    #[inline]
    pub(crate) fn received(&self, pdu: &[u8]) {
        if self.session.watched.load(Ordering::Relaxed) > 0 {
            self.session.tell(Direction::Received, pdu);
        }
    }

    /// Call before writing `output`: tells of what was appended since [`written`](Self::written).
    #[inline]
    pub(crate) fn sending(&self, output: &[u8]) {
        if self.session.watched.load(Ordering::Relaxed) > 0
            && let Some(appended) = output.get(self.unsent..)
            && !appended.is_empty()
        {
            self.session.tell(Direction::Sent, appended);
        }
    }

    /// Call after writing: `left` octets of the output are not written yet.
    #[inline]
    pub(crate) const fn written(&mut self, left: usize) {
        self.unsent = left;
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use smpp::{Body, Status, decode, encode};

    use super::*;

    fn session(names: &[&str]) -> SessionName {
        let end = SocketAddr::from(([127, 0, 0, 1], 2775));
        SessionName { names: names.iter().map(ToString::to_string).collect(), local: end, peer: end, we_listen: true }
    }

    fn enquiries(numbers: &[u32]) -> BytesMut {
        let mut octets = BytesMut::new();
        for number in numbers {
            encode(&mut octets, Status::ROK, *number, &Body::EnquireLink).unwrap();
        }
        octets
    }

    fn seen(from: &mut mpsc::Receiver<Traced>) -> Vec<(Direction, u32)> {
        let mut seen = Vec::new();
        while let Ok(traced) = from.try_recv() {
            let frame = decode(&traced.pdu, smpp::Policy::Lenient).unwrap();
            seen.push((traced.direction, frame.header.sequence_number));
        }
        seen
    }

    #[test]
    fn who_looks_sees_the_sessions_of_that_name_and_no_others() {
        let tracer = Tracer::default();
        let before = tracer.tap(session(&["ses_1", "demo"]));
        let mut demo = tracer.watch("DEMO");
        let mut other = tracer.watch("other");
        let after = tracer.tap(session(&["ses_2", "demo"]));
        before.received(&enquiries(&[1]));
        after.received(&enquiries(&[2]));
        assert_eq!(seen(&mut demo), [(Direction::Received, 1), (Direction::Received, 2)]);
        assert_eq!(seen(&mut other), []);
        drop(demo);
        before.received(&enquiries(&[3]));
        assert_eq!(before.session.watched.load(Ordering::Relaxed), 0, "who stopped looking costs nothing");
    }

    #[test]
    fn what_waits_to_be_written_is_told_once() {
        let tracer = Tracer::default();
        let mut tap = tracer.tap(session(&["demo"]));
        let mut demo = tracer.watch("demo");
        let mut output = enquiries(&[1, 2]);
        tap.sending(&output);
        let _ = output.split_to(20);
        tap.written(output.len());
        output.extend_from_slice(&enquiries(&[3]));
        tap.sending(&output);
        tap.written(0);
        assert_eq!(seen(&mut demo), [(Direction::Sent, 1), (Direction::Sent, 2), (Direction::Sent, 3)]);
    }

    #[test]
    fn who_is_too_slow_is_told_how_much_was_left_out() {
        let tracer = Tracer::default();
        let tap = tracer.tap(session(&["demo"]));
        let mut demo = tracer.watch("demo");
        for _ in 0..WAITING_MAX + 10 {
            tap.received(&enquiries(&[1]));
        }
        assert_eq!(seen(&mut demo).len(), WAITING_MAX);
        tap.received(&enquiries(&[1]));
        assert_eq!(demo.try_recv().unwrap().left_out, 10);
    }
}
