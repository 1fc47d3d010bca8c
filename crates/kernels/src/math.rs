//! Branch-free elementary functions in `f64`, accurate to a few units in the last place. Without
//! branches, loops over them become vector instructions. Most `f32` activations use these and round
//! once.

use crate::{Function, values};

/// `c₀ + c₁ x + c₂ x² + …`, as four independent sums.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: &[[f64; 4]; N]) -> f64 {
    let square = x * x;
    let fourth = square * square;
    let mut sums = coefficients[N - 1];
    for four in coefficients[..N - 1].iter().rev() {
        for (sum, c) in sums.iter_mut().zip(four) {
            *sum = *sum * fourth + c;
        }
    }
    (sums[0] + sums[1] * x) + square * (sums[2] + sums[3] * x)
}

/// eˣ as `(2ⁿ⁺⁶⁴, p)` with `eˣ = 2ⁿ (1 + p)`, for x from −746 to 0; a `p` of NaN for NaN.
#[inline(always)]
fn exp_parts(x: f64) -> (f64, f64) {
    // Adding 1.5 · 2⁵² rounds to an integer, which the lowest bits of the sum then hold; adding
    // 1023 + 64 as well makes them the exponent of 2ⁿ⁺⁶⁴.
    const SHIFT: f64 = 6_755_399_441_055_744.0 + 1087.0;
    // ln 2 in two parts; the first has few enough digits that n times it is exact (Cody and Waite
    // 1980)
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    // 1/2!, 1/3!, …, 1/13!
    const TAYLOR: [[f64; 4]; 3] = [
        [1.0 / 2.0, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0],
        [1.0 / 720.0, 1.0 / 5040.0, 1.0 / 40_320.0, 1.0 / 362_880.0],
        [1.0 / 3_628_800.0, 1.0 / 39_916_800.0, 1.0 / 479_001_600.0, 1.0 / 6_227_020_800.0],
    ];
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    // x = n ln 2 + r with |r| ≤ ln 2 / 2
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    (f64::from_bits(shifted.to_bits() << 52), r + r * r * polynomial(r, &TAYLOR))
}

/// The larger of `x` and `least`; NaN for NaN.
#[inline(always)]
pub(super) fn at_least<F: PartialOrd>(x: F, least: F) -> F {
    if x < least { least } else { x }
}

/// `eˣ` for x ≤ 0.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let (scale, p) = exp_parts(at_least(x, -746.0));
    // in two steps, so that the result can be subnormal
    (scale + scale * p) * 2.0_f64.powi(-64)
}

/// `eˣ − 1` for x ≤ 0, accurate near 0.
#[inline(always)]
pub fn exp_m1(x: f64) -> f64 {
    let (scale, p) = exp_parts(at_least(x, -40.0));
    let scale = scale * 2.0_f64.powi(-64);
    scale * p + (scale - 1.0)
}

/// The logistic sigmoid `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub fn logistic(x: f64) -> f64 {
    let e = exp(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// The hyperbolic tangent: with `m = e^{−2|x|} − 1`, `tanh |x| = −m / (2 + m)`, without
/// cancellation.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    let m = exp_m1(-2.0 * x.abs());
    (-m / (2.0 + m)).copysign(x)
}

/// `ln(1 + x)` for x from 0 to 1: `2 artanh s = 2 (s + s³/3 + s⁵/5 + …)` with `s = x / (2 + x)`, at
/// most 1/3.
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    const SERIES: [[f64; 4]; 4] = [
        [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0],
        [1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0],
        [1.0 / 17.0, 1.0 / 19.0, 1.0 / 21.0, 1.0 / 23.0],
        [1.0 / 25.0, 1.0 / 27.0, 1.0 / 29.0, 1.0 / 31.0],
    ];
    let s = x / (2.0 + x);
    2.0 * s * polynomial(s * s, &SERIES)
}

