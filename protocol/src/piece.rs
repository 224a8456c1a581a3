//! A piece of work as one slot takes it: some tasks' inputs in, as many results out.

use crate::grid::Grid;
use crate::message::LeaseInputs;
use crate::number::Number;
use crate::op::{Op, RepeatMultiply};
use serde::{Deserialize, Serialize};

/// Tasks that a slot computes without looking up.
#[derive(Clone, Debug, PartialEq)]
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

    /// As bytes, which go from one worker of a tab to another without being copied: a line of JSON,
    /// and behind it a list's inputs, 24 bytes each.
    pub fn write(&self) -> Vec<u8> {
        let (grid, list) = match &self.inputs {
            LeaseInputs::Grid(grid) => (Some(grid), [].as_slice()),
            LeaseInputs::List(list) => (None, list.as_slice()),
        };
        let head = Head { op: self.op, first: self.first, count: self.count, grid };
        let mut bytes = serde_json::to_vec(&head).expect("pieces have string keys and serialise");
        bytes.reserve(1 + list.len() * INPUT_BYTES);
        bytes.push(b'\n');
        for input in list {
            bytes.extend_from_slice(&input.initial().to_le_bytes());
            bytes.extend_from_slice(&input.factor().to_le_bytes());
            bytes.extend_from_slice(&input.times().to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Piece::write`] wrote; none of anything else.
    pub fn read(bytes: &[u8]) -> Option<Piece> {
        let line = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, list) = (&bytes[..line], &bytes[line + 1..]);
        // As a string: serde_json's reader of bytes would be a second one in every tab.
        let head = str::from_utf8(head).ok()?;
        let Head::<Grid> { op, first, count, grid } = serde_json::from_str(head).ok()?;
        let inputs = match grid {
            Some(grid) => LeaseInputs::Grid(grid),
            None => LeaseInputs::List(
                list.as_chunks::<INPUT_BYTES>().0.iter().map(read_input).collect::<Option<_>>()?,
            ),
        };
        Some(Piece { op, first, count, inputs })
    }
}

/// A list's input: `initial`, `factor` and `times` at 8 bytes each, the lowest first.
const INPUT_BYTES: usize = 24;

/// A piece but for a list of inputs.
#[derive(Serialize, Deserialize)]
struct Head<G> {
    op: Op,
    first: u64,
    count: u64,
    grid: Option<G>,
}

fn read_input(bytes: &[u8; INPUT_BYTES]) -> Option<RepeatMultiply> {
    let [initial, factor, times] = bytes.as_chunks::<8>().0 else { return None };
    let (initial, factor) = (f64::from_le_bytes(*initial), f64::from_le_bytes(*factor));
    RepeatMultiply::new(initial, factor, u64::from_le_bytes(*times)).ok()
}

/// What the tasks of a piece came to.
///
/// They are written as they travel where they are computed: that takes longer than computing most
/// of them, and each slot has a core of its own, while the worker has one coordinator.
#[derive(Clone, Debug, PartialEq)]
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

    /// As bytes, which go from one worker of a tab to another without being copied: the JSON, and
    /// behind it the last result and how long this took in milliseconds, at 8 bytes each.
    pub fn write(self, duration_ms: f64) -> Vec<u8> {
        let mut bytes = self.json.into_bytes();
        bytes.extend_from_slice(&self.last.to_le_bytes());
        bytes.extend_from_slice(&duration_ms.to_le_bytes());
        bytes
    }

    /// Reads what [`PieceResults::write`] wrote; none of anything else.
    pub fn read(mut bytes: Vec<u8>) -> Option<(PieceResults, f64)> {
        let mut take = || {
            let last = f64::from_le_bytes(*bytes.last_chunk()?);
            bytes.truncate(bytes.len() - size_of::<f64>());
            Some(last)
        };
        let (duration_ms, last) = (take()?, take()?);
        let json = String::from_utf8(bytes).ok()?;
        Some((PieceResults { json, last }, duration_ms))
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
    fn pieces_travel_as_bytes_and_compute_their_part() {
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
        let three = [(1.5, -2.5, 0), (-0.0, 5e-324, (1 << 53) - 1), (f64::MAX, 1.0, 7)]
            .map(|(initial, factor, times)| RepeatMultiply::new(initial, factor, times).unwrap());
        let inputs = LeaseInputs::List(three.to_vec());
        let piece = Piece { op: Op::RepeatMultiply, first: 10, count: 3, inputs };
        let bytes = piece.write();
        assert_eq!(Piece::read(&bytes).unwrap(), piece);
        assert_eq!(Piece::read(b"{}\n"), None);
        let mut not_finite = bytes;
        let last = not_finite.len() - INPUT_BYTES;
        not_finite[last..last + 8].copy_from_slice(&f64::NAN.to_le_bytes());
        assert_eq!(Piece::read(&not_finite), None);
        let results = PieceResults::new(&[1.5, -0.0]).unwrap();
        assert_eq!(PieceResults::read(results.clone().write(2.5)), Some((results, 2.5)));
        assert_eq!(PieceResults::read(vec![0; 15]), None);
    }
}
