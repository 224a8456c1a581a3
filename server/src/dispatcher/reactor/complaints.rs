//! What the console says of workers that fail and of those that are wrong: a few lines at once, and
//! then at a pace. Workers decide how many there are, and must not fill a disk.

use crate::pace::Pace;
use std::time::Duration;
use tequio_protocol::limits::{COMPLAINT_LINE_PACE, COMPLAINT_LINES_BURST};

/// The pace of all these lines together.
#[derive(Debug)]
pub(super) struct Complaints {
    pace: Pace<Duration>,
    /// Lines since the last that was written.
    untold: u64,
}

impl Complaints {
    pub(super) fn new(now: Duration) -> Complaints {
        Complaints { pace: Pace::new(COMPLAINT_LINES_BURST, COMPLAINT_LINE_PACE, now), untold: 0 }
    }

    /// Whether a line is to be written now, and what is to be said of those before it.
    pub(super) fn take(&mut self, now: Duration) -> Option<String> {
        if !self.pace.take(now) {
            self.untold += 1;
            return None;
        }
        match std::mem::take(&mut self.untold) {
            0 => Some(String::new()),
            untold => Some(format!(" (and {untold} such lines before)")),
        }
    }
}

/// Writes a warning if it may be written now. Its words are only put together then.
macro_rules! complain {
    ($complaints:expr, $now:expr, $($words:tt)+) => {
        if let Some(before) = $complaints.take($now) {
            warn!("{}{before}", format_args!($($words)+));
        }
    };
}

pub(super) use complain;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_faults_is_a_few_lines_that_count_the_rest() {
        let mut complaints = Complaints::new(Duration::ZERO);
        let told = (0..10_000).filter_map(|_| complaints.take(Duration::ZERO)).count();
        assert_eq!(told as u32, COMPLAINT_LINES_BURST);
        let next = complaints.take(COMPLAINT_LINE_PACE).unwrap();
        assert_eq!(next, format!(" (and {} such lines before)", 10_000 - COMPLAINT_LINES_BURST));
        assert_eq!(complaints.take(2 * COMPLAINT_LINE_PACE).unwrap(), "");
    }
}
