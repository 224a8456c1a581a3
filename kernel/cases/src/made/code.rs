//! Code of our own kind, as text: expressions of each type, and statements.

use super::Random;

/// The types of values, and of results.
pub(super) const TYPES: [&str; 4] = ["i32", "i64", "f32", "f64"];

/// Functions that others call, each only those behind it.
pub(super) const HELPERS: usize = 4;

/// Entries of the table: the helpers, and nothing.
pub(super) const ENTRIES: usize = 8;

const CONVERSIONS: [(&str, &str, &str); 22] = [
    ("i32", "i64", "i32.wrap_i64"),
    ("i32", "f32", "i32.trunc_sat_f32_s"),
    ("i32", "f32", "i32.trunc_sat_f32_u"),
    ("i32", "f64", "i32.trunc_sat_f64_s"),
    ("i32", "f64", "i32.trunc_sat_f64_u"),
    ("i32", "f32", "i32.reinterpret_f32"),
    ("i64", "i32", "i64.extend_i32_s"),
    ("i64", "i32", "i64.extend_i32_u"),
    ("i64", "f32", "i64.trunc_sat_f32_s"),
    ("i64", "f32", "i64.trunc_sat_f32_u"),
    ("i64", "f64", "i64.trunc_sat_f64_s"),
    ("i64", "f64", "i64.trunc_sat_f64_u"),
    ("i64", "f64", "i64.reinterpret_f64"),
    ("f32", "i32", "f32.convert_i32_s"),
    ("f32", "i32", "f32.convert_i32_u"),
    ("f32", "i64", "f32.convert_i64_s"),
    ("f32", "i64", "f32.convert_i64_u"),
    ("f32", "f64", "f32.demote_f64"),
    ("f32", "i32", "f32.reinterpret_i32"),
    ("f64", "i64", "f64.convert_i64_u"),
    ("f64", "f32", "f64.promote_f32"),
    ("f64", "i64", "f64.reinterpret_i64"),
];

/// Where code stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first helper that may be called.
    pub(super) callable: usize,
    /// How deep loops may nest here.
    pub(super) loops: u32,
    /// Whether it may trap.
    pub(super) risk: Risk,
}

/// Whether code may trap. Few statements that may are one that does, so most code may not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Risk {
    None,
    Some,
}

impl Random {
    fn is_float(ty: &str) -> bool {
        ty.starts_with('f')
    }

