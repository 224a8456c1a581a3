//! Messages between workers: Rust types as JavaScript objects, and back; and bytes, where it is to be
//! fast.

use super::log_error;
use js_sys::{Array, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::MessageEvent;

/// The object to be posted. The types that travel between our own workers always convert.
pub(super) fn to_js(message: &impl Serialize) -> JsValue {
    serde_wasm_bindgen::to_value(message).expect("messages of our own types convert")
}

/// Bytes to be posted, and the list of what is handed over with them and not copied: their memory.
pub(super) fn bytes(bytes: &[u8]) -> (Uint8Array, Array) {
    let bytes = Uint8Array::from(bytes);
    let memory = Array::of1(&bytes.buffer());
    (bytes, memory)
}

/// A listener that hands on bytes, and whatever else is posted to it.
pub(super) fn bytes_listener(
    mut bytes: impl FnMut(Vec<u8>) + 'static,
    mut other: impl FnMut(JsValue) + 'static,
) -> Closure<dyn FnMut(MessageEvent)> {
    Closure::new(move |event: MessageEvent| match event.data().dyn_into::<Uint8Array>() {
        Ok(posted) => bytes(posted.to_vec()),
        Err(posted) => other(posted),
    })
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
