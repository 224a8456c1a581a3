//! What holds of whatever bytes arrive, for `mutations.rs` here and for the fuzz targets: nothing
//! panics, and what can be read is written so that it reads back equal.

use std::fmt::{Debug, Display};
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::job_text::{self, JobError};
use tequio_protocol::limits::{INTEGER_MAX, JOB_TASKS_MAX, NAME_CHARS_MAX};
use tequio_protocol::message::{Lease, LeaseInputs, ServerMessage, Task, WorkerMessage};
use tequio_protocol::op::{self, Op, PARAMS_MAX};
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_protocol::reader::{Invalid, Reader, Refused, Start};
use tequio_protocol::values::Values;

/// A function of this module: whether the bytes could be read.
pub(crate) type Check = fn(&[u8]) -> bool;

/// All of them.
pub(crate) const CHECKS: [Check; 6] = [worker_message, server_message, axis, grid, inputs, job];

/// A frame that a worker sent.
pub(crate) fn worker_message(bytes: &[u8]) -> bool {
    check(bytes, WorkerMessage::read, WorkerMessage::write).is_some()
}

/// A frame that a server sent.
pub(crate) fn server_message(bytes: &[u8]) -> bool {
    let message = check(bytes, ServerMessage::read, ServerMessage::write);
    match &message {
        Some(ServerMessage::Lease(lease)) => check_lease(lease),
        Some(ServerMessage::Task(Task { op, input, .. })) => {
            op::Reader::new(op.params()).read(input).expect("the op takes a task's input");
            check_piece(&Piece::of_one(*op, input));
        }
        _ => {}
    }
    message.is_some()
}

/// An axis, as text and as JSON.
pub(crate) fn axis(bytes: &[u8]) -> bool {
    let read_json = |text: &str| serde_json::from_str::<Axis>(text);
    let of_text: Option<Axis> = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    let of_json = check(bytes, read_json, write_json);
    for axis in of_text.iter().chain(&of_json) {
        assert!((1..=JOB_TASKS_MAX).contains(&axis.len()));
        assert_eq!(check(write_json(axis).as_bytes(), read_json, write_json).as_ref(), Some(axis));
        for index in [0, axis.len() / 2, axis.len() - 1] {
            assert!(axis.value(index).is_finite(), "value {index} of {axis:?}");
        }
    }
    of_text.is_some() || of_json.is_some()
}

/// A grid.
pub(crate) fn grid(bytes: &[u8]) -> bool {
    let grid = check(bytes, |text: &str| serde_json::from_str::<Grid>(text), write_json);
    if let Some(grid) = &grid {
        check_grid(grid);
    }
    grid.is_some()
}

/// A text of inputs, of any op.
pub(crate) fn inputs(bytes: &[u8]) -> bool {
    op::ALL.iter().filter(|op| inputs_of(**op, bytes)).count() > 0
}

fn inputs_of(op: &dyn Op, bytes: &[u8]) -> bool {
    let (inputs, read) = read_inputs(op, [bytes]);
    let mut values = op::Reader::new(op.params());
    assert!(inputs.iter().all(|input| values.read(input).is_ok()), "its op takes it: {inputs:?}");
    if !inputs.is_empty() {
        let lines = inputs.iter().collect::<Vec<_>>().join("\n");
        let (again, read) = read_inputs(op, [lines.as_bytes()]);
        assert!(read.is_ok() && again == inputs, "what was read is read as it is: {lines}");
    }
    match read {
        Ok(()) => {
            let in_pieces = read_inputs(op, bytes.chunks(7));
            assert_eq!(in_pieces, (inputs.clone(), Ok(())), "in pieces it is the same");
            !inputs.is_empty()
        }
        Err(refused) => {
            assert!(!refused.message("COMMAND").is_empty());
            false
        }
    }
}

fn read_inputs<'a>(
    op: &dyn Op,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Values, Result<(), Refused>) {
    let mut reader = Reader::new(op.params(), Start { index: 0, line: 1 }, Invalid::Refuse);
    let pushed = pieces.into_iter().try_for_each(|piece| reader.push(piece));
    let read = pushed.and_then(|()| reader.end());
    (reader.take().inputs, read)
}

/// A job of a grid.
pub(crate) fn job(bytes: &[u8]) -> bool {
    match job_text::read(bytes) {
        Ok(job) => {
            check_grid(&job.grid);
            let op = job.op.known().expect("a job's op is known");
            assert_eq!(job.grid.check(op.params()), Ok(()));
            assert_eq!(job_text::read(write_json(&job).as_bytes()), Ok(job));
            true
        }
        Err(error) => {
            let (JobError::Json(said) | JobError::Job { said, .. } | JobError::Op(said)) = &error;
            assert!(!said.is_empty() || matches!(error, JobError::Op(_)));
            false
        }
    }
}

fn check<T: PartialEq + Debug, E: Display + Debug>(
    bytes: &[u8],
    read: impl Fn(&str) -> Result<T, E>,
    write: impl Fn(&T) -> String,
) -> Option<T> {
    let text = std::str::from_utf8(bytes).ok()?;
    match read(text) {
        Ok(value) => {
            let written = write(&value);
            let back = read(&written).expect("what was written can be read");
            assert_eq!(back, value, "{written}");
            assert_eq!(write(&back), written, "equal, but written differently");
            Some(value)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn write_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("axes and grids serialise")
}

fn check_lease(lease: &Lease) {
    let end = lease.first.checked_add(lease.count).expect("a lease ends");
    assert!(lease.count >= 1 && end <= INTEGER_MAX);
    assert!(lease.block.is_power_of_two() && lease.first.is_multiple_of(lease.block));
    let last = match &lease.inputs {
        LeaseInputs::Grid(grid) => {
            assert!(end <= grid.total());
            assert!(end.is_multiple_of(lease.block) || end == grid.total());
            check_grid(grid);
            LeaseInputs::Grid(grid.clone())
        }
        LeaseInputs::List(inputs) => {
            assert_eq!(inputs.len() as u64, lease.count);
            LeaseInputs::List(inputs.slice(inputs.len() - 1..inputs.len()))
        }
    };
    let op = lease.op;
    let input = lease.inputs.from(lease.first).text(op.params(), end - 1);
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&input).is_ok(), "{input}");
    check_piece(&Piece { op, first: end - 1, count: 1, inputs: last });
}

/// A piece of one task travels to a slot and comes to one outcome, which travels back.
fn check_piece(piece: &Piece) {
    assert_eq!(Piece::read(&piece.clone().write()).as_ref(), Some(piece));
    let outcomes = piece.compute();
    assert_eq!(outcomes.len(), 1, "{piece:?}");
    let results = PieceResults::new(outcomes.clone()).expect("it has a task");
    assert_eq!(results.only(), outcomes.get(0));
    assert_eq!(PieceResults::read(results.clone().write(1.5)), Some((results, 1.5)));
}

fn check_grid(grid: &Grid) {
    assert!((1..=JOB_TASKS_MAX).contains(&grid.total()));
    assert!((1..=PARAMS_MAX).contains(&grid.axes().len()));
    assert!(grid.axes().all(|(name, _)| (1..=NAME_CHARS_MAX).contains(&name.chars().count())));
    for index in [0, grid.total() / 2, grid.total() - 1] {
        assert!(grid.values(index).all(f64::is_finite), "task {index} of {grid:?}");
    }
}
