//! Losses of a difference.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::{Loss, mean, mean_and_gradient};
use crate::error::{require, same_shape};
use crate::{Error, Scalar};

/// The mean of `(output − target)²` over rows and outputs, as `torch.nn.MSELoss`.
///
/// ```
/// use geartrain::{Loss, loss::MeanSquaredError};
/// use ndarray::array;
/// let (output, target) = (array![[1.0, 2.0]], array![[0.0, 4.0]]);
/// assert_eq!(MeanSquaredError.value(output.view(), target.view()), 2.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanSquaredError;

/// d² and its slope 2d, with d = output − target.
fn squared<F: Scalar>(output: F, target: F) -> (f64, F) {
    let difference = output - target;
    (difference.as_f64().powi(2), difference + difference)
}

impl<F: Scalar> Loss<F> for MeanSquaredError {
    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        mean(output, target, squared)
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, doutput: ArrayViewMut2<F>) -> f64 {
        mean_and_gradient(output, target, doutput, squared)
    }
}

/// The mean of `|output − target|` over rows and outputs, as `torch.nn.L1Loss`. The slope at 0 is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanAbsoluteError;

/// |d| and its slope, the sign of d.
fn absolute<F: Scalar>(output: F, target: F) -> (f64, F) {
    let difference = output - target;
    let sign = if difference == F::zero() { F::zero() } else { difference.signum() };
    (difference.as_f64().abs(), sign)
}

impl<F: Scalar> Loss<F> for MeanAbsoluteError {
    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        mean(output, target, absolute)
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, doutput: ArrayViewMut2<F>) -> f64 {
        mean_and_gradient(output, target, doutput, absolute)
    }
}

/// Squared near 0 and absolute far out (Huber 1964), as `torch.nn.HuberLoss`: with d = output − target, the mean over rows
/// and outputs of `d² / 2` where `|d| ≤ δ` and `δ (|d| − δ/2)` elsewhere. Its slope is d, cut off at ±δ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Huber {
    delta: f64,
}

impl Huber {
    /// The distance δ from which on errors count linearly, a finite number above 0; [`Huber::default`] has 1.
    pub fn new(delta: f64) -> Self {
        Huber { delta }
    }

    fn term<F: Scalar>(&self, output: F, target: F) -> (f64, F) {
        let (difference, delta) = (output - target, self.delta);
        let distance = difference.as_f64().abs();
        if distance > delta {
            (delta * (distance - 0.5 * delta), F::of(delta) * difference.signum())
        } else {
            (0.5 * distance * distance, difference)
        }
    }
}

impl Default for Huber {
    fn default() -> Self {
        Huber::new(1.0)
    }
}

impl<F: Scalar> Loss<F> for Huber {
    fn check(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
        let holds = self.delta.is_finite() && self.delta > 0.0;
        require(holds, "delta", "a finite number above 0", self.delta)?;
        same_shape("target", output.shape(), target.shape())
    }

    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        mean(output, target, |o, t| self.term(o, t))
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, doutput: ArrayViewMut2<F>) -> f64 {
        mean_and_gradient(output, target, doutput, |o, t| self.term(o, t))
    }
}
