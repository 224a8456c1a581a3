//! One connection: frames of a link become events of the dispatcher, and its messages frames.
//!
//! A link is anything that carries WebSocket frames; a real one lives in [`crate::web`], a test
//! brings its own.

use crate::dispatcher::core::is_logged;
use crate::dispatcher::{Close, Dispatcher, FromWorker, Outbox, Outgoing, Peer, Stopped};
use std::time::Duration;
use tequio_protocol::ids::WorkerId;
use tequio_protocol::limits::{
    CLOSE_TIMEOUT, PING_INTERVAL, REFUSALS_MAX, SILENCE_MAX, WRITE_TIMEOUT,
};
use tequio_protocol::message::{
    ErrorCode, ErrorMessage, MessageKind, ReadError, ServerMessage, WorkerMessage, close_code,
};
use tequio_protocol::text::quote;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::warn;

/// A frame of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message, of which only the length matters: there are none in the protocol.
    Binary {
        /// Its length.
        bytes: usize,
    },
    /// A ping. The link answers those from there by itself.
    Ping,
    /// The answer to a ping.
    Pong,
    /// The closing frame.
    Close(Close),
}

/// Why a link can carry no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A message over [`FRAME_BYTES_MAX`](tequio_protocol::limits::FRAME_BYTES_MAX) arrived.
    #[error("a message over the limit: {0}")]
    TooBig(String),
    /// Text that is not UTF-8 arrived.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// Bytes that are no WebSocket frame arrived.
    #[error("no WebSocket frame: {0}")]
    Malformed(String),
    /// The connection broke.
    #[error("connection lost: {0}")]
    Lost(String),
}

/// What carries frames.
pub trait Link: Send {
    /// The next frame, or `None` when the link is closed. Cancelling loses nothing.
    fn receive(&mut self) -> impl Future<Output = Option<Result<Frame, LinkError>>> + Send;
    /// Sends a frame.
    fn send(&mut self, frame: Frame) -> impl Future<Output = Result<(), LinkError>> + Send;
}

/// Becomes `true` when the server stops.
pub type Stopping = watch::Receiver<bool>;

/// Serves one connection to its end.
pub async fn run(
    link: impl Link,
    peer: Peer,
    dispatcher: Dispatcher,
    stopping: Stopping,
) -> Result<(), Stopped> {
    let (worker, outbox) = dispatcher.connected(peer).await?;
    let mut session = Session {
        link,
        worker,
        dispatcher: dispatcher.clone(),
        pinged_at: None,
        noise: 0,
        refusals: 0,
    };
    let end = session.serve(outbox, stopping).await;
    let reason = session.finish(end).await;
    dispatcher.disconnected(worker, reason).await
}

struct Session<L> {
    link: L,
    worker: WorkerId,
    dispatcher: Dispatcher,
    /// When it sent the ping that is not answered yet.
    pinged_at: Option<Instant>,
    /// Messages that this session ignored or refused.
    noise: u64,
    /// Errors sent, this session's own and the dispatcher's.
    refusals: u64,
}

/// How a connection ends.
#[derive(Debug)]
enum End {
    /// The peer closes.
    Theirs(Close),
    /// We close, and tell the peer why.
    Ours(Close),
    /// There is nobody to tell.
    Lost(String),
}

impl End {
    fn ours(code: u16, reason: impl Into<String>) -> End {
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
            LinkError::Lost(reason) => End::Lost(format!("1006 connection lost: {reason}")),
        }
    }
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> End {
        End::ours(close_code::GOING_AWAY, "the server stops")
    }
}

