//! Reading and writing at once, on one connection.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::{End, READ_BYTES, READ_BYTES_MIN};
use crate::stream::Stream;

/// How much to read next, after a read of `read` octets; `None` after a write.
pub(super) fn next_read(asked: usize, read: usize) -> Option<usize> {
    if read == 0 {
        return None;
    }
    let next = if read >= asked {
        asked * 2
    } else if read < asked / 4 {
        asked / 2
    } else {
        asked
    };
    Some(next.clamp(READ_BYTES_MIN, READ_BYTES))
}

/// Writes or reads whatever can be; gives the octets read, 0 after a write. Reads nothing where `read_bytes` is 0.
/// Leaves both buffers whole when it is dropped.
pub(super) async fn exchange(
    stream: &mut Stream,
    input: &mut BytesMut,
    read_bytes: usize,
    output: &mut BytesMut,
) -> Result<usize, End> {
    poll_fn(|cx| {
        if output.is_empty() {
            // TLS may hold records for which the socket had no room.
            if let Poll::Ready(Err(error)) = Pin::new(&mut *stream).poll_flush(cx) {
                return Poll::Ready(Err(error.into()));
            }
        } else {
            match Pin::new(&mut *stream).poll_write(cx, output) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(End::Eof)),
                Poll::Ready(Ok(written)) => {
                    output.advance(written);
                    return Poll::Ready(Ok(0));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {}
            }
        }
        if read_bytes == 0 {
            return Poll::Pending;
        }
        if input.capacity() - input.len() < read_bytes / 2 {
            input.reserve(read_bytes);
        }
        match pin!(stream.read_buf(input)).poll(cx) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(End::Eof)),
            Poll::Ready(Ok(read)) => Poll::Ready(Ok(read)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
