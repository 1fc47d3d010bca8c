//! The edge of chaos, on which gradients neither vanish nor explode.

use super::moments::moments;
use crate::activation::require_elementwise;
use geartrain::error::require;
use geartrain::{Error, Layer, Scalar};

/// A point of the curve `χ₁(q*) = 1` in the plane of `σw` and `σb` (Poole et al. 2016). On one
/// side, the ordered phase, gradients vanish and inputs become alike; on the other, the chaotic
/// phase, gradients explode and neighbouring inputs separate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Critical {
    /// `σw²`, N times the variance of a weight.
    pub weight_variance: f64,
    /// `σb²`.
    pub bias_variance: f64,
    /// The fixed point `q*` there.
    pub q: f64,
}

impl Critical {
    /// `σw` and `σb`.
    pub(crate) fn sigmas(&self) -> (f64, f64) {
        (self.weight_variance.sqrt(), self.bias_variance.sqrt())
    }
}

/// The point of the edge whose fixed point is `q`; `None` if it requires a negative `σb²` or the
/// slope is 0.
///
/// `χ₁ = 1` gives `σw² = 1 / E φ'²`, and the fixed point gives `σb² = q − σw² E φ²`.
fn at<F: Scalar>(activation: &dyn Layer<F>, q: f64) -> Option<Critical> {
    let moments = moments(activation, q);
    let weight_variance = 1.0 / moments.slope_square;
    let kept = weight_variance * moments.square;
    // rounding must not make the σb² = 0 of ReLU negative
    let bias_variance = if (q - kept).abs() <= 1e-12 * q { 0.0 } else { q - kept };
    (weight_variance.is_finite() && bias_variance >= 0.0).then_some(Critical {
        weight_variance,
        bias_variance,
        q,
    })
}

/// `points` points of the edge of chaos of an elementwise activation, in increasing order of `q*`
/// up to `largest_q`. Fewer where a `q*` would require a negative `σb²`. ReLU's edge is the single
/// point (2, 0), repeated for every `q*`.
///
/// # Errors
/// [`Error::Argument`] if the layer is not elementwise, or `largest_q` is not a finite number > 0.
pub fn edge_of_chaos(
    activation: &dyn Layer<f64>,
    largest_q: f64,
    points: usize,
) -> Result<Vec<Critical>, Error> {
    require_elementwise(activation)?;
    require(largest_q.is_finite() && largest_q > 0.0, "largest_q", "a finite number > 0", largest_q)?;
    Ok(curve(activation, largest_q, points))
}

/// [`edge_of_chaos`] for a layer known to be elementwise.
pub(crate) fn curve<F: Scalar>(activation: &dyn Layer<F>, largest_q: f64, points: usize) -> Vec<Critical> {
    // denser near 0, where the curve is steep
    let q = |i: usize| largest_q * (i as f64 / points.max(2).saturating_sub(1) as f64).powi(2);
    (0..points).filter_map(|i| at(activation, q(i))).collect()
}

/// The critical point with the smallest `σw²` for a given `σb²` and `q*` between 0 and 10⁴; `None`
/// if there is none.
///
/// # Errors
/// [`Error::Argument`] if the layer is not elementwise, or `bias_variance` is not a finite number
/// ≥ 0.
pub fn critical(activation: &dyn Layer<f64>, bias_variance: f64) -> Result<Option<Critical>, Error> {
    require_elementwise(activation)?;
    let valid = bias_variance.is_finite() && bias_variance >= 0.0;
    require(valid, "bias_variance", "a finite number ≥ 0", bias_variance)?;
    Ok(critical_of(activation, bias_variance))
}

/// [`critical`] for a layer known to be elementwise.
pub(crate) fn critical_of<F: Scalar>(activation: &dyn Layer<F>, bias_variance: f64) -> Option<Critical> {
    let excess = |q: f64| {
        let moments = moments(activation, q);
        let kept = moments.square / moments.slope_square;
        let excess = q - kept - bias_variance;
        if excess.abs() <= 1e-12 * q { 0.0 } else { excess }
    };
    let grid = std::iter::once(0.0).chain((0..=200).map(|i| 10_f64.powf(-6.0 + i as f64 / 20.0)));
    let mut below: Option<f64> = None;
    for q in grid {
        let value = excess(q);
        if value == 0.0 {
            return at(activation, q);
        }
        if value > 0.0 {
            let Some(low) = below else { continue };
            return at(activation, bisect(excess, low, q));
        }
        below = (value < 0.0).then_some(q);
    }
    None
}

/// The zero of the increasing function `f` between `low` and `high`.
fn bisect(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if f(middle) < 0.0 { low = middle } else { high = middle }
    }
    high
}
