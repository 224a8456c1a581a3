//! What a task ended with.

use crate::number::Number;
use serde::{Deserialize, Serialize};

/// A result, or the error of the task's last attempt.
///
/// Its JSON is the number itself (see [`Number`]) or `{"error":"..."}`: a thousand outcomes are an
/// array of numbers that any tool reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// The task's result.
    Result(Number),
    /// The task has no result, and why.
    Error {
        /// What its last attempt said.
        error: String,
    },
}

impl Outcome {
    /// Whether the task ended without a result.
    pub fn is_error(&self) -> bool {
        matches!(self, Outcome::Error { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_numbers_or_say_why_not() {
        let outcomes = [
            Outcome::Result(Number(1.5)),
            Outcome::Result(Number(-0.0)),
            Outcome::Result(Number(f64::NAN)),
            Outcome::Error { error: "trap".to_owned() },
        ];
        let json = serde_json::to_string(&outcomes).unwrap();
        assert_eq!(json, r#"[1.5,-0.0,"NaN",{"error":"trap"}]"#);
        let back: Vec<Outcome> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, outcomes);
    }
}
