//! What a chat's members are sent who ask for JSON with `?format=json`. The others are sent the bare
//! text of what was said, and all of them send bare text, so that any WebSocket client can take part.

use serde::{Deserialize, Serialize};

/// Something that happened in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(untagged)]
pub enum ChatEvent {
    /// A member said something; the member itself is told too.
    Said {
        /// Its name, or `#` and its number where it has none.
        from: String,
        /// What it said.
        text: String,
        /// When: RFC 3339, UTC.
        at: String,
    },
    /// A member with a name came.
    Joined {
        /// Its name.
        joined: String,
        /// Who is in the room now, with and without a name.
        members: u32,
        /// When: RFC 3339, UTC.
        at: String,
    },
    /// A member with a name left.
    Left {
        /// Its name.
        left: String,
        /// Who is in the room now, with and without a name.
        members: u32,
        /// When: RFC 3339, UTC.
        at: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_three_keys() {
        let said = |text: &str| ChatEvent::Said {
            from: "Ana".to_owned(),
            text: text.to_owned(),
            at: "2026-01-02T03:04:05.678Z".to_owned(),
        };
        let json = serde_json::to_string(&said("hola")).unwrap();
        assert_eq!(json, r#"{"from":"Ana","text":"hola","at":"2026-01-02T03:04:05.678Z"}"#);
        assert_eq!(serde_json::from_str::<ChatEvent>(&json).unwrap(), said("hola"));
        let left = r#"{"left":"Ana","members":2,"at":"2026-01-02T03:04:05.678Z"}"#;
        assert!(matches!(serde_json::from_str(left), Ok(ChatEvent::Left { members: 2, .. })));
    }
}