    /// An expression that gives a value of this type.
    pub(super) fn expression(&mut self, ty: &str, depth: u32, place: Place) -> String {
        if depth == 0 || self.below(8) == 0 {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.below(20) {
            0..6 => self.binary(ty, depth, place),
            6..8 => self.unary(ty, depth, place),
            8..11 => self.conversion(ty, depth, place),
            11..13 => self.load(ty, depth, place),
            13 => format!(
                "(select {} {} {})",
                self.expression(ty, depth, place),
                self.expression(ty, depth, place),
                self.condition(depth, place)
            ),
            14 => format!(
                "(if (result {ty}) {} (then {}) (else {}))",
                self.condition(depth, place),
                self.expression(ty, depth, place),
                self.expression(ty, depth, place)
            ),
            15 => format!(
                "(block (result {ty}) (drop (br_if 0 {} {})) {})",
                self.expression(ty, depth, place),
                self.condition(depth, place),
                self.expression(ty, depth, place)
            ),
            16..18 => self.call(ty, depth, place),
            18 if ty == "i32" => self.condition(depth, place),
            18 if ty == "f64" => "(call $seed)".to_owned(),
            _ if ty == "i32" => match self.below(4) {
                0 => "(memory.grow (i32.const 1))".to_owned(),
                1 => format!(
                    "(memory.grow (i32.and {} (i32.const 3)))",
                    self.expression("i32", depth, place)
                ),
                2 => "(i32.add (memory.size) (table.size))".to_owned(),
                _ => format!("(ref.is_null (table.get {}))", self.entry(depth, place)),
            },
            _ => self.leaf(ty),
        }
    }

    fn leaf(&mut self, ty: &str) -> String {
        match self.below(5) {
            0 => format!("(global.get $g{ty})"),
            1 => self.constant(ty),
            _ => format!("(local.get ${ty}{})", self.below(2)),
        }
    }

    fn constant(&mut self, ty: &str) -> String {
        let known: &[&str] = match ty {
            "i32" => &[
                "0",
                "1",
                "-1",
                "31",
                "32",
                "0x80000000",
                "0x7fffffff",
                "0x7fc00000",
                "0xff800001",
                "65535",
            ],
            "i64" => &[
                "0",
                "1",
                "-1",
                "63",
                "64",
                "0x8000000000000000",
                "0x7fffffffffffffff",
                "0x7ff4000000000001",
            ],
            _ => &[
                "0",
                "-0",
                "1",
                "-1.5",
                "inf",
                "-inf",
                "nan",
                "-nan",
                "nan:0x200000",
                "-nan:0x1",
                "0x1p-149",
                "0x1.8p31",
                "0x1p63",
                "1e-40",
            ],
        };
        format!("({ty}.const {})", self.of(known))
    }

    fn binary(&mut self, ty: &str, depth: u32, place: Place) -> String {
        let (left, right) = (self.expression(ty, depth, place), self.expression(ty, depth, place));
        if Random::is_float(ty) {
            let op = self.of(&["add", "sub", "mul", "div", "div", "min", "max", "copysign"]);
            return format!("({ty}.{op} {left} {right})");
        }
        let op = self.of(&[
            "add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr",
            "div_s", "div_u", "rem_s", "rem_u",
        ]);
        let is_division = op.starts_with("div") || op.starts_with("rem");
        let is_safe = is_division && (place.risk == Risk::None || self.below(6) > 0);
        let right = match is_safe {
            true => format!("({ty}.or ({ty}.and {right} ({ty}.const 0x7fffffff)) ({ty}.const 1))"),
            false => right,
        };
        format!("({ty}.{op} {left} {right})")
    }

    fn unary(&mut self, ty: &str, depth: u32, place: Place) -> String {
        let op = match ty {
            "i32" => self.of(&["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "eqz"]),
            "i64" => self.of(&["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "extend32_s"]),
            _ => self.of(&["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt", "sqrt"]),
        };
        format!("({ty}.{op} {})", self.expression(ty, depth, place))
    }

    fn conversion(&mut self, ty: &str, depth: u32, place: Place) -> String {
        if place.risk == Risk::Some && self.below(10) == 0 && !Random::is_float(ty) {
            let from = self.of(&["f32", "f64"]);
            let sign = self.of(&["s", "u"]);
            return format!("({ty}.trunc_{from}_{sign} {})", self.expression(from, depth, place));
        }
        loop {
            let (to, from, op) = CONVERSIONS[self.below(CONVERSIONS.len() as u64)];
            if to == ty {
                return format!("({op} {})", self.expression(from, depth, place));
            }
        }
    }

    /// An address, seldom outside memory, and an offset.
    fn address(&mut self, depth: u32, place: Place) -> (String, u32) {
        let address = self.expression("i32", depth, place);
        let offset = [0, 0, 1, 8, 4000][self.below(5)];
        match (place.risk, self.below(20)) {
            (Risk::Some, 0) => (address, offset),
            _ => (format!("(i32.and {address} (i32.const 0x6fff))"), offset),
        }
    }

    fn load(&mut self, ty: &str, depth: u32, place: Place) -> String {
        let op = match ty {
            "i32" => self.of(&["load", "load8_s", "load8_u", "load16_s", "load16_u"]),
            "i64" => self.of(&[
                "load", "load8_s", "load8_u", "load16_s", "load16_u", "load32_s", "load32_u",
            ]),
            _ => "load",
        };
        let (address, offset) = self.address(depth, place);
        format!("({ty}.{op} offset={offset} {address})")
    }

    fn condition(&mut self, depth: u32, place: Place) -> String {
        let ty = self.of(&TYPES);
        let op = match Random::is_float(ty) {
            true => self.of(&["eq", "ne", "lt", "gt", "le", "ge"]),
            false => self
                .of(&["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]),
        };
        format!(
            "({ty}.{op} {} {})",
            self.expression(ty, depth, place),
            self.expression(ty, depth, place)
        )
    }

    /// A place in the table, behind the helpers; with some risk one of them, or outside.
    fn entry(&mut self, depth: u32, place: Place) -> String {
        let entry = self.expression("i32", depth, place);
        let last = ENTRIES - 1;
        match (place.risk, self.below(12)) {
            (Risk::Some, 0) => entry,
            (Risk::Some, _) => format!("(i32.and {entry} (i32.const {last}))"),
            (Risk::None, _) => {
                format!("(i32.or (i32.and {entry} (i32.const {last})) (i32.const {HELPERS}))")
            }
        }
    }

    /// A call of a helper, directly or through the table, where another may be at its place by then. The helper of a
    /// number gives the type of that number.
    fn call(&mut self, ty: &str, depth: u32, place: Place) -> String {
        let helper = TYPES.iter().position(|known| *known == ty).unwrap_or_default();
        if helper < place.callable {
            return self.leaf(ty);
        }
        let args = format!(
            "{} {}",
            self.expression("i32", depth, place),
            self.expression("f64", depth, place)
        );
        match self.below(12) {
            0 if place.risk == Risk::Some => {
                let entry = self.entry(depth, place);
                format!("(call_indirect (param i32 f64) (result {ty}) {args} {entry})")
            }
            0..4 => {
                format!("(call_indirect (param i32 f64) (result {ty}) {args} (i32.const {helper}))")
            }
            _ => format!("(call $h{helper} {args})"),
        }
    }

    /// So many statements.
    pub(super) fn statements(&mut self, count: u64, place: Place) -> String {
        (0..count).map(|_| self.statement(place)).collect::<Vec<_>>().join("\n")
    }

    fn statement(&mut self, place: Place) -> String {
        let ty = self.of(&TYPES);
        match self.below(16) {
            0..4 => format!("(local.set ${ty}{} {})", self.below(2), self.expression(ty, 4, place)),
            4..6 => format!("(global.set $g{ty} {})", self.expression(ty, 4, place)),
            6..9 => self.store(ty, place),
            9 => format!(
                "(if {} (then {}) (else {}))",
                self.condition(2, place),
                self.statements(2, place),
                self.statements(1, place)
            ),
            10 | 11 if place.loops > 0 => {
                let inside = Place { loops: place.loops - 1, ..place };
                let (counter, turns) = (place.loops, 1 + self.below(6));
                format!(
                    "(local.set $c{counter} (i32.const {turns})) (loop $l{counter} (call $burn) {} \
                     (br_if $l{counter} (local.tee $c{counter} (i32.sub (local.get $c{counter}) (i32.const 1)))))",
                    self.statements(2, inside)
                )
            }
            12 => format!(
                "(block $x (block $y (block $z (br_table $x $y $z {})) {}) {})",
                self.expression("i32", 2, place),
                self.statements(1, place),
                self.statements(1, place)
            ),
            13 => self.bulk(place),
            14 => self.of_table(place),
            15 if place.risk == Risk::Some && self.below(8) == 0 => "unreachable".to_owned(),
            _ => format!("(drop {})", self.expression(ty, 4, place)),
        }
    }

    fn store(&mut self, ty: &str, place: Place) -> String {
        let op = match ty {
            "i32" => self.of(&["store", "store8", "store16"]),
            "i64" => self.of(&["store", "store8", "store16", "store32"]),
            _ => "store",
        };
        let (address, offset) = self.address(3, place);
        format!("({ty}.{op} offset={offset} {address} {})", self.expression(ty, 3, place))
    }

    fn bulk(&mut self, place: Place) -> String {
        let (to, _) = self.address(2, place);
        let (from, _) = self.address(2, place);
        let len = format!("(i32.and {} (i32.const 0x1ff))", self.expression("i32", 2, place));
        match self.below(9) {
            0..4 => format!("(memory.copy {to} {from} {len})"),
            4..7 => format!("(memory.fill {to} {from} {len})"),
            7 if place.risk == Risk::None => {
                format!("(memory.init $data {to} (i32.const 0) (i32.const 0))")
            }
            7 => format!(
                "(memory.init $data {to} (i32.const {}) (i32.const {}))",
                self.below(3),
                self.below(3)
            ),
            _ => "(data.drop $data)".to_owned(),
        }
    }

    fn of_table(&mut self, place: Place) -> String {
        let entry = self.entry(1, place);
        let first = if place.risk == Risk::None { HELPERS } else { 0 };
        let mut at = || first + self.below((ENTRIES - 1 - first) as u64);
        let (to, from) = (at(), at());
        match self.below(12) {
            0 => format!("(table.set {entry} (ref.null func))"),
            1..5 => format!("(table.set {entry} (ref.func $h{}))", self.below(HELPERS as u64)),
            5..8 => format!("(table.copy (i32.const {to}) (i32.const {from}) (i32.const 2))"),
            8 | 9 if place.risk == Risk::None => {
                format!("(table.init $elements (i32.const {to}) (i32.const 0) (i32.const 0))")
            }
            8 | 9 => format!("(table.init $elements (i32.const {to}) (i32.const 0) (i32.const 1))"),
            10 => format!("(table.fill {entry} (ref.func $h0) (i32.const 1))"),
            _ => "(elem.drop $elements)".to_owned(),
        }
    }
}
