//! From a connection to a session.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsStream};
use tokio_util::task::TaskTracker;

use super::doors::Place;
use super::listener::Listener;
use super::{Shared, open, proxy};
use crate::stream::Stream;

/// Wait after the system gave no connection, for lack of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A peer that has connected.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) tls: bool,
}

/// Accepts until the shutdown.
pub(super) async fn run(listener: Listener, shared: Arc<Shared>, tasks: TaskTracker) {
    // Who connects before we know anybody would be told that he is nobody.
    let known = async { shared.systems.clone().changed().await.is_ok() };
    if !shared.shutdown.run_until_cancelled(known).await.unwrap_or(false) {
        return;
    }
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket().accept() => accepted,
            () = shared.shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => match shared.doors.enter() {
                Some(place) => {
                    tasks.spawn(serve(stream, address, listener.clone(), (Arc::clone(&shared), place)));
                }
                None => metrics::counter!("edge_customer_connections_refused_total").increment(1),
            },
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(tcp: TcpStream, address: SocketAddr, listener: Listener, (shared, place): (Arc<Shared>, Place)) {
    let waiting = shared.doors.wait();
    let until = Instant::now() + shared.bounds.session_init;
    let shut = shared.shutdown.clone();
    let opened = tokio::select! {
        opened = timeout_at(until, open_stream(tcp, address, &listener)) => opened,
        () = waiting.evicted.cancelled() => return,
        () = shut.cancelled() => return,
    };
    match opened {
        Ok(Ok((stream, peer))) => {
            let parts = open::Parts { stream, peer, shared, waiting, until };
            open::run(parts).await;
        }
        Ok(Err(error)) => tracing::debug!(error = %error, peer = %address, "a connection did not open"),
        Err(_) => tracing::debug!(peer = %address, "a connection did not open in time"),
    }
    drop(place);
}

async fn open_stream(mut tcp: TcpStream, address: SocketAddr, listener: &Listener) -> std::io::Result<(Stream, Peer)> {
    tcp.set_nodelay(true)?;
    let told = if listener.proxied { proxy::read(&mut tcp).await? } else { None };
    let address = told.unwrap_or(address);
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    match &listener.tls {
        None => Ok((Stream::Plain(tcp), Peer { address, tls: false })),
        Some(tls) => {
            let stream = Box::pin(TlsAcceptor::from(Arc::clone(tls)).accept(tcp)).await?;
            Ok((Stream::Tls(Box::new(TlsStream::Server(stream))), Peer { address, tls: true }))
        }
    }
}
