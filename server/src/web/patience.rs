//! A stream for WebSockets that are not ours: socketioxide's. Our own time each write, and close with
//! 1001 when the server stops; those wait for as long as a peer likes, keep what waits with them, and
//! say at a stop what keeps clients from coming back; of a message that is too long they say nothing. So
//! this gives a peer up that takes nothing, says at a stop that the server goes away, and closes with
//! 1009, once somebody asks for it. Of other answers something has to be taken in a longer time, which
//! each has from its `line`.
//!
//! And it lingers: a connection that is closed while its peer still sends is reset by the system, and what
//! was answered is lost with it. So what the peer sends is read on for a while, and thrown away.

use super::crowd::Place;
use super::frames::Frames;
use super::line::{Doing, Line, Still};
use crate::bounds::Held;
use crate::connection::{Stopping, stopped};
use std::fmt;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tequio_protocol::limits::{
    CLOSE_TIMEOUT, FRAME_BYTES_MAX, HEADERS_BYTES_FREE, LINGER_BYTES_MAX, LINGER_MAX,
    LINGER_READ_BYTES, LINGER_SILENCE, LINGER_TURN, LINGER_TURN_BYTES, WRITE_TIMEOUT,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// A closing frame of a server with the code 1001 (RFC 6455, section 5.5.1).
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];

/// The same with the code 1009.
const TOO_BIG: [u8; 4] = [0x88, 2, 0x03, 0xf1];

/// Whether a connection is such a WebSocket, or any. It travels with each of its requests.
#[derive(Clone, Default)]
pub(super) struct Patience(Arc<Kind>);

#[derive(Default)]
struct Kind {
    stopping: OnceLock<Stopping>,
    is_socket: AtomicBool,
    /// Set where messages have a limit.
    tell_too_big: OnceLock<Tell>,
}

/// Called when a message is too long, before the library has seen its end.
type Tell = Box<dyn Fn() + Send + Sync>;

impl fmt::Debug for Patience {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Patience").field("is_socket", &self.0.is_socket).finish_non_exhaustive()
    }
}

impl Patience {
    /// From now on writes have [`WRITE_TIMEOUT`], and the connection ends when the server stops.
    pub(super) fn end(&self, stopping: Stopping) {
        // It may have ended before, in the same way.
        self.0.stopping.set(stopping).ok();
        self.upgraded();
    }

    /// From now on the connection is a WebSocket, which says itself when it is over: nobody lingers.
    pub(super) fn upgraded(&self) {
        self.0.is_socket.store(true, Ordering::Relaxed);
    }

    /// From now on a message over [`FRAME_BYTES_MAX`] is told of, and ends the connection with 1009.
    pub(super) fn limit_messages(&self, tell: impl Fn() + Send + Sync + 'static) {
        self.0.tell_too_big.set(Box::new(tell)).ok();
    }
}

/// See the module.
pub(super) struct Patient<S: Lingers> {
    /// `None` once it lingers without this.
    stream: Option<S>,
    place: Option<Place>,
    patience: Patience,
    /// Runs while a write waits, for as long as the peer may take nothing.
    waiting: Option<Pin<Box<Sleep>>>,
    /// For good: what is written next must not wait as long again.
    is_given_up: bool,
    /// Ends when the server stops.
    stop: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether what was written last ended where a frame does: frames are handed over whole.
    is_between_frames: bool,
    is_over: bool,
    /// Whether the peer sends no more.
    is_ended: bool,
    /// Whether it was answered anything, which could be lost.
    is_answered: bool,
    /// What the peer has sent, once its messages are limited.
    frames: Frames,
    /// What its headers hold.
    head: Option<Held>,
    /// Runs while what still comes of a message that is too long is dropped: a peer that is cut off
    /// while it writes does not read why.
    dropping: Option<Pin<Box<Sleep>>>,
}

/// What can be read on in a task of its own.
pub(super) trait Lingers: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Lingers for S {}

impl<S: Lingers> Patient<S> {
    pub(super) fn new(stream: S, patience: Patience, place: Option<Place>) -> Patient<S> {
        Patient {
            stream: Some(stream),
            place,
            patience,
            waiting: None,
            is_given_up: false,
            stop: None,
            is_between_frames: false,
            is_over: false,
            is_ended: false,
            is_answered: false,
            frames: Frames::default(),
            head: None,
            dropping: None,
        }
    }

    fn stream(&mut self) -> Pin<&mut S> {
        Pin::new(self.stream.as_mut().expect("it is there until this is dropped"))
    }

    fn line(&self) -> Option<&Line> {
        let line = self.place.as_ref().map(|place| &**place.line());
        // What a WebSocket writes is its own business.
        line.filter(|line| line.doing() != Doing::Socket)
    }

