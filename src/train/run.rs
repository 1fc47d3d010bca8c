//! The state of a training run.

use super::early_stopping::Watch;
use crate::optim::update_average;
use crate::{Network, Scalar};

/// The progress of training.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Position {
    /// Complete epochs.
    pub epoch: usize,
    /// Complete batches of the epoch after them.
    pub batch: usize,
    /// Steps done.
    pub step: u64,
    /// The sum of the losses of all rows of those batches.
    pub loss_sum: f64,
}

/// The state of a training run, besides the optimizer and the history.
///
/// When this is dropped, on every way out including panics, the network gets its final weights: the
/// best ones with early stopping, else the average if one is kept.
#[derive(Debug)]
pub(super) struct Run<'n, F: Scalar> {
    pub network: &'n mut Network<F>,
    pub position: Position,
    pub watch: Option<Watch>,
    /// The weights of the best epoch with early stopping, after its first improvement.
    pub best: Option<Vec<F>>,
    /// The moving average of the weights, if one is kept.
    pub average: Option<Vec<F>>,
    /// The optimizer's own learning rate, the base of schedules.
    pub own_rate: f64,
    /// The position of the last checkpoint.
    pub saved: Option<Position>,
}

impl<'n, F: Scalar> Run<'n, F> {
    /// Before the first step.
    pub fn new(network: &'n mut Network<F>, own_rate: f64) -> Self {
        Run {
            network,
            position: Position::default(),
            watch: None,
            best: None,
            average: None,
            own_rate,
            saved: None,
        }
    }

    /// Copies the network's weights as the best ones.
    pub fn keep_weights(&mut self) {
        let best = self.best.get_or_insert_default();
        best.clear();
        best.extend_from_slice(self.network.params());
    }

    /// Moves the average of the weights, if one is kept, after a step.
    pub fn update_average(&mut self, decay: f64) {
        if let Some(average) = &mut self.average {
            update_average(average, self.network.params(), decay, self.position.step);
        }
    }

    /// Exchanges the network's weights and their average, if one is kept.
    pub fn swap_average(&mut self) {
        if let Some(average) = &mut self.average {
            self.network.params_mut().swap_with_slice(average);
        }
    }
}

impl<F: Scalar> Drop for Run<'_, F> {
    fn drop(&mut self) {
        if let Some(last) = self.best.as_ref().or(self.average.as_ref()) {
            self.network.params_mut().copy_from_slice(last);
        }
    }
}
