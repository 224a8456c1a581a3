//! One connection, whatever it is for: frames of a link, kept alive, bounded in time, and closed
//! with a reason. What the frames mean is a service's business.
//!
//! A link is anything that carries WebSocket frames; a real one lives in [`crate::web`], a test
//! brings its own.

use crate::metrics::Tally;
use bytes::Bytes;
use futures_util::FutureExt;
use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;
use tequio_protocol::limits::{
    CLOSE_TIMEOUT, CONNECTIONS_LISTED_MAX, PING_INTERVAL, PLAIN_SILENCE_MAX, WRITE_TIMEOUT,
};
use tequio_protocol::message::close_code;
use tequio_protocol::text::quote;
use tequio_scheduler::Origin;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

/// Who connected.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it is.
    pub address: PeerAddress,
    /// The path that was asked for.
    pub path: String,
    /// What the HTTP request said in `User-Agent`.
    pub agent: Option<String>,
}

/// Where somebody is who connects: the other end of the socket or, behind a proxy, whom the proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// An IPv4 address is one also where it comes as a part of IPv6.
    pub ip: IpAddr,
    /// The port; proxies mostly do not say it.
    pub port: Option<u16>,
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> PeerAddress {
        PeerAddress { ip: address.ip().to_canonical(), port: Some(address.port()) }
    }
}

impl From<PeerAddress> for Origin {
    fn from(address: PeerAddress) -> Origin {
        Origin::from(address.ip)
    }
}

/// As `10.0.0.7:50000` or `10.0.0.7`.
impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}", SocketAddr::new(self.ip, port)),
            None => write!(f, "{}", self.ip),
        }
    }
}

/// A frame of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A ping. The link answers those from there by itself.
    Ping,
    /// The answer to a ping.
    Pong,
    /// The closing frame.
    Close(Close),
}

/// How a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The close code; 1005 where the frame had none, 1006 where there was no frame.
    pub code: u16,
    /// The reason, which may be empty.
    pub reason: String,
}

/// The code and the reason; where there is none, what the code means (RFC 6455, section 7.4.1).
impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.code {
            1000 => "normal closure",
            close_code::GOING_AWAY => "going away",
            close_code::NO_STATUS => "no status",
            close_code::ABNORMAL => "connection lost",
            _ => "no reason given",
        };
        match self.reason.as_str() {
            "" => write!(f, "{} {meaning}", self.code),
            reason => write!(f, "{} {}", self.code, quote(reason)),
        }
    }
}

/// Why a link can carry no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A message over the limit arrived.
    #[error("a message over the limit: {0}")]
    TooBig(String),
    /// Text that is not UTF-8 arrived.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// Bytes that are no WebSocket frame arrived.
    #[error("no WebSocket frame: {0}")]
    Malformed(String),
    /// The link is closed for what it has begun and not ended.
    #[error("{0}")]
    GivenUp(Close),
    /// The connection broke.
    #[error("connection lost: {0}")]
    Lost(String),
}

/// What carries frames.
pub trait Link: Send {
    /// The next frame, or `None` when the link is closed. Once a closing frame was sent, it waits for the
    /// peer's and drops what comes before it. Cancelling loses nothing.
    fn receive(&mut self) -> impl Future<Output = Option<Result<Frame, LinkError>>> + Send;
    /// Sends a frame.
    fn send(&mut self, frame: Frame) -> impl Future<Output = Result<(), LinkError>> + Send;
    /// The peer is known from before: where room is short, what it has begun to say is given up last.
    fn vouch(&mut self) {}
}

/// Becomes `true` when the server stops.
pub type Stopping = watch::Receiver<bool>;

/// Ends when the server stops.
pub async fn stopped(stopping: &mut Stopping) {
    // An error means that the server is gone altogether, which is as good a reason to stop.
    stopping.wait_for(|stopping| *stopping).await.ok();
}

/// What a peer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It sends text.
    Text(String),
    /// It sends bytes.
    Binary(Bytes),
    /// It pings, and is answered.
    Ping,
    /// It answers a ping, so long after that was sent; none where nobody had asked.
    Pong(Option<Duration>),
}

/// How a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closes.
    Theirs(Close),
    /// We close, and tell the peer why.
    Ours(Close),
    /// There is nobody to tell.
    Lost(String),
}

impl End {
    /// We close with a code and its reason.
    pub fn ours(code: u16, reason: impl Into<String>) -> End {
        End::Ours(Close { code, reason: reason.into() })
    }
}

impl From<LinkError> for End {
    fn from(error: LinkError) -> End {
        let reason = error.to_string();
        match error {
            LinkError::TooBig(_) => End::ours(close_code::TOO_BIG, reason),
            LinkError::NotUtf8 => End::ours(close_code::INVALID_TEXT, reason),
            LinkError::Malformed(_) => End::ours(close_code::PROTOCOL, reason),
            LinkError::GivenUp(close) => End::Ours(close),
            LinkError::Lost(reason) => End::Lost(format!("1006 connection lost: {reason}")),
        }
    }
}

/// A peer, and the time that it has for everything. It is counted while it is there.
///
/// Boxed: it is handed from one task's function to the next, and each keeps room for it.
pub struct Connection<L>(Box<Inner<L>>);

struct Inner<L> {
    link: L,
    stopping: Stopping,
    /// Ends when the server stops. It outlives a call of [`Connection::next`], since to begin to wait
    /// and to cease takes a lock that all connections share.
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    tally: Tally,
    ping: Interval,
    silence_max: Duration,
    heard_at: Instant,
    /// When the ping was sent that is not answered yet.
    pinged_at: Option<Instant>,
}

