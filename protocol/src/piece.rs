//! A piece of work as one slot takes it: some tasks' inputs in, as many outcomes out.

use crate::message::LeaseInputs;
use crate::op::{Computed, GaveUp, Inputs, Op, OpId};
use crate::outcome::{Errors, Outcome, OutcomeRef, Outcomes};
use crate::values::Values;

/// What a piece's bytes begin with, by what its inputs are.
const GRID: &str = "grid";
const LIST: &str = "list";

/// Tasks that a slot computes without looking up.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// What is computed.
    pub op: &'static dyn Op,
    /// The first task's index.
    pub first: u64,
    /// How many tasks, at least 1.
    pub count: u64,
    /// Their inputs: the job's grid, of which this is a part, or a list that is just theirs.
    pub inputs: LeaseInputs,
}

impl Piece {
    /// A single task.
    pub fn of_one(op: &'static dyn Op, input: &str) -> Piece {
        let inputs = LeaseInputs::List([input].into_iter().collect());
        Piece { op, first: 0, count: 1, inputs }
    }

    /// Computes its tasks, in order, of an op that is built in.
    pub fn compute(&self) -> Outcomes {
        self.try_compute().expect("an op that is built in never gives up")
    }

    /// Computes its tasks, in order.
    ///
    /// # Errors
    ///
    /// Returns why that could not be done here, see [`GaveUp`].
    pub fn try_compute(&self) -> Result<Outcomes, GaveUp> {
        let mut computed = Computed::with_capacity(self.count as usize);
        self.op.compute(self.first..self.first + self.count, self.inputs(), &mut computed);
        computed.into_outcomes()
    }

    fn inputs(&self) -> Inputs<'_> {
        self.inputs.from(self.first)
    }

    /// As bytes, which go from one worker of a tab to another without being copied: a line of words, and behind it
    /// the grid, or the text of a list and where each of its inputs begins, so that nobody looks for that again.
    pub fn write(self) -> Vec<u8> {
        let Piece { op, first, count, inputs } = self;
        let kind = if matches!(inputs, LeaseInputs::Grid(_)) { GRID } else { LIST };
        let mut bytes = format!("{kind} {first} {count} {}\n", op.name()).into_bytes();
        match inputs {
            LeaseInputs::Grid(grid) => {
                let grid = serde_json::to_string(&grid).expect("a grid serialises");
                bytes.extend_from_slice(grid.as_bytes());
            }
            LeaseInputs::List(list) => {
                let (json, starts) = list.into_parts();
                bytes.reserve_exact(json.len() + size_of_val(&*starts));
                bytes.extend_from_slice(json.as_bytes());
                bytes.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
            }
        }
        bytes
    }

    /// Reads what [`Piece::write`] wrote; none of anything else.
    pub fn read(bytes: &[u8]) -> Option<Piece> {
        let (head, inputs) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n')?);
        let inputs = &inputs[1..];
        let mut words = str::from_utf8(head).ok()?.splitn(4, ' ');
        let kind = words.next()?;
        let (first, count): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let op = OpId::new(words.next()?).adopt()?;
        let inputs = match kind {
            GRID => LeaseInputs::Grid(serde_json::from_str(str::from_utf8(inputs).ok()?).ok()?),
            _ => {
                let starts = usize::try_from(count).ok()?.checked_mul(size_of::<u32>())?;
                let (json, starts) = inputs.split_at_checked(inputs.len().checked_sub(starts)?)?;
                let starts = starts.as_chunks().0.iter().map(|start| u32::from_le_bytes(*start));
                let json = str::from_utf8(json).ok()?.to_owned();
                LeaseInputs::List(Values::of_parts(json, starts.collect()))
            }
        };
        Some(Piece { op, first, count, inputs })
    }
}

/// What the tasks of a piece came to.
///
/// They are written as they travel where they are computed: that takes longer than computing most
/// of them, and each slot has a core of its own, while the worker has one coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceResults {
    /// A JSON array, with `null` at the places of errors.
    json: String,
    /// Errors by their places.
    errors: Errors,
    /// The last task's outcome, for people.
    last: String,
}

impl PieceResults {
    /// One outcome a task, in order; none where there is no task.
    pub fn new(outcomes: Outcomes) -> Option<PieceResults> {
        let last = outcomes.get(outcomes.results().len().checked_sub(1)?).show();
        let (results, errors) = outcomes.into_parts();
        Some(PieceResults { json: results.into_json(), errors, last })
    }

    /// As bytes, which go from one worker of a tab to another without being copied: the JSON, and
    /// behind it a line of all else.
    pub fn write(self, duration_ms: f64) -> Vec<u8> {
        let mut bytes = self.json.into_bytes();
        let tail = serde_json::to_string(&(self.errors, self.last, duration_ms));
        bytes.push(b'\n');
        bytes.extend_from_slice(tail.expect("a list of texts and numbers serialises").as_bytes());
        bytes
    }

    /// Reads what [`PieceResults::write`] wrote; none of anything else.
    pub fn read(bytes: Vec<u8>) -> Option<(PieceResults, f64)> {
        let mut json = String::from_utf8(bytes).ok()?;
        // No value of ours has a line break.
        let end = json.rfind('\n')?;
        let (errors, last, duration_ms) = serde_json::from_str(&json[end + 1..]).ok()?;
        json.truncate(end);
        Some((PieceResults { json, errors, last }, duration_ms))
    }

    /// The results as a JSON array, with `null` at the places of errors.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Errors by their places.
    pub fn errors(&self) -> &Errors {
        &self.errors
    }

    /// The outcome of a piece of one task.
    pub fn only(&self) -> OutcomeRef<'_> {
        match self.errors.first() {
            Some((_, error)) => Outcome::Error(error),
            // Within the brackets.
            None => Outcome::Result(&self.json[1..self.json.len() - 1]),
        }
    }

    /// The last task's outcome, for people.
    pub fn last(&self) -> &str {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op;

    fn outcomes(piece: &Piece) -> Vec<String> {
        piece.compute().iter().map(|outcome| outcome.to_string()).collect()
    }

    #[test]
    fn pieces_travel_as_bytes_and_compute_their_part() {
        let op = op::named("repeat_multiply").unwrap();
        let grid = r#"{"initial":[1,-0.0],"factor":2,"times":"0..10"}"#;
        let inputs = LeaseInputs::Grid(serde_json::from_str(grid).unwrap());
        let piece = Piece { op, first: 8, count: 4, inputs };
        let back = Piece::read(&piece.clone().write()).unwrap();
        assert_eq!(back, piece);
        assert_eq!(outcomes(&back), ["256.0", "512.0", "-0.0", "-0.0"]);
        let list = r#"[{"n":12327829503},{"n":27}]"#;
        let inputs = LeaseInputs::List(Values::read(list).unwrap());
        let piece = Piece { op: op::named("collatz").unwrap(), first: 10, count: 2, inputs };
        let back = Piece::read(&piece.clone().write()).unwrap();
        assert_eq!(back, piece);
        assert!(outcomes(&back)[0].starts_with("error: a value on its way"));
        assert_eq!(outcomes(&back)[1], "111");
        for other in
            [&b"{}\n"[..], b"list 0 1 collatz\n", b"list 0 1 collatz", b"list 0 1 divide\n", b""]
        {
            assert_eq!(Piece::read(other), None);
        }
        let results = PieceResults::new(back.compute()).unwrap();
        assert_eq!((results.json(), results.last()), ("[null,111]", "111"));
        assert_eq!(PieceResults::read(results.clone().write(2.5)), Some((results, 2.5)));
        assert_eq!(PieceResults::read(vec![0; 15]), None);
    }
}
