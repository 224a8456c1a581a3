//! One WebSocket, whose events become the worker's. Dropping it closes it and unhooks its
//! listeners, so that an old socket is never heard again and no closure outlives its socket.

use crate::worker::Event;
use js_sys::{JsString, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

/// Texts of so many characters are encoded by the browser: wasm-bindgen copies one character at a time, which is
/// a tenth of what a frame of inputs costs the coordinator. Of shorter texts the browser's way is the slower one.
const ENCODED_CHARS_MIN: u32 = 1024;

#[wasm_bindgen]
extern "C" {
    type TextEncoder;

    #[wasm_bindgen(constructor)]
    fn new() -> TextEncoder;

    /// That of `web-sys` takes a text of Rust's.
    #[wasm_bindgen(method)]
    fn encode(this: &TextEncoder, text: &JsString) -> Uint8Array;
}

pub(super) struct Socket {
    socket: WebSocket,
    // Held because the browser calls them.
    _opened: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Begins to open a socket; `tell` hears of it later, never before this returns. Errs where
    /// the browser does not even try: a bad URL, or one that the page may not use.
    pub(super) fn open(
        url: &str,
        tell: impl Fn(Event) + Clone + 'static,
    ) -> Result<Socket, JsValue> {
        let socket = WebSocket::new(url)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let opened = {
            let tell = tell.clone();
            Closure::new(move || tell(Event::Opened))
        };
        let message = {
            let tell = tell.clone();
            let encoder = TextEncoder::new();
            Closure::new(move |event: MessageEvent| tell(read(&event.data(), &encoder)))
        };
        let closed = Closure::new(move |event: CloseEvent| {
            tell(Event::Closed { code: event.code(), reason: event.reason() });
        });
        // No `error` listener: a browser says nothing in it, and `close` always follows.
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Ok(Socket { socket, _opened: opened, _message: message, _closed: closed })
    }

    pub(super) fn send(&self, text: &str) -> Result<(), JsValue> {
        self.socket.send_with_str(text)
    }

    /// Bytes that wait to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.socket.buffered_amount() as usize
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // Errs only for a bad code or reason, and there is none.
        self.socket.close().expect("closing without a code is always allowed");
    }
}

fn read(data: &JsValue, encoder: &TextEncoder) -> Event {
    let Some(text) = data.dyn_ref::<JsString>() else {
        let bytes =
            data.dyn_ref::<js_sys::ArrayBuffer>().map_or(0, js_sys::ArrayBuffer::byte_length);
        return Event::Binary { bytes: bytes as usize };
    };
    Event::Text(if text.length() < ENCODED_CHARS_MIN {
        text.into()
    } else {
        String::from_utf8(encoder.encode(text).to_vec()).expect("what is encoded is UTF-8")
    })
}
