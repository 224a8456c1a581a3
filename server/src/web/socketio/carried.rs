//! The connection under a WebSocket of Socket.IO. What the library keeps of a session that never connects
//! to the namespace it keeps for a while, although its WebSocket is closed. So a client that leaves before
//! it has connected is connected in its place, and leaves then; and until it has connected, the library
//! reads whole messages alone.

use super::sessions::Sessions;
use crate::begun::{Begun, Share};
use crate::bounds::Held;
use crate::web::frames::Frames;
use crate::web::socket::Sockets;
use crate::web::upgrade::Carrier;
use futures_util::task::AtomicWaker;
use socketioxide::socket::Sid;
use std::io::{Error, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tequio_protocol::limits::{CLOSE_TIMEOUT, SOCKETIO_CONNECT_BYTES_MAX, SOCKETIO_UNREAD_BYTES};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

/// A client's frame that connects to the namespace: the text `40` under a mask of zeros.
const CONNECT: [u8; 8] = [0x81, 0x82, 0, 0, 0, 0, b'4', b'0'];

/// Whether a client has connected to the namespace. It travels with the request that begins a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Connecting(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    is_connected: AtomicBool,
    has_left: AtomicBool,
    reader: AtomicWaker,
}

impl Connecting {
    /// The client is in the namespace.
    pub(super) fn connected(&self) {
        self.0.is_connected.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    /// Whether it had left before.
    pub(super) fn has_left(&self) -> bool {
        self.0.has_left.load(Ordering::Acquire)
    }

    fn is_connected(&self) -> bool {
        self.0.is_connected.load(Ordering::Acquire)
    }
}

/// See the module.
pub(super) struct Carried {
    /// `None` once it is handed to whoever waits for the peer to close.
    carrier: Option<Carrier>,
    /// Until the client has connected.
    opening: Option<Opening>,
    /// What waits for the peer to take it.
    unread: Share,
    waits_since: Option<Instant>,
    /// Whether what was written last ended where a frame does: frames are handed over whole.
    is_between_frames: bool,
    /// What is given back when this is over.
    held: Option<(Held, Sockets)>,
    /// The session that changes over to this, which does not go on without it.
    changes: Option<(Sessions, Sid)>,
}

#[derive(Debug)]
struct Opening {
    connecting: Connecting,
    /// What was read and not handed on.
    bytes: Vec<u8>,
    /// Of these, the ones that are whole messages.
    whole: usize,
    /// Whether any were handed on.
    is_answered: bool,
    frames: Frames,
}

impl Opening {
    fn take_in(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.bytes.push(*byte);
            self.frames.exceed(std::slice::from_ref(byte), usize::MAX);
            if self.frames.begun().is_none() {
                self.whole = self.bytes.len();
            }
        }
    }

    /// The client has left: it is connected in its place, and is told nothing of that.
    fn leave(&mut self) {
        if !self.connecting.0.has_left.swap(true, Ordering::AcqRel) {
            self.bytes.truncate(self.whole);
            self.bytes.extend(CONNECT);
            self.whole = self.bytes.len();
        }
    }
}

impl Carried {
    /// Over `carrier`, whose client begins a session and is to connect.
    pub(super) fn opening(carrier: Carrier, connecting: Connecting, unread: &Begun) -> Carried {
        let (bytes, frames) = (Vec::new(), Frames::default());
        let opening = Some(Opening { connecting, bytes, whole: 0, is_answered: false, frames });
        let mut carried = Carried::over(carrier, unread);
        carried.opening = opening;
        carried
    }

    /// Over `carrier`, to which a session changes over.
    pub(super) fn changing(
        carrier: Carrier,
        sessions: Sessions,
        sid: Sid,
        unread: &Begun,
    ) -> Carried {
        let mut carried = Carried::over(carrier, unread);
        carried.changes = Some((sessions, sid));
        carried
    }

    fn over(carrier: Carrier, unread: &Begun) -> Carried {
        Carried {
            carrier: Some(carrier),
            opening: None,
            unread: unread.share(),
            waits_since: None,
            is_between_frames: true,
            held: None,
            changes: None,
        }
    }

    /// Gives `held` back when it is over.
    pub(super) fn with(mut self, held: (Held, Sockets)) -> Carried {
        self.held = Some(held);
        self
    }

