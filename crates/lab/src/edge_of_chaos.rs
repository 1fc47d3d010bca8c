//! Where gradients neither vanish nor explode.

use super::moments::{check, moments};
use geartrain::error::require;
use geartrain::{Error, Layer, Scalar};

/// A point of the curve `χ₁(q*) = 1` in the plane of `σw` and `σb` (Poole et al. 2016). On one side of it gradients
/// vanish and inputs become alike (order), on the other gradients explode and neighbours part (chaos).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Critical {
    /// `σw²`, N times the variance of a weight.
    pub weight_variance: f64,
    /// `σb²`.
    pub bias_variance: f64,
    /// The fixed point `q*` there.
    pub q: f64,
}

/// The point of the edge whose fixed point is `q`; `None` if that would take a negative `σb²` or a slope of 0.
///
/// `χ₁ = 1` gives `σw² = 1 / E φ'²`, and the fixed point gives `σb² = q − σw² E φ²`: no equation has to be solved.
fn at<F: Scalar>(activation: &dyn Layer<F>, q: f64) -> Option<Critical> {
    let moments = moments(activation, q);
    let weight_variance = 1.0 / moments.slope_square;
    let kept = weight_variance * moments.square;
    // rounding must not push the σb² = 0 of ReLU below 0
    let bias_variance = if (q - kept).abs() <= 1e-12 * q { 0.0 } else { q - kept };
    (weight_variance.is_finite() && bias_variance >= 0.0).then_some(Critical {
        weight_variance,
        bias_variance,
        q,
    })
}

/// The edge of chaos of any elementwise activation: its points with `q*` up to `largest_q`, in the order of `q*`.
/// ReLU's edge is the single point (2, 0), found once for every `q`.
///
/// # Errors
/// [`Error::Argument`] if the layer is not elementwise, or `largest_q` not a finite number > 0.
pub fn edge_of_chaos(
    activation: &dyn Layer<f64>,
    largest_q: f64,
    points: usize,
) -> Result<Vec<Critical>, Error> {
    check(activation)?;
    require(largest_q.is_finite() && largest_q > 0.0, "largest_q", "a finite number > 0", largest_q)?;
    Ok(curve(activation, largest_q, points))
}

/// The same for an activation that was checked.
pub(super) fn curve<F: Scalar>(activation: &dyn Layer<F>, largest_q: f64, points: usize) -> Vec<Critical> {
    // denser near 0, where the curve is steep
    let q = |i: usize| largest_q * (i as f64 / points.max(2).saturating_sub(1) as f64).powi(2);
    (0..points).filter_map(|i| at(activation, q(i))).collect()
}

/// The smallest critical `σw²` for a given `σb²`, with `q*` between 0 and 10⁴; `None` if there is none.
///
/// # Errors
/// [`Error::Argument`] if the layer is not elementwise, or `bias_variance` not a finite number ≥ 0.
pub fn critical(activation: &dyn Layer<f64>, bias_variance: f64) -> Result<Option<Critical>, Error> {
    check(activation)?;
    let valid = bias_variance.is_finite() && bias_variance >= 0.0;
    require(valid, "bias_variance", "a finite number ≥ 0", bias_variance)?;
    Ok(critical_of(activation, bias_variance))
}

/// The same for an activation that was checked.
pub(super) fn critical_of<F: Scalar>(activation: &dyn Layer<F>, bias_variance: f64) -> Option<Critical> {
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

/// Where the increasing `f` crosses 0 between `low` and `high`.
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
