//! A bound session: one task reads, writes and times; nothing else touches the socket.

mod about;
mod deliveries;
mod exchange;
mod multi;
mod pdus;
mod submits;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use contract::{SessionStatus, SystemSettings};
use domain::SessionId;
use smpp::pdu::BindResp;
use smpp::tlv::{self, Tag};
use smpp::{Body, CommandId, EncodeError, Sequence, State, Status, Tlvs, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};

use super::accept::Peer;
use super::auth::{Admitted, Request};
use super::hub::Batch;
use super::meters::Meters;
use super::render::TLVS_SINCE;
use super::systems::Systems;
use super::{Shared, address};
use crate::status::SessionCell;
use crate::stream::Stream;
use crate::trace::{SessionName, Tap};
use deliveries::Deliveries;
use exchange::{exchange, next_read};
use multi::Multis;

pub(super) use about::Told;
pub(super) use pdus::refuse_by_state;
pub(super) use submits::Ticket;

/// Octets that a read asks for: few of a session that sends little.
const READ_BYTES: usize = 16 * 1024;
const READ_BYTES_MIN: usize = 1024;
/// Octets that are read after the end.
const LAST_BYTES_MAX: usize = 64 * 1024;
/// Octets that may wait to be written before this session neither reads nor delivers: the peer does not read.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// The version that we speak.
const VERSION: u8 = 0x34;
/// A look at everything, should nothing else happen.
const IDLE_LOOK: Duration = Duration::from_secs(5);
/// How much sooner deliveries give up than submits, once the peer has unbound: it may answer nothing more.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A connection whose bind was granted.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) stream: Stream,
    /// What came behind the bind.
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    pub(super) request: Request,
    pub(super) peer: Peer,
    pub(super) admitted: Admitted,
}