impl<L: Link> Session<L> {
    async fn serve(&mut self, mut outbox: Outbox, mut stopping: Stopping) -> End {
        let mut ping = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        loop {
            let step = tokio::select! {
                frame = self.link.receive() => {
                    heard_at = Instant::now();
                    self.received(frame).await
                }
                message = outbox.recv() => self.deliver(message).await,
                _ = ping.tick() => self.check_silence(heard_at.elapsed()).await,
                () = stopped(&mut stopping) => Err(Stopped.into()),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn received(&mut self, frame: Option<Result<Frame, LinkError>>) -> Result<(), End> {
        match frame {
            Some(Ok(Frame::Text(text))) => self.read(&text).await,
            Some(Ok(Frame::Binary { bytes })) => {
                let message = format!("a binary frame of {bytes} bytes: messages are JSON text");
                self.log_noise(&format!("refused: {message}"));
                self.tell(FromWorker::Rubbish { is_strike: false }).await?;
                let code = ErrorCode::BinaryFrame;
                let refusal = ErrorMessage { code, message, task_id: None, lease: None };
                self.send(&ServerMessage::Error(refusal)).await
            }
            Some(Ok(Frame::Ping)) => self.tell(FromWorker::Nothing).await,
            Some(Ok(Frame::Pong)) => {
                // One that nobody asked for tells nothing of the way.
                let lag = self.pinged_at.take().map(|at| FromWorker::Pong(at.elapsed()));
                self.tell(lag.unwrap_or(FromWorker::Nothing)).await
            }
            Some(Ok(Frame::Close(close))) => Err(End::Theirs(close)),
            Some(Err(error)) => Err(error.into()),
            None => Err(End::Lost("1006 connection lost".to_owned())),
        }
    }

    async fn read(&mut self, text: &str) -> Result<(), End> {
        let Heard { event, answer, noise } = hear(text);
        if let Some(noise) = noise {
            self.log_noise(&noise);
        }
        self.tell(event).await?;
        match answer {
            Some(answer) => self.send(&answer).await,
            None => Ok(()),
        }
    }

    async fn tell(&mut self, event: FromWorker) -> Result<(), End> {
        Ok(self.dispatcher.heard(self.worker, event).await?)
    }

    fn log_noise(&mut self, line: &str) {
        self.noise += 1;
        if is_logged(self.noise) {
            warn!("[#{}] {line}", self.worker);
        }
    }

    async fn deliver(&mut self, outgoing: Option<Outgoing>) -> Result<(), End> {
        match outgoing {
            Some(Outgoing::Message(message)) => self.send(&message).await,
            Some(Outgoing::Close(close)) => Err(End::Ours(close)),
            None => Err(End::ours(close_code::SLOW, "messages wait, and nothing is read")),
        }
    }

    async fn check_silence(&mut self, silence: Duration) -> Result<(), End> {
        if silence > SILENCE_MAX {
            let reason = format!("silent for {} s", silence.as_secs());
            return Err(End::ours(close_code::SILENT, reason));
        }
        // Of two that are not answered yet, the first is answered first.
        self.pinged_at.get_or_insert_with(Instant::now);
        self.write(Frame::Ping).await
    }

    async fn send(&mut self, message: &ServerMessage) -> Result<(), End> {
        if matches!(message, ServerMessage::Error(_)) {
            self.refusals += 1;
            if self.refusals > REFUSALS_MAX {
                let reason = format!("more than {REFUSALS_MAX} messages that had to be refused");
                return Err(End::ours(close_code::NOISE, reason));
            }
        }
        self.write(Frame::Text(message.write())).await
    }

    async fn write(&mut self, frame: Frame) -> Result<(), End> {
        match timeout(WRITE_TIMEOUT, self.link.send(frame)).await {
            Ok(sent) => Ok(sent?),
            Err(_) => {
                let reason = format!("{} reads nothing", close_code::SLOW);
                Err(End::Lost(reason))
            }
        }
    }

    /// Closes the link as `end` asks, and says how it ended in the words of the console.
    async fn finish(&mut self, end: End) -> String {
        match end {
            End::Theirs(close) => {
                // The link answers the closing frame by itself, once it is asked for more.
                timeout(CLOSE_TIMEOUT, self.link.receive()).await.ok();
                describe(&close)
            }
            End::Lost(reason) => reason,
            End::Ours(close) => {
                let reason = describe(&close);
                // Whatever goes wrong in here, the link is dropped next, which ends it for good.
                timeout(CLOSE_TIMEOUT, self.close(close)).await.ok();
                reason
            }
        }
    }

    async fn close(&mut self, close: Close) {
        if self.link.send(Frame::Close(close)).await.is_err() {
            return;
        }
        // The peer reads our reason only if its own last frames are taken off the wire.
        while let Some(Ok(frame)) = self.link.receive().await {
            if matches!(frame, Frame::Close(_)) {
                return;
            }
        }
    }
}

/// What a text frame of a worker means.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What the dispatcher is told.
    pub event: FromWorker,
    /// What is answered at once.
    pub answer: Option<ServerMessage>,
    /// A line for the console, where something is wrong with it.
    pub noise: Option<String>,
}

/// Reads a text frame. What was not meant for us is ignored, which is never fatal; what was, and is
/// wrong, is answered.
pub fn hear(text: &str) -> Heard {
    let quiet = |event| Heard { event, answer: None, noise: None };
    match WorkerMessage::read(text) {
        Ok(WorkerMessage::Result(result)) => quiet(FromWorker::Result(result)),
        Ok(WorkerMessage::Hello(hello)) => quiet(FromWorker::Hello(hello)),
        Ok(WorkerMessage::Results(results)) => quiet(FromWorker::Results(results)),
        Ok(WorkerMessage::Failed(failed)) => quiet(FromWorker::Failed(failed)),
        Ok(WorkerMessage::Progress { lease }) => quiet(FromWorker::Progress(lease)),
        Ok(WorkerMessage::Release { lease }) => quiet(FromWorker::Release(lease)),
        Ok(WorkerMessage::Slots { n }) => quiet(FromWorker::Slots(n)),
        Ok(WorkerMessage::Heartbeat) => {
            Heard { event: FromWorker::Alive, answer: Some(ServerMessage::Heartbeat), noise: None }
        }
        Ok(WorkerMessage::Error(error)) => {
            let noise = Some(format!("says: {}", quote(&error.message)));
            Heard { event: FromWorker::Refused(error), answer: None, noise }
        }
        Err(ReadError::Invalid { kind, task_id, lease, reason }) => {
            let noise = Some(format!("refused: {reason}"));
            let refusal = ErrorMessage { code: code_of(kind), message: reason, task_id, lease };
            Heard {
                event: FromWorker::Rubbish { is_strike: is_answer(kind) },
                answer: Some(ServerMessage::Error(refusal)),
                noise,
            }
        }
        Err(error) => Heard {
            event: FromWorker::Rubbish { is_strike: false },
            answer: None,
            noise: Some(format!("ignored: {error}: {}", quote(text))),
        },
    }
}

fn code_of(kind: MessageKind) -> ErrorCode {
    match kind {
        MessageKind::Result | MessageKind::Results | MessageKind::Failed => ErrorCode::BadResult,
        MessageKind::Hello => ErrorCode::BadHello,
        _ => ErrorCode::BadMessage,
    }
}

/// Whether it is an answer to a lease, which no honest worker gets wrong.
fn is_answer(kind: MessageKind) -> bool {
    matches!(kind, MessageKind::Results | MessageKind::Failed)
}

/// Ends when the server stops.
pub async fn stopped(stopping: &mut Stopping) {
    // An error means that the server is gone altogether, which is as good a reason to stop.
    stopping.wait_for(|stopping| *stopping).await.ok();
}

/// A close code and its reason; where there is none, what the code means (RFC 6455, section 7.4.1).
fn describe(close: &Close) -> String {
    let meaning = match close.code {
        1000 => "normal closure",
        close_code::GOING_AWAY => "going away",
        1005 => "no status",
        _ => "no reason given",
    };
    match close.reason.as_str() {
        "" => format!("{} {meaning}", close.code),
        reason => format!("{} {}", close.code, quote(reason)),
    }
}
