//! Jobs: of every op, of a grid or of a list, in blocks of any size, and open ones that grow.

use crate::kernels::kernel;
use crate::world::{Happening, Simulation};
use rand::RngExt;
use std::collections::BTreeSet;
use std::ops::Range;
use tequio::dispatcher::Control;
use tequio::store::{NewJob, Store, StoredJob};
use tequio_protocol::check::Check;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::JobId;
use tequio_protocol::op::{self, Args, Audits, Computed, Inputs, Op, PARAMS_MAX};
use tequio_protocol::outcome::Outcomes;
use tequio_protocol::values::Values;
use tequio_scheduler::{Failures, Intervals};

/// A value on its way does not fit into 64 bits.
const BEYOND_64_BITS: f64 = 12_327_829_503.0;

pub(crate) struct Job {
    pub(crate) op: &'static dyn Op,
    pub(crate) block: u64,
    pub(crate) check: Check,
    pub(crate) inputs: Values,
    /// What they come to.
    pub(crate) right: Outcomes,
    /// Tasks that no tab can compute.
    pub(crate) impossible: BTreeSet<u64>,
    /// How many of `inputs` the server has.
    pub(crate) sent: u64,
    pub(crate) is_open: bool,
    pub(crate) durable: Intervals,
    /// Tasks recorded with an error.
    pub(crate) failed: u64,
    /// Those of them that have a result, as workers failed and nobody refuted that.
    pub(crate) given_up: u64,
    /// Tasks recorded with a lie, as nobody audited them.
    pub(crate) believed: u64,
    pub(crate) is_cancelled: bool,
}

impl Job {
    /// The block that a task lies in.
    pub(crate) fn block_of(&self, index: u64) -> Range<u64> {
        let first = index - index % self.block;
        first..(first + self.block).min(self.inputs.len() as u64)
    }

    /// Whether no tab can compute the block of a task.
    pub(crate) fn is_impossible(&self, index: u64) -> bool {
        self.impossible.range(self.block_of(index)).next().is_some()
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.op.audits() == Audits::OnThreads
    }
}

impl Simulation {
    /// Enters a job as the API does.
    pub(crate) fn submit(&mut self) {
        if self.server.is_none() {
            return self.after(1.0, Happening::Submit);
        }
        self.jobs_left -= 1;
        if self.jobs_left > 0 {
            let pause = self.random.random_range(0.0..60.0);
            self.after(pause, Happening::Submit);
        }
        let block = [1, 4, 64][self.random.random_range(0..3)].min(self.block_max);
        let op = match self.random.random_range(0..12) {
            0..=2 => op::named("repeat_multiply").unwrap(),
            3..=5 => op::named("collatz").unwrap(),
            6..=7 => op::named("sleep").unwrap(),
            _ => kernel(block),
        };
        let check = match self.random.random_range(0..8) {
            0..=2 => Check::Auto,
            3 => Check::All,
            4 => Check::None,
            _ => Check::Twice,
        };
        let grid = self.chance(0.5).then(|| self.grid(op));
        let inputs = match &grid {
            Some(grid) => {
                let text = |index| Inputs::Grid(grid).text(op.params(), index);
                (0..grid.total()).map(text).collect()
            }
            None => self.list(op),
        };
        let priority = self.random.random_range(-1..=1);
        let new = NewJob {
            name: String::new(),
            op: op.into(),
            priority,
            grid,
            block,
            check,
            submitted_at_ms: 0,
        };
        let id = self.store.create_job(&new).unwrap();
        let has_grid = new.grid.is_some();
        let is_open = !has_grid && self.chance(0.4);
        let sent = if is_open { inputs.len() as u64 / 3 } else { inputs.len() as u64 };
        if !has_grid {
            self.store.append_inputs(id, 0, &inputs.slice(0..sent as usize)).unwrap();
        }
        match is_open {
            true => self.store.publish_open(id).unwrap(),
            false => self.store.publish(id).unwrap(),
        }
        let job = Job { check, ..self.job(op, block, inputs, sent, is_open) };
        self.jobs.insert(id, job);
        let stored = StoredJob::new(id, new, sent, is_open);
        let now = self.wall();
        self.with_reactor(|reactor| reactor.add_job(stored, now));
        if is_open {
            self.after(5.0, Happening::Grow { job: id });
        }
    }

