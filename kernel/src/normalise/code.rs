//! How functions are rewritten: canonical NaNs, and `memory.grow` by way of a function of ours.

use super::Error;
use super::read::Body;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Function, Ieee32, Ieee64, Instruction, ValType};
use wasmparser::Operator;

const CANONICAL_32: u32 = 0x7fc0_0000;
const CANONICAL_64: u64 = 0x7ff8_0000_0000_0000;

/// The width of a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Single,
    Double,
}

/// The float on top of the stack whose bits an instruction makes visible, if it does.
fn shows_bits_of(operator: &Operator<'_>) -> Option<Width> {
    match operator {
        Operator::F32Store { .. } | Operator::I32ReinterpretF32 | Operator::F32Copysign => {
            Some(Width::Single)
        }
        Operator::F64Store { .. } | Operator::I64ReinterpretF64 | Operator::F64Copysign => {
            Some(Width::Double)
        }
        _ => None,
    }
}

/// Follows the instructions of a function, to know when the float on top of the stack has no NaN but the
/// canonical one. It knows that of the last instruction only, and of the sequence that is inserted here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scanner {
    is_canonical: bool,
    /// How much of the sequence there was, and its local.
    matched: Option<(Matched, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matched {
    Tee,
    Const(Width),
    FirstGet(Width),
    SecondGet(Width),
    Eq,
}

impl Scanner {
    /// Goes on by an instruction of the module.
    pub(super) fn step(&mut self, operator: &Operator<'_>) {
        use Matched::{Const, Eq, FirstGet, SecondGet, Tee};
        let before = self.matched.take();
        self.is_canonical = match operator {
            Operator::F32Const { value } => {
                value.bits() == CANONICAL_32 || !f32::from_bits(value.bits()).is_nan()
            }
            Operator::F64Const { value } => {
                value.bits() == CANONICAL_64 || !f64::from_bits(value.bits()).is_nan()
            }
            Operator::F32ConvertI32S
            | Operator::F32ConvertI32U
            | Operator::F32ConvertI64S
            | Operator::F32ConvertI64U
            | Operator::F64ConvertI32S
            | Operator::F64ConvertI32U
            | Operator::F64ConvertI64S
            | Operator::F64ConvertI64U => true,
            Operator::Select => matches!(before, Some((Eq, _))),
            _ => false,
        };
        self.matched = match (operator, before) {
            (Operator::LocalTee { local_index }, _) => Some((Tee, *local_index)),
            (Operator::F32Const { value }, Some((Tee, local))) if value.bits() == CANONICAL_32 => {
                Some((Const(Width::Single), local))
            }
            (Operator::F64Const { value }, Some((Tee, local))) if value.bits() == CANONICAL_64 => {
                Some((Const(Width::Double), local))
            }
            (Operator::LocalGet { local_index }, Some((Const(width), local)))
                if *local_index == local =>
            {
                Some((FirstGet(width), local))
            }
            (Operator::LocalGet { local_index }, Some((FirstGet(width), local)))
                if *local_index == local =>
            {
                Some((SecondGet(width), local))
            }
            (Operator::F32Eq, Some((SecondGet(Width::Single), local))) => Some((Eq, local)),
            (Operator::F64Eq, Some((SecondGet(Width::Double), local))) => Some((Eq, local)),
            _ => None,
        };
    }

    /// The float that must be made canonical before an instruction.
    fn needed(&self, operator: &Operator<'_>) -> Option<Width> {
        shows_bits_of(operator).filter(|_| !self.is_canonical)
    }
}

/// What is done to a function.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    single: bool,
    double: bool,
    /// It grows the memory.
    pub(super) grows: bool,
}

impl Needs {
    /// Takes in what an instruction needs, behind those that the scanner has seen.
    pub(super) fn add(&mut self, scanner: &Scanner, operator: &Operator<'_>) {
        match scanner.needed(operator) {
            Some(Width::Single) => self.single = true,
            Some(Width::Double) => self.double = true,
            None => {}
        }
        self.grows |= matches!(operator, Operator::MemoryGrow { .. });
    }
}

/// Writes a function anew. Each `memory.grow` becomes a call of `grow`.
pub(super) fn rewrite(body: &Body<'_>, grow: Option<u32>) -> Result<Function, Error> {
    let reencoder = &mut RoundtripReencoder;
    let mut locals = Vec::new();
    for local in body.body.get_locals_reader()? {
        let (count, ty) = local?;
        locals.push((count, reencoder.val_type(ty)?));
    }
    let single = body.locals;
    let double = body.locals + u32::from(body.needs.single);
    if body.needs.single {
        locals.push((1, ValType::F32));
    }
    if body.needs.double {
        locals.push((1, ValType::F64));
    }
    let mut function = Function::new(locals);
    let mut scanner = Scanner::default();
    let mut operators = body.body.get_operators_reader()?;
    while !operators.eof() {
        let operator = operators.read()?;
        match scanner.needed(&operator) {
            Some(Width::Single) => make_canonical(&mut function, Width::Single, single),
            Some(Width::Double) => make_canonical(&mut function, Width::Double, double),
            None => {}
        }
        scanner.step(&operator);
        match (&operator, grow) {
            (Operator::MemoryGrow { .. }, Some(grow)) => {
                function.instruction(&Instruction::Call(grow));
            }
            _ => {
                function.instruction(&reencoder.instruction(operator)?);
            }
        }
    }
    Ok(function)
}

/// Makes the float on top of the stack canonical, by way of a local.
fn make_canonical(function: &mut Function, width: Width, local: u32) {
    let (constant, eq) = match width {
        Width::Single => (Instruction::F32Const(Ieee32::new(CANONICAL_32)), Instruction::F32Eq),
        Width::Double => (Instruction::F64Const(Ieee64::new(CANONICAL_64)), Instruction::F64Eq),
    };
    function
        .instruction(&Instruction::LocalTee(local))
        .instruction(&constant)
        .instruction(&Instruction::LocalGet(local))
        .instruction(&Instruction::LocalGet(local))
        .instruction(&eq)
        .instruction(&Instruction::Select);
}

/// The function that grows the memory by its parameter, in pages, and gives the pages before; -1 where that
/// would be more than `pages_max`. Where the engine has no more memory it sets the global and traps.
pub(super) fn grow_function(pages_max: u64, global: u32) -> Function {
    let mut function = Function::new([(1, ValType::I32)]);
    let mut to = function.instructions();
    // No sum of two 32-bit numbers wraps in 64 bits.
    to.memory_size(0).i64_extend_i32_u().local_get(0).i64_extend_i32_u().i64_add();
    to.i64_const(pages_max as i64).i64_gt_u();
    to.if_(BlockType::Empty).i32_const(-1).return_().end();
    to.local_get(0).memory_grow(0).local_tee(1).i32_const(-1).i32_eq();
    to.if_(BlockType::Empty).i32_const(1).global_set(global).unreachable().end();
    to.local_get(1).end();
    function
}

/// Whether a function is exactly the one that grows the memory.
pub(super) fn is_grow_function(body: &Body<'_>, pages_max: u64, global: u32) -> bool {
    body.body.as_bytes() == grow_function(pages_max, global).into_raw_body()
}
