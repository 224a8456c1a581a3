//! The part that computes, and does nothing else: an op may take as long as it likes here without
//! holding up the socket or the page.
//!
//! It and the coordinator post bytes to each other: pieces, and what comes of them. What it posts
//! first is empty, and says that it listens. What is posted to it and is no bytes is a kernel. If it
//! gives up it posts the reason as text, and is ended.

use super::engine::ENGINE;
use super::post::{self, Carrier};
use super::{log_error, now_ms};
use tequio_protocol::op::kernel::set_engine;
use tequio_protocol::piece::{Piece, PieceResults};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

pub(super) fn start(scope: DedicatedWorkerGlobalScope) {
    set_engine(&ENGINE);
    let (answers, carrier) = (scope.clone(), Carrier::default());
    let carried = carrier.clone();
    let compute = move |piece: Vec<u8>| {
        let piece = Piece::read(&piece).expect("a piece of our own reads");
        let before = now_ms(&answers);
        let outcomes = match piece.try_compute() {
            Ok(outcomes) => outcomes,
            Err(gave_up) => return tell(answers.post_message(&gave_up.to_string().into())),
        };
        let results = PieceResults::new(outcomes).expect("a piece has a task");
        let duration_ms = now_ms(&answers) - before;
        answer(&answers, &carrier, &results.write(duration_ms));
    };
    let listener = post::bytes_listener(carried, compute, |kernel| ENGINE.keep(&kernel));
    scope.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // It listens as long as the worker lives, and is ended with it.
    listener.forget();
    answer(&scope, &Carrier::default(), &[]);
}

fn answer(scope: &DedicatedWorkerGlobalScope, carrier: &Carrier, bytes: &[u8]) {
    let (bytes, memory) = carrier.load(bytes);
    tell(scope.post_message_with_transfer(&bytes, &memory));
}

fn tell(told: Result<(), JsValue>) {
    if let Err(error) = told {
        log_error(&format!("tequio: the coordinator cannot be told: {error:?}"));
    }
}
