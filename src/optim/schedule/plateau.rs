//! A learning rate that falls when the loss stops falling.

use super::{Schedule, check_factor};
use crate::Error;
use crate::error::require;

/// Multiplies the rate by a factor when the loss has not become better for more than `patience` epochs, as
/// `torch.optim.lr_scheduler.ReduceLROnPlateau` in its mode `min`.
///
/// A loss is better when it is below `best · (1 − threshold)`; NaN never is. Changes of the rate below 1e-8 are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReduceOnPlateau {
    factor: f64,
    patience: u64,
    threshold: f64,
    cooldown: u64,
    min_rate: f64,
}

/// The smallest change of the rate that is made.
const EPS: f64 = 1e-8;

impl Default for ReduceOnPlateau {
    /// Factor 0.1, patience 10, threshold 1e-4, no cooldown, no smallest rate.
    fn default() -> Self {
        ReduceOnPlateau { factor: 0.1, patience: 10, threshold: 1e-4, cooldown: 0, min_rate: 0.0 }
    }
}

impl ReduceOnPlateau {
    /// What the rate is multiplied by, above 0 and below 1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Epochs without a better loss that are tolerated. 0 reduces after the first.
    pub fn patience(mut self, patience: u64) -> Self {
        self.patience = patience;
        self
    }

    /// The share, from 0 to below 1, by which a loss must be lower to be better.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// Epochs after a reduction that do not count against the patience.
    pub fn cooldown(mut self, cooldown: u64) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// The smallest rate, a finite number ≥ 0.
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

    fn rate(&self, base: f64, _: u64, losses: &[f64]) -> f64 {
        // Bad epochs are those since the best one, without those in which the rate cools down.
        let (mut rate, mut best, mut bad, mut cooling) = (base, f64::INFINITY, 0, 0);
        for &loss in losses {
            if loss < best * (1.0 - self.threshold) {
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
        rate
    }
}
