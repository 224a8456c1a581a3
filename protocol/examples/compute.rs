//! Computes tasks natively, as the reference for what other targets compute: reads one input of the
//! op that is named on the command line a line, and prints one outcome a line, as it would travel.

use std::io::{self, BufRead, Write};
use tequio_protocol::{op, piece::Piece};

fn main() -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let op = op::named(&name).ok_or_else(|| {
        let said = format!("no op {name:?}; there are {}", op::names());
        io::Error::new(io::ErrorKind::InvalidInput, said)
    })?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", Piece::of_one(op, &line?).compute().get(0))?;
    }
    out.flush()
}
