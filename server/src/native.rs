//! A worker without a browser: the state machine of `tequio_worker` over a native socket, with a
//! thread for each slot.
//!
//! A thread cannot be ended in the middle of what it computes, as a browser's worker can: one that
//! hangs is left to itself, and another takes its slot.

use crate::connect::{Address, broken, connect, read};
use crate::connection::Close;
use crate::engine;
use futures_util::{SinkExt, StreamExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc as sync_mpsc;
use std::time::Duration;
use tequio_protocol::limits::CLOSE_TIMEOUT;
use tequio_protocol::message::close_code;
use tequio_protocol::page::{Allowance, ToPage};
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_worker::worker::{Action, Event, Start, Worker};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

/// What a native worker is.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server's socket, `ws://` or `wss://`.
    pub server: Address,
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
    /// The server wants no more of it, or it cannot compute; and why.
    Failed(String),
}

/// How a native worker calls itself, as a browser does with `navigator.userAgent`.
pub fn agent() -> String {
    let (version, os, arch) =
        (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    format!("tequio/{version} ({os}; {arch})")
}

/// Works until `stop` ends or the server turns it away; `tell` hears what a page would.
pub async fn run(
    config: Config,
    mut tell: impl FnMut(&ToPage),
    stop: impl Future<Output = ()>,
) -> End {
    let (happens, mut happened) = mpsc::unbounded_channel();
    let mut worker = Worker::new(&agent(), config.seed);
    let mut shell =
        Shell { server: config.server, slots: Vec::new(), happens, socket: None, births: 0 };
    let origin = Instant::now();
    let mut event = Event::Start(Start {
        worker: Some(format!("{:016x}", config.seed)),
        tab: None,
        allowance: Allowance { cores: config.slots, share_percent: 100 },
    });
    tokio::pin!(stop);
    loop {
        worker.set_unsent(shell.unsent());
        for action in worker.handle(event, origin.elapsed()) {
            match action {
                Action::Tell(ToPage::Failed { text, .. }) => return End::Failed(text),
                Action::Tell(message) => tell(&message),
                action => shell.carry_out(action),
            }
        }
        let timeout = worker.next_timeout().map(|at| origin + at);
        event = loop {
            tokio::select! {
                Some((source, event)) = happened.recv() => {
                    if shell.is_current(source) {
                        break event;
                    }
                }
                () = sleep_until(timeout) => break Event::Timeout,
                () = &mut stop => {
                    shell.close().await;
                    return End::Stopped;
                }
            }
        };
    }
}

/// What happened, and to whom.
type Happens = mpsc::UnboundedSender<(Source, Event)>;

/// Sockets and slots are numbered by their birth: what an old one still says is of no interest.
#[derive(Clone, Copy, Debug)]
enum Source {
    Socket { birth: u64 },
    Slot { slot: usize, birth: u64 },
}

struct Shell {
    server: Address,
    slots: Vec<Option<Slot>>,
    happens: Happens,
    socket: Option<Socket>,
    births: u64,
}

struct Slot {
    birth: u64,
    pieces: sync_mpsc::Sender<Piece>,
    /// Set when nobody waits for it any more: a kernel stops then.
    stop: Arc<AtomicBool>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Socket {
    birth: u64,
    frames: mpsc::UnboundedSender<Message>,
    /// Bytes of frames that are not sent yet.
    unsent: Arc<AtomicUsize>,
    /// Connects, sends and receives; ends when aborted.
    task: JoinHandle<()>,
}

impl Shell {
    fn is_current(&self, source: Source) -> bool {
        match source {
            Source::Socket { birth } => {
                self.socket.as_ref().is_some_and(|socket| socket.birth == birth)
            }
            Source::Slot { slot, birth } => {
                self.slots[slot].as_ref().is_some_and(|slot| slot.birth == birth)
            }
        }
    }

    fn unsent(&self) -> usize {
        self.socket.as_ref().map_or(0, |socket| socket.unsent.load(Ordering::Relaxed))
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect => self.connect(),
            Action::Disconnect => self.disconnect(),
            Action::Send(text) => self.send(Message::text(text)),
            Action::Compute { slot, piece } => self.compute(slot, piece),
            Action::Reset { slot } => {
                if let Some(slot) = self.slots.get_mut(slot) {
                    *slot = None;
                }
            }
            // There are no other tabs, and what is to be told is told by whoever runs this.
            Action::Broadcast(_) | Action::Tell(_) => {}
        }
    }

    fn birth(&mut self) -> u64 {
        self.births += 1;
        self.births
    }

    fn compute(&mut self, slot: usize, piece: Piece) {
        let birth = self.birth();
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        if self.slots[slot].is_none() {
            let stop = Arc::<AtomicBool>::default();
            match start_slot(slot, birth, self.happens.clone(), stop.clone()) {
                Ok(pieces) => self.slots[slot] = Some(Slot { birth, pieces, stop }),
                Err(error) => return self.unable(slot, format!("no thread for a slot: {error}")),
            }
        }
        let sent = self.slots[slot].as_ref().map(|slot| slot.pieces.send(piece).is_ok());
        if sent != Some(true) {
            self.unable(slot, "a slot's thread is gone".to_owned());
        }
    }

    fn unable(&mut self, slot: usize, reason: String) {
        let (birth, (pieces, _)) = (self.birth(), sync_mpsc::channel());
        self.slots[slot] = Some(Slot { birth, pieces, stop: Arc::default() });
        // The receiver is held by whoever runs this.
        self.happens.send((Source::Slot { slot, birth }, Event::Unable { reason })).ok();
    }

    fn connect(&mut self) {
        self.disconnect();
        let (frames, to_send) = mpsc::unbounded_channel();
        let (server, birth, happens) = (self.server.clone(), self.birth(), self.happens.clone());
        let unsent = Arc::new(AtomicUsize::new(0));
        let left = unsent.clone();
        let task = tokio::spawn(async move {
            let tell = |event| happens.send((Source::Socket { birth }, event)).is_ok();
            let Close { code, reason } = serve(&server, to_send, &left, &tell).await;
            tell(Event::Closed { code, reason });
        });
        self.socket = Some(Socket { birth, frames, unsent, task });
    }

    fn disconnect(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.task.abort();
        }
    }

    fn send(&self, frame: Message) {
        // A socket that is gone has said so, and its event is on its way.
        if let Some(socket) = &self.socket {
            socket.unsent.fetch_add(frame.len(), Ordering::Relaxed);
            socket.frames.send(frame).ok();
        }
    }

    /// Says goodbye, if there is somebody to say it to.
    async fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::Away, reason: "the worker stops".into() };
        self.send(Message::Close(Some(frame)));
        if let Some(socket) = self.socket.take() {
            drop(socket.frames);
            // A server that does not answer is left without.
            tokio::time::timeout(CLOSE_TIMEOUT, socket.task).await.ok();
        }
    }
}

