//! Moments of an activation and its slope over normal variables.

use std::f64::consts::{FRAC_PI_2, LN_10, PI};

use ndarray::Array2;

use super::quadrature::{normal_rule, radial_rule, rough_normal_rule, symmetric_rule};
use crate::activation::{evaluate_at, require_elementwise};
use geartrain::error::require;
use geartrain::{Error, Layer, Scalar};

/// Expectations of an activation `φ` and of its slope over `z ~ N(0, q)`, to about 15 digits.
///
/// ```
/// use geartrain::layers::Tanh;
/// use geartrain_lab::Moments;
/// let moments = Moments::of(&Tanh, 1.0)?;
/// assert!((moments.square - 0.394294).abs() < 1e-6);
/// assert!((moments.slope_square - 0.464403).abs() < 1e-6);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// `E φ(z)`.
    pub mean: f64,
    /// `E φ(z)²`.
    pub square: f64,
    /// `E φ(z)⁴`.
    pub fourth: f64,
    /// `E φ'(z)²`.
    pub slope_square: f64,
    /// `E φ'(z)⁴`.
    pub slope_fourth: f64,
    /// `d E φ(z)² / dq`, which is `E[z φ(z) φ'(z)] / q` (integration by parts).
    pub growth: f64,
    /// `E φ(z)² φ'(z)²`.
    pub both_square: f64,
    /// `E[z² φ'(z)²] / q`.
    pub stretch_square: f64,
}

impl Moments {
    /// The moments at `q ≥ 0` of any [`Elementwise`](geartrain::layers::Elementwise) activation,
    /// including user-defined ones. A kink of `φ` that is not at a multiple of √q/2 costs digits.
    ///
    /// # Errors
    /// [`Error::Argument`] if the layer is not elementwise, or `q` is not a finite number ≥ 0.
    pub fn of(activation: &dyn Layer<f64>, q: f64) -> Result<Self, Error> {
        require_elementwise(activation)?;
        require(q.is_finite() && q >= 0.0, "q", "a finite number ≥ 0", q)?;
        Ok(moments(activation, q))
    }

    /// `Var φ(z)`.
    pub fn variance(&self) -> f64 {
        self.square - self.mean * self.mean
    }

    fn from_array(
        [mean, square, fourth, slope_square, slope_fourth, growth, both_square, stretch_square]: [f64; 8],
    ) -> Self {
        Moments { mean, square, fourth, slope_square, slope_fourth, growth, both_square, stretch_square }
    }

    fn to_array(self) -> [f64; 8] {
        let Moments { mean, square, fourth, slope_square, slope_fourth, growth, both_square, stretch_square } =
            self;
        [mean, square, fourth, slope_square, slope_fourth, growth, both_square, stretch_square]
    }

    /// `E φ'⁴ / (E φ'²)²`, at least 1: how unevenly the slopes treat the gradient's entries.
    pub fn slope_kurtosis(&self) -> f64 {
        self.slope_fourth / (self.slope_square * self.slope_square)
    }
}

/// [`Moments::of`] for a layer known to be elementwise.
pub(crate) fn moments<F: Scalar>(activation: &dyn Layer<F>, q: f64) -> Moments {
    moments_of(activation, &[q], normal_rule())[0]
}

/// The same at each of several q. Moments are smooth functions of ln q, so they are interpolated
/// between a few points.
pub(crate) fn moments_of_all<F: Scalar>(
    activation: &dyn Layer<F>,
    all: &[f64],
    precision: Precision,
) -> Vec<Moments> {
    let logs: Vec<f64> = all.iter().map(|q| q.ln()).collect();
    let finite = logs.iter().filter(|log| log.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, -f64::INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    let panels = ((high - low) / PANEL).ceil().max(1.0);
    let half = (high - low) / panels / 2.0;
    // `None` for q = 0 and NaN
    let panel_of =
        |log: &f64| log.is_finite().then(|| ((log - low) / (2.0 * half)).clamp(0.0, panels - 1.0) as usize);
    let panel_of: Vec<_> = logs.iter().map(panel_of).collect();
    let mut polynomials: Vec<Option<Interpolation>> = (0..panels as usize).map(|_| None).collect();
    let at = |(panel, (&log, &q)): (&Option<usize>, (&f64, &f64))| match *panel {
        Some(panel) => {
            let middle = low + (2.0 * panel as f64 + 1.0) * half;
            polynomials[panel]
                .get_or_insert_with(|| Interpolation::new(activation, middle, half, precision))
                .at(log)
        }
        None => moments(activation, q),
    };
    panel_of.iter().zip(logs.iter().zip(all)).map(at).collect()
}

/// The precision of [`moments_of_all`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// About nine digits.
    Fine,
    /// About five digits, in a sixth of the time.
    Rough,
}