    /// Some bytes came. Headers that are long, and not whole, need room.
    ///
    /// Returns an error where there is none.
    fn holds_head(&mut self, came: usize) -> Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        let head = place.line().read(came);
        if head <= HEADERS_BYTES_FREE {
            self.head = None;
            return Ok(());
        }
        let held = match &mut self.head {
            Some(held) => held.resize(head),
            None => place.crowd().bodies().take(head).map(|held| {
                self.head = Some(held);
                place.line().has_body_room();
            }),
        };
        held.map_err(|full| {
            place.crowd().end_still(Still::UnsentRoom);
            Error::new(ErrorKind::OutOfMemory, full)
        })
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let is_hurried = self.patience.0.stopping.get().is_some();
        let patience =
            if is_hurried { Some(WRITE_TIMEOUT) } else { self.line().map(Line::patience) };
        // Our own WebSockets keep their time themselves.
        let Some(patience) = patience else { return written };
        if let Some(line) = self.line() {
            line.is_unread(Instant::now());
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !self.is_given_up && waiting.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.is_given_up = true;
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the peer takes nothing")))
    }

    /// Whether the server stops, and nothing more is to be read or written.
    fn is_stopped(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(stopping) = self.patience.0.stopping.get() else { return false };
        let stop = self.stop.get_or_insert_with(|| {
            let mut stopping = stopping.clone();
            Box::pin(async move { stopped(&mut stopping).await })
        });
        !self.is_over && stop.as_mut().poll(cx).is_ready()
    }

    fn wrote(&mut self, written: &Poll<Result<usize>>, bytes: usize) {
        if let Poll::Ready(Ok(count)) = written {
            if let Some(line) = self.line() {
                line.wrote(*count);
            }
            self.is_answered = true;
            self.is_between_frames = self.patience.0.stopping.get().is_some() && *count == bytes;
        }
    }
}

impl<S: Lingers> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if self.is_stopped(cx) {
            self.is_over = true;
            // Within a frame it could not be understood, and a peer that takes nothing hears nothing.
            if self.is_between_frames {
                drop(self.stream().poll_write(cx, &GOING_AWAY));
            }
        }
        if self.dropping.is_some() {
            return self.poll_drop(cx);
        }
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = self.stream().poll_read(cx, buffer);
        self.is_ended |= match &read {
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        let came = buffer.filled().len() - before;
        if came > 0 {
            self.holds_head(came)?;
        }
        let this = &mut *self;
        if let Some(tell) = this.patience.0.tell_too_big.get()
            && this.frames.exceed(&buffer.filled()[before..], FRAME_BYTES_MAX)
        {
            tell();
            buffer.set_filled(before);
            this.is_over = true;
            if this.is_between_frames {
                drop(this.stream().poll_write(cx, &TOO_BIG));
            }
            this.dropping = Some(Box::pin(sleep(CLOSE_TIMEOUT)));
            return this.poll_drop(cx);
        }
        read
    }
}