    fn carrier(&mut self) -> Pin<&mut Carrier> {
        Pin::new(self.carrier.as_mut().expect("it is there until this is dropped"))
    }

    fn poll_open(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        loop {
            let Some(opening) = &mut self.opening else { return self.poll_on(cx, buffer) };
            let is_connected = opening.connecting.is_connected();
            if is_connected {
                opening.whole = opening.bytes.len();
            }
            if opening.whole > 0 {
                let count = opening.whole.min(buffer.remaining());
                buffer.put_slice(&opening.bytes[..count]);
                opening.bytes.drain(..count);
                opening.whole -= count;
                opening.is_answered = true;
                return Poll::Ready(Ok(()));
            }
            match (is_connected, opening.connecting.has_left()) {
                (true, true) => return Poll::Ready(Ok(())),
                (true, false) => {
                    self.opening = None;
                    continue;
                }
                (false, true) => {
                    opening.connecting.0.reader.register(cx.waker());
                    // It may have connected meanwhile.
                    if opening.connecting.is_connected() {
                        continue;
                    }
                    return Poll::Pending;
                }
                (false, false) => opening.connecting.0.reader.register(cx.waker()),
            }
            if opening.bytes.len() > SOCKETIO_CONNECT_BYTES_MAX {
                // What it has sent may be what connects it.
                if opening.is_answered && !opening.connecting.is_connected() {
                    return Poll::Pending;
                }
                opening.leave();
                continue;
            }
            let mut bytes = [0; 1024];
            let mut read = ReadBuf::new(&mut bytes);
            let end = ready!(self.carrier().poll_read(cx, &mut read));
            if end.is_err() {
                self.say_over(cx);
            }
            let Some(opening) = &mut self.opening else { continue };
            opening.take_in(read.filled());
            if end.is_err() || read.filled().is_empty() {
                opening.leave();
            }
        }
    }

    fn poll_on(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let read = self.carrier().poll_read(cx, buffer);
        if let Poll::Ready(Err(_)) = &read {
            self.say_over(cx);
        }
        read
    }

    /// Says why no more is read, where that is this end's doing: the library would not.
    fn say_over(&mut self, cx: &mut Context<'_>) {
        let over = self.carrier.as_ref().and_then(|carrier| carrier.over().cloned());
        if let Some(over) = over.filter(|_| self.is_between_frames) {
            let [high, low] = over.close().code.to_be_bytes();
            drop(self.carrier().poll_write(cx, &[0x88, 2, high, low]));
        }
    }

    /// Takes note of a write: what waits counts, and the ones that have waited the longest are given up
    /// where there is too much of it.
    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            if self.waits_since.take().is_some() {
                self.unread.end();
            }
            return written;
        }
        let now = Instant::now();
        let since = *self.waits_since.get_or_insert(now);
        match self.unread.hold(SOCKETIO_UNREAD_BYTES, SOCKETIO_UNREAD_BYTES, since, now, cx) {
            Poll::Ready(Err(given_up)) => Poll::Ready(Err(Error::other(given_up))),
            _ => written,
        }
    }
}

impl AsyncRead for Carried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        self.poll_open(cx, buffer)
    }
}

impl AsyncWrite for Carried {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = self.carrier().poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.is_between_frames = *count == bytes.len();
        }
        let written = self.judge(cx, written);
        match (&mut self.opening, written) {
            // The library would forget the session, and keep what it is. So it is told by what it reads.
            (Some(opening), Poll::Ready(Err(_))) => {
                opening.leave();
                Poll::Ready(Ok(bytes.len()))
            }
            (_, written) => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = self.carrier().poll_flush(cx);
        match (&self.opening, flushed) {
            (Some(_), Poll::Ready(Err(_))) => Poll::Ready(Ok(())),
            (_, flushed) => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.carrier().poll_shutdown(cx)
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some((sessions, sid)) = self.changes.take() {
            sessions.left(sid);
        }
        let (Some(mut carrier), Ok(runtime)) = (self.carrier.take(), Handle::try_current()) else {
            return;
        };
        if carrier.over().is_some() {
            // What it still sends is thrown away, so that it reads why it was closed.
            runtime.spawn(async move {
                timeout(CLOSE_TIMEOUT, carrier.drain()).await.ok();
            });
        }
    }
}
