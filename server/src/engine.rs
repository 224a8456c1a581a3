//! Kernels computed in this program, by wasmi: to audit claims, and in `tequio work`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tequio_kernel::host::{Fault, Instance, Program};
use tequio_protocol::limits::{KERNEL_BLOCK_MAX, KERNELS_KEPT};
use tequio_protocol::op::kernel::{self, Block, GaveUp, Kernel, Sha256};
use tequio_protocol::outcome::Outcome;

/// Where modules and data come from.
pub trait Source: Send + Sync {
    /// The module, or the data, of this hash; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Returns why it cannot be had now.
    fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, String>;
}

/// One for all of this program: kernels are known by what they are, wherever they come from.
static ENGINE: Engine = Engine {
    sources: Mutex::new(Vec::new()),
    programs: Mutex::new(VecDeque::new()),
    data: Mutex::new(VecDeque::new()),
};

struct Engine {
    sources: Mutex<Vec<Weak<dyn Source>>>,
    /// Those that were used last, which is at the back.
    programs: Mutex<VecDeque<(Sha256, Program)>>,
    data: Mutex<VecDeque<(Sha256, Arc<[u8]>)>>,
}

thread_local! {
    /// Whether what this thread computes is of no use any more.
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
    /// How long a block may take on this thread.
    static TIME_MAX: Cell<Duration> = const { Cell::new(KERNEL_BLOCK_MAX) };
}

/// Kernels are computed from now on with what `source` has, for as long as somebody else holds it.
pub fn add_source(source: &Arc<dyn Source>) {
    lock(&ENGINE.sources).push(Arc::downgrade(source));
    kernel::set_engine(&ENGINE);
}

/// What this thread computes of kernels ends once `stop` is true.
pub(crate) fn stop_at(stop: Arc<AtomicBool>) {
    STOP.set(Some(stop));
}

/// Computes with less time for each block than there is otherwise.
pub(crate) fn within<T>(time_max: Duration, compute: impl FnOnce() -> T) -> T {
    let before = TIME_MAX.replace(time_max);
    let computed = compute();
    TIME_MAX.set(before);
    computed
}

impl kernel::Engine for Engine {
    fn begin<'a>(&'a self, kernel: &'a Kernel) -> Result<Box<dyn Block + 'a>, GaveUp> {
        let id = kernel.id();
        let program = self.program(&id.module)?;
        let data = id.data.as_ref().map(|data| self.data(data)).transpose()?;
        Ok(Box::new(Running { program, data, instance: None }))
    }
}

impl Engine {
    fn program(&self, sha256: &Sha256) -> Result<Program, GaveUp> {
        if let Some(program) = used(&mut lock(&self.programs), sha256) {
            return Ok(program);
        }
        // Two who want it at once compile it twice, and nobody waits for another's.
        let module = self.blob(sha256)?;
        let program = Program::compile(&module).map_err(|error| GaveUp(error.to_string()))?;
        keep(&mut lock(&self.programs), sha256, program.clone());
        Ok(program)
    }

    fn data(&self, sha256: &Sha256) -> Result<Arc<[u8]>, GaveUp> {
        if let Some(data) = used(&mut lock(&self.data), sha256) {
            return Ok(data);
        }
        let data: Arc<[u8]> = self.blob(sha256)?.into();
        keep(&mut lock(&self.data), sha256, data.clone());
        Ok(data)
    }

    fn blob(&self, sha256: &Sha256) -> Result<Vec<u8>, GaveUp> {
        let mut sources = lock(&self.sources);
        sources.retain(|source| source.strong_count() > 0);
        let sources: Vec<_> = sources.iter().filter_map(Weak::upgrade).collect();
        let mut said = "nobody has it".to_owned();
        for source in sources {
            match source.blob(sha256) {
                Ok(Some(bytes)) if tequio_kernel::sha256(&bytes) == sha256.as_str() => {
                    return Ok(bytes);
                }
                Ok(Some(_)) => "it is damaged".clone_into(&mut said),
                Ok(None) => {}
                Err(error) => said = error,
            }
        }
        Err(GaveUp(format!("the code or data {sha256} cannot be had: {said}")))
    }
}

/// What is kept of a hash, which is the last to go now.
fn used<T: Clone>(kept: &mut VecDeque<(Sha256, T)>, sha256: &Sha256) -> Option<T> {
    let place = kept.iter().position(|(known, _)| known == sha256)?;
    let found = kept.remove(place)?;
    let value = found.1.clone();
    kept.push_back(found);
    Some(value)
}

fn keep<T>(kept: &mut VecDeque<(Sha256, T)>, sha256: &Sha256, value: T) {
    kept.push_back((sha256.clone(), value));
    if kept.len() > KERNELS_KEPT {
        kept.pop_front();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A block that is being computed.
struct Running {
    program: Program,
    data: Option<Arc<[u8]>>,
    /// `None` before the first task, and where none could be made.
    instance: Option<Instance<'static>>,
}

impl Block for Running {
    fn run(&mut self, args: &[f64], input: &str) -> Result<Outcome, GaveUp> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => match self.program.kept_instance(self.data.clone(), stop()) {
                Ok(instance) => instance,
                Err(fault) => return outcome(Err(fault)),
            },
        };
        let computed = instance.run(args, input);
        self.instance = Some(instance);
        outcome(computed)
    }
}

/// Time is up for a block at its limit, or where nobody waits for it any more.
fn stop() -> Box<dyn Fn() -> bool> {
    let until = Instant::now() + TIME_MAX.get();
    let stop = STOP.with_borrow(Clone::clone);
    Box::new(move || {
        Instant::now() >= until || stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    })
}

fn outcome(computed: Result<String, Fault>) -> Result<Outcome, GaveUp> {
    match computed {
        Ok(result) => Ok(Outcome::Result(result)),
        Err(Fault::Error(error)) => Ok(Outcome::Error(error)),
        Err(Fault::Exhausted(exhausted)) => Err(GaveUp(exhausted.to_string())),
    }
}
