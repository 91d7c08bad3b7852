//! One connection, from its opening to the code that it is closed with.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use contract::realtime::{Filter, Frame, Said};
use domain::KeyId;
use futures_util::SinkExt as _;
use limits::Heard;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::hub::Seat;
use crate::Api;
use crate::auth::keys::is_in_force;

/// How long a connection lives: what API Gateway grants, so that clients are the same everywhere.
const LIFE_MAX: Duration = Duration::from_hours(2);
/// How long a client may take to read what is written at once.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// How long a close may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// Events that are written at once.
const WRITTEN_MAX: usize = 64;
/// Pings without an answer before a client counts as gone.
const UNANSWERED_MAX: u32 = 2;

/// Connect again (RFC 6455 section 7.4.1).
const GOING_AWAY: End = End::Close(1001, "connect again");
/// What only JSON can say came as something else.
const UNSUPPORTED: End = End::Close(1003, "send JSON in text");
/// The credentials are no longer in force.
const UNAUTHORIZED: End = End::Close(4401, "the credentials are no longer in force");
/// Events came faster than the client read them.
const TOO_SLOW: End = End::Close(4408, "too slow");
/// Pings were not answered.
const SILENT: End = End::Close(4408, "silent");

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client went, or the network did.
    Gone,
    /// We close it.
    Close(u16, &'static str),
}

/// Serves one connection to its end.
pub(super) async fn serve(socket: WebSocket, api: Arc<Api>, seat: Seat, key: Option<KeyId>, filter: Filter) {
    let mut connection = Connection { socket, seat, filter, heard_at: Instant::now() };
    if let End::Close(code, reason) = connection.run(&api, key).await {
        metrics::counter!("chappe_realtime_closes_total", "code" => code.to_string()).increment(1);
        connection.close(code, reason).await;
    }
}

struct Connection {
    socket: WebSocket,
    seat: Seat,
    filter: Filter,
    /// When the client was heard last.
    heard_at: Instant,
}

impl Connection {
    async fn run(&mut self, api: &Api, key: Option<KeyId>) -> End {
        let every = api.settings.ping_every;
        let began = Instant::now();
        let mut pings = interval_at(began + every, every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.seat.hub.stop.clone();
        loop {
            let done = tokio::select! {
                () = stop.cancelled() => Err(GOING_AWAY),
                () = sleep_until(began + LIFE_MAX) => Err(GOING_AWAY),
                said = self.socket.recv() => match said {
                    Some(Ok(said)) => self.answer(said).await,
                    Some(Err(_)) | None => Err(End::Gone),
                },
                heard = self.seat.events.next() => self.tell(heard).await,
                _ = pings.tick() => self.look(api, key, every).await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Is the client there, and may it still be?
    async fn look(&mut self, api: &Api, key: Option<KeyId>, every: Duration) -> Result<(), End> {
        if self.heard_at.elapsed() > every.saturating_mul(UNANSWERED_MAX) {
            return Err(SILENT);
        }
        if let Some(key) = key
            && !is_in_force(api, key).await
        {
            return Err(UNAUTHORIZED);
        }
        self.write(Message::Ping(Bytes::new())).await
    }

    async fn answer(&mut self, said: Message) -> Result<(), End> {
        self.heard_at = Instant::now();
        let text = match said {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) => return Err(UNSUPPORTED),
            Message::Close(_) => return Err(End::Gone),
        };
        let answer = match Said::read(&text) {
            Ok(said) => {
                let answer = said.answer();
                if let Said::Subscribe(filter) = said {
                    self.filter = filter;
                }
                answer
            }
            Err(answer) => answer,
        };
        self.write(Message::text(answer)).await
    }

    /// Writes an event, and those that are there already.
    async fn tell(&mut self, first: Heard) -> Result<(), End> {
        let told = async {
            let more = std::iter::from_fn(|| self.seat.events.next_now()).take(WRITTEN_MAX - 1);
            for heard in std::iter::once(first).chain(more) {
                let Heard::Message(packed) = heard else { return Err(TOO_SLOW) };
                if let Some((name, json)) = Frame::unpack(&packed)
                    && self.filter.passes(name)
                {
                    self.socket.feed(Message::text(json)).await.map_err(|_| End::Gone)?;
                }
            }
            self.socket.flush().await.map_err(|_| End::Gone)
        };
        timeout(READ_LIMIT, told).await.unwrap_or(Err(TOO_SLOW))
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(READ_LIMIT, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|_| End::Gone),
            Err(_) => Err(TOO_SLOW),
        }
    }

    /// Says why, and waits a moment for the client to say that it has heard.
    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        let closed = async {
            self.socket.send(Message::Close(Some(frame))).await.ok()?;
            while let Some(Ok(_)) = self.socket.recv().await {}
            Some(())
        };
        let _ = timeout(CLOSE_LIMIT, closed).await;
    }
}
