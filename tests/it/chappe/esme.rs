//! A customer over SMPP: it submits, gets its answers whenever they come, and keeps what it is told.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use smpp::pdu::{Address, Bind, MessageResp, Sm};
use smpp::receipt::{self, State};
use smpp::{Body, CommandId, Framer, Policy, Status, decode, encode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Mutex as Turns, oneshot};
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::SENDER;

/// How long an answer may take: longer than the edge and the platform wait for anything.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);
/// Who reads slowly has little room for what was sent, so that the other side notices.
const SMALL_BUFFER_BYTES: u32 = 4 * 1024;

/// How a customer treats what comes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// Leaves what is delivered without an answer.
    pub(crate) ignores: bool,
    /// Reads one octet in this time.
    pub(crate) octet_every: Option<Duration>,
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) state: State,
    /// Whose number it is about.
    pub(crate) to: String,
}

/// What the sessions of one customer were told.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<Vec<Told>>);

impl Inbox {
    /// Every receipt so far, in the order in which they came.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.0.lock().unwrap().clone()
    }

    /// How many of them say so.
    pub(crate) fn of_state(&self, state: State) -> usize {
        self.0.lock().unwrap().iter().filter(|told| told.state == state).count()
    }

    /// How often a final receipt came for each message.
    pub(crate) fn ends(&self) -> BTreeMap<String, usize> {
        let mut ends = BTreeMap::new();
        for told in self.told().into_iter().filter(|told| told.state.is_final()) {
            *ends.entry(told.id).or_default() += 1;
        }
        ends
    }
}

/// The answer to a submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) id: String,
}

type Pending = Arc<Mutex<HashMap<u32, oneshot::Sender<Answer>>>>;

/// One session. Dropping it closes the connection without a word.
#[derive(Debug)]
pub(crate) struct Esme {
    writer: Arc<Turns<OwnedWriteHalf>>,
    pending: Pending,
    next: AtomicU32,
    reader: JoinHandle<()>,
}

/// A message that asks for its receipt.
pub(crate) fn sm<'a>(to: &'a str, text: &'a [u8]) -> Sm<'a> {
    Sm {
        source: Address::new(5, 0, SENDER.as_bytes()),
        destination: Address::new(1, 1, to.as_bytes()),
        registered_delivery: 1,
        short_message: text,
        ..Sm::default()
    }
}

impl Esme {
    /// Binds as a transceiver, from an address of this machine; what it is told goes to `inbox`. An error: nobody is there, or the status of a refusal.
    pub(crate) async fn bind(
        (from, addr): (Ipv4Addr, SocketAddr),
        (name, password): (&str, &str),
        manners: Manners,
        inbox: Arc<Inbox>,
    ) -> Result<Self, Option<Status>> {
        let bind = Body::BindTransceiver(Bind::new(name.as_bytes(), password.as_bytes()));
        Self::bind_as((from, addr), &bind, manners, inbox).await
    }

    /// The same with any bind.
    pub(crate) async fn bind_as(
        (from, addr): (Ipv4Addr, SocketAddr),
        bind: &Body<'_>,
        manners: Manners,
        inbox: Arc<Inbox>,
    ) -> Result<Self, Option<Status>> {
        let (mut stream, mut input) = (connect(from, addr, manners).await.map_err(|_| None)?, BytesMut::new());
        let mut out = BytesMut::new();
        encode(&mut out, Status::ROK, 1, bind).unwrap();
        stream.write_all(&out).await.map_err(|_| None)?;
        let length = loop {
            if let Some(length) = Framer::default().peek(&input).unwrap() {
                break length;
            }
            if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                return Err(None);
            }
        };
        let status = decode(&input[..length], Policy::Strict).unwrap().header.command_status;
        if status != Status::ROK {
            return Err(Some(status));
        }
        input.advance(length);
        let (octets, writer) = stream.into_split();
        let (writer, pending) = (Arc::new(Turns::new(writer)), Pending::default());
        let session = Reader { octets, writer: Arc::clone(&writer), pending: Arc::clone(&pending), inbox, manners };
        let reader = tokio::spawn(session.run(input));
        Ok(Self { writer, pending, next: AtomicU32::new(2), reader })
    }

    /// Submits and waits for the answer; `None`: the connection ended before it.
    pub(crate) async fn submit(&self, sm: Sm<'_>) -> Option<Answer> {
        self.ask(&Body::SubmitSm(sm)).await
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&self, body: &Body<'_>) -> Option<Answer> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.pending.lock().unwrap().insert(number, answer);
        if self.reader.is_finished() {
            return None;
        }
        let mut out = BytesMut::new();
        encode(&mut out, Status::ROK, number, body).unwrap();
        self.writer.lock().await.write_all(&out).await.ok()?;
        tokio::time::timeout(ANSWER_LIMIT, answered).await.expect("an answer, or the end of the connection").ok()
    }

    /// Leaves as it should: with an unbind that is answered.
    pub(crate) async fn leave(self) {
        assert!(self.ask(&Body::Unbind).await.is_some(), "no answer to an unbind");
    }

    pub(crate) fn is_over(&self) -> bool {
        self.reader.is_finished()
    }
}

