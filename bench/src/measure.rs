//! What a measure is, and what comes of its rounds.

use crate::setting::Setting;
use anyhow::Result;

/// One thing that is measured, against what, and what would be good.
#[derive(Debug)]
pub(crate) struct Row {
    /// Names it in [`crate::report`], in NOTES.md and on the command line: lower case, dashes.
    pub(crate) id: &'static str,
    /// What is measured, for people.
    pub(crate) what: &'static str,
    /// What it is measured against, for people.
    pub(crate) against: &'static str,
    /// What both figures are in: `tasks/s`, `ms`, `KiB`.
    pub(crate) unit: &'static str,
    /// Of the ratio of the first to the second.
    pub(crate) goal: Goal,
}

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// What one round found for one [`Row`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) measured: f64,
    pub(crate) against: f64,
}

/// Rows that are read together, since they share what they are measured against.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) rows: &'static [Row],
    /// Rounds that are enough, for a measure that takes long.
    pub(crate) rounds_max: u32,
    /// Gives a reading a row.
    pub(crate) round: fn(&Setting) -> Result<Vec<Reading>>,
}

/// What all rounds of a measure came to.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) rows: Vec<MeasuredRow>,
}

/// Medians of the rounds, each of its own: the ratio's is not that of the medians.
#[derive(Debug)]
pub(crate) struct MeasuredRow {
    pub(crate) row: &'static Row,
    pub(crate) measured: f64,
    pub(crate) against: f64,
    pub(crate) ratio: f64,
    /// The lowest and the highest ratio of a round.
    pub(crate) spread: (f64, f64),
}

impl Goal {
    pub(crate) fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Goal::AtLeast(least) => ratio >= least,
            Goal::AtMost(most) => ratio <= most,
        }
    }
}

impl Reading {
    pub(crate) fn new(measured: f64, against: f64) -> Reading {
        Reading { measured, against }
    }

    pub(crate) fn ratio(self) -> f64 {
        self.measured / self.against
    }
}

impl Measured {
    pub(crate) fn new(measure: &Measure, rounds: &[Vec<Reading>]) -> Measured {
        let of_row = |(at, row): (usize, &'static Row)| {
            let of = |figure: fn(&Reading) -> f64| {
                sorted(rounds.iter().map(|round| figure(&round[at])).collect())
            };
            let ratios = of(|reading| reading.ratio());
            MeasuredRow {
                row,
                measured: median(&of(|reading| reading.measured)),
                against: median(&of(|reading| reading.against)),
                ratio: median(&ratios),
                spread: (ratios[0], ratios[ratios.len() - 1]),
            }
        };
        Measured { rows: measure.rows.iter().enumerate().map(of_row).collect() }
    }
}

/// In ascending order.
pub(crate) fn sorted(mut figures: Vec<f64>) -> Vec<f64> {
    figures.sort_by(f64::total_cmp);
    figures
}

/// The middle of what is [`sorted`]; the mean of both where two are in the middle.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
