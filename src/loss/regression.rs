//! Losses of the difference between output and target.

use ndarray::ArrayRef2;
use serde::Serialize;

use super::{Loss, Term, pairwise};
use crate::error::{require, same_shape};
use crate::settings::Settings;
use crate::{Error, Scalar};

/// The mean of `(output − target)²` over rows and outputs, as `torch.nn.MSELoss`.
///
/// ```
/// use geartrain::{Loss, loss::MeanSquaredError};
/// use ndarray::array;
/// let (output, target) = (array![[1.0, 2.0]], array![[0.0, 4.0]]);
/// assert_eq!(MeanSquaredError.value(&output, &target), 2.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MeanSquaredError;

/// d² with d = output − target.
fn squared<F: Scalar>(output: F, target: F) -> Term<F> {
    let difference = output - target;
    let value = difference.as_f64() * difference.as_f64();
    Term { value, slope: difference + difference, curvature: F::of(2.0) }
}

impl<F: Scalar> Loss<F> for MeanSquaredError {
    pairwise!(MeanSquaredError, |_, output, target| squared(output, target));
}

/// The mean of `|output − target|` over rows and outputs, as `torch.nn.L1Loss`. The derivative at 0
/// is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MeanAbsoluteError;

/// |d|, whose slope is the sign of d.
fn absolute<F: Scalar>(output: F, target: F) -> Term<F> {
    let difference = output - target;
    Term { value: difference.as_f64().abs(), slope: sign(difference), curvature: F::zero() }
}

/// −1, 0 or 1.
fn sign<F: Scalar>(difference: F) -> F {
    if difference == F::zero() { F::zero() } else { difference.signum() }
}

impl<F: Scalar> Loss<F> for MeanAbsoluteError {
    pairwise!(MeanAbsoluteError, |_, output, target| absolute(output, target));
}

/// Huber's loss (1964), as `torch.nn.HuberLoss`: with d = output − target, the mean over rows and
/// outputs of `d² / 2` where `|d| ≤ δ` and `δ (|d| − δ/2)` elsewhere. The derivative is d, clamped
/// to ±δ.
///
/// ```
/// use geartrain::{Loss, loss::Huber};
/// use ndarray::array;
/// let (output, target) = (array![[1.0, 6.0]], array![[0.0, 0.0]]);
/// assert_eq!(Huber::new(2.0).value(&output, &target), (0.5 + 2.0 * (6.0 - 1.0)) / 2.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Huber {
    delta: f64,
}

impl Huber {
    /// The distance δ beyond which the loss is linear, a finite number above 0. [`Huber::default`]
    /// has 1.
    pub fn new(delta: f64) -> Self {
        Huber { delta }
    }

    fn term<F: Scalar>(&self, output: F, target: F) -> Term<F> {
        let (difference, delta) = (output - target, self.delta);
        let distance = difference.as_f64().abs();
        if distance > delta {
            let slope = F::of(delta) * difference.signum();
            Term { value: delta * (distance - 0.5 * delta), slope, curvature: F::zero() }
        } else {
            Term { value: 0.5 * distance * distance, slope: difference, curvature: F::one() }
        }
    }
}

impl Default for Huber {
    fn default() -> Self {
        Huber::new(1.0)
    }
}

impl<F: Scalar> Loss<F> for Huber {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        check_above_0("delta", self.delta)?;
        same_shape("target", output.shape(), target.shape())
    }

    pairwise!(Huber, |loss, output, target| loss.term(output, target));
}

/// Smooth L1 loss (Girshick 2015), as `torch.nn.SmoothL1Loss`: with d = output − target, the mean
/// over rows and outputs of `d² / (2β)` where `|d| < β` and `|d| − β/2` elsewhere. It is
/// [`Huber`]'s loss with δ = β, divided by β: the slope beyond β is ±1 for every β.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SmoothL1 {
    beta: f64,
}

impl SmoothL1 {
    /// The distance β beyond which the loss is linear, a finite number above 0.
    /// [`SmoothL1::default`] has 1.
    pub fn new(beta: f64) -> Self {
        SmoothL1 { beta }
    }

    fn term<F: Scalar>(&self, output: F, target: F) -> Term<F> {
        let (difference, beta) = (output - target, self.beta);
        let distance = difference.as_f64().abs();
        if distance < beta {
            let slope = F::of(difference.as_f64() / beta);
            Term { value: 0.5 * distance * distance / beta, slope, curvature: F::of(1.0 / beta) }
        } else {
            Term { value: distance - 0.5 * beta, slope: sign(difference), curvature: F::zero() }
        }
    }
}

impl Default for SmoothL1 {
    fn default() -> Self {
        SmoothL1::new(1.0)
    }
}

impl<F: Scalar> Loss<F> for SmoothL1 {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        check_above_0("beta", self.beta)?;
        same_shape("target", output.shape(), target.shape())
    }

    pairwise!(SmoothL1, |loss, output, target| loss.term(output, target));
}

/// Pinball loss of the quantile q (Koenker and Bassett 1978): with d = target − output, the mean
/// over rows and outputs of `q d` where d > 0 and `(q − 1) d` elsewhere. The output that minimises
/// it is the q-quantile of the targets.
///
/// With q = 0.5 it is half the [`MeanAbsoluteError`]. The derivative with respect to the output is
/// −q where the target is larger, 1 − q where it is smaller, and 0 where both are equal.
///
/// ```
/// use geartrain::{Loss, loss::Quantile};
/// use ndarray::array;
/// // 9 times as bad to predict too little as to predict too much
/// let (output, target) = (array![[0.0], [0.0]], array![[1.0], [-1.0]]);
/// assert_eq!(Quantile::new(0.9).value(&output, &target), (0.9 + 0.1) / 2.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantile {
    quantile: f64,
}

impl Quantile {
    /// The quantile, between 0 and 1.
    pub fn new(quantile: f64) -> Self {
        Quantile { quantile }
    }

    fn term<F: Scalar>(&self, output: F, target: F) -> Term<F> {
        let difference = (target - output).as_f64();
        let slope = if difference > 0.0 { self.quantile } else { self.quantile - 1.0 };
        let derivative = if difference == 0.0 { F::zero() } else { F::of(-slope) };
        Term { value: slope * difference, slope: derivative, curvature: F::zero() }
    }
}

impl<F: Scalar> Loss<F> for Quantile {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        let holds = self.quantile > 0.0 && self.quantile < 1.0;
        require(holds, "quantile", "between 0 and 1", self.quantile)?;
        same_shape("target", output.shape(), target.shape())
    }

    pairwise!(Quantile, |loss, output, target| loss.term(output, target));
}

fn check_above_0(argument: &'static str, value: f64) -> Result<(), Error> {
    require(value.is_finite() && value > 0.0, argument, "a finite number above 0", value)
}
