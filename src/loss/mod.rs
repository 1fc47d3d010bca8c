//! Losses: a scalar for a whole batch, and its gradient with respect to the network's output.
//!
//! | loss | task | output | target |
//! |---|---|---|---|
//! | [`MeanSquaredError`] | regression | any number | same shape |
//! | [`MeanAbsoluteError`] | regression with outliers | any number | same shape |
//! | [`Huber`], [`SmoothL1`] | quadratic near 0, linear beyond | any number | same shape |
//! | [`Quantile`] | regression of quantiles | any number | same shape |
//! | [`Poisson`] | counts | logarithm of the rate | count ≥ 0, same shape |
//! | [`BinaryCrossEntropyWithLogits`] | binary, per output | logit | 0 to 1, same shape |
//! | [`CrossEntropy`] | one of several classes | logit per class | class index, or probabilities |
//!
//! Losses without arguments are unit structs. Required arguments go to `new`, options to methods.

mod cross_entropy;
mod logistic;
mod poisson;
mod regression;
mod weighted;

use std::fmt::Debug;

use ndarray::{ArrayRef1, ArrayRef2, Zip};

pub(crate) use cross_entropy::check_classes;
pub use cross_entropy::{CrossEntropy, CrossEntropyWithOptions};
pub use logistic::BinaryCrossEntropyWithLogits;
pub use poisson::Poisson;
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError, Quantile, SmoothL1};
pub use weighted::Weighted;
pub(crate) use weighted::check_weights;

use crate::error::same_shape;
use crate::{Error, Scalar, Settings};

/// A loss: the scalar that training minimises.
///
/// It is a **mean** over rows and outputs, so that neither the batch size nor the number of outputs
/// changes the size of a step. Sums are accumulated in `f64`.
pub trait Loss<F: Scalar>: Debug + Send + Sync {
    /// Checks this loss's arguments, and that it can compare `output` with `target`.
    ///
    /// Default: the shapes must be equal. Nothing is broadcast: `(4, 1) − (1, 4)` would silently be
    /// `(4, 4)`.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Target`] with row and column; [`Error::Argument`].
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        same_shape("target", output.shape(), target.shape())
    }

    /// The loss of `output`, `(rows, outputs)`, for a `target` that passed [`check`](Loss::check).
    fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64;

    /// Returns the loss, and overwrites `doutput`, `(rows, outputs)`, with `∂loss/∂output`.
    fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64;

    /// The weight *c* of the row with this `target` in the mean `Σ_r c_r l_r / Σ_r c_r` over the
    /// rows' losses *l*. Default: 1, for a plain mean.
    fn row_weight(&self, target: &ArrayRef1<F>) -> f64 {
        let _ = target;
        1.0
    }

    /// Whether the output is logits, to which the loss applies the softmax or sigmoid itself.
    /// `Training::fit` warns if the network already ends in one. Default: `false`.
    fn expects_logits(&self) -> bool {
        false
    }

    /// This loss as data, for checkpoints. Default: the `Debug` text.
    fn settings(&self) -> Settings {
        Settings::from_debug(self)
    }
}

/// Forwards every method to the loss behind a pointer.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<F: Scalar, L: Loss<F> + ?Sized> Loss<F> for $pointer {
            fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
                (**self).check(output, target)
            }

            fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
                (**self).value(output, target)
            }

            fn gradient(
                &self,
                output: &ArrayRef2<F>,
                target: &ArrayRef2<F>,
                doutput: &mut ArrayRef2<F>,
            ) -> f64 {
                (**self).gradient(output, target, doutput)
            }

            fn row_weight(&self, target: &ArrayRef1<F>) -> f64 {
                (**self).row_weight(target)
            }

            fn expects_logits(&self) -> bool {
                (**self).expects_logits()
            }

            fn settings(&self) -> Settings {
                (**self).settings()
            }
        }
    )*};
}

forward!(&L, &mut L, Box<L>);

/// The mean of `term(output, target).0` over all entries.
fn mean<F: Scalar>(output: &ArrayRef2<F>, target: &ArrayRef2<F>, term: impl Fn(F, F) -> (f64, F)) -> f64 {
    Zip::from(output).and(target).fold(0.0, |sum, &o, &t| sum + term(o, t).0) / output.len() as f64
}

/// The same mean, and its gradient: `term(output, target).1` is the derivative of a term with
/// respect to its output.
fn mean_and_gradient<F: Scalar>(
    output: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
    doutput: &mut ArrayRef2<F>,
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
