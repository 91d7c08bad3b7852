//! A bound session: one task reads, writes, times and gathers; nothing else touches the socket.

mod io;
mod pdus;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use contract::edge::OperatorSettings;
use smpp::pdu::MessageResp;
use smpp::{Body, CommandId, State, Status, encode};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::connect::Connected;
use super::flow::{Context, Flow, Now, Wire};
use super::{Bind, End, same_session, seconds_or};
use crate::config::Config;
use crate::job::Done;
use crate::publish::{Arrived, Published, Request, Unpublished};
use crate::stream::Stream;
use crate::trace::{SessionName, Tap};
use domain::hours;
use io::Moved;

/// Octets that a read asks for.
const READ_BYTES: usize = 32 * 1024;
/// Octets that may wait to be written before this session takes nothing more, nor reads: the peer does not read.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Outcomes and receipts that may wait for their publisher before this session takes nothing more.
const KEPT_MAX: usize = 2_000;
/// Receipts and messages from handsets of one session that may wait for their answer; further ones are to be sent
/// again later.
const ARRIVALS_MAX: usize = 5_000;
/// Time for the answer to our unbind.
const UNBIND_TIMEOUT: Duration = Duration::from_secs(2);
/// The rate of submits is taken over at least this time.
const RATE_OVER: Duration = Duration::from_secs(1);
/// A look at everything, should nothing else happen.
const IDLE_LOOK: Duration = Duration::from_secs(5);

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Submitting and receiving.
    Open,
    /// Nothing new is submitted; what is in flight may be answered until then.
    Draining(Instant),
    /// Our unbind is out; its answer may come until then.
    Unbinding(Instant),
}

/// What a session waited for.
#[derive(Debug)]
enum Event {
    Moved(Moved),
    Published(Published),
    Settings,
    Stop,
    /// Another edge may bind in our place now.
    SeatLost,
    /// Time has passed, there is something to send, or a publisher took what was kept.
    Look,
}

/// Why a session drains.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Stopped,
    Changed,
    Unbound,
    Inactive,
}

/// Times of one session.
#[derive(Clone, Copy, Debug)]
struct Timers {
    enquire_after: Duration,
    enquire: Duration,
    response: Duration,
    pdu: Duration,
    inactivity: Option<Duration>,
}

impl Timers {
    /// Those of the profile, and of the edge where it names none.
    fn new(operator: &OperatorSettings, config: &Config) -> Self {
        let session = &operator.profile.session;
        let inactivity = seconds_or(session.inactivity_seconds, config.inactivity);
        Self {
            enquire_after: seconds_or(session.enquire_link_seconds, config.enquire_after),
            enquire: config.enquire_timeout,
            response: seconds_or(session.response_seconds, config.response_timeout),
            pdu: config.pdu_timeout,
            inactivity: Some(inactivity).filter(|time| !time.is_zero()),
        }
    }
}

struct Session<'a> {
    bind: &'a mut Bind,
    operator: Arc<OperatorSettings>,
    state: State,
    phase: Phase,
    cause: Cause,
    flow: Flow,
    input: BytesMut,
    wire: Wire,
    tap: Tap,
    timers: Timers,
    last_received: Instant,
    /// When the last message went or came, either way.
    last_message: Instant,
    /// Since when a PDU has been waiting for its rest.
    partial_since: Option<Instant>,
    /// Whether the operator's hours let messages go.
    is_open: bool,
    /// When the submits of this session were last counted, and how many there were.
    counted: (Instant, u64),
    /// Our `enquire_link` and when it was sent.
    enquiry: Option<(u32, Instant)>,
    unbind: Option<u32>,
    arrived: Vec<Arrived>,
    /// Receipts and messages from handsets that were not answered yet.
    arrivals_open: usize,
    answer: mpsc::UnboundedSender<Published>,
}

