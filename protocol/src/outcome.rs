//! What a task ended with.

use crate::number::Number;
use crate::numbers::Numbers;
use crate::scan::Scan;
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

/// What neighbouring tasks ended with, kept as it is stored: a JSON array of [`Outcome`]s.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes {
    json: String,
    len: u64,
    failed: u64,
}

impl Outcomes {
    /// How many tasks.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of them have no result.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The JSON array.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// All, in order.
    pub fn read(&self) -> Vec<Outcome> {
        match self.results() {
            Some(results) => results.iter().map(Outcome::Result).collect(),
            None => serde_json::from_str(&self.json).expect("outcomes that were written are read"),
        }
    }

    /// The first task's, if there is one.
    pub fn first(&self) -> Option<Outcome> {
        let inside = self.json.strip_prefix('[')?;
        let first = serde_json::Deserializer::from_str(inside).into_iter().next()?;
        // Behind the last one a bracket is closed that was not opened.
        first.ok()
    }

    /// All, where each is a result.
    fn results(&self) -> Option<Numbers> {
        Numbers::scan(&mut Scan::new(&self.json)).filter(|_| self.failed == 0)
    }
}

impl FromIterator<Outcome> for Outcomes {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Outcomes {
        let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
        Outcomes {
            json: serde_json::to_string(&outcomes).expect("outcomes serialise"),
            len: outcomes.len() as u64,
            failed: outcomes.iter().filter(|outcome| outcome.is_error()).count() as u64,
        }
    }
}

impl From<Numbers> for Outcomes {
    fn from(results: Numbers) -> Outcomes {
        Outcomes { len: results.len() as u64, failed: 0, json: results.into_json() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_together_are_what_they_are_one_by_one() {
        let error = Outcome::Error { error: "trap, [\"twice\"]".to_owned() };
        let numbers = [1.5, -0.0, f64::NAN].map(Number);
        let results = numbers.map(Outcome::Result);
        let mixed = [results[0].clone(), error.clone(), results[2].clone()];
        for outcomes in [&results[..], &mixed, &[error], &[]] {
            let together: Outcomes = outcomes.iter().cloned().collect();
            assert_eq!(together.read(), outcomes);
            assert_eq!(together.first().as_ref(), outcomes.first());
            assert_eq!(together.len(), outcomes.len() as u64);
            assert_eq!(together.json(), serde_json::to_string(outcomes).unwrap());
        }
        assert_eq!(Outcomes::from_iter(mixed).failed(), 1);
        let of_numbers = Outcomes::from(numbers.into_iter().collect::<Numbers>());
        assert_eq!(of_numbers, results.into_iter().collect());
    }

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
