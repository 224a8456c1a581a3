//! The part that computes, and does nothing else: an op may take as long as it likes here without
//! holding up the socket or the page.
//!
//! It and the coordinator post bytes to each other: pieces, and what comes of them. What it posts
//! first is empty, and says that it listens.

use super::{log_error, now_ms, post};
use tequio_protocol::piece::{Piece, PieceResults};
use wasm_bindgen::JsCast;
use web_sys::DedicatedWorkerGlobalScope;

pub(super) fn start(scope: DedicatedWorkerGlobalScope) {
    let answers = scope.clone();
    let listener = post::bytes_listener(move |piece| {
        let piece = Piece::read(&piece).expect("a piece of our own reads");
        let before = now_ms(&answers);
        let results = PieceResults::new(piece.compute()).expect("a piece has a task");
        let duration_ms = now_ms(&answers) - before;
        answer(&answers, &results.write(duration_ms));
    });
    scope.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // It listens as long as the worker lives, and is ended with it.
    listener.forget();
    answer(&scope, &[]);
}

fn answer(scope: &DedicatedWorkerGlobalScope, bytes: &[u8]) {
    let (bytes, memory) = post::bytes(bytes);
    if let Err(error) = scope.post_message_with_transfer(&bytes, &memory) {
        log_error(&format!("tequio: the coordinator cannot be told: {error:?}"));
    }
}
