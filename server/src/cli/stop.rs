//! How a command is asked to stop: Ctrl-C, the signal with which a system stops its services, or the
//! end of its terminal.

use std::io;

/// Listens for being asked to stop, from the beginning on. Who asks again is heard again.
pub(super) struct Stop {
    #[cfg(unix)]
    signals: Vec<tokio::signal::unix::Signal>,
    #[cfg(windows)]
    signals: Signals,
}

/// Ends when the command is asked to stop for the first time.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()> + Send> {
    let mut stop = Stop::listen()?;
    Ok(async move { stop.asked().await })
}

#[cfg(unix)]
impl Stop {
    pub(super) fn listen() -> io::Result<Stop> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        // Who starts a command with `nohup` wants it to outlast its terminal.
        if !is_hangup_ignored() {
            kinds.push(SignalKind::hangup());
        }
        Ok(Stop { signals: kinds.into_iter().map(signal).collect::<io::Result<_>>()? })
    }

    /// Waits until the command is asked to stop, once more if it was asked before. May be cancelled.
    pub(super) async fn asked(&mut self) {
        use std::task::Poll;
        std::future::poll_fn(|context| {
            let asked = self.signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if asked { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Whether this process was started with its hangup ignored. Where a system does not tell, it is taken
/// to be so without a terminal: `nohup` leaves none.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    use std::io::IsTerminal;
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => ignores_hangup(&status),
        Err(_) => {
            !io::stdin().is_terminal() && !io::stdout().is_terminal() && !io::stderr().is_terminal()
        }
    }
}

/// Signals are numbered from 1, and SIGHUP is 1.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 != 0)
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Stop {
    pub(super) fn listen() -> io::Result<Stop> {
        use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
        let (interrupt, close, shutdown) = (ctrl_c()?, ctrl_close()?, ctrl_shutdown()?);
        Ok(Stop { signals: Signals { interrupt, close, shutdown } })
    }

    /// Waits until the command is asked to stop, once more if it was asked before. May be cancelled.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.signals.interrupt.recv() => {}
            _ = self.signals.close.recv() => {}
            _ = self.signals.shutdown.recv() => {}
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_nohup_started_ignores_its_hangup() {
        assert!(ignores_hangup("Name:\ttequio\nSigBlk:\t0\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"), "SIGPIPE alone");
        assert!(!ignores_hangup("Name:\ttequio\n"));
    }
}
