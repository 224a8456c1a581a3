//! What the console says of what one connection sends: not all of a flood, which must not fill a disk,
//! but how much of it there was.

use crate::pace::Pace;
use tequio_protocol::limits::{SERVICE_LINE_PACE, SERVICE_LINES_BURST};
use tokio::time::Instant;
use tracing::info;

/// The lines of one connection.
#[derive(Debug)]
pub(crate) struct Lines {
    /// How the console calls it.
    who: String,
    pace: Pace,
    /// Messages that the console did not show.
    unsaid: u64,
}

impl Lines {
    pub(crate) fn new(who: String) -> Lines {
        let pace = Pace::new(SERVICE_LINES_BURST, SERVICE_LINE_PACE, Instant::now());
        Lines { who, pace, unsaid: 0 }
    }

    /// Says what was received, unless there is too much of it.
    pub(crate) fn tell(&mut self, received: impl FnOnce() -> String) {
        if !self.pace.take(Instant::now()) {
            self.unsaid += 1;
            return;
        }
        match std::mem::take(&mut self.unsaid) {
            0 => info!("[{}] {}", self.who, received()),
            unsaid => info!("[{}] {} (and {unsaid} before)", self.who, received()),
        }
    }

    /// Says what was not said: there is no more. Twice does no harm.
    pub(crate) fn end(&mut self) {
        let unsaid = std::mem::take(&mut self.unsaid);
        if unsaid > 0 {
            info!("[{}] received {unsaid} more", self.who);
        }
    }
}
