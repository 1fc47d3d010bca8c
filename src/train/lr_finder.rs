//! The learning rate range test: a short training run whose rate grows from tiny to far too large.

use super::callback::{Callback, CallbackResult, StepEnd};
use super::training::Training;
use crate::data::Dataset;
use crate::error::require;
use crate::network::Workspace;
use crate::{Error, Loss, Network, Optimizer, Scalar};
use std::ops::ControlFlow;

/// Smith's learning rate range test (2017, "Cyclical Learning Rates for Training Neural Networks",
/// section 3.3): trains a copy of a network for a few steps, multiplies the learning rate by a
/// constant factor after each step, and records the loss. A rate is good where the loss falls
/// fastest, and too large where it rises.
///
/// Single batches differ by more than one step changes the loss. The loss is therefore measured
/// after each step on the same rows, at most 1,000, which leaves only the noise of the steps.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
/// use geartrain::train::LearningRateFinder;
///
/// let data = toy::sine::<f32>(400, 0.1, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
/// let network = Network::new(layers)?;
/// let curve = LearningRateFinder::new().run(&network, MeanSquaredError, Sgd::new(0.0), &data)?;
/// let rate = curve.suggestion().expect("a loss that falls");
/// assert!((0.001..2.0).contains(&rate), "{rate}");
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRateFinder {
    from: f64,
    to: f64,
    steps: usize,
    batch_size: usize,
    seed: u64,
}

impl Default for LearningRateFinder {
    fn default() -> Self {
        LearningRateFinder::new()
    }
}

/// The largest number of rows to measure the loss on.
const SAMPLE: usize = 1000;
/// A loss that exceeds the smallest one *b* by more than this times |*b*| ends the test.
const DIVERGED: f64 = 3.0;
/// The relative decrease of the loss that a suggestion requires.
const LEAST_DESCENT: f64 = 0.05;
/// Slopes are differences over this many points to either side.
const REACH: usize = 3;

impl LearningRateFinder {
    /// 100 steps from 1e-6 to 10, with batches of 32 rows in the order of seed 0.
    pub fn new() -> Self {
        LearningRateFinder { from: 1e-6, to: 10.0, steps: 100, batch_size: 32, seed: 0 }
    }

    /// The first and the last rate, both finite, with 0 < `from` < `to`.
    pub fn range(mut self, from: f64, to: f64) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    /// Steps from the first to the last rate, at least 2. More steps give a smoother curve, but
    /// also let the copy learn more on the way.
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Rows per step, as [`Training::batch_size`]. The best rate depends on it.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Seed of the order of rows.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The curve for a copy of `network`. The optimizer's own learning rate is not used. The test
    /// ends early where the loss explodes.
    ///
    /// # Errors
    /// [`Error::Argument`], and every error of [`Training::fit`] before its first step.
    pub fn run<F: Scalar>(
        &self,
        network: &Network<F>,
        loss: impl Loss<F>,
        mut optimizer: impl Optimizer<F>,
        data: &Dataset<F>,
    ) -> Result<LearningRateCurve, Error> {
        let LearningRateFinder { from, to, steps, .. } = *self;
        require(from.is_finite() && from > 0.0, "first learning rate", "a finite number above 0", from)?;
        require(to.is_finite() && to > from, "last learning rate", "finite and above the first", to)?;
        require(steps >= 2, "steps", "at least 2", steps)?;
        optimizer.set_learning_rate(from);
        let sample = data.select(&(0..data.rows().min(SAMPLE)).collect::<Vec<_>>())?;
        let mut sweep = Sweep {
            finder: *self,
            loss: &loss,
            sample,
            workspace: Workspace::new(),
            best: f64::INFINITY,
            points: Vec::new(),
        };
        let result = Training::new(&loss, optimizer)
            .epochs(steps)
            .batch_size(self.batch_size)
            .seed(self.seed)
            .callback(&mut sweep)
            .progress(false)
            .fit(&mut network.clone(), data);
        match result {
            Ok(_) | Err(Error::Diverged { .. }) => Ok(LearningRateCurve { points: sweep.points }),
            Err(error) => Err(error),
        }
    }
}

/// Measures the loss after every step, and multiplies the learning rate.
struct Sweep<'a, F, L> {
    finder: LearningRateFinder,
    loss: &'a L,
    sample: Dataset<F>,
    workspace: Workspace<F>,
    best: f64,
    points: Vec<RatePoint>,
}

impl<F: Scalar, L: Loss<F>> Callback<F> for Sweep<'_, F, L> {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, F>) -> CallbackResult {
        let LearningRateFinder { from, to, steps, .. } = self.finder;
        // A training pass, not a prediction: BatchNorm has not seen enough batches to predict.
        let (x, y) = (self.sample.x(), self.sample.y());
        let loss = step.network.gradients(self.loss, x, y, &mut self.workspace, None)?;
        if !loss.is_finite() {
            return Ok(ControlFlow::Break(()));
        }
        self.points.push(RatePoint { rate: *step.learning_rate, loss });
        self.best = self.best.min(loss);
        if exceeds(loss, self.best, DIVERGED) || self.points.len() == steps {
            return Ok(ControlFlow::Break(()));
        }
        *step.learning_rate = from * libm::pow(to / from, self.points.len() as f64 / (steps - 1) as f64);
        Ok(ControlFlow::Continue(()))
    }
}

/// The result of [`LearningRateFinder::run`]: losses over learning rates.
#[derive(Debug, Clone, PartialEq)]
pub struct LearningRateCurve {
    /// One point per step. Rates grow by a constant factor, and every number is finite.
    pub points: Vec<RatePoint>,
}

/// One step of a [`LearningRateFinder`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePoint {
    /// The learning rate of the step.
    pub rate: f64,
    /// The loss after the step.
    pub loss: f64,
}

impl LearningRateCurve {
    /// The rate before the smallest loss at which the loss falls fastest, per factor of the rate.
    /// `None` if the loss never falls by 5 %, or if there are too few points.
    pub fn suggestion(&self) -> Option<f64> {
        let loss = |i: usize| self.points[i].loss;
        let lowest = (0..self.points.len()).min_by(|&a, &b| loss(a).total_cmp(&loss(b)))?;
        if exceeds(loss(lowest), loss(0), -LEAST_DESCENT) {
            return None;
        }
        // Rates are a constant factor apart, so differences of the loss are slopes over the
        // logarithm of the rate.
        let slope = |i: usize| loss(i + REACH) - loss(i - REACH);
        let inside = REACH..(lowest + 1).saturating_sub(REACH);
        let steepest = inside.min_by(|&a, &b| slope(a).total_cmp(&slope(b)))?;
        Some(self.points[steepest].rate)
    }
}

/// `loss > base + share · |base|`, for losses above and below 0.
fn exceeds(loss: f64, base: f64, share: f64) -> bool {
    loss > base * (1.0 + share * base.signum())
}
