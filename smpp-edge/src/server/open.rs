//! A connection before its bind: small buffers, little patience.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use smpp::frame::encode_bare;
use smpp::pdu::Bind;
use smpp::{Body, CommandId, Frame, Framer, Policy, Role, State, Status, decode};
use tokio::time::{Instant, timeout, timeout_at};

use super::accept::Peer;
use super::doors::Waiting;
use super::{Shared, auth, session};
use crate::stream::Stream;

/// The longest PDU before a bind.
const PDU_BYTES_MAX: usize = 4 * 1024;
/// Octets that one read can bring.
const READ_BYTES: usize = 512;
/// PDUs that a peer may send before its bind.
const PDUS_MAX: u32 = 20;
/// Answers before the bind have this long to be written.
const WRITE_LIMIT: std::time::Duration = std::time::Duration::from_secs(2);

/// A connection, and what it needs.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    pub(super) shared: Arc<Shared>,
    pub(super) waiting: Waiting,
    pub(super) until: Instant,
}

/// What a PDU before the bind leads to.
enum Step {
    /// Answered, or to be ignored.
    Go,
    /// A bind, in owned parts.
    Bind(auth::Request),
    /// Nothing more can be read.
    Close,
}

/// Serves a connection until it ends.
pub(super) async fn run(parts: Parts) {
    let Parts { mut stream, peer, shared, waiting, until } = parts;
    let mut input = BytesMut::new();
    let mut output = BytesMut::new();
    let request = tokio::select! {
        request = timeout_at(until, read_bind(&mut stream, &mut input, &mut output)) => request,
        () = waiting.evicted.cancelled() => return,
        () = shared.shutdown.cancelled() => return,
    };
    let Ok(Some(request)) = request else {
        let _ = timeout(WRITE_LIMIT, write(&mut stream, &mut output)).await;
        return;
    };
    let judged = tokio::select! {
        judged = auth::judge(&request, &peer, &shared) => judged,
        () = waiting.evicted.cancelled() => return,
        () = shared.shutdown.cancelled() => return,
    };
    drop(waiting);
    match judged {
        Ok(admitted) => {
            let opened = session::Opened { stream, input, output, request, peer, admitted };
            Box::pin(session::run(opened, shared)).await;
        }
        Err(refused) => {
            tracing::info!(
                peer = %peer.address,
                "a bind as {} was refused with {}: {}",
                request.name(),
                refused.status,
                refused.why
            );
            metrics::counter!("edge_customer_binds_refused_total", "status" => refused.status.name()).increment(1);
            encode_bare(&mut output, request.command.response(), refused.status, request.sequence);
            let _ = timeout(WRITE_LIMIT, write(&mut stream, &mut output)).await;
        }
    }
}

/// Reads up to the bind; what comes behind it stays in `input`. `None`: there will be none.
async fn read_bind(stream: &mut Stream, input: &mut BytesMut, output: &mut BytesMut) -> Option<auth::Request> {
    use tokio::io::AsyncReadExt;
    let framer = Framer::new(PDU_BYTES_MAX);
    let mut pdus = 0;
    loop {
        let step = match framer.peek(input) {
            Ok(Some(octets)) => {
                pdus += 1;
                let pdu = input.get(..octets).and_then(|pdu| decode(pdu, Policy::Lenient));
                let step = pdu.map_or(Step::Close, |pdu| step(&pdu, output));
                input.advance(octets);
                step
            }
            Ok(None) => {
                write(stream, output).await.ok()?;
                input.reserve(READ_BYTES);
                match stream.read_buf(input).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => continue,
                }
            }
            Err(_) => {
                encode_bare(output, CommandId::GENERIC_NACK, Status::RINVCMDLEN, 0);
                Step::Close
            }
        };
        match step {
            Step::Bind(request) => return Some(request),
            Step::Go if pdus < PDUS_MAX => {}
            Step::Go | Step::Close => return None,
        }
    }
}

fn step(pdu: &Frame<'_>, output: &mut BytesMut) -> Step {
    let (command, number) = (pdu.header.command_id, pdu.header.sequence_number);
    if command.is_response() {
        return Step::Go;
    }
    match &pdu.body {
        Ok(Body::BindTransmitter(bind) | Body::BindReceiver(bind) | Body::BindTransceiver(bind)) => {
            return Step::Bind(request(command, number, bind));
        }
        // Answered, but it does not extend the time to bind.
        Ok(Body::EnquireLink) => encode_bare(output, command.response(), Status::ROK, number),
        Err(error) if command.is_bind() => {
            encode_bare(output, command.response(), error.status, number);
            return Step::Close;
        }
        _ => session::refuse_by_state(output, State::Open.permits(Role::Esme, command), command, number),
    }
    Step::Go
}

fn request(command: CommandId, sequence: u32, bind: &Bind<'_>) -> auth::Request {
    auth::Request {
        command,
        sequence,
        system_id: String::from_utf8_lossy(bind.system_id).into_owned(),
        password: bind.password.to_vec().into(),
        version: bind.interface_version,
    }
}

async fn write(stream: &mut Stream, output: &mut BytesMut) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt;
    if !output.is_empty() {
        stream.write_all_buf(output).await?;
        stream.flush().await?;
    }
    Ok(())
}
