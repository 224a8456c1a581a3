//! The kernels of a server: those that were added to its store, and the examples that it brings.

use crate::engine::{self, Source};
use crate::store::{Store, StoreError, StoredKernel};
use crate::wall_clock;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tequio_kernel::host::{Engine, Program};
use tequio_kernel::{Form, Normalised, Refused, Shape};
use tequio_protocol::api::{KernelParamView, KernelView};
use tequio_protocol::limits::{KERNEL_BLOCK_AIM, KERNEL_MEASURE_MAX, KERNELS_MAX, NAME_CHARS_MAX};
use tequio_protocol::op::kernel::{self, KernelId, Sha256, ValueType, is_param_name};
use tequio_protocol::op::{Computed, Inputs, OpId};
use tequio_protocol::text::quote;
use tracing::warn;

/// The fewest digits of a hash that name a kernel.
const DIGITS_MIN: usize = 8;

/// A kernel that a server has from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// What it is called, such as `mandelbrot`.
    pub name: String,
    /// The module, as a compiler left it: not normalised.
    pub module: Cow<'static, [u8]>,
}

/// The kernels of a server. Clones share them.
#[derive(Clone)]
pub(crate) struct Kernels(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    given: Vec<Example>,
    /// The examples, normalised when they are asked for first.
    examples: OnceLock<Vec<Ready>>,
}

/// An example.
struct Ready {
    view: KernelView,
    module: Vec<u8>,
}

/// Why a kernel is not added, or a job of it not submitted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KernelError {
    /// The module is no kernel.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name, or what is asked for, is not possible.
    #[error("{0}")]
    Bad(String),
    /// There is no such kernel.
    #[error("there is no kernel {0}; `tequio kernel list` shows what there is")]
    Unknown(String),
    /// There are several whose hash begins so.
    #[error("the hashes of several kernels begin with {0}: give more digits")]
    Ambiguous(String),
    /// The server keeps no more.
    #[error("the server keeps {KERNELS_MAX} kernels, and no more: remove some first")]
    Full,
}

/// What is kept of a kernel beside its module.
#[derive(Serialize, Deserialize)]
struct About {
    shape: Shape,
    notes: Vec<String>,
    bytes: u64,
}

impl Kernels {
    pub(crate) fn new(store: Arc<dyn Store>, given: Vec<Example>) -> Kernels {
        Kernels(Arc::new(Inner { store, given, examples: OnceLock::new() }))
    }

    /// Adds a module, or finds it where it was added before. Takes as long as compiling it does.
    pub(crate) fn add(
        &self,
        module: &[u8],
        name: Option<String>,
    ) -> Result<KernelView, KernelError> {
        let Normalised { bytes, sha256, shape, notes } = tequio_kernel::normalise(module)?;
        let sha256: Sha256 = sha256.parse().expect("a hash is one");
        let known = self.list()?;
        if let Some(known) = known.iter().find(|known| known.id == sha256.as_str()) {
            return Ok(known.clone());
        }
        if known.len() >= KERNELS_MAX {
            return Err(KernelError::Full);
        }
        // What this server could not audit is not lent. What another engine does not take this one computes.
        Program::compile_for(Engine::SECOND, &bytes)?;
        let name = name.unwrap_or_else(|| format!("kernel-{}", &sha256.as_str()[..DIGITS_MIN]));
        check_name(&name)?;
        if let Some(other) = known.iter().find(|known| known.name == name) {
            let (name, by) = (other.name.clone(), other.id.clone());
            return Err(StoreError::NameTaken { name, by }.into());
        }
        let about = About { shape, notes, bytes: bytes.len() as u64 };
        let view = view(&sha256, &name, &about, false);
        let about = serde_json::to_string(&about).expect("texts and numbers serialise");
        let added_at_ms = wall_clock::unix_ms();
        let kernel = StoredKernel { sha256, name, about, added_at_ms };
        self.0.store.add_kernel(&kernel, &bytes)?;
        Ok(view)
    }

    /// All of them, the examples first.
    pub(crate) fn list(&self) -> Result<Vec<KernelView>, KernelError> {
        let examples = self.examples().iter().map(|example| example.view.clone());
        let mut all: Vec<KernelView> = examples.collect();
        for StoredKernel { sha256, name, about, .. } in self.0.store.kernels()? {
            let about: About = serde_json::from_str(&about).map_err(|error| {
                let said = format!("what is kept of the kernel {name} cannot be read: {error}");
                StoreError::Unavailable(said)
            })?;
            // What was added before it became an example is the same.
            if all.iter().all(|known| known.id != sha256.as_str()) {
                all.push(view(&sha256, &name, &about, false));
            }
        }
        Ok(all)
    }

