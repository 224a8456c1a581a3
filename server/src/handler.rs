//! The handler of a worker's connection: what the worker sends becomes events of the dispatcher, and the
//! dispatcher's messages frames. It ends with the connection; a *session* is what a worker may go on with on its next
//! one, and the scheduler keeps it.

use crate::connection::{Close, Connection, End, Event, Frame, Link, Peer};
use crate::dispatcher::reactor::is_logged;
use crate::dispatcher::{Dispatcher, FromWorker, HowLeft, Outbox, Outgoing, Places, Stopped};
use crate::pace::Pace;
use futures_util::TryFutureExt;
use tequio_protocol::ids::WorkerId;
use tequio_protocol::limits::{ASIDE_BURST_MAX, ASIDE_PACE, REFUSALS_MAX, SILENCE_MAX};
use tequio_protocol::message::{
    ErrorCode, ErrorMessage, MessageKind, ReadError, ServerMessage, WorkerMessage, close_code,
};
use tequio_protocol::text::quote;
use tokio::time::Instant;
use tracing::warn;

/// Serves one connection to its end.
pub async fn run(
    connection: Connection<impl Link>,
    peer: Peer,
    dispatcher: Dispatcher,
) -> Result<(), Stopped> {
    let (worker, outbox) = dispatcher.connected(peer).await?;
    let mut handler = Handler {
        connection,
        worker,
        dispatcher: dispatcher.clone(),
        places: Places::default(),
        noise: 0,
        refusals: 0,
        pace: Pace::new(ASIDE_BURST_MAX, ASIDE_PACE, Instant::now()),
        unread_until: None,
    };
    let end = handler.serve(outbox).await;
    let how = how_left(&end);
    let reason = handler.connection.finish(end).await;
    dispatcher.disconnected(worker, reason, how).await
}

/// A page that is closed says so, since its browser does.
fn how_left(end: &End) -> HowLeft {
    match end {
        End::Theirs(Close { code: close_code::GOING_AWAY, .. }) => HowLeft::Closed,
        _ => HowLeft::Broken,
    }
}

struct Handler<L> {
    connection: Connection<L>,
    worker: WorkerId,
    dispatcher: Dispatcher,
    places: Places,
    /// Messages that this handler ignored or refused.
    noise: u64,
    /// Errors sent, this handler's own and the dispatcher's.
    refusals: u64,
    /// Of messages that carry no results.
    pace: Pace,
    /// Until when nothing is read, since there were too many of these.
    unread_until: Option<Instant>,
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> End {
        End::ours(close_code::GOING_AWAY, "the server stops")
    }
}

impl<L: Link> Handler<L> {
    async fn serve(&mut self, mut outbox: Outbox) -> End {
        loop {
            let step = tokio::select! {
                event = self.connection.next(), if self.unread_until.is_none() => match event {
                    Ok(event) => self.received(event).await,
                    Err(end) => Err(end),
                },
                () = sleep_until(self.unread_until), if self.unread_until.is_some() => {
                    self.unread_until = None;
                    Ok(())
                }
                message = outbox.recv() => self.deliver(message).await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn received(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Text(text) => self.read(text).await,
            Event::Binary(bytes) => {
                let message =
                    format!("a binary frame of {} bytes: messages are JSON text", bytes.len());
                self.log_noise(&format!("refused: {message}"));
                self.tell(FromWorker::Rubbish { is_strike: false }).await?;
                let code = ErrorCode::BinaryFrame;
                let refusal = ErrorMessage { code, message, task_id: None, lease: None };
                self.send(&ServerMessage::Error(refusal)).await
            }
            // One that nobody asked for tells nothing of the way.
            Event::Ping | Event::Pong(None) => self.tell(FromWorker::Nothing).await,
            Event::Pong(Some(lag)) => self.tell(FromWorker::Pong(lag)).await,
        }
    }

    async fn read(&mut self, text: String) -> Result<(), End> {
        let Meaning { event, answer, noise } = interpret(&text);
        // Not kept while this waits for the dispatcher.
        drop(text);
        if let Some(noise) = noise {
            self.log_noise(&noise);
        }
        if matches!(event, FromWorker::Message(WorkerMessage::Hello(_))) {
            // Who speaks lease mode computes beside what answers pings.
            self.connection.limit_silence(SILENCE_MAX);
        }
        self.tell(event).await?;
        match answer {
            Some(answer) => self.send(&answer).await,
            None => Ok(()),
        }
    }

    /// No `async fn`: that would keep the event twice.
    fn tell(&mut self, event: FromWorker) -> impl Future<Output = Result<(), End>> {
        if !carries_results(&event) {
            let now = Instant::now();
            self.pace.take(now);
            self.unread_until = Some(self.pace.next_at(now)).filter(|at| *at > now);
        }
        self.dispatcher.received(self.worker, &self.places, event).err_into()
    }

    fn log_noise(&mut self, line: &str) {
        self.noise += 1;
        if is_logged(self.noise) {
            warn!("[#{}] {line}", self.worker);
        }
    }

    async fn deliver(&mut self, outgoing: Option<Outgoing>) -> Result<(), End> {
        match outgoing {
            Some(Outgoing::Message(message)) => {
                if matches!(&*message, ServerMessage::Welcome(welcome) if welcome.resumed) {
                    self.connection.vouch();
                }
                self.send(&message).await
            }
            Some(Outgoing::Close(close)) => Err(End::Ours(*close)),
            None => Err(End::ours(close_code::SLOW, "messages wait, and nothing is read")),
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> Result<(), End> {
        if matches!(message, ServerMessage::Error(_)) {
            self.refusals += 1;
            if self.refusals > REFUSALS_MAX {
                let reason = format!("more than {REFUSALS_MAX} messages that had to be refused");
                return Err(End::ours(close_code::NOISE, reason));
            }
        }
        self.connection.send(Frame::Text(message.write())).await
    }
}

/// Whether it is what a worker is there for, and is never slowed.
fn carries_results(event: &FromWorker) -> bool {
    let FromWorker::Message(message) = event else { return false };
    matches!(
        message,
        WorkerMessage::Result(_) | WorkerMessage::Results(_) | WorkerMessage::Failed(_)
    )
}

async fn sleep_until(at: Option<Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}

/// What a text frame of a worker means.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    /// What the dispatcher is told.
    pub event: FromWorker,
    /// What is answered at once.
    pub answer: Option<ServerMessage>,
    /// A line for the console, where something is wrong with it.
    pub noise: Option<String>,
}

/// Reads a text frame. What was not meant for us is ignored, which is never fatal; what was, and is
/// wrong, is answered.
pub fn interpret(text: &str) -> Meaning {
    match WorkerMessage::read(text) {
        Ok(message) => {
            let is_heartbeat = matches!(message, WorkerMessage::Heartbeat);
            let noise = match &message {
                WorkerMessage::Error(error) => Some(format!("says: {}", quote(&error.message))),
                _ => None,
            };
            let answer = is_heartbeat.then_some(ServerMessage::Heartbeat);
            Meaning { event: FromWorker::Message(message), answer, noise }
        }
        Err(ReadError::Invalid { kind, task_id, lease, reason }) => {
            let noise = Some(format!("refused: {reason}"));
            let refusal = ErrorMessage { code: code_of(kind), message: reason, task_id, lease };
            Meaning {
                event: FromWorker::Rubbish { is_strike: is_answer(kind) },
                answer: Some(ServerMessage::Error(refusal)),
                noise,
            }
        }
        Err(error) => Meaning {
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
