//! One schedule after the other.

use std::sync::Arc;

use super::Schedule;
use crate::Error;
use crate::error::require;

/// Several schedules, each from its own epoch on, as `torch.optim.lr_scheduler.SequentialLR`. Each counts its epochs from where
/// it begins and starts from the optimizer's own rate, not from where the one before it ended.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The first epoch of each schedule, and the schedule.
    parts: Vec<(u64, Arc<dyn Schedule>)>,
}

impl Chain {
    /// Begins with `first`.
    pub fn new(first: impl Schedule + 'static) -> Self {
        Chain { parts: vec![(0, Arc::new(first))] }
    }

    /// Goes on with `next` from `epoch` on, which must lie after the beginning of the schedule before it.
    pub fn then(mut self, epoch: u64, next: impl Schedule + 'static) -> Self {
        self.parts.push((epoch, Arc::new(next)));
        self
    }
}

impl Schedule for Chain {
    fn check(&self) -> Result<(), Error> {
        for pair in self.parts.windows(2) {
            require(pair[0].0 < pair[1].0, "epoch in a chain", "after the one before it", pair[1].0)?;
        }
        self.parts.iter().try_for_each(|(_, schedule)| schedule.check())
    }

    fn rate(&self, base: f64, epoch: u64, losses: &[f64]) -> f64 {
        let mut begun = self.parts.iter().rev().filter(|(start, _)| *start <= epoch);
        let (start, schedule) = begun.next().expect("the first begins at 0");
        let before = losses.len().min(usize::try_from(*start).unwrap_or(usize::MAX));
        schedule.rate(base, epoch - start, &losses[before..])
    }
}
