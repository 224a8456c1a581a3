//! One WebSocket, whose events become the worker's. Dropping it closes it and unhooks its
//! listeners, so that an old socket is never heard again and no closure outlives its socket.

use crate::worker::Event;
use js_sys::{JsString, Uint8Array};
use std::ops::Range;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

/// Texts of so many characters are encoded by the browser: wasm-bindgen copies one character at a time, which is
/// a tenth of what a frame of inputs costs the coordinator. Of shorter texts the browser's way is the slower one, and
/// longer ones come seldom.
const ENCODED_CHARS: Range<u32> = 1024..512 * 1024;

#[wasm_bindgen]
extern "C" {
    type TextEncoder;

    #[wasm_bindgen(constructor)]
    fn new() -> TextEncoder;

    /// That of `web-sys` takes a text of Rust's.
    #[wasm_bindgen(method, js_name = encodeInto)]
    fn encode_into(this: &TextEncoder, text: &JsString, bytes: &Uint8Array) -> Encoded;

    type Encoded;

    /// How many characters were encoded.
    #[wasm_bindgen(method, getter)]
    fn read(this: &Encoded) -> u32;

    /// How many bytes they are.
    #[wasm_bindgen(method, getter)]
    fn written(this: &Encoded) -> u32;
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
            let mut reader = Reader::new();
            Closure::new(move |event: MessageEvent| tell(reader.read(&event.data())))
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

/// Reads what a socket receives.
struct Reader {
    encoder: TextEncoder,
    /// What texts are encoded into.
    bytes: Uint8Array,
}

impl Reader {
    fn new() -> Reader {
        Reader { encoder: TextEncoder::new(), bytes: Uint8Array::new_with_length(0) }
    }

    fn read(&mut self, data: &JsValue) -> Event {
        if let Some(text) = data.dyn_ref::<JsString>() {
            return Event::Text(self.encode(text).unwrap_or_else(|| text.into()));
        }
        let bytes =
            data.dyn_ref::<js_sys::ArrayBuffer>().map_or(0, js_sys::ArrayBuffer::byte_length);
        Event::Binary { bytes: bytes as usize }
    }

    /// A text as the browser encodes it; none that is better copied by wasm-bindgen, or has more bytes than
    /// there was room for.
    fn encode(&mut self, text: &JsString) -> Option<String> {
        let chars = text.length();
        if !ENCODED_CHARS.contains(&chars) {
            return None;
        }
        if self.bytes.length() < chars {
            self.bytes = Uint8Array::new_with_length(chars.next_power_of_two());
        }
        let encoded = self.encoder.encode_into(text, &self.bytes);
        let bytes = self.bytes.subarray(0, encoded.written());
        (encoded.read() == chars)
            .then(|| String::from_utf8(bytes.to_vec()).expect("what is encoded is UTF-8"))
    }
}
