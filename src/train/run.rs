//! What changes while training runs.

use super::early_stopping::Watch;
use crate::{Network, Scalar};

/// How far training is.
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

/// Everything that changes while training runs, besides the optimizer and the history.
///
/// When this goes out of scope, the network gets its best weights back: on every way out, a panic too.
#[derive(Debug)]
pub(super) struct Run<'n, F: Scalar> {
    pub network: &'n mut Network<F>,
    pub position: Position,
    pub watch: Option<Watch>,
    /// The weights of the best epoch, once early stopping has seen one.
    pub best: Option<Vec<F>>,
    /// The optimizer's own learning rate, from which schedules start.
    pub own_rate: f64,
    /// Where the last checkpoint was written.
    pub saved: Option<Position>,
}

impl<'n, F: Scalar> Run<'n, F> {
    /// Before the first step.
    pub fn new(network: &'n mut Network<F>, own_rate: f64) -> Self {
        Run { network, position: Position::default(), watch: None, best: None, own_rate, saved: None }
    }

    /// Keeps the weights as they are now as the best ones.
    pub fn keep_weights(&mut self) {
        let best = self.best.get_or_insert_default();
        best.clear();
        best.extend_from_slice(self.network.params());
    }
}

impl<F: Scalar> Drop for Run<'_, F> {
    fn drop(&mut self) {
        if let Some(best) = &self.best {
            self.network.params_mut().copy_from_slice(best);
        }
    }
}
