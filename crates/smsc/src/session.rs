//! One session: a socket, two buffers and one timer. PDUs are handled in batches, as many as one read brought, and
//! what they cause leaves in as few writes as it can.

mod deliver;
mod link;
mod request;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use smpp::{CommandId, Framer, Policy, Sequence, State, Status, Window};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::account::{Bound, Delivery};
use crate::timetable::Timetable;
use crate::{Accepted, Control, Profile, Shared};

/// Unwritten octets at which a session stops to read and to deliver: a peer that does not read gets no more.
const OUT_BYTES_MAX: usize = 256 * 1024;
/// Octets that one read can bring.
const READ_BYTES: usize = 32 * 1024;
/// Time from connection to bind.
const BIND_WITHIN_MS: u64 = 30_000;
/// What a session waits on that is not bound: nobody ever notifies it.
static NOBODY: Notify = Notify::const_new();

/// What a session is still willing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Will {
    /// Everything.
    Serve,
    /// Write what is due, then close.
    Finish,
    /// Write what is in the buffer, read no more.
    Deaf,
    /// Neither read nor write, but keep the connection.
    Stall,
    /// Close at once.
    Close,
}

struct Session {
    shared: Arc<Shared>,
    profile: Arc<Profile>,
    framer: Framer,
    state: State,
    will: Will,
    bound: Option<Bound>,
    received: BytesMut,
    out: BytesMut,
    /// Answers to submits that wait for their time.
    answers: Timetable<Answer>,
    /// Deliveries that wait for their answer.
    in_flight: Window<Delivery>,
    sequence: Sequence,
    rate: Rate,
    submits: u64,
    /// Of this batch: messages for the record.
    accepted: Vec<Accepted>,
    /// Of this batch: deliveries for the outbox, with the time at which they are due.
    later: Vec<(u64, Delivery)>,
    bind_until_ms: u64,
    /// No `unbind` of ours waits for its answer, or the time to send one.
    unbind: Unbind,
    /// When the next `enquire_link` of ours goes out.
    enquire_at_ms: u64,
    /// Nothing is written before: the profile limits the speed.
    write_from_ms: u64,
    /// Written and perhaps not sent, as TLS may keep it.
    unflushed: bool,
    /// Whether what arrives is read.
    reads: bool,
}

/// Whether we asked the other side to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unbind {
    NotAsked,
    Asked,
}

/// An answer to a submit.
struct Answer {
    command_id: CommandId,
    sequence_number: u32,
    /// The message's number, also of one that was refused.
    number: u64,
    status: Status,
}

/// Submits in the current second.
#[derive(Default)]
struct Rate {
    second: u64,
    count: u32,
}

/// Serves one connection until it ends.
pub(crate) async fn run(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    control: watch::Receiver<Control>,
) {
    let ended = match tls {
        None => serve_plain(stream, shared, control).await,
        // Larger than a plain session by far, hence on the heap.
        Some(tls) => Box::pin(serve_tls(stream, tls, shared, control)).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "session ended");
    }
}

async fn serve_plain(mut stream: TcpStream, shared: Arc<Shared>, control: watch::Receiver<Control>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.split();
    serve(reader, writer, shared, control).await
}

async fn serve_tls(
    stream: TcpStream,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    control: watch::Receiver<Control>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(Duration::from_millis(BIND_WITHIN_MS), tls.accept(stream)).await??;
    let (reader, writer) = tokio::io::split(stream);
    serve(reader, writer, shared, control).await
}

async fn serve(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    shared: Arc<Shared>,
    mut control: watch::Receiver<Control>,
) -> io::Result<()> {
    let Control { profile, generation } = control.borrow_and_update().clone();
    Session::new(shared, profile).serve(reader, writer, &mut control, generation).await
}

/// Writes at most `octets_max` of `out`; with nothing to write, sends what is kept back.
async fn write_some(writer: &mut (impl AsyncWrite + Unpin), out: &[u8], octets_max: usize) -> io::Result<usize> {
    let octets = &out[..out.len().min(octets_max)];
    if octets.is_empty() { writer.flush().await.map(|()| 0) } else { writer.write(octets).await }
}

impl Session {
    fn new(shared: Arc<Shared>, profile: Arc<Profile>) -> Self {
        Self {
            framer: Framer::new(shared.pdu_bytes_max),
            state: State::Open,
            will: Will::Serve,
            bound: None,
            received: BytesMut::with_capacity(READ_BYTES),
            out: BytesMut::new(),
            answers: Timetable::default(),
            in_flight: deliver::window(&profile),
            sequence: Sequence::default(),
            rate: Rate::default(),
            submits: 0,
            accepted: Vec::new(),
            later: Vec::new(),
            bind_until_ms: shared.clock.now_ms() + BIND_WITHIN_MS,
            unbind: Unbind::NotAsked,
            enquire_at_ms: 0,
            write_from_ms: 0,
            unflushed: false,
            reads: true,
            shared,
            profile,
        }
    }