    /// The kernel of a name, a hash, or the first digits of one.
    pub(crate) fn find(&self, what: &str) -> Result<KernelView, KernelError> {
        let mut known = self.list()?;
        if let Some(named) = known.iter().position(|known| known.name == what) {
            return Ok(known.swap_remove(named));
        }
        known.retain(|known| what.len() >= DIGITS_MIN && known.id.starts_with(what));
        match known.len() {
            0 => Err(KernelError::Unknown(quote(what))),
            1 => Ok(known.swap_remove(0)),
            _ => Err(KernelError::Ambiguous(quote(what))),
        }
    }

    /// Removes a kernel that no job uses.
    pub(crate) fn remove(&self, what: &str) -> Result<(), KernelError> {
        let kernel = self.find(what)?;
        if kernel.example {
            let name = kernel.name;
            return Err(KernelError::Bad(format!("{name} is an example, which the server brings")));
        }
        let sha256: Sha256 = kernel.id.parse().expect("what is kept is a hash");
        Ok(self.0.store.remove_kernel(&sha256)?)
    }

    /// What computes these kernels here.
    pub(crate) fn source(&self) -> Arc<dyn Source> {
        self.0.clone()
    }

    /// Keeps data for jobs, and gives its hash.
    pub(crate) fn add_data(&self, data: &[u8]) -> Result<Sha256, KernelError> {
        let sha256 = tequio_kernel::sha256(data).parse().expect("a hash is one");
        self.0.store.add_data(&sha256, data)?;
        Ok(sha256)
    }

    /// A module or data, as it was kept: its hash is looked at.
    pub(crate) fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.read(sha256)
    }

    fn examples(&self) -> &[Ready] {
        self.0.examples()
    }
}

impl Source for Inner {
    fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, String> {
        self.read(sha256).map_err(|error| error.to_string())
    }
}

impl Inner {
    fn read(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, StoreError> {
        let example = self.examples().iter().find(|example| example.view.id == sha256.as_str());
        if let Some(example) = example {
            return Ok(Some(example.module.clone()));
        }
        let bytes = self.store.blob(sha256)?;
        match bytes {
            Some(bytes) if tequio_kernel::sha256(&bytes) != sha256.as_str() => {
                let said = format!("{sha256} is damaged in the store: add it again");
                Err(StoreError::Unavailable(said))
            }
            bytes => Ok(bytes),
        }
    }

    fn examples(&self) -> &[Ready] {
        self.examples.get_or_init(|| {
            let ready = self.given.iter().filter_map(|Example { name, module }| {
                let normalised = tequio_kernel::normalise(module);
                let Ok(Normalised { bytes, sha256, shape, notes }) = normalised else {
                    warn!("the example {name} is no kernel, and is left out");
                    return None;
                };
                let sha256: Sha256 = sha256.parse().ok()?;
                let about = About { shape, notes, bytes: bytes.len() as u64 };
                Some(Ready { view: view(&sha256, name, &about, true), module: bytes })
            });
            ready.collect()
        })
    }
}

fn check_name(name: &str) -> Result<(), KernelError> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_short = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if is_short && name.chars().all(is_name) && tequio_protocol::op::named(name).is_none() {
        return Ok(());
    }
    Err(KernelError::Bad(format!(
        "{} is no name for a kernel: a name has 1 to {NAME_CHARS_MAX} letters, digits, '-', '_' and '.', \
         and is no op's",
        quote(name)
    )))
}

fn view(sha256: &Sha256, name: &str, about: &About, example: bool) -> KernelView {
    let About { shape: Shape { form, params, takes_data }, notes, bytes } = about;
    let result = match form {
        Form::Numbers { result, .. } => Some(result.to_string()),
        Form::Json | Form::Command => None,
    };
    let params = params.iter().map(|param| KernelParamView {
        name: param.name.clone(),
        kind: param.kind.map(|kind| kind.to_string()),
        default: param.default.clone(),
        help: param.help.clone(),
    });
    KernelView {
        id: sha256.to_string(),
        name: name.to_owned(),
        form: form.name().to_owned(),
        result,
        params: params.collect(),
        takes_data: *takes_data,
        bytes: *bytes,
        sha256: sha256.to_string(),
        notes: notes.clone(),
        example,
    }
}

