//! Sigmoid and tanh in `f32`, branch-free, so that the compiler vectorises loops over them.
//!
//! Range reduction after Cody and Waite ("Software Manual for the Elementary Functions", 1980);
//! polynomial from Moshier's Cephes library (`expf.c`). The error is at most 2.5 units in the last
//! place for every finite x.

use super::dispatch::{Isa, Work, dispatch};
use super::math::at_least;
use super::share::pass_in_parts;

/// `a · b + c`, fused where the instruction set has the instruction.
#[inline(always)]
fn multiply_add<I: Isa>(a: f32, b: f32, c: f32) -> f32 {
    if I::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `eˣ = 2ⁿ (1 + p)` for x from −104 to 0, as (2ⁿ⁺ᵇ, p); `p` is NaN for NaN. n is in −150..=0, and
/// n + b must be in −126..=127.
#[inline(always)]
fn exp_parts<I: Isa, const B: u32>(x: f32) -> (f32, f32) {
    // x = n ln 2 + r with an integer n and |r| ≤ ln 2 / 2. Adding 1.5 · 2²³ rounds to an integer,
    // which the lowest bits of the sum then hold; adding 127 + b as well makes them the exponent of
    // 2ⁿ⁺ᵇ.
    let shift = 12_582_912.0 + (127 + B) as f32;
    let shifted = multiply_add::<I>(x, std::f32::consts::LOG2_E, shift);
    let n = shifted - shift;
    // ln 2 in two parts; the first has few enough digits that n times it is exact
    let r = multiply_add::<I>(n, -0.693_359_4, x);
    let r = multiply_add::<I>(n, 2.121_944_4e-4, r);
    // eʳ = 1 + r + r² (c₀ + c₁ r + … + c₅ r⁵) by Estrin's scheme; a Horner chain would take twice
    // as long
    let pair = |high, low| multiply_add::<I>(high, r, low);
    let square = r * r;
    let low = multiply_add::<I>(pair(0.008_333_452, 0.041_665_796), square, pair(0.166_666_65, 0.5));
    let rest = multiply_add::<I>(pair(0.000_198_756_91, 0.001_398_2), square * square, low);
    (f32::from_bits(shifted.to_bits() << 23), multiply_add::<I>(rest, square, r))
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
fn sigmoid<I: Isa>(x: f32) -> f32 {
    // e⁻¹⁰⁴ is less than half of the smallest subnormal number.
    let (scale, p) = exp_parts::<I, 25>(at_least(-x.abs(), -104.0));
    // In two steps, so that the result can be subnormal.
    let e = multiply_add::<I>(p, scale, scale) * 2.0_f32.powi(-25);
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// The hyperbolic tangent.
#[inline(always)]
fn tanh<I: Isa>(x: f32) -> f32 {
    // With e = e^(−2|x|), tanh |x| = (1 − e) / (1 + e), where e − 1 stays accurate near 0. For |x|
    // ≥ 10, it is 1.
    let (scale, p) = exp_parts::<I, 0>(at_least(-2.0 * x.abs(), -40.0));
    let e_less_1 = multiply_add::<I>(p, scale, scale - 1.0);
    let e_plus_1 = multiply_add::<I>(p, scale, scale) + 1.0;
    (e_less_1 / e_plus_1).copysign(x)
}

/// `y = sigmoid(x)` for every number.
#[derive(Debug)]
pub(super) struct Sigmoid<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [f32],
}

impl Work for Sigmoid<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = sigmoid::<I>(x);
        }
    }
}

/// `y = tanh(x)` for every number.
#[derive(Debug)]
pub(super) struct Tanh<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [f32],
}

impl Work for Tanh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = tanh::<I>(x);
        }
    }
}

/// Numbers per thread that are worth a hand-over: a few microseconds of work.
const NUMBERS_PER_THREAD: usize = 4096;

/// `y = 1 / (1 + e⁻ˣ)` for every number.
pub(super) fn sigmoids(x: &[f32], y: &mut [f32]) {
    pass_in_parts(x, y, NUMBERS_PER_THREAD, |_, x, y| dispatch(Sigmoid { x, y }));
}

