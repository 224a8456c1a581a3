//! Computes tasks natively, as the reference for what other targets compute: reads one
//! `repeat_multiply` input a line (`{"initial":..,"factor":..,"times":..}`) and prints one result
//! a line, as it would travel.

use std::io::{self, BufRead, Write};
use tequio_protocol::{number::Number, op::RepeatMultiply};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let input: RepeatMultiply = serde_json::from_str(&line?)?;
        writeln!(out, "{}", serde_json::to_string(&Number(input.compute()))?)?;
    }
    out.flush()
}
