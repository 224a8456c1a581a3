//! The part that holds the socket and the state machine, and carries out what that decides.

use super::channel::Channel;
use super::kernels::{Kernels, Loaded, Source};
use super::slot::{Asked, Programs, Slot};
use super::socket::Socket;
use super::{log, log_error, now_ms, post, words};
use crate::digest::Digest;
use crate::worker::{Action, Event, Start, Worker};
use gloo_timers::callback::Timeout;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tequio_protocol::limits::{ASLEEP_AFTER, SLOT_RETRY, TELL_INTERVAL};
use tequio_protocol::page::{FromPage, ToPage};
use tequio_protocol::piece::{Piece, PieceResults};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

pub(super) fn start(scope: DedicatedWorkerGlobalScope) {
    let seed = (js_sys::Math::random() * 2f64.powi(53)) as u64;
    let agent = scope.navigator().user_agent().unwrap_or_default();
    let shell = Shell(Rc::new(RefCell::new(State {
        worker: Worker::new(&agent, seed),
        events: VecDeque::new(),
        url: None,
        socket: None,
        slots: Vec::new(),
        kernels: Kernels::default(),
        has_computed: false,
        channel: None,
        timeout: None,
        digest: Digest::default(),
        digest_timeout: None,
        ahead_ms: ahead_ms(&scope),
        scope: scope.clone(),
    })));
    shell.0.borrow_mut().channel = Channel::open({
        let shell = shell.clone();
        move |text| shell.happened(Event::Neighbour(text))
    });
    let listener = {
        let shell = shell.clone();
        post::listener(move |message| shell.hear_page(message))
    };
    scope.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // It listens as long as the worker lives, and is ended with it.
    listener.forget();
    // The others are started when there is something for them; this one now, so that the first
    // task need not wait, and that a program which does not start is told of at once.
    shell.0.borrow_mut().start_slot(0, None, Programs::BuiltIn, &shell);
    shell.carry_on();
    shell.0.borrow_mut().tell(ToPage::Ready, &shell);
}

/// The state machine and what it acts on; every listener holds one of these.
#[derive(Clone)]
pub(super) struct Shell(Rc<RefCell<State>>);

struct State {
    worker: Worker,
    /// Events that actions raise while they are carried out wait here for their turn.
    events: VecDeque<Event>,
    url: Option<String>,
    socket: Option<Socket>,
    /// None where nothing was to be computed yet, or since the last reset.
    slots: Vec<Option<Slot>>,
    kernels: Kernels,
    /// Whether any slot's program has ever started.
    has_computed: bool,
    /// None in browsers that have no such channels: then tabs do not know of each other.
    channel: Option<Channel>,
    timeout: Option<Timeout>,
    /// What the page is told when the timer fires, or before anything else.
    digest: Digest,
    digest_timeout: Option<Timeout>,
    /// How far the clock on the wall was ahead of the monotonic one.
    ahead_ms: f64,
    scope: DedicatedWorkerGlobalScope,
}

impl Shell {
    fn hear_page(&self, message: FromPage) {
        match message {
            FromPage::Start { url, worker, tab, kernels, allowance } => {
                let mut state = self.0.borrow_mut();
                if !kernels {
                    state.worker.compute_no_kernels();
                }
                state.url = Some(url);
                let tab = state.channel.is_some().then_some(tab);
                drop(state);
                self.happened(Event::Start(Start { worker, tab, allowance }));
            }
            FromPage::Allow { allowance } => self.happened(Event::Allow(allowance)),
            FromPage::Pause => self.happened(Event::Pause),
            FromPage::Finish => self.happened(Event::Finish),
            FromPage::Suspend => self.happened(Event::Suspend),
            FromPage::Resume => self.happened(Event::Resume),
            FromPage::RetryNow => self.happened(Event::RetryNow),
        }
    }

    pub(super) fn hear_slot(&self, slot: usize, answer: Vec<u8>) {
        if answer.is_empty() {
            return self.slot_listens(slot);
        }
        let began = self.0.borrow().now();
        let read = PieceResults::read(answer);
        let (results, duration_ms) = read.expect("results of our own read");
        self.happened(Event::Computed { slot, results, duration_ms });
        let mut state = self.0.borrow_mut();
        let cost = state.now().saturating_sub(began);
        state.worker.add_cost(slot, cost);
        state.set_timeout(self);
    }

    fn slot_listens(&self, slot: usize) {
        let mut state = self.0.borrow_mut();
        state.has_computed = true;
        let first_piece = state.slots[slot].as_mut().and_then(Slot::ready);
        if let Some(piece) = first_piece {
            state.events.push_back(Event::Began { slot });
            state.compute(slot, piece, self);
        }
        drop(state);
        self.carry_on();
    }

    /// A slot's program has trapped, or has not started. After a trap another is started for the
    /// next piece, since what an op leaves behind cannot be trusted. One that does not start is
    /// tried again where others have started: the server that it comes from may be away.
    pub(super) fn slot_broke(&self, slot: usize, reason: String) {
        let mut state = self.0.borrow_mut();
        let has_computed = state.has_computed;
        let Some(broken) = state.slots[slot].take() else { return };
        drop(state);
        if broken.is_ready() {
            self.happened(Event::ComputeFailed { slot, reason });
        } else if has_computed {
            self.start_slot_later(slot, broken.into_waiting());
        } else {
            let reason = format!("The compute worker did not start: {reason}");
            self.happened(Event::Unable { reason });
        }
    }

    /// What waited for a kernel begins.
    pub(super) fn kernel_loaded(&self, name: &str, kernel: &JsValue) {
        let mut state = self.0.borrow_mut();
        for (slot, piece) in state.kernels.loaded(name, kernel) {
            state.events.push_back(Event::Began { slot });
            state.compute(slot, piece, self);
        }
        drop(state);
        self.carry_on();
    }