/// `y = tanh x` for every number.
pub(super) fn tanhs(x: &[f32], y: &mut [f32]) {
    pass_in_parts(x, y, NUMBERS_PER_THREAD, |_, x, y| dispatch(Tanh { x, y }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Level, dispatch_at};

    /// The distance of `got` from the exact value in units of the last place of the exact value
    /// rounded to `f32`.
    fn ulps(got: f32, exact: f64) -> f64 {
        let rounded = (exact as f32).abs();
        let unit = f64::from(f32::from_bits(rounded.to_bits() + 1)) - f64::from(rounded);
        (f64::from(got) - exact).abs() / unit
    }

    /// Every 1009th finite number, and the boundary cases.
    fn sweep() -> Vec<f32> {
        let border = [0.0, f32::MIN_POSITIVE, 1e-45, 0.625, 88.0, 88.8, 103.9, 104.1, 1e4, f32::MAX];
        let dense = (0..f32::INFINITY.to_bits()).step_by(1009).map(f32::from_bits);
        dense.chain(border).flat_map(|x| [x, -x]).collect()
    }

    fn worst(function: impl Fn(Level, &[f32], &mut [f32]), exact: impl Fn(f64) -> f64) {
        let x = sweep();
        let mut y = vec![f32::NAN; x.len()];
        for level in Level::available() {
            function(level, &x, &mut y);
            let errors = x.iter().zip(&y).map(|(&x, &y)| (ulps(y, exact(f64::from(x))), x, y));
            let (error, x, y) = errors.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
            println!("{level:?}: {error:.2} at {x:e}");
            assert!(error <= 2.5, "{level:?}: {error} units at {x:e}: {y:e}");
        }
    }

    // SAFETY (both): the levels are available.
    fn sigmoids_at(level: Level, x: &[f32], y: &mut [f32]) {
        unsafe { dispatch_at(level, Sigmoid { x, y }) }
    }

    fn tanhs_at(level: Level, x: &[f32], y: &mut [f32]) {
        unsafe { dispatch_at(level, Tanh { x, y }) }
    }

    #[test]
    fn sigmoid_is_within_2_5_units() {
        // With e^−|x| the reference keeps its digits, where 1 / (1 + e^−x) would overflow.
        let exact = |x: f64| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) };
        worst(sigmoids_at, exact);
    }

    #[test]
    fn tanh_is_within_2_5_units() {
        worst(tanhs_at, f64::tanh);
    }

    #[test]
    fn zeros_infinities_and_nan() {
        for level in Level::available() {
            // more than one vector, so that the vectorised part of the loop is reached
            for (x, sigmoid, tanh) in [
                (0.0_f32, 0.5_f32, 0.0_f32),
                (-0.0, 0.5, -0.0),
                (f32::INFINITY, 1.0, 1.0),
                (f32::NEG_INFINITY, 0.0, -1.0),
                (f32::NAN, f32::NAN, f32::NAN),
                (1e-45, 0.5, 1e-45),
            ] {
                let (x, mut y) = ([x; 67], [7.0; 67]);
                sigmoids_at(level, &x, &mut y);
                assert!(
                    y.iter().all(|y| y.to_bits() == sigmoid.to_bits() || y.is_nan() && sigmoid.is_nan()),
                    "{y:?}"
                );
                tanhs_at(level, &x, &mut y);
                assert!(
                    y.iter().all(|y| y.to_bits() == tanh.to_bits() || y.is_nan() && tanh.is_nan()),
                    "{y:?}"
                );
            }
        }
    }

    #[test]
    fn results_do_not_depend_on_the_position_in_the_slice() {
        let x: Vec<f32> = (0..100).map(|i| (i as f32 - 50.0) / 7.0).collect();
        let (mut whole, mut parts) = (vec![0.0; 100], vec![0.0; 100]);
        for level in Level::available() {
            for function in [sigmoids_at, tanhs_at] {
                function(level, &x, &mut whole);
                for i in 0..100 {
                    function(level, &x[i..=i], &mut parts[i..=i]);
                }
                assert_eq!(whole, parts, "{level:?}");
            }
        }
    }
}
