//! Rows of results as they are read from the store: outcomes, and what stands beside them.

use crate::store::{Run, Store, StoreError};
use std::ops::Range;
use std::sync::Arc;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::RESULTS_ROWS_MAX;
use tequio_protocol::number::Number;
use tequio_protocol::op::{OpId, Param, write_input};
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

/// Where rows are read, and what each of them has.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) job: JobId,
    /// Whether inputs come from lines.
    pub(super) has_lines: bool,
    /// Where the inputs are, if they are asked for.
    pub(super) inputs: Option<Arc<Inputs>>,
}

/// The inputs of a job.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The grid that they are made of; `None` where the store has them.
    grid: Option<Grid>,
    /// What the op takes; `None` of an op that this server does not know, or whose axes it does not take.
    params: Option<&'static [Param]>,
    /// The names of their values, in order. None where nobody knows them.
    names: Vec<String>,
}

/// Some results, in the order of their indices.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) runs: Vec<Run>,
    /// The lines that their inputs come from; `None` if there are no lines.
    pub(super) lines: Option<LineNumbers>,
    /// The inputs of each run, if they are asked for.
    pub(super) inputs: Vec<Values>,
}

impl Source {
    /// Of a job with a grid, where no inputs are asked for.
    pub(super) fn of_grid(job: JobId) -> Source {
        Source { job, has_lines: false, inputs: None }
    }

    /// Of a job with a grid if `has_grid`. `op` is what it computes, where inputs are asked for.
    pub(super) fn open(
        store: &dyn Store,
        job: JobId,
        has_grid: bool,
        op: Option<&OpId>,
    ) -> Result<Source, StoreError> {
        let has_lines = !has_grid && store.lines(job, 0..0)?.is_some();
        let inputs = match op {
            Some(op) => Some(Arc::new(Inputs::of(store.grid(job)?, op))),
            None => None,
        };
        Ok(Source { job, has_lines, inputs })
    }

    /// The first rows of a range, about `count` of them.
    pub(super) fn read(
        &self,
        store: &dyn Store,
        range: Range<u64>,
        count: u64,
    ) -> Result<Rows, StoreError> {
        let runs = read_runs(store, self.job, range, count)?;
        let mut rows = Rows { runs, lines: None, inputs: Vec::new() };
        let (Some(first), Some(last)) = (rows.runs.first(), rows.runs.last()) else {
            return Ok(rows);
        };
        let range = first.first..end_of(last);
        if self.has_lines {
            rows.lines = store.lines(self.job, range.clone())?.map(LineNumbers::new);
        }
        if let Some(inputs) = &self.inputs {
            rows.inputs = inputs.read(store, self.job, &rows.runs, range)?;
        }
        Ok(rows)
    }
}

impl Inputs {
    fn of(grid: Option<Grid>, op: &OpId) -> Inputs {
        let takes = |params: &&'static [Param]| match &grid {
            Some(grid) => grid.check(params).is_ok(),
            None => true,
        };
        let params = op.known().map(|op| op.params()).filter(takes);
        let names = match (params, &grid) {
            (Some(params), _) => params.iter().map(|param| param.name.to_owned()).collect(),
            (None, Some(grid)) => grid.axes().map(|(name, _)| name.to_owned()).collect(),
            (None, None) => Vec::new(),
        };
        Inputs { grid, params, names }
    }

    /// The names of their values, in order. None where nobody knows them: an input is then a text.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Those of the tasks of each run; all lie in `range`.
    fn read(
        &self,
        store: &dyn Store,
        job: JobId,
        runs: &[Run],
        range: Range<u64>,
    ) -> Result<Vec<Values>, StoreError> {
        let Some(grid) = &self.grid else {
            // At once, with those of gaps: each read looks for its place anew.
            let inputs = store.inputs(job, range.clone())?;
            let place = |index: u64| (index - range.start) as usize;
            let of_run = |run: &Run| inputs.slice(place(run.first)..place(end_of(run)));
            return Ok(runs.iter().map(of_run).collect());
        };
        Ok(runs.iter().map(|run| self.made(grid, run.first..end_of(run))).collect())
    }

    /// Inputs of a grid.
    fn made(&self, grid: &Grid, tasks: Range<u64>) -> Values {
        let mut inputs = Values::new();
        match self.params {
            Some(params) => {
                grid.each(params, tasks, |args| inputs.push(&write_input(params, args)));
            }
            None => tasks.for_each(|index| inputs.push(&plain_input(grid, index))),
        }
        inputs
    }
}

/// An input of a grid whose op nobody knows.
fn plain_input(grid: &Grid, index: u64) -> String {
    let json = |value| serde_json::to_string(&value).expect("a number serialises");
    let field = |((name, _), value): ((&str, _), f64)| {
        format!("{}:{}", serde_json::Value::from(name), json(Number(value)))
    };
    let fields: Vec<String> = grid.axes().zip(grid.values(index)).map(field).collect();
    format!("{{{}}}", fields.join(","))
}

