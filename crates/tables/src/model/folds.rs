//! Folds for cross-validation.

use std::fmt;

use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::scores::{Scores, digits, mean_and_deviation};
use crate::error::require;
use crate::{Column, Error};

/// Which fold each row is tested in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    fold_of_row: Vec<usize>,
    count: usize,
}

impl Folds {
    /// `count` folds of shuffled rows, whose sizes differ by at most 1.
    ///
    /// # Errors
    /// [`Error::Argument`] unless 2 ≤ `count` ≤ `rows`.
    pub fn shuffled(rows: usize, count: usize, seed: u64) -> Result<Self, Error> {
        Folds::dealt(vec![(0..rows).collect()], rows, count, seed)
    }

    /// The same, in which each fold has the shares of the values of `column`, such as classes.
    ///
    /// # Errors
    /// [`Error::Argument`] unless 2 ≤ `count` ≤ rows.
    pub fn stratified(column: &Column, count: usize, seed: u64) -> Result<Self, Error> {
        let mut groups = std::collections::BTreeMap::<Option<String>, Vec<usize>>::new();
        for row in 0..column.len() {
            groups.entry(column.text(row)).or_default().push(row);
        }
        Folds::dealt(groups.into_values().collect(), column.len(), count, seed)
    }

    /// Folds by their number (from 0) for each row.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are fewer than two folds, or a fold has no row.
    pub fn from_numbers(fold_of_row: Vec<usize>) -> Result<Self, Error> {
        let count = fold_of_row.iter().max().map_or(0, |&last| last.saturating_add(1));
        require(count >= 2 && count <= fold_of_row.len(), "folds", "from 2 to the number of rows", count)?;
        let mut sizes = vec![0; count];
        fold_of_row.iter().for_each(|&fold| sizes[fold] += 1);
        let empty = sizes.iter().position(|&size| size == 0);
        require(
            empty.is_none(),
            "folds",
            "numbered without a gap",
            format_args!("no row in fold {empty:?}"),
        )?;
        Ok(Folds { fold_of_row, count })
    }

    /// Shuffles each group and deals its rows to the folds in turn, going on where the last group
    /// ended.
    fn dealt(groups: Vec<Vec<usize>>, rows: usize, count: usize, seed: u64) -> Result<Self, Error> {
        let got = format_args!("{count} for {rows} rows");
        require(count >= 2 && count <= rows, "folds", "from 2 to the number of rows", got)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut fold_of_row = vec![0; rows];
        let mut next = (0..count).cycle();
        for mut group in groups {
            group.shuffle(&mut rng);
            for row in group {
                fold_of_row[row] = next.next().unwrap_or(0);
            }
        }
        Ok(Folds { fold_of_row, count })
    }

    /// The number of folds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.fold_of_row.len()
    }

    /// The rows to train on and the rows to test, for one fold.
    pub fn split(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.rows()).partition(|&row| self.fold_of_row[row] != fold)
    }
}

/// What [`Recipe::cross_validate`](crate::Recipe::cross_validate) measured.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidation {
    /// The scores on each fold, of the model that was trained on the others.
    pub folds: Vec<Scores>,
    /// The prediction for each row by the model that was not trained on it: numbers or
    /// probabilities.
    pub predictions: Array2<f64>,
}

impl CrossValidation {
    /// Mean and standard deviation over the folds of the score called `name`.
    pub fn mean(&self, name: &str) -> Option<(f64, f64)> {
        let values: Option<Vec<f64>> = self.folds.iter().map(|scores| scores.get(name)).collect();
        values.filter(|values| !values.is_empty()).map(|values| mean_and_deviation(values.into_iter()))
    }
}

/// One line per score: mean and standard deviation over the folds.
impl fmt::Display for CrossValidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, _) in self.folds.iter().take(1).flat_map(Scores::iter) {
            if let Some((mean, deviation)) = self.mean(name) {
                let folds = self.folds.len();
                writeln!(f, "{name} {} ± {} over {folds} folds", digits(mean), digits(deviation))?;
            }
        }
        Ok(())
    }
}
