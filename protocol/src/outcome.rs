//! What a task ended with.

use crate::number::Number;
use crate::text::quote;
use crate::values::Values;
use std::fmt;
use std::ops::Range;

/// A task's result, as JSON text; or why it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<T = String> {
    /// Any JSON value.
    Result(T),
    /// The error of its last attempt, or of its op.
    Error(T),
}

/// An outcome that lies elsewhere.
pub type OutcomeRef<'a> = Outcome<&'a str>;

impl<T> Outcome<T> {
    /// Whether the task ended without a result.
    pub fn is_error(&self) -> bool {
        matches!(self, Outcome::Error(_))
    }
}

impl<T: AsRef<str>> Outcome<T> {
    /// As one that is not copied.
    pub fn as_ref(&self) -> OutcomeRef<'_> {
        match self {
            Outcome::Result(result) => Outcome::Result(result.as_ref()),
            Outcome::Error(error) => Outcome::Error(error.as_ref()),
        }
    }
}

impl OutcomeRef<'_> {
    /// As one that lasts.
    pub fn to_owned(self) -> Outcome {
        match self {
            Outcome::Result(result) => Outcome::Result(result.to_owned()),
            Outcome::Error(error) => Outcome::Error(error.to_owned()),
        }
    }
}

impl OutcomeRef<'_> {
    /// As people read it: a number is short, and what is long is cut.
    pub fn show(self) -> String {
        match self {
            Outcome::Result(result) => show_result(result),
            Outcome::Error(error) => format!("error: {}", quote(error)),
        }
    }
}

/// A result as people read it: `3` and not `3.0`; of what is long, the beginning.
pub fn show_result(result: &str) -> String {
    let is_whole = result.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match Number::read(result) {
        // A large one would lose digits.
        Some(number) if !is_whole => number.to_string(),
        _ => quote(result),
    }
}

/// In full: the result as JSON, or the error's words.
impl<T: fmt::Display> fmt::Display for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Result(result) => result.fmt(f),
            Outcome::Error(error) => write!(f, "error: {error}"),
        }
    }
}

/// What neighbouring tasks ended with, kept as it travels and is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// `null` where there is none.
    results: Values,
    /// By their places.
    errors: Errors,
}

/// Why some of neighbouring tasks have no result, by their places among them, in order.
pub type Errors = Vec<(u32, String)>;

impl Outcomes {
    /// Results, of which those at the places of `errors` are none. Places behind the last mean nothing.
    pub fn new(mut results: Values, errors: impl IntoIterator<Item = (u32, String)>) -> Outcomes {
        let len = results.len() as u32;
        let mut errors: Errors = errors.into_iter().filter(|(place, _)| *place < len).collect();
        errors.sort_by_key(|(place, _)| *place);
        errors.dedup_by_key(|(place, _)| *place);
        if errors.iter().any(|(place, _)| results.get(*place as usize) != NONE) {
            let or_none = |(place, result)| match find(&errors, place as u32) {
                Ok(_) => NONE,
                Err(_) => result,
            };
            results = results.iter().enumerate().map(or_none).collect();
        }
        Outcomes { results, errors }
    }

    /// Results, with `null` at the places of errors, which are in order.
    pub(crate) fn of_parts(results: Values, errors: Errors) -> Outcomes {
        Outcomes { results, errors }
    }

    /// How many tasks.
    pub fn len(&self) -> u64 {
        self.results.len() as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// How many of them have no result.
    pub fn failed(&self) -> u64 {
        self.errors.len() as u64
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        let errors = self.errors.iter().map(|(_, error)| error.len() + size_of::<(u32, String)>());
        self.results.bytes() + errors.sum::<usize>()
    }

    /// The one at a place below [`Outcomes::len`].
    #[inline]
    pub fn get(&self, place: usize) -> OutcomeRef<'_> {
        match self.error(place) {
            Some(error) => Outcome::Error(error),
            None => Outcome::Result(self.results.get(place)),
        }
    }

