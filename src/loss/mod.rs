//! Losses: one number for a whole batch, and its gradient in the network's output.
//!
//! | loss | for | output | target |
//! |---|---|---|---|
//! | [`MeanSquaredError`] | regression | any number | the same shape |
//! | [`MeanAbsoluteError`] | regression with outliers | any number | the same shape |
//! | [`Huber`] | both: squared near 0, absolute far out | any number | the same shape |
//! | [`BinaryCrossEntropyWithLogits`] | yes or no, for each output | logits | 0 to 1, the same shape |
//! | [`CrossEntropy`] | one class of several | a logit per class | the class index, one column |

mod classification;
mod regression;
mod weighted;

use std::fmt::Debug;

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

pub(crate) use classification::check_classes;
pub use classification::{BinaryCrossEntropyWithLogits, CrossEntropy};
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};
pub use weighted::Weighted;
pub(crate) use weighted::check_weights;

use crate::error::same_shape;
use crate::{Error, Scalar};

/// What training makes small: a **mean** over rows and outputs, so that neither the batch size nor the number of outputs
/// changes the size of a step. Sums are kept in `f64`.
pub trait Loss<F: Scalar>: Debug + Send + Sync {
    /// Fails if this loss was made with an argument outside its domain, or cannot compare such an `output` with such a
    /// `target`. Default: their shapes must be equal, because `(4, 1) − (1, 4)` would silently broadcast to `(4, 4)`.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Target`] with row and column; [`Error::Argument`].
    fn check(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
        same_shape("target", output.shape(), target.shape())
    }

    /// The loss of `output`, `(rows, outputs)`, against a `target` that [`check`](Loss::check) let pass.
    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64;

    /// The same, and in one go writes `∂loss/∂output` over all of `doutput`.
    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, doutput: ArrayViewMut2<F>) -> f64;
}

impl<F: Scalar, L: Loss<F> + ?Sized> Loss<F> for &L {
    fn check(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
        (**self).check(output, target)
    }

    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        (**self).value(output, target)
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, doutput: ArrayViewMut2<F>) -> f64 {
        (**self).gradient(output, target, doutput)
    }
}

/// The mean of `term(output, target).0` over all entries.
fn mean<F: Scalar>(output: ArrayView2<F>, target: ArrayView2<F>, term: impl Fn(F, F) -> (f64, F)) -> f64 {
    Zip::from(output).and(target).fold(0.0, |sum, &o, &t| sum + term(o, t).0) / output.len() as f64
}

/// The same, writing its gradient: `term(output, target).1`, the derivative of a term in its output, over their number.
fn mean_and_gradient<F: Scalar>(
    output: ArrayView2<F>,
    target: ArrayView2<F>,
    doutput: ArrayViewMut2<F>,
    term: impl Fn(F, F) -> (f64, F),
) -> f64 {
    let scale = F::of(1.0 / output.len() as f64);
    let mut sum = 0.0;
    // L = Σ f(o, t) / n, so ∂L/∂o = f'(o, t) / n
    Zip::from(doutput).and(output).and(target).for_each(|d, &o, &t| {
        let (value, slope) = term(o, t);
        sum += value;
        *d = scale * slope;
    });
    sum / output.len() as f64
}
