//! Ops: what a task computes. An op is one file here and one line in the table below; nobody else knows
//! what its inputs and results mean.
//!
//! An input is a JSON object with a number for each parameter of the op; a result is any JSON value.

mod args;
pub mod kernel;
mod param;
mod work;

pub(crate) use args::write_texts;
pub use args::{ArgsError, Reader, write as write_input};
pub use kernel::GaveUp;
pub use param::{Args, Kind, PARAMS_MAX, Param};
pub use work::{Computed, Inputs};

use crate::number::Number;
use crate::outcome::{Outcome, OutcomeRef, Outcomes};
use crate::text::quote;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Declares the module of each op, and [`ALL`] of them.
macro_rules! ops {
    ($($(#[$cfg:meta])* $module:ident,)*) => {
        $($(#[$cfg])* mod $module;)*

        /// Every op that this version knows, in no order that means anything.
        pub const ALL: &[&dyn Op] = &[$($(#[$cfg])* &$module::OP,)*];
    };
}

ops! {
    repeat_multiply,
    collatz,
    #[cfg(feature = "test-ops")]
    misbehave,
    #[cfg(all(feature = "test-ops", not(target_family = "wasm")))]
    sleep,
}

#[cfg(feature = "test-ops")]
pub use misbehave::{ENDLESS, TRAP};

/// What a job may compute.
///
/// An op computes the same for the same input, to the bit and on every target, and has no effect.
pub trait Op: fmt::Debug + Sync {
    /// Its name on the wire and for people: `snake_case`, at most `NAME_CHARS_MAX` characters.
    fn name(&self) -> &'static str;

    /// What it takes: 1 to [`PARAMS_MAX`] parameters. Of a grid that is given as an object of axes without
    /// an order, they are the axes, and the last one varies fastest.
    fn params(&self) -> &'static [Param];

    /// Computes tasks, in order, and adds an outcome for each to `computed`.
    fn compute(&self, tasks: Range<u64>, inputs: Inputs<'_>, computed: &mut Computed);

    /// Whether an outcome cannot be this input's: what is seen without computing it. Every claim is looked at
    /// so, most are not computed again. `args` gives the input's values.
    fn is_impossible(&self, _claimed: OutcomeRef<'_>, _args: &mut dyn FnMut() -> Args) -> bool {
        false
    }

    /// The place of an outcome that is impossible, of those at `places`. `args` gives the values of a place.
    fn find_impossible(
        &self,
        claimed: &Outcomes,
        mut places: Range<usize>,
        args: &mut dyn FnMut(usize) -> Args,
    ) -> Option<usize> {
        places.find(|place| self.is_impossible(claimed.get(*place), &mut || args(*place)))
    }

    /// An input as people read it, of its values.
    fn show(&self, args: &Args) -> String {
        let value = |(param, value): (&Param, &f64)| format!("{} = {}", param.name, Number(*value));
        self.params().iter().zip(args).map(value).collect::<Vec<_>>().join(", ")
    }

    /// A result that another program has written, as this one writes it: `111` where that has `111.0`.
    /// None of what is no result of this op.
    fn canonical(&self, result: &str) -> Option<String> {
        Some(result.to_owned())
    }

    /// Whether an outcome that somebody claims is the one that we came to. Another program has its own words
    /// for an error.
    fn agrees(&self, ours: OutcomeRef<'_>, claimed: OutcomeRef<'_>, how: Exactness) -> bool {
        match (ours, claimed) {
            (Outcome::Result(ours), Outcome::Result(claimed)) => {
                ours == claimed || self.canonical(claimed).is_some_and(|claimed| claimed == ours)
            }
            (Outcome::Error(ours), Outcome::Error(claimed)) => {
                ours == claimed || how == Exactness::Close
            }
            _ => false,
        }
    }

    /// The kernel that it is, if it is one.
    fn kernel(&self) -> Option<&kernel::Kernel> {
        None
    }

    /// What the server does to judge a claim.
    fn audits(&self) -> Audits {
        Audits::OnTheSpot
    }
}

/// How near a claimed result must be to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// To the bit: it was computed by the same code.
    Exact,
    /// As near as another program comes that computes with its own language's functions.
    Close,
}

/// Where a server computes a task again to judge a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audits {
    /// Where it is asked for: that takes microseconds.
    OnTheSpot,
    /// On threads of their own: that may take longer.
    OnThreads,
    /// Nowhere: it may never end.
    Never,
}

/// The op of this name: one that this version has, or a kernel that this process was told of.
pub fn named(name: &str) -> Option<&'static dyn Op> {
    ALL.iter().copied().find(|op| op.name() == name).or_else(|| kernel::named(name))
}

/// The names of the ops that are built in, as an error lists them.
pub fn names() -> String {
    ALL.iter().map(|op| op.name()).collect::<Vec<_>>().join(", ")
}

impl PartialEq for dyn Op {
    fn eq(&self, other: &dyn Op) -> bool {
        self.name() == other.name()
    }
}

impl dyn Op {
    /// An input as people read it.
    pub fn show_input(&self, input: &str) -> String {
        if self.params().is_empty() {
            return quote(input);
        }
        match Reader::new(self.params()).read(input) {
            Ok(args) => self.show(args),
            Err(_) => quote(input),
        }
    }
}

/// What a job computes, by its name. This version may not know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct OpId(Cow<'static, str>);

impl OpId {
    /// The op of this name, whether this version knows it or not.
    pub fn new(name: &str) -> OpId {
        match named(name) {
            Some(op) => OpId(Cow::Borrowed(op.name())),
            None => OpId(Cow::Owned(name.to_owned())),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The op, if this version knows it.
    pub fn known(&self) -> Option<&'static dyn Op> {
        named(&self.0)
    }

    /// The hash of the kernel's module, if it is a kernel, whether this process knows it or not.
    pub fn kernel(&self) -> Option<&str> {
        kernel::module_of(&self.0)
    }

    /// The op. A kernel is known from now on: the id comes from somebody who may have us compute what they say.
    pub fn adopt(&self) -> Option<&'static dyn Op> {
        self.known().or_else(|| kernel::adopt(&self.0))
    }
}

impl From<&'static dyn Op> for OpId {
    fn from(op: &'static dyn Op) -> OpId {
        OpId(Cow::Borrowed(op.name()))
    }
}

/// For people: of a kernel's hash, the first digits.
impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kernel() {
            Some(sha256) => write!(f, "kernel {}", &sha256[..8]),
            None => f.write_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for OpId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OpId, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        let is_short = name.chars().count() <= crate::limits::NAME_CHARS_MAX;
        if !is_short && name.parse::<kernel::KernelId>().is_err() {
            return Err(D::Error::custom("an op's name is too long"));
        }
        Ok(OpId::new(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{FRAME_BYTES_MAX, INTEGER_MAX, LEASE_INPUTS_MAX, NAME_CHARS_MAX};

    #[test]
    fn every_op_is_found_by_its_name_and_takes_what_its_examples_are() {
        for (place, op) in ALL.iter().enumerate() {
            assert!(ALL[..place].iter().all(|before| before.name() != op.name()));
            assert_eq!(named(op.name()), Some(*op));
            assert!(op.name().len() <= NAME_CHARS_MAX);
            let is_word = |name: &str| name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
            assert!(is_word(op.name()));
            let params = op.params();
            assert!((1..=PARAMS_MAX).contains(&params.len()));
            for param in params {
                assert!(is_word(param.name) && param.kind.takes(param.example), "{param:?}");
                if let Kind::Integer { min, max } = param.kind {
                    let least = -(INTEGER_MAX as i64);
                    assert!(least <= min && min <= max && max <= INTEGER_MAX as i64);
                }
            }
        }
    }

    /// A lease of as many inputs as there may be fits a frame.
    #[test]
    fn inputs_are_short_enough_to_travel_together() {
        for op in ALL {
            let name = |param: &Param| param.name.len() + r#","":"#.len() + 24;
            let longest = op.params().iter().map(name).sum::<usize>() + r#"{},"#.len();
            assert!(longest * LEASE_INPUTS_MAX as usize + 1000 < FRAME_BYTES_MAX, "{op:?}");
        }
    }

    #[test]
    fn an_op_that_nobody_knows_keeps_its_name() {
        let id: OpId = serde_json::from_str("\"divide\"").unwrap();
        assert!(id.known().is_none() && id.name() == "divide");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"divide\"");
        assert_eq!(OpId::new("collatz").known().map(Op::name), Some("collatz"));
        assert!(serde_json::from_str::<OpId>(&format!("\"{}\"", "x".repeat(65))).is_err());
    }
}
