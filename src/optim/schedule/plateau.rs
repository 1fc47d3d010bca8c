//! A learning rate that is reduced when the loss stops falling.

use serde::Serialize;

use super::{Rates, Schedule, check_factor};
use crate::Error;
use crate::error::require;
use crate::settings::Settings;

/// Multiplies the learning rate by a factor when the loss has not improved for more than `patience`
/// epochs, as `torch.optim.lr_scheduler.ReduceLROnPlateau` in its mode `min`.
///
/// A loss is an improvement if it is below `best − threshold · |best|`, so losses below 0 are
/// treated like those above; NaN never is. (PyTorch compares with `best · (1 − threshold)`, which
/// every loss below 0 that gets worse passes.) Reductions by less than 1e-8 are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReduceOnPlateau {
    factor: f64,
    patience: u64,
    threshold: f64,
    cooldown: u64,
    min_rate: f64,
}

/// The smallest reduction of the learning rate.
const EPS: f64 = 1e-8;

impl Default for ReduceOnPlateau {
    /// Factor 0.1, patience 10, threshold 1e-4, no cooldown, smallest learning rate 0.
    fn default() -> Self {
        ReduceOnPlateau { factor: 0.1, patience: 10, threshold: 1e-4, cooldown: 0, min_rate: 0.0 }
    }
}

impl ReduceOnPlateau {
    /// The factor of each reduction, between 0 and 1. Default: 0.1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Epochs without an improvement before the learning rate is reduced in the next one. Default:
    /// 10.
    pub fn patience(mut self, patience: u64) -> Self {
        self.patience = patience;
        self
    }

    /// The relative improvement that counts, in [0, 1). Default: 1e-4.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// Epochs after a reduction that do not count against the patience. Default: 0.
    pub fn cooldown(mut self, cooldown: u64) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// The smallest learning rate, a finite number ≥ 0. Default: 0.
    pub fn min_rate(mut self, min_rate: f64) -> Self {
        self.min_rate = min_rate;
        self
    }
}

impl Schedule for ReduceOnPlateau {
    fn check(&self) -> Result<(), Error> {
        require(self.factor > 0.0 && self.factor < 1.0, "factor", "between 0 and 1", self.factor)?;
        require((0.0..1.0).contains(&self.threshold), "threshold", "in [0, 1)", self.threshold)?;
        check_factor("smallest rate", self.min_rate)
    }

    fn rate(&self, base: f64, time: u64, losses: &[f64]) -> f64 {
        self.follow(base)(time, losses)
    }

    fn follow(&self, base: f64) -> Rates<'_> {
        // Bad epochs are those since the best one, except during cooldown.
        let (mut rate, mut best, mut bad, mut cooling) = (base, f64::INFINITY, 0, 0);
        let mut read = 0;
        Box::new(move |_, losses| {
            for &loss in losses.iter().skip(read) {
                // best − threshold · |best|, which is also right for the infinite first value
                if loss < best * (1.0 - self.threshold * best.signum()) {
                    (best, bad) = (loss, 0);
                } else {
                    bad += 1;
                }
                if cooling > 0 {
                    cooling -= 1;
                    bad = 0;
                }
                if bad > self.patience {
                    let reduced = (rate * self.factor).max(self.min_rate);
                    if rate - reduced > EPS {
                        rate = reduced;
                    }
                    (cooling, bad) = (self.cooldown, 0);
                }
            }
            read = read.max(losses.len());
            rate
        })
    }

    fn settings(&self) -> Settings {
        Settings::new("ReduceOnPlateau", self)
    }
}
