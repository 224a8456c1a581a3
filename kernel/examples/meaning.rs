//! Prints the cases that every host is to compute alike, as JSON: an array of kernels with their inputs and outcomes.
//! Those of `tests/meaning/meaning.wat`, and as many more that nobody wrote as take browsers some seconds; or, if
//! `TEQUIO_KERNEL_SEEDS` says `FIRST..END`, those of these seeds alone.

use std::env;
use std::ops::Range;
use tequio_kernel_cases::table::{self, Case};
use tequio_kernel_cases::{made, to_json};

/// Seeds of the cases that are computed with each build.
const SEEDS: Range<u64> = 0..300;

fn main() {
    let (mut cases, seeds) = match env::var("TEQUIO_KERNEL_SEEDS") {
        Ok(seeds) => (Vec::new(), range(&seeds)),
        Err(_) => (table::written(), SEEDS),
    };
    cases.extend(seeds.filter_map(made::case).filter(Case::has_outcomes));
    println!("{}", to_json(cases.iter()));
}

fn range(text: &str) -> Range<u64> {
    let ends =
        text.split_once("..").and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    ends.unwrap_or_else(|| panic!("TEQUIO_KERNEL_SEEDS is FIRST..END, not {text}"))
}
