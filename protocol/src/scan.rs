//! A reader of the JSON that we write ourselves: without white space, its keys in one order. What it
//! does not know it leaves to serde_json, which reads everything, and three to ten times as slowly.

use crate::number::nearest;

/// Text that is read from its front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    rest: &'a str,
    /// How much was not read before the last number, and behind it; nothing where there was none.
    number: Option<(usize, usize)>,
}

/// What is around the last number of a value, which its neighbours often have as well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    before: &'a str,
    behind: &'a str,
}

/// A JSON number, as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
}

/// No number that we write is longer. Longer ones mean no more, and are left to serde_json, so that
/// nobody fills a disk with their digits.
pub(crate) const NUMBER_CHARS_MAX: usize = 32;

/// Values within values that are read here.
const DEPTH_MAX: u32 = 16;

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a str) -> Scan<'a> {
        Scan { rest: text, number: None }
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Reads `text`, if it comes next.
    pub(crate) fn take(&mut self, text: &str) -> Option<()> {
        let next = self.rest.as_bytes().get(..text.len())?;
        if !is_same(next, text.as_bytes()) {
            return None;
        }
        self.rest = &self.rest[text.len()..];
        Some(())
    }

    /// Reads white space, if there is any.
    pub(crate) fn skip_space(&mut self) {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.rest = &self.rest[self.rest.bytes().take_while(is_space).count()..];
    }

    /// Reads any value.
    pub(crate) fn value(&mut self) -> Option<()> {
        match self.rest.as_bytes().first()? {
            // Most are.
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            _ => self.value_within(DEPTH_MAX),
        }
    }

    /// Reads any value, and gives what is around its last number.
    pub(crate) fn value_around(&mut self) -> Option<Option<Around<'a>>> {
        let whole = self.rest;
        self.number = None;
        self.value()?;
        let place = |left: usize| whole.len() - left;
        let around = self.number.map(|(from, to)| Around {
            before: &whole[..place(from)],
            behind: &whole[place(to)..place(self.rest.len())],
        });
        Some(around)
    }

    /// Reads a value that is like another but for the last number.
    pub(crate) fn value_like(&mut self, other: Around<'_>) -> Option<()> {
        let mut scan = *self;
        scan.take(other.before)?;
        scan.number()?;
        scan.take(other.behind)?;
        *self = scan;
        Some(())
    }

    fn value_within(&mut self, depth: u32) -> Option<()> {
        match self.rest.as_bytes().first()? {
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            b'"' => self.string().map(|_| ()),
            b'{' => self.list("{", "}", |scan| {
                scan.string()?;
                scan.take(":")?;
                scan.value_within(depth.checked_sub(1)?)
            }),
            b'[' => self.list("[", "]", |scan| scan.value_within(depth.checked_sub(1)?)),
            _ => ["null", "true", "false"].iter().find_map(|word| self.take(word)),
        }
    }

    fn list(
        &mut self,
        open: &str,
        close: &str,
        mut element: impl FnMut(&mut Scan<'a>) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            element(self)?;
            if self.take(",").is_none() {
                return self.take(close);
            }
        }
    }

    /// Reads a text in which nothing is escaped, and gives what is between its quotes.
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.take("\"")?;
        let is_other = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let end = self.rest.bytes().position(|byte| is_other(&byte))?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end..];
        self.take("\"")?;
        Some(text)
    }

    /// Reads an integer of at most 2^53 - 1.
    pub(crate) fn integer(&mut self) -> Option<u64> {
        let bytes = self.rest.as_bytes();
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let has_leading_zero = digits > 1 && bytes[0] == b'0';
        if has_leading_zero || !(1..=16).contains(&digits) {
            return None;
        }
        let (text, rest) = self.rest.split_at(digits);
        // A fraction or an exponent would go on here.
        if matches!(rest.as_bytes().first(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.rest = rest;
        text.parse().ok().filter(|value| *value <= crate::limits::INTEGER_MAX)
    }

    /// Reads a number (RFC 8259, section 6) of at most [`NUMBER_CHARS_MAX`] characters.
    pub(crate) fn number(&mut self) -> Option<Token<'a>> {
        let bytes = self.rest.as_bytes();
        let digits_from =
            |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = usize::from(bytes.first() == Some(&b'-'));
        let whole = digits_from(end);
        if whole == 0 || (whole > 1 && bytes[end] == b'0') {
            return None;
        }
        end += whole;
        if bytes.get(end) == Some(&b'.') {
            let fraction = leading_digits(&bytes[end + 1..]);
            if fraction == 0 {
                return None;
            }
            end += 1 + fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            end += 1;
            end += usize::from(matches!(bytes.get(end), Some(b'+' | b'-')));
            let exponent = digits_from(end);
            if exponent == 0 {
                return None;
            }
            end += exponent;
        }
        if end > NUMBER_CHARS_MAX {
            return None;
        }
        let (text, rest) = self.rest.split_at(end);
        self.number = Some((self.rest.len(), rest.len()));
        self.rest = rest;
        Some(Token { text })
    }
}

