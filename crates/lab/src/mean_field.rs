//! The theory of wide random networks with one activation.

use super::moments::{Moments, check, moments, products};
use geartrain::error::require;
use geartrain::{Error, Layer};

/// A wide random network `z_l = W_l φ(z_(l−1)) + b_l` with `W_ij ~ N(0, σw²/N)` and `b_i ~ N(0, σb²)`, all of whose
/// layers are alike (Poole et al. 2016, Schoenholz et al. 2017).
///
/// ```
/// use geartrain::layers::Sigmoid;
/// use geartrain_lab::MeanField;
/// let xavier = MeanField::new(&Sigmoid, 1.0, 0.0)?;
/// let q = xavier.fixed_point().unwrap();
/// assert!((q - 0.26469).abs() < 1e-5);
/// // every layer passes 5.6 % of the squared gradient on: 24 % of its length
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
    /// The theory for any elementwise activation, `σw²` (N times the variance of a weight, where N is the number of
    /// inputs) and `σb²`.
    ///
    /// # Errors
    /// [`Error::Argument`] if the layer is not elementwise, or a variance not a finite number ≥ 0.
    pub fn new(
        activation: &'a dyn Layer<f64>,
        weight_variance: f64,
        bias_variance: f64,
    ) -> Result<Self, Error> {
        check(activation)?;
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

    /// The q map `q ↦ σw² E φ(√q z)² + σb²`: from the mean square of one layer's `z` to that of the next.
    pub fn next_q(&self, q: f64) -> f64 {
        self.weight_variance * moments(self.activation, q).square + self.bias_variance
    }

    /// `q*`, where the q map ends up when it starts at 1; `None` if it goes to infinity or does not settle.
    /// ReLU at σw² = 2, σb² = 0 keeps every q, and so the 1.
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
            // Aitken: where a geometric approach would end. Only taken when the steps do shrink.
            let (first, second) = (one - q, two - one);
            let limit = q - first * first / (second - first);
            q = if second.abs() < first.abs() && limit > 0.0 { limit } else { two };
        }
        let last = self.next_q(q);
        if (last - q).abs() <= 1e-9 * q {
            return Some(last);
        }
        // on the way to 0, which keeps what comes near it
        let stays_at_0 = self.next_q(0.0) == 0.0 && self.weight_variance * self.moments(0.0).growth <= 1.0;
        (last < q && stays_at_0).then_some(0.0)
    }

    /// `χ₁ = σw² E φ'(√q z)²`: what a layer multiplies the squared length of a gradient by.
    pub fn chi(&self, q: f64) -> f64 {
        self.weight_variance * moments(self.activation, q).slope_square
    }

    /// The moments of the activation at `q`.
    pub fn moments(&self, q: f64) -> Moments {
        moments(self.activation, q)
    }

    /// The correlation map: two inputs whose `z` have mean square `q` and correlation `c` in one layer have this
    /// correlation in the next, `(σw² E φ(u) φ(v) + σb²) / q'`.
    pub fn next_correlation(&self, q: f64, c: f64) -> f64 {
        let product = products(self.activation, q, c.clamp(-1.0, 1.0)).values;
        (self.weight_variance * product + self.bias_variance) / self.next_q(q)
    }

    /// Over how many layers signals and gradients remember, at `q*`; `None` where there is no `q*`.
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

/// Depths over which a deviation from the fixed point shrinks by a factor e. Negative when it grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthScales {
    /// `ξ_c = −1 / ln χ₁`: of the correlation of two inputs. `|ξ_c|` is also the depth over which the squared gradient
    /// changes by a factor e.
    pub correlation: f64,
    /// `ξ_q`: of the mean square of the signal.
    pub length: f64,
}
