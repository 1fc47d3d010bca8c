//! What an activation does to a normal variable.

use std::f64::consts::{FRAC_PI_2, LN_10, PI};

use ndarray::{Array2, ArrayView2};

use super::flow::Gain;
use super::quadrature::{normal_rule, radial_rule, rough_normal_rule, symmetric_rule};
use geartrain::Cache;
use geartrain::layer::{Backward, Forward, Kind, Layer, Mode};
use geartrain::{Error, Scalar};

/// Expectations of an activation `φ` and of its slope over `z ~ N(0, q)`, by quadrature to about 15 digits.
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
    /// `d E φ(z)² / dq`, which by parts is `E[z φ(z) φ'(z)] / q`.
    pub growth: f64,
    /// `E φ(z)² φ'(z)²`.
    pub both_square: f64,
    /// `E[z² φ'(z)²] / q`.
    pub stretch_square: f64,
}

impl Moments {
    /// The moments of any [`Elementwise`](geartrain::layers::Elementwise) activation, a user's own as well, at `q ≥ 0`.
    /// A kink of `φ` anywhere but at a multiple of √q/2 costs digits.
    ///
    /// # Errors
    /// [`Error::Argument`] if the layer is not elementwise or if `q` is not a finite number ≥ 0.
    pub fn of(activation: &dyn Layer<f64>, q: f64) -> Result<Self, Error> {
        check(activation)?;
        geartrain::error::require(q.is_finite() && q >= 0.0, "q", "a finite number ≥ 0", q)?;
        Ok(moments(activation, q))
    }

    /// `Var φ(z)`.
    pub fn variance(&self) -> f64 {
        self.square - self.mean * self.mean
    }

    /// What the activation does to the gradient of a row with this mean square, 1/width being `one_by_width`.
    ///
    /// With g the gradient at `φ(z)`, of energy 1 in each direction and x more along `φ(z)`: `Σ φ'² g²` has 1 from all and
    /// x from one direction, and so has `(Σ z φ' g)²`, by which the gradient along `z` is known.
    pub(super) fn gain(&self, q: f64, one_by_width: f64) -> Gain {
        let even = self.slope_square;
        if q == 0.0 || self.square == 0.0 {
            return Gain { excess: even, ..Gain::even(even) };
        }
        let one = self.both_square / self.square;
        let along = self.growth * self.growth * q / self.square;
        let more = self.stretch_square - even;
        Gain {
            energy: even,
            energy_of_excess: (one - even) * one_by_width,
            excess_of_energy: more,
            excess: along - (more + one) * one_by_width,
        }
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

/// [`Error::Argument`] unless `activation` is elementwise.
pub(super) fn check(activation: &dyn Layer<f64>) -> Result<(), Error> {
    let description = activation.describe();
    let (name, elementwise) = (description.name, description.kind == Kind::Elementwise);
    geartrain::error::require(elementwise, "activation", "an elementwise layer", name)
}

/// [`Moments::of`] for a layer that was checked.
pub(super) fn moments<F: Scalar>(activation: &dyn Layer<F>, q: f64) -> Moments {
    moments_of(activation, &[q], normal_rule())[0]
}

/// The same at each of several q. The moments are smooth functions of ln q, normal variables being what they are: so those
/// at a few points serve for any number of q between them.
pub(super) fn moments_of_all<F: Scalar>(
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
    // none for q = 0 and for what is not a number
    let panel_of =
        |log: &f64| log.is_finite().then(|| ((log - low) / (2.0 * half)).clamp(0.0, panels - 1.0) as usize);
    let panel_of: Vec<_> = logs.iter().map(panel_of).collect();
    let mut between: Vec<Option<Between>> = (0..panels as usize).map(|_| None).collect();
    let at = |(panel, (&log, &q)): (&Option<usize>, (&f64, &f64))| match *panel {
        Some(panel) => {
            let middle = low + (2.0 * panel as f64 + 1.0) * half;
            between[panel].get_or_insert_with(|| Between::new(activation, middle, half, precision)).at(log)
        }
        None => moments(activation, q),
    };
    panel_of.iter().zip(logs.iter().zip(all)).map(at).collect()
}

/// How many digits of [`moments_of_all`] are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// About nine.
    Fine,
    /// About five, in a sixth of the time.
    Rough,
}

/// The longest interval of ln q over which moments are interpolated at once.
const PANEL: f64 = 2.0;

/// Moments between known ones, at the extrema of a Chebyshev polynomial.
///
/// `E f(z)` is analytic where Re 1/q > 0, so in the strip |Im ln q| < π/2. Interpolation over n steps errs by about ϱ⁻ⁿ, ϱ
/// being the sum of the half axes of the largest ellipse within the strip, when its foci, ±`half`, are the unit
/// (Trefethen, *Approximation theory and approximation practice*, chapter 8).
struct Between {
    middle: f64,
    half: f64,
    /// Where on [−1, 1], with which barycentric weight, and the moments.
    known: Vec<(f64, f64, [f64; 8])>,
}

impl Between {
    fn new<F: Scalar>(activation: &dyn Layer<F>, middle: f64, half: f64, precision: Precision) -> Self {
        // the bound on the error is generous
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
        Between { middle, half, known: known.collect() }
    }

