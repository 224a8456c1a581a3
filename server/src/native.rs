//! A worker without a browser: the state machine of `tequio_worker` over a native socket, with a
//! thread for each slot.

use futures_util::{SinkExt, StreamExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc as sync_mpsc;
use std::time::Duration;
use tequio_protocol::limits::{FRAME_BYTES_MAX, SOCKET_READ_BUFFER_BYTES};
use tequio_protocol::page::ToPage;
use tequio_protocol::piece::Piece;
use tequio_worker::worker::{Action, Event, Worker};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, protocol::CloseFrame};

/// What a native worker is.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server's socket, `ws://` or `wss://`.
    pub url: String,
    /// Tasks that it computes at once, at least 1.
    pub slots: u32,
    /// What its reconnection delays and its name follow from.
    pub seed: u64,
}

/// Why a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was asked to.
    Stopped,
    /// The server wants no more of it, and why.
    TurnedAway(String),
}

/// How a native worker calls itself, as a browser does with `navigator.userAgent`.
pub fn agent() -> String {
    let (version, os, arch) =
        (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    format!("tequio/{version} ({os}; {arch})")
}

/// Works until `stop` ends or the server turns it away; `tell` hears what a page would.
///
/// Errs where a thread cannot be started.
pub async fn run(
    config: Config,
    mut tell: impl FnMut(&ToPage),
    stop: impl Future<Output = ()>,
) -> std::io::Result<End> {
    let (happens, mut happened) = mpsc::unbounded_channel();
    let slots = (0..config.slots as usize)
        .map(|slot| start_slot(slot, happens.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut worker = Worker::new(&agent(), config.slots, config.seed);
    let mut shell = Shell { url: config.url, slots, happens, socket: None, connections: 0 };
    let origin = Instant::now();
    let mut event = Event::Start { worker: Some(format!("{:016x}", config.seed)) };
    tokio::pin!(stop);
    loop {
        for action in worker.handle(event, origin.elapsed()) {
            match action {
                Action::Tell(ToPage::Failed { text, .. }) => return Ok(End::TurnedAway(text)),
                Action::Tell(message) => tell(&message),
                action => shell.carry_out(action),
            }
        }
        let timeout = worker.next_timeout().map(|at| origin + at);
        event = loop {
            tokio::select! {
                Some((connection, event)) = happened.recv() => {
                    // What an old socket still says is of no interest.
                    if connection.is_none_or(|connection| connection == shell.connections) {
                        break event;
                    }
                }
                () = sleep_until(timeout) => break Event::Timeout,
                () = &mut stop => {
                    shell.close().await;
                    return Ok(End::Stopped);
                }
            }
        };
    }
}

/// What happened, and on which connection if on one.
type Happens = mpsc::UnboundedSender<(Option<u64>, Event)>;

struct Shell {
    url: String,
    slots: Vec<sync_mpsc::Sender<Piece>>,
    happens: Happens,
    /// Frames to send, and the task that connects, sends and receives; it ends when aborted.
    socket: Option<(mpsc::UnboundedSender<Message>, JoinHandle<()>)>,
    connections: u64,
}

impl Shell {
    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect => self.connect(),
            Action::Disconnect => self.disconnect(),
            Action::Send(text) => self.send(Message::text(text)),
            Action::Compute { slot, piece } => {
                if self.slots[slot].send(piece).is_err() {
                    let reason = "the slot's thread is gone".to_owned();
                    // The receiver is held by whoever runs this.
                    self.happens.send((None, Event::ComputeFailed { slot, reason })).ok();
                }
            }
            Action::Tell(_) => {}
        }
    }

    fn connect(&mut self) {
        self.disconnect();
        self.connections += 1;
        let (frames, to_send) = mpsc::unbounded_channel();
        let (url, connection, happens) = (self.url.clone(), self.connections, self.happens.clone());
        let task = tokio::spawn(async move {
            let tell = |event| happens.send((Some(connection), event)).is_ok();
            let (code, reason) = serve(&url, to_send, &tell).await;
            tell(Event::Closed { code, reason });
        });
        self.socket = Some((frames, task));
    }

    fn disconnect(&mut self) {
        if let Some((_, task)) = self.socket.take() {
            task.abort();
        }
    }

    fn send(&self, frame: Message) {
        // A socket that is gone has said so, and its event is on its way.
        if let Some((frames, _)) = &self.socket {
            frames.send(frame).ok();
        }
    }

    /// Says goodbye, if there is somebody to say it to.
    async fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::Away, reason: "the worker stops".into() };
        self.send(Message::Close(Some(frame)));
        if let Some((frames, task)) = self.socket.take() {
            drop(frames);
            let task = tokio::time::timeout(tequio_protocol::limits::CLOSE_TIMEOUT, task);
            // A server that does not answer is left without.
            task.await.ok();
        }
    }
}

