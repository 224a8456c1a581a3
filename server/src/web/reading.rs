//! The stream under a WebSocket, which knows how far a message has come that is begun. The library
//! keeps what has come of it for as long as the peer likes; here it has its time, and all that are begun
//! have a bound together ([`Begun`]).

use super::frames::Frames;
use crate::begun::{Begun, GivenUp, Share};
use crate::connection::Close;
use std::fmt;
use std::future::poll_fn;
use std::io::{Error, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tequio_protocol::limits::{
    FRAME_BYTES_MAX, LEASE_GROWTH, SOCKET_AHEAD_BYTES, SOCKET_KEPT_BYTES_MAX,
};
use tequio_protocol::message::close_code;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What all messages that are begun share, and how long each may take.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    pub(super) begun: Begun,
    /// From a message's first byte to its last.
    pub(super) time_max: Duration,
    /// What is read of a message for nothing: a connection that is idle has as much in its buffer.
    pub(super) free_bytes: usize,
}

/// Why no more of a connection's messages are read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Over {
    #[error(transparent)]
    GivenUp(#[from] GivenUp),
    #[error("a message was begun {0} s ago, and has not ended")]
    Late(u64),
}

impl Over {
    /// How the peer is told.
    pub(super) fn close(&self) -> Close {
        let code = match self {
            Over::GivenUp(_) => close_code::TRY_AGAIN_LATER,
            Over::Late(_) => close_code::SILENT,
        };
        Close { code, reason: self.to_string() }
    }
}

/// See the module.
pub(super) struct Reading<S> {
    stream: S,
    messages: Messages,
    frames: Frames,
    /// What is begun, or still being handled.
    share: Share,
    /// When the message began that has not ended.
    began_at: Option<Instant>,
    /// Bytes that have come in all.
    come: u64,
    /// Whether somebody has vouched for the peer.
    is_known: bool,
    /// Whether a message has ended whose share is not given back: it is being handled.
    is_whole: bool,
    /// Ends when the message has had its time. It outlives the message: most end soon.
    time: Option<Pin<Box<Sleep>>>,
    /// Whether a message was larger than what a buffer may keep.
    is_large: bool,
    /// What was read of the frame under way and is not handed on.
    ahead: Ahead,
    over: Option<Over>,
}

/// Bytes that were read at once: the library asks for as much as an idle connection's buffer has. There is
/// memory for them only while there are any.
#[derive(Debug, Default)]
struct Ahead {
    bytes: Vec<u8>,
    /// How many of them were handed on.
    start: usize,
}

impl Ahead {
    /// Reads up to `bytes_max` from the stream. The stream's end is no bytes.
    fn poll_fill(
        &mut self,
        stream: Pin<&mut impl AsyncRead>,
        bytes_max: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        let mut bytes = vec![0; bytes_max];
        let mut part = ReadBuf::new(&mut bytes);
        ready!(stream.poll_read(cx, &mut part))?;
        let count = part.filled().len();
        bytes.truncate(count);
        *self = Ahead { bytes, start: 0 };
        Poll::Ready(Ok(()))
    }

