//! The part that holds the socket and the state machine, and carries out what that decides.

use super::socket::Socket;
use super::{COMPUTE, log, log_error, now_ms, post};
use crate::worker::{Action, Event, Worker};
use gloo_timers::callback::Timeout;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tequio_protocol::page::{FromCompute, FromPage, ToCompute, ToPage};
use tequio_protocol::piece::Piece;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, ErrorEvent, MessageEvent, WorkerOptions, WorkerType};

/// Tasks that a tab computes at once: until its person can say how many cores it lends, one.
const SLOTS: usize = 1;

pub(super) fn start(scope: DedicatedWorkerGlobalScope) {
    let seed = (js_sys::Math::random() * 2f64.powi(53)) as u64;
    let agent = scope.navigator().user_agent().unwrap_or_default();
    let shell = Shell(Rc::new(RefCell::new(State {
        worker: Worker::new(&agent, SLOTS as u32, seed),
        events: VecDeque::new(),
        url: None,
        socket: None,
        computes: (0..SLOTS).map(|_| None).collect(),
        timeout: None,
        scope: scope.clone(),
    })));
    let listener = {
        let shell = shell.clone();
        post::listener(move |message| shell.hear_page(message))
    };
    scope.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // It listens as long as the worker lives, and is ended with it.
    listener.forget();
    for slot in 0..SLOTS {
        shell.0.borrow_mut().start_compute(slot, &shell);
    }
    shell.0.borrow().tell(&ToPage::Ready);
}

#[derive(Clone)]
struct Shell(Rc<RefCell<State>>);

struct State {
    worker: Worker,
    /// Events that actions raise while they are carried out wait here for their turn.
    events: VecDeque<Event>,
    url: Option<String>,
    socket: Option<Socket>,
    /// One a slot; none where it could not be started.
    computes: Vec<Option<Compute>>,
    timeout: Option<Timeout>,
    scope: DedicatedWorkerGlobalScope,
}

impl Shell {
    fn hear_page(&self, message: FromPage) {
        match message {
            FromPage::Start { url, worker, .. } => {
                self.0.borrow_mut().url = Some(url);
                self.happened(Event::Start { worker });
            }
            FromPage::RetryNow => self.happened(Event::RetryNow),
            _ => {}
        }
    }

    fn hear_compute(&self, slot: usize, message: FromCompute) {
        match message {
            FromCompute::Ready => {
                let mut state = self.0.borrow_mut();
                let first_piece = state.computes[slot].as_mut().and_then(Compute::ready);
                if let Some(piece) = first_piece {
                    state.compute(slot, &piece);
                }
            }
            FromCompute::Computed { results, duration_ms } => {
                self.happened(Event::Computed { slot, results, duration_ms });
            }
        }
    }

    /// A compute worker has trapped, or its script did not load. The former is replaced, since
    /// what an op leaves behind after a trap cannot be trusted; the latter would fail again.
    fn compute_broke(&self, slot: usize, event: &ErrorEvent) {
        let reason = event.message();
        let mut state = self.0.borrow_mut();
        let was_ready = state.computes[slot].take().is_some_and(|compute| compute.is_ready);
        if was_ready {
            state.start_compute(slot, self);
        } else {
            let reason = format!("The compute worker did not start: {reason}");
            state.events.push_back(Event::Unable { reason });
        }
        drop(state);
        self.happened(Event::ComputeFailed { slot, reason });
    }

    /// Feeds the state machine and carries out what it answers, until nothing is left to do.
    fn happened(&self, event: Event) {
        let mut state = self.0.borrow_mut();
        state.events.push_back(event);
        while let Some(event) = state.events.pop_front() {
            let now = state.now();
            for action in state.worker.handle(event, now) {
                state.carry_out(action, self);
            }
        }
        state.set_timeout(self);
    }
}

impl State {
    fn now(&self) -> Duration {
        Duration::from_secs_f64(now_ms(&self.scope).max(0.0) / 1000.0)
    }

    fn carry_out(&mut self, action: Action, shell: &Shell) {
        match action {
            Action::Connect => self.connect(shell),
            Action::Disconnect => self.socket = None,
            Action::Send(text) => self.send(&text),
            Action::Compute { slot, piece } => self.compute(slot, &piece),
            Action::Tell(message) => self.tell(&message),
        }
    }

    fn connect(&mut self, shell: &Shell) {
        let url = self.url.clone().unwrap_or_default();
        let tell = {
            let shell = shell.clone();
            move |event| shell.happened(event)
        };
        match Socket::open(&url, tell) {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => {
                let reason = format!("{url} cannot be opened: {}", words(&error));
                self.events.push_back(Event::Closed { code: 1006, reason });
            }
        }
    }

