//! Gradient clipping.

use crate::error::{require, same_shape};
use crate::params::Layout;
use crate::settings::Settings;
use crate::{Error, Scalar};

/// A limit for gradients, applied between the backward pass and the optimizer's step (Pascanu et
/// al. 2013). Limits are finite and above 0.
///
/// Norms are Euclidean. As in PyTorch, a gradient of norm n is multiplied by
/// `min(1, limit / (n + 1e-6))`, so zeros stay zeros. NaN and infinite gradients are left
/// unchanged; the optimizer refuses them.
///
/// ```
/// use geartrain::optim::Clip;
/// use geartrain::params::{Layout, ParamSpec};
/// let weight = ParamSpec::new("weight", &[2], geartrain::Init::constant(0.0));
/// let layout = Layout::new::<f64>(vec![weight])?;
/// let mut grads = [3.0, 4.0];
/// assert_eq!(Clip::GlobalNorm(1.0).apply(&layout, &mut grads)?, 5.0);
/// assert!((grads[0] - 0.6_f64).abs() < 1e-6 && (grads[1] - 0.8_f64).abs() < 1e-6);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Clip {
    /// Clamps every entry to [−limit, limit], as `torch.nn.utils.clip_grad_value_`. Changes the
    /// gradient's direction.
    Value(f64),
    /// Scales the gradient of each parameter tensor down to this norm.
    Norm(f64),
    /// Scales the gradient of all parameters together down to this norm, as
    /// `torch.nn.utils.clip_grad_norm_`. Keeps the gradient's direction.
    GlobalNorm(f64),
}

impl Clip {
    /// Checks that the limit is a finite number above 0.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn check(self) -> Result<(), Error> {
        let (Clip::Value(limit) | Clip::Norm(limit) | Clip::GlobalNorm(limit)) = self;
        require(limit.is_finite() && limit > 0.0, "clipping limit", "a finite number above 0", limit)
    }

    /// This limit as data, for checkpoints.
    pub(crate) fn settings(self) -> Settings {
        match self {
            Clip::Value(limit) => Settings::new("Value", &limit),
            Clip::Norm(limit) => Settings::new("Norm", &limit),
            Clip::GlobalNorm(limit) => Settings::new("GlobalNorm", &limit),
        }
    }

    /// Clips `grads`, which have this `layout`, and returns their joint norm before clipping.
    ///
    /// # Errors
    /// As [`check`](Clip::check); [`Error::Shape`] if the number of gradients differs.
    pub fn apply<F: Scalar>(self, layout: &Layout, grads: &mut [F]) -> Result<f64, Error> {
        self.check()?;
        same_shape("gradients", &[layout.len()], &[grads.len()])?;
        let total = norm(grads);
        match self {
            Clip::Value(limit) => {
                let limit = F::of(limit);
                for g in grads.iter_mut().filter(|g| g.is_finite()) {
                    *g = g.max(-limit).min(limit);
                }
            }
            Clip::Norm(limit) => {
                for (_, range) in layout.iter() {
                    let tensor = &mut grads[range];
                    scale_down(tensor, norm(tensor), limit);
                }
            }
            Clip::GlobalNorm(limit) => scale_down(grads, total, limit),
        }
        Ok(total)
    }
}

/// The Euclidean norm, in `f64`.
fn norm<F: Scalar>(values: &[F]) -> f64 {
    let squares: f64 = values.iter().map(|v| v.as_f64() * v.as_f64()).sum();
    if squares.is_normal() {
        return squares.sqrt();
    }
    // Zeros, NaN, or numbers whose squares overflow or underflow: the norm relative to the largest.
    let largest = values.iter().fold(0.0, |max: f64, v| max.max(v.as_f64().abs()));
    if largest == 0.0 || !largest.is_finite() {
        return squares.sqrt();
    }
    largest * values.iter().map(|v| v.as_f64() / largest).map(|v| v * v).sum::<f64>().sqrt()
}

/// Multiplies by `limit / norm` if that is below 1.
fn scale_down<F: Scalar>(grads: &mut [F], norm: f64, limit: f64) {
    let factor = limit / (norm + 1e-6);
    if factor < 1.0 && norm.is_finite() {
        grads.iter_mut().for_each(|g| *g *= F::of(factor));
    }
}
