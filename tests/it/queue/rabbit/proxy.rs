//! A line to a broker that can be cut.

use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes connections on to a port.
pub(super) struct Proxy {
    port: u16,
    lines: Arc<Mutex<JoinSet<()>>>,
}

impl Proxy {
    pub(super) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines = Arc::new(Mutex::new(JoinSet::new()));
        tokio::spawn(pass_on(listener, target, Arc::clone(&lines)));
        Self { port, lines }
    }

    /// The same URL, through this line.
    pub(super) fn url(&self, url: &str, target: u16) -> String {
        url.replace(&format!(":{target}/"), &format!(":{}/", self.port))
    }

    /// Cuts every connection there is. New ones pass.
    pub(super) fn cut(&self) {
        self.lines.lock().unwrap().abort_all();
    }
}

async fn pass_on(listener: TcpListener, target: u16, lines: Arc<Mutex<JoinSet<()>>>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let line = async move {
            let mut far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        };
        lines.lock().unwrap().spawn(line);
    }
}
