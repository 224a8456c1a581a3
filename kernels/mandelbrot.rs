//! Mandelbrot's set: the steps of z -> z² + c, from z = 0 and with c = `re` + `im` i, until |z| is above 2.
//! 1000 if it is not by then: such points are taken for the set's. With two axes the job is an image.
//!
//!     tequio run mandelbrot re=-2..=1:0.01 im=-1.2..=1.2:0.01
//!
//! Source: the escape-time algorithm, <https://en.wikipedia.org/wiki/Mandelbrot_set>.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[macro_use]
#[path = "support/kernel.rs"]
mod kernel;

kernel! {
    params: br#"[
        {"name":"re","default":"-2..=1:0.01","help":"real part of c"},
        {"name":"im","default":"-1.2..=1.2:0.01","help":"imaginary part of c"}
    ]"#
}

/// More steps are not taken.
const STEPS_MAX: i32 = 1000;

/// Steps until |z| is above 2; at most [`STEPS_MAX`].
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn run(re: f64, im: f64) -> i32 {
    let (mut x, mut y) = (0.0, 0.0);
    for step in 0..STEPS_MAX {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return step;
        }
        (x, y) = (xx - yy + re, 2.0 * x * y + im);
    }
    STEPS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_leave_after_the_steps_that_are_worked_out_by_hand() {
        // c = 1 gives 0, 1, 2, 5; c = 2 gives 0, 2, 6; and 2 itself is not above 2.
        for (re, im, expected) in [
            (0.0, 0.0, STEPS_MAX),
            (-2.0, 0.0, STEPS_MAX),
            (0.0, 1.0, STEPS_MAX),
            (0.0, 2.5, 1),
            (2.0, 0.0, 2),
            (1.0, 0.0, 3),
            // Its terms are 1/2, 3/4, 17/16, 1.63, 3.15.
            (0.5, 0.0, 5),
        ] {
            assert_eq!(run(re, im), expected, "{re} {im}");
            assert_eq!(run(re, -im), expected, "the set is symmetric");
        }
    }

    #[test]
    fn near_a_quarter_the_steps_spell_pi() {
        // About pi / sqrt(e) steps for c = 1/4 + e (Boll, 1991).
        assert_eq!(run(0.25 + 1e-4, 0.0), 312);
        assert_eq!(run(0.25 + 1e-2, 0.0), 30);
    }
}
