//! A loss with a weight for each row.

use ndarray::{ArrayRef2, Axis};

use super::Loss;
use crate::error::{require, same_shape};
use crate::settings::Settings;
use crate::{Error, Scalar};

/// Another loss with a weight for each row: `Σ_r w_r loss_r / rows`, as Keras's `sample_weight`.
///
/// The sum is divided by the number of rows, not by the sum of the weights, so that a batch is a
/// fair sample of all batches for all weights. Weights of 1 change nothing; a weight of 2 doubles
/// the row's gradient.
///
/// With [class weights](super::CrossEntropyWithOptions::class_weights) *c*, it is
/// `Σ_r w_r c_r loss_r / Σ_r c_r`.
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

    /// The factor of each row in the numerator, and the denominator.
    fn factors(&self, target: &ArrayRef2<F>) -> (impl Iterator<Item = f64>, f64) {
        let own = |t: ndarray::ArrayView1<F>| self.loss.row_weight(&t);
        let total: f64 = target.rows().into_iter().map(own).sum();
        let factors = target.rows().into_iter().zip(self.weights);
        (factors.map(move |(t, weight)| weight * own(t)), if total == 0.0 { 1.0 } else { total })
    }
}

impl<F: Scalar> Loss<F> for Weighted<'_, F> {
    fn check(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        check_weights(self.weights, output.nrows())?;
        self.loss.check(output, target)
    }

    fn value(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>) -> f64 {
        let rows = output.axis_chunks_iter(Axis(0), 1).zip(target.axis_chunks_iter(Axis(0), 1));
        let (factors, total) = self.factors(target);
        let sum: f64 = rows.zip(factors).map(|((o, t), factor)| factor * self.loss.value(&o, &t)).sum();
        sum / total
    }

    fn gradient(&self, output: &ArrayRef2<F>, target: &ArrayRef2<F>, doutput: &mut ArrayRef2<F>) -> f64 {
        let rows = output.axis_chunks_iter(Axis(0), 1).zip(target.axis_chunks_iter(Axis(0), 1));
        let (factors, total) = self.factors(target);
        let mut sum = 0.0;
        for (((o, t), mut d), factor) in rows.zip(doutput.axis_chunks_iter_mut(Axis(0), 1)).zip(factors) {
            // L = Σ f_r l_r / n, so ∂L/∂o_r = f_r / n · ∂l_r/∂o_r
            sum += factor * self.loss.gradient(&o, &t, &mut d);
            d *= F::of(factor / total);
        }
        sum / total
    }

    fn gradient_jvp(
        &self,
        output: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        output_dot: &ArrayRef2<F>,
        doutput_dot: &mut ArrayRef2<F>,
    ) -> Result<(), Error> {
        let rows = output.axis_chunks_iter(Axis(0), 1).zip(target.axis_chunks_iter(Axis(0), 1));
        let changes =
            output_dot.axis_chunks_iter(Axis(0), 1).zip(doutput_dot.axis_chunks_iter_mut(Axis(0), 1));
        let (factors, total) = self.factors(target);
        for (((o, t), (change, mut d)), factor) in rows.zip(changes).zip(factors) {
            // f_r / n · ∂l_r/∂o_r is linear in the gradient of the row's loss
            self.loss.gradient_jvp(&o, &t, &change, &mut d)?;
            d *= F::of(factor / total);
        }
        Ok(())
    }

    fn expects_logits(&self) -> bool {
        self.loss.expects_logits()
    }

    fn settings(&self) -> Settings {
        Settings::new("Weighted", &(self.loss.settings(), self.weights))
    }
}

/// Fails unless there is a finite weight ≥ 0 for each of `rows` rows.
pub(crate) fn check_weights(weights: &[f64], rows: usize) -> Result<(), Error> {
    same_shape("sample weights", &[rows], &[weights.len()])?;
    for (row, &weight) in weights.iter().enumerate() {
        let holds = weight.is_finite() && weight >= 0.0;
        require(holds, "sample weight", "a finite number ≥ 0", format_args!("{weight} for row {row}"))?;
    }
    Ok(())
}
