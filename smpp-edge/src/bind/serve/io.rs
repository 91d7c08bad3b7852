//! Reading and writing one connection by turns, from one task.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::stream::Stream;

/// What a connection did; 0 octets say that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Read(usize),
    Written(usize),
}

/// Waits until something can be read, if it may be, or something of `output` can be written. Nothing is lost when
/// this is dropped before.
pub(super) async fn exchange(
    stream: &mut Stream,
    input: &mut BytesMut,
    output: &mut BytesMut,
    reads: bool,
) -> io::Result<Moved> {
    poll_fn(|cx| {
        if reads && let Poll::Ready(read) = pin!(stream.read_buf(input)).poll(cx) {
            return Poll::Ready(read.map(Moved::Read));
        }
        if !output.is_empty() {
            return pin!(stream.write_buf(output)).poll(cx).map_ok(Moved::Written);
        }
        // TLS may keep records that the socket had no room for.
        match Pin::new(&mut *stream).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    })
    .await
}
