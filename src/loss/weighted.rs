//! Rows that count more than others.

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::Loss;
use crate::error::{require, same_shape};
use crate::{Error, Scalar};

/// Another loss with a weight for each row: `Σ_r w_r loss_r / rows`, as Keras's `sample_weight`.
///
/// The sum is divided by the number of rows, not by that of the weights, so that a batch is a fair sample of all batches
/// whatever weights fall into it. Weights of 1 change nothing; a weight of 2 is the row given twice, with the step for one.
#[derive(Debug)]
pub struct Weighted<'a, F> {
    loss: &'a dyn Loss<F>,
    weights: &'a [f64],
}

impl<'a, F: Scalar> Weighted<'a, F> {
    /// `loss` with one weight, a finite number ≥ 0, for each row of the batch.
    pub fn new(loss: &'a dyn Loss<F>, weights: &'a [f64]) -> Self {
        Weighted { loss, weights }
    }
}

impl<F: Scalar> Loss<F> for Weighted<'_, F> {
    fn check(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
        check_weights(self.weights, output.nrows())?;
        self.loss.check(output, target)
    }

    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        let rows = output.axis_chunks_iter(Axis(0), 1).zip(target.axis_chunks_iter(Axis(0), 1));
        let sum: f64 = rows.zip(self.weights).map(|((o, t), weight)| weight * self.loss.value(o, t)).sum();
        sum / output.nrows() as f64
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, mut doutput: ArrayViewMut2<F>) -> f64 {
        let n = output.nrows() as f64;
        let mut sum = 0.0;
        let rows = output.axis_chunks_iter(Axis(0), 1).zip(target.axis_chunks_iter(Axis(0), 1));
        for (((o, t), mut d), weight) in rows.zip(doutput.axis_chunks_iter_mut(Axis(0), 1)).zip(self.weights)
        {
            // L = Σ w_r l_r / n, so ∂L/∂o_r = w_r / n · ∂l_r/∂o_r
            sum += weight * self.loss.gradient(o, t, d.view_mut());
            d *= F::of(weight / n);
        }
        sum / n
    }
}

/// Fails unless there is a finite weight ≥ 0 for each of `rows` rows.
pub(crate) fn check_weights(weights: &[f64], rows: usize) -> Result<(), Error> {
    same_shape("sample weights", &[rows], &[weights.len()])?;
    let wrong = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0));
    wrong.map_or(Ok(()), |weight| require(false, "sample weight", "a finite number ≥ 0", weight))
}
