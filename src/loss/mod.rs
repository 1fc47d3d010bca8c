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

use std::fmt::{Debug, Display};

use ndarray::{ArrayRef1, ArrayRef2, Zip};

pub(crate) use cross_entropy::check_classes;
pub use cross_entropy::{CrossEntropy, CrossEntropyWithOptions};
pub use logistic::BinaryCrossEntropyWithLogits;
pub use poisson::Poisson;
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError, Quantile, SmoothL1};
pub use weighted::Weighted;
pub(crate) use weighted::check_weights;

use crate::error::{require, same_shape};
use crate::settings::Settings;
use crate::{Error, Scalar};

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

    /// Overwrites `doutput_dot` with the change of `∂loss/∂output`, to first order, when the output
    /// changes by `output_dot`: the second derivative times `output_dot`, for Hessian-vector
    /// products. All are `(rows, outputs)`. At kinks it is the second derivative of one side.
    ///
    /// # Errors
    /// [`Error::Argument`], the default, if the loss has no second derivative.
    fn gradient_jvp(
        &self,
        output: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        output_dot: &ArrayRef2<F>,
        doutput_dot: &mut ArrayRef2<F>,
    ) -> Result<(), Error> {
        let _ = (output, target, output_dot, doutput_dot);
        require(false, "loss", "one that implements `Loss::gradient_jvp`", format_args!("{self:?}"))
    }

    /// The weight *c* of the row with this `target` in the mean `Σ_r c_r l_r / Σ_r c_r` over the
    /// rows' losses *l*. Default: 1, for a plain mean.
    fn row_weight(&self, target: &ArrayRef1<F>) -> f64 {
        let _ = target;
        1.0
    }

    /// The sum `Σ_r c_r` of the [weights](Loss::row_weight) of the rows of `target`, which passed
    /// [`check`](Loss::check), if the loss of a batch is `Σ_r c_r l_r / Σ_r c_r` with losses
    /// *l* of single rows, and `check` accepts every output of the right shape. Large batches are
    /// then computed in [slices](crate::network::Slices). Default: `None`, not known.
    fn total_weight(&self, target: &ArrayRef2<F>) -> Option<f64> {
        let _ = target;
        None
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

            fn gradient_jvp(
                &self,
                output: &ArrayRef2<F>,
                target: &ArrayRef2<F>,
                output_dot: &ArrayRef2<F>,
                doutput_dot: &mut ArrayRef2<F>,
            ) -> Result<(), Error> {
                (**self).gradient_jvp(output, target, output_dot, doutput_dot)
            }

            fn row_weight(&self, target: &ArrayRef1<F>) -> f64 {
                (**self).row_weight(target)
            }

            fn total_weight(&self, target: &ArrayRef2<F>) -> Option<f64> {
                (**self).total_weight(target)
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

/// A pair's term of a mean, and its first and second derivative in the output.
struct Term<F> {
    value: f64,
    slope: F,
    curvature: F,
}

/// The methods of a loss that is a mean of terms: `pairwise!(Name, |loss, output, target| term)`.
macro_rules! pairwise {
    ($name:ident, |$loss:pat_param, $output:ident, $target:ident| $term:expr) => {
        fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
            let $loss = self;
            $crate::loss::mean(output, target, |$output, $target| $term)
        }

        fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64 {
            let $loss = self;
            $crate::loss::mean_and_gradient(output, target, doutput, |$output, $target| $term)
        }

        fn gradient_jvp(
            &self,
            output: &ArrayRef2<F>,
            target: &ArrayRef2<F>,
            output_dot: &ArrayRef2<F>,
            doutput_dot: &mut ArrayRef2<F>,
        ) -> Result<(), Error> {
            let ($loss, scale) = (self, F::of(1.0 / output.len() as f64));
            // ∂L/∂o = f'(o, t) / n changes by f''(o, t) ȯ / n
            let entries = ndarray::Zip::from(doutput_dot).and(output).and(target).and(output_dot);
            entries.for_each(|d, &$output, &$target, &change| *d = scale * $term.curvature * change);
            Ok(())
        }

        fn total_weight(&self, target: &ArrayRef2<F>) -> Option<f64> {
            Some(target.nrows() as f64)
        }

        fn settings(&self) -> Settings {
            Settings::new(stringify!($name), self)
        }
    };
}
use pairwise;

/// Fails with row and column unless every target is `valid`.
fn check_targets<F: Scalar>(
    target: &ArrayRef2<F>,
    expected: impl Display,
    valid: impl Fn(f64) -> bool,
) -> Result<(), Error> {
    match target.indexed_iter().find(|(_, t)| !valid(t.as_f64())) {
        Some(((row, column), t)) => {
            Err(Error::Target { row, column, expected: expected.to_string(), got: t.as_f64() })
        }
        None => Ok(()),
    }
}

/// The mean of the terms' values over all entries.
fn mean<F: Scalar>(output: &ArrayRef2<F>, target: &ArrayRef2<F>, term: impl Fn(F, F) -> Term<F>) -> f64 {
    Zip::from(output).and(target).fold(0.0, |sum, &o, &t| sum + term(o, t).value) / output.len() as f64
}

/// The same mean, and its gradient.
fn mean_and_gradient<F: Scalar>(
    output: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
    doutput: &mut ArrayRef2<F>,
    term: impl Fn(F, F) -> Term<F>,
) -> f64 {
    let scale = F::of(1.0 / output.len() as f64);
    let mut sum = 0.0;
    // L = Σ f(o, t) / n, so ∂L/∂o = f'(o, t) / n
    Zip::from(doutput).and(output).and(target).for_each(|d, &o, &t| {
        let Term { value, slope, .. } = term(o, t);
        sum += value;
        *d = scale * slope;
    });
    sum / output.len() as f64
}