    /// Hands on as much as `buffer` takes.
    fn hand(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = &self.bytes[self.start..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.start += count;
        if self.is_empty() {
            *self = Ahead::default();
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }
}

impl<S> fmt::Debug for Reading<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl<S> Reading<S> {
    pub(super) fn new(stream: S, messages: Messages) -> Reading<S> {
        let share = messages.begun.share_of_reader();
        Reading {
            stream,
            messages,
            frames: Frames::default(),
            share,
            began_at: None,
            come: 0,
            is_known: false,
            is_whole: false,
            time: None,
            is_large: false,
            ahead: Ahead::default(),
            over: None,
        }
    }

    /// The same, where events have attachments.
    pub(super) fn with_attachments(self) -> Reading<S> {
        Reading { frames: Frames::with_attachments(), ..self }
    }

    /// What the peer begins is given up last, as is what is no more than [`LEASE_GROWTH`] times what it has
    /// ended before.
    pub(super) fn vouch(&mut self) {
        self.is_known = true;
    }

    /// Messages and control frames that have ended, if nothing follows the last one yet.
    pub(super) fn ended(&self) -> Option<u64> {
        (!self.frames.is_within_frames()).then(|| self.frames.ended())
    }

    /// Whether a message was so large since this was asked last that its buffer is to be let go.
    pub(super) fn take_large(&mut self) -> bool {
        std::mem::take(&mut self.is_large)
    }

    /// What the message that was read last costs, if it has ended. It is given back when this is dropped.
    pub(super) fn take_handled(&mut self) -> Option<Share> {
        let is_whole = std::mem::take(&mut self.is_whole);
        is_whole.then(|| std::mem::replace(&mut self.share, self.messages.begun.share_of_reader()))
    }

    /// Why no more is read, if so.
    pub(super) fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// Whether what is begun may go on, and have more room.
    fn poll_share(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), Over>> {
        let Some(began_at) = self.began_at else { return Poll::Ready(Ok(())) };
        let now = Instant::now();
        let time_max = self.messages.time_max;
        if now.duration_since(began_at) >= time_max {
            return Poll::Ready(Err(Over::Late(time_max.as_secs())));
        }
        let begun = self.frames.begun().unwrap_or(0);
        // The library keeps a frame that is not the last, and what it has put together.
        let copies = if self.frames.is_in_parts() { 2 } else { 1 };
        let bytes = (begun * copies).saturating_sub(self.messages.free_bytes);
        if bytes == 0 {
            return Poll::Ready(Ok(()));
        }
        // The library refuses what is longer.
        let room = self.frames.room(FRAME_BYTES_MAX as u64).min(FRAME_BYTES_MAX as u64);
        let room = usize::try_from(room).unwrap_or(FRAME_BYTES_MAX);
        let room = (room * copies).max(bytes);
        let ended = self.come.saturating_sub(begun as u64);
        if self.is_known || ended.saturating_mul(LEASE_GROWTH) >= room as u64 {
            self.share.prove();
        }
        self.share.hold(bytes, room, began_at, now, cx).map_err(Over::from)
    }

    /// Has this polled again when the message that is begun has had its time, or `at` already.
    fn wake_by(&mut self, cx: &mut Context<'_>, at: Instant) {
        let time = self.time.get_or_insert_with(|| Box::pin(sleep_until(at)));
        // One that ends too early has this looked at once more, and costs less than to set it each time.
        if time.deadline() > at || time.is_elapsed() {
            time.as_mut().reset(at);
        }
        if time.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// Takes note of what has been read.
    fn note(&mut self, bytes: &[u8]) {
        self.come += bytes.len() as u64;
        let whole = self.frames.messages();
        // The library looks at the length itself.
        self.frames.exceed(bytes, usize::MAX);
        self.is_large |= self.frames.announced() > SOCKET_KEPT_BYTES_MAX as u64;
        // A ping that is answered ends no message.
        if self.frames.messages() != whole {
            self.share.complete();
            self.is_whole = true;
            self.began_at = None;
        }
        if self.frames.begun().is_none() {
            self.began_at = None;
        } else {
            self.began_at.get_or_insert_with(Instant::now);
        }
    }
}

/// The pause before it is asked again whether there is room, where nobody says so.
pub(super) const ROOM_RETRY: Duration = Duration::from_millis(50);

impl<S: AsyncRead + Unpin> Reading<S> {
    /// Throws away what the peer still sends, until its closing frame or the end: it is to read why this
    /// end has closed. However much that is, none of it is kept.
    pub(super) async fn drain(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_drain(cx)).await
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        drop(self.take_handled());
        self.share.end();
        let ahead = std::mem::take(&mut self.ahead);
        self.frames.exceed(&ahead.bytes[ahead.start..], usize::MAX);
        let mut dropped = [0; 4096];
        while !self.frames.is_closed() {
            let mut dropped = ReadBuf::new(&mut dropped);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut dropped))?;
            if dropped.filled().is_empty() {
                break;
            }
            self.frames.exceed(dropped.filled(), usize::MAX);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Reading<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = &mut *self;
        if this.over.is_some() {
            // Whoever read the error has let go of what had come.
            return this.poll_drain(cx);
        }
        drop(this.take_handled());
        if !this.ahead.is_empty() {
            this.hand_ahead(buffer);
            return Poll::Ready(Ok(()));
        }
        match this.poll_share(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(over)) => {
                // What has come of it is let go by whoever reads this error.
                this.over = Some(over.clone());
                return Poll::Ready(Err(Error::other(over)));
            }
            Poll::Pending => {
                this.wake_by(cx, Instant::now() + ROOM_RETRY);
                return Poll::Pending;
            }
        }
        let read = this.poll_stream(cx, buffer);
        if read.is_pending() {
            this.share.stand_still();
            if let Some(began_at) = this.began_at {
                this.wake_by(cx, began_at + this.messages.time_max);
            }
        }
        read
    }
}

impl<S: AsyncRead + Unpin> Reading<S> {
    /// Reads what has come into the buffer, or ahead where the frame has more than the buffer takes. Nothing
    /// that follows a large message comes into the buffer that is let go with it.
    fn poll_stream(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let left = usize::try_from(self.frames.left()).unwrap_or(usize::MAX);
        let ahead_max = self.ahead_max();
        let stream = Pin::new(&mut self.stream);
        if left > buffer.remaining() {
            ready!(self.ahead.poll_fill(stream, left.min(ahead_max), cx))?;
            self.hand_ahead(buffer);
            return Poll::Ready(Ok(()));
        }
        let is_large = self.frames.announced() > SOCKET_KEPT_BYTES_MAX as u64;
        let bytes_max = if is_large && left > 0 { left } else { usize::MAX };
        let mut part =
            ReadBuf::new(buffer.initialize_unfilled_to(bytes_max.min(buffer.remaining())));
        let read = stream.poll_read(cx, &mut part);
        self.note(part.filled());
        let count = part.filled().len();
        buffer.advance(count);
        read
    }