/// What others have for a session.
#[derive(Debug)]
pub(super) enum Reply {
    /// Verdicts, one for each ticket.
    Submits(Vec<Ticket>, Vec<Status>),
    /// The answer to a question about a message.
    About(Told),
}

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Everything.
    Open,
    /// Takes nothing new; what is in flight may be answered until then. With the sequence number of the peer's
    /// `unbind`, where it asked.
    Draining(Instant, Option<u32>),
    /// Our unbind is out under this number; its answer may come until then.
    Unbinding(Instant, u32),
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the peer closed the connection")]
    Eof,
    #[error("unbound")]
    Unbound,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("the peer did not answer enquire_link in time")]
    Silent,
    #[error("the peer did not send the rest of a PDU in time")]
    Slow,
    #[error("the peer sent no PDU: {0}")]
    Garbage(#[from] smpp::FrameError),
    #[error("a PDU of ours cannot be written: {0}")]
    Encode(#[from] EncodeError),
    #[error("the intake has ended")]
    Intake,
}

struct Session {
    shared: Arc<Shared>,
    system: Arc<SystemSettings>,
    systems: watch::Receiver<Arc<Systems>>,
    cell: Arc<SessionCell>,
    id: SessionId,
    meters: Meters,
    tap: Tap,
    peer: Peer,
    bind: CommandId,
    version: u8,
    state: State,
    phase: Phase,
    input: BytesMut,
    /// Octets that the next read asks for.
    read_bytes: usize,
    output: BytesMut,
    sequence: Sequence,
    /// Which seat of its kind it has.
    seat: u16,
    /// What this turn brought and the hub has not got yet.
    batch: Batch,
    /// Segments of each submission of the batch.
    segments: Vec<u32>,
    replies: mpsc::UnboundedSender<Reply>,
    /// Requests of the peer without an answer.
    open: usize,
    multis: Multis,
    deliveries: Deliveries,
    last_received: Instant,
    /// The last request or delivery.
    last_used: Instant,
    /// Our `enquire_link` and when it was sent.
    enquiry: Option<(u32, Instant)>,
    /// Since when a PDU is incomplete.
    partial_since: Option<Instant>,
    /// Since when the window is full.
    full_since: Option<Instant>,
    counted: submits::Counted,
}

/// What a session waited for.
enum Event {
    Moved,
    Reply(Option<Reply>),
    Settings,
    Stop(&'static str),
    Look,
}

/// Serves a session until it ends.
pub(super) async fn run(opened: Opened, shared: Arc<Shared>) {
    let Opened { mut stream, input, output, request, peer, admitted } = opened;
    let Admitted { system, seat } = admitted;
    // Bounded by the window: nothing is asked of others beyond it.
    let (replies, mut incoming) = mpsc::unbounded_channel();
    let local = stream.ends().map_or(peer.address, |(local, _)| local);
    let mut session = Session::new(&shared, &request, (local, peer), system, replies);
    (session.input, session.output, session.seat) = (input, output, seat.number());
    tracing::info!(peer = %session.peer.address, session.id = %session.id, "{} is bound as {}", session.system.system_id,
        request.bind_type().name());
    let end = session.run(&mut stream, &mut incoming, &seat.lost, &request).await;
    tracing::info!(peer = %session.peer.address, session.id = %session.id, "session of {} ended: {end}",
        session.system.system_id);
    session.deliveries.hand_back();
    shared.unanswered.fetch_sub(session.batch.submissions.len(), Ordering::AcqRel);
    shared.status.remove_session(session.id);
    drop(seat);
    let _ = timeout(shared.bounds.unbind_timeout, close(&mut stream, &mut session.output)).await;
}

/// Writes the rest and closes; reads a little of what still comes, so that our last words are not lost to a reset.
async fn close(stream: &mut Stream, output: &mut BytesMut) -> io::Result<()> {
    stream.write_all_buf(output).await?;
    stream.shutdown().await?;
    let mut last = BytesMut::with_capacity(READ_BYTES);
    while stream.read_buf(&mut last).await? > 0 && last.len() < LAST_BYTES_MAX {}
    Ok(())
}

impl Session {
    fn new(
        shared: &Arc<Shared>,
        request: &Request,
        (local, peer): (SocketAddr, Peer),
        system: Arc<SystemSettings>,
        replies: mpsc::UnboundedSender<Reply>,
    ) -> Self {
        let (id, now) = (SessionId::generate(), Instant::now());
        let bind_type = request.bind_type();
        let state = State::bound_by(request.command).unwrap_or(State::BoundTrx);
        let told = SessionStatus {
            id,
            system_id: system.id,
            account_id: system.account_id,
            bind_type,
            peer: peer.address.to_string(),
            tls: peer.tls,
            interface_version: request.version,
            since: (shared.config.clock)(),
            in_flight: 0,
            delivering: 0,
            submits: 0,
            accepted: 0,
            throttled: 0,
            delivered: 0,
            last_error: None,
        };
        let names = vec![id.to_string(), system.system_id.clone(), system.id.to_string()];
        let name = SessionName { names, local, peer: peer.address, we_listen: true };
        let receives = state.can_deliver().then(|| shared.lanes.join(system.id, system.window.into()));
        Self {
            shared: Arc::clone(shared),
            systems: shared.systems.clone(),
            cell: shared.status.add_session(told),
            id,
            meters: Meters::new(&system.system_id, bind_type),
            tap: shared.status.tracer().tap(name),
            peer,
            bind: request.command,
            version: request.version,
            state,
            phase: Phase::Open,
            input: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            output: BytesMut::new(),
            seat: 0,
            sequence: Sequence::default(),
            batch: Batch { submissions: Vec::new(), tickets: Vec::new(), reply: replies.clone() },
            segments: Vec::new(),
            replies,
            open: 0,
            multis: Multis::default(),
            deliveries: Deliveries::new(receives, &system, &shared.bounds),
            system,
            last_received: now,
            last_used: now,
            enquiry: None,
            partial_since: None,
            full_since: None,
            counted: submits::Counted::default(),
        }
    }

    /// The answer to the bind; `sc_interface_version` to those only who know optional parameters.
    fn answer_bind(&mut self, request: &Request) -> Result<(), EncodeError> {
        let mut tlvs = BytesMut::new();
        if self.version >= TLVS_SINCE {
            tlv::put(&mut tlvs, Tag::SC_INTERFACE_VERSION, &[VERSION])?;
        }
        let name = self.shared.edge.get(..15).unwrap_or(&self.shared.edge);
        let response = BindResp { system_id: name.as_bytes(), tlvs: Tlvs::new(&tlvs) };
        let body = match request.command {
            CommandId::BIND_TRANSMITTER => Body::BindTransmitterResp(response),
            CommandId::BIND_RECEIVER => Body::BindReceiverResp(response),
            _ => Body::BindTransceiverResp(response),
        };
        encode(&mut self.output, Status::ROK, request.sequence, &body)
    }

    async fn run(
        &mut self,
        stream: &mut Stream,
        incoming: &mut mpsc::UnboundedReceiver<Reply>,
        seat_lost: &tokio_util::sync::CancellationToken,
        request: &Request,
    ) -> End {
        if let Err(error) = self.answer_bind(request) {
            return error.into();
        }
        // Settings may have changed while the bind was judged.
        self.systems.mark_changed();
        loop {
            if let Err(end) = self.turn(stream).await {
                return end;
            }
            let event = self.wait(stream, incoming, seat_lost).await;
            self.tap.written(self.output.len());
            match event {
                Ok(Event::Reply(Some(reply))) => {
                    let mut took = self.take_reply(reply);
                    while took.is_ok()
                        && let Ok(reply) = incoming.try_recv()
                    {
                        took = self.take_reply(reply);
                    }
                    if let Err(error) = took {
                        return error.into();
                    }
                }
                Ok(Event::Reply(None)) => return End::Intake,
                Ok(Event::Settings) => self.follow_settings(),
                Ok(Event::Stop(why)) => self.stop(why),
                Ok(Event::Moved | Event::Look) => {}
                Err(end) => return end,
            }
        }
    }

    /// Everything that can be done now: what was read, what is due, what is to be delivered; then a write.
    async fn turn(&mut self, stream: &mut Stream) -> Result<(), End> {
        let now = Instant::now();
        let received = self.receive(now);
        self.admit(now).await;
        self.hand_over();
        if let Err(end) = received.and_then(|()| self.times(now)) {
            let _ = stream.write_now(&mut self.output);
            return Err(end);
        }
        if self.phase == Phase::Open && self.output.len() < OUTPUT_BYTES_MAX {
            self.deliver(now);
        }
        self.tap.sending(&self.output);
        stream.write_now(&mut self.output)?;
        self.tap.written(self.output.len());
        self.tell();
        Ok(())
    }

    async fn wait(
        &mut self,
        stream: &mut Stream,
        incoming: &mut mpsc::UnboundedReceiver<Reply>,
        seat_lost: &tokio_util::sync::CancellationToken,
    ) -> Result<Event, End> {
        let wake = self.next_wake();
        let is_open = self.phase == Phase::Open;
        let reads = self.may_read();
        let hands_over = !self.batch.submissions.is_empty();
        let shared = Arc::clone(&self.shared);
        let cell = Arc::clone(&self.cell);
        let bell = self.deliveries.bell();
        let (input, output, batch) = (&mut self.input, &mut self.output, &mut self.batch);
        let read_bytes = if reads { self.read_bytes } else { 0 };
        let read = &mut self.read_bytes;
        Ok(tokio::select! {
            moved = exchange(stream, input, read_bytes, output) => {
                *read = next_read(read_bytes, moved?).unwrap_or(*read);
                Event::Moved
            }
            reply = incoming.recv() => Event::Reply(reply),
            permit = shared.hub.reserve(), if hands_over => {
                let permit = permit.map_err(|_| End::Intake)?;
                permit.send(submits::take_batch(batch));
                self.segments.clear();
                Event::Look
            }
            () = bell.notified() => Event::Look,
            () = sleep_until(wake.into()) => Event::Look,
            changed = self.systems.changed(), if is_open => {
                changed.map_or(Event::Stop("the edge stops"), |()| Event::Settings)
            }
            () = shared.shutdown.cancelled(), if is_open => Event::Stop("the edge stops"),
            () = cell.cut.cancelled(), if is_open => Event::Stop("it was cut"),
            () = seat_lost.cancelled(), if is_open => Event::Stop("its seat was lost"),
        })
    }

    fn may_read(&self) -> bool {
        let has_room = self.output.len() < OUTPUT_BYTES_MAX && self.batch.submissions.is_empty();
        has_room && (!self.is_full() || self.is_stalled(Instant::now()))
    }

    /// Everything that is due by the clock.
    fn times(&mut self, now: Instant) -> Result<(), End> {
        let bounds = &self.shared.bounds;
        if self.partial_since.is_some_and(|since| now.saturating_duration_since(since) >= bounds.pdu_read) {
            return Err(End::Slow);
        }
        match self.enquiry {
            Some((_, sent)) if now.saturating_duration_since(sent) >= bounds.enquire_timeout => {
                return Err(End::Silent);
            }
            None if now.saturating_duration_since(self.last_received) >= bounds.enquire_after => {
                let number = self.sequence.take();
                encode(&mut self.output, Status::ROK, number, &Body::EnquireLink)?;
                self.enquiry = Some((number, now));
            }
            _ => {}
        }
        if self.phase == Phase::Open && now.saturating_duration_since(self.last_used) >= bounds.inactivity {
            self.stop("nothing was asked or delivered");
        }
        self.advance_phase(now)
    }

    fn advance_phase(&mut self, now: Instant) -> Result<(), End> {
        match self.phase {
            Phase::Draining(until, asked) => {
                let answered = self.open == 0 && self.batch.submissions.is_empty();
                let delivered = self.deliveries.in_flight() == 0
                    || asked.is_some() && now.saturating_duration_since(self.last_received) >= LAST_ANSWERS;
                if !(answered && delivered) && now < until {
                    return Ok(());
                }
                if let Some(number) = asked {
                    encode(&mut self.output, Status::ROK, number, &Body::UnbindResp)?;
                    return Err(End::Unbound);
                }
                let number = self.sequence.take();
                encode(&mut self.output, Status::ROK, number, &Body::Unbind)?;
                self.state = State::Unbound;
                self.phase = Phase::Unbinding(now + self.shared.bounds.unbind_timeout, number);
                Ok(())
            }
            Phase::Unbinding(until, _) if now >= until => Err(End::Unbound),
            Phase::Open | Phase::Unbinding(..) => Ok(()),
        }
    }

    /// Takes nothing new; unbinds once everything is answered.
    fn stop(&mut self, why: &str) {
        if self.phase == Phase::Open {
            tracing::info!(session.id = %self.id, "session of {} is unbound: {why}", self.system.system_id);
            self.phase = Phase::Draining(Instant::now() + self.shared.config.drain, None);
            self.deliveries.release();
        }
    }

    fn follow_settings(&mut self) {
        let next = self.systems.borrow_and_update().get(self.system.id).map(Arc::clone);
        let Some(next) = next else { return self.stop("its system is deleted") };
        if Arc::ptr_eq(&next, &self.system) {
            return;
        }
        let before = std::mem::replace(&mut self.system, next);
        let system = Arc::clone(&self.system);
        if !system.enabled {
            self.stop("its system is switched off");
        } else if system.password_hash != before.password_hash || system.system_id != before.system_id {
            self.stop("its name or password changed");
        } else if !address::allows(&system.addresses, self.peer.address.ip()) {
            self.stop("its address is no longer allowed");
        } else if system.binds.of(self.bind_type()) <= self.seat {
            self.stop("fewer sessions of its kind are allowed");
        } else {
            self.deliveries.resize(system.window.into());
        }
    }

    const fn bind_type(&self) -> contract::BindType {
        match self.bind {
            CommandId::BIND_TRANSMITTER => contract::BindType::Transmitter,
            CommandId::BIND_RECEIVER => contract::BindType::Receiver,
            _ => contract::BindType::Transceiver,
        }
    }

    /// Tells what can be seen from outside.
    fn tell(&mut self) {
        let in_flight = u32::try_from(self.open).unwrap_or(u32::MAX);
        self.cell.in_flight.store(in_flight, Ordering::Relaxed);
        self.meters.set_in_flight(in_flight);
        let delivering = u32::try_from(self.deliveries.in_flight()).unwrap_or(u32::MAX);
        self.cell.delivering.store(delivering, Ordering::Relaxed);
        self.counted.tell(&self.cell);
    }

    fn next_wake(&self) -> Instant {
        let bounds = &self.shared.bounds;
        let now = Instant::now();
        let enquiry = match self.enquiry {
            Some((_, sent)) => sent + bounds.enquire_timeout,
            None => self.last_received + bounds.enquire_after,
        };
        let phase = match self.phase {
            Phase::Open => now + IDLE_LOOK,
            Phase::Draining(until, Some(_)) if self.last_received + LAST_ANSWERS > now => {
                until.min(self.last_received + LAST_ANSWERS)
            }
            Phase::Draining(until, _) | Phase::Unbinding(until, _) => until,
        };
        let partial = self.partial_since.map(|since| since + bounds.pdu_read);
        let full = self.full_since.map(|since| since + bounds.stall_after).filter(|at| *at > now);
        let times = [partial, full, self.deliveries.next_wake(now), Some(self.last_used + bounds.inactivity)];
        times.into_iter().flatten().fold(enquiry.min(phase), Instant::min)
    }
}
