//! What an activation does to a normal variable.

use ndarray::{Array2, ArrayView2};

use super::quadrature::{normal_rule, rule_with_kink, rule_with_step};
use crate::cache::Cache;
use crate::{Error, Kind, Layer, Mode, Saved, Scalar};

/// Expectations of an activation `φ` and of its slope over `z ~ N(0, q)`, by quadrature to about 15 digits.
///
/// ```
/// use geartrain::{lab::Moments, layers::Tanh};
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
}

impl Moments {
    /// The moments of any [`Elementwise`](crate::layers::Elementwise) activation, a user's own as well, at `q ≥ 0`.
    /// A kink of `φ` anywhere but at a multiple of √q/2 costs digits.
    ///
    /// # Errors
    /// [`Error::Argument`] if the layer is not elementwise or if `q` is not a finite number ≥ 0.
    pub fn of(activation: &dyn Layer<f64>, q: f64) -> Result<Self, Error> {
        check(activation)?;
        crate::error::require(q.is_finite() && q >= 0.0, "q", "a finite number ≥ 0", q)?;
        Ok(moments(activation, q))
    }

    /// `Var φ(z)`.
    pub fn variance(&self) -> f64 {
        self.square - self.mean * self.mean
    }

    /// `E φ'⁴ / (E φ'²)²`, at least 1: how unevenly the slopes treat the gradient's entries.
    pub fn slope_kurtosis(&self) -> f64 {
        self.slope_fourth / (self.slope_square * self.slope_square)
    }
}

/// [`Error::Argument`] unless `activation` is elementwise.
pub(super) fn check(activation: &dyn Layer<f64>) -> Result<(), Error> {
    let name = activation.name();
    let elementwise = activation.kind() == Kind::Elementwise;
    crate::error::require(elementwise, "activation", "an elementwise layer", name)
}

/// [`Moments::of`] for a layer that was checked.
pub(super) fn moments<F: Scalar>(activation: &dyn Layer<F>, q: f64) -> Moments {
    let scale = q.sqrt();
    let rule = normal_rule();
    let z = Array2::from_shape_fn((rule.len(), 1), |(i, _)| scale * rule[i].0);
    let (values, slopes) = evaluate_at(activation, &z);
    let mut sum = [0.0; 6];
    for (((&value, &slope), &z), &(_, weight)) in values.iter().zip(&slopes).zip(&z).zip(rule) {
        let (v2, s2) = (value * value, slope * slope);
        let terms = [value, v2, v2 * v2, s2, s2 * s2, z * value * slope];
        sum.iter_mut().zip(terms).for_each(|(sum, term)| *sum += weight * term);
    }
    let [mean, square, fourth, slope_square, slope_fourth, zvs] = sum;
    // at q = 0: φ ≈ φ(0) + φ'(0) z, and E z² = q (without φ'', which is 0 or unknown there)
    let growth = if q > 0.0 { zvs / q } else { slope_square };
    Moments { mean, square, fourth, slope_square, slope_fourth, growth }
}

/// `φ` and `φ'` at every entry of `z`, by the layer's own passes.
pub(super) fn evaluate<F: Scalar>(activation: &dyn Layer<F>, z: ArrayView2<F>) -> (Array2<F>, Array2<F>) {
    let mut cache = Cache::new();
    let (mut values, mut slopes) = (Array2::zeros(z.dim()), Array2::zeros(z.dim()));
    activation.forward(&[], z, values.view_mut(), &mut cache, Mode::Train { key: 0 });
    let saved = Saved { x: z, y: values.view(), cache: &mut cache };
    let ones = Array2::ones(z.dim());
    activation.backward(&[], saved, ones.view(), &mut [], Some(slopes.view_mut()));
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

pub(super) fn products<F: Scalar>(activation: &dyn Layer<F>, q: f64, c: f64) -> Products {
    // u = √q x and v = √q (c x + √(1−c²) y) with independent x, y
    let rest = ((1.0 - c) * (1.0 + c)).max(0.0).sqrt();
    // where they are almost the same variable, the inner expectation has a single point
    let alike = rest < 1e-6;
    let outer = if alike { normal_rule().to_vec() } else { rule_with_step(rest) };
    let x = Array2::from_shape_fn((outer.len(), 1), |(i, _)| q.sqrt() * outer[i].0);
    let (mut points, mut weights) = (Vec::new(), Vec::new());
    for &(x, _) in &outer {
        // v crosses a kink at 0 where y = −c x / √(1−c²); u does so at x = 0
        let inner = if alike { vec![(0.0, 1.0)] } else { rule_with_kink(-c * x / rest).collect() };
        for (y, weight) in inner {
            points.push(q.sqrt() * (c * x + rest * y));
            weights.push(weight);
        }
    }
    let columns = points.len() / outer.len();
    let points = Array2::from_shape_vec((outer.len(), columns), points).expect("one row per outer point");
    let ((u, du), (v, dv)) = (evaluate_at(activation, &x), evaluate_at(activation, &points));
    let mut sum = Products { values: 0.0, value_squares: 0.0, slopes: 0.0, slope_squares: 0.0 };
    for (i, &(_, weight)) in outer.iter().enumerate() {
        let mut inner = [0.0; 4];
        for (j, w) in weights[i * columns..(i + 1) * columns].iter().enumerate() {
            let (value, slope) = (v[[i, j]], dv[[i, j]]);
            inner[0] += w * value;
            inner[1] += w * slope;
            inner[2] += w * slope * slope;
            inner[3] += w * value * value;
        }
        sum.values += weight * u[[i, 0]] * inner[0];
        sum.slopes += weight * du[[i, 0]] * inner[1];
        sum.slope_squares += weight * du[[i, 0]].powi(2) * inner[2];
        sum.value_squares += weight * u[[i, 0]].powi(2) * inner[3];
    }
    sum
}
