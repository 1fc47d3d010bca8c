//! Shuffled splits of a data set.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::dataset::Dataset;
use crate::Scalar;
use crate::error::data::{DataError, DataProblem};

/// Writes 0, 1, 2, … in random order: a pure function of the length, the seed and the stream.
pub(super) fn permute(order: &mut [usize], seed: u64, stream: u64) {
    for (place, row) in order.iter_mut().enumerate() {
        *row = place;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    order.shuffle(&mut rng);
}

impl<F: Scalar> Dataset<F> {
    /// Shuffles the rows and splits them into `(train, test)`, where `test` gets `fraction` of
    /// them, rounded to the nearest row. The same seed gives the same split. The split ignores the
    /// targets: a class of one row is on one side only. [Gaps](Dataset::fill) of both sides are
    /// filled with values from the training rows.
    ///
    /// # Errors
    /// [`DataProblem::Fraction`] unless 0 < `fraction` < 1; [`DataProblem::EmptySide`] if one side
    /// would have no row.
    ///
    /// ```
    /// use geartrain::data::toy;
    ///
    /// let (train, test) = toy::sine::<f64>(100, 0.1, 0)?.split(0.25, 7)?;
    /// assert_eq!((train.rows(), test.rows()), (75, 25));
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, Self), DataError> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(DataProblem::Fraction { fraction }.into());
        }
        let rows = self.rows();
        let test = (fraction * rows as f64).round() as usize;
        let train = rows - test;
        if train == 0 || test == 0 {
            return Err(DataProblem::EmptySide { fraction, rows, train, test }.into());
        }
        let mut order = vec![0; rows];
        permute(&mut order, seed, 0);
        self.parts(&order[test..], &order[..test])
    }

    /// Shuffles the rows and splits them into `k` folds for cross-validation: a pair
    /// `(train, validation)` for each fold, as scikit-learn's `KFold(k, shuffle=True)`.
    ///
    /// Each row is in exactly one validation set; the sets' sizes differ by at most one. The result
    /// holds `k` copies of the data. [Gaps](Dataset::fill) of each pair are filled with values from
    /// its training rows.
    ///
    /// # Errors
    /// [`DataProblem::Folds`] unless 2 ≤ `k` ≤ rows.
    pub fn folds(&self, k: usize, seed: u64) -> Result<Vec<(Self, Self)>, DataError> {
        let rows = self.rows();
        if k < 2 || k > rows {
            return Err(DataProblem::Folds { folds: k, rows }.into());
        }
        let mut order = vec![0; rows];
        permute(&mut order, seed, 0);
        let (size, larger) = (rows / k, rows % k);
        (0..k)
            .map(|fold| {
                let start = fold * size + fold.min(larger);
                let end = start + size + usize::from(fold < larger);
                let train = [&order[..start], &order[end..]].concat();
                self.parts(&train, &order[start..end])
            })
            .collect()
    }

    /// Training rows and other rows, with the fill values of the training rows in the gaps of both.
    fn parts(&self, train: &[usize], others: &[usize]) -> Result<(Self, Self), DataError> {
        let (train, others) = (self.select(train)?.learn_fill(), self.select(others)?);
        let others = match train.fill() {
            Some(fill) => others.with_fill(fill)?,
            None => others,
        };
        Ok((train, others))
    }
}