/// `e^{x²} erfc(x)` for x ≥ 0.
///
/// With `t = 2 / (2 + x)` (Press et al., "Numerical Recipes", 2007, section 6.2.2) it equals t
/// times a smooth function of t, approximated by a Chebyshev polynomial of degree 27 in 2t − 1
/// (`tests/fixtures/fit_erfcx.py`).
#[inline(always)]
pub fn erfcx(x: f64) -> f64 {
    const FIT: [[f64; 4]; 7] = [
        [0.5107913526210115, 0.34358034220690525, 0.13973604627802688, 0.018221115753442495],
        [-0.010755330944716365, -0.0032395925339865133, 0.0015453060290576436, 0.0004186480332964868],
        [-0.00033153674761946043, -1.7185737594548938e-05, 7.223535061438543e-05, -1.7074336530735702e-05],
        [-1.0848057268891096e-05, 8.060040491028146e-06, -5.628166935192924e-07, -1.8208078384029821e-06],
        [1.00091858626541e-06, -3.0587196456747096e-09, -2.855481823834117e-07, 1.6491163111184633e-07],
        [-1.6982724012935667e-09, -5.760146697175624e-08, 2.9041985444209086e-08, 6.353864669505139e-09],
        [-9.744756625932259e-09, 1.2284536350186566e-09, 1.2051665995883637e-09, -3.3888695546308687e-10],
    ];
    let t = 2.0 / (2.0 + x);
    t * polynomial(2.0 * t - 1.0, &FIT)
}

struct Logistic;

impl Function<f64> for Logistic {
    #[inline(always)]
    fn value(&self, x: f64) -> f64 {
        logistic(x)
    }

    fn slope(&self, _x: f64, y: f64) -> f64 {
        y * (1.0 - y)
    }
}

struct Tanh;

impl Function<f64> for Tanh {
    #[inline(always)]
    fn value(&self, x: f64) -> f64 {
        tanh(x)
    }

    fn slope(&self, _x: f64, y: f64) -> f64 {
        1.0 - y * y
    }
}

/// `y = 1 / (1 + e⁻ˣ)` for every number.
pub(super) fn sigmoids(x: &[f64], y: &mut [f64]) {
    values(&Logistic, x, y);
}

/// `y = tanh x` for every number.
pub(super) fn tanhs(x: &[f64], y: &mut [f64]) {
    values(&Tanh, x, y);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worst relative error over magnitudes from 1e-300 to `largest`, and below 3e-308 the
    /// absolute one.
    fn worst(largest: f64, got: impl Fn(f64) -> f64, exact: impl Fn(f64) -> f64) -> f64 {
        let steps = 200_000;
        let x = (0..=steps).map(|i| largest * (-690.0 * (f64::from(i) / f64::from(steps)).powi(3)).exp());
        let error = |x: f64| (got(x) - exact(x)).abs() / exact(x).abs().max(f64::MIN_POSITIVE);
        x.map(error).fold(0.0, f64::max)
    }

    #[test]
    fn functions_are_accurate_to_a_few_units_in_the_last_place() {
        let exact = |x: f64| libm::erfc(x) * (x * x).exp();
        for (name, error, limit) in [
            ("exp", worst(760.0, |x| exp(-x), |x| (-x).exp()), 4e-16),
            ("exp_m1", worst(760.0, |x| exp_m1(-x), |x| (-x).exp_m1()), 4e-16),
            ("ln_1p", worst(1.0, ln_1p, f64::ln_1p), 1e-15),
            ("logistic", worst(760.0, |x| logistic(-x), |x| (-x).exp() / (1.0 + (-x).exp())), 1e-15),
            ("tanh", worst(760.0, |x| tanh(-x), |x| (-x).tanh()), 1e-15),
            ("erfcx", worst(5.0, erfcx, exact), 1e-14),
        ] {
            println!("{name}: {error:e}");
            assert!(error <= limit, "{name}: {error:e}");
        }
        // 1 / (x √π) (1 − 1/(2x²) + 3/(4x⁴) − …)
        let far = |x: f64| std::f64::consts::FRAC_2_SQRT_PI / (2.0 * x) * (1.0 - 0.5 / (x * x));
        assert!((erfcx(1e5) / far(1e5) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn limits_and_nan() {
        assert_eq!([exp(0.0), exp(-0.0), exp(f64::NEG_INFINITY)], [1.0, 1.0, 0.0]);
        assert_eq!([exp_m1(0.0), exp_m1(f64::NEG_INFINITY), ln_1p(0.0)], [0.0, -1.0, 0.0]);
        assert_eq!((erfcx(0.0), erfcx(f64::INFINITY)), (1.0, 0.0));
        assert_eq!([logistic(f64::NEG_INFINITY), logistic(f64::INFINITY)], [0.0, 1.0]);
        assert_eq!([tanh(f64::NEG_INFINITY), tanh(f64::INFINITY)], [-1.0, 1.0]);
        assert_eq!(tanh(-0.0).to_bits(), (-0.0_f64).to_bits());
        assert!([exp, exp_m1, logistic, tanh, ln_1p, erfcx].iter().all(|f| f(f64::NAN).is_nan()));
    }
}
