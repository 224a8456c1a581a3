//! The program that every Web Worker of the page loads.

fn main() {
    #[cfg(target_arch = "wasm32")]
    tequio_worker::web::start();
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("This program runs in a browser: build it for wasm32-unknown-unknown.");
}
