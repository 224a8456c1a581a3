//! The kernels of this tab: each module and each data is asked for once, a module is compiled once, and both are
//! handed to the slots as they are.

use super::coordinator::Shell;
use super::words;
use js_sys::{Array, Function, Object, Promise, Reflect, WebAssembly};
use std::collections::VecDeque;
use tequio_protocol::limits::KERNELS_KEPT;
use tequio_protocol::op::kernel::Kernel;
use tequio_protocol::piece::Piece;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, Response};

/// What is there of kernels, the one that was asked for last behind.
#[derive(Default)]
pub(super) struct Kernels {
    known: VecDeque<Known>,
    /// Modules and data that are there or on their way, by their hashes.
    fetched: VecDeque<(String, Promise)>,
}

struct Known {
    /// The op's name.
    name: &'static str,
    state: State,
}

enum State {
    Loading { waiting: Vec<(usize, Piece)> },
    Ready(JsValue),
}

/// What is to be done with a piece of a kernel.
pub(super) enum Loaded {
    /// What a slot is to be given before the piece.
    Ready(JsValue),
    /// It waits for the kernel, and is kept here meanwhile.
    Waits,
}

impl Kernels {
    /// Has a piece wait for its kernel, or gives what a slot needs to compute it.
    pub(super) fn load(
        &mut self,
        slot: usize,
        piece: &Piece,
        kernel: &Kernel,
        from: &Source<'_>,
    ) -> Loaded {
        let name = piece.op.name();
        if let Some(known) = self.known.iter_mut().find(|known| known.name == name) {
            return match &mut known.state {
                State::Ready(kernel) => Loaded::Ready(kernel.clone()),
                State::Loading { waiting } => {
                    waiting.push((slot, piece.clone()));
                    Loaded::Waits
                }
            };
        }
        self.begin(name, kernel, from);
        let waiting = vec![(slot, piece.clone())];
        self.known.push_back(Known { name, state: State::Loading { waiting } });
        if self.known.len() > KERNELS_KEPT {
            let oldest = self.known.iter().position(|one| matches!(one.state, State::Ready(_)));
            oldest.and_then(|oldest| self.known.remove(oldest));
        }
        Loaded::Waits
    }

    fn begin(&mut self, name: &'static str, kernel: &Kernel, from: &Source<'_>) {
        let id = kernel.id();
        let module = self.fetch(id.module.as_str(), || {
            let url = from.url(&format!("kernels/{}.wasm", id.module));
            WebAssembly::compile_streaming(&from.scope.fetch_with_str(&url))
        });
        let data = match &id.data {
            Some(data) => self.fetch(data.as_str(), || {
                let url = from.url(&format!("data/{data}"));
                let read = Closure::once_into_js(|response: JsValue| bytes_of(&response));
                then(&from.scope.fetch_with_str(&url), &read, &JsValue::UNDEFINED)
            }),
            None => Promise::resolve(&JsValue::NULL),
        };
        let (ready, failed) = (from.shell.clone(), from.shell.clone());
        let ready = Closure::once_into_js(move |parts: JsValue| {
            let parts: Array = parts.unchecked_into();
            let kernel = Object::new();
            let fields = [("name", name.into()), ("module", parts.get(0)), ("data", parts.get(1))];
            for (key, value) in fields {
                Reflect::set(&kernel, &key.into(), &value).expect("a new object takes fields");
            }
            ready.kernel_loaded(name, &kernel);
        });
        let failed = Closure::once_into_js(move |error: JsValue| {
            failed.kernel_failed(name, &words(&error));
        });
        let _told = then(&Promise::all(&Array::of2(&module, &data)), &ready, &failed);
    }

    fn fetch(&mut self, hash: &str, begin: impl FnOnce() -> Promise) -> Promise {
        if let Some((_, promise)) = self.fetched.iter().find(|(known, _)| known == hash) {
            return promise.clone();
        }
        let promise = begin();
        self.fetched.push_back((hash.to_owned(), promise.clone()));
        if self.fetched.len() > 2 * KERNELS_KEPT {
            self.fetched.pop_front();
        }
        promise
    }

    /// A kernel is there; gives what has waited for it.
    pub(super) fn loaded(&mut self, name: &str, kernel: &JsValue) -> Vec<(usize, Piece)> {
        let Some(known) = self.known.iter_mut().find(|known| known.name == name) else {
            return Vec::new();
        };
        match std::mem::replace(&mut known.state, State::Ready(kernel.clone())) {
            State::Loading { waiting } => waiting,
            State::Ready(_) => Vec::new(),
        }
    }

    /// A kernel cannot be had. It is asked for again when it is lent again.
    pub(super) fn failed(&mut self, name: &str) -> Vec<(usize, Piece)> {
        self.fetched.clear();
        let Some(place) = self.known.iter().position(|known| known.name == name) else {
            return Vec::new();
        };
        match self.known.remove(place).map(|known| known.state) {
            Some(State::Loading { waiting }) => waiting,
            _ => Vec::new(),
        }
    }

    /// What a slot has waited for is of no interest any more.
    pub(super) fn forget(&mut self, slot: usize) {
        for known in &mut self.known {
            if let State::Loading { waiting } = &mut known.state {
                waiting.retain(|(waits, _)| *waits != slot);
            }
        }
    }
}

/// Where kernels come from.
pub(super) struct Source<'a> {
    pub(super) scope: &'a DedicatedWorkerGlobalScope,
    /// The server's WebSocket.
    pub(super) socket: &'a str,
    pub(super) shell: &'a Shell,
}

impl Source<'_> {
    /// A path of the server that leases come from: beside its socket.
    fn url(&self, path: &str) -> String {
        let socket = self.socket.split(['?', '#']).next().unwrap_or_default();
        let beside = socket.rsplit_once('/').map_or(socket, |(beside, _)| beside);
        // `ws:` is `http:`, and `wss:` is `https:`.
        format!("{}/{path}", beside.replacen("ws", "http", 1))
    }
}

/// What comes of a promise. The functions are let go of once one of them was called.
fn then(promise: &Promise, fulfilled: &JsValue, rejected: &JsValue) -> Promise {
    let then = Reflect::get(promise, &"then".into()).expect("a promise has the method");
    let then: Function = then.unchecked_into();
    let next = then.call2(promise, fulfilled, rejected).expect("it throws nothing");
    next.unchecked_into()
}

/// The bytes of a response, if the server has what was asked for.
fn bytes_of(response: &JsValue) -> Result<Promise, JsValue> {
    let response: &Response = response.unchecked_ref();
    match response.ok() {
        true => response.array_buffer(),
        false => {
            let said = format!("the server answers {} for {}", response.status(), response.url());
            Err(js_sys::Error::new(&said).into())
        }
    }
}
