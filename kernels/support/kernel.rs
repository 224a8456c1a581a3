//! What every kernel needs beside its function: the names of its parameters, and what a panic does.

/// `params`: the section `tequio.params`, from which a form and error messages have the parameters' names.
macro_rules! kernel {
    (params: $params:literal) => {
        /// What the kernel says of its parameters, as JSON.
        pub(crate) const PARAMS: &[u8] = $params;

        /// The same, where the server looks for it.
        #[cfg(target_arch = "wasm32")]
        #[unsafe(link_section = "tequio.params")]
        pub static SECTION: [u8; PARAMS.len()] = *$params;
    };
}

/// A panic is a trap, which is the task's outcome: *trap: unreachable*.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Ends the task with a trap.
#[allow(dead_code, reason = "not every kernel has inputs without a result")]
pub(super) fn trap() -> ! {
    panic!("trap: unreachable")
}
