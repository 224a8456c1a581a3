//! Lists of inputs as JSON arrays, as a lease carries them and a store keeps them: what is written
//! here is read here, and whatever else is JSON is read by serde_json.

use crate::number::Number;
use crate::op::RepeatMultiply;
use crate::scan::{Scan, Token};
use std::fmt::Write;

/// Appends an array of inputs to `json`, as serde_json would write them.
pub fn write(inputs: &[RepeatMultiply], json: &mut String) {
    let (mut initial, mut factor) = (Written::default(), Written::default());
    json.push('[');
    for (place, input) in inputs.iter().enumerate() {
        json.push_str(if place > 0 { ",{\"initial\":" } else { "{\"initial\":" });
        json.push_str(initial.text(input.initial()));
        json.push_str(",\"factor\":");
        json.push_str(factor.text(input.factor()));
        write!(json, ",\"times\":{}}}", input.times()).expect("a string takes text");
    }
    json.push(']');
}

/// Reads an array of inputs.
pub fn read(json: &str) -> Result<Vec<RepeatMultiply>, serde_json::Error> {
    let mut scan = Scan::new(json);
    match self::scan(&mut scan).filter(|_| scan.rest().is_empty()) {
        Some(inputs) => Ok(inputs),
        None => serde_json::from_str(json),
    }
}

/// Reads an array as [`write`] writes it, which `scan` is at; none of any other, nor of one that is to
/// be refused.
pub(crate) fn scan(scan: &mut Scan<'_>) -> Option<Vec<RepeatMultiply>> {
    let mut inputs = Vec::new();
    let (mut initial, mut factor) = (Read::default(), Read::default());
    scan.take("[")?;
    loop {
        inputs.push(scan_one(scan, &mut initial, &mut factor)?);
        if scan.take(",").is_none() {
            break;
        }
    }
    scan.take("]")?;
    Some(inputs)
}

/// Reads one input as [`write`] writes it; none of any other text.
pub(crate) fn read_one(json: &str) -> Option<RepeatMultiply> {
    let mut scan = Scan::new(json);
    let input = scan_one(&mut scan, &mut Read::default(), &mut Read::default());
    input.filter(|_| scan.rest().is_empty())
}

fn scan_one<'a>(
    scan: &mut Scan<'a>,
    initial: &mut Read<'a>,
    factor: &mut Read<'a>,
) -> Option<RepeatMultiply> {
    scan.take("{\"initial\":")?;
    let initial = initial.value(scan.number()?)?;
    scan.take(",\"factor\":")?;
    let factor = factor.value(scan.number()?)?;
    scan.take(",\"times\":")?;
    let times = scan.integer()?;
    scan.take("}")?;
    RepeatMultiply::new(initial, factor, times).ok()
}

/// The text of a number. Of neighbours many are the same, as in every sweep of another parameter.
#[derive(Default)]
struct Written {
    of: Option<u64>,
    text: String,
}

impl Written {
    fn text(&mut self, value: f64) -> &str {
        if self.of != Some(value.to_bits()) {
            self.of = Some(value.to_bits());
            self.text = serde_json::to_string(&Number(value)).expect("a number serialises");
        }
        &self.text
    }
}

/// The value of a text, likewise.
#[derive(Default)]
struct Read<'a> {
    of: &'a str,
    value: Option<f64>,
}

impl<'a> Read<'a> {
    fn value(&mut self, token: Token<'a>) -> Option<f64> {
        if self.of != token.text {
            self.of = token.text;
            self.value = token.value();
        }
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_written_as_serde_writes_them_and_read_to_the_bit() {
        let of = |(initial, factor, times)| RepeatMultiply::new(initial, factor, times).unwrap();
        let inputs = [
            (1.0, 1.5, 0),
            (1.0, 1.00000043, 10),
            (-0.0, 1.00000043, (1 << 53) - 1),
            (0.0, -5e-324, 3),
            (f64::MAX, 0.1 + 0.2, 3),
            (9007199254740993.0, 1e22, 3),
        ]
        .map(of);
        for list in [&inputs[..], &inputs[..1], &inputs[2..3]] {
            let mut json = String::new();
            write(list, &mut json);
            assert_eq!(json, serde_json::to_string(list).unwrap());
            let mut scan = Scan::new(&json);
            let scanned = self::scan(&mut scan).unwrap();
            for read in [scanned, read(&json).unwrap()] {
                assert_eq!(serde_json::to_string(&read).unwrap(), json, "to the bit");
            }
        }
    }

    #[test]
    fn other_json_is_read_and_what_is_wrong_is_refused() {
        let one = RepeatMultiply::new(1.0, 2.0, 3).unwrap();
        for json in [
            r#"[ {"initial":1,"factor":2,"times":3} ]"#,
            r#"[{"times":3e0,"initial":1,"factor":2.0}]"#,
            r#"[{"initial":1,"factor":2,"times":3}]"#,
        ] {
            assert_eq!(read(json).unwrap(), [one], "{json}");
        }
        assert!(read("[]").unwrap().is_empty());
        for json in [
            "",
            "[",
            r#"[{"initial":1e999,"factor":2,"times":3}]"#,
            r#"[{"initial":1,"factor":2,"times":-3}]"#,
            r#"[{"initial":1,"factor":2,"times":3},]"#,
            r#"[{"initial":1,"factor":2,"times":3}] x"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
