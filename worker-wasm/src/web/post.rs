//! Messages between workers: Rust types as JavaScript objects, and back; and bytes, where it is to be
//! fast.

use super::log_error;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::MessageEvent;

/// The object to be posted. The types that travel between our own workers always convert.
pub(super) fn to_js(message: &impl Serialize) -> JsValue {
    serde_wasm_bindgen::to_value(message).expect("messages of our own types convert")
}

/// The memory that bytes travel in from one worker to another and back again: it is handed over, not copied. New
/// memory for each message costs both more than what they copy into it.
#[derive(Clone, Default)]
pub(super) struct Carrier(Rc<RefCell<Option<ArrayBuffer>>>);

/// Larger memory is left to the browser, in bytes: few messages are so long.
const CARRIED_BYTES_MAX: u32 = 1024 * 1024;

impl Carrier {
    /// Bytes to be posted, and the list of what is handed over with them: their memory.
    pub(super) fn load(&self, bytes: &[u8]) -> (Uint8Array, Array) {
        let length = bytes.len() as u32;
        let kept = self.0.take().filter(|memory| memory.byte_length() >= length);
        let memory = kept.unwrap_or_else(|| ArrayBuffer::new(length.next_power_of_two()));
        let view = Uint8Array::new_with_byte_offset_and_length(&memory, 0, length);
        view.copy_from(bytes);
        (view, Array::of1(&memory))
    }

    fn unload(&self, posted: &Uint8Array) -> Vec<u8> {
        let memory = posted.buffer();
        if memory.byte_length() <= CARRIED_BYTES_MAX {
            self.0.replace(Some(memory));
        }
        posted.to_vec()
    }
}

/// A listener that hands on bytes, and whatever else is posted to it.
pub(super) fn bytes_listener(
    carrier: Carrier,
    mut bytes: impl FnMut(Vec<u8>) + 'static,
    mut other: impl FnMut(JsValue) + 'static,
) -> Closure<dyn FnMut(MessageEvent)> {
    Closure::new(move |event: MessageEvent| match event.data().dyn_into::<Uint8Array>() {
        Ok(posted) => bytes(carrier.unload(&posted)),
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
