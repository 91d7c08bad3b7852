//! Reaching the operator: TCP, TLS where it has it, the bind, and its answer.

use bytes::{Buf, BytesMut};
use contract::edge::{BindType, OperatorSettings};
use smpp::pdu::Bind;
use smpp::{Body, CommandId, Framer, Policy, Sequence, State, Status, decode, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{End, tls};
use crate::config::Config;
use crate::stream::Stream;

/// A bound session.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) stream: Stream,
    /// What came behind the answer to the bind.
    pub(super) input: BytesMut,
    pub(super) sequence: Sequence,
    pub(super) state: State,
}

/// Connects and binds. TCP, TLS and bind have the connect timeout each.
pub(super) async fn connect(
    settings: &OperatorSettings,
    bind_type: BindType,
    config: &Config,
) -> Result<Connected, End> {
    let limit = config.connect_timeout;
    let tcp = TcpStream::connect((settings.host.as_str(), settings.port));
    let tcp = timeout(limit, tcp).await.map_err(|_| End::Silent("connect"))??;
    // PDUs are gathered before they are written; waiting for more would only delay them.
    tcp.set_nodelay(true)?;
    let stream = match &settings.profile.tls {
        None => Stream::Plain(tcp),
        Some(tls) => timeout(limit, tls::connect(tcp, settings, tls)).await.map_err(|_| End::Silent("TLS"))??,
    };
    timeout(limit, bind(stream, settings, bind_type)).await.map_err(|_| End::Silent("bind"))?
}

async fn bind(mut stream: Stream, settings: &OperatorSettings, bind_type: BindType) -> Result<Connected, End> {
    let session = &settings.profile.session;
    let request = Bind {
        system_type: settings.system_type.as_bytes(),
        interface_version: session.interface_version,
        addr_ton: session.addr_ton,
        addr_npi: session.addr_npi,
        address_range: session.address_range.as_bytes(),
        ..Bind::new(settings.system_id.as_bytes(), settings.password.expose().as_bytes())
    };
    let body = match bind_type {
        BindType::Transceiver => Body::BindTransceiver(request),
        BindType::Transmitter => Body::BindTransmitter(request),
        BindType::Receiver => Body::BindReceiver(request),
    };
    let mut sequence = Sequence::default();
    let number = sequence.take();
    let mut output = BytesMut::new();
    encode(&mut output, Status::ROK, number, &body)?;
    stream.write_all(&output).await?;
    stream.flush().await?;
    let answer_id = body.command_id().response();
    let mut input = BytesMut::new();
    loop {
        while let Some(octets) = Framer::default().peek(&input)? {
            let header = decode(&input[..octets], Policy::Lenient).map(|frame| frame.header);
            input.advance(octets);
            let Some(header) = header else { continue };
            let answers = header.command_id == answer_id || header.command_id == Body::GenericNack.command_id();
            if !answers {
                if header.command_id == CommandId::ENQUIRE_LINK {
                    output.clear();
                    encode(&mut output, Status::ROK, header.sequence_number, &Body::EnquireLinkResp)?;
                    stream.write_all(&output).await?;
                    stream.flush().await?;
                }
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
