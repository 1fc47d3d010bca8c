//! The measurements of a training run.

use crate::Error;

/// The learning rate, losses and metrics of one epoch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Epoch {
    /// The learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// The mean training loss over the rows of all batches, each before the step on its batch.
    pub train_loss: f64,
    /// The loss on the validation data after the epoch; `None` without validation data.
    pub validation_loss: Option<f64>,
    /// Each of the [metrics](History::metrics) on the training data after the epoch.
    pub train_metrics: Vec<f64>,
    /// Each of the metrics on the validation data after the epoch; empty without validation data.
    pub validation_metrics: Vec<f64>,
}

impl Epoch {
    /// All values, in the order of [`History::names`].
    pub(super) fn values(&self) -> Vec<f64> {
        let losses = [self.learning_rate, self.train_loss].into_iter().chain(self.validation_loss);
        losses.chain(self.train_metrics.iter().chain(&self.validation_metrics).copied()).collect()
    }

    /// The loss that schedules read: the validation loss, or else the training loss.
    pub(super) fn loss(&self) -> f64 {
        self.validation_loss.unwrap_or(self.train_loss)
    }

    /// The epoch whose [`values`](Epoch::values) these are.
    pub(super) fn from_values(values: &[f64], metrics: usize, has_validation: bool) -> Self {
        let (losses, metric_values) = values.split_at(2 + usize::from(has_validation));
        let (train, validation) = metric_values.split_at(metrics);
        Epoch {
            learning_rate: losses[0],
            train_loss: losses[1],
            validation_loss: losses.get(2).copied(),
            train_metrics: train.to_vec(),
            validation_metrics: validation.to_vec(),
        }
    }
}

/// The measurements of every complete epoch, and why training ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct History {
    /// The names of the metrics, in the order of their values in each [`Epoch`].
    pub metrics: Vec<String>,
    /// One entry per complete epoch.
    pub epochs: Vec<Epoch>,
    /// With [early stopping](super::EarlyStopping), the index in [`epochs`](History::epochs) of the
    /// best epoch, whose weights the network now has. `None` without early stopping, and if no
    /// epoch was an improvement.
    pub best: Option<usize>,
    /// Likely mistakes that do not prevent training, such as a softmax before a loss that expects
    /// logits. With [progress](super::Training::progress), `fit` also writes them to stderr.
    pub warnings: Vec<String>,
    /// Why training ended.
    pub stop_reason: StopReason,
    has_validation: bool,
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// All epochs are done.
    Finished,
    /// [Early stopping](super::EarlyStopping) saw no improvement for its patience.
    EarlyStopping,
    /// A [`Callback`](super::Callback) returned
    /// [`ControlFlow::Break`](std::ops::ControlFlow::Break).
    Callback,
    /// The [stop flag](super::Training::stop_flag) was set.
    StopFlag,
    /// An error or a panic, or training has not ended yet.
    Failed,
}

impl History {
    /// No epochs yet.
    pub(super) fn new(metrics: Vec<String>, has_validation: bool) -> Self {
        History {
            metrics,
            epochs: Vec::new(),
            best: None,
            warnings: Vec::new(),
            stop_reason: StopReason::Failed,
            has_validation,
        }
    }

    /// The names of all values of an epoch: `learning_rate`, `train_loss`, `validation_loss`, and
    /// each metric with `train_` and with `validation_` before its name. Without validation data,
    /// the names with `validation_` are missing.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec!["learning_rate".to_string(), "train_loss".to_string()];
        if self.has_validation {
            names.push("validation_loss".to_string());
        }
        names.extend(self.metrics.iter().map(|metric| format!("train_{metric}")));
        if self.has_validation {
            names.extend(self.metrics.iter().map(|metric| format!("validation_{metric}")));
        }
        names
    }

    /// The value called `name`, one of [`names`](History::names), of every epoch.
    ///
    /// # Errors
    /// [`Error::UnknownMetric`].
    pub fn values(&self, name: &str) -> Result<Vec<f64>, Error> {
        let index = self.index(name)?;
        Ok(self.epochs.iter().map(|epoch| epoch.values()[index]).collect())
    }

    /// The training loss of every epoch.
    pub fn train_losses(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.train_loss).collect()
    }

    /// The validation loss of every epoch; empty without validation data.
    pub fn validation_losses(&self) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.validation_loss).collect()
    }

    /// The index in [`Epoch::values`] of the value called `name`.
    pub(super) fn index(&self, name: &str) -> Result<usize, Error> {
        let names = self.names();
        let index = names.iter().position(|known| known == name);
        index.ok_or_else(|| Error::UnknownMetric { name: name.to_string(), known: names })
    }

    /// Whether epochs have values on validation data.
    pub(super) fn has_validation(&self) -> bool {
        self.has_validation
    }
}
