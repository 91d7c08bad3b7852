//! A relay between two programs that keeps what both sides said.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use std::collections::BTreeMap;

use smpp::pcap::From;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::pcap::Chunk;
use super::tshark;

/// Octets read at once.
const READ_BYTES: usize = 16 * 1024;

/// A running relay. Dropping it ends it and its connections.
#[derive(Debug)]
pub(super) struct Tap {
    port: u16,
    target: u16,
    kept: Arc<Kept>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Kept {
    since: Instant,
    chunks: Mutex<Vec<Chunk>>,
}

impl Tap {
    /// Relays connections to `port` of this machine.
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let kept = Arc::new(Kept { since: Instant::now(), chunks: Mutex::default() });
        let stop = CancellationToken::new();
        let relay = relay(listener, port, Arc::clone(&kept), stop.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(relay));
        Self { port: own, target: port, kept, _stop: stop.drop_guard() }
    }

    /// Where it listens.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The port behind it.
    pub(super) const fn target(&self) -> u16 {
        self.target
    }

    /// Everything so far, in order.
    pub(super) fn chunks(&self) -> Vec<Chunk> {
        self.kept.chunks.lock().unwrap().clone()
    }

    /// See [`tshark::assert_well_formed`].
    pub(super) async fn assert_well_formed(&self) -> BTreeMap<String, usize> {
        let chunks = self.chunks();
        tokio::task::spawn_blocking(move || tshark::assert_well_formed(&chunks)).await.unwrap()
    }
}

async fn relay(listener: TcpListener, port: u16, kept: Arc<Kept>, stop: CancellationToken) {
    for connection in 0.. {
        let (client, _) = listener.accept().await.unwrap();
        // Without a server the client sees its connection closed, and may come again.
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        for (side, from, to) in [(From::Client, from_client, to_server), (From::Server, from_server, to_client)] {
            let pump = pump(from, to, (connection, side), Arc::clone(&kept));
            tokio::spawn(stop.clone().run_until_cancelled_owned(pump));
        }
    }
}

/// Passes on until the source ends or the target does not want more.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, (connection, from_whom): (u16, From), kept: Arc<Kept>) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let octets = buffer[..length].to_vec();
        kept.chunks.lock().unwrap().push(Chunk { connection, from: from_whom, at: kept.since.elapsed(), octets });
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
