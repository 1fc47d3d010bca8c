//! Learning rates that change from epoch to epoch, by PyTorch's formulas.
//!
//! With b the optimizer's own rate and t the number of the epoch, from 0:
//!
//! | schedule | rate in epoch t | in PyTorch |
//! |---|---|---|
//! | [`Constant`] | `b · factor` | `ConstantLR` |
//! | [`Step`] | `b · γ^⌊t / size⌋` | `StepLR` |
//! | [`Exponential`] | `b · γᵗ` | `ExponentialLR` |
//! | [`Cosine`] | `m + (b − m) (1 + cos(π t / T)) / 2` | `CosineAnnealingLR` |
//! | [`WarmUp`] | linear from `b · start` to `b · end` in T epochs | `LinearLR` |
//! | [`Chain`] | one schedule after the other | `SequentialLR` |
//! | [`ReduceOnPlateau`] | smaller when the loss stops falling | `ReduceLROnPlateau` |

mod chain;
mod plateau;

use std::f64::consts::PI;
use std::fmt::Debug;

pub use chain::Chain;
pub use plateau::ReduceOnPlateau;

use crate::Error;
use crate::error::require;

/// Says which learning rate an epoch has. `fit` asks before each epoch and puts the optimizer's own rate back at the end.
///
/// A schedule is a pure function, so that training can resume anywhere and one schedule can serve many trainings.
pub trait Schedule: Debug + Send + Sync {
    /// Fails unless every argument is in its domain. `fit` asks before the first step.
    ///
    /// # Errors
    /// [`Error::Argument`].
    fn check(&self) -> Result<(), Error>;

    /// The rate in `epoch`, counted from 0, where `base` is the optimizer's own rate. `losses[i]` is what epoch `i` ended with:
    /// the validation loss if there is one, else the training loss. Any epoch is allowed.
    fn rate(&self, base: f64, epoch: u64, losses: &[f64]) -> f64;
}

/// A schedule that was chosen at run time is one, too.
impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn check(&self) -> Result<(), Error> {
        (**self).check()
    }

    fn rate(&self, base: f64, epoch: u64, losses: &[f64]) -> f64 {
        (**self).rate(base, epoch, losses)
    }
}

/// `b · factor` in every epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constant {
    factor: f64,
}

impl Constant {
    /// The factor, a finite number ≥ 0.
    pub fn new(factor: f64) -> Self {
        Constant { factor }
    }
}

impl Schedule for Constant {
    fn check(&self) -> Result<(), Error> {
        check_factor("factor", self.factor)
    }

    fn rate(&self, base: f64, _: u64, _: &[f64]) -> f64 {
        base * self.factor
    }
}

/// `b · γ^⌊t / size⌋`: multiplied by γ after every `size` epochs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    size: u64,
    gamma: f64,
}

impl Step {
    /// Epochs per step, at least 1, and γ above 0 and at most 1.
    pub fn new(size: u64, gamma: f64) -> Self {
        Step { size, gamma }
    }
}

impl Schedule for Step {
    fn check(&self) -> Result<(), Error> {
        check_epochs("step size", self.size)?;
        check_gamma(self.gamma)
    }

    fn rate(&self, base: f64, epoch: u64, _: &[f64]) -> f64 {
        base * self.gamma.powf((epoch / self.size) as f64)
    }
}

/// `b · γᵗ`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exponential {
    gamma: f64,
}

impl Exponential {
    /// γ, above 0 and at most 1.
    pub fn new(gamma: f64) -> Self {
        Exponential { gamma }
    }
}

impl Schedule for Exponential {
    fn check(&self) -> Result<(), Error> {
        check_gamma(self.gamma)
    }

    fn rate(&self, base: f64, epoch: u64, _: &[f64]) -> f64 {
        base * self.gamma.powf(epoch as f64)
    }
}

/// `m + (b − m) (1 + cos(π t / T)) / 2` (Loshchilov and Hutter 2017, without restarts): half a cosine from b down to the smallest
/// rate m in T epochs. After T it rises again, as PyTorch's does; give it as many epochs as the training has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cosine {
    epochs: u64,
    min_rate: f64,
}

impl Cosine {
    /// T, at least 1, with m = 0.
    pub fn new(epochs: u64) -> Self {
        Cosine { epochs, min_rate: 0.0 }
    }

    /// The smallest rate m, a finite number ≥ 0.
    pub fn min_rate(mut self, min_rate: f64) -> Self {
        self.min_rate = min_rate;
        self
    }
}

impl Schedule for Cosine {
    fn check(&self) -> Result<(), Error> {
        check_epochs("epochs of the cosine", self.epochs)?;
        check_factor("smallest rate", self.min_rate)
    }

    fn rate(&self, base: f64, epoch: u64, _: &[f64]) -> f64 {
        // The remainder keeps the angle exact however late the epoch.
        let epoch = u128::from(epoch) % (2 * u128::from(self.epochs));
        let angle = PI * (epoch as f64 / self.epochs as f64);
        self.min_rate + 0.5 * (base - self.min_rate) * (1.0 + angle.cos())
    }
}

/// Linear from `b · start` to `b · end` in T epochs, and `b · end` from then on (Goyal et al. 2017). A warm-up that is longer
/// than the training ends where the training ends.
///
/// ```
/// use geartrain::optim::schedule::{Chain, Cosine, Schedule, WarmUp};
/// let schedule = Chain::new(WarmUp::new(5).from(0.2)).then(5, Cosine::new(95));
/// assert_eq!(schedule.rate(0.1, 0, &[]), 0.2 * 0.1);
/// assert_eq!(schedule.rate(0.1, 5, &[]), 0.1);
/// assert!(schedule.rate(0.1, 100, &[]) < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUp {
    epochs: u64,
    start: f64,
    end: f64,
}

impl WarmUp {
    /// T, at least 1, from b/3 to b.
    pub fn new(epochs: u64) -> Self {
        WarmUp { epochs, start: 1.0 / 3.0, end: 1.0 }
    }

    /// The factor in epoch 0, a finite number ≥ 0.
    pub fn from(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    /// The factor from epoch T on, a finite number ≥ 0.
    pub fn to(mut self, end: f64) -> Self {
        self.end = end;
        self
    }
}

impl Schedule for WarmUp {
    fn check(&self) -> Result<(), Error> {
        check_epochs("epochs of the warm-up", self.epochs)?;
        check_factor("start factor", self.start)?;
        check_factor("end factor", self.end)
    }

    fn rate(&self, base: f64, epoch: u64, _: &[f64]) -> f64 {
        let done = epoch.min(self.epochs) as f64 / self.epochs as f64;
        base * (self.start + (self.end - self.start) * done)
    }
}

fn check_factor(argument: &'static str, factor: f64) -> Result<(), Error> {
    require(factor.is_finite() && factor >= 0.0, argument, "a finite number ≥ 0", factor)
}

fn check_epochs(argument: &'static str, epochs: u64) -> Result<(), Error> {
    require(epochs > 0, argument, "at least 1", epochs)
}

/// Above 1, the rate would grow without limit.
fn check_gamma(gamma: f64) -> Result<(), Error> {
    require(gamma > 0.0 && gamma <= 1.0, "gamma", "above 0 and at most 1", gamma)
}