/// Connects, sends and receives until the connection ends; gives its close code and reason.
async fn serve(
    url: &str,
    mut to_send: mpsc::UnboundedReceiver<Message>,
    tell: &impl Fn(Event) -> bool,
) -> (u16, String) {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
        .read_buffer_size(SOCKET_READ_BUFFER_BYTES);
    let socket = match connect_async_with_config(url, Some(limits), true).await {
        Ok((socket, _)) => socket,
        Err(error) => return (ABNORMAL, words(&error)),
    };
    tell(Event::Opened);
    // Each on its own: a server that waits for its frames to be read may read nothing meanwhile.
    let (mut sink, mut frames) = socket.split();
    let sending = async {
        while let Some(frame) = to_send.recv().await {
            if let Err(error) = sink.send(frame).await {
                return (ABNORMAL, words(&error));
            }
        }
        // Nobody sends any more; what still arrives says how it ends.
        std::future::pending().await
    };
    let receiving = async {
        loop {
            match read(frames.next().await) {
                Ok(Some(event)) => drop(tell(event)),
                Ok(None) => {}
                Err(closed) => return closed,
            }
        }
    };
    tokio::select! {
        closed = sending => closed,
        closed = receiving => closed,
    }
}

/// What browsers say of a connection that ended without a closing frame.
const ABNORMAL: u16 = 1006;

/// The event of a frame, if it is one; or how the connection closed.
fn read(
    frame: Option<Result<Message, tungstenite::Error>>,
) -> Result<Option<Event>, (u16, String)> {
    match frame {
        Some(Ok(Message::Text(text))) => Ok(Some(Event::Text(text.as_str().to_owned()))),
        Some(Ok(Message::Binary(bytes))) => Ok(Some(Event::Binary { bytes: bytes.len() })),
        Some(Ok(Message::Close(Some(close)))) => {
            Err((close.code.into(), close.reason.as_str().to_owned()))
        }
        Some(Ok(Message::Close(None))) => Err((1005, String::new())),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err((ABNORMAL, words(&error))),
        None => Err((ABNORMAL, String::new())),
    }
}

fn words(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Io(error) => error.to_string(),
        tungstenite::Error::Http(response) => {
            let said = response.body().as_deref().map(String::from_utf8_lossy);
            format!("{} {}", response.status(), said.unwrap_or_default())
        }
        error => error.to_string(),
    }
}

/// A thread that computes one piece after another, until nobody can send it any.
fn start_slot(slot: usize, happens: Happens) -> std::io::Result<sync_mpsc::Sender<Piece>> {
    let (pieces, to_compute) = sync_mpsc::channel::<Piece>();
    std::thread::Builder::new().name(format!("slot {slot}")).spawn(move || {
        for piece in to_compute {
            let began = std::time::Instant::now();
            let computed = catch_unwind(AssertUnwindSafe(|| piece.compute()));
            let event = match computed {
                Ok(results) => {
                    let duration_ms = began.elapsed().as_secs_f64() * 1000.0;
                    Event::Computed { slot, results, duration_ms }
                }
                Err(_) => Event::ComputeFailed { slot, reason: "the op panicked".to_owned() },
            };
            if happens.send((None, event)).is_err() {
                return;
            }
        }
    })?;
    Ok(pieces)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        // A timer may fire a little early, and is then asked for again.
        Some(at) => tokio::time::sleep_until(at + Duration::from_millis(1)).await,
        None => std::future::pending().await,
    }
}