    fn job(
        &mut self,
        op: &'static dyn Op,
        block: u64,
        inputs: Values,
        sent: u64,
        is_open: bool,
    ) -> Job {
        let all = 0..inputs.len() as u64;
        let mut right = Computed::with_capacity(inputs.len());
        op.compute(all.clone(), Inputs::List { first: 0, inputs: &inputs }, &mut right);
        // What the server computes itself on the spot is possible.
        let may_be = self.failures == Failures::Believed || op.audits() == Audits::OnThreads;
        let impossible: BTreeSet<u64> = match may_be && self.chance(0.3) {
            true => (0..3).map(|_| self.random.random_range(all.clone())).collect(),
            false => BTreeSet::new(),
        };
        let texts = impossible.iter().map(|index| inputs.get(*index as usize).to_owned());
        let texts: Vec<_> = texts.map(|text| (op.name(), text)).collect();
        self.impossible.extend(texts.clone());
        if op.kernel().is_some() {
            match self.random.random_range(0..3) {
                0 => self.hanging.extend(texts),
                1 => self.exhausting.extend(texts),
                // The server has more room than any tab.
                _ => {}
            }
        }
        if block == 1 {
            self.single.extend(inputs.iter().map(str::to_owned));
        }
        Job {
            op,
            block,
            check: Check::Auto,
            inputs,
            right: right.into_outcomes().unwrap(),
            impossible,
            sent,
            is_open,
            durable: Intervals::default(),
            failed: 0,
            given_up: 0,
            believed: 0,
            is_cancelled: false,
        }
    }

    fn grid(&mut self, op: &dyn Op) -> Grid {
        let count = self.random.random_range(1..=300);
        let initials = (0..self.random.random_range(1..=3)).map(f64::from).collect();
        let axes = match op.name() {
            "repeat_multiply" => vec![
                ("initial", Axis::list(initials)),
                // The second one is beyond what a number can hold.
                ("factor", Axis::list(vec![1.0 + 1e-3, 3.0])),
                ("times", Axis::range(0.0, 1.0, count)),
            ],
            "collatz" => vec![("n", Axis::range(BEYOND_64_BITS - 10.0, 1.0, count))],
            _ if op.kernel().is_some() => vec![("n", Axis::range(0.0, 1.0, count))],
            _ => vec![("n", Axis::range(0.0, 1.0, count)), ("ms", Axis::value_of(0.0))],
        };
        let axes = axes.into_iter().map(|(name, axis)| (name.to_owned(), axis.unwrap()));
        Grid::new(axes.collect()).unwrap()
    }

    fn list(&mut self, op: &dyn Op) -> Values {
        let count = self.random.random_range(1..=800);
        let input = |_| {
            let n = f64::from(self.random.random_range(1..4000));
            let mut args: Args = [0.0; PARAMS_MAX];
            match op.name() {
                "repeat_multiply" => args[..3].copy_from_slice(&[-0.5, 1.25, n]),
                "collatz" if self.random.random_bool(0.02) => args[0] = BEYOND_64_BITS,
                _ => args[0] = n,
            }
            op::write_input(op.params(), &args)
        };
        (0..count).map(input).collect()
    }

    pub(crate) fn grow(&mut self, id: JobId) {
        if self.server.is_none() {
            return self.after(1.0, Happening::Grow { job: id });
        }
        let (goes_to_end, closes) = (self.chance(0.5), self.chance(0.5));
        let job = self.jobs.get_mut(&id).unwrap();
        if job.is_cancelled {
            return;
        }
        let all = job.inputs.len() as u64;
        let total = if goes_to_end { all } else { all.min(job.sent + 200) };
        let more = job.inputs.slice(job.sent as usize..total as usize);
        self.store.append_inputs(id, job.sent, &more).unwrap();
        // It may be closed with nothing more than it had.
        job.is_open = total < all || !closes;
        job.sent = total;
        let is_open = job.is_open;
        if is_open {
            self.after(5.0, Happening::Grow { job: id });
        } else {
            self.store.close(id).unwrap();
        }
        let now = self.wall();
        self.with_reactor(|reactor| reactor.grow_job(id, total, is_open, now));
    }

    pub(crate) fn control(&mut self, id: JobId, control: Control) {
        let Some(server) = &mut self.server else {
            return self.after(1.0, Happening::Resume { job: id });
        };
        // A job may be over, which is said and changes nothing.
        let done = server.reactor.control(id, control);
        if control == Control::Cancel && done.is_ok() {
            self.jobs.get_mut(&id).unwrap().is_cancelled = true;
        }
        self.carry_out();
    }
}