impl Drop for Esme {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn connect(from: Ipv4Addr, addr: SocketAddr, manners: Manners) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    if manners.octet_every.is_some() {
        socket.set_recv_buffer_size(SMALL_BUFFER_BYTES)?;
    }
    let stream = socket.connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The end of a session that reads.
struct Reader {
    octets: OwnedReadHalf,
    writer: Arc<Turns<OwnedWriteHalf>>,
    pending: Pending,
    inbox: Arc<Inbox>,
    manners: Manners,
}

impl Reader {
    async fn run(mut self, mut input: BytesMut) {
        let mut ticks = self.manners.octet_every.map(interval);
        loop {
            let mut out = BytesMut::new();
            while let Some(length) = Framer::default().peek(&input).unwrap() {
                self.take(&input[..length], &mut out);
                input.advance(length);
            }
            if !out.is_empty() && self.writer.lock().await.write_all(&out).await.is_err() {
                break;
            }
            let read = match &mut ticks {
                None => self.octets.read_buf(&mut input).await.unwrap_or(0),
                Some(ticks) => {
                    ticks.tick().await;
                    let octet = self.octets.read_u8().await.ok();
                    input.extend(octet);
                    octet.into_iter().count()
                }
            };
            if read == 0 {
                break;
            }
        }
        // Who waits for an answer learns that none comes.
        self.pending.lock().unwrap().clear();
    }

    fn take(&self, pdu: &[u8], out: &mut BytesMut) {
        let frame = decode(pdu, Policy::Strict).unwrap();
        let (status, number) = (frame.header.command_status, frame.header.sequence_number);
        let mut answer = |body: &Body<'_>| encode(out, Status::ROK, number, body).unwrap();
        match frame.body {
            Ok(Body::DeliverSm(sm)) => {
                self.note(&sm);
                if !self.manners.ignores {
                    answer(&Body::DeliverSmResp(MessageResp::default()));
                }
            }
            Ok(Body::EnquireLink) => answer(&Body::EnquireLinkResp),
            Ok(Body::Unbind) => answer(&Body::UnbindResp),
            Ok(Body::SubmitSmResp(MessageResp { message_id, .. })) => {
                self.answered(number, status, String::from_utf8(message_id.to_vec()).unwrap());
            }
            Ok(body) if body.command_id().is_response() => self.answered(number, status, String::new()),
            _ if frame.header.command_id == CommandId::GENERIC_NACK => self.answered(number, status, String::new()),
            other => panic!("{other:?}"),
        }
    }

    fn answered(&self, number: u32, status: Status, id: String) {
        let asked = self.pending.lock().unwrap().remove(&number);
        let _ = asked.expect("an answer to a request, and one only").send(Answer { status, id });
    }

    fn note(&self, sm: &Sm<'_>) {
        assert!(sm.is_receipt() || sm.is_intermediate(), "no receipt");
        let receipt = receipt::parse(sm.short_message);
        let to = String::from_utf8(sm.source.addr.to_vec()).unwrap();
        let told = Told { id: receipt.id.unwrap().into_owned(), state: receipt.state.unwrap(), to };
        self.inbox.0.lock().unwrap().push(told);
    }
}