    /// A socket that cannot be sent on is closing, and its `close` event is on its way.
    fn send(&self, text: &str) {
        match self.socket.as_ref().map(|socket| socket.send(text)) {
            Some(Ok(())) => {}
            Some(Err(error)) => log_error(&format!("tequio: not sent: {}", words(&error))),
            None => log_error("tequio: not sent: there is no socket"),
        }
    }

    fn compute(&mut self, slot: usize, piece: &Piece) {
        let asked = match &mut self.computes[slot] {
            Some(compute) => compute.ask(piece),
            None => Err("there is no compute worker; reload the page".to_owned()),
        };
        if let Err(reason) = asked {
            self.events.push_back(Event::ComputeFailed { slot, reason });
        }
    }

    fn start_compute(&mut self, slot: usize, shell: &Shell) {
        match Compute::start(slot, &self.scope, shell) {
            Ok(compute) => self.computes[slot] = Some(compute),
            Err(error) => {
                let reason = format!("The compute worker did not start: {}", words(&error));
                self.events.push_back(Event::Unable { reason });
            }
        }
    }

    fn set_timeout(&mut self, shell: &Shell) {
        // Replacing the old one cancels it.
        self.timeout = self.worker.next_timeout().map(|at| {
            let wait_ms = at.saturating_sub(self.now()).as_secs_f64() * 1000.0;
            let shell = shell.clone();
            Timeout::new(wait_ms.ceil() as u32, move || shell.happened(Event::Timeout))
        });
    }

    /// Tells the page, and whoever reads the browser's console.
    fn tell(&self, message: &ToPage) {
        if let Some(line) = console_line(message) {
            log(&line);
        }
        if let Err(error) = self.scope.post_message(&post::to_js(message)) {
            log_error(&format!("tequio: the page cannot be told: {}", words(&error)));
        }
    }
}

/// A compute worker. What is posted to it before it is ready would be lost, so the first piece
/// waits here.
struct Compute {
    worker: web_sys::Worker,
    is_ready: bool,
    waiting: Option<Piece>,
    // Held because the browser calls them.
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Compute {
    fn start(
        slot: usize,
        scope: &DedicatedWorkerGlobalScope,
        shell: &Shell,
    ) -> Result<Compute, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(COMPUTE);
        // The script that started this worker starts every part.
        let worker = web_sys::Worker::new_with_options(&scope.location().href(), &options)?;
        let message = {
            let shell = shell.clone();
            post::listener(move |message| shell.hear_compute(slot, message))
        };
        let error = {
            let shell = shell.clone();
            Closure::new(move |event: ErrorEvent| {
                event.prevent_default();
                shell.compute_broke(slot, &event);
            })
        };
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        Ok(Compute { worker, is_ready: false, waiting: None, _message: message, _error: error })
    }

    fn ready(&mut self) -> Option<Piece> {
        self.is_ready = true;
        self.waiting.take()
    }

    fn ask(&mut self, piece: &Piece) -> Result<(), String> {
        if self.is_ready {
            let message = post::to_js(&ToCompute::Compute { piece: piece.write() });
            self.worker.post_message(&message).map_err(|error| words(&error))
        } else {
            self.waiting = Some(piece.clone());
            Ok(())
        }
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn console_line(message: &ToPage) -> Option<String> {
    match message {
        ToPage::Ready
        | ToPage::Idle { .. }
        | ToPage::Lent { .. }
        | ToPage::Connecting { attempt: 1 } => None,
        ToPage::Paused => Some("⏸️ Paused".to_owned()),
        ToPage::Connecting { attempt } => Some(format!("🔄 Reconnecting (attempt {attempt})")),
        ToPage::Connected => Some("✅ Connected".to_owned()),
        ToPage::Disconnected { reason, retry_in_ms } => {
            Some(format!("❌ Closed: {reason}; next attempt in {:.1} s", retry_in_ms / 1000.0))
        }
        ToPage::Task { task_id, text, .. } => Some(format!("🧮 Task received: {task_id}: {text}")),
        ToPage::Result { task_id, result, .. } => {
            Some(format!("📤 Result sent: {task_id}: {result}"))
        }
        ToPage::Lease { job, first, count, .. } => {
            Some(format!("🧮 Lease received: {count} tasks of job {job} from {first}"))
        }
        ToPage::Results { job, last, count, .. } => {
            Some(format!("📤 Results sent: {count} of job {job} up to {last}"))
        }
        ToPage::Notice { text } | ToPage::Failed { text, .. } => Some(format!("⚠️ {text}")),
    }
}

/// What a thrown value says.
fn words(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}
