//! What is wrong with a text that should be a JSON object, in words for people. It is looked for only
//! once serde_json has refused the text, whose own words are about Rust's types.

use crate::text::quote;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The byte at which it is.
    pub at: usize,
    /// What is wrong: a clause without a full stop.
    pub said: String,
}

/// A name of an object, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field<'a> {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The value as it is written.
    pub(crate) value: &'a str,
    /// The byte at which the value begins.
    pub(crate) at: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    List,
    Object,
    Word,
}

/// Values within values, beyond which serde_json reads no more either.
const DEPTH_MAX: usize = 120;

impl Fault {
    pub(crate) fn new(at: usize, said: impl Into<String>) -> Fault {
        Fault { at, said: said.into() }
    }

    /// The line of the fault in `text` and the character in it, both counted from 1.
    pub fn place_in(&self, text: &str) -> (u64, u64) {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
        (line, column)
    }
}

impl Field<'_> {
    /// What the value is, as a sentence says it.
    pub(crate) fn is(&self) -> String {
        match self.kind {
            Kind::Number | Kind::Word => quote(self.value),
            Kind::Text => format!("the text {}", quote(self.value)),
            Kind::List => "a list".to_owned(),
            Kind::Object => "an object".to_owned(),
        }
    }
}

/// The fields of the object that `text` is.
///
/// # Errors
///
/// Returns the first fault where `text` is no JSON object.
pub(crate) fn fields(text: &str) -> Result<Vec<Field<'_>>, Fault> {
    let mut walk = Walk { text, at: 0 };
    walk.skip_space();
    match walk.peek() {
        Some('{') => {}
        Some('[') => return Err(walk.fault("it is a list, and no object")),
        Some('\u{feff}') => return Err(walk.fault("a byte order mark is in the middle")),
        None => return Err(walk.fault("it is empty")),
        Some(_) => return Err(walk.fault("it is no JSON object")),
    }
    let fields = walk.object(0)?;
    walk.skip_space();
    match walk.peek() {
        None => Ok(fields),
        Some(',') => Err(walk.fault("a comma follows the object: take it away")),
        Some('\r') => Err(walk.fault("a second line follows behind a bare carriage return")),
        Some(_) => Err(walk.fault("something follows the object")),
    }
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn fault(&self, said: impl Into<String>) -> Fault {
        Fault::new(self.at, said)
    }

    fn skip_space(&mut self) {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += self.rest().bytes().take_while(|byte| space(byte)).count();
    }

    /// Reads an object, whose brace comes next.
    fn object(&mut self, depth: usize) -> Result<Vec<Field<'a>>, Fault> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.peek() == Some('}') {
            self.at += 1;
            return Ok(fields);
        }
        loop {
            let name = self.name(fields.last())?;
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.expected(&format!("a colon behind \"{}\"", quote(&name))));
            }
            self.at += 1;
            self.skip_space();
            let at = self.at;
            let kind = self.value(depth)?;
            fields.push(Field { name, kind, value: &self.text[at..self.at], at });
            if self.goes_on('}', "object")? {
                continue;
            }
            return Ok(fields);
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if !self.goes_on(']', "list")? {
                return Ok(());
            }
        }
    }

    /// Reads a comma, and is at what follows it; or reads the end of what it is in.
    fn goes_on(&mut self, end: char, what: &str) -> Result<bool, Fault> {
        self.skip_space();
        match self.peek() {
            Some(',') => {
                let comma = self.at;
                self.at += 1;
                self.skip_space();
                if self.peek() == Some(end) {
                    let said = format!("a comma before the {end} of the {what}: take it away");
                    return Err(Fault::new(comma, said));
                }
                Ok(true)
            }
            Some(c) if c == end => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.expected(&format!("a comma or {end}"))),
        }
    }

    fn name(&mut self, before: Option<&Field<'_>>) -> Result<String, Fault> {
        match self.peek() {
            Some('"') => {
                let at = self.at;
                self.text_value()?;
                Ok(serde_json::from_str(&self.text[at..self.at]).unwrap_or_default())
            }
            Some('0'..='9') if before.is_some_and(|field| field.kind == Kind::Number) => {
                let whole = before.map_or("1", |field| field.value);
                let said = format!("a decimal comma? A number is written with a point, {whole}.5");
                Err(self.fault(said))
            }
            Some(c) if c.is_alphabetic() || c == '_' => {
                let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
                let word: String = self.rest().chars().take_while(is_part).collect();
                Err(self.fault(format!("a name is in double quotes, such as \"{}\"", quote(&word))))
            }
            _ => Err(self.expected("a name in double quotes")),
        }
    }

    /// Reads any value, and says what it is.
    fn value(&mut self, depth: usize) -> Result<Kind, Fault> {
        if depth > DEPTH_MAX {
            return Err(self.fault("it is nested too deeply"));
        }
        match self.peek() {
            Some('"') => self.text_value().map(|()| Kind::Text),
            Some('{') => self.object(depth + 1).map(|_| Kind::Object),
            Some('[') => self.list(depth + 1).map(|()| Kind::List),
            Some(c) if c.is_ascii_alphanumeric() || "+-.".contains(c) => self.word(),
            _ => Err(self.expected("a value")),
        }
    }

    fn text_value(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((place, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + place + 1;
                    // Four digits behind `\\u`, and both halves of a pair.
                    let is_text =
                        serde_json::from_str::<String>(&self.text[start..self.at]).is_ok();
                    let wrong = || Fault::new(start, "a text has a wrong escape");
                    return is_text.then_some(()).ok_or_else(wrong);
                }
                '\\' => {
                    let escaped = chars.next().map(|(_, escaped)| escaped);
                    if !escaped.is_some_and(|escaped| "\"\\/bfnrtu".contains(escaped)) {
                        return Err(Fault::new(start + place, "this is no escape in JSON"));
                    }
                }
                c if c < ' ' => {
                    let said = "a text has a control character, or does not end on its line";
                    return Err(Fault::new(start + place, said));
                }
                _ => {}
            }
        }
        Err(Fault::new(start, "a text does not end: its second \" is missing"))
    }

    /// Reads a number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Kind, Fault> {
        let is_word = |c: &char| c.is_ascii_alphanumeric() || "+-._".contains(*c);
        let length = self.rest().chars().take_while(is_word).count();
        let word = &self.rest()[..length];
        let fault = match word {
            "true" | "false" | "null" => None,
            "None" => Some("None is Python's; JSON says null".to_owned()),
            "True" | "False" => Some(format!("{word} is Python's; JSON says it in small letters")),
            _ => match word.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str() {
                "nan" | "inf" | "infinity" => {
                    Some(format!("{word} is no number in JSON, and an input's numbers are finite"))
                }
                _ => number_fault(word),
            },
        };
        if let Some(said) = fault {
            return Err(self.fault(said));
        }
        self.at += length;
        Ok(if word.as_bytes()[0].is_ascii_alphabetic() { Kind::Word } else { Kind::Number })
    }

    /// Something else than `wanted` comes next.
    fn expected(&self, wanted: &str) -> Fault {
        let said = match self.peek() {
            None => format!("it breaks off: {wanted} is missing"),
            Some('\'') => "JSON has double quotes (\"), not single ones".to_owned(),
            Some(c @ ('“' | '”' | '„' | '«' | '»' | '‘' | '’')) => {
                format!("{c} is a quote for printing; JSON has plain ones (\")")
            }
            Some('/' | '#') => "JSON has no comments".to_owned(),
            Some(c) if c.is_whitespace() || c == '\u{200b}' || c == '\u{feff}' => {
                format!("an odd space (U+{:04X}) is here; JSON knows plain ones", u32::from(c))
            }
            Some(c) => format!("{} is here, and not {wanted}", quote(&c.to_string())),
        };
        self.fault(said)
    }
}