impl<L: Link> Connection<L> {
    /// A connection that is open, whose peer may be silent for [`PLAIN_SILENCE_MAX`].
    pub fn new(link: L, stopping: Stopping, tally: Tally) -> Connection<L> {
        tally.connections.inc();
        let now = Instant::now();
        let mut ping = interval_at(now + PING_INTERVAL, PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting = stopping.clone();
        let stop = Box::pin(async move { stopped(&mut waiting).await });
        Connection(Box::new(Inner {
            link,
            stopping,
            stop,
            tally,
            ping,
            silence_max: PLAIN_SILENCE_MAX,
            heard_at: now,
            pinged_at: None,
        }))
    }

    /// From now on the peer is given up after a silence of `max`.
    pub fn limit_silence(&mut self, max: Duration) {
        self.0.silence_max = max;
    }

    /// The peer is known from before. See [`Link::vouch`].
    pub fn vouch(&mut self) {
        self.0.link.vouch();
    }

    /// What the peer does next; the end if it leaves, is silent for too long, or the server stops.
    /// Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<Event, End> {
        loop {
            // However much the peer sends, the server can stop.
            if *self.0.stopping.borrow() {
                return Err(server_stops());
            }
            tokio::select! {
                biased;
                frame = self.0.link.receive() => return self.received(frame),
                () = &mut self.0.stop => return Err(server_stops()),
                _ = self.0.ping.tick() => {
                    if let Some(event) = self.check_silence().await? {
                        return Ok(event);
                    }
                }
            }
        }
    }

    /// Sends a frame; the end if the peer does not take it.
    pub async fn send(&mut self, frame: Frame) -> Result<(), End> {
        if matches!(frame, Frame::Text(_) | Frame::Binary(_)) {
            self.0.tally.sent.inc();
        }
        match timeout(WRITE_TIMEOUT, self.0.link.send(frame)).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(End::ours(close_code::SLOW, "nothing is read")),
        }
    }

    /// Closes the link as `end` asks, and says how it ended in the words of the console.
    pub async fn finish(mut self, end: End) -> String {
        match end {
            End::Theirs(close) => {
                // The link answers the closing frame by itself, once it is asked for more.
                timeout(CLOSE_TIMEOUT, self.0.link.receive()).await.ok();
                close.to_string()
            }
            End::Lost(reason) => reason,
            End::Ours(close) => {
                let reason = close.to_string();
                // Whatever goes wrong in here, the link is dropped next, which ends it for good.
                timeout(CLOSE_TIMEOUT, self.close(close)).await.ok();
                reason
            }
        }
    }

    fn received(&mut self, frame: Option<Result<Frame, LinkError>>) -> Result<Event, End> {
        self.0.heard_at = Instant::now();
        match frame {
            Some(Ok(Frame::Text(text))) => {
                self.0.tally.received.inc();
                Ok(Event::Text(text))
            }
            Some(Ok(Frame::Binary(bytes))) => {
                self.0.tally.received.inc();
                Ok(Event::Binary(bytes))
            }
            Some(Ok(Frame::Ping)) => Ok(Event::Ping),
            Some(Ok(Frame::Pong)) => {
                Ok(Event::Pong(self.0.pinged_at.take().map(|at| at.elapsed())))
            }
            Some(Ok(Frame::Close(close))) => Err(End::Theirs(close)),
            Some(Err(error)) => Err(error.into()),
            None => Err(End::Lost(
                Close { code: close_code::ABNORMAL, reason: String::new() }.to_string(),
            )),
        }
    }

    /// Asks whether the peer is there; what it has said already, if it seemed that it was not.
    async fn check_silence(&mut self) -> Result<Option<Event>, End> {
        let silence = self.0.heard_at.elapsed();
        if silence > self.0.silence_max {
            // A server that stood still hears late what peers said in time.
            if let Some(frame) = self.0.link.receive().now_or_never() {
                return self.received(frame).map(Some);
            }
            let reason = format!("silent for {} s", silence.as_secs());
            return Err(End::ours(close_code::SILENT, reason));
        }
        // Of two that are not answered yet, the first is answered first.
        self.0.pinged_at.get_or_insert_with(Instant::now);
        self.send(Frame::Ping).await?;
        Ok(None)
    }

    async fn close(&mut self, close: Close) {
        if self.0.link.send(Frame::Close(close)).await.is_err() {
            return;
        }
        // The peer reads our reason only if its own last frames are taken off the wire.
        while let Some(Ok(_)) = self.0.link.receive().await {}
    }
}

impl<L: fmt::Debug> fmt::Debug for Connection<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { link, heard_at, .. } = &*self.0;
        let mut shown = f.debug_struct("Connection");
        shown.field("link", link).field("heard_at", heard_at).finish_non_exhaustive()
    }
}

fn server_stops() -> End {
    End::ours(close_code::GOING_AWAY, "the server stops")
}

impl<L> Drop for Inner<L> {
    fn drop(&mut self) {
        self.tally.connections.dec();
    }
}

/// Who is connected, in the words of the console: `(2): #1 10.0.0.7:50000, #4 10.0.0.9:50010`.
pub fn list_connected(all: impl ExactSizeIterator<Item = (impl Display, PeerAddress)>) -> String {
    let count = all.len();
    if count == 0 {
        return "(0)".to_owned();
    }
    let first = all.take(CONNECTIONS_LISTED_MAX);
    let mut list: Vec<String> = first.map(|(name, address)| format!("{name} {address}")).collect();
    if count > list.len() {
        list.push(format!("and {} more", count - list.len()));
    }
    format!("({count}): {}", list.join(", "))
}
