//! One slot: a dedicated worker that computes, and the piece that waits until it listens.

use super::coordinator::Shell;
use super::post::{self, Carrier};
use super::{COMPUTE, words};
use gloo_timers::callback::Timeout;
use std::collections::VecDeque;
use tequio_protocol::limits::KERNELS_KEPT;
use tequio_protocol::piece::Piece;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{ErrorEvent, Event, MessageEvent, Worker, WorkerOptions, WorkerType};

/// What a slot's script can compute. Scripts are named as the coordinator's sees them, and wait for the wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Programs {
    /// Ops that are built in.
    BuiltIn,
    /// Kernels as well.
    Kernels,
}

impl Programs {
    /// What a piece needs.
    pub(super) fn of(piece: Option<&Piece>) -> Programs {
        match piece.and_then(|piece| piece.op.kernel()) {
            Some(_) => Programs::Kernels,
            None => Programs::BuiltIn,
        }
    }

    fn script(self) -> &'static str {
        match self {
            Programs::BuiltIn => "js/slot.js",
            Programs::Kernels => "js/kernel-slot.js",
        }
    }
}

/// What becomes of a piece.
pub(super) enum Asked {
    /// It is being computed.
    Begins,
    /// It waits for the program to start.
    Waits,
}

/// Dropping it ends the worker, in the middle of what it computes if need be.
pub(super) struct Slot(State);

enum State {
    /// It is tried again when the timer fires; dropping the timer stops that.
    Later {
        _timer: Timeout,
    },
    Started(Program),
}

struct Program {
    worker: Worker,
    carrier: Carrier,
    programs: Programs,
    /// The names of the kernels that it has been given, the newest last.
    kernels: VecDeque<&'static str>,
    is_ready: bool,
    /// What is posted to a worker before it listens would be lost; until then it waits for the wasm alone.
    waiting: Option<Piece>,
    // Held because the browser calls them.
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(Event)>,
}

impl Slot {
    pub(super) fn start(
        slot: usize,
        waiting: Option<Piece>,
        programs: Programs,
        shell: &Shell,
    ) -> Result<Slot, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(COMPUTE);
        let worker = Worker::new_with_options(programs.script(), &options)?;
        let carrier = Carrier::default();
        let message = {
            let (answers, gave_up) = (shell.clone(), shell.clone());
            post::bytes_listener(
                carrier.clone(),
                move |answer| answers.hear_slot(slot, answer),
                move |reason| gave_up.slot_broke(slot, reason.as_string().unwrap_or_default()),
            )
        };
        let error = {
            let shell = shell.clone();
            Closure::new(move |event: Event| {
                event.prevent_default();
                // Of a script that cannot be loaded a browser says nothing but that.
                let reason = event.dyn_ref().map(ErrorEvent::message);
                shell.slot_broke(slot, reason.unwrap_or_else(|| "no script".to_owned()));
            })
        };
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        let is_ready = false;
        let kernels = VecDeque::new();
        let program = Program {
            worker,
            carrier,
            programs,
            kernels,
            is_ready,
            waiting,
            _message: message,
            _error: error,
        };
        // This worker's own, as it is compiled: nobody asks the server for it or compiles it again.
        program.worker.post_message(&wasm_bindgen::module())?;
        Ok(Slot(State::Started(program)))
    }

    /// One that is started when the timer fires.
    pub(super) fn later(timer: Timeout) -> Slot {
        Slot(State::Later { _timer: timer })
    }

    pub(super) fn is_to_be_started(&self) -> bool {
        matches!(self.0, State::Later { .. })
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(&self.0, State::Started(program) if program.is_ready)
    }

    /// It listens. Gives what has waited for that.
    pub(super) fn ready(&mut self) -> Option<Piece> {
        let State::Started(program) = &mut self.0 else { return None };
        program.is_ready = true;
        program.waiting.take()
    }

    /// What it has not been given.
    pub(super) fn into_waiting(mut self) -> Option<Piece> {
        match &mut self.0 {
            State::Started(program) => program.waiting.take(),
            State::Later { .. } => None,
        }
    }

    /// Whether its program can compute this, if there is one.
    pub(super) fn runs(&self, programs: Programs) -> bool {
        match &self.0 {
            State::Started(program) => {
                programs == Programs::BuiltIn || program.programs == programs
            }
            State::Later { .. } => true,
        }
    }

    /// Computes a piece, as soon as it listens: one of a kernel with that.
    pub(super) fn ask(&mut self, piece: Piece, kernel: Option<&JsValue>) -> Result<Asked, String> {
        match &mut self.0 {
            State::Started(program) if program.is_ready => {
                if let Some(kernel) = kernel {
                    program.give(piece.op.name(), kernel).map_err(|error| words(&error))?;
                }
                let (piece, memory) = program.carrier.load(&piece.write());
                let posted = program.worker.post_message_with_transfer(&piece, &memory);
                posted.map(|()| Asked::Begins).map_err(|error| words(&error))
            }
            State::Started(program) => {
                program.waiting = Some(piece);
                Ok(Asked::Waits)
            }
            State::Later { .. } => Err("its program does not start".to_owned()),
        }
    }
}

impl Program {
    /// Hands it a kernel that it does not have; it keeps as many as are counted here.
    fn give(&mut self, name: &'static str, kernel: &JsValue) -> Result<(), JsValue> {
        if self.kernels.contains(&name) {
            return Ok(());
        }
        self.kernels.push_back(name);
        if self.kernels.len() > KERNELS_KEPT {
            self.kernels.pop_front();
        }
        self.worker.post_message(kernel)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
