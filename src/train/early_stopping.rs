//! Early stopping, with the best weights restored.

use serde::Serialize;

use super::history::{Epoch, History};
use crate::Error;
use crate::error::require;

/// Ends training after `patience` epochs in a row without an improvement, and restores the weights
/// of the best epoch (Prechelt 1998).
///
/// An epoch is an improvement if its value is better than the best so far by **more than**
/// `min_delta`. NaN is never an improvement; the first number always is. Values and weights are
/// those at the end of the epoch.
///
/// The best weights are restored on every way out: all epochs done, stopped, diverged, an error or
/// a panic. If no epoch was an improvement (every value is NaN), the network keeps its last weights
/// and [`History::best`](super::History::best) is `None`. The optimizer keeps its last state.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
/// use geartrain::train::EarlyStopping;
///
/// let (train, test) = toy::sine::<f64>(60, 0.3, 1)?.split(0.5, 1)?;
/// let mut network = Network::new(Linear::new(1, 1))?;
/// let history = Training::new(MeanSquaredError, Sgd::new(0.1))
///     .epochs(1000)
///     .validation(&test)
///     .early_stopping(EarlyStopping::new(5))
///     .progress(false)
///     .fit(&mut network, &train)?;
/// let best = history.validation_losses()[history.best.unwrap()];
/// assert_eq!(network.loss(&MeanSquaredError, test.x(), test.y())?, best);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EarlyStopping {
    monitor: String,
    patience: usize,
    min_delta: f64,
    maximize: bool,
}

impl EarlyStopping {
    /// Monitors `validation_loss`, where smaller is better, with a patience of at least 1 epoch.
    pub fn new(patience: usize) -> Self {
        EarlyStopping { monitor: "validation_loss".to_string(), patience, min_delta: 0.0, maximize: false }
    }

    /// Monitors another value of the history, such as `validation_r2` or `train_mse`.
    ///
    /// `train_loss` is refused: it is measured while the weights change, and so belongs to no
    /// weights. To monitor the training loss, add it as a [metric](super::Training::metric).
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor = name.into();
        self
    }

    /// Whether larger values are better, as for R² and accuracy. Default: `false`.
    pub fn maximize(mut self, maximize: bool) -> Self {
        self.maximize = maximize;
        self
    }

    /// The change, a finite number ≥ 0, that an improvement must exceed. Default: 0.
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.min_delta = min_delta;
        self
    }

    /// Checks the arguments, and that `history` will have the monitored value.
    pub(super) fn check(&self, history: &History) -> Result<(), Error> {
        require(self.patience > 0, "patience", "at least 1", self.patience)?;
        let at_least_0 = self.min_delta.is_finite() && self.min_delta >= 0.0;
        require(at_least_0, "min_delta", "a finite number ≥ 0", self.min_delta)?;
        // The first two, learning rate and training loss, do not belong to the weights.
        let monitorable = |history: &History| history.names().split_off(2);
        let known = monitorable(history);
        if known.contains(&self.monitor) {
            return Ok(());
        }
        let with_validation = History::new(history.metrics.clone(), true);
        if monitorable(&with_validation).contains(&self.monitor) {
            return Err(Error::NoValidationData { metric: self.monitor.clone() });
        }
        Err(Error::UnknownMetric { name: self.monitor.clone(), known })
    }
}

/// The state of early stopping. It follows from the history, so checkpoints need not store it.
#[derive(Debug)]
pub(super) struct Watch {
    settings: EarlyStopping,
    /// The index of the monitored value in [`Epoch::values`].
    index: usize,
    epochs: usize,
    /// Index and value of the best epoch.
    best: Option<(usize, f64)>,
}

impl Watch {
    /// The state after the epochs of `history`.
    pub fn new(settings: &EarlyStopping, history: &History) -> Result<Self, Error> {
        let index = history.index(&settings.monitor)?;
        let mut watch = Watch { settings: settings.clone(), index, epochs: 0, best: None };
        for epoch in &history.epochs {
            watch.improves(epoch);
        }
        Ok(watch)
    }

    /// Records the next `epoch`, and returns whether it is an improvement.
    pub fn improves(&mut self, epoch: &Epoch) -> bool {
        let value = epoch.values()[self.index];
        let EarlyStopping { min_delta, maximize, .. } = self.settings;
        let improved = match self.best {
            None => !value.is_nan(),
            Some((_, best)) if maximize => value > best + min_delta,
            Some((_, best)) => value < best - min_delta,
        };
        if improved {
            self.best = Some((self.epochs, value));
        }
        self.epochs += 1;
        improved
    }

    /// Index of the best epoch.
    pub fn best(&self) -> Option<usize> {
        self.best.map(|(epoch, _)| epoch)
    }

    /// Whether the patience is used up.
    pub fn exhausted(&self) -> bool {
        let since = self.best.map_or(0, |(epoch, _)| epoch + 1);
        self.epochs - since >= self.settings.patience
    }
}
