//! A piece of work as one slot takes it: some tasks' inputs in, as many results out.

use crate::message::LeaseInputs;
use crate::number::Number;
use crate::op::{Op, RepeatMultiply};
use serde::{Deserialize, Serialize};

/// Tasks that a slot computes without looking up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// What is computed.
    pub op: Op,
    /// The first task's index.
    pub first: u64,
    /// How many tasks, at least 1.
    pub count: u64,
    /// Their inputs: the job's grid, of which this is a part, or a list that is just theirs.
    pub inputs: LeaseInputs,
}

impl Piece {
    /// A single task.
    pub fn of_one(op: Op, input: RepeatMultiply) -> Piece {
        Piece { op, first: 0, count: 1, inputs: LeaseInputs::List(vec![input]) }
    }

    /// The input of the `offset`-th task of this piece, which must be below `count`.
    pub fn input(&self, offset: u64) -> RepeatMultiply {
        match &self.inputs {
            LeaseInputs::Grid(grid) => grid.input(self.first + offset),
            LeaseInputs::List(inputs) => inputs[offset as usize],
        }
    }

    /// Computes its tasks, in order.
    pub fn compute(&self) -> Vec<f64> {
        let mut compute = self.op.computer();
        let mut results = Vec::with_capacity(self.count as usize);
        match &self.inputs {
            LeaseInputs::Grid(grid) => {
                // `for_each` goes through each row in a loop of its own, which `collect` does not.
                let inputs = grid.inputs(self.first..self.first + self.count);
                inputs.for_each(|input| results.push(compute(&input)));
            }
            LeaseInputs::List(inputs) => {
                results.extend(inputs[..self.count as usize].iter().map(compute));
            }
        }
        results
    }

    /// As text, which carries a grid, or an input of `-0`, between workers as it is.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("pieces have string keys and serialise")
    }

    /// Reads what [`Piece::write`] wrote.
    pub fn read(text: &str) -> Result<Piece, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// What the tasks of a piece came to.
///
/// They are written as they travel where they are computed: that takes longer than computing most
/// of them, and each slot has a core of its own, while the worker has one coordinator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PieceResults {
    /// A JSON array of [`Number`]s.
    json: String,
    last: f64,
}

impl PieceResults {
    /// One result a task, in order; none where there is no task.
    pub fn new(results: &[f64]) -> Option<PieceResults> {
        let last = *results.last()?;
        let numbers: Vec<Number> = results.iter().copied().map(Number).collect();
        let json = serde_json::to_string(&numbers).expect("numbers serialise");
        Some(PieceResults { json, last })
    }

    /// The results as a JSON array.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The last task's.
    pub fn last(&self) -> Number {
        Number(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_travel_as_text_and_compute_their_part() {
        let grid = r#"{"initial":[1,-0.0],"factor":2,"times":"0..10"}"#;
        let inputs = LeaseInputs::Grid(serde_json::from_str(grid).unwrap());
        let piece = Piece { op: Op::RepeatMultiply, first: 8, count: 4, inputs };
        let back = Piece::read(&piece.write()).unwrap();
        assert_eq!(back, piece);
        let results = back.compute();
        assert_eq!(results, [256.0, 512.0, 0.0, 0.0]);
        assert!(results[2].is_sign_negative());
        let one = Piece::of_one(Op::RepeatMultiply, RepeatMultiply::new(-0.0, 1.0, 3).unwrap());
        assert!(Piece::read(&one.write()).unwrap().compute()[0].is_sign_negative());
    }
}
