//! Results that were sent, and may be on their way still: they are sent once more where a
//! connection was lost and the server has kept the session. What arrived after all it drops.

use std::collections::VecDeque;
use tequio_protocol::limits::SENT_BYTES_MAX;

/// Frames of results, the oldest first. The newest [`SENT_BYTES_MAX`] are kept: what is lost with a
/// connection is what was sent last.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Heartbeats on this connection, and answers to them.
    heartbeats: u64,
    answers: u64,
}

#[derive(Debug)]
struct Frame {
    text: String,
    /// Heartbeats that were sent before it.
    after: u64,
}

impl Sent {
    /// A frame was sent, or is to be when there is a connection.
    pub(crate) fn push(&mut self, text: String) {
        self.bytes += text.len();
        self.frames.push_back(Frame { text, after: self.heartbeats });
        while self.bytes > SENT_BYTES_MAX
            && let Some(oldest) = self.frames.pop_front()
        {
            self.bytes -= oldest.text.len();
        }
    }

    /// A heartbeat was sent.
    pub(crate) fn heartbeat(&mut self) {
        self.heartbeats += 1;
    }

    /// The server has answered a heartbeat: what was sent before that has arrived, since it reads
    /// in order.
    pub(crate) fn heartbeat_answered(&mut self) {
        self.answers = self.heartbeats.min(self.answers + 1);
        while let Some(frame) = self.frames.pop_front_if(|frame| frame.after < self.answers) {
            self.bytes -= frame.text.len();
        }
    }

    /// A connection begins on which nothing was sent yet.
    pub(crate) fn restart(&mut self) {
        (self.heartbeats, self.answers) = (0, 0);
        self.frames.iter_mut().for_each(|frame| frame.after = 0);
    }

    /// What may not have arrived.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().map(|frame| frame.text.as_str())
    }

    /// Nobody wants any of it again.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(sent: &Sent) -> Vec<&str> {
        sent.frames().collect()
    }

    #[test]
    fn what_was_sent_before_an_answered_heartbeat_has_arrived() {
        let mut sent = Sent::default();
        sent.push("a".to_owned());
        sent.heartbeat();
        sent.push("b".to_owned());
        sent.heartbeat();
        sent.push("c".to_owned());
        sent.heartbeat_answered();
        assert_eq!(held(&sent), ["b", "c"]);
        sent.heartbeat_answered();
        assert_eq!(held(&sent), ["c"]);
        sent.heartbeat_answered();
        assert_eq!(held(&sent), ["c"], "an answer that nobody asked for");
    }

    #[test]
    fn answers_of_an_old_connection_do_not_count_for_a_new_one() {
        let mut sent = Sent::default();
        sent.heartbeat();
        sent.heartbeat();
        sent.push("a".to_owned());
        sent.restart();
        assert_eq!(held(&sent), ["a"]);
        sent.heartbeat();
        sent.push("b".to_owned());
        sent.heartbeat_answered();
        assert_eq!(held(&sent), ["b"]);
    }

    #[test]
    fn only_the_newest_are_kept() {
        let mut sent = Sent::default();
        for index in 0..100 {
            sent.push("x".repeat(SENT_BYTES_MAX / 10 - 2) + &format!("{index:02}"));
        }
        let frames = held(&sent);
        assert_eq!(frames.len(), 10);
        assert!(frames[0].ends_with("90") && frames[9].ends_with("99"));
        sent.clear();
        sent.push("x".to_owned());
        assert_eq!(held(&sent), ["x"]);
    }
}