/// The index behind a run's last.
pub(super) fn end_of(run: &Run) -> u64 {
    run.first + run.outcomes.len()
}

/// The first outcomes of a range, about `count` of them.
fn read_runs(
    store: &dyn Store,
    job: JobId,
    range: Range<u64>,
    count: u64,
) -> Result<Vec<Run>, StoreError> {
    let near = range.start..range.end.min(range.start.saturating_add(count));
    let is_all = near == range;
    let runs = store.outcomes(job, near, count.min(RESULTS_ROWS_MAX))?;
    if runs.is_empty() && !is_all {
        // There is a gap: what follows it, however far away.
        return store.outcomes(job, range, 1);
    }
    Ok(runs)
}

/// The lines of ascending indices.
#[derive(Clone, Debug)]
pub(super) struct LineNumbers {
    runs: std::vec::IntoIter<LineRun>,
    now: Option<LineRun>,
    next: Option<LineRun>,
}

impl LineNumbers {
    pub(super) fn new(runs: Vec<LineRun>) -> LineNumbers {
        let mut runs = runs.into_iter();
        let next = runs.next();
        LineNumbers { runs, now: None, next }
    }

    /// The line of one index; `None` where it is unknown.
    pub(super) fn of(&mut self, index: u64) -> Option<u64> {
        while let Some(run) = self.next.filter(|run| run.first <= index) {
            self.now = Some(run);
            self.next = self.runs.next();
        }
        self.now.map(|run| run.line + index - run.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryStore, NewJob, Recording};
    use tequio_protocol::ids::WorkerId;
    use tequio_protocol::outcome::OutcomeRef;

    /// A store with a job of `op`, of which `tasks` are recorded.
    fn store_with(op: &str, grid: Option<&str>, tasks: Range<u64>) -> (MemoryStore, JobId) {
        let store = MemoryStore::new();
        let grid = grid.map(|grid| serde_json::from_str(grid).unwrap());
        let op = OpId::new(op);
        let job = NewJob::of(op, grid);
        let id = store.create_job(&job).unwrap();
        if job.grid.is_none() {
            let inputs: Values = (1..=tasks.end).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
            store.append_inputs(id, 0, &inputs).unwrap();
        }
        store.publish(id).unwrap();
        for index in tasks {
            let recording = Recording {
                job: id,
                first: index,
                outcomes: std::iter::once(OutcomeRef::Result("1")).collect(),
                worker: WorkerId(1),
                agent: String::new(),
                duration_ms: None,
                audited: 0,
                recorded_at_ms: 0,
            };
            store.record(&[recording]).unwrap();
        }
        (store, id)
    }

    /// The names of the values, and the inputs of the recorded tasks.
    fn inputs_of(op: &str, grid: Option<&str>, tasks: Range<u64>) -> (Vec<String>, Vec<String>) {
        let (store, job) = store_with(op, grid, tasks);
        let source = Source::open(&store, job, grid.is_some(), Some(&OpId::new(op))).unwrap();
        let rows = source.read(&store, 0..u64::MAX, 100).unwrap();
        let inputs = rows.inputs.iter().flat_map(Values::iter).map(str::to_owned).collect();
        (source.inputs.unwrap().names().to_vec(), inputs)
    }

    #[test]
    fn the_inputs_of_a_grid_are_what_its_op_is_given() {
        let grid = r#"{"times":[3,4],"factor":2,"initial":[0.5,1]}"#;
        let (names, inputs) = inputs_of("repeat_multiply", Some(grid), 1..3);
        assert_eq!(names, ["initial", "factor", "times"]);
        let expected = [
            r#"{"initial":1.0,"factor":2.0,"times":3}"#,
            r#"{"initial":0.5,"factor":2.0,"times":4}"#,
        ];
        assert_eq!(inputs, expected);
    }

    #[test]
    fn inputs_of_lines_are_what_is_recorded() {
        let (names, inputs) = inputs_of("collatz", None, 2..4);
        assert_eq!(
            (names, inputs),
            (vec!["n".to_owned()], vec![r#"{"n":3}"#.to_owned(), r#"{"n":4}"#.to_owned()])
        );
    }

    #[test]
    fn of_an_op_that_nobody_knows_there_are_the_values_of_the_axes() {
        let (names, inputs) = inputs_of("divide", Some(r#"{"b \"c\"":[1,2],"a":0.5}"#), 1..2);
        assert_eq!(names, ["b \"c\"", "a"]);
        assert_eq!(inputs, [r#"{"b \"c\"":2.0,"a":0.5}"#]);
        let (names, inputs) = inputs_of("divide", None, 0..1);
        assert_eq!((names.len(), inputs), (0, vec![r#"{"n":1}"#.to_owned()]));
    }
}