/// Connects, sends and receives until the connection ends; says how.
async fn serve(
    server: &Address,
    mut to_send: mpsc::UnboundedReceiver<Message>,
    unsent: &AtomicUsize,
    tell: &impl Fn(Event) -> bool,
) -> Close {
    let socket = match connect(server).await {
        Ok(socket) => socket,
        Err(error) => {
            return Close { code: close_code::ABNORMAL, reason: error.to_string() };
        }
    };
    tell(Event::Opened);
    // Each on its own: a server that waits for its frames to be read may read nothing meanwhile.
    let (mut sink, mut frames) = socket.split();
    let sending = async {
        while let Some(frame) = to_send.recv().await {
            let bytes = frame.len();
            if let Err(error) = sink.send(frame).await {
                return broken(&error);
            }
            unsent.fetch_sub(bytes, Ordering::Relaxed);
        }
        // Nobody sends any more; what still arrives says how it ends.
        std::future::pending().await
    };
    let receiving = async {
        loop {
            match read(frames.next().await) {
                Ok(Message::Text(text)) => drop(tell(Event::Text(text.as_str().to_owned()))),
                Ok(Message::Binary(bytes)) => drop(tell(Event::Binary { bytes: bytes.len() })),
                Ok(_) => {}
                Err(closed) => return closed,
            }
        }
    };
    tokio::select! {
        closed = sending => closed,
        closed = receiving => closed,
    }
}

/// A thread that computes one piece after another, until nobody can send it any.
fn start_slot(
    slot: usize,
    birth: u64,
    happens: Happens,
    stop: Arc<AtomicBool>,
) -> std::io::Result<sync_mpsc::Sender<Piece>> {
    let (pieces, to_compute) = sync_mpsc::channel::<Piece>();
    std::thread::Builder::new().name(format!("slot {slot}")).spawn(move || {
        engine::stop_at(stop);
        for piece in to_compute {
            let began = std::time::Instant::now();
            let compute = || piece.try_compute().map(PieceResults::new);
            let computed = catch_unwind(AssertUnwindSafe(compute));
            let event = match computed {
                Ok(Ok(Some(results))) => {
                    let duration_ms = began.elapsed().as_secs_f64() * 1000.0;
                    Event::Computed { slot, results, duration_ms }
                }
                Ok(Ok(None)) => Event::ComputeFailed { slot, reason: "an empty piece".to_owned() },
                Ok(Err(gave_up)) => Event::ComputeFailed { slot, reason: gave_up.to_string() },
                Err(_) => Event::ComputeFailed { slot, reason: "the op panicked".to_owned() },
            };
            if happens.send((Source::Slot { slot, birth }, event)).is_err() {
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