/// Serves a session until it ends; leaves no message behind.
pub(super) async fn serve(bind: &mut Bind, connected: Connected, operator: &Arc<OperatorSettings>) -> End {
    let Connected { mut stream, input, sequence, state } = connected;
    let now = Instant::now();
    let (answer, mut answers) = mpsc::unbounded_channel();
    let parts = &bind.parts;
    let unpublished = Unpublished::new(Arc::clone(&parts.bell), Arc::clone(&parts.shared.publishers.urgent));
    let timers = Timers::new(operator, &parts.shared.config);
    let tap = parts.shared.status.tracer().tap(name(operator, parts.number, &stream));
    let flow = Flow::new(operator, unpublished, timers.response, now);
    let mut session = Session {
        operator: Arc::clone(operator),
        state,
        phase: Phase::Open,
        cause: Cause::Stopped,
        flow,
        input,
        tap,
        wire: Wire { output: BytesMut::new(), scratch: BytesMut::new(), sequence },
        timers,
        last_received: now,
        last_message: now,
        partial_since: None,
        is_open: true,
        counted: (now, bind.cell.submits()),
        enquiry: None,
        unbind: None,
        arrived: Vec::new(),
        arrivals_open: 0,
        answer,
        bind,
    };
    let can_submit = session.state.can_submit();
    if can_submit {
        session.bind.parts.lane.set_submitter(true);
    }
    let end = session.run(&mut stream, &mut answers).await;
    let now = session.now();
    let (flow, mut ctx) = session.flow(now);
    flow.end(&mut ctx);
    if can_submit {
        session.bind.parts.lane.set_submitter(false);
    }
    session.hand_over_rest().await;
    end
}

/// What a session with an operator is called where it is watched.
fn name(operator: &OperatorSettings, bind: u16, stream: &Stream) -> SessionName {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let (local, peer) = stream.ends().unwrap_or((nowhere, nowhere));
    let id = operator.id;
    SessionName {
        names: vec![format!("{id}/{bind}"), id.to_string(), operator.name.clone()],
        local,
        peer,
        we_listen: false,
    }
}

