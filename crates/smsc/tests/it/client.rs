//! The customer: sends what it is told and reads one PDU at a time.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

use std::time::Duration;

use bytes::BytesMut;
use smpp::pdu::{Address, Bind, DataSm, MessageResp, Sm};
use smpp::{Body, CommandId, Frame, Framer, Policy, Status, receipt};
use smsc::{Account, Config, Profile, Receipts, Smsc};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shorter than any delay of a test, longer than what happens at once.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(150);

pub(crate) const NUMBER: &str = "998901234567";

/// An operator that knows the customer `acme` with two binds, and behaves like `profile`.
pub(crate) async fn smsc(profile: Profile) -> Smsc {
    let account = Account { binds_max: 2, ..Account::new("acme", "secret") };
    Smsc::start(Config { accounts: vec![account], profile, ..Config::default() }).await.unwrap()
}

/// A profile with these receipts.
pub(crate) fn with_receipts(receipts: Receipts) -> Profile {
    Profile { receipts, ..Profile::default() }
}

/// A profile without receipts, changed by `change`.
pub(crate) fn quiet(change: impl FnOnce(&mut Profile)) -> Profile {
    let mut profile = with_receipts(Receipts { enabled: false, ..Receipts::default() });
    change(&mut profile);
    profile
}

/// One PDU, kept.
#[derive(Debug)]
pub(crate) struct Pdu(BytesMut);

