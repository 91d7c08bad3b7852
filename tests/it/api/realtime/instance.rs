//! One process of the API, with a port, and the function that tells it of events.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{Api, Parts, Settings};
use axum::Router;
use axum::body::Body;
use domain::AccountId;
use futures_util::{SinkExt as _, StreamExt as _};
use host::{Options, consume};
use http::{Request, header};
use limits::{Message as News, Opened};
use realtime::Realtime;
use serde_json::{Value, json};
use testkit::eventually;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::rig::{Answer, Rig, answer, send};

/// Nothing is waited for longer.
pub(in super::super) const LIMIT: Duration = Duration::from_secs(30);

/// One process of the API.
pub(in super::super) struct Instance {
    pub(in super::super) api: Arc<Api>,
    pub(in super::super) limits: Opened,
    pub(in super::super) stop: CancellationToken,
    router: Router,
    addr: SocketAddr,
    _stopped: DropGuard,
}

impl Instance {
    pub(in super::super) async fn start(rig: &Rig, limits: Opened, settings: Settings) -> Self {
        let stop = CancellationToken::new();
        limits.join(api::INSTANCES);
        let api = Api::new(Parts {
            db: rig.world.db.clone(),
            catalogue: Arc::clone(&rig.world.catalogue),
            keys: Arc::clone(&rig.keys),
            queue: Arc::clone(&rig.world.queue),
            limits: limits.clone(),
            settings,
            stop: stop.clone(),
            metrics: None,
        });
        let router = api::router(Arc::clone(&api));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = axum::serve(listener, router.clone()).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(serving.into_future());
        Self { api, limits, stop: stop.clone(), router, addr, _stopped: stop.drop_guard() }
    }

    /// One process with everything in it.
    pub(super) async fn alone(rig: &Rig) -> Self {
        let instance = Self::start(rig, Opened::in_process(), Settings::default()).await;
        instance.run_function(rig);
        instance
    }

    /// Runs the function `realtime` as a part of this process.
    pub(in super::super) fn run_function(&self, rig: &Rig) {
        let handler = Realtime::over(Arc::clone(&self.limits.fanout), Arc::new(host::clock::System));
        let queue = Arc::clone(&rig.world.queue);
        tokio::spawn(consume(Arc::new(handler), queue, Options::of("realtime"), self.stop.clone()));
    }

    /// Posts JSON; with an idempotency key, where there is one.
    pub(in super::super) async fn post(&self, token: &str, path: &str, key: Option<&str>, body: &Value) -> Answer {
        let mut request = Request::post(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        answer(&self.router, request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Sends a message and withdraws it: something happened. Answers its id.
    pub(in super::super) async fn happen(&self, token: &str) -> String {
        let id = self.post(token, "/v1/messages", None, &send(&json!({}))).await.expect(201).text("id");
        let cancel =
            Request::delete(format!("/v1/messages/{id}")).header(header::AUTHORIZATION, format!("Bearer {token}"));
        answer(&self.router, cancel.body(Body::empty()).unwrap()).await.expect(200);
        id
    }

    /// Opens a WebSocket, or says with which status and code it was refused.
    pub(in super::super) async fn open(&self, query: &str, token: Option<&str>) -> Result<Socket, (u16, String)> {
        let mut request = format!("ws://{}/v1/realtime{query}", self.addr).into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(refused)) => {
                let body: Value = serde_json::from_slice(refused.body().as_deref().unwrap_or_default()).unwrap();
                Err((refused.status().as_u16(), body["code"].as_str().unwrap().to_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens one that hears of what happens from now on.
    pub(in super::super) async fn listen(&self, query: &str, token: &str) -> Socket {
        self.open(query, Some(token)).await.unwrap()
    }

    /// Says something on the way that events go, to tell where an account's events of before end.
    pub(in super::super) async fn mark(&self, account: AccountId, mark: &str) {
        let payload = format!("mark\n{}", json!({"type": mark})).into();
        self.limits.fanout.publish(&[News { topic: account.to_string(), payload }]).await.unwrap();
    }
}

/// A client's side of a WebSocket.
pub(in super::super) struct Socket(pub(super) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(in super::super) async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next thing that is said on it, as JSON.
    pub(in super::super) async fn hear(&mut self) -> Value {
        loop {
            match timeout(LIMIT, self.0.next()).await.expect("something is heard").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The event about this message; others before it are dropped.
    pub(in super::super) async fn hear_of(&mut self, message: &str) -> Value {
        loop {
            let event = self.hear().await;
            if event["data"]["id"] == message {
                return event;
            }
        }
    }

    /// The next thing, where one is there within a moment.
    async fn hear_soon(&mut self) -> Option<Value> {
        timeout(Duration::from_millis(300), self.hear()).await.ok()
    }

    /// The code that it is closed with; what is said before is dropped.
    pub(in super::super) async fn closed(&mut self) -> u16 {
        loop {
            match timeout(LIMIT, self.0.next()).await.expect("it is closed") {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(Message::Text(_) | Message::Ping(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Lets things happen to messages of `token` until every socket has heard of one: from then on each hears at once.
pub(in super::super) async fn warm_up<const N: usize>(instance: &Instance, token: &str, mut sockets: [&mut Socket; N]) {
    let mut heard = [false; N];
    eventually(LIMIT, async || {
        instance.happen(token).await;
        for (socket, heard) in sockets.iter_mut().zip(&mut heard) {
            *heard = *heard || socket.hear_soon().await.is_some();
        }
        heard.iter().all(|heard| *heard)
    })
    .await;
}
