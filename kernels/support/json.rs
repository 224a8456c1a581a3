//! What a kernel of the JSON form needs, and no more: an input is an object of numbers, a result is text that
//! the kernel writes piece by piece. The parser and the writer of `core` would be 18 KB each.

/// Exports `alloc` and `run` for a function that reads an input and writes its result.
macro_rules! json_form {
    ($compute:ident) => {
        #[cfg(target_arch = "wasm32")]
        mod exports {
            #[unsafe(no_mangle)]
            extern "C" fn alloc(length: u32) -> *mut u8 {
                super::json::alloc(length)
            }

            #[unsafe(no_mangle)]
            extern "C" fn run(input: *const u8, length: u32) -> *const u8 {
                super::json::run(input, length, super::$compute)
            }
        }
    };
}

/// What is said of an input that is not as [`read`] wants it.
const NO_INPUT: &str = "the input is not an object with one number for each parameter";

/// The most bytes of a result.
const TEXT_BYTES_MAX: usize = 1024;

// ---- Inputs -------------------------------------------------------------------------------------

/// Reads an object that has these names in any order, each once and with a number, and no others.
pub(crate) fn read<const N: usize>(
    input: &[u8],
    names: [&str; N],
) -> Result<[f64; N], &'static str> {
    parse(input, names).ok_or(NO_INPUT)
}

fn parse<const N: usize>(mut text: &[u8], names: [&str; N]) -> Option<[f64; N]> {
    let mut values = [None; N];
    eat(&mut text, b'{')?;
    for place in 0..N {
        if place > 0 {
            eat(&mut text, b',')?;
        }
        eat(&mut text, b'"')?;
        let end = text.iter().position(|byte| *byte == b'"')?;
        let name = names.iter().position(|name| name.as_bytes() == &text[..end])?;
        text = &text[end + 1..];
        eat(&mut text, b':')?;
        if values[name].replace(number(&mut text)?).is_some() {
            return None;
        }
    }
    eat(&mut text, b'}')?;
    skip_white(&mut text);
    // As many names as values, and none twice: all are there.
    text.is_empty().then(|| values.map(Option::unwrap_or_default))
}

/// Moves on past a byte, and white space before it.
fn eat(text: &mut &[u8], byte: u8) -> Option<()> {
    skip_white(text);
    *text = text.strip_prefix(&[byte])?;
    Some(())
}

fn skip_white(text: &mut &[u8]) {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = *text {
        *text = rest;
    }
}

/// A number of JSON, as the nearest `f64`. `None` if it has more than 19 digits in front of its power of ten,
/// or is not 0 and far from 1 (about 10^-19 to 10^19).
fn number(text: &mut &[u8]) -> Option<f64> {
    skip_white(text);
    let is_negative = sign(text, b'-');
    let (mut digits, mut exponent) = (0, 0);
    let whole = take_digits(text, &mut digits)?;
    if whole.len() > 1 && whole[0] == b'0' {
        return None;
    }
    if sign(text, b'.') {
        exponent -= take_digits(text, &mut digits)?.len() as i64;
    }
    if let [b'e' | b'E', rest @ ..] = *text {
        *text = rest;
        let is_minus = sign(text, b'-');
        if !is_minus {
            sign(text, b'+');
        }
        let mut power = 0;
        take_digits(text, &mut power)?;
        let power = i64::try_from(power).ok()?;
        exponent = exponent.checked_add(if is_minus { -power } else { power })?;
    }
    let value = scaled(digits, exponent)?;
    Some(if is_negative { -value } else { value })
}

/// Moves on past a sign, if there is one.
fn sign(text: &mut &[u8], sign: u8) -> bool {
    let rest = text.strip_prefix(&[sign]);
    *text = rest.unwrap_or(text);
    rest.is_some()
}

/// Moves on past digits, at least one, and adds them to a number. `None` if it leaves 64 bits.
fn take_digits<'a>(text: &mut &'a [u8], number: &mut u64) -> Option<&'a [u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    for digit in digits {
        *number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    *text = rest;
    (count > 0).then_some(digits)
}

