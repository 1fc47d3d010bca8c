//! Permutation importance.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::scores::mean_and_deviation;
use super::{Model, Task};
use crate::error::require;
use crate::{Error, Table};

/// How much a model depends on one column of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// The column.
    pub column: String,
    /// By how much the first score (`rmse`, `pinball`, `log-loss`) rises, on average over the
    /// repeats, when the column's cells are shuffled among the rows. About 0 for a column that does
    /// not matter.
    pub mean: f64,
    /// The standard error of that mean.
    pub standard_error: f64,
}

impl<T: Task> Model<T> {
    /// The importance of each column that the model reads, the largest first (Breiman 2001): the
    /// rise of the error if the column's cells are shuffled, `repeats` times. Use rows that the
    /// model was not trained on. Columns that say the same share their importance.
    ///
    /// # Errors
    /// As [`score`](Model::score); [`Error::Argument`] for 0 repeats.
    pub fn importance(&self, table: &Table, repeats: usize, seed: u64) -> Result<Vec<Importance>, Error> {
        require(repeats > 0, "repeats", "at least 1", repeats)?;
        let table = self.rows_to_score(table)?;
        let base = self.score_all(&table)?.first();
        let mut importances = Vec::new();
        for (stream, (column, _)) in self.encoder.inputs().enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream as u64);
            let mut order: Vec<usize> = (0..table.rows()).collect();
            let mut rises = Vec::with_capacity(repeats);
            for _ in 0..repeats {
                order.shuffle(&mut rng);
                rises.push(self.score_all(&table.with_column_from(column, &order)?)?.first() - base);
            }
            let (mean, deviation) = mean_and_deviation(rises.iter().copied());
            let standard_error = deviation / (repeats as f64).sqrt();
            importances.push(Importance { column: column.into(), mean, standard_error });
        }
        importances.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        Ok(importances)
    }
}
