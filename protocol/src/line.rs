//! Inputs as lines of JSON, as people write them in files.

use crate::inputs;
use crate::limits::LINE_BYTES_MAX;
use crate::op::RepeatMultiply;
use crate::text::quote;

/// The input of one line, with its line break or without; `None` of a blank line. Errs with what is
/// wrong and at which column; whoever reads says at which line.
pub fn read(line: &[u8]) -> Result<Option<RepeatMultiply>, String> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("it is longer than {LINE_BYTES_MAX} bytes"));
    }
    let known = str::from_utf8(line).ok().and_then(|text| inputs::read_one(text.trim_end()));
    if known.is_some() {
        return Ok(known);
    }
    serde_json::from_slice(line).map(Some).map_err(|error| {
        // To serde the line is all there is.
        quote(&error.to_string().replace(" at line 1 column ", " at column "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_input_or_blank_or_says_what_is_wrong() {
        let input = RepeatMultiply::new(1.0, 1.5, 10).ok();
        for line in [
            &br#"{"initial":1,"factor":1.5,"times":10}"#[..],
            b" {\"factor\":1.5,\"initial\":1,\"times\":10} \r\n",
        ] {
            assert_eq!(read(line), Ok(input));
        }
        for blank in [&b""[..], b"\n", b" \t\r\n"] {
            assert_eq!(read(blank), Ok(None));
        }
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        for (bad, said) in [
            (&b"nonsense"[..], "expected ident at column 2"),
            (b"{\"initial\":1}", "missing field `factor` at column 13"),
            (b"{\"initial\":1,\"factor\":2,\"times\":-1}", "times must be an integer"),
            (b"\xff", "at column 1"),
            (&long, "longer than 4096 bytes"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
