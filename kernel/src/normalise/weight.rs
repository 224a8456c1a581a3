//! Bounds on what a module costs whoever compiles it, beyond its length. A byte of code can name a function of
//! a thousand values, or fifty thousand locals: four megabytes of that take a compiler minutes.

use super::read::Module;
use crate::refused::Refused;
use wasmparser::{BlockType, FrameKind, FuncType, FuncValidator, Operator, ValidatorResources};

/// The most functions: ten times as many as an interpreter of Python has.
const FUNCTIONS_MAX: usize = 30_000;

/// The most types, and the most globals: each costs time when an instance is made.
const TYPES_MAX: usize = 30_000;
const GLOBALS_MAX: usize = 30_000;

/// The most instructions of an expression outside of functions. Linkers write three. An engine may nest as
/// deeply as it is long.
const CONSTANT_INSTRUCTIONS_MAX: usize = 64;

/// The most locals of all functions together, their parameters and results included: thirty each, of as many functions as there may be.
const LOCALS_MAX: u64 = 1_000_000;

/// The most values that calls, blocks and branches hand over, as they are written and not as they run: eight
/// for each, if all of a large module were such instructions.
const VALUES_MAX: u64 = 1 << 24;

/// What a module weighs so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    locals: u64,
    values: u64,
}

impl Weight {
    pub(super) fn check_functions(count: usize) -> Result<(), Refused> {
        check("functions", count, FUNCTIONS_MAX)
    }

    pub(super) fn check_types(count: usize) -> Result<(), Refused> {
        check("types", count, TYPES_MAX)
    }

    pub(super) fn check_globals(count: usize) -> Result<(), Refused> {
        check("globals", count, GLOBALS_MAX)
    }

    /// Whether an expression outside of functions may have so many instructions.
    pub(super) fn is_constant_short(instructions: usize) -> bool {
        instructions <= CONSTANT_INSTRUCTIONS_MAX
    }

    pub(super) fn long_constant(place: &str) -> Refused {
        let said = format!(
            "an expression outside of functions has more than {CONSTANT_INSTRUCTIONS_MAX} instructions, which is \
             the most of a kernel ({place}): compute the value in a function"
        );
        Refused::new("limit", said)
    }

    pub(super) fn add_locals(&mut self, count: u32) -> Result<(), Refused> {
        self.locals += u64::from(count);
        if self.locals > LOCALS_MAX {
            let said = format!(
                "the functions have more than {LOCALS_MAX} locals, which is the most of a kernel"
            );
            return Err(Refused::new("limit", said));
        }
        Ok(())
    }

    /// Adds values that an instruction hands over, and says whether there may be so many.
    pub(super) fn add_values(&mut self, count: u64) -> bool {
        self.values += count;
        self.values <= VALUES_MAX
    }

    pub(super) fn too_many_values(place: &str) -> Refused {
        let said = format!(
            "calls, blocks and branches hand over more than {VALUES_MAX} values, which is the most of a kernel \
             ({place}): give functions fewer parameters"
        );
        Refused::new("limit", said)
    }
}

fn check(what: &str, count: usize, max: usize) -> Result<(), Refused> {
    if count > max {
        let said = format!("the module has {count} {what}; a kernel has at most {max}");
        return Err(Refused::new("limit", said));
    }
    Ok(())
}

/// How many values an instruction hands over.
pub(super) fn of(
    operator: &Operator<'_>,
    module: &Module<'_>,
    validator: &FuncValidator<ValidatorResources>,
) -> u64 {
    let of_type = |ty: &FuncType| (ty.params().len() + ty.results().len()) as u64;
    let of_index = |index: u32| module.types.get(index as usize);
    let of_label = |depth: u32| {
        let Some(frame) = validator.get_control_frame(depth as usize) else { return 0 };
        match frame.block_type {
            BlockType::Empty => 0,
            BlockType::Type(_) => 1,
            BlockType::FuncType(index) => of_index(index).map_or(0, |ty| match frame.kind {
                FrameKind::Loop => ty.params().len() as u64,
                _ => ty.results().len() as u64,
            }),
        }
    };
    match operator {
        Operator::Block { blockty: BlockType::FuncType(index) }
        | Operator::Loop { blockty: BlockType::FuncType(index) }
        | Operator::If { blockty: BlockType::FuncType(index) } => {
            // Once where it begins, and once where it ends.
            of_index(*index).map_or(0, |ty| 2 * of_type(ty))
        }
        Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
            module.known_function_type(*function_index).map_or(0, of_type)
        }
        Operator::CallIndirect { type_index, .. }
        | Operator::ReturnCallIndirect { type_index, .. } => {
            of_index(*type_index).map_or(0, of_type)
        }
        Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
            of_label(*relative_depth)
        }
        Operator::BrTable { targets } => {
            targets.targets().map(|depth| depth.map_or(0, |depth| 1 + of_label(depth))).sum()
        }
        Operator::Return => {
            let outermost = validator.control_stack_height().saturating_sub(1);
            of_label(outermost)
        }
        _ => 0,
    }
}