impl Session<'_> {
    fn now(&self) -> Now {
        Now { instant: Instant::now(), utc: (self.bind.parts.shared.config.clock)() }
    }

    /// The flow, and what it needs of the bind.
    fn flow(&mut self, now: Now) -> (&mut Flow, Context<'_>) {
        let parts = &self.bind.parts;
        let meters = &mut self.bind.meters;
        (&mut self.flow, Context { now, config: &parts.shared.config, lane: &parts.lane, meters })
    }

    async fn run(&mut self, stream: &mut Stream, answers: &mut mpsc::UnboundedReceiver<Published>) -> End {
        // What came behind the answer to the bind is served first.
        let mut served = self.receive();
        loop {
            if let Err(end) = served.and_then(|()| self.turn()) {
                let _ = stream.write_now(&mut self.wire.output);
                return end;
            }
            self.tap.sending(&self.wire.output);
            // What the connection takes at once; the rest waits with everything else.
            if let Err(error) = stream.write_now(&mut self.wire.output) {
                return error.into();
            }
            self.hand_over();
            served = self.wait(stream, answers).await;
        }
    }

    /// Waits for whatever happens next, and takes it in.
    async fn wait(&mut self, stream: &mut Stream, answers: &mut mpsc::UnboundedReceiver<Published>) -> Result<(), End> {
        let wake = self.next_wake();
        let is_open = self.phase == Phase::Open;
        let is_unbinding = matches!(self.phase, Phase::Unbinding(_));
        let reads = self.wire.output.len() < OUTPUT_BYTES_MAX;
        let keeps_outcomes = !self.flow.done.is_empty();
        let keeps_arrivals = !self.arrived.is_empty();
        if reads {
            self.input.reserve(READ_BYTES);
        }
        let parts = &mut self.bind.parts;
        let publishers = &parts.shared.publishers;
        let event = tokio::select! {
            moved = io::exchange(stream, &mut self.input, &mut self.wire.output, reads) => Event::Moved(moved?),
            () = parts.bell.notified(), if is_open => Event::Look,
            published = answers.recv() => Event::Published(published.unwrap_or_default()),
            permit = publishers.outcomes.reserve(), if keeps_outcomes => {
                permit.map_err(|_| End::Publisher)?.send(std::mem::take(&mut self.flow.done));
                Event::Look
            }
            permit = publishers.arrivals.reserve(), if keeps_arrivals => {
                permit.map_err(|_| End::Publisher)?.send(std::mem::take(&mut self.arrived));
                Event::Look
            }
            () = sleep_until(wake.into()) => Event::Look,
            () = parts.stop.cancelled(), if is_open => Event::Stop,
            () = parts.seat.lost.cancelled(), if !is_unbinding => Event::SeatLost,
            changed = parts.settings.changed(), if is_open => changed.map_or(Event::Stop, |()| Event::Settings),
        };
        self.tap.written(self.wire.output.len());
        match event {
            Event::Moved(Moved::Read(0) | Moved::Written(0)) => return Err(End::Eof),
            Event::Moved(Moved::Read(_)) => return self.receive(),
            Event::Published(published) => self.answer_arrivals(published)?,
            Event::Stop => self.drain(Cause::Stopped),
            Event::SeatLost => {
                self.drain(Cause::Stopped);
                self.phase = Phase::Draining(Instant::now());
            }
            Event::Settings => self.apply_settings(),
            Event::Moved(Moved::Written(_)) | Event::Look => {}
        }
        Ok(())
    }

    /// Everything that is due now: timeouts, enquiries, the end of a drain; then new submits.
    fn turn(&mut self) -> Result<(), End> {
        let now = self.now();
        let (flow, mut ctx) = self.flow(now);
        flow.expire(&mut ctx);
        self.enquire(now.instant)?;
        self.look_at_silence(now.instant)?;
        self.advance_phase(now.instant)?;
        let kept = self.flow.done.len() + self.arrived.len();
        let submits = self.phase == Phase::Open && self.state.can_submit();
        if submits && kept < KEPT_MAX && self.wire.output.len() < OUTPUT_BYTES_MAX {
            self.look_at_hours(now);
            let parts = &self.bind.parts;
            let meters = &mut self.bind.meters;
            let mut ctx = Context { now, config: &parts.shared.config, lane: &parts.lane, meters };
            let sent = self.flow.fill(self.is_open, &mut self.wire, &mut ctx);
            if sent > 0 {
                self.last_message = now.instant;
                self.bind.cell.add_submits(sent);
            }
        }
        self.show(now.instant);
        Ok(())
    }

    /// Outside of the operator's hours messages wait in the queue, and what was begun is finished.
    fn look_at_hours(&mut self, now: Now) {
        let was_open = std::mem::replace(&mut self.is_open, hours::is_open(&self.operator.profile.open_hours, now.utc));
        if was_open && !self.is_open {
            self.flow.release_untouched(&self.bind.parts.lane);
        }
    }

    /// What is shown of the session.
    fn show(&mut self, now: Instant) {
        let in_flight = self.flow.in_flight();
        self.bind.cell.set_in_flight(in_flight);
        self.bind.meters.in_flight.set(f64::from(u32::try_from(in_flight).unwrap_or(u32::MAX)));
        let (since, before) = self.counted;
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= RATE_OVER {
            let submits = self.bind.cell.submits();
            let per_second = u128::from(submits - before) * 1000 / elapsed.as_millis().max(1);
            self.bind.cell.set_rate(u32::try_from(per_second).unwrap_or(u32::MAX));
            self.counted = (now, submits);
        }
    }

    /// A PDU that does not come to its end, and a session that carries nothing.
    fn look_at_silence(&mut self, now: Instant) -> Result<(), End> {
        if self.partial_since.is_some_and(|since| now.saturating_duration_since(since) >= self.timers.pdu) {
            return Err(End::Silent("the beginning of a PDU"));
        }
        let is_silent = |time| now.saturating_duration_since(self.last_message) >= time;
        if self.timers.inactivity.is_some_and(is_silent) {
            self.drain(Cause::Inactive);
        }
        Ok(())
    }

    fn enquire(&mut self, now: Instant) -> Result<(), End> {
        match self.enquiry {
            Some((_, sent)) if now.saturating_duration_since(sent) >= self.timers.enquire => {
                return Err(End::Silent("enquire_link"));
            }
            None if now.saturating_duration_since(self.last_received) >= self.timers.enquire_after => {
                let number = self.wire.sequence.take();
                encode(&mut self.wire.output, Status::ROK, number, &Body::EnquireLink)?;
                self.enquiry = Some((number, now));
            }
            _ => {}
        }
        Ok(())
    }

    /// No new submits; unsent messages go to other binds.
    fn drain(&mut self, cause: Cause) {
        if self.phase == Phase::Open {
            let until = Instant::now() + self.bind.parts.shared.config.drain;
            (self.phase, self.cause) = (Phase::Draining(until), cause);
            self.flow.release_unsent(&self.bind.parts.lane);
        }
    }

    fn advance_phase(&mut self, now: Instant) -> Result<(), End> {
        match self.phase {
            Phase::Draining(until) => {
                let arrivals_done = self.arrivals_open == 0 && self.arrived.is_empty();
                if (self.flow.in_flight() == 0 && arrivals_done) || now >= until {
                    if matches!(self.cause, Cause::Unbound) {
                        return Err(self.end());
                    }
                    let number = self.wire.sequence.take();
                    encode(&mut self.wire.output, Status::ROK, number, &Body::Unbind)?;
                    self.unbind = Some(number);
                    self.phase = Phase::Unbinding(now + UNBIND_TIMEOUT);
                }
            }
            Phase::Unbinding(until) if now >= until => return Err(self.end()),
            Phase::Open | Phase::Unbinding(_) => {}
        }
        Ok(())
    }

    /// How a drained session ends.
    const fn end(&self) -> End {
        match self.cause {
            Cause::Stopped => End::Stopped,
            Cause::Changed => End::Changed,
            Cause::Unbound => End::Unbound,
            Cause::Inactive => End::Inactive,
        }
    }

    fn apply_settings(&mut self) {
        let settings = Arc::clone(&self.bind.parts.settings.borrow_and_update());
        if same_session(&self.operator, &settings) {
            self.flow.adjust(&settings);
            let bind_type = self.bind.half.bind_type(&settings).unwrap_or_default();
            self.bind.cell.describe(bind_type, settings.window);
            self.operator = settings;
        } else {
            self.drain(Cause::Changed);
        }
    }

    fn next_wake(&self) -> Instant {
        let timers = &self.timers;
        let now = Instant::now();
        let enquiry = match self.enquiry {
            Some((_, sent)) => sent + timers.enquire,
            None => self.last_received + timers.enquire_after,
        };
        let phase = match self.phase {
            Phase::Open => now + IDLE_LOOK,
            Phase::Draining(until) | Phase::Unbinding(until) => until,
        };
        let partial = self.partial_since.map(|since| since + timers.pdu);
        let inactive = timers.inactivity.filter(|_| self.phase == Phase::Open).map(|time| self.last_message + time);
        let others = [self.flow.next_wake(), partial, inactive].into_iter().flatten();
        others.fold(enquiry.min(phase), Instant::min)
    }

    /// Hands outcomes and receipts to their publishers as far as these take them at once.
    fn hand_over(&mut self) {
        let publishers = &self.bind.parts.shared.publishers;
        if !self.flow.done.is_empty()
            && let Ok(permit) = publishers.outcomes.try_reserve()
        {
            permit.send(std::mem::take(&mut self.flow.done));
        }
        if !self.arrived.is_empty()
            && let Ok(permit) = publishers.arrivals.try_reserve()
        {
            permit.send(std::mem::take(&mut self.arrived));
        }
    }

    /// At the end of a session everything left is handed over, however long the publishers take.
    async fn hand_over_rest(&mut self) {
        let publishers = self.bind.parts.shared.publishers.clone();
        let done: Vec<Done> = std::mem::take(&mut self.flow.done);
        crate::operator::send_done(&publishers.outcomes, done).await;
        let arrived = std::mem::take(&mut self.arrived);
        if !arrived.is_empty() {
            let _ = publishers.arrivals.send(arrived).await;
        }
    }

    /// What is safe now gets its answer.
    fn answer_arrivals(&mut self, published: Published) -> Result<(), End> {
        self.arrivals_open = self.arrivals_open.saturating_sub(published.len());
        for Request { command_id, sequence_number } in published {
            let response = MessageResp::default();
            let body = match command_id {
                CommandId::DATA_SM => Body::DataSmResp(response),
                _ => Body::DeliverSmResp(response),
            };
            encode(&mut self.wire.output, Status::ROK, sequence_number, &body)?;
        }
        Ok(())
    }

    fn refuse(&mut self, request: CommandId, status: Status, number: u32) {
        smpp::frame::encode_bare(&mut self.wire.output, request.response(), status, number);
    }
}