impl<S: Lingers> Patient<S> {
    /// Reads and drops until the peer has closed, or has had its time.
    fn poll_drop(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut dropped = [0; 4096];
        loop {
            let mut dropped = ReadBuf::new(&mut dropped);
            match self.stream().poll_read(cx, &mut dropped) {
                Poll::Ready(Ok(())) if !dropped.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        let time = self.dropping.as_mut().map(|time| time.as_mut().poll(cx));
        if time.is_some_and(|time| time.is_pending()) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

fn over<T>() -> Poll<Result<T>> {
    Poll::Ready(Err(Error::new(ErrorKind::BrokenPipe, "the server stops")))
}

impl<S: Lingers> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if self.is_over {
            return over();
        }
        let written = self.stream().poll_write(cx, bytes);
        self.wrote(&written, bytes.len());
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        if self.is_over {
            return over();
        }
        let written = self.stream().poll_write_vectored(cx, slices);
        self.wrote(&written, slices.iter().map(|slice| slice.len()).sum());
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = self.stream().poll_flush(cx);
        if let (Poll::Ready(Ok(())), Some(line)) = (&flushed, self.line()) {
            line.flushed(Instant::now());
        }
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl<S: Lingers> Drop for Patient<S> {
    fn drop(&mut self) {
        let place = self.place.take();
        let is_socket = self.patience.0.is_socket.load(Ordering::Relaxed);
        let is_given_up = place.as_ref().is_some_and(|place| place.line().is_ended());
        let (Some(stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) else {
            return;
        };
        if self.is_answered && !self.is_ended && !is_socket && !is_given_up {
            runtime.spawn(linger_at(stream, place));
        }
    }
}

/// The turns of all connections that linger: what nobody wants must not take the time of those who are
/// served.
#[derive(Debug)]
pub(super) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Turns {
        Turns(Semaphore::new(1))
    }
}

impl Turns {
    /// Waits for those who asked before, and for [`LINGER_TURN`].
    async fn next(&self) {
        let _turn = self.0.acquire().await.expect("nobody closes it");
        sleep(LINGER_TURN).await;
    }
}

/// Lingers for as long as nobody else needs the place.
async fn linger_at(stream: impl Lingers, place: Option<Place>) {
    match place {
        Some(place) => {
            place.line().turns(Doing::Idle, Instant::now());
            tokio::select! {
                () = linger(stream, place.crowd().lingering()) => {}
                () = place.line().ended() => {}
            }
        }
        None => linger(stream, &Turns::default()).await,
    }
}

/// Says that no more is sent, and reads what the peer still sends, within bounds, until it has closed
/// its end too.
async fn linger(mut stream: impl Lingers, turns: &Turns) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut buffer = vec![0; LINGER_READ_BYTES];
    let (mut left, mut in_turn) = (LINGER_BYTES_MAX, 0);
    let reading = async {
        while left > 0
            && let Ok(Ok(count @ 1..)) = timeout(LINGER_SILENCE, stream.read(&mut buffer)).await
        {
            left = left.saturating_sub(count);
            in_turn += count;
            if in_turn >= LINGER_TURN_BYTES {
                in_turn = 0;
                turns.next().await;
            }
        }
    };
    timeout(LINGER_MAX, reading).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;
    use tokio::sync::watch;
    use tokio::task::JoinSet;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_once_that_is_asked_for() {
        let (near, mut far) = duplex(4);
        let patience = Patience::default();
        let mut near = Patient::new(near, patience.clone(), None);
        near.write_all(b"full").await.unwrap();
        timeout(10 * WRITE_TIMEOUT, near.write_all(b"more")).await.expect_err("it waits");
        let (_stop, stopping) = watch::channel(false);
        patience.end(stopping);
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

    #[tokio::test]
    async fn a_message_that_is_too_long_is_told_of_and_closes_with_1009() {
        let (near, mut far) = duplex(64);
        let patience = Patience::default();
        let mut near = Patient::new(near, patience.clone(), None);
        let (_stop, stopping) = watch::channel(false);
        patience.end(stopping);
        near.write_all(b"frame").await.unwrap();
        let (told, mut heard) = watch::channel(false);
        patience.limit_messages(move || {
            told.send_replace(true);
        });
        let peer = tokio::spawn(async move {
            far.write_all(&[0x82, 0xff, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
            // It reads after it has written all of it.
            far.write_all(&[7; 100_000]).await.unwrap();
            far.shutdown().await.unwrap();
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        });
        assert_eq!(near.read(&mut [0; 64]).await.unwrap(), 0, "as if the peer had left");
        assert!(*heard.borrow_and_update());
        drop(near);
        assert_eq!(peer.await.unwrap(), b"frame\x88\x02\x03\xf1");
    }

    #[tokio::test]
    async fn when_the_server_stops_it_goes_away_between_two_frames() {
        for (room, heard) in [(64, b"frame\x88\x02\x03\xe9".as_slice()), (3, b"fra")] {
            let (near, mut far) = duplex(room);
            let patience = Patience::default();
            let mut near = Patient::new(near, patience.clone(), None);
            let (stop, stopping) = watch::channel(false);
            patience.end(stopping);
            assert_eq!(near.write(b"frame").await.unwrap(), room.min(5));
            timeout(WRITE_TIMEOUT / 1000, near.read_u8()).await.expect_err("nothing is said yet");
            stop.send_replace(true);
            assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0, "as if the peer had left");
            assert_eq!(near.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            drop(near);
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, heard);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_still_sends_is_read_on_within_bounds() {
        let (near, mut far) = duplex(64);
        let mut near = Patient::new(near, Patience::default(), None);
        near.write_all(b"refused").await.unwrap();
        drop(near);
        far.write_all(&[0; 100_000]).await.unwrap();
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"refused");
        // It does not do so for ever, be the peer busy or silent.
        let began = Instant::now();
        while far.write_all(&[0; 64]).await.is_ok() {
            sleep(LINGER_SILENCE / 2).await;
        }
        assert!(began.elapsed() <= LINGER_MAX + LINGER_SILENCE);

        let (near, mut far) = duplex(64);
        let mut near = Patient::new(near, Patience::default(), None);
        near.write_all(b"bye").await.unwrap();
        drop(near);
        sleep(LINGER_SILENCE * 2).await;
        far.write_all(b"too late").await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_are_read_on_take_turns() {
        const PEERS: u32 = 8;
        let turns = Arc::new(Turns::default());
        let began = Instant::now();
        let mut senders = JoinSet::new();
        for _ in 0..PEERS {
            let (near, mut far) = duplex(1024);
            let turns = turns.clone();
            tokio::spawn(async move { linger(near, &turns).await });
            senders.spawn(async move { far.write_all(&[0; 4 * LINGER_TURN_BYTES]).await.unwrap() });
        }
        senders.join_all().await;
        // All but the last of each.
        assert!(began.elapsed() >= LINGER_TURN * 3 * PEERS);
    }

    #[tokio::test]
    async fn nobody_lingers_for_a_socket_or_where_nothing_was_answered() {
        let (near, mut far) = duplex(64);
        let patience = Patience::default();
        patience.upgraded();
        let mut socket = Patient::new(near, patience, None);
        socket.write_all(b"frame").await.unwrap();
        drop(socket);
        far.write_all(b"late").await.unwrap_err();
        let (near, mut far) = duplex(64);
        drop(Patient::new(near, Patience::default(), None));
        far.write_all(b"late").await.unwrap_err();
    }
}
