//! Poisson regression of counts.

use ndarray::ArrayRef2;
use serde::Serialize;

use super::{Loss, Term, check_targets, pairwise};
use crate::error::same_shape;
use crate::settings::Settings;
use crate::{Error, Scalar};

/// Negative log-likelihood of Poisson-distributed counts, as `torch.nn.PoissonNLLLoss` with its
/// defaults: with the output z and the count t, the mean over rows and outputs of `eᶻ − t z`.
///
/// The network's output z is the **logarithm** of the predicted rate. The constant `ln t!` is left
/// out, so the loss can be negative. The derivative is `eᶻ − t`.
///
/// ```
/// use geartrain::{Loss, loss::Poisson};
/// use ndarray::array;
/// assert_eq!(Poisson.value(&array![[0.0]], &array![[3.0]]), 1.0);
/// assert!(Poisson.check(&array![[0.0]], &array![[-1.0]]).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Poisson;

fn term<F: Scalar>(log_rate: F, count: F) -> Term<F> {
    let (z, t) = (log_rate.as_f64(), count.as_f64());
    let rate = libm::exp(z);
    Term { value: rate - t * z, slope: F::of(rate - t), curvature: F::of(rate) }
}

impl<F: Scalar> Loss<F> for Poisson {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        same_shape("target", output.shape(), target.shape())?;
        check_targets(target, "a finite count ≥ 0", |t| t >= 0.0 && t.is_finite())
    }

    pairwise!(Poisson, |_, output, target| term(output, target));
}
