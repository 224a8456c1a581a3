//! What a member hears, and what of it is printed: without I/O and without a clock.

use std::collections::VecDeque;
use std::time::Duration;
use tequio_protocol::chat::ChatEvent;
use tequio_protocol::limits::{
    CHAT_HISTORY_MAX, CHAT_RETURN_TIMEOUT, CHAT_SENT_WAITING_MAX, FRAME_BYTES_MAX,
};
use tequio_protocol::text::printable;

/// What one member sent and heard. Times are since any origin.
#[derive(Debug)]
pub(super) struct Heard {
    /// This member's, if it has one.
    name: Option<String>,
    /// What was sent and has not come back, oldest first, and when it was sent.
    sent: VecDeque<(String, Duration)>,
    /// How many of this connection's messages did not come back in time. They may have arrived: not
    /// every server sends its members what they said.
    unreturned: usize,
    /// When the last of it came back.
    last_back: Duration,
    /// What was said last, so that a history which is told again is not printed again.
    said: VecDeque<ChatEvent>,
    /// How much of what comes next may be history.
    history_left: usize,
    /// Whether this connection is not the first.
    is_again: bool,
}

impl Heard {
    /// Before the first connection.
    pub(super) fn new(name: Option<String>) -> Heard {
        Heard {
            name,
            sent: VecDeque::new(),
            unreturned: 0,
            last_back: Duration::ZERO,
            said: VecDeque::new(),
            history_left: CHAT_HISTORY_MAX,
            is_again: false,
        }
    }

    /// There is a new connection. Gives how many messages of the last one may not have arrived.
    pub(super) fn reconnect(&mut self) -> usize {
        self.history_left = CHAT_HISTORY_MAX;
        self.is_again = true;
        self.unreturned = 0;
        std::mem::take(&mut self.sent).len()
    }

    /// Remembers what is sent.
    pub(super) fn send(&mut self, text: String, now: Duration) {
        self.sent.push_back((text, now));
    }

    /// How many messages have not come back.
    pub(super) fn waiting(&self) -> usize {
        self.sent.len()
    }

    /// How many messages have not come back, those included that are not waited for any more.
    pub(super) fn unseen(&self) -> usize {
        self.sent.len() + self.unreturned
    }

    /// Whether more may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.sent.len() < CHAT_SENT_WAITING_MAX
    }

    /// When the oldest message is no longer waited for.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.sent.front().map(|(_, sent)| self.last_back.max(*sent) + CHAT_RETURN_TIMEOUT)
    }

    /// Waits no longer for what has not come back for too long.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        while self.next_timeout().is_some_and(|at| at <= now) {
            self.sent.pop_front();
            self.unreturned += 1;
        }
    }

    /// The line to print for a message, if there is one.
    pub(super) fn hear(&mut self, text: &str, now: Duration) -> Option<String> {
        let Ok(event) = serde_json::from_str::<ChatEvent>(text) else {
            // A server that tells nothing but what is said.
            let is_own = self.take_own(text, now);
            return (!is_own).then(|| shown(text));
        };
        match &event {
            ChatEvent::Said { from, text, .. } => {
                let line = format!("{}: {}", shown(from), shown(text));
                let is_printed = self.is_printed(from, text, &event, now);
                self.remember(event);
                is_printed.then_some(line)
            }
            ChatEvent::Joined { joined, members, .. } => {
                if self.name.as_ref() == Some(joined) {
                    self.history_left = 0;
                }
                Some(format!("* {} joined ({members} here)", shown(joined)))
            }
            ChatEvent::Left { left, members, .. } => {
                Some(format!("* {} left ({members} here)", shown(left)))
            }
        }
    }

    fn is_printed(&mut self, from: &str, text: &str, event: &ChatEvent, now: Duration) -> bool {
        let may_be_history = self.history_left > 0;
        self.history_left = self.history_left.saturating_sub(1);
        if may_be_history && self.is_again && self.said.contains(event) {
            return false;
        }
        let is_own = match &self.name {
            // Whoever has a name is told that it joined, and after that no history.
            Some(name) => name == from && !may_be_history && self.take_own(text, now),
            None => from.starts_with('#') && self.take_own(text, now),
        };
        !is_own
    }

    /// Whether it is the oldest message that has not come back; which has, then.
    fn take_own(&mut self, text: &str, now: Duration) -> bool {
        let is_own = self.sent.front().is_some_and(|(sent, _)| sent == text);
        if is_own {
            self.sent.pop_front();
            self.last_back = now;
        }
        is_own
    }

    fn remember(&mut self, event: ChatEvent) {
        if self.said.len() == CHAT_HISTORY_MAX {
            self.said.pop_front();
        }
        self.said.push_back(event);
    }
}