    fn at(&self, log: f64) -> Moments {
        let x = if self.half > 0.0 { (log - self.middle) / self.half } else { 0.0 };
        let (mut sum, mut weights) = ([0.0; 8], 0.0);
        for &(node, weight, known) in &self.known {
            if x == node {
                return Moments::from_array(known);
            }
            let weight = weight / (x - node);
            sum.iter_mut().zip(known).for_each(|(sum, known)| *sum += weight * known);
            weights += weight;
        }
        Moments::from_array(sum.map(|sum| sum / weights))
    }
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

/// `φ` and `φ'` at every entry of `z`, by the layer's own passes.
pub(super) fn evaluate<F: Scalar>(activation: &dyn Layer<F>, z: ArrayView2<F>) -> (Array2<F>, Array2<F>) {
    let mut cache = Cache::new();
    let (mut values, mut slopes) = (Array2::zeros(z.dim()), Array2::zeros(z.dim()));
    let (x, mode) = (z, Mode::Train { key: 0 });
    activation.forward(Forward { params: &[], x, y: values.view_mut(), cache: &mut cache, mode });
    let ones = Array2::ones(z.dim());
    let (y, dy, dx) = (values.view(), ones.view(), Some(slopes.view_mut()));
    activation.backward(Backward { params: &[], x, y, dy, grads: &mut [], dx, cache: &mut cache });
    (values, slopes)
}

/// The same in `f64`, for points that are.
pub(super) fn evaluate_at<F: Scalar>(
    activation: &dyn Layer<F>,
    z: &Array2<f64>,
) -> (Array2<f64>, Array2<f64>) {
    let (values, slopes) = evaluate(activation, z.mapv(F::of).view());
    (values.mapv(F::as_f64), slopes.mapv(F::as_f64))
}

/// Expectations over two normal variables `u`, `v` with mean square `q` and correlation `c`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Products {
    /// `E φ(u) φ(v)`.
    pub values: f64,
    /// `E φ(u)² φ(v)²`.
    pub value_squares: f64,
    /// `E φ'(u) φ'(v)`.
    pub slopes: f64,
    /// `E φ'(u)² φ'(v)²`.
    pub slope_squares: f64,
}

/// Points are taken in polar coordinates, `u = √q r cos ψ` and `v = √q r cos(ψ − θ)` with `cos θ = c`: there kinks of `φ` at
/// 0 lie at angles that are ends of sectors, whatever `c` is, and every sector is its own mirror image, with `u` and `v`
/// exchanged. So the values at a sector's points serve for both.
pub(super) fn products<F: Scalar>(activation: &dyn Layer<F>, q: f64, c: f64) -> Products {
    let half = c.clamp(-1.0, 1.0).acos() / 2.0;
    // |cos ψ| from θ/2 on to both sides: where u and v have the same sign, and where they have not
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
            // the sector on the other side has the same products
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
    fn moments_between_known_ones_are_those_of_the_quadrature() {
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
