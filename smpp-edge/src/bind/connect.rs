//! Reaching the operator: TCP, the bind, and its answer.

use bytes::{Buf, BytesMut};
use contract::edge::{BindType, OperatorSettings};
use smpp::pdu::Bind;
use smpp::{Body, Framer, Policy, Sequence, State, Status, decode, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::End;
use crate::config::Config;

/// A bound session.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) stream: TcpStream,
    /// What came behind the answer to the bind.
    pub(super) input: BytesMut,
    pub(super) sequence: Sequence,
    pub(super) state: State,
}

/// Connects and binds. Each half has the connect timeout.
pub(super) async fn connect(settings: &OperatorSettings, config: &Config) -> Result<Connected, End> {
    let tcp = TcpStream::connect((settings.host.as_str(), settings.port));
    let stream = timeout(config.connect_timeout, tcp).await.map_err(|_| End::Silent("connect"))??;
    // PDUs are gathered before they are written; waiting for more would only delay them.
    stream.set_nodelay(true)?;
    timeout(config.connect_timeout, bind(stream, settings)).await.map_err(|_| End::Silent("bind"))?
}

async fn bind(mut stream: TcpStream, settings: &OperatorSettings) -> Result<Connected, End> {
    let request = Bind {
        system_type: settings.system_type.as_bytes(),
        ..Bind::new(settings.system_id.as_bytes(), settings.password.expose().as_bytes())
    };
    let body = match settings.bind_type {
        BindType::Transceiver => Body::BindTransceiver(request),
        BindType::Transmitter => Body::BindTransmitter(request),
        BindType::Receiver => Body::BindReceiver(request),
    };
    let mut sequence = Sequence::default();
    let number = sequence.take();
    let mut output = BytesMut::new();
    encode(&mut output, Status::ROK, number, &body)?;
    stream.write_all(&output).await?;
    let answer_id = body.command_id().response();
    let mut input = BytesMut::new();
    loop {
        while let Some(octets) = Framer::default().peek(&input)? {
            let header = decode(&input[..octets], Policy::Lenient).map(|frame| frame.header);
            input.advance(octets);
            let Some(header) = header else { continue };
            let answers = header.command_id == answer_id || header.command_id == Body::GenericNack.command_id();
            if !answers {
                continue;
            }
            if header.command_status != Status::ROK || header.command_id != answer_id {
                return Err(End::Refused(header.command_status));
            }
            let state = State::bound_by(answer_id).unwrap_or_default();
            return Ok(Connected { stream, input, sequence, state });
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Err(End::Eof);
        }
    }
}
