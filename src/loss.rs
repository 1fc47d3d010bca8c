//! Losses: one number for a whole batch, and its gradient in the network's output.

use std::fmt::Debug;

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use crate::error::same_shape;
use crate::{Error, Scalar};

/// What training makes small: a **mean** over rows and outputs, so that neither the batch size nor the number of outputs
/// changes the size of a step. Sums are kept in `f64`.
pub trait Loss<F: Scalar>: Debug + Send + Sync {
    /// Fails if this loss cannot compare such an `output` with such a `target`. Default: their shapes must be equal,
    /// because `(4, 1) − (1, 4)` would silently broadcast to `(4, 4)`.
    ///
    /// # Errors
    /// [`Error::Shape`].
    fn check(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
        same_shape("target", output.shape(), target.shape())
    }

    /// The loss of `output`, `(rows, outputs)`, against a `target` that [`check`](Loss::check) let pass.
    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64;

    /// The same, and in one go writes `∂loss/∂output` over all of `doutput`.
    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, doutput: ArrayViewMut2<F>) -> f64;
}

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

impl<F: Scalar> Loss<F> for MeanSquaredError {
    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        let square = |sum: f64, &o: &F, &t: &F| sum + (o - t).as_f64().powi(2);
        Zip::from(output).and(target).fold(0.0, square) / output.len() as f64
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, doutput: ArrayViewMut2<F>) -> f64 {
        let scale = F::of(2.0 / output.len() as f64);
        let mut sum = 0.0;
        // L = Σ (o − t)² / n, so ∂L/∂o = 2 (o − t) / n
        Zip::from(doutput).and(output).and(target).for_each(|d, &o, &t| {
            let difference = o - t;
            sum += difference.as_f64().powi(2);
            *d = scale * difference;
        });
        sum / output.len() as f64
    }
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
