//! Expectations over a standard normal variable, to about 15 digits.

use std::f64::consts::{PI, TAU};
use std::sync::OnceLock;

/// Points and weights of one panel of Gauss-Legendre quadrature.
const NODES: usize = 20;
/// Beyond 12 standard deviations lies a probability of 4e-33.
const REACH: f64 = 12.0;
/// Panels from −12 to 12. The number is even, so that one ends at 0, where most activations have their kink.
const PANELS: usize = 48;

/// Points `zᵢ` and weights `wᵢ` such that `E f(z) = Σ wᵢ f(zᵢ)` for a standard normal `z`, by composite Gauss-Legendre
/// quadrature. Exact to rounding for functions that are smooth between the panel ends, multiples of 1/2.
pub(crate) fn normal_rule() -> &'static [(f64, f64)] {
    static RULE: OnceLock<Vec<(f64, f64)>> = OnceLock::new();
    RULE.get_or_init(|| {
        let width = 2.0 * REACH / PANELS as f64;
        let ends = (0..PANELS).map(|i| (i as f64 * width - REACH, (i + 1) as f64 * width - REACH));
        ends.flat_map(|(a, b)| panel(a, b)).collect()
    })
}

/// Where nested expectations end: beyond 9 standard deviations lies a probability of 2e-19.
const NEAR: f64 = 9.0;

/// The same with eight panels and an end at `split`, for a function with a kink there. For the inner of two nested
/// expectations, where 960 points would be wasted.
pub(crate) fn rule_with_kink(split: f64) -> impl Iterator<Item = (f64, f64)> {
    let split = split.clamp(-NEAR, NEAR);
    let part = move |a: f64, b: f64| {
        let width = (b - a) / 4.0;
        (0..4).flat_map(move |i| panel(a + f64::from(i) * width, a + f64::from(i + 1) * width))
    };
    part(-NEAR, split).chain(part(split, NEAR))
}

/// The same for a function that changes over a distance `width` around 0: panels that double from there outwards.
pub(crate) fn rule_with_step(width: f64) -> Vec<(f64, f64)> {
    let mut ends = vec![0.0];
    while ends[ends.len() - 1] < NEAR {
        let last = ends[ends.len() - 1];
        ends.push((last + last.clamp(width.min(1.5), 1.5)).min(NEAR));
    }
    let right: Vec<_> = ends.windows(2).flat_map(|ends| panel(ends[0], ends[1])).collect();
    right.iter().map(|&(z, w)| (-z, w)).chain(right.iter().copied()).collect()
}

/// One panel, its weights including the normal density.
fn panel(a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    let (middle, half) = ((a + b) / 2.0, (b - a) / 2.0);
    gauss_legendre().iter().map(move |&(x, w)| {
        let z = middle + half * x;
        (z, half * w * (-z * z / 2.0).exp() / TAU.sqrt())
    })
}

/// Points and weights on [−1, 1]: the roots of the Legendre polynomial P₂₀ by Newton's method.
fn gauss_legendre() -> &'static [(f64, f64); NODES] {
    static RULE: OnceLock<[(f64, f64); NODES]> = OnceLock::new();
    RULE.get_or_init(|| {
        std::array::from_fn(|i| {
            let n = NODES as f64;
            let mut x = -(PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..10 {
                // (k + 1) P_(k+1) = (2k + 1) x P_k − k P_(k−1)
                let (mut before, mut p) = (1.0, x);
                for k in 1..NODES {
                    let k = k as f64;
                    (before, p) = (p, ((2.0 * k + 1.0) * x * p - k * before) / (k + 1.0));
                }
                slope = n * (x * p - before) / (x * x - 1.0);
                x -= p / slope;
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_normal_variable_to_rounding() {
        let moment = |f: fn(f64) -> f64| normal_rule().iter().map(|&(z, w)| w * f(z)).sum::<f64>();
        assert!((moment(|_| 1.0) - 1.0).abs() < 2e-15);
        assert!((moment(|z| z.powi(2)) - 1.0).abs() < 2e-15);
        assert!((moment(|z| z.powi(4)) - 3.0).abs() < 1e-14);
        assert!((moment(|z| z.powi(8)) - 105.0).abs() < 1e-12);
        assert!((moment(|z| z.max(0.0)) - 1.0 / TAU.sqrt()).abs() < 1e-15);
        assert!((moment(f64::cos) - (-0.5_f64).exp()).abs() < 1e-15);
    }

    #[test]
    fn a_kink_anywhere_costs_nothing_when_the_rule_is_split_there() {
        // E max(z − a, 0) = φ(a) − a (1 − Φ(a)); at a = 1 it is 0.083315470587…
        let mean: f64 = rule_with_kink(1.0).map(|(z, w)| w * (z - 1.0).max(0.0)).sum();
        assert!((mean - 0.083_315_470_587_686_3).abs() < 1e-14, "{mean}");
    }
}
