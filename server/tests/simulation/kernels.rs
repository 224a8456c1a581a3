//! Kernels of the simulation: of the policy's concern is only what becomes of their tasks. Some trap, which is their
//! outcome wherever they are computed; some hang in every tab, or need more memory than any has, and these the
//! server cannot compute either.

use tequio_protocol::op::kernel::{self, Block, Engine, GaveUp, Kernel, KernelId, SKILL};
use tequio_protocol::op::{Op, OpId};
use tequio_protocol::outcome::Outcome;

/// One in so many tasks traps.
const TRAPS_EVERY: u64 = 17;

struct Simulated;

struct Running {
    tasks: u64,
}

impl Engine for Simulated {
    fn begin<'a>(&'a self, _: &'a Kernel) -> Result<Box<dyn Block + 'a>, GaveUp> {
        Ok(Box::new(Running { tasks: 0 }))
    }
}

impl Block for Running {
    /// What a task comes to depends on those before it in its block.
    fn run(&mut self, args: &[f64], _: &str) -> Result<Outcome, GaveUp> {
        let n = args[0] as u64;
        self.tasks += 1;
        Ok(match n % TRAPS_EVERY {
            5 => Outcome::Error("trap: unreachable".to_owned()),
            _ => Outcome::Result((n * n + self.tasks).to_string()),
        })
    }
}

/// A kernel in blocks of so many tasks.
pub(crate) fn kernel(block: u64) -> &'static dyn Op {
    kernel::set_engine(&Simulated);
    let id = format!("kernel:{}:{block}:f64:n=f64", "a".repeat(64));
    let id: KernelId = id.parse().expect("it is one");
    OpId::new(&id.to_string()).adopt().expect("there are few")
}

/// What an op is called among what tabs can compute.
pub(crate) fn skill_of(op: &dyn Op) -> &str {
    if op.kernel().is_some() { SKILL } else { op.name() }
}
