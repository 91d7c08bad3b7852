//! A customer: sends what it is told, and shows what comes.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use smpp::pdu::{Address, Bind, MessageResp, Sm};
use smpp::{Body, CommandId, Framer, Policy, Status, decode, encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What does not come by then never will.
const WAIT_MAX: Duration = Duration::from_secs(10);

pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

pub(crate) struct Esme {
    wire: Box<dyn Wire>,
    received: BytesMut,
    next: u32,
}

/// A PDU, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) command: CommandId,
    pub(crate) status: Status,
    pub(crate) number: u32,
    octets: Vec<u8>,
}

impl Got {
    pub(crate) fn body(&self) -> Body<'_> {
        decode(&self.octets, Policy::Strict).unwrap().body.unwrap()
    }

    /// Octets behind the header.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.octets[16..]
    }

    pub(crate) fn sm(&self) -> Sm<'_> {
        match self.body() {
            Body::DeliverSm(sm) => sm,
            other => panic!("{other:?}"),
        }
    }

    /// The id in an answer to a submit.
    pub(crate) fn id(&self) -> String {
        match self.body() {
            Body::SubmitSmResp(MessageResp { message_id, .. }) | Body::DataSmResp(MessageResp { message_id, .. }) => {
                String::from_utf8(message_id.to_vec()).unwrap()
            }
            Body::SubmitMultiResp(response) => String::from_utf8(response.message_id.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// A message like most.
pub(crate) fn sm<'a>(to: &'a str, text: &'a [u8]) -> Sm<'a> {
    Sm {
        source: Address::new(5, 0, b"Chappe"),
        destination: Address::new(1, 1, to.as_bytes()),
        registered_delivery: 1,
        short_message: text,
        ..Sm::default()
    }
}

pub(crate) fn bind(command: CommandId, bind: Bind<'_>) -> Body<'_> {
    match command {
        CommandId::BIND_TRANSMITTER => Body::BindTransmitter(bind),
        CommandId::BIND_RECEIVER => Body::BindReceiver(bind),
        _ => Body::BindTransceiver(bind),
    }
}

impl Esme {
    pub(crate) fn over(wire: impl Wire + 'static) -> Self {
        Self { wire: Box::new(wire), received: BytesMut::new(), next: 1 }
    }

    pub(crate) async fn connect(addr: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    pub(crate) async fn raw(&mut self, octets: &[u8]) {
        self.wire.write_all(octets).await.unwrap();
        self.wire.flush().await.unwrap();
    }

    /// Writes without reading; an error when the other end is gone.
    pub(crate) async fn try_raw(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.wire.write_all(octets).await
    }

    /// Sends a request; gives its number.
    pub(crate) async fn send(&mut self, body: &Body<'_>) -> u32 {
        let number = self.next;
        self.next += 1;
        self.send_as(body, Status::ROK, number).await;
        number
    }

    pub(crate) async fn send_as(&mut self, body: &Body<'_>, status: Status, number: u32) {
        let mut out = BytesMut::new();
        encode(&mut out, status, number, body).unwrap();
        self.raw(&out).await;
    }

    /// Sends a request and gives its answer, which is the next PDU.
    pub(crate) async fn ask(&mut self, body: &Body<'_>) -> Got {
        let number = self.send(body).await;
        let got = self.next().await;
        assert_eq!(got.number, number, "{got:?}");
        got
    }

    /// The next PDU; `None` when the connection is closed.
    pub(crate) async fn try_next(&mut self) -> Option<Got> {
        let framer = Framer::new(smpp::frame::PDU_BYTES_MAX);
        loop {
            if let Some(octets) = framer.peek(&self.received).unwrap() {
                let octets = self.received.split_to(octets);
                let header = decode(&octets, Policy::Strict).unwrap().header;
                return Some(Got {
                    command: header.command_id,
                    status: header.command_status,
                    number: header.sequence_number,
                    octets: octets.to_vec(),
                });
            }
            let read = timeout(WAIT_MAX, self.wire.read_buf(&mut self.received)).await.expect("a PDU or the end");
            if read.unwrap_or(0) == 0 {
                assert!(!self.received.has_remaining(), "a torn PDU");
                return None;
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Got {
        self.try_next().await.expect("a PDU, and not the end")
    }

    /// Whether the connection is closed, with nothing more in it.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.try_next().await.is_none()
    }

    /// Answers a delivery.
    pub(crate) async fn answer(&mut self, got: &Got, status: Status) {
        let body = match got.command {
            CommandId::DATA_SM => Body::DataSmResp(MessageResp::default()),
            _ => Body::DeliverSmResp(MessageResp::default()),
        };
        self.send_as(&body, status, got.number).await;
    }
}