/// A message is as long as it is; none is longer than a frame.
fn shown(text: &str) -> String {
    printable(text, FRAME_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn said(from: &str, text: &str, second: u32) -> String {
        let at = format!("2026-01-02T03:04:{second:02}.000Z");
        serde_json::json!({"from": from, "text": text, "at": at}).to_string()
    }

    fn joined(name: &str) -> String {
        serde_json::json!({"joined": name, "members": 2, "at": "2026-01-02T03:04:05Z"}).to_string()
    }

    /// A member with a name that has been told its history.
    fn ana() -> Heard {
        let mut heard = Heard::new(Some("Ana".to_owned()));
        let told = heard.hear(&joined("Ana"), NOW);
        assert_eq!(told.as_deref(), Some("* Ana joined (2 here)"));
        heard
    }

    #[test]
    fn others_are_printed_with_their_names_and_without_escapes() {
        let mut heard = ana();
        for (text, line) in [
            (said("Eva", "hola", 1), "Eva: hola"),
            (said("#7", "a\u{1b}[31m\nb", 2), "#7: a\u{fffd}[31m\u{fffd}b"),
            (joined("E\u{1b}va"), "* E\u{fffd}va joined (2 here)"),
            (
                r#"{"left":"Eva","members":1,"at":"2026-01-02T03:04:05Z"}"#.to_owned(),
                "* Eva left (1 here)",
            ),
            ("just text\r".to_owned(), "just text\u{fffd}"),
            (r#"{"type":"task"}"#.to_owned(), r#"{"type":"task"}"#),
        ] {
            assert_eq!(heard.hear(&text, NOW).as_deref(), Some(line));
        }
    }

    #[test]
    fn ones_own_messages_come_back_once_each_and_in_order() {
        let mut heard = ana();
        for text in ["a", "b", "a"] {
            heard.send(text.to_owned(), NOW);
        }
        assert_eq!(heard.hear(&said("Eva", "a", 1), NOW).as_deref(), Some("Eva: a"));
        assert_eq!(heard.hear(&said("Ana", "b", 2), NOW).as_deref(), Some("Ana: b"), "not yet");
        for (text, left) in [("a", 2), ("b", 1), ("a", 0)] {
            assert_eq!(heard.hear(&said("Ana", text, 3), NOW), None);
            assert_eq!(heard.waiting(), left);
        }
        assert_eq!(heard.hear(&said("Ana", "a", 4), NOW).as_deref(), Some("Ana: a"));
    }

    #[test]
    fn without_a_name_a_number_or_nothing_may_be_oneself() {
        let mut heard = Heard::new(None);
        for _ in 0..2 {
            heard.send("hola".to_owned(), NOW);
        }
        assert_eq!(heard.hear(&said("Eva", "hola", 1), NOW).as_deref(), Some("Eva: hola"));
        assert_eq!(heard.hear(&said("#7", "hola", 1), NOW), None);
        assert_eq!(heard.hear("hola", NOW), None, "a server of plain text");
        assert_eq!(heard.hear("hola", NOW).as_deref(), Some("hola"));
    }

    #[test]
    fn history_is_nobodys_answer() {
        let mut heard = Heard::new(Some("Ana".to_owned()));
        heard.send("hola".to_owned(), NOW);
        let before = heard.hear(&said("Ana", "hola", 1), NOW);
        assert_eq!(before.as_deref(), Some("Ana: hola"), "said before, by another Ana or oneself");
        heard.hear(&joined("Ana"), NOW);
        assert_eq!(heard.hear(&said("Ana", "hola", 2), NOW), None);
    }

    #[test]
    fn a_history_told_again_is_not_printed_again() {
        let mut heard = ana();
        heard.hear(&said("Eva", "one", 1), NOW);
        heard.send("two".to_owned(), NOW);
        heard.hear(&said("Ana", "two", 2), NOW);
        heard.send("three".to_owned(), NOW);
        assert_eq!(heard.reconnect(), 1, "three may be lost");
        for (text, line) in [
            (said("Eva", "one", 1), None),
            (said("Ana", "two", 2), None),
            (said("Ana", "three", 3), Some("Ana: three")),
            (said("Eva", "one", 4), Some("Eva: one")),
        ] {
            assert_eq!(heard.hear(&text, NOW).as_deref(), line, "{text}");
        }
    }

    #[test]
    fn what_does_not_come_back_is_not_waited_for_for_ever() {
        let mut heard = ana();
        for text in ["a", "b", "c"] {
            heard.send(text.to_owned(), NOW);
        }
        let later = NOW + CHAT_RETURN_TIMEOUT / 2;
        heard.hear(&said("Ana", "a", 1), later);
        heard.handle_timeout(NOW + CHAT_RETURN_TIMEOUT);
        assert_eq!(heard.waiting(), 2, "as long as some come back, the others may");
        assert_eq!(heard.next_timeout(), Some(later + CHAT_RETURN_TIMEOUT));
        heard.handle_timeout(later + CHAT_RETURN_TIMEOUT);
        assert_eq!((heard.waiting(), heard.next_timeout()), (0, None));
    }

    #[test]
    fn a_file_is_not_sent_faster_than_it_comes_back() {
        let mut heard = ana();
        while heard.has_room() {
            heard.send("x".to_owned(), NOW);
        }
        assert_eq!(heard.waiting(), CHAT_SENT_WAITING_MAX);
        heard.hear(&said("Ana", "x", 1), NOW);
        assert!(heard.has_room());
    }
}