/// The `f64` that is nearest to `digits` times a power of ten.
fn scaled(digits: u64, exponent: i64) -> Option<f64> {
    if digits == 0 {
        return Some(0.0);
    }
    let power = 10_u64.checked_pow(u32::try_from(exponent.unsigned_abs()).ok()?)?;
    if exponent < 0 { Some(ratio(digits, power)) } else { Some(digits.checked_mul(power)? as f64) }
}

/// The `f64` that is nearest to `a / b`, by long division in base 2. Neither is 0.
fn ratio(a: u64, b: u64) -> f64 {
    let (mut quotient, mut rest, mut unit) = (a / b, a % b, 1.0);
    // An f64 has 53 bits, and it takes 2 more to know which is nearest.
    while quotient < 1 << 54 {
        let is_one = rest >= b - rest;
        rest = if is_one { rest - (b - rest) } else { 2 * rest };
        quotient = 2 * quotient + u64::from(is_one);
        unit /= 2.0;
    }
    // Whatever follows is not quite a half, if it looks like one.
    (quotient | u64::from(rest != 0)) as f64 * unit
}

// ---- Results ------------------------------------------------------------------------------------

/// A result, while it is written. More than it has room for is a trap.
pub(crate) struct Text {
    bytes: [u8; TEXT_BYTES_MAX],
    length: usize,
}

impl Text {
    pub(crate) const fn new() -> Text {
        Text { bytes: [0; TEXT_BYTES_MAX], length: 0 }
    }

    /// What has been written.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap()
    }

    /// Adds text as it is.
    pub(crate) fn push(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.push_byte(byte));
    }

    /// Adds a whole number.
    pub(crate) fn push_whole(&mut self, number: u64) {
        self.push_digits(number, 1);
    }

    /// Adds a number, rounded to so many decimals; zeros at its end are left out. It must be below 2^63 once
    /// the point is moved behind the decimals, else it is a trap.
    pub(crate) fn push_decimals(&mut self, number: f64, decimals: u32) {
        let unit = 10_u64.pow(decimals);
        let units = if number < 0.0 { -number } else { number } * unit as f64;
        // A NaN is not below anything.
        assert!(units < 9.2e18);
        let below = units as u64;
        let units = below + u64::from(units - below as f64 >= 0.5);
        if number < 0.0 && units > 0 {
            self.push("-");
        }
        self.push_whole(units / unit);
        self.push(".");
        self.push_digits(units % unit, decimals);
        while let [.., last, b'0'] = self.bytes[..self.length]
            && last != b'.'
        {
            self.length -= 1;
        }
    }

    /// Adds digits, with zeros in front if there are fewer than `count`.
    fn push_digits(&mut self, number: u64, count: u32) {
        let mut unit = 10_u64.pow(count - 1);
        while number / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self.push_byte(b'0' + (number / unit % 10) as u8);
            unit /= 10;
        }
    }

    fn push_byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }
}

// ---- The form -----------------------------------------------------------------------------------

#[cfg(target_arch = "wasm32")]
pub(crate) use form::{alloc, run};

#[cfg(target_arch = "wasm32")]
mod form {
    use super::{TEXT_BYTES_MAX, Text};

    /// The most bytes of an input. The parameters of all kernels here need fewer.
    const INPUT_BYTES_MAX: usize = 1024;

    /// Set in a length: the bytes are an error's words.
    const IS_ERROR: u32 = 1 << 31;

    static mut INPUT: [u8; INPUT_BYTES_MAX] = [0; INPUT_BYTES_MAX];
    static mut OUTPUT: [u8; 4 + TEXT_BYTES_MAX] = [0; 4 + TEXT_BYTES_MAX];

    /// The same room for each input: the one before has been read by then. A longer one is a trap.
    pub(crate) fn alloc(length: u32) -> *mut u8 {
        assert!(length as usize <= INPUT_BYTES_MAX);
        (&raw mut INPUT).cast()
    }

    pub(crate) fn run(
        input: *const u8,
        length: u32,
        compute: fn(&[u8], &mut Text) -> Result<(), &'static str>,
    ) -> *const u8 {
        // SAFETY: the host has written so many bytes where `alloc` told it to.
        let input = unsafe { core::slice::from_raw_parts(input, length as usize) };
        let mut text = Text::new();
        match compute(input, &mut text) {
            Ok(()) => output(&text.bytes[..text.length], 0),
            Err(words) => output(words.as_bytes(), IS_ERROR),
        }
    }

