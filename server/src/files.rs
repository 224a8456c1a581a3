//! Open files: how many this process may have. Every connection is one.

/// Raises the limit of open files as far as an unprivileged process may: systems start programs with a
/// low one (often 1,024) for the sake of old programs that could not take more. Returns the limit.
pub fn raise_limit() -> Option<u64> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        // macOS says "unlimited" and takes no more than this (`OPEN_MAX`).
        const OPEN_MAX: u64 = 10_240;
        let wanted = [hard, OPEN_MAX.min(hard)].into_iter().filter(|wanted| *wanted > soft);
        for wanted in wanted {
            if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
                break;
            }
        }
    }
    limit()
}

/// The limit of open files; `None` where a system has none, or does not tell.
pub fn limit() -> Option<u64> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit};
        getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
    }
    #[cfg(not(unix))]
    {
        None
    }
}
