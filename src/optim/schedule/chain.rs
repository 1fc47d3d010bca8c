//! Several schedules in a row.

use std::sync::Arc;

use super::{Rates, Schedule};
use crate::Error;
use crate::error::require;
use crate::settings::Settings;

/// Several schedules in a row, each from its own start, as `torch.optim.lr_scheduler.SequentialLR`.
/// Each counts epochs or steps from its start, and begins at the optimizer's own learning rate, not
/// at the last one of its predecessor.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Where each schedule starts, and the schedule.
    parts: Vec<(u64, Arc<dyn Schedule>)>,
}

impl Chain {
    /// `first`, from 0 on.
    pub fn new(first: impl Schedule + 'static) -> Self {
        Chain { parts: vec![(0, Arc::new(first))] }
    }

    /// `next` from `start` on, an epoch or a step after the start of the schedule before it.
    pub fn then(mut self, start: u64, next: impl Schedule + 'static) -> Self {
        self.parts.push((start, Arc::new(next)));
        self
    }
}

impl Schedule for Chain {
    fn check(&self) -> Result<(), Error> {
        for pair in self.parts.windows(2) {
            require(pair[0].0 < pair[1].0, "start in a chain", "after the one before it", pair[1].0)?;
        }
        self.parts.iter().try_for_each(|(_, schedule)| schedule.check())
    }

    fn rate(&self, base: f64, time: u64, losses: &[f64]) -> f64 {
        self.follow(base)(time, losses)
    }

    fn follow(&self, base: f64) -> Rates<'_> {
        let mut parts: Vec<_> =
            self.parts.iter().map(|(start, schedule)| (*start, schedule.follow(base))).collect();
        Box::new(move |time, losses| {
            let begun = parts.iter_mut().rev().find(|(start, _)| *start <= time);
            let (start, rates) = begun.expect("the first schedule starts at 0");
            let before = losses.len().min(usize::try_from(*start).unwrap_or(usize::MAX));
            rates(time - *start, &losses[before..])
        })
    }

    fn uses_losses(&self) -> bool {
        self.parts.iter().any(|(_, schedule)| schedule.uses_losses())
    }

    fn settings(&self) -> Settings {
        let parts: Vec<_> = self.parts.iter().map(|(start, schedule)| (start, schedule.settings())).collect();
        Settings::new("Chain", &parts)
    }
}
