//! Mean-field theory of wide random networks whose layers are all alike.

use super::moments::{Moments, moments, products};
use crate::activation::require_elementwise;
use geartrain::error::require;
use geartrain::{Error, Layer};

/// A wide random network `z_l = W_l φ(z_(l−1)) + b_l` with `W_ij ~ N(0, σw²/N)` and
/// `b_i ~ N(0, σb²)` in every layer (Poole et al. 2016, Schoenholz et al. 2017).
///
/// ```
/// use geartrain::layers::Sigmoid;
/// use geartrain_lab::MeanField;
/// let xavier = MeanField::new(&Sigmoid, 1.0, 0.0)?;
/// let q = xavier.fixed_point().unwrap();
/// assert!((q - 0.26469).abs() < 1e-5);
/// // every layer keeps 5.6 % of the gradient's squared norm, 24 % of its norm
/// assert!((xavier.chi(q) - 0.055721).abs() < 1e-6);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MeanField<'a> {
    activation: &'a dyn Layer<f64>,
    weight_variance: f64,
    bias_variance: f64,
}

impl<'a> MeanField<'a> {
    /// The theory for an elementwise activation, `σw²` (N times the variance of a weight, where N
    /// is the number of inputs) and `σb²`.
    ///
    /// # Errors
    /// [`Error::Argument`] if the layer is not elementwise, or a variance is not a finite number ≥
    /// 0.
    pub fn new(
        activation: &'a dyn Layer<f64>,
        weight_variance: f64,
        bias_variance: f64,
    ) -> Result<Self, Error> {
        require_elementwise(activation)?;
        for (name, value) in [("weight_variance", weight_variance), ("bias_variance", bias_variance)] {
            require(value.is_finite() && value >= 0.0, name, "a finite number ≥ 0", value)?;
        }
        Ok(MeanField { activation, weight_variance, bias_variance })
    }

    /// `σw²`.
    pub fn weight_variance(&self) -> f64 {
        self.weight_variance
    }

    /// `σb²`.
    pub fn bias_variance(&self) -> f64 {
        self.bias_variance
    }

    /// The q map `q ↦ σw² E φ(√q z)² + σb²`: the mean square of the next layer's `z`.
    pub fn next_q(&self, q: f64) -> f64 {
        self.weight_variance * moments(self.activation, q).square + self.bias_variance
    }

    /// `q*`, the limit of the q map from q = 1; `None` if it diverges or does not converge. ReLU at
    /// σw² = 2, σb² = 0 keeps every q, so that the limit is 1.
    pub fn fixed_point(&self) -> Option<f64> {
        let still = |q: f64, next: f64| (next - q).abs() <= 1e-15 * q;
        let mut q = 1.0_f64;
        for _ in 0..200 {
            let one = self.next_q(q);
            let two = self.next_q(one);
            if still(q, one) {
                return Some(q);
            }
            if !two.is_finite() || two > 1e200 {
                return None;
            }
            // Aitken's extrapolation of a geometric approach, used only while the steps shrink
            let (first, second) = (one - q, two - one);
            let limit = q - first * first / (second - first);
            q = if second.abs() < first.abs() && limit > 0.0 { limit } else { two };
        }
        let last = self.next_q(q);
        if (last - q).abs() <= 1e-9 * q {
            return Some(last);
        }
        // on the way to 0, if 0 is an attracting fixed point
        let stays_at_0 = self.next_q(0.0) == 0.0 && self.weight_variance * self.moments(0.0).growth <= 1.0;
        (last < q && stays_at_0).then_some(0.0)
    }

    /// `χ₁ = σw² E φ'(√q z)²`: the factor of a layer on the squared norm of a gradient.
    pub fn chi(&self, q: f64) -> f64 {
        self.weight_variance * moments(self.activation, q).slope_square
    }

    /// The moments of the activation at `q`.
    pub fn moments(&self, q: f64) -> Moments {
        moments(self.activation, q)
    }

    /// The correlation map `(σw² E φ(u) φ(v) + σb²) / q'`: the correlation in the next layer of two
    /// inputs whose `z` have mean square `q` and correlation `c` in this one.
    pub fn next_correlation(&self, q: f64, c: f64) -> f64 {
        let product = products(self.activation, q, c.clamp(-1.0, 1.0)).values;
        (self.weight_variance * product + self.bias_variance) / self.next_q(q)
    }

    /// The depth scales at `q*`; `None` if there is no `q*`.
    pub fn depth_scales(&self) -> Option<DepthScales> {
        let q = self.fixed_point()?;
        let moments = self.moments(q);
        let scale = |slope: f64| if slope == 1.0 { f64::INFINITY } else { -1.0 / slope.ln() };
        Some(DepthScales {
            correlation: scale(self.weight_variance * moments.slope_square),
            length: scale(self.weight_variance * moments.growth),
        })
    }
}

/// Depths over which a deviation from the fixed point shrinks by a factor e. Negative if it grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthScales {
    /// `ξ_c = −1 / ln χ₁`, for the correlation of two inputs. `|ξ_c|` is also the depth over which
    /// the squared gradient changes by a factor e.
    pub correlation: f64,
    /// `ξ_q`, for the mean square of the signal.
    pub length: f64,
}