/// The longest interval of ln q for one interpolation polynomial.
const PANEL: f64 = 2.0;

/// Barycentric interpolation of moments between the extrema of a Chebyshev polynomial.
///
/// `E f(z)` is analytic where Re 1/q > 0, that is in the strip |Im ln q| < π/2. The error of
/// interpolation with n steps is about ϱ⁻ⁿ, where ϱ is the sum of the half axes of the largest
/// ellipse within the strip, in units of its foci ±`half` (Trefethen, *Approximation theory and
/// approximation practice*, chapter 8).
struct Interpolation {
    middle: f64,
    half: f64,
    /// The node on [−1, 1], its barycentric weight, and the moments there.
    known: Vec<(f64, f64, [f64; 8])>,
}

impl Interpolation {
    fn new<F: Scalar>(activation: &dyn Layer<F>, middle: f64, half: f64, precision: Precision) -> Self {
        // the error bound is generous: fewer digits than asked for are enough
        let (rule, digits) = match precision {
            Precision::Fine => (normal_rule(), 7.0),
            Precision::Rough => (rough_normal_rule(), 4.0),
        };
        let steps = (digits * LN_10 / (FRAC_PI_2 / half).asinh()).ceil() as usize;
        let points: Vec<f64> = (0..=steps).map(|k| (PI * k as f64 / steps.max(1) as f64).cos()).collect();
        let all: Vec<f64> = points.iter().map(|x| (middle + half * x).exp()).collect();
        let known = moments_of(activation, &all, rule).into_iter().zip(points).enumerate().map(
            |(k, (moments, x))| {
                let end = if k == 0 || k == steps { 0.5 } else { 1.0 };
                (x, if k % 2 == 0 { end } else { -end }, moments.to_array())
            },
        );
        Interpolation { middle, half, known: known.collect() }
    }

    fn at(&self, log: f64) -> Moments {
        let x = if self.half > 0.0 { (log - self.middle) / self.half } else { 0.0 };
        Moments::from_array(interpolate(&self.known, x))
    }
}

/// Interpolation at `x` between nodes, each with its barycentric weight and the values there.
pub(crate) fn interpolate<const N: usize>(nodes: &[(f64, f64, [f64; N])], x: f64) -> [f64; N] {
    let (mut sum, mut weights) = ([0.0; N], 0.0);
    for &(node, weight, known) in nodes {
        if x == node {
            return known;
        }
        let weight = weight / (x - node);
        sum.iter_mut().zip(known).for_each(|(sum, known)| *sum += weight * known);
        weights += weight;
    }
    sum.map(|sum| sum / weights)
}

fn moments_of<F: Scalar>(activation: &dyn Layer<F>, all: &[f64], rule: &[(f64, f64)]) -> Vec<Moments> {
    let z = Array2::from_shape_fn((all.len(), rule.len()), |(r, i)| all[r].sqrt() * rule[i].0);
    let (values, slopes) = evaluate_at(activation, &z);
    let row = |(r, &q): (usize, &f64)| {
        let mut sum = [0.0; 8];
        let points = z.row(r).into_iter().zip(values.row(r)).zip(slopes.row(r)).zip(rule);
        for (((z, &value), slope), (_, weight)) in points {
            let (v2, s2, stretch) = (value * value, slope * slope, z * slope);
            let terms = [value, v2, v2 * v2, s2, s2 * s2, stretch * value, v2 * s2, stretch * stretch];
            sum.iter_mut().zip(terms).for_each(|(sum, term)| *sum += weight * term);
        }
        let slope_square = sum[3];
        for mean in [5, 7] {
            // at q = 0: φ ≈ φ(0) + φ'(0) z, and E z² = q (without φ'', which is 0 or unknown there)
            sum[mean] = if q > 0.0 { sum[mean] / q } else { slope_square };
        }
        Moments::from_array(sum)
    };
    all.iter().enumerate().map(row).collect()
}

