//! Gradients that are too large, made smaller.

use crate::error::{require, same_shape};
use crate::params::Layout;
use crate::{Error, Scalar};

/// A limit for gradients, applied between the backward pass and the optimizer's step (Pascanu et al. 2013). Limits are finite
/// and above 0.
///
/// Norms are Euclidean. As in PyTorch, a gradient of norm n is multiplied by `min(1, limit / (n + 1e-6))`, so zeros stay zeros.
/// Gradients that are NaN or infinite are left so, for the optimizer to refuse them.
///
/// ```
/// use geartrain::optim::Clip;
/// use geartrain::params::{Layout, ParamSpec};
/// let layout = Layout::new::<f64>(vec![ParamSpec::new("weight", &[2], geartrain::Init::constant(0.0))])?;
/// let mut grads = [3.0, 4.0];
/// assert_eq!(Clip::GlobalNorm(1.0).apply(&layout, &mut grads)?, 5.0);
/// assert!((grads[0] - 0.6_f64).abs() < 1e-6 && (grads[1] - 0.8_f64).abs() < 1e-6);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// Every entry is moved into [−limit, limit], as `torch.nn.utils.clip_grad_value_`. Changes the direction.
    Value(f64),
    /// The gradient of every parameter tensor is shortened to this norm if it is longer.
    Norm(f64),
    /// The gradient of all parameters together is shortened to this norm if it is longer, as
    /// `torch.nn.utils.clip_grad_norm_`. Keeps the direction.
    GlobalNorm(f64),
}

impl Clip {
    /// Fails unless the limit is a finite number above 0.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn check(self) -> Result<(), Error> {
        let (Clip::Value(limit) | Clip::Norm(limit) | Clip::GlobalNorm(limit)) = self;
        require(limit.is_finite() && limit > 0.0, "clipping limit", "a finite number above 0", limit)
    }

    /// Clips `grads`, laid out as `layout` says, and returns the norm that all of them together had before.
    ///
    /// # Errors
    /// As [`check`](Clip::check); [`Error::Shape`] for another number of gradients.
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
                    shorten(tensor, norm(tensor), limit);
                }
            }
            Clip::GlobalNorm(limit) => shorten(grads, total, limit),
        }
        Ok(total)
    }
}

/// The Euclidean norm, in `f64`.
fn norm<F: Scalar>(values: &[F]) -> f64 {
    let squares: f64 = values.iter().map(|v| v.as_f64().powi(2)).sum();
    if squares.is_normal() {
        return squares.sqrt();
    }
    // Zeros, NaN, or numbers whose squares leave the range: taken relative to the largest.
    let largest = values.iter().fold(0.0, |max: f64, v| max.max(v.as_f64().abs()));
    if largest == 0.0 || !largest.is_finite() {
        return squares.sqrt();
    }
    largest * values.iter().map(|v| (v.as_f64() / largest).powi(2)).sum::<f64>().sqrt()
}

/// Multiplies by `limit / norm` if that is below 1.
fn shorten<F: Scalar>(grads: &mut [F], norm: f64, limit: f64) {
    let factor = limit / (norm + 1e-6);
    if factor < 1.0 && norm.is_finite() {
        grads.iter_mut().for_each(|g| *g *= F::of(factor));
    }
}
