//! How the system's allocator keeps memory.
//!
//! glibc keeps what was freed for later, and whoever frees a large block once has larger ones taken from the
//! arenas from then on, up to 32 MiB. A server whose peers come and go in floods never has that back: 424 MiB at the
//! peak of 500 unfinished messages, and 336 MiB after it, of which it held 90. With what is set here a flood of the
//! same messages peaks at 213 and leaves 166, 148 of which were there before.

/// Arenas that threads share, which do not share what is free in them, at the least and at the most: one for
/// each core, and two more for the threads that record and read. With two a message costs a tenth more, since
/// threads wait for each other; without a limit, machines of many cores have eight for each core. On two cores
/// four leave 30 to 40 MiB free within them beside all floods at once, eight 50 to 60.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: std::ops::RangeInclusive<usize> = 4..=8;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn arenas() -> libc::c_int {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores + 2).clamp(*ARENAS.start(), *ARENAS.end()) as libc::c_int
}

/// From this size on, in bytes, a block is mapped by itself, and goes back when it is freed: the longest
/// messages, but not the results that workers send all the time. To map each of those anew cost a third of all
/// throughput (at 128 KiB, glibc's own first value). glibc keeps the value once somebody has set it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_MIN: libc::c_int = 768 * 1024;

/// What may be free at an arena's end, in bytes: some messages, which come again at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const FREE_BYTES_MAX: libc::c_int = 16 * 1024 * 1024;

/// Has the allocator give back what is large and free, where it is glibc's. A setting that it does not take is no
/// reason not to serve.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (what, value) in [
        (libc::M_ARENA_MAX, arenas()),
        (libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN),
        (libc::M_TRIM_THRESHOLD, FREE_BYTES_MAX),
    ] {
        // SAFETY: `mallopt` takes two numbers and no pointer, and glibc locks what it changes.
        unsafe { libc::mallopt(what, value) };
    }
}

/// Gives back what is free now, where the allocator is glibc's. It goes through all that there is: some
/// milliseconds for 100 MB, in which other threads may wait.
pub fn give_back_now() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` takes a number and no pointer, and glibc locks what it goes through.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Bytes of memory that this process has, whoever took them; `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