/// Whether two texts of one length are the same: eight bytes at a time. In WebAssembly the library compares
/// one by one, which is most of the time that an input takes that is like its neighbour.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut eights = ones.iter().zip(others);
    eights.all(|(one, other)| u64::from_ne_bytes(*one) == u64::from_ne_bytes(*other))
        && one_rest.iter().zip(other_rest).all(|(one, other)| one == other)
}

/// How many digits come first: eight at a time, as a result has 17.
fn leading_digits(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut count = 0;
    for eight in eights {
        let eight = u64::from_le_bytes(*eight);
        // A digit is 0x30 to 0x39: 0x3 is its high half, and still is with 6 more. No byte of UTF-8 is so
        // high that 6 more were carried into the next.
        let high = |eight: u64| (eight & (0xf0 * EACH)) ^ (0x30 * EACH);
        let others = high(eight) | high(eight.wrapping_add(0x06 * EACH));
        if others != 0 {
            return count + others.trailing_zeros() as usize / 8;
        }
        count += 8;
    }
    count + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Powers of ten that an `f64` holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

impl Token<'_> {
    /// The nearest `f64`, if that is finite.
    pub(crate) fn value(self) -> Option<f64> {
        self.exact().or_else(|| nearest(self.text))
    }

    /// The value where it takes one operation on numbers that are exact, whose result is the nearest
    /// then (Clinger, "How to read floating point numbers accurately", 1990): up to 2^53 without its
    /// point, which is among 22 digits, and no exponent.
    fn exact(self) -> Option<f64> {
        // So many digits fit into 64 bits.
        if self.text.len() > 19 {
            return None;
        }
        let (mut digits, mut behind_point) = (0u64, None);
        for byte in self.text.bytes() {
            match byte {
                b'0'..=b'9' => {
                    digits = digits.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                    behind_point = behind_point.map(|count| count + 1);
                }
                b'.' => behind_point = Some(0),
                b'-' if behind_point.is_none() && digits == 0 => {}
                _ => return None,
            }
        }
        if digits > 1 << 53 {
            return None;
        }
        let value = digits as f64 / TENS.get(behind_point.unwrap_or(0))?;
        Some(if self.text.starts_with('-') { -value } else { value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_json() {
        for text in ["0", "-0", "0.5", "-12.25", "1e5", "1E+5", "-0.0e-7", "123456789012345678901"]
        {
            let mut scan = Scan::new(text);
            assert_eq!(scan.number().map(|token| token.text), Some(text));
            assert_eq!(scan.rest(), "");
            assert!(serde_json::from_str::<f64>(text).is_ok());
        }
        for text in ["", "-", "01", ".5", "1.", "1e", "1e+", "+1", "NaN", "-.5", "x"] {
            let read = Scan::new(text).number();
            let is_whole = read.is_some_and(|token| token.text == text);
            assert!(!is_whole && serde_json::from_str::<f64>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_is_taken_where_all_of_it_comes_next() {
        let whole = "0123456789 ñ abcdefghijklmnop";
        for end in (0..=whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let text = &whole[..end];
            let mut scan = Scan::new(whole);
            assert_eq!((scan.take(text), scan.rest()), (Some(()), &whole[end..]));
            for (at, changed) in text.char_indices() {
                let other = [&text[..at], "x", &text[at + changed.len_utf8()..]].concat();
                let mut scan = Scan::new(whole);
                assert_eq!((scan.take(&other), scan.rest()), (None, whole), "{other}");
            }
        }
        assert!(Scan::new("01").take("012").is_none());
    }

    #[test]
    fn digits_are_counted_as_one_by_one() {
        let bytes = "0123456789/:;-+.eE,]}\"ñ٣ 9".as_bytes();
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text = Vec::new();
            // Mostly digits.
            for _ in 0..24 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let among = if state >> 60 == 0 { bytes.len() } else { 10 };
                text.push(bytes[(state >> 33) as usize % among]);
            }
            let known = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            assert_eq!(leading_digits(&text), known, "{text:?}");
        }
    }

    #[test]
    fn a_value_is_like_another_but_for_its_last_number() {
        let mut scan = Scan::new(r#"{"a":[1,"2"],"n":-3.5,"b":"x"},"#);
        let around = scan.value_around().unwrap().unwrap();
        assert_eq!((around.before, around.behind), (r#"{"a":[1,"2"],"n":"#, r#","b":"x"}"#));
        for (text, is_like) in [
            (r#"{"a":[1,"2"],"n":7,"b":"x"},"#, true),
            (r#"{"a":[1,"2"],"n":7,"b":"y"},"#, false),
            (r#"{"a":[2,"2"],"n":7,"b":"x"},"#, false),
            (r#"{"a":[1,"2"],"n":07,"b":"x"},"#, false),
            (r#"{"a":[1,"2"],"n":"7","b":"x"},"#, false),
        ] {
            let mut scan = Scan::new(text);
            assert_eq!(scan.value_like(around).is_some(), is_like, "{text}");
            assert_eq!(scan.rest(), if is_like { "," } else { text });
        }
        assert!(Scan::new(r#"{"7":"8"}"#).value_around().unwrap().is_none());
    }

    #[test]
    fn values_are_the_nearest() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "1.5",
            "0.1",
            "1.00000043",
            "9007199254740992",
            "9007199254740993",
            "0.30000000000000004",
            "1.7976931348623157e308",
            "5e-324",
            "1e22",
            "1e23",
            "0.0000000000000000000001",
            "0.00000000000000000000001",
            "123456789.123456789",
            "10000000000000000000000000000000",
            "-1.0000000000000000000000001",
        ] {
            let token = Scan::new(text).number().unwrap();
            let value: f64 = text.parse().unwrap();
            assert_eq!(token.value().map(f64::to_bits), Some(value.to_bits()), "{text}");
        }
        assert_eq!(Scan::new("1e999").number().unwrap().value(), None);
        let long = format!("1.{}", "5".repeat(NUMBER_CHARS_MAX));
        assert!(Scan::new(&long).number().is_none());
    }

    #[test]
    fn integers_are_those_that_javascript_keeps() {
        for (text, value) in
            [("0", Some(0)), ("17", Some(17)), ("9007199254740991", Some((1 << 53) - 1))]
        {
            assert_eq!(Scan::new(text).integer(), value);
        }
        for text in ["", "-1", "01", "1.0", "1e3", "9007199254740992", "18446744073709551616"] {
            assert_eq!(Scan::new(text).integer(), None, "{text}");
        }
    }
}
