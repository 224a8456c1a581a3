//! The channel on which the tabs of a browser say that they are there.

use super::{log_error, words};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

/// The channel's name, known to the page as well.
const NAME: &str = "tequio";

pub(super) struct Channel {
    channel: BroadcastChannel,
    // Held because the browser calls it.
    _message: Closure<dyn FnMut(MessageEvent)>,
}

impl Channel {
    /// None where the browser has no such channels. `hear` is called with what other tabs say.
    pub(super) fn open(hear: impl Fn(String) + 'static) -> Option<Channel> {
        let channel = BroadcastChannel::new(NAME).ok()?;
        let message = Closure::new(move |event: MessageEvent| {
            // What is no text is not ours.
            if let Some(text) = event.data().as_string() {
                hear(text);
            }
        });
        channel.set_onmessage(Some(message.as_ref().unchecked_ref()));
        Some(Channel { channel, _message: message })
    }

    pub(super) fn say(&self, text: &str) {
        if let Err(error) = self.channel.post_message(&JsValue::from_str(text)) {
            log_error(&format!("tequio: the other tabs cannot be told: {}", words(&error)));
        }
    }
}