/// The op of a kernel, for axes of these names, or for inputs of lines where there are none.
///
/// # Errors
///
/// Returns what of it is not possible, in words.
pub(crate) fn op_of(
    kernel: &KernelView,
    axes: &[String],
    block: u64,
    data: Option<Sha256>,
) -> Result<KernelId, String> {
    let name = &kernel.name;
    if data.is_some() && !kernel.takes_data {
        return Err(format!("{name} takes no data: it exports no init"));
    }
    if !block.is_power_of_two() || block > kernel::BLOCK_MAX {
        let max = kernel::BLOCK_MAX;
        return Err(format!("a block is a power of two from 1 to {max}, not {block}"));
    }
    let params = params_of(kernel, axes)?;
    let form = match (kernel.form.as_str(), kernel.result.as_deref().and_then(ValueType::named)) {
        ("numbers", Some(result)) => kernel::Form::Numbers(result),
        ("command", _) => kernel::Form::Command,
        _ => kernel::Form::Json,
    };
    let module = kernel.id.parse().map_err(|_| format!("{name} has no hash"))?;
    Ok(KernelId { module, data, block, form, params })
}

/// The parameters of a kernel's job, for axes of these names.
///
/// # Errors
///
/// Returns which name is none.
pub(crate) fn params_of(
    kernel: &KernelView,
    axes: &[String],
) -> Result<Vec<(String, ValueType)>, String> {
    if let Some(odd) = axes.iter().find(|name| !is_param_name(name)) {
        return Err(format!(
            "{} is no name for a kernel's axis: letters, digits and _, and no digit in front",
            quote(odd)
        ));
    }
    let kinds = kernel.params.iter().map(|param| match param.kind.as_deref() {
        Some(kind) => ValueType::named(kind).unwrap_or(ValueType::F64),
        // Any number, written as it is.
        None => ValueType::F64,
    });
    let named = kernel.params.iter().map(|param| param.name.clone());
    let is_nameless =
        kernel.params.iter().enumerate().all(|(at, param)| param.name == format!("p{}", at + 1));
    Ok(match kernel.params.len() {
        0 => axes.iter().map(|name| (name.clone(), ValueType::F64)).collect(),
        // Its parameters have no names, so axes may have any, in order.
        count if is_nameless && count == axes.len() => axes.iter().cloned().zip(kinds).collect(),
        _ => named.zip(kinds).collect(),
    })
}

/// Tasks in a block of a kernel, measured on some tasks that are spread over the `total` of these inputs: such that a block takes
/// some [`KERNEL_BLOCK_AIM`] in a browser, and 20 times what making an instance takes. One where a task takes longer.
///
/// `id` is of blocks of one task, each of which so has an instance of its own.
pub(crate) fn measure_block(id: &KernelId, inputs: Inputs<'_>, total: u64) -> u64 {
    let Some(op) = OpId::new(&id.to_string()).adopt() else { return 1 };
    let began = Instant::now();
    let samples = total.min(SAMPLES_MAX);
    let mut times = Vec::new();
    for sample in 0..samples {
        let left = KERNEL_MEASURE_MAX.saturating_sub(began.elapsed());
        if left.is_zero() && sample > 0 {
            break;
        }
        let index = (u128::from(total) * u128::from(sample) / u128::from(samples)) as u64;
        let before = Instant::now();
        let mut computed = Computed::with_capacity(1);
        engine::within(left, || {
            op.compute(index..index + 1, inputs, &mut computed);
        });
        if computed.into_outcomes().is_err() {
            // It took all of the time, or cannot be computed here at all.
            return 1;
        }
        times.push(before.elapsed());
    }
    // The first has compiled the module.
    let (first, others) = times.split_first().map_or((Duration::ZERO, &[][..]), |(f, o)| (*f, o));
    let mean = if others.is_empty() {
        first
    } else {
        others.iter().sum::<Duration>() / others.len() as u32
    };
    // The cheapest is mostly its instance.
    let instance = others.iter().min().copied().unwrap_or_default();
    let task =
        mean.saturating_sub(instance / 2).max(Duration::from_nanos(50)) / FASTER_IN_A_BROWSER;
    let aim = KERNEL_BLOCK_AIM.max(instance * 20);
    let tasks = (aim.as_nanos() / task.as_nanos().max(1)) as u64;
    let most = total.next_power_of_two().min(kernel::BLOCK_MAX);
    (tasks.max(1).next_power_of_two()).min(most)
}

/// How many tasks are measured at the most.
const SAMPLES_MAX: u64 = 64;

/// How many times faster browsers compute than this program, about.
const FASTER_IN_A_BROWSER: u32 = Engine::FIRST.browsers_are_faster();