/// What is wrong with a word that begins as a number does, if anything is.
fn number_fault(word: &str) -> Option<String> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let shown = quote(word);
    if digits.starts_with('+') {
        return Some(format!("{shown} has a +, which JSON's numbers do not have"));
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Some(format!("{shown} is no value in JSON"));
    }
    let value: Option<f64> = word.parse().ok();
    let Some(value) = value else {
        return Some(format!("{shown} is no number"));
    };
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    if whole.is_empty() || fraction.is_empty() {
        return Some(format!("{shown} lacks a digit beside its point"));
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Some(format!("{shown} begins with a 0, which JSON's numbers do not"));
    }
    let too_large = format!("{shown} is too large; the largest number is 1.7976931348623157e308");
    (!value.is_finite()).then_some(too_large)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_has_no_fault() {
        let text =
            " {\"a\":1,\"b\" : [1,{\"c\":null},\"x\\\"\"], \"\\u0061\":-1.5e+3,\"d\":{}}\r\n";
        let fields = fields(text).unwrap();
        let seen: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.kind)).collect();
        let expected =
            [("a", Kind::Number), ("b", Kind::List), ("a", Kind::Number), ("d", Kind::Object)];
        assert_eq!(seen, expected);
        assert_eq!(fields[2].value, "-1.5e+3");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, column, said) in [
            ("", 1, "it is empty"),
            ("[1]", 1, "it is a list"),
            ("x", 1, "no JSON object"),
            ("{\"a\":1", 7, "it breaks off: a comma or } is missing"),
            ("{\"a\":", 6, "it breaks off: a value is missing"),
            ("{", 2, "it breaks off: a name in double quotes is missing"),
            ("{\"a\" 1}", 6, "1 is here, and not a colon behind \"a\""),
            ("{\"a\":1,}", 7, "a comma before the }"),
            ("{\"a\":[1,],\"b\":1}", 8, "a comma before the ]"),
            ("{\"a\":1},", 8, "a comma follows the object"),
            ("{\"a\":1} {\"a\":2}", 9, "something follows the object"),
            ("{'a':1}", 2, "double quotes"),
            ("{\"a\":'1'}", 6, "double quotes"),
            ("{“a”:1}", 2, "“ is a quote for printing"),
            ("{a:1}", 2, "a name is in double quotes, such as \"a\""),
            ("{\"a\":NaN}", 6, "NaN is no number in JSON"),
            ("{\"a\":-Infinity}", 6, "-Infinity is no number in JSON"),
            ("{\"a\":None}", 6, "None is Python's"),
            ("{\"a\":True}", 6, "small letters"),
            ("{\"a\":1e400}", 6, "1e400 is too large"),
            ("{\"a\":+1}", 6, "has a +"),
            ("{\"a\":.5}", 6, "lacks a digit"),
            ("{\"a\":5.}", 6, "lacks a digit"),
            ("{\"a\":007}", 6, "begins with a 0"),
            ("{\"a\":1_000}", 6, "1_000 is no number"),
            ("{\"a\":1,5,\"b\":2}", 8, "a decimal comma?"),
            ("{\"a\":undefined}", 6, "undefined is no value in JSON"),
            ("{\"a\":\"b}", 6, "a text does not end"),
            ("{\"a\":\"\\x\"}", 7, "no escape"),
            ("{\"a\":\"\\u12\"}", 6, "wrong escape"),
            ("{\"a\":1 // one\n}", 8, "no comments"),
            ("{\u{a0}\"a\":1}", 2, "odd space (U+00A0)"),
            ("\u{feff}{\"a\":1}", 1, "byte order mark"),
        ] {
            let fault = fields(text).unwrap_err();
            assert!(fault.said.contains(said), "{text}: {fault:?}");
            assert_eq!(fault.place_in(text), (1, column), "{text}: {fault:?}");
        }
        let text = "{\n \"ñ\":1,\n \"ñ\":x}";
        assert_eq!(fields(text).unwrap_err().place_in(text), (3, 6));
        assert!(fields(&"{\"a\":".repeat(5000)).unwrap_err().said.contains("too deeply"));
    }
}
