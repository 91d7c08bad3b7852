//! A lean HTTP/1.1 client: one connection that stays open, whole requests out, status and body in. A real client
//! would cost processor time that the measured system then lacks.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The longest answer that is taken: a batch of 1,000 results, with room.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The bytes of a POST of JSON, up to the body.
pub(crate) fn post_head(addr: SocketAddr, path: &str, bearer: &str, body_bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: {body_bytes}\r\n\r\n"
    )
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// The body as JSON; an error that quotes it where the status is not a good one.
    pub(crate) fn json(&self) -> Result<Value> {
        let text = String::from_utf8_lossy(self.body);
        ensure!((200..300).contains(&self.status), "{} {text}", self.status);
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).context("the answer is not JSON")
    }
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(addr).await.with_context(|| format!("cannot connect to {addr}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await.context("the request broke off")?;
        self.buffer.clear();
        let (status, start, end) = loop {
            let read = self.stream.read_buf(&mut self.buffer).await.context("the answer broke off")?;
            ensure!(read > 0, "the server closed the connection");
            if let Some(head) = Head::parse(&self.buffer)? {
                break (head.status, head.bytes, head.bytes + head.body_bytes);
            }
        };
        ensure!(end <= ANSWER_BYTES_MAX, "an answer of {end} bytes");
        while self.buffer.len() < end {
            let read = self.stream.read_buf(&mut self.buffer).await.context("the answer broke off")?;
            ensure!(read > 0, "the server closed the connection within an answer");
        }
        Ok(Answer { status, body: &self.buffer[start..end] })
    }
}

/// What must be known of the head of an answer.
struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
}

impl Head {
    /// `None` while the head is not complete.
    fn parse(buffer: &[u8]) -> Result<Option<Self>> {
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let head = std::str::from_utf8(&buffer[..end]).context("the head of the answer is not text")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let Some(status) = status else { bail!("the answer is not HTTP: {head}") };
        let mut body_bytes = 0;
        for line in lines {
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    body_bytes = value.trim().parse().context("Content-Length is not a number")?;
                }
                Some((name, _)) if name.eq_ignore_ascii_case("transfer-encoding") => bail!("the answer is in chunks"),
                _ => {}
            }
        }
        Ok(Some(Self { status, bytes: end + 4, body_bytes }))
    }
}
