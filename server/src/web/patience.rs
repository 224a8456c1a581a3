//! A stream that gives up a peer which takes nothing, where somebody asked for that. Our own sockets
//! time each write; those of socketioxide wait for as long as the peer likes, and what waits with them
//! is never let go. Other answers may be read as slowly as anybody wants: a person looks at them.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tequio_protocol::limits::WRITE_TIMEOUT;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Whether writes of a connection have only [`WRITE_TIMEOUT`]. It travels with each of its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience(Arc<AtomicBool>);

impl Patience {
    /// From now on they have.
    pub(super) fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// See the module.
pub(super) struct Patient<S> {
    stream: S,
    patience: Patience,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// For good: what is written next must not wait as long again.
    is_given_up: bool,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, patience: Patience) -> Patient<S> {
        Patient { stream, patience, waiting: None, is_given_up: false }
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() || !self.patience.0.load(Ordering::Relaxed) {
            self.waiting = None;
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        if !self.is_given_up && waiting.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.is_given_up = true;
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_once_that_is_asked_for() {
        let (near, mut far) = duplex(4);
        let patience = Patience::default();
        let mut near = Patient::new(near, patience.clone());
        near.write_all(b"full").await.unwrap();
        timeout(10 * WRITE_TIMEOUT, near.write_all(b"more")).await.expect_err("it waits");
        patience.end();
        // One that reads slowly is not given up.
        let slow = async {
            for _ in 0..4 {
                tokio::time::sleep(WRITE_TIMEOUT / 2).await;
                far.read_u8().await.unwrap();
            }
        };
        tokio::join!(async { near.write_all(b"slow").await.unwrap() }, slow);
        let began = Instant::now();
        let error = near.write_all(b"deaf").await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed()), (ErrorKind::TimedOut, WRITE_TIMEOUT));
        near.write_all(b"deaf").await.unwrap_err();
        assert_eq!(began.elapsed(), WRITE_TIMEOUT, "and waits no second time");
    }
}
