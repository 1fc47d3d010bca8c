//! What an activation does to a normal variable.

use ndarray::{Array2, ArrayView2};

use super::quadrature::{normal_rule, rule_with_kink, rule_with_step};
use crate::cache::Cache;
use crate::{Error, Kind, Layer, Mode, Saved};

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
pub(super) fn moments(activation: &dyn Layer<f64>, q: f64) -> Moments {
    let scale = q.sqrt();
    let rule = normal_rule();
    let z = Array2::from_shape_fn((rule.len(), 1), |(i, _)| scale * rule[i].0);
    let (values, slopes) = evaluate(activation, z.view());
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
fn evaluate(activation: &dyn Layer<f64>, z: ArrayView2<f64>) -> (Array2<f64>, Array2<f64>) {
    let mut cache = Cache::new();
    let (mut values, mut slopes) = (Array2::zeros(z.dim()), Array2::zeros(z.dim()));
    activation.forward(&[], z, values.view_mut(), &mut cache, Mode::Train);
    let saved = Saved { x: z, y: values.view(), cache: &mut cache };
    let ones = Array2::ones(z.dim());
    activation.backward(&[], saved, ones.view(), &mut [], Some(slopes.view_mut()));
    (values, slopes)
}

/// `E φ(u) φ(v)` and `E φ'(u) φ'(v)` for normal `u`, `v` with variances `q`, `r` and correlation `c` in [−1, 1].
pub(super) fn products(activation: &dyn Layer<f64>, q: f64, r: f64, c: f64) -> (f64, f64) {
    // v = √r (c x + √(1−c²) y) crosses a kink at 0 where y = −c x / √(1−c²). The outer rule meets the same kink at x = 0.
    let rest = ((1.0 - c) * (1.0 + c)).max(0.0).sqrt();
    if rest < 1e-9 {
        let x = Array2::from_shape_fn((normal_rule().len(), 1), |(i, _)| normal_rule()[i].0);
        let (u, du) = evaluate(activation, (&x * q.sqrt()).view());
        let (v, dv) = evaluate(activation, (&x * (c.signum() * r.sqrt())).view());
        let mean = |a: &Array2<f64>, b: &Array2<f64>| {
            normal_rule().iter().zip(a.iter().zip(b)).map(|(&(_, w), (a, b))| w * a * b).sum()
        };
        return (mean(&u, &v), mean(&du, &dv));
    }
    let outer = rule_with_step(rest);
    let x = Array2::from_shape_fn((outer.len(), 1), |(i, _)| q.sqrt() * outer[i].0);
    let (u, du) = evaluate(activation, x.view());
    let mut points = Vec::with_capacity(outer.len() * 240);
    let mut weights = Vec::with_capacity(points.capacity());
    for &(x, _) in &outer {
        for (y, weight) in rule_with_kink(-c * x / rest) {
            points.push(r.sqrt() * (c * x + rest * y));
            weights.push(weight);
        }
    }
    let columns = points.len() / outer.len();
    let points = Array2::from_shape_vec((outer.len(), columns), points).expect("one row per outer point");
    let (v, dv) = evaluate(activation, points.view());
    let mut sum = (0.0, 0.0);
    for (i, &(_, weight)) in outer.iter().enumerate() {
        let weights = &weights[i * columns..(i + 1) * columns];
        let inner = |values: &Array2<f64>| values.row(i).iter().zip(weights).map(|(v, w)| v * w).sum::<f64>();
        sum.0 += weight * u[[i, 0]] * inner(&v);
        sum.1 += weight * du[[i, 0]] * inner(&dv);
    }
    sum
}