/// Expectations over two normal variables `u`, `v` with mean square q and correlation c.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Products {
    /// `E φ(u) φ(v)`.
    pub values: f64,
    /// `E φ(u)² φ(v)²`.
    pub value_squares: f64,
    /// `E φ'(u) φ'(v)`.
    pub slopes: f64,
    /// `E φ'(u)² φ'(v)²`.
    pub slope_squares: f64,
}

/// [`Products`] in polar coordinates, `u = √q r cos ψ` and `v = √q r cos(ψ − θ)` with `cos θ = c`.
/// A kink of `φ` at 0 then lies at the ends of sectors for every `c`. Each sector is its own mirror
/// image with `u` and `v` exchanged, so that the values at a sector's points serve for both.
pub(crate) fn products<F: Scalar>(activation: &dyn Layer<F>, q: f64, c: f64) -> Products {
    let half = c.clamp(-1.0, 1.0).acos() / 2.0;
    // the sectors around θ/2 in which u and v have equal and opposite signs
    let (alike, opposed) = (symmetric_rule(FRAC_PI_2 - half), symmetric_rule(half));
    let cosines =
        alike.iter().map(|&(a, _)| (half + a).cos()).chain(opposed.iter().map(|&(a, _)| (half + a).sin()));
    let cosines: Vec<f64> = cosines.flat_map(|cosine| [cosine, -cosine]).collect();
    let radii = radial_rule();
    let z = Array2::from_shape_fn((radii.len(), cosines.len()), |(k, j)| q.sqrt() * radii[k].0 * cosines[j]);
    let (values, slopes) = evaluate_at(activation, &z);
    let mut sum = Products { values: 0.0, value_squares: 0.0, slopes: 0.0, slope_squares: 0.0 };
    for (&(_, radial), (values, slopes)) in radii.iter().zip(values.rows().into_iter().zip(slopes.rows())) {
        let mut add = |weight: f64, u: usize, v: usize| {
            let (value, slope) = (values[u] * values[v], slopes[u] * slopes[v]);
            sum.values += weight * value;
            sum.value_squares += weight * value * value;
            sum.slopes += weight * slope;
            sum.slope_squares += weight * slope * slope;
        };
        for (j, &(_, angular)) in alike.iter().enumerate() {
            let (weight, mirrored) = (radial * angular, alike.len() - 1 - j);
            add(weight, 2 * j, 2 * mirrored);
            add(weight, 2 * j + 1, 2 * mirrored + 1);
        }
        for (j, &(_, angular)) in opposed.iter().enumerate() {
            let (here, mirrored) = (alike.len() + j, alike.len() + opposed.len() - 1 - j);
            // the opposite sector has the same products
            add(2.0 * radial * angular, 2 * here, 2 * mirrored + 1);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain::layers::{GELU, ReLU, SELU, Tanh};

    #[test]
    fn interpolated_moments_equal_those_of_the_quadrature() {
        for activation in [&ReLU as &dyn Layer<f64>, &Tanh, &SELU, &GELU] {
            for ratio in [1.0_f64, 1.0 + 1e-12, 1.1, 3.0, 1e4] {
                let all: Vec<f64> =
                    (0..60).map(|i| 0.7 * ratio.powf(f64::from(i) / 59.0)).chain([0.0]).collect();
                for (precision, error) in [(Precision::Fine, 1e-8), (Precision::Rough, 1e-4)] {
                    for (q, found) in all.iter().zip(moments_of_all(activation, &all, precision)) {
                        let exact = moments(activation, *q);
                        for (found, exact) in found.to_array().iter().zip(exact.to_array()) {
                            let close = (found - exact).abs() <= error * exact.abs() + 1e-15;
                            assert!(close, "{q} of {ratio}, {precision:?}: {found}, {exact}");
                        }
                    }
                }
            }
        }
    }
}
