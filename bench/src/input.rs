//! Inputs of `repeat_multiply`, the op that is measured with: as anybody would keep and read them, who has
//! one op and serde.

use serde::{Deserialize, Serialize};
use tequio_protocol::op::{self, Op};
use tequio_protocol::power::Power;

/// The op's name.
pub(crate) const OP: &str = "repeat_multiply";

/// One task's input.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Input {
    pub(crate) initial: f64,
    pub(crate) factor: f64,
    pub(crate) times: u64,
}

impl Input {
    /// That of task `index` of every measure that makes its inputs: results of all 17 digits.
    pub(crate) fn nth(index: u64) -> Input {
        Input { initial: 1.0000054, factor: 1.00000043, times: index % 1_000_000 }
    }

    /// What the op comes to.
    pub(crate) fn compute(&self) -> f64 {
        self.initial * Power::of(self.factor).raise(self.times)
    }
}

/// The op that is measured with.
pub(crate) fn op() -> &'static dyn Op {
    op::named(OP).expect("every version knows it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::piece::{Piece, PieceResults};

    #[test]
    fn the_op_comes_to_the_same() {
        for index in [0, 1, 999_999] {
            let input = Input::nth(index);
            let piece = Piece::of_one(op(), &serde_json::to_string(&input).unwrap());
            let results = PieceResults::new(piece.compute()).unwrap();
            assert_eq!(results.json(), serde_json::to_string(&[input.compute()]).unwrap());
        }
    }
}
