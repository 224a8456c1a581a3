//! Memory for what is kept as long as the instance: each piece lies behind the one before it, and none is given
//! back. Where no more is to be had, the task is a trap.

/// Exports `alloc`.
macro_rules! export_alloc {
    () => {
        #[cfg(target_arch = "wasm32")]
        mod alloc {
            #[unsafe(no_mangle)]
            extern "C" fn alloc(length: u32) -> *mut u8 {
                super::memory::take(length as usize)
            }
        }
    };
}

#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::{take, words};

#[cfg(target_arch = "wasm32")]
mod wasm {
    use core::arch::wasm32::{memory_grow, memory_size};

    const PAGE_BYTES: usize = 65_536;

    unsafe extern "C" {
        /// The linker puts it behind everything else.
        safe static __heap_base: u8;
    }

    /// Where the next piece may begin; 0 before the first.
    static mut NEXT: usize = 0;

    /// So many bytes, all 0.
    pub(crate) fn take(length: usize) -> *mut u8 {
        // SAFETY: there is one thread.
        let next = unsafe { NEXT }.max(&raw const __heap_base as usize);
        let start = next.checked_next_multiple_of(8).unwrap();
        let end = start.checked_add(length).unwrap();
        let wanted = end.div_ceil(PAGE_BYTES).saturating_sub(memory_size::<0>());
        if wanted > 0 {
            assert!(memory_grow::<0>(wanted) != usize::MAX);
        }
        // SAFETY: as above.
        unsafe { NEXT = end };
        start as *mut u8
    }

    /// So many numbers, all 0.
    pub(crate) fn words(count: usize) -> &'static mut [i32] {
        let start = take(count.checked_mul(4).unwrap());
        // SAFETY: the piece is aligned and so long, and nobody else has it.
        unsafe { core::slice::from_raw_parts_mut(start.cast(), count) }
    }
}