    /// What may be read ahead: little before there is room for the message.
    fn ahead_max(&self) -> usize {
        let begun = self.frames.begun().unwrap_or(0);
        let has_room = begun > self.messages.free_bytes;
        if has_room { SOCKET_AHEAD_BYTES } else { self.messages.free_bytes.max(1) }
    }

    fn hand_ahead(&mut self, buffer: &mut ReadBuf<'_>) {
        let before = buffer.filled().len();
        self.ahead.hand(buffer);
        self.note(&buffer.filled()[before..]);
    }
}

impl<S: AsyncWrite + Unpin> Reading<S> {
    /// Whoever waits for its peer to read may be given up for what it has begun to say.
    fn check(&self) -> Result<()> {
        if self.share.is_given_up() { Err(GivenUp.into()) } else { Ok(()) }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Reading<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if self.over.is_none() {
            self.check()?;
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use tokio::io::{AsyncReadExt, duplex};
    use tokio::time::timeout;

    const WHOLE: u8 = 0x81;
    const PART: u8 = 0x01;
    const FREE: usize = 4096;

    fn messages(bytes_max: usize) -> Messages {
        let begun = Begun::new(bytes_max, Duration::from_millis(100));
        Messages { begun, time_max: Duration::from_secs(100), free_bytes: FREE }
    }

    /// A frame's head: `first`, a length of 64 bits, a mask of zeros.
    fn head(first: u8, length: usize) -> Vec<u8> {
        let length = (length as u64).to_be_bytes();
        [&[first, 0xff][..], &length, &[0; 4]].concat()
    }

    /// Counts how often something was read of it.
    struct Counting<S>(S, usize);

    impl<S: AsyncRead + Unpin> AsyncRead for Counting<S> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<Result<()>> {
            self.1 += 1;
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    #[tokio::test]
    async fn a_long_frame_is_read_ahead_and_handed_on_as_it_came() {
        let content: Vec<u8> = (0..FRAME_BYTES_MAX).map(|at| at as u8).collect();
        let next = [head(WHOLE, 3), b"end".to_vec()].concat();
        let sent = [head(WHOLE, content.len()), content, next].concat();
        let stream = Counting(Cursor::new(sent.clone()), 0);
        let mut reading = Reading::new(stream, messages(FRAME_BYTES_MAX));
        let (mut came, mut buffer) = (Vec::new(), [0; 1024]);
        while came.len() < sent.len() {
            let count = reading.read(&mut buffer).await.unwrap();
            came.extend_from_slice(&buffer[..count]);
            if reading.ended() == Some(1) {
                assert_eq!(came.len(), sent.len() - 17, "nothing is read beyond a large frame");
                assert_eq!(reading.ahead.bytes.capacity(), 0);
            }
        }
        assert!(came == sent);
        assert_eq!(reading.ended(), Some(2));
        let reads = reading.stream.1;
        assert!(reads < FRAME_BYTES_MAX / SOCKET_AHEAD_BYTES + 10, "{reads}");
    }

    #[tokio::test]
    async fn before_there_is_room_little_is_read_and_a_message_in_parts_needs_twice_as_much() {
        for (first, is_read) in [(WHOLE, true), (PART, false)] {
            let (near, mut far) = duplex(2 * FRAME_BYTES_MAX);
            let sent = [head(first, FRAME_BYTES_MAX), vec![7; FRAME_BYTES_MAX]].concat();
            tokio::io::AsyncWriteExt::write_all(&mut far, &sent).await.unwrap();
            let mut reading = Reading::new(near, messages(FRAME_BYTES_MAX * 3 / 2));
            let mut came = vec![0; sent.len()];
            let whole = timeout(Duration::from_millis(200), async {
                for piece in came.chunks_mut(1024) {
                    reading.read_exact(piece).await.unwrap();
                }
            });
            assert_eq!(whole.await.is_ok(), is_read);
            assert!(is_read || reading.frames.begun().unwrap() <= 2 * FREE);
        }
    }

    #[tokio::test]
    async fn what_was_read_ahead_is_dropped_with_what_is_not_read_any_more() {
        let close = [head(WHOLE, 100_000), vec![7; 100_000], vec![0x88, 0x80, 0, 0, 0, 0]].concat();
        let mut reading = Reading::new(Cursor::new(close), messages(FRAME_BYTES_MAX));
        for _ in 0..2 {
            reading.read_exact(&mut [0; 1000]).await.unwrap();
        }
        assert!(!reading.ahead.is_empty());
        reading.drain().await.unwrap();
        assert!(reading.frames.is_closed(), "the closing frame is found behind it");
        assert!(reading.ahead.is_empty());
    }
}
