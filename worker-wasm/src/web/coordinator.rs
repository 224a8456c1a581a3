//! The part that holds the socket and the state machine, and carries out what that decides.

use super::socket::Socket;
use super::{COMPUTE, log, log_error, now_ms, post};
use crate::worker::{Action, Event, Worker};
use gloo_timers::callback::Timeout;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tequio_protocol::op::RepeatMultiply;
use tequio_protocol::page::{FromCompute, FromPage, ToCompute, ToPage};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, ErrorEvent, MessageEvent, WorkerOptions, WorkerType};

pub(super) fn start(scope: DedicatedWorkerGlobalScope) {
    let seed = (js_sys::Math::random() * 2f64.powi(53)) as u64;
    let agent = scope.navigator().user_agent().unwrap_or_default();
    let shell = Shell(Rc::new(RefCell::new(State {
        worker: Worker::new(&agent, seed),
        events: VecDeque::new(),
        url: None,
        socket: None,
        compute: None,
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
    shell.0.borrow_mut().start_compute(&shell);
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
    compute: Option<Compute>,
    timeout: Option<Timeout>,
    scope: DedicatedWorkerGlobalScope,
}

impl Shell {
    fn hear_page(&self, message: FromPage) {
        match message {
            FromPage::Start { url } => {
                self.0.borrow_mut().url = Some(url);
                self.happened(Event::Start);
            }
            FromPage::RetryNow => self.happened(Event::RetryNow),
        }
    }

    fn hear_compute(&self, message: FromCompute) {
        match message {
            FromCompute::Ready => {
                let mut state = self.0.borrow_mut();
                let first_input = state.compute.as_mut().and_then(Compute::ready);
                if let Some(input) = first_input {
                    state.compute(input);
                }
            }
            FromCompute::Computed { result, duration_ms } => {
                self.happened(Event::Computed { result, duration_ms });
            }
        }
    }

    /// The compute worker has trapped, or its script did not load. The former is replaced, since
    /// what an op leaves behind after a trap cannot be trusted; the latter would fail again.
    fn compute_broke(&self, event: &ErrorEvent) {
        let reason = event.message();
        let mut state = self.0.borrow_mut();
        let was_ready = state.compute.take().is_some_and(|compute| compute.is_ready);
        if was_ready {
            state.start_compute(self);
        } else {
            state.tell(&ToPage::Failed {
                text: format!("The compute worker did not start: {reason}"),
            });
        }
        drop(state);
        self.happened(Event::ComputeFailed { reason });
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
            Action::Compute(input) => self.compute(input),
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

    fn compute(&mut self, input: RepeatMultiply) {
        let asked = match &mut self.compute {
            Some(compute) => compute.ask(input),
            None => Err("there is no compute worker; reload the page".to_owned()),
        };
        if let Err(reason) = asked {
            self.events.push_back(Event::ComputeFailed { reason });
        }
    }

    fn start_compute(&mut self, shell: &Shell) {
        match Compute::start(&self.scope, shell) {
            Ok(compute) => self.compute = Some(compute),
            Err(error) => {
                let text = format!("The compute worker did not start: {}", words(&error));
                self.tell(&ToPage::Failed { text });
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

/// The compute worker. What is posted to it before it is ready would be lost, so the first input
/// waits here.
struct Compute {
    worker: web_sys::Worker,
    is_ready: bool,
    waiting: Option<RepeatMultiply>,
    // Held because the browser calls them.
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Compute {
    fn start(scope: &DedicatedWorkerGlobalScope, shell: &Shell) -> Result<Compute, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(COMPUTE);
        // The script that started this worker starts every part.
        let worker = web_sys::Worker::new_with_options(&scope.location().href(), &options)?;
        let message = {
            let shell = shell.clone();
            post::listener(move |message| shell.hear_compute(message))
        };
        let error = {
            let shell = shell.clone();
            Closure::new(move |event: ErrorEvent| {
                event.prevent_default();
                shell.compute_broke(&event);
            })
        };
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        Ok(Compute { worker, is_ready: false, waiting: None, _message: message, _error: error })
    }

    fn ready(&mut self) -> Option<RepeatMultiply> {
        self.is_ready = true;
        self.waiting.take()
    }

    fn ask(&mut self, input: RepeatMultiply) -> Result<(), String> {
        if self.is_ready {
            let message = post::to_js(&ToCompute::Compute { input });
            self.worker.post_message(&message).map_err(|error| words(&error))
        } else {
            self.waiting = Some(input);
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
        ToPage::Ready | ToPage::Idle | ToPage::Connecting { attempt: 1 } => None,
        ToPage::Connecting { attempt } => Some(format!("🔄 Reconnecting (attempt {attempt})")),
        ToPage::Connected => Some("✅ Connected".to_owned()),
        ToPage::Disconnected { reason, retry_in_ms } => {
            Some(format!("❌ Closed: {reason}; next attempt in {:.1} s", retry_in_ms / 1000.0))
        }
        ToPage::Task { task_id, text } => Some(format!("🧮 Task received: {task_id}: {text}")),
        ToPage::Result { task_id, result, .. } => {
            Some(format!("📤 Result sent: {task_id}: {result}"))
        }
        ToPage::Notice { text } | ToPage::Failed { text } => Some(format!("⚠️ {text}")),
    }
}

/// What a thrown value says.
fn words(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}
