//! The browser's shell around [`crate::worker`]: dedicated workers that all run this one wasm.
//!
//! The page starts a worker named [`COORDINATOR`], which fetches the wasm, holds the socket and the
//! state machine, and starts workers named [`COMPUTE`], one a slot, to which it hands the wasm as it is
//! compiled. A dedicated worker's timers are not slowed when the tab is hidden; the page's would be.

mod channel;
mod compute;
mod coordinator;
mod engine;
mod kernels;
mod post;
mod slot;
mod socket;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, console};

/// The name that the page gives to the worker that it starts.
pub const COORDINATOR: &str = "coordinator";
/// The name that the coordinator gives to the worker that computes.
pub const COMPUTE: &str = "compute";

/// Takes the part that this worker's name asks for.
pub fn start() {
    std::panic::set_hook(Box::new(|info| console::error_1(&JsValue::from_str(&info.to_string()))));
    let Ok(scope) = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() else {
        return log_error("tequio: this script runs in a dedicated worker, not in a page");
    };
    match scope.name().as_str() {
        COORDINATOR => coordinator::start(scope),
        COMPUTE => compute::start(scope),
        other => log_error(&format!("tequio: no part is named {other:?}")),
    }
}

/// Milliseconds on this worker's monotonic clock.
fn now_ms(scope: &DedicatedWorkerGlobalScope) -> f64 {
    scope.performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}

/// What a thrown value says.
fn words(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}

fn log(text: &str) {
    console::log_1(&JsValue::from_str(text));
}

fn log_error(text: &str) {
    console::error_1(&JsValue::from_str(text));
}
