//! Learning rates that change during training, by PyTorch's and Keras's formulas.
//!
//! With b the optimizer's own learning rate and t the epoch, or the step with
//! [`Training::schedule_per_step`](crate::Training::schedule_per_step), from 0:
//!
//! | schedule | learning rate at t | in PyTorch or Keras |
//! |---|---|---|
//! | [`Constant`] | `b · factor` | `ConstantLR` |
//! | [`Step`] | `b · γ^⌊t / size⌋` | `StepLR`, `ExponentialDecay(staircase=True)` |
//! | [`Exponential`] | `b · γ^(t / T)` | `ExponentialLR`, `ExponentialDecay` |
//! | [`Polynomial`] | `m + (b − m) (1 − t / T)^p` | `PolynomialLR`, `PolynomialDecay` |
//! | [`Cosine`] | `m + (b − m) (1 + cos(π t / T)) / 2` | `CosineAnnealingLR` |
//! | [`WarmUp`] | linear from `b · start` to `b · end` until T | `LinearLR` |
//! | [`Chain`] | one schedule after the other | `SequentialLR` |
//! | [`ReduceOnPlateau`] | smaller when the loss stops falling | `ReduceLROnPlateau` |

mod chain;
mod plateau;
mod polynomial;

use std::f64::consts::PI;
use std::fmt::Debug;

use serde::Serialize;

pub use chain::Chain;
pub use plateau::ReduceOnPlateau;
pub use polynomial::Polynomial;

use crate::Error;
use crate::error::require;
use crate::settings::Settings;

/// The learning rate of each epoch, or of each step. `fit` restores the optimizer's own learning
/// rate at the end.
///
/// A schedule is a pure function, so that training can resume anywhere and one schedule can serve
/// many trainings.
pub trait Schedule: Debug + Send + Sync {
    /// Checks that every argument is in its domain. `fit` calls this before the first step.
    ///
    /// # Errors
    /// [`Error::Argument`].
    fn check(&self) -> Result<(), Error>;

    /// The learning rate at `time`, the epoch or the step from 0, where `base` is the optimizer's
    /// own. `losses[i]` is the validation loss after epoch `i`, or the training loss without
    /// validation data; empty if the schedule runs per step. Every `time` is valid.
    fn rate(&self, base: f64, time: u64, losses: &[f64]) -> f64;

    /// [`rate`](Schedule::rate) as a function of `(time, losses)` for one training run, in which
    /// `time` rises and `losses` grows. A schedule whose rate depends on all losses can keep what
    /// it has read. Default: calls `rate`.
    fn follow(&self, base: f64) -> Rates<'_> {
        Box::new(move |time, losses| self.rate(base, time, losses))
    }

    /// Whether [`rate`](Schedule::rate) reads `losses`; such a schedule cannot run per step.
    /// Default: `true`.
    fn uses_losses(&self) -> bool {
        true
    }

    /// This schedule as data, for checkpoints. Default: the `Debug` text.
    fn settings(&self) -> Settings {
        Settings::from_debug(self)
    }
}

/// The learning rate for `(time, losses)`; see [`Schedule::follow`].
pub type Rates<'a> = Box<dyn FnMut(u64, &[f64]) -> f64 + Send + 'a>;

/// Forwards every method to the schedule behind a pointer.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: Schedule + ?Sized> Schedule for $pointer {
            fn check(&self) -> Result<(), Error> {
                (**self).check()
            }

            fn rate(&self, base: f64, time: u64, losses: &[f64]) -> f64 {
                (**self).rate(base, time, losses)
            }

            fn follow(&self, base: f64) -> Rates<'_> {
                (**self).follow(base)
            }

            fn uses_losses(&self) -> bool {
                (**self).uses_losses()
            }

            fn settings(&self) -> Settings {
                (**self).settings()
            }
        }
    )*};
}

forward!(&S, &mut S, Box<S>);

/// The last methods of a schedule whose rate is a formula of b and t.
macro_rules! formula_of_time {
    ($name:ident) => {
        fn uses_losses(&self) -> bool {
            false
        }

        fn settings(&self) -> Settings {
            Settings::new(stringify!($name), self)
        }
    };
}
use formula_of_time;

/// `b · factor` at every t.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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

    formula_of_time!(Constant);
}

/// `b · γ^⌊t / size⌋`: multiplied by γ after every `size` epochs or steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    size: u64,
    gamma: f64,
}

impl Step {
    /// The size of a step in epochs or optimizer steps, at least 1; and γ, a finite number above 0.
    pub fn new(size: u64, gamma: f64) -> Self {
        Step { size, gamma }
    }
}

