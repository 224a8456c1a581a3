//! Messages between workers: Rust types as JavaScript objects, and back.

use super::log_error;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsValue, closure::Closure};
use web_sys::MessageEvent;

/// The object to be posted. The types that travel between our own workers always convert.
pub(super) fn to_js(message: &impl Serialize) -> JsValue {
    serde_wasm_bindgen::to_value(message).expect("messages of our own types convert")
}

/// A listener that hands on every message that it can read and logs any other, which only a
/// script of another version can send.
pub(super) fn listener<T: DeserializeOwned + 'static>(
    mut receive: impl FnMut(T) + 'static,
) -> Closure<dyn FnMut(MessageEvent)> {
    Closure::new(move |event: MessageEvent| match serde_wasm_bindgen::from_value(event.data()) {
        Ok(message) => receive(message),
        Err(error) => log_error(&format!("tequio: ignored a posted message: {error}")),
    })
}