    /// What waited for a kernel that cannot be had is given back.
    pub(super) fn kernel_failed(&self, name: &str, reason: &str) {
        let mut state = self.0.borrow_mut();
        for (slot, _) in state.kernels.failed(name) {
            let reason = format!("The code of this job cannot be loaded: {reason}");
            state.events.push_back(Event::CannotLoad { slot, reason });
        }
        drop(state);
        self.carry_on();
    }

    fn start_slot_later(&self, slot: usize, waiting: Option<Piece>) {
        let shell = self.clone();
        let timeout = Timeout::new(SLOT_RETRY.as_millis() as u32, move || {
            // It may have been started for something else meanwhile.
            let mut state = shell.0.borrow_mut();
            if state.slots[slot].as_ref().is_some_and(Slot::is_to_be_started) {
                let programs = Programs::of(waiting.as_ref());
                state.start_slot(slot, waiting, programs, &shell);
            }
            drop(state);
            shell.carry_on();
        });
        self.0.borrow_mut().slots[slot] = Some(Slot::later(timeout));
    }

    /// Feeds the state machine and carries out what it answers, until nothing is left to do.
    fn happened(&self, event: Event) {
        self.0.borrow_mut().events.push_back(event);
        self.carry_on();
    }

    fn carry_on(&self) {
        let mut state = self.0.borrow_mut();
        if state.was_asleep() {
            // What the old socket says is of no interest to the one that follows.
            state.events.retain(|event| !event.is_of_socket());
            state.events.push_front(Event::Resume);
        }
        while let Some(event) = state.events.pop_front() {
            let now = state.now();
            let unsent = state.socket.as_ref().map_or(0, Socket::unsent);
            state.worker.set_unsent(unsent);
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

    /// Whether the machine has slept since the last call. The monotonic clock may stand still
    /// meanwhile; the one on the wall does not.
    fn was_asleep(&mut self) -> bool {
        let before = std::mem::replace(&mut self.ahead_ms, ahead_ms(&self.scope));
        self.ahead_ms - before > ASLEEP_AFTER.as_secs_f64() * 1000.0
    }

    fn carry_out(&mut self, action: Action, shell: &Shell) {
        match action {
            Action::Connect => self.connect(shell),
            Action::Disconnect => self.socket = None,
            Action::Send(text) => self.send(&text),
            Action::Compute { slot, piece } => self.compute(slot, piece, shell),
            Action::Reset { slot } => {
                self.kernels.forget(slot);
                if let Some(slot) = self.slots.get_mut(slot) {
                    *slot = None;
                }
            }
            Action::Broadcast(text) => {
                if let Some(channel) = &self.channel {
                    channel.say(&text);
                }
            }
            Action::Tell(message) => self.tell(message, shell),
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

    fn compute(&mut self, slot: usize, piece: Piece, shell: &Shell) {
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        let programs = Programs::of(Some(&piece));
        let kernel = match piece.op.kernel() {
            Some(kernel) => {
                let socket = self.url.as_deref().unwrap_or_default();
                let from = Source { scope: &self.scope, socket, shell };
                match self.kernels.load(slot, &piece, kernel, &from) {
                    Loaded::Ready(kernel) => Some(kernel),
                    Loaded::Waits => return self.events.push_back(Event::Waits { slot }),
                }
            }
            None => None,
        };
        let Some(running) = self.slots[slot].as_mut().filter(|slot| slot.runs(programs)) else {
            return self.start_slot(slot, Some(piece), programs, shell);
        };
        match running.ask(piece, kernel.as_ref()) {
            Ok(Asked::Begins) => {}
            Ok(Asked::Waits) => self.events.push_back(Event::Waits { slot }),
            Err(reason) => self.events.push_back(Event::ComputeFailed { slot, reason }),
        }
    }

    fn start_slot(&mut self, slot: usize, first: Option<Piece>, programs: Programs, shell: &Shell) {
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        if first.is_some() {
            self.events.push_back(Event::Waits { slot });
        }
        match Slot::start(slot, first, programs, shell) {
            Ok(started) => self.slots[slot] = Some(started),
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

    /// Tells the page, and whoever reads the browser's console; of the slots not at once.
    fn tell(&mut self, message: ToPage, shell: &Shell) {
        if let Some(line) = console_line(&message) {
            log(&line);
        }
        if let Some(message) = self.digest.add(message) {
            self.tell_digest();
            self.post(&message);
        } else if self.digest_timeout.is_none() {
            let shell = shell.clone();
            let tell = move || shell.0.borrow_mut().tell_digest();
            self.digest_timeout = Some(Timeout::new(TELL_INTERVAL.as_millis() as u32, tell));
        }
    }

    fn tell_digest(&mut self) {
        self.digest_timeout = None;
        for message in self.digest.take() {
            self.post(&message);
        }
    }

    fn post(&self, message: &ToPage) {
        if let Err(error) = self.scope.post_message(&post::to_js(message)) {
            log_error(&format!("tequio: the page cannot be told: {}", words(&error)));
        }
    }
}

fn ahead_ms(scope: &DedicatedWorkerGlobalScope) -> f64 {
    js_sys::Date::now() - now_ms(scope)
}

fn console_line(message: &ToPage) -> Option<String> {
    match message {
        ToPage::Ready
        | ToPage::Idle { .. }
        | ToPage::Lent { .. }
        // There may be hundreds of these a second.
        | ToPage::Lease { .. }
        | ToPage::Results { .. }
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
        ToPage::Notice { text } | ToPage::Failed { text, .. } => Some(format!("⚠️ {text}")),
    }
}