impl Schedule for Step {
    fn check(&self) -> Result<(), Error> {
        check_length("step size", self.size)?;
        check_above_0("gamma", self.gamma)
    }

    fn rate(&self, base: f64, time: u64, _: &[f64]) -> f64 {
        base * libm::pow(self.gamma, (time / self.size) as f64)
    }

    formula_of_time!(Step);
}

/// `b · γ^(t / T)`, with T = 1 by default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Exponential {
    gamma: f64,
    every: f64,
}

impl Exponential {
    /// γ, a finite number above 0.
    pub fn new(gamma: f64) -> Self {
        Exponential { gamma, every: 1.0 }
    }

    /// T, a finite number above 0: the epochs or steps in which the learning rate is multiplied by
    /// γ once.
    pub fn every(mut self, every: f64) -> Self {
        self.every = every;
        self
    }
}

impl Schedule for Exponential {
    fn check(&self) -> Result<(), Error> {
        check_above_0("gamma", self.gamma)?;
        check_above_0("every", self.every)
    }

    fn rate(&self, base: f64, time: u64, _: &[f64]) -> f64 {
        base * libm::pow(self.gamma, time as f64 / self.every)
    }

    formula_of_time!(Exponential);
}

/// `m + (b − m) (1 + cos(π t / T)) / 2` (Loshchilov and Hutter 2017, without restarts): half a
/// cosine from b down to the smallest learning rate m at T. After T it rises again, as in PyTorch,
/// so T is usually the length of the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cosine {
    length: u64,
    min_rate: f64,
}

impl Cosine {
    /// T in epochs or steps, at least 1, and m = 0.
    pub fn new(length: u64) -> Self {
        Cosine { length, min_rate: 0.0 }
    }

    /// The smallest learning rate m, a finite number ≥ 0.
    pub fn min_rate(mut self, min_rate: f64) -> Self {
        self.min_rate = min_rate;
        self
    }
}

impl Schedule for Cosine {
    fn check(&self) -> Result<(), Error> {
        check_length("length of the cosine", self.length)?;
        check_factor("smallest rate", self.min_rate)
    }

    fn rate(&self, base: f64, time: u64, _: &[f64]) -> f64 {
        // The remainder keeps the angle exact for every t.
        let time = u128::from(time) % (2 * u128::from(self.length));
        let angle = PI * (time as f64 / self.length as f64);
        self.min_rate + 0.5 * (base - self.min_rate) * (1.0 + libm::cos(angle))
    }

    formula_of_time!(Cosine);
}

/// Linear from `b · start` to `b · end` until T, and `b · end` after it (Goyal et al. 2017). A
/// warm-up may be longer than the training, which then ends before it.
///
/// ```
/// use geartrain::optim::schedule::{Chain, Cosine, Schedule, WarmUp};
/// let schedule = Chain::new(WarmUp::new(5).from(0.2)).then(5, Cosine::new(95));
/// assert_eq!(schedule.rate(0.1, 0, &[]), 0.2 * 0.1);
/// assert_eq!(schedule.rate(0.1, 5, &[]), 0.1);
/// assert!(schedule.rate(0.1, 100, &[]) < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WarmUp {
    length: u64,
    start: f64,
    end: f64,
}

impl WarmUp {
    /// T in epochs or steps, at least 1, from b/3 to b.
    pub fn new(length: u64) -> Self {
        WarmUp { length, start: 1.0 / 3.0, end: 1.0 }
    }

    /// The factor at t = 0, a finite number ≥ 0.
    pub fn from(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    /// The factor from T on, a finite number ≥ 0.
    pub fn to(mut self, end: f64) -> Self {
        self.end = end;
        self
    }
}

impl Schedule for WarmUp {
    fn check(&self) -> Result<(), Error> {
        check_length("length of the warm-up", self.length)?;
        check_factor("start factor", self.start)?;
        check_factor("end factor", self.end)
    }

    fn rate(&self, base: f64, time: u64, _: &[f64]) -> f64 {
        let done = time.min(self.length) as f64 / self.length as f64;
        base * (self.start + (self.end - self.start) * done)
    }

    formula_of_time!(WarmUp);
}

fn check_factor(argument: &'static str, factor: f64) -> Result<(), Error> {
    require(factor.is_finite() && factor >= 0.0, argument, "a finite number ≥ 0", factor)
}

fn check_length(argument: &'static str, length: u64) -> Result<(), Error> {
    require(length > 0, argument, "at least 1", length)
}

fn check_above_0(argument: &'static str, value: f64) -> Result<(), Error> {
    require(value.is_finite() && value > 0.0, argument, "a finite number above 0", value)
}