    /// The places of these at which there is no number that JSON has a notation for.
    pub(crate) fn others_than_plain_numbers(
        &self,
        places: Range<usize>,
    ) -> impl Iterator<Item = usize> + '_ {
        // An error's place has `null`.
        places.filter(|place| !matches!(self.results.first_byte(*place), b'-' | b'0'..=b'9'))
    }

    #[inline]
    fn error(&self, place: usize) -> Option<&str> {
        // As nearly always, and no function is called for that.
        if self.errors.is_empty() { None } else { self.error_of_some(place) }
    }

    #[inline(never)]
    fn error_of_some(&self, place: usize) -> Option<&str> {
        find(&self.errors, place as u32).ok().map(|at| &*self.errors[at].1)
    }

    /// The first task's, if there is one.
    pub fn first(&self) -> Option<OutcomeRef<'_>> {
        (!self.is_empty()).then(|| self.get(0))
    }

    /// All, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = OutcomeRef<'_>> + '_ {
        (0..self.results.len()).map(|place| self.get(place))
    }

    /// Those at some places.
    pub fn slice(&self, places: Range<usize>) -> Outcomes {
        let from = places.start as u32;
        let at = |place| find(&self.errors, place).unwrap_or_else(|at| at);
        let errors = self.errors[at(from)..at(places.end as u32)].iter();
        let errors = errors.map(|(place, error)| (place - from, error.clone())).collect();
        Outcomes { results: self.results.slice(places), errors }
    }

    /// Those at some places. All of them are handed over as they are, which costs no copy and leaves
    /// none.
    pub fn take(&mut self, places: Range<usize>) -> Outcomes {
        if places == (0..self.results.len()) { std::mem::take(self) } else { self.slice(places) }
    }

    /// Adds one to the end.
    pub fn push(&mut self, outcome: OutcomeRef<'_>) {
        match outcome {
            Outcome::Result(result) => self.results.push(result),
            Outcome::Error(error) => {
                self.errors.push((self.results.len() as u32, error.to_owned()));
                self.results.push(NONE);
            }
        }
    }

    /// The results, and why some have none.
    pub fn into_parts(self) -> (Values, Errors) {
        (self.results, self.errors)
    }

    /// The results; `null` where there is none.
    pub fn results(&self) -> &Values {
        &self.results
    }

    /// Why some have no result.
    pub fn errors(&self) -> &Errors {
        &self.errors
    }
}

/// What stands where there is no result.
const NONE: &str = "null";

/// Where the error of a place is, or would be.
fn find(errors: &Errors, place: u32) -> Result<usize, usize> {
    errors.binary_search_by_key(&place, |(place, _)| *place)
}

impl<T: AsRef<str>> FromIterator<Outcome<T>> for Outcomes {
    fn from_iter<I: IntoIterator<Item = Outcome<T>>>(outcomes: I) -> Outcomes {
        let mut list = Outcomes::default();
        outcomes.into_iter().for_each(|outcome| list.push(outcome.as_ref()));
        list
    }
}

impl From<Values> for Outcomes {
    fn from(results: Values) -> Outcomes {
        Outcomes { results, errors: Errors::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_together_are_what_they_are_one_by_one() {
        let error = Outcome::Error("trap, [\"twice\"]");
        let results = ["1.5", "-0.0", "\"NaN\"", "{\"error\":\"x\"}"].map(Outcome::Result);
        let mixed = [results[0], error, results[2], error];
        for outcomes in [&results[..], &mixed, &[error], &[]] {
            let together: Outcomes = outcomes.iter().copied().collect();
            assert!(together.iter().eq(outcomes.iter().copied()));
            assert_eq!(together.len(), outcomes.len() as u64);
            let errors = outcomes.iter().filter(|outcome| outcome.is_error()).count();
            assert_eq!(together.failed(), errors as u64);
            let again = Outcomes::new(together.results().clone(), together.errors().clone());
            assert_eq!(again, together);
        }
        let together: Outcomes = mixed.into_iter().collect();
        assert_eq!(together.results().json(), "[1.5,null,\"NaN\",null]");
        let part = together.slice(1..3);
        assert!(part.iter().eq([error, results[2]]));
        let mut left = together.clone();
        assert_eq!(left.take(1..3), part);
        assert_eq!(left.take(0..4), together);
        assert!(left.is_empty() && left.failed() == 0);
    }

    #[test]
    fn people_read_what_is_short() {
        let shown = |result| Outcome::Result(result).show();
        for (result, expected) in [
            ("3.0", "3"),
            ("1.5", "1.5"),
            ("\"Infinity\"", "Infinity"),
            ("18446744073709551615", "18446744073709551615"),
            ("{\"x\":1}", "{\"x\":1}"),
        ] {
            assert_eq!(shown(result), expected);
        }
        assert!(shown(&format!("\"{}\"", "x".repeat(1000))).len() < 200);
        assert_eq!(Outcome::Error("trap").show(), "error: trap");
    }

    #[test]
    fn where_there_is_an_error_no_result_is_kept() {
        let results: Values = ["1", "2"].into_iter().collect();
        let outcomes = Outcomes::new(results, [(7, "none".to_owned()), (1, "no".to_owned())]);
        assert_eq!(outcomes.results().json(), "[1,null]");
        assert!(outcomes.iter().eq([Outcome::Result("1"), Outcome::Error("no")]));
    }
}
