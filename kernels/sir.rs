//! An epidemic's curve (SIR): of a population, the shares that can still fall ill (s), are ill (i) and no longer are.
//! Each day an ill person infects `beta` others if nobody is immune, and a share `gamma` of the ill recovers. It
//! begins with a share `i0` ill. The result is the highest share of ill people and its day (`peak`, `peak_day`), and
//! on the last of the `days` the share of ill people (`final`) and of all who have been ill (`attack`).
//!
//!     tequio run sir beta=0.1..=1:0.01 gamma=0.05..=0.5:0.01 i0=0.001 days=200
//!
//! Source: Kermack and McKendrick: A contribution to the mathematical theory of epidemics, 1927: s' = -beta s i,
//! i' = beta s i - gamma i. By the classical Runge-Kutta method, 16 steps a day; numbers have 6 decimals.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[macro_use]
#[path = "support/json.rs"]
mod json;
#[macro_use]
#[path = "support/kernel.rs"]
mod kernel;

use json::Text;

kernel! {
    params: br#"[
        {"name":"beta","default":"0.1..=1:0.01","help":"whom an ill person infects a day, 0 to 10"},
        {"name":"gamma","default":"0.05..=0.5:0.01","help":"share of the ill that recovers a day, 0 to 10"},
        {"name":"i0","default":"0.001","help":"share that is ill at first, 0 to 1"},
        {"name":"days","default":"200","help":"how long, 1 to 10000"}
    ]"#
}

json_form!(compute);

/// A power of two, so that times are exact.
const STEPS_A_DAY: u32 = 16;

fn compute(input: &[u8], result: &mut Text) -> Result<(), &'static str> {
    let [beta, gamma, i0, days] = json::read(input, ["beta", "gamma", "i0", "days"])?;
    if !(0.0..=10.0).contains(&beta) || !(0.0..=10.0).contains(&gamma) {
        return Err("beta and gamma must be from 0 to 10");
    }
    if !(0.0..=1.0).contains(&i0) {
        return Err("i0 must be from 0 to 1");
    }
    if !(1.0..=10_000.0).contains(&days) || days != f64::from(days as u32) {
        return Err("days must be a whole number from 1 to 10000");
    }
    let curve = Curve::compute(Rates { beta, gamma }, i0, days as u32);
    for (name, value) in [
        ("{\"peak\":", curve.peak),
        (",\"peak_day\":", curve.peak_day),
        (",\"final\":", curve.last.i),
        (",\"attack\":", 1.0 - curve.last.s),
    ] {
        result.push(name);
        result.push_decimals(value, 6);
    }
    result.push("}");
    Ok(())
}

struct Curve {
    peak: f64,
    peak_day: f64,
    last: Shares,
}

impl Curve {
    fn compute(rates: Rates, i0: f64, days: u32) -> Curve {
        let first = Shares { s: 1.0 - i0, i: i0 };
        let mut curve = Curve { peak: i0, peak_day: 0.0, last: first };
        for step in 1..=days * STEPS_A_DAY {
            curve.last = rates.step(curve.last, 1.0 / f64::from(STEPS_A_DAY));
            if curve.last.i > curve.peak {
                curve.peak = curve.last.i;
                curve.peak_day = f64::from(step) / f64::from(STEPS_A_DAY);
            }
        }
        curve
    }
}

/// Shares of the population, or how they change in a day.
#[derive(Clone, Copy)]
struct Shares {
    s: f64,
    i: f64,
}

impl Shares {
    /// After so many days of a change.
    fn after(self, change: Shares, days: f64) -> Shares {
        Shares { s: self.s + change.s * days, i: self.i + change.i * days }
    }
}

#[derive(Clone, Copy)]
struct Rates {
    beta: f64,
    gamma: f64,
}

impl Rates {
    /// One step of the classical Runge-Kutta method.
    fn step(self, shares: Shares, days: f64) -> Shares {
        let k1 = self.change(shares);
        let k2 = self.change(shares.after(k1, days / 2.0));
        let k3 = self.change(shares.after(k2, days / 2.0));
        let k4 = self.change(shares.after(k3, days));
        let mean = |k1: f64, k2: f64, k3: f64, k4: f64| (k1 + 2.0 * k2 + 2.0 * k3 + k4) / 6.0;
        let change = Shares { s: mean(k1.s, k2.s, k3.s, k4.s), i: mean(k1.i, k2.i, k3.i, k4.i) };
        shares.after(change, days)
    }

    fn change(self, shares: Shares) -> Shares {
        let infected = self.beta * shares.s * shares.i;
        Shares { s: -infected, i: infected - self.gamma * shares.i }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epidemic_is_as_large_as_the_formulas_say() {
        // Each ill person infects two. With hardly anybody ill at first, the peak is 1 - (1 + ln 2) / 2, and
        // the attack a solves a = 1 - exp(-2 a).
        let curve = Curve::compute(Rates { beta: 0.4, gamma: 0.2 }, 1e-7, 1000);
        assert!((curve.peak - (1.0 - (1.0 + 2_f64.ln()) / 2.0)).abs() < 1e-5, "{}", curve.peak);
        let attack = 1.0 - curve.last.s;
        assert!((attack - (1.0 - (-2.0 * attack).exp())).abs() < 1e-5, "{attack}");
        assert!((attack - 0.796_812).abs() < 1e-5, "{attack}");
        assert!(curve.last.i < 1e-9);
    }

    #[test]
    fn a_result_has_four_numbers() {
        let mut result = Text::new();
        compute(br#"{"beta":0,"gamma":0.1,"i0":0.5,"days":10}"#, &mut result).unwrap();
        let expected = r#"{"peak":0.5,"peak_day":0.0,"final":0.18394,"attack":0.5}"#;
        assert_eq!(result.text(), expected);
    }

    #[test]
    fn without_infections_the_ill_recover_at_their_rate() {
        let curve = Curve::compute(Rates { beta: 0.0, gamma: 0.1 }, 0.5, 10);
        assert_eq!((curve.peak, curve.peak_day), (0.5, 0.0));
        assert!((curve.last.i - 0.5 * (-1_f64).exp()).abs() < 1e-9);
        assert_eq!(curve.last.s, 0.5);
    }

    #[test]
    fn the_fastest_rates_stay_within_the_population() {
        let curve = Curve::compute(Rates { beta: 10.0, gamma: 10.0 }, 0.5, 10_000);
        assert!(curve.last.s > 0.0 && curve.last.i >= 0.0, "{} {}", curve.last.s, curve.last.i);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        for (input, expected) in [
            (
                r#"{"beta":-1,"gamma":0.1,"i0":0.1,"days":10}"#,
                "beta and gamma must be from 0 to 10",
            ),
            (r#"{"beta":1,"gamma":11,"i0":0.1,"days":10}"#, "beta and gamma must be from 0 to 10"),
            (r#"{"beta":1,"gamma":0.1,"i0":1.1,"days":10}"#, "i0 must be from 0 to 1"),
            (
                r#"{"beta":1,"gamma":0.1,"i0":0.1,"days":1.5}"#,
                "days must be a whole number from 1 to 10000",
            ),
            (
                r#"{"beta":1,"gamma":0.1,"i0":0.1,"days":0}"#,
                "days must be a whole number from 1 to 10000",
            ),
        ] {
            assert_eq!(compute(input.as_bytes(), &mut Text::new()), Err(expected), "{input}");
        }
    }
}
