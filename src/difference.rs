//! Central differences of a function of one number, and whether their step suits the function.

use std::fmt;

use crate::text::{brief, shorten};

/// The step for a number: `h` for numbers up to 1000 in size, and proportional to the number
/// beyond, where a fixed step would be lost in rounding.
pub(crate) fn step_at(x: f64, h: f64) -> f64 {
    h * (x.abs() / 1000.0).max(1.0)
}

/// A central difference, (f(x + h) − f(x − h)) / 2h.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quotient {
    pub value: f64,
    /// The larger of |f(x + h)| and |f(x − h)|.
    size: f64,
    /// 2h as it was taken: x + h is rounded.
    taken: f64,
}

pub(crate) fn quotient(f: &mut dyn FnMut(f64) -> f64, x: f64, step: f64) -> Quotient {
    let (above, below) = (x + step, x - step);
    let (f_above, f_below) = (f(above), f(below));
    let taken = above - below;
    Quotient { value: (f_above - f_below) / taken, size: f_above.abs().max(f_below.abs()), taken }
}

/// A central difference whose step does not suit the function at this point; its `Display` is one
/// sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct StepWarning {
    /// The name of the input.
    pub input: String,
    /// The step that was taken.
    pub step: f64,
    /// True if rounding dominates the quotient, false if the function bends within the step.
    pub too_small: bool,
    /// A step that suits, and the derivative that it gives. `None` if none was found, as at a jump,
    /// at the edge of the domain, or very near a kink.
    pub better: Option<(f64, f64)>,
}

impl fmt::Display for StepWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, input) = (brief(self.step, 6), shorten(&self.input, 40));
        let problem = if self.too_small { "small" } else { "large" };
        match self.better {
            Some((better, slope)) => {
                let (better, slope) = (brief(better, 6), brief(slope, 6));
                write!(f, "the step {step} is too {problem} for `{input}` here: {better} gives {slope}")
            }
            None => write!(f, "no step near {step} suits `{input}` here: there is a jump, kink or edge"),
        }
    }
}

/// Compares the quotient of `step` with that of half the step. If they disagree, or rounding could
/// change them, looks for a step that does better. `None` if the step suits, or f(x) is not finite.
pub(crate) fn check_step(
    f: &mut dyn FnMut(f64) -> f64,
    input: &str,
    x: f64,
    step: f64,
) -> Option<StepWarning> {
    /// The relative accuracy of a quotient that suits.
    const ACCURACY: f64 = 1e-5;
    /// The absolute accuracy for functions of size 1 or more, and for tiny ones.
    const FLOOR: [f64; 2] = [1e-6, 1e-9];
    /// From one step to the next, and how many are tried.
    const FACTOR: f64 = 32.0;
    const TRIES: i32 = 8;

    if !f(x).is_finite() {
        return None;
    }
    // The quotient, whether it suits, and whether rounding may be the reason that it does not.
    let mut probe = |step: f64| {
        let [whole, half] = [step, 0.5 * step].map(|step| quotient(f, x, step));
        let floor = (FLOOR[0] * whole.size / x.abs().max(1.0)).clamp(FLOOR[1], FLOOR[0]);
        let tolerance = ACCURACY * whole.value.abs().max(half.value.abs()) + floor;
        let rounding = f64::EPSILON * whole.size / whole.taken;
        let suits = (whole.value - half.value).abs() <= tolerance && rounding <= tolerance;
        (whole.value, suits, whole.taken == 0.0 || 100.0 * rounding > tolerance)
    };
    let (_, suits, too_small) = probe(step);
    if suits {
        return None;
    }
    let factor = if too_small { FACTOR } else { FACTOR.recip() };
    let better = (1..=TRIES).map(|n| step * factor.powi(n)).find_map(|step| {
        let (value, suits, _) = probe(step);
        suits.then_some((step, value))
    });
    Some(StepWarning { input: input.to_owned(), step, too_small, better })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut f: impl FnMut(f64) -> f64, x: f64, h: f64) -> (f64, Option<StepWarning>) {
        let step = step_at(x, h);
        (quotient(&mut f, x, step).value, check_step(&mut f, "x", x, step))
    }

    #[test]
    fn the_step_follows_the_size_of_the_number() {
        for x in [0.0, -3.0, 1e9, -1e10, 1e12, 1e15] {
            let (slope, warning) = check(|x| x * x, x, 1e-5);
            assert!((slope - 2.0 * x).abs() <= 2e-8 * x.abs() + 1e-12, "{x}: {slope}");
            assert_eq!(warning, None, "{x}");
        }
    }

    #[test]
    fn a_step_too_large_is_reported_with_one_that_suits() {
        for k in 9..=20 {
            let frequency = f64::from(1 << k) * std::f64::consts::PI;
            let x = 0.3;
            let (_, warning) = check(|x| (frequency * x).sin(), x, 1e-4);
            let warning = warning.unwrap();
            let (step, slope) = warning.better.unwrap();
            assert!(!warning.too_small && step < 1e-4);
            let exact = frequency * (frequency * x).cos();
            assert!((slope - exact).abs() < 3e-5 * exact.abs(), "{k}: {slope} for {exact}");
        }
    }

    #[test]
    fn a_step_too_small_is_reported_with_one_that_suits() {
        // The last has no step at all: x + h = x.
        for (f, x, h, exact) in [
            ((|x: f64| 1e10 + x) as fn(f64) -> f64, 1.0, 1e-5, 1.0),
            (f64::exp, 1.0, 1e-14, 1f64.exp()),
            (|x: f64| x * x, 1e9, 1e-18, 2e9),
        ] {
            let warning = check(f, x, h).1.unwrap();
            let (step, slope) = warning.better.unwrap();
            assert!(warning.too_small && step > step_at(x, h));
            assert!((slope - exact).abs() < 1e-4 * exact, "{slope} for {exact}");
        }
    }

    #[test]
    fn at_jumps_and_edges_of_the_domain_no_step_suits() {
        assert_eq!(check(f64::signum, 0.0, 1e-5).1.unwrap().better, None);
        assert_eq!(check(f64::sqrt, 0.0, 1e-5).1.unwrap().better, None);
        // Outside the domain there is no derivative to find.
        assert_eq!(check(f64::ln, -1.0, 1e-5).1, None);
    }

    #[test]
    fn flat_tiny_and_ordinary_functions_are_not_accused() {
        for f in [
            f64::cos,
            f64::exp,
            f64::tanh,
            |x: f64| 1e-12 * x.sin(),
            |x: f64| x.powi(3),
            |_| 7.0,
            |x: f64| 1e4 * x.cos(),
        ] {
            for x in [0.0, 1e-9, 1e-3, 0.5, std::f64::consts::PI, -20.0] {
                assert_eq!(check(f, x, 1e-5).1, None, "at {x}");
            }
        }
    }
}