impl Pdu {
    pub(crate) fn frame(&self) -> Frame<'_> {
        smpp::decode(&self.0, Policy::Strict).unwrap()
    }

    pub(crate) fn head(&self) -> (CommandId, Status, u32) {
        let header = self.frame().header;
        (header.command_id, header.command_status, header.sequence_number)
    }

    /// All octets behind the header.
    pub(crate) fn body(&self) -> &[u8] {
        &self.0[smpp::frame::HEADER_BYTES..]
    }

    pub(crate) fn data_sm(&self) -> DataSm<'_> {
        match self.frame().body.unwrap() {
            Body::DataSm(data) => data,
            other => panic!("not a data_sm: {other:?}"),
        }
    }

    /// The id in a `submit_sm_resp`.
    pub(crate) fn message_id(&self) -> String {
        match self.frame().body.unwrap() {
            Body::SubmitSmResp(resp) => String::from_utf8(resp.message_id.to_vec()).unwrap(),
            other => panic!("not a submit_sm_resp: {other:?}"),
        }
    }

    pub(crate) fn deliver_sm(&self) -> Sm<'_> {
        match self.frame().body.unwrap() {
            Body::DeliverSm(sm) => sm,
            other => panic!("not a deliver_sm: {other:?}"),
        }
    }

    /// Id and state of a receipt, TLVs first.
    pub(crate) fn receipt(&self) -> (String, receipt::State) {
        let sm = self.deliver_sm();
        assert!(sm.is_receipt() || sm.is_intermediate());
        let message_state = sm.tlvs.message_state().map(|state| u8::try_from(state).unwrap());
        let tlvs = receipt::Tlvs { receipted_message_id: sm.tlvs.receipted_message_id(), message_state };
        let read = receipt::parse(sm.short_message).with_tlvs(tlvs);
        (read.id.unwrap().into_owned(), read.state.unwrap())
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(crate) struct Client {
    stream: Box<dyn Stream>,
    received: BytesMut,
    sequence: u32,
}

impl Client {
    pub(crate) async fn connect(smsc: &Smsc) -> Self {
        Self::over(TcpStream::connect(smsc.addr()).await.unwrap())
    }

    /// A client over a stream that is connected.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { stream: Box::new(stream), received: BytesMut::new(), sequence: 0 }
    }

    pub(crate) async fn transceiver(smsc: &Smsc) -> Self {
        Self::bound(smsc, Body::BindTransceiver(Bind::new(b"acme", b"secret"))).await
    }

    pub(crate) async fn transmitter(smsc: &Smsc) -> Self {
        Self::bound(smsc, Body::BindTransmitter(Bind::new(b"acme", b"secret"))).await
    }

    pub(crate) async fn receiver(smsc: &Smsc) -> Self {
        Self::bound(smsc, Body::BindReceiver(Bind::new(b"acme", b"secret"))).await
    }

    async fn bound(smsc: &Smsc, bind: Body<'_>) -> Self {
        let mut client = Self::connect(smsc).await;
        assert_eq!(client.ask(&bind).await.head().1, Status::ROK);
        client
    }

    pub(crate) async fn send_bytes(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    /// Sends a request; returns its sequence number.
    pub(crate) async fn send(&mut self, body: &Body<'_>) -> u32 {
        self.sequence += 1;
        self.send_as(body, Status::ROK, self.sequence).await;
        self.sequence
    }

    pub(crate) async fn send_as(&mut self, body: &Body<'_>, status: Status, sequence: u32) {
        let mut out = BytesMut::new();
        smpp::encode(&mut out, status, sequence, body).unwrap();
        self.send_bytes(&out).await;
    }

    /// Sends a request and takes the next PDU for its answer.
    pub(crate) async fn ask(&mut self, body: &Body<'_>) -> Pdu {
        let sequence = self.send(body).await;
        let answer = self.receive().await;
        assert_eq!(answer.head().2, sequence);
        answer
    }

    /// Sends a text of one segment that asks for a receipt; returns its sequence number.
    pub(crate) async fn submit(&mut self, destination: &str, text: &str) -> u32 {
        self.send(&Body::SubmitSm(message(destination, text.as_bytes()))).await
    }

    /// As [`Client::submit`], and returns the answer.
    pub(crate) async fn submit_and_wait(&mut self, destination: &str, text: &str) -> Pdu {
        self.ask(&Body::SubmitSm(message(destination, text.as_bytes()))).await
    }

    /// Answers a `deliver_sm`.
    pub(crate) async fn answer(&mut self, delivery: &Pdu, status: Status) {
        let (id, _, sequence) = delivery.head();
        assert_eq!(id, CommandId::DELIVER_SM);
        self.send_as(&Body::DeliverSmResp(MessageResp::default()), status, sequence).await;
    }

    /// The next PDU.
    pub(crate) async fn receive(&mut self) -> Pdu {
        tokio::time::timeout(PATIENCE, self.next()).await.unwrap().expect("connection was closed")
    }

    /// Whether nothing comes for a while.
    pub(crate) async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(AT_ONCE, self.next()).await.is_err()
    }

    /// Whether the connection ends without another PDU.
    pub(crate) async fn is_closed(&mut self) -> bool {
        tokio::time::timeout(PATIENCE, self.next()).await.unwrap().is_none()
    }

    /// What is left in the stream, until it pauses.
    pub(crate) async fn raw(&mut self) -> Vec<u8> {
        while let Ok(Ok(1..)) = tokio::time::timeout(AT_ONCE, self.stream.read_buf(&mut self.received)).await {}
        self.received.to_vec()
    }

    async fn next(&mut self) -> Option<Pdu> {
        loop {
            if let Some(pdu) = Framer::default().next(&mut self.received).unwrap() {
                return Some(Pdu(pdu));
            }
            if !matches!(self.stream.read_buf(&mut self.received).await, Ok(1..)) {
                return None;
            }
        }
    }
}

/// A submit that asks for a receipt.
pub(crate) fn message<'a>(destination: &'a str, text: &'a [u8]) -> Sm<'a> {
    Sm {
        source: Address::new(5, 0, b"Acme"),
        destination: Address::new(1, 1, destination.as_bytes()),
        registered_delivery: 1,
        short_message: text,
        ..Sm::default()
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let holds = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while !condition() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, holds).await.unwrap();
}
