//! What training leaves behind besides the weights.

use crate::Error;

/// What one epoch was trained with and ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// The learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// The mean loss of the epoch's batches, each row counted once, as it was when its batch was trained on.
    pub train_loss: f64,
    /// The loss on the validation data after the epoch, if there are any.
    pub validation_loss: Option<f64>,
    /// Every [metric](History::metrics) on the training data after the epoch.
    pub train_metrics: Vec<f64>,
    /// Every metric on the validation data after the epoch; empty without validation data.
    pub validation_metrics: Vec<f64>,
}

impl Epoch {
    /// All values, in the order of [`History::names`].
    pub(super) fn values(&self) -> Vec<f64> {
        let losses = [self.learning_rate, self.train_loss].into_iter().chain(self.validation_loss);
        losses.chain(self.train_metrics.iter().chain(&self.validation_metrics).copied()).collect()
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

/// What was measured in every complete epoch, and how training ended.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The names of the metrics, in the order in which each [`Epoch`] holds their values.
    pub metrics: Vec<String>,
    /// One entry per complete epoch.
    pub epochs: Vec<Epoch>,
    /// With [early stopping](super::EarlyStopping), the index in [`epochs`](History::epochs) of the epoch whose weights
    /// the network has been given back. `None` without, and where no epoch was an improvement.
    pub best: Option<usize>,
    /// Why training ended.
    pub stop_reason: StopReason,
    has_validation: bool,
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// All epochs are done.
    Finished,
    /// [Early stopping](super::EarlyStopping) lost its patience.
    EarlyStopping,
    /// A [`Callback`](super::Callback) returned [`ControlFlow::Break`](std::ops::ControlFlow::Break).
    Callback,
    /// The [stop flag](super::Training::stop_flag) was set.
    StopFlag,
    /// An error or a panic came up, or training has not ended yet.
    Failed,
}

impl History {
    /// No epochs yet.
    pub(super) fn new(metrics: Vec<String>, has_validation: bool) -> Self {
        History { metrics, epochs: Vec::new(), best: None, stop_reason: StopReason::Failed, has_validation }
    }

    /// The names of everything that an epoch holds: `learning_rate`, `train_loss`, `validation_loss`, and each metric with `train_` and
    /// `validation_` before its name. Those on validation data are there only if there are validation data.
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

    /// What is called `name` among [`names`](History::names), for every epoch.
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

    /// What schedules go by: the validation loss of every epoch if there is one, else the training loss.
    pub(super) fn losses(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.validation_loss.unwrap_or(epoch.train_loss)).collect()
    }

    /// Where in [`Epoch::values`] the value called `name` is.
    pub(super) fn index(&self, name: &str) -> Result<usize, Error> {
        let names = self.names();
        let index = names.iter().position(|known| known == name);
        index.ok_or_else(|| Error::UnknownMetric { name: name.to_string(), known: names })
    }

    /// Whether there are values on validation data.
    pub(super) fn has_validation(&self) -> bool {
        self.has_validation
    }
}
