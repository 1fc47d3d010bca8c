//! Rows that count more than others.

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use crate::error::{require, same_shape};
use crate::{Error, Loss, Scalar};

/// The weights of all rows, scaled to a mean of 1, and those of one batch.
#[derive(Debug)]
pub(super) struct SampleWeights<F> {
    scaled: Vec<F>,
    batch: Vec<F>,
}

impl<F: Scalar> SampleWeights<F> {
    /// Checks and scales one weight per row.
    pub fn new(weights: &[f64], rows: usize) -> Result<Self, Error> {
        same_shape("sample weights", &[rows], &[weights.len()])?;
        for (row, &weight) in weights.iter().enumerate() {
            let holds = weight.is_finite() && weight >= 0.0;
            require(holds, "sample weight", "a finite number ≥ 0", format_args!("{weight} for row {row}"))?;
        }
        // Dividing by the largest first keeps the sum from overflowing.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        require(largest > 0.0, "sample weights", "above 0 for at least one row", "0 for all rows")?;
        let mean = weights.iter().map(|weight| weight / largest).sum::<f64>() / rows as f64;
        let scaled = weights.iter().map(|weight| F::of(weight / largest / mean)).collect();
        Ok(SampleWeights { scaled, batch: Vec::with_capacity(rows) })
    }

    /// The weights of these `rows`.
    pub fn batch(&mut self, rows: &[usize]) -> &[F] {
        self.batch.clear();
        self.batch.extend(rows.iter().map(|&row| self.scaled[row]));
        &self.batch
    }
}

/// The mean over rows of *wᵢ lᵢ*, where *lᵢ* is what `loss` is for row *i* alone.
#[derive(Debug)]
pub(super) struct Weighted<'a, F, L> {
    pub loss: &'a L,
    pub weights: &'a [F],
}

impl<F: Scalar, L: Loss<F>> Loss<F> for Weighted<'_, F, L> {
    fn check(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
        self.loss.check(output, target)
    }

    fn value(&self, output: ArrayView2<F>, target: ArrayView2<F>) -> f64 {
        let rows = output.axis_chunks_iter(Axis(0), 1).zip(target.axis_chunks_iter(Axis(0), 1));
        let weighted = rows.zip(self.weights).map(|((o, t), w)| w.as_f64() * self.loss.value(o, t));
        weighted.sum::<f64>() / self.weights.len() as f64
    }

    fn gradient(&self, output: ArrayView2<F>, target: ArrayView2<F>, mut doutput: ArrayViewMut2<F>) -> f64 {
        self.loss.gradient(output, target, doutput.view_mut());
        // L = Σ wᵢ lᵢ / n, and the loss has written ∂(Σ lᵢ / n)/∂o, whose row i depends on lᵢ alone.
        for (mut row, &weight) in doutput.rows_mut().into_iter().zip(self.weights) {
            row *= weight;
        }
        self.value(output, target)
    }
}
