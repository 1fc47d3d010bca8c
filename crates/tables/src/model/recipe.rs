//! How a model is trained: every choice, with its default.

use std::fmt::Debug;

use crate::error::require;
use crate::{EncoderOptions, Error};

use super::task::Task;

/// How a [`Model`](crate::Model) is trained. Made by [`Model::recipe`](crate::Model::recipe).
///
/// The defaults (`auto`) are: numbers as standardised, smoothly clipped value and piecewise-linear
/// encoding with 16 bins (fewer for more than 16 number columns); two hidden layers of 128 ReLU
/// units with dropout 0.1, but none in an ensemble that predicts numbers; weights from N(0, 2/n),
/// those of the last layer 0; AdamW with weight decay 0.1 on weights; a learning rate of 0.003
/// with 5% warm-up and cosine decay; an exponential moving average of the weights; and the epoch
/// with the best loss on a validation part of 15% of the rows.
///
/// A regression with little noise needs no choice among epochs, but gains from more rows: if, after
/// half of the epochs, the validation loss still improves and is below half of that of the constant
/// prediction, the network learns from all rows from then on, and the last epoch is kept. This
/// holds for all losses but Poisson's.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe<T: Task> {
    pub(crate) encoder: EncoderOptions,
    pub(crate) members: usize,
    pub(crate) seed: u64,
    pub(crate) hidden: Vec<usize>,
    pub(crate) dropout: Option<f64>,
    pub(crate) learning_rate: f64,
    pub(crate) weight_decay: f64,
    pub(crate) batch: Option<usize>,
    pub(crate) epochs: Option<usize>,
    pub(crate) validation: f64,
    pub(crate) threads: Option<usize>,
    pub(crate) weights: Option<String>,
    pub(crate) task: T::Options,
}

impl<T: Task> Default for Recipe<T> {
    fn default() -> Self {
        Recipe {
            encoder: EncoderOptions::new(),
            members: 1,
            seed: 0,
            hidden: vec![128, 128],
            dropout: None,
            learning_rate: 3e-3,
            weight_decay: 0.1,
            batch: None,
            epochs: None,
            validation: 0.15,
            threads: None,
            weights: None,
            task: T::Options::default(),
        }
    }
}

/// The fewest steps of a network, and of a linear model, which must reach its optimum.
const LEAST_STEPS: (usize, usize) = (600, 3000);
/// The dropout of a single network.
pub(super) const DROPOUT: f64 = 0.1;
/// The most networks of an ensemble.
const MOST_MEMBERS: usize = 1000;

impl<T: Task> Recipe<T> {
    /// Trains `members` networks, 1 to 1,000, and averages their predictions. Each leaves out
    /// *other* rows for its validation, so that most of them are fitted to every row. They are
    /// trained side by side, one per thread, with the same bits for any number of threads. Default:
    /// 1; 8 is a good choice.
    pub fn ensemble(mut self, members: usize) -> Self {
        self.members = members;
        self
    }

    /// The seed of weights, shuffles, dropout and validation rows. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How columns are encoded.
    pub fn encoder(mut self, options: EncoderOptions) -> Self {
        self.encoder = options;
        self
    }

    /// Widths of the hidden layers; none for a linear model. Default: 128 and 128.
    pub fn hidden(mut self, widths: &[usize]) -> Self {
        self.hidden = widths.to_vec();
        self
    }

    /// A linear model of the scaled numbers and the levels, the usual baseline: no hidden layer, no
    /// bins, a learning rate of 0.01, weight decay 0.01.
    pub fn linear(mut self) -> Self {
        self.encoder = self.encoder.bins(0);
        self.hidden(&[]).learning_rate(0.01).weight_decay(0.01)
    }

    /// The probability with which a hidden unit is dropped in training. Default: 0.1, but 0 in an
    /// ensemble that predicts numbers, where the mean of the members has the same effect.
    pub fn dropout(mut self, p: f64) -> Self {
        self.dropout = Some(p);
        self
    }

    /// The largest learning rate. Default: 0.003.
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// Decoupled weight decay of weights, not of biases. Default: 0.1.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Rows per step. Default: the power of 2 nearest to a 16th of the rows, from 32 to 128.
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch = Some(rows);
        self
    }

    /// Passes over the rows. Default: 100 for up to 10,000 rows, 50 up to 50,000, 25 above; but at
    /// least 600 steps, or 3,000 for a linear model.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = Some(epochs);
        self
    }

    /// The part of the rows that a network does not learn from, to choose its best epoch (or only
    /// at first: see [`Recipe`]); from 0, for the last epoch, to below 1. Default: 0.15.
    pub fn validation(mut self, fraction: f64) -> Self {
        self.validation = fraction;
        self
    }

    /// The most threads that train members or folds. Default: one per core. Results do not depend
    /// on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// The column with the weight of each row, a finite number ≥ 0. It is no feature. Rows without
    /// a weight or with weight 0 are left out. Scores are weighted if the table has the column.
    pub fn weight_column(mut self, name: impl Into<String>) -> Self {
        self.weights = Some(name.into());
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        require((1..=MOST_MEMBERS).contains(&self.members), "ensemble", "from 1 to 1,000", self.members)?;
        let widths = self.hidden.iter().all(|&width| width > 0);
        require(widths, "hidden", "widths of at least 1", format_args!("{:?}", self.hidden))?;
        let dropout = self.dropout_in_use();
        require((0.0..1.0).contains(&dropout), "dropout", "in [0, 1)", dropout)?;
        let positive = self.learning_rate.is_finite() && self.learning_rate > 0.0;
        require(positive, "learning_rate", "a finite number above 0", self.learning_rate)?;
        let decay = self.weight_decay.is_finite() && self.weight_decay >= 0.0;
        require(decay, "weight_decay", "a finite number ≥ 0", self.weight_decay)?;
        require(self.batch != Some(0), "batch_size", "at least 1", 0)?;
        require(self.epochs != Some(0), "epochs", "at least 1", 0)?;
        require((0.0..1.0).contains(&self.validation), "validation", "in [0, 1)", self.validation)?;
        require(self.threads != Some(0), "threads", "at least 1", 0)
    }

    /// The dropout of each network.
    pub(crate) fn dropout_in_use(&self) -> f64 {
        self.dropout.unwrap_or(if self.members > 1 { T::ENSEMBLE_DROPOUT } else { DROPOUT })
    }

    /// Rows per step for `rows` training rows.
    pub(crate) fn batch_for(&self, rows: usize) -> usize {
        let log = (rows.max(1) as f64 / 16.0).log2().round();
        self.batch.unwrap_or_else(|| (log.exp2() as usize).clamp(32, 128))
    }

    /// Passes over `rows` training rows: more for tables so small that 100 would be few steps.
    pub(crate) fn epochs_for(&self, rows: usize) -> usize {
        let usual = match rows {
            0..=10_000 => 100,
            10_001..=50_000 => 50,
            _ => 25,
        };
        let least = if self.hidden.is_empty() { LEAST_STEPS.1 } else { LEAST_STEPS.0 };
        let fitted = (rows as f64 * (1.0 - self.validation)) as usize;
        let steps = (fitted / self.batch_for(rows)).max(1);
        self.epochs.unwrap_or(usual.max(least.div_ceil(steps)))
    }
}
