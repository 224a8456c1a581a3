//! Text that came from a peer, made safe to print: one line, no control characters, not long.

use crate::limits::{AGENT_BYTES_MAX, AGENT_CHARS_MAX, QUOTE_CHARS_MAX};

/// The first `chars_max` characters of `text`, with `…` behind them where it was cut, and every
/// control character (line breaks, terminal escapes) and direction mark replaced by U+FFFD: a
/// peer's text can neither forge a log line nor recolour a terminal.
pub fn printable(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars();
    let mut kept: String = chars.by_ref().take(chars_max).map(harmless).collect();
    if chars.next().is_some() {
        kept.push('…');
    }
    kept
}

/// [`printable`] at the length that a log line or an error message quotes.
pub fn quote(text: &str) -> String {
    printable(text, QUOTE_CHARS_MAX)
}

/// A user agent as it is kept: [`printable`], and not long in bytes either.
pub fn agent(text: &str) -> String {
    let mut kept = printable(text, AGENT_CHARS_MAX);
    if kept.len() > AGENT_BYTES_MAX + '…'.len_utf8() {
        kept.truncate(kept.floor_char_boundary(AGENT_BYTES_MAX));
        kept.push('…');
    }
    kept
}

fn harmless(c: char) -> char {
    let turns_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns_direction || matches!(c, '\u{2028}' | '\u{2029}') {
        '\u{fffd}'
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(printable("a\n\u{1b}[31mb\u{202e}", 99), "a\u{fffd}\u{fffd}[31mb\u{fffd}");
    }

    #[test]
    fn an_agent_is_short_in_bytes_too() {
        assert_eq!(agent("Mozilla/5.0"), "Mozilla/5.0");
        assert_eq!(agent(&"x".repeat(600)), format!("{}…", "x".repeat(512)));
        assert_eq!(agent(&"🦀".repeat(512)), format!("{}…", "🦀".repeat(128)));
        assert_eq!(agent(&format!("x{}", "🦀".repeat(512))), format!("x{}…", "🦀".repeat(127)));
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(printable("ñandú", 3), "ñan…");
        assert_eq!(printable("ñandú", 5), "ñandú");
    }
}
