//! Kernels computed in this program: to audit claims, and in `tequio work`. The first engine of the build does it, and
//! another decides what is doubted, where the build has one.

use crate::lock::lock;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::LocalKey;
use std::time::{Duration, Instant};
use tequio_kernel::host::{self, Fault, Instance, Program};
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
    /// Those that were used last, which is at the back. A module may be there once for each engine.
    programs: Mutex<VecDeque<((Sha256, host::Engine), Program)>>,
    data: Mutex<VecDeque<(Sha256, Arc<[u8]>)>>,
}

thread_local! {
    /// Whether what this thread computes is of no use any more.
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
    /// How long a block may take on this thread.
    static TIME_MAX: Cell<Duration> = const { Cell::new(KERNEL_BLOCK_MAX) };
    /// What computes on this thread.
    static BY: Cell<host::Engine> = const { Cell::new(host::Engine::FIRST) };
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
    let _before = Before::replaced(&TIME_MAX, time_max);
    compute()
}

/// Computes with the engine that decides what is doubted.
pub(crate) fn doubting<T>(compute: impl FnOnce() -> T) -> T {
    let _before = Before::replaced(&BY, host::Engine::SECOND);
    compute()
}

/// What a thread goes back to, also if it panics meanwhile.
struct Before<T: Copy + 'static> {
    of: &'static LocalKey<Cell<T>>,
    value: T,
}

impl<T: Copy> Before<T> {
    fn replaced(of: &'static LocalKey<Cell<T>>, by: T) -> Before<T> {
        Before { of, value: of.replace(by) }
    }
}

impl<T: Copy> Drop for Before<T> {
    fn drop(&mut self) {
        self.of.set(self.value);
    }
}

impl kernel::Engine for Engine {
    fn begin<'a>(&'a self, kernel: &'a Kernel) -> Result<Box<dyn Block + 'a>, GaveUp> {
        let id = kernel.id();
        let program = self.program(&id.module, BY.get())?;
        let data = id.data.as_ref().map(|data| self.data(data)).transpose()?;
        Ok(Box::new(Running { program, data, instance: None }))
    }
}

impl Engine {
    fn program(&self, sha256: &Sha256, by: host::Engine) -> Result<Program, GaveUp> {
        let key = (sha256.clone(), by);
        if let Some(program) = used(&mut lock(&self.programs), &key) {
            return Ok(program);
        }
        // Two who want it at once compile it twice, and nobody waits for another's.
        let module = self.blob(sha256)?;
        let compiled = if by == host::Engine::FIRST {
            Program::compile(&module)
        } else {
            Program::compile_for(by, &module)
        };
        let program = compiled.map_err(|error| GaveUp(error.to_string()))?;
        keep(&mut lock(&self.programs), key, program.clone());
        Ok(program)
    }

    fn data(&self, sha256: &Sha256) -> Result<Arc<[u8]>, GaveUp> {
        if let Some(data) = used(&mut lock(&self.data), sha256) {
            return Ok(data);
        }
        let data: Arc<[u8]> = self.blob(sha256)?.into();
        keep(&mut lock(&self.data), sha256.clone(), data.clone());
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

/// What is kept by this key, which is the last to go now.
fn used<K: PartialEq, T: Clone>(kept: &mut VecDeque<(K, T)>, key: &K) -> Option<T> {
    let place = kept.iter().position(|(known, _)| known == key)?;
    let found = kept.remove(place)?;
    let value = found.1.clone();
    kept.push_back(found);
    Some(value)
}

fn keep<K, T>(kept: &mut VecDeque<(K, T)>, key: K, value: T) {
    kept.push_back((key, value));
    if kept.len() > KERNELS_KEPT {
        kept.pop_front();
    }
}

/// A block that is being computed.
struct Running {
    program: Program,
    data: Option<Arc<[u8]>>,
    /// `None` before the first task, and where none could be made.
    instance: Option<Instance>,
}

impl Block for Running {
    fn run(&mut self, args: &[f64], input: &str) -> Result<Outcome, GaveUp> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => match self.program.instance(self.data.clone(), stop()) {
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
fn stop() -> impl Fn() -> bool + Send + Sync + 'static {
    let until = Instant::now() + TIME_MAX.get();
    let stop = STOP.with_borrow(Clone::clone);
    move || {
        Instant::now() >= until || stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

fn outcome(computed: Result<String, Fault>) -> Result<Outcome, GaveUp> {
    match computed {
        Ok(result) => Ok(Outcome::Result(result)),
        Err(Fault::Error(error)) => Ok(Outcome::Error(error)),
        Err(Fault::Exhausted(exhausted)) => Err(GaveUp(exhausted.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;
    use tequio_protocol::op::kernel::{Form, KernelId, ValueType};
    use tequio_protocol::op::{Computed, Inputs, OpId};

    struct One(Vec<u8>);

    impl Source for One {
        fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, String> {
            let is_it = tequio_kernel::sha256(&self.0) == sha256.as_str();
            Ok(is_it.then(|| self.0.clone()))
        }
    }

    #[test]
    fn what_is_doubted_is_computed_by_the_second_engine() {
        let wat = "(module (func (export \"run\") (param f64) (result f64) local.get 0 f64.sqrt))";
        let bytes = wat::parse_str(wat).unwrap();
        let normalised = tequio_kernel::normalise(&bytes).unwrap();
        let module: Sha256 = normalised.sha256.parse().unwrap();
        let source: Arc<dyn Source> = Arc::new(One(normalised.bytes));
        add_source(&source);
        let params = vec![("x".to_owned(), ValueType::F64)];
        let id = KernelId {
            module: module.clone(),
            data: None,
            block: 4,
            form: Form::Numbers(ValueType::F64),
            params,
        };
        let op = OpId::new(&id.to_string()).adopt().unwrap();
        let compute = || {
            let grid = "{\"x\":\"-1..=4\"}";
            let grid: tequio_protocol::grid::Grid = serde_json::from_str(grid).unwrap();
            let mut computed = Computed::with_capacity(6);
            op.compute(0..6, Inputs::Grid(&grid), &mut computed);
            computed.into_outcomes().unwrap()
        };
        let known = || {
            let programs = lock(&ENGINE.programs);
            let of_it = programs.iter().filter(|((sha256, _), _)| *sha256 == module);
            of_it.map(|((_, by), program)| (*by, program.engine())).collect::<Vec<_>>()
        };
        let second = doubting(compute);
        assert_eq!(known(), [(host::Engine::SECOND, host::Engine::SECOND)]);
        let first = compute();
        assert_eq!(first, second);
        assert!(known().contains(&(host::Engine::FIRST, host::Engine::FIRST)));
        assert_eq!(known().len(), host::Engine::ALL.len());
    }

    #[test]
    fn a_panic_leaves_a_thread_as_it_was() {
        let panicked =
            catch_unwind(|| within(Duration::ZERO, || doubting(|| panic!("as it is to"))));
        assert!(panicked.is_err());
        assert_eq!((TIME_MAX.get(), BY.get()), (KERNEL_BLOCK_MAX, host::Engine::FIRST));
    }
}
