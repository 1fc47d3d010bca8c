//! Quadrature rules for expectations over normal variables, to about 15 digits.

use std::f64::consts::{FRAC_PI_4, PI, TAU};
use std::sync::OnceLock;

/// Points per panel of Gauss-Legendre quadrature.
const NODES: usize = 20;
/// The probability beyond 12 standard deviations is 4e-33.
const REACH: f64 = 12.0;

/// Points `zᵢ` and weights `wᵢ` with `E f(z) = Σ wᵢ f(zᵢ)` for a standard normal `z`, by composite
/// Gauss-Legendre quadrature. Exact to rounding for functions that are smooth between the panel
/// ends, which are the multiples of 1/2. One of them is 0, where most activations have their kink.
pub(crate) fn normal_rule() -> &'static [(f64, f64)] {
    static RULE: OnceLock<Vec<(f64, f64)>> = OnceLock::new();
    RULE.get_or_init(|| {
        let ends: Vec<f64> = (0..=24).map(|i| f64::from(i) / 24.0 * REACH).collect();
        both_sides(&ends)
    })
}

/// The same with a quarter of the points, to six digits.
pub(crate) fn rough_normal_rule() -> &'static [(f64, f64)] {
    static RULE: OnceLock<Vec<(f64, f64)>> = OnceLock::new();
    RULE.get_or_init(|| both_sides(&[0.0, 0.5, 1.0, 2.0, 4.0, 7.0, REACH]))
}

/// Panels between the given ends, the first of which is 0, and between their negatives.
fn both_sides(ends: &[f64]) -> Vec<(f64, f64)> {
    let right: Vec<_> = ends.windows(2).flat_map(|ends| panel(ends[0], ends[1])).collect();
    right.iter().rev().map(|&(z, w)| (-z, w)).chain(right.iter().copied()).collect()
}

/// Points and weights for the radius of a pair of standard normal variables in polar coordinates:
/// `E f = Σ wᵢ ∫ f(rᵢ, ψ) dψ`. The radius has density `r e^(−r²/2)` and the angle ψ 1/2π. The
/// probability beyond 9 standard deviations is 3e-18.
pub(crate) fn radial_rule() -> &'static [(f64, f64)] {
    static RULE: OnceLock<Vec<(f64, f64)>> = OnceLock::new();
    RULE.get_or_init(|| {
        let points = panel(0.0, 3.0).chain(panel(3.0, 9.0));
        points.map(|(r, w)| (r, w * r / TAU.sqrt())).collect()
    })
}

/// Points and weights on the interval from `−half` to `half`, where `half` is at most π/2, in
/// panels of at most a quarter turn. Point `i` is the negative of the `i`-th from the end.
pub(crate) fn symmetric_rule(half: f64) -> Vec<(f64, f64)> {
    let legendre =
        |middle: f64, half: f64| gauss_legendre().iter().map(move |&(x, w)| (middle + half * x, half * w));
    if half > FRAC_PI_4 {
        legendre(-half / 2.0, half / 2.0).chain(legendre(half / 2.0, half / 2.0)).collect()
    } else {
        legendre(0.0, half).collect()
    }
}

/// One panel. The weights include the normal density.
fn panel(a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    let (middle, half) = ((a + b) / 2.0, (b - a) / 2.0);
    gauss_legendre().iter().map(move |&(x, w)| {
        let z = middle + half * x;
        (z, half * w * (-z * z / 2.0).exp() / TAU.sqrt())
    })
}

/// Points and weights on [−1, 1]: the roots of the Legendre polynomial P₂₀, by Newton's method.
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
    fn moments_of_a_pair_to_rounding() {
        // over the plane, E r² = 2 and E r² cos² ψ = 1
        let angles = || symmetric_rule(PI / 2.0).into_iter();
        let moment = |f: fn(f64, f64) -> f64| {
            let points =
                radial_rule().iter().flat_map(|&(r, w)| angles().map(move |(a, v)| 2.0 * w * v * f(r, a)));
            points.sum::<f64>()
        };
        assert!((moment(|_, _| 1.0) - 1.0).abs() < 1e-14);
        assert!((moment(|r, _| r * r) - 2.0).abs() < 1e-14);
        assert!((moment(|r, a| (r * a.cos()).powi(2)) - 1.0).abs() < 1e-14);
        for half in [0.3, 1.2] {
            let rule = symmetric_rule(half);
            assert!((rule.iter().map(|&(_, w)| w).sum::<f64>() - 2.0 * half).abs() < 1e-14);
            assert!(rule.iter().zip(rule.iter().rev()).all(|(a, b)| (a.0 + b.0).abs() < 1e-15));
        }
    }
}
