//! Events whose names can be borrowed.

use crate::OTHER_NAME;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// The packet as the original parser can read it; `None` where it can already, or never could.
pub(crate) fn with_borrowable_name(packet: &str) -> Option<String> {
    let array = arguments_at(packet)?;
    let (header, elements) = packet.split_at(array + 1);
    let elements = elements.trim_start_matches(is_space);
    match elements.as_bytes().first()? {
        b'"' => {
            let (written, rest) = elements.split_at(string_end(elements)?);
            if !written.contains('\\') {
                return None;
            }
            let Name(name) = serde_json::from_str(written).ok()?;
            Some(match needs_escapes(&name) {
                true => format!("{header}\"{OTHER_NAME}\",{elements}"),
                false => format!("{header}\"{name}\"{rest}"),
            })
        }
        b'-' | b'0'..=b'9' => Some(format!("{header}\"{OTHER_NAME}\",{elements}")),
        _ => None,
    }
}

/// Where the array of an event begins:
/// `TYPE[ATTACHMENTS-][/NAMESPACE,][ACKNOWLEDGEMENT]["name",...]`.
fn arguments_at(packet: &str) -> Option<usize> {
    let bytes = packet.as_bytes();
    let digits =
        |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = match bytes.first()? {
        b'2' => 1,
        b'5' => {
            let dash = 1 + digits(1);
            (bytes.get(dash) == Some(&b'-')).then_some(dash + 1)?
        }
        _ => return None,
    };
    if bytes.get(at) == Some(&b'/') {
        at += packet[at..].find(',')? + 1;
    }
    at += digits(at);
    (bytes.get(at) == Some(&b'[')).then_some(at)
}

/// White space of JSON.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Where the string ends that `text` begins with, its quotes included.
fn string_end(text: &str) -> Option<usize> {
    let mut is_escaped = true;
    text.bytes()
        .position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        })
        .map(|quote| quote + 1)
}

fn needs_escapes(name: &str) -> bool {
    name.chars().any(|c| matches!(c, '"' | '\\' | '\0'..='\u{1f}'))
}

/// A string in which U+FFFD stands for what is no character: half of one, which JavaScript and Python
/// can send.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Name, E> {
                Ok(Name(String::from_utf8_lossy(bytes).into_owned()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_escapes_is_written_without() {
        for (packet, wanted) in [
            (r#"2["ma\u00f1ana"]"#, r#"2["mañana"]"#),
            (r#"27[ "\u006dessage" , {"a":"\u00f1\""}]"#, r#"27["message" , {"a":"\u00f1\""}]"#),
            (r#"2/sal\u00f3n,3["a\/b"]"#, r#"2/sal\u00f3n,3["a/b"]"#),
            (
                r#"52-/n,12["\ud83d\ude00",{"_placeholder":true,"num":0}]"#,
                r#"52-/n,12["😀",{"_placeholder":true,"num":0}]"#,
            ),
            (r#"2["\ud83d x"]"#, "2[\"\u{fffd}\u{fffd}\u{fffd} x\"]"),
        ] {
            assert_eq!(with_borrowable_name(packet).as_deref(), Some(wanted), "{packet}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_written_so_stays_behind_another() {
        for (packet, elements) in [
            (r#"2["a\"b",1]"#, r#""a\"b",1]"#),
            (r#"2["a\\",1]"#, r#""a\\",1]"#),
            (r#"2["a\nb"]"#, r#""a\nb"]"#),
            (r#"2[7,"x"]"#, r#"7,"x"]"#),
            ("2[-1.5e3]", "-1.5e3]"),
        ] {
            let wanted = format!("2[\"{OTHER_NAME}\",{elements}");
            assert_eq!(with_borrowable_name(packet), Some(wanted), "{packet}");
        }
    }

    #[test]
    fn anything_else_is_left_as_it_is() {
        let long = format!("2[\"{}\"]", "ñ".repeat(4096));
        for packet in [
            "",
            "2",
            "2[",
            "2[]",
            "2[\"",
            "2[\"a",
            "2[\"a\\",
            "2[\"a\\\"",
            "2[\"\\x\"]",
            "2[\"\\u12\"]",
            "2[\"mañana\",\"\\u00f1\"]",
            "2[\"\"]",
            "2[null]",
            "2{}",
            "2/é",
            "2/[\"\\u00f1\"]",
            "5[\"\\u00f1\"]",
            "5-é",
            "0[\"\\u00f1\"]",
            "3[\"\\u00f1\"]",
            "43",
            "é",
            &long,
        ] {
            assert_eq!(with_borrowable_name(packet), None, "{packet}");
        }
    }
}