    /// Leaves bytes where the host looks for them.
    fn output(bytes: &[u8], kind: u32) -> *const u8 {
        // SAFETY: there is one thread, and no other reference.
        let output = unsafe { &mut *(&raw mut OUTPUT) };
        output[..4].copy_from_slice(&(bytes.len() as u32 | kind).to_le_bytes());
        output[4..4 + bytes.len()].copy_from_slice(bytes);
        output.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_numbers_is_read_in_any_order_and_with_white_space() {
        assert_eq!(read(br#"{"k":3}"#, ["k"]), Ok([3.0]));
        assert_eq!(read(b" { \"b\" : -0.5 ,\n\"a\":1e3}\t", ["a", "b"]), Ok([1000.0, -0.5]));
    }

    #[test]
    fn what_is_no_such_object_is_refused() {
        for input in [
            "",
            "{",
            "{}",
            "[3]",
            "3",
            r#"{"k":3"#,
            r#"{"k":3}}"#,
            r#"{"k":3,}"#,
            r#"{"k":}"#,
            r#"{"k":"3"}"#,
            r#"{"k":null}"#,
            r#"{"j":3}"#,
            r#"{"k":3,"k":3}"#,
            r#"{"k":3,"j":4}"#,
            r#"{"k":03}"#,
            r#"{"k":.5}"#,
            r#"{"k":1.}"#,
            r#"{"k":+1}"#,
            r#"{"k":1e}"#,
            r#"{"k":-}"#,
            r#"{"k" 3}"#,
            r#"{"k":1e999}"#,
            r#"{"k":123456789012345678901}"#,
            r#"{"k":1e-99999999999999999999}"#,
        ] {
            assert_eq!(read(input.as_bytes(), ["k"]), Err(NO_INPUT), "{input}");
        }
        assert_eq!(read(br#"{"a":1,"a":2}"#, ["a", "b"]), Err(NO_INPUT));
    }

    #[test]
    fn numbers_are_the_nearest_ones() {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> 11
        };
        for _ in 0..100_000 {
            let (digits, exponent) = (next() >> (next() % 50), next() % 37);
            for text in [
                format!("{digits}e-{}", exponent / 2),
                format!("{:?}", digits as f64 / 2_f64.powi(exponent as i32 + 24)),
                format!("{}.{:09}", digits % 100_000, next() % 1_000_000_000),
            ] {
                let expected = text.parse::<f64>().unwrap();
                let parsed = number(&mut text.as_bytes());
                // A very small one may have 17 digits of a power that is out of bounds.
                assert!(
                    parsed.map_or(expected < 1e-2, |parsed| parsed == expected),
                    "{text}: {parsed:?}"
                );
            }
        }
        assert_eq!(number(&mut &b"0.1"[..]), Some(0.1));
        assert_eq!(number(&mut &b"0.30000000000000004"[..]), Some(0.1 + 0.2));
        assert_eq!(number(&mut &b"1E+2"[..]), Some(100.0));
        assert_eq!(number(&mut &b"0e999"[..]), Some(0.0));
    }

    #[test]
    fn numbers_are_written_with_so_many_decimals() {
        for (number, decimals, expected) in [
            (0.0, 6, "0.0"),
            (-0.0, 6, "0.0"),
            (0.25, 6, "0.25"),
            (-12.5, 6, "-12.5"),
            (100.0, 6, "100.0"),
            (1.0 / 3.0, 6, "0.333333"),
            (2.0 / 3.0, 6, "0.666667"),
            (-1e-9, 6, "0.0"),
            (0.000_001, 6, "0.000001"),
            (-195.726_250_113_212, 12, "-195.726250113212"),
        ] {
            let mut text = Text::new();
            text.push_decimals(number, decimals);
            assert_eq!(text.text(), expected);
        }
    }

    #[test]
    fn whole_numbers_are_written_as_they_are() {
        for number in [0, 7, 10, 51_472, u64::MAX] {
            let mut text = Text::new();
            text.push_whole(number);
            assert_eq!(text.text(), number.to_string());
        }
    }

    #[test]
    #[should_panic]
    fn a_number_that_is_none_has_no_decimals() {
        Text::new().push_decimals(f64::NAN, 6);
    }
}