    async fn serve(
        &mut self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
        control: &mut watch::Receiver<Control>,
        generation: u64,
    ) -> io::Result<()> {
        if self.profile.link.outbind {
            self.send_outbind();
        }
        loop {
            let account = self.bound.as_ref().map(|bound| Arc::clone(&bound.account));
            // Subscribed before the outbox is looked at, so that no wake-up is missed.
            let wake = account.as_ref().map_or(&NOBODY, |account| &account.wake).notified();
            tokio::pin!(wake);
            self.advance();
            if self.is_done() {
                return Ok(());
            }
            let (due, may_read, may_write) = (self.next_due(), self.may_read(), self.may_write());
            let octets_max = self.write_bytes_max();
            self.received.reserve(READ_BYTES / 4);
            tokio::select! {
                written = write_some(&mut writer, &self.out, octets_max), if may_write => {
                    self.wrote(written?);
                }
                read = reader.read_buf(&mut self.received), if may_read => {
                    if read? == 0 {
                        return Ok(());
                    }
                }
                () = sleep_until(due), if due.is_some() => {}
                () = &mut wake => {}
                changed = control.changed() => {
                    let now = control.borrow_and_update();
                    if changed.is_err() || now.generation != generation {
                        return Ok(());
                    }
                    self.profile = Arc::clone(&now.profile);
                    self.in_flight.resize(self.profile.receipts.window);
                }
            }
        }
    }

    /// Does everything that can be done without waiting.
    fn advance(&mut self) {
        let now_ms = self.shared.clock.now_ms();
        self.handle_received(now_ms);
        self.commit();
        self.write_answers(now_ms);
        self.expire(now_ms);
        self.write_deliveries(now_ms);
        self.enquire(now_ms);
        if self.state == State::Open && now_ms >= self.bind_until_ms {
            self.will = Will::Close;
        }
    }

    /// Handles every whole PDU in the buffer.
    fn handle_received(&mut self, now_ms: u64) {
        let mut received = std::mem::take(&mut self.received);
        while self.reads && self.will == Will::Serve {
            match self.framer.peek(&received) {
                Ok(Some(pdu_bytes)) => {
                    if let Some(frame) = smpp::decode(&received[..pdu_bytes], Policy::Lenient) {
                        self.handle(&frame, now_ms);
                    }
                    received.advance(pdu_bytes);
                }
                Ok(None) => break,
                Err(_) => {
                    self.shared.counters.malformed.one();
                    self.respond(CommandId::GENERIC_NACK, Status::RINVCMDLEN, 0);
                    self.will = Will::Finish;
                }
            }
        }
        self.received = received;
    }

    /// Hands what this batch collected to the record and to the outbox.
    fn commit(&mut self) {
        if !self.accepted.is_empty() {
            self.shared.recorder.add(&mut self.accepted);
        }
        if let Some(bound) = &self.bound
            && !self.later.is_empty()
        {
            let dropped = bound.account.push(&mut self.later);
            self.shared.counters.deliveries_dropped.add(dropped);
        }
    }

    /// A header without a body.
    fn respond(&mut self, command_id: CommandId, status: Status, sequence_number: u32) {
        if self.profile.wire.body_on_header_only {
            return self.write_raw(command_id, status, sequence_number, link::ODD_BODY);
        }
        smpp::frame::encode_bare(&mut self.out, command_id, status, sequence_number);
    }

    fn may_read(&self) -> bool {
        self.reads && self.will == Will::Serve && self.out.len() < OUT_BYTES_MAX
    }

    fn may_write(&self) -> bool {
        let something = self.unflushed || !self.out.is_empty();
        self.will != Will::Stall && something && self.write_from_ms <= self.shared.clock.now_ms()
    }

    fn may_deliver(&self) -> bool {
        self.will == Will::Serve
            && self.state.can_deliver()
            && self.out.len() < OUT_BYTES_MAX
            && self.in_flight.room() > 0
    }

    fn is_done(&self) -> bool {
        match self.will {
            Will::Close => true,
            Will::Finish => self.out.is_empty() && !self.unflushed && self.answers.len() == 0,
            Will::Serve | Will::Deaf | Will::Stall => false,
        }
    }

    /// The next time at which something is to be done unasked.
    fn next_due(&self) -> Option<Instant> {
        let clock = &self.shared.clock;
        let write = (!self.out.is_empty()).then_some(self.write_from_ms).filter(|&from_ms| from_ms > clock.now_ms());
        if matches!(self.will, Will::Stall | Will::Deaf) {
            return write.filter(|_| self.will == Will::Deaf).map(|at_ms| clock.instant(at_ms));
        }
        let outbox = self.bound.as_ref().filter(|_| self.may_deliver());
        let bind = (self.state == State::Open).then_some(self.bind_until_ms);
        let delivery = outbox.and_then(|bound| bound.account.next_ms(bound.seat));
        let times = [self.answers.next_ms(), delivery, bind, write, self.next_enquiry_ms()];
        let next = times.into_iter().flatten().min().map(|at_ms| clock.instant(at_ms));
        let resend = self.in_flight.next_deadline().map(Instant::from_std);
        [next, resend].into_iter().flatten().min()
    }

    /// What was sent and not confirmed goes to another session of the account.
    fn give_back(&mut self) {
        self.later.extend(self.in_flight.drain().into_iter().map(|sent| (0, sent.request)));
        self.commit();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.give_back();
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The time after which a delivery is sent again.
fn resend_after(profile: &Profile) -> Duration {
    Duration::from_millis(profile.receipts.resend_ms.max(1))
}
