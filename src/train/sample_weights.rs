//! Sample weights: one weight for each row of the data.

use crate::Error;
use crate::error::require;
use crate::loss::check_weights;

/// The weights of all rows, scaled to a mean of 1, and a buffer for those of one batch.
#[derive(Debug)]
pub(super) struct SampleWeights {
    scaled: Vec<f64>,
    batch: Vec<f64>,
}

impl SampleWeights {
    /// Checks and scales one weight per row.
    pub fn new(weights: &[f64], rows: usize) -> Result<Self, Error> {
        check_weights(weights, rows)?;
        // Divided by the largest first, so that the sum does not overflow.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        require(largest > 0.0, "sample weights", "above 0 for at least one row", "0 for all rows")?;
        let mean = weights.iter().map(|weight| weight / largest).sum::<f64>() / rows as f64;
        let scaled = weights.iter().map(|weight| weight / largest / mean).collect();
        Ok(SampleWeights { scaled, batch: Vec::with_capacity(rows) })
    }

    /// The weights of these `rows`.
    pub fn batch(&mut self, rows: &[usize]) -> &[f64] {
        self.batch.clear();
        self.batch.extend(rows.iter().map(|&row| self.scaled[row]));
        &self.batch
    }
}
