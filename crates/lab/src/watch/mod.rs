//! Training, watched: sharpness, noise, updates and the tangent kernel while a network trains.

mod findings;
mod noise;
mod rule;
mod trials;

use std::ops::ControlFlow;

use ndarray::{ArrayRef2, Axis};

use crate::curvature::{Curvature, EigenvalueDensity, Linearisation, TangentKernel};
use crate::experiment::Phase;
use crate::measure::Instrument;
use crate::numbers::norm;
use crate::tape::Tape;
use geartrain::network::Workspace;
use geartrain::train::{Callback, CallbackResult, StepEnd};
use geartrain::{Error, Loss, Network, Optimizer, Scalar};
use rule::Rule;

pub use findings::TrainingFinding;
pub use noise::{NoiseScale, noise_scale};
pub use trials::Trial;

/// Products with the Hessian in a measurement; the first one takes up to three times as many.
const PRODUCTS: usize = 8;
/// The cost of a measurement per measured row, in training steps per row of a batch: the products
/// at 8/3 each, one product along the gradient, two passes for norms and units, one for the noise,
/// and the kernel.
const COST: f64 = 36.0;
/// The part of the cost that does not depend on the rows, in training steps: the passes of few
/// rows for noise and kernel, and operations on vectors of parameters.
const FIXED: f64 = 68.0;
/// The nominal share of training time at the default interval.
const SHARE: f64 = 0.05;
/// Rows of the tangent kernel.
const KERNEL_ROWS: usize = 8;
/// Parts of the rows for the noise scale.
const PARTS: usize = 16;

/// Measures during training what decides over it: the largest eigenvalue of the Hessian beside the
/// largest stable one, the gradient and its noise, how far the weights of each layer move, the
/// change of the tangent kernel, and dead units. A [`Callback`] for
/// [`Training::callback`](geartrain::Training::callback).
///
/// A measurement on R rows takes up to `36 R / B + 68` training steps, where B is the batch size:
/// 35 to 90 for R = B in networks of 2 to 10 layers of 32 to 256 units. By default, there is one
/// after 20 times as many steps, at a cost of at most 5 % of training: every 2080 steps for R = B,
/// every 1540 for R = B/4. [`every`](Monitor::every) sets another interval, at a proportional cost
/// (`cargo bench -p geartrain-benches --bench recorder`).
///
/// Limits:
/// - Stability at `2/η` is a statement about gradient descent on the whole data set. With small
///   batches, the sharpness usually stays below it.
/// - The thresholds are those of plain and Nesterov momentum and of Adam. Other rules, and
///   optimizers with parameter groups, show no threshold.
/// - The noise scale is shown with its error or not at all.
/// - The tangent kernel is that of one random combination of the outputs on 8 rows.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
/// use geartrain_lab::Monitor;
/// let data = toy::sine::<f64>(64, 0.1, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
/// let mut network = Network::new(layers)?;
/// let mut monitor = Monitor::new(&MeanSquaredError, data.x(), data.y()).every(50);
/// Training::new(MeanSquaredError, Sgd::new(0.1))
///     .epochs(200)
///     .progress(false)
///     .callback(&mut monitor)
///     .fit(&mut network, &data)?;
/// let course = monitor.into_course("sine");
/// assert_eq!(course.records.len(), 8);
/// println!("{course}");
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Monitor<'a, F> {
    loss: &'a dyn Loss<F>,
    x: &'a ArrayRef2<F>,
    target: &'a ArrayRef2<F>,
    every: Option<u64>,
    batch_rows: usize,
    instrument: Instrument<F>,
    kernel: Option<TangentKernel>,
    /// The top eigenvector of the last measurement.
    top: Option<Vec<f64>>,
    /// The weights before the step of the next measurement.
    before: Vec<F>,
    records: Vec<TrainingRecord>,
}

/// One measurement of a [`Monitor`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrainingRecord {
    /// Steps done before.
    pub step: u64,
    /// The loss on the monitor's rows.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// The largest eigenvalue of the Hessian; for Adam, of the preconditioned one.
    pub sharpness: f64,
    /// An eigenvalue of that matrix is at most so far from `sharpness`.
    pub sharpness_error: f64,
    /// The largest stable sharpness at this learning rate: 2/η for gradient descent. `None` for an
    /// unknown rule.
    pub threshold: Option<f64>,
    /// The curvature along the gradient, of the same matrix.
    pub along_gradient: f64,
    /// The norm of the gradient.
    pub gradient: f64,
    /// The noise of the gradient; `None` for fewer than 16 rows.
    pub noise: Option<NoiseScale>,
    /// For each trainable tensor that is a matrix, its name and the norm of the last update over
    /// that of the weights. Empty for a measurement by hand.
    pub updates: Vec<(String, f64)>,
    /// The relative change of the tangent kernel since the first measurement.
    pub kernel_change: f64,
    /// `σw` and `σb`, the place in the [phase diagram](crate::Phase); `None` unless the network is
    /// a plain stack of linear layers and one kind of activation.
    pub phase: Option<(f64, f64)>,
    /// Path and name of each activation, the fraction of its units that are dead on all rows, and
    /// the fraction of saturated slopes.
    pub units: Vec<(String, f64, f64)>,
}

impl TrainingRecord {
    /// The sharpness over the largest stable one: 1 at the edge of stability.
    pub fn stability(&self) -> Option<f64> {
        self.threshold.map(|threshold| self.sharpness / threshold)
    }
}

/// The measurements of one training run. `{}` prints a table and the findings.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrainingCourse {
    /// The network's name.
    pub name: String,
    /// Measurements in the order of training.
    pub records: Vec<TrainingRecord>,
    /// Rows of a training batch; 0 if unknown.
    pub batch_rows: usize,
    /// Rows of the measurements.
    pub rows: usize,
    /// The density of the Hessian's eigenvalues at the end, for a [`Report`](crate::Report).
    pub density: Option<EigenvalueDensity>,
    /// Training beside that of the linearised network, for a [`Report`](crate::Report).
    pub linearisation: Option<Linearisation>,
}

impl<'a, F: Scalar> Monitor<'a, F> {
    /// Measures on the batch `x`, `(rows, inputs)`, with `loss` and `target`. Shapes are checked by
    /// the first measurement; `fit` then returns [`Error::Callback`].
    pub fn new(loss: &'a dyn Loss<F>, x: &'a ArrayRef2<F>, target: &'a ArrayRef2<F>) -> Self {
        Monitor {
            loss,
            x,
            target,
            every: None,
            batch_rows: 0,
            instrument: Instrument::new(),
            kernel: None,
            top: None,
            before: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Sets the number of steps from one measurement to the next, at least 1.
    pub fn every(mut self, steps: u64) -> Self {
        self.every = Some(steps.max(1));
        self
    }

    /// Measures `network` now. The tangent kernel of the first measurement is the one that later
    /// ones are compared with.
    ///
    /// # Errors
    /// As [`Curvature::top`].
    pub fn record(
        &mut self,
        step: u64,
        network: &Network<F>,
        optimizer: &dyn Optimizer<F>,
    ) -> Result<&TrainingRecord, Error> {
        let rule = Rule::of(optimizer);
        let learning_rate = optimizer.learning_rate();
        let measured = self.instrument.measure(network, self.loss, self.x.view(), self.target.view())?;
        let mut workspace = Workspace::new();
        network.gradients(self.loss, self.x, self.target, &mut workspace, None)?;
        let gradient = norm(&workspace.grads);
        let products = if self.top.is_some() { PRODUCTS } else { 3 * PRODUCTS };
        let curvature = Curvature::new(network, self.loss, self.x, self.target);
        let mut curvature = curvature.tolerance(2e-3).max_products(products);
        if let Some(factors) = rule.as_ref().and_then(Rule::factors) {
            // the gradient of the preconditioned loss
            workspace.grads.iter_mut().zip(&factors).for_each(|(g, factor)| *g *= F::of(*factor));
            curvature = curvature.scaled(factors)?;
        }
        if let Some(top) = self.top.take() {
            curvature = curvature.start(top)?;
        }
        let along_gradient = curvature.along(&workspace.grads)?;
        let mut top = curvature.top(1)?;
        self.top = top.vectors.pop();
        let few = self.x.slice_axis(Axis(0), (..self.x.nrows().min(KERNEL_ROWS)).into());
        let kernel = TangentKernel::projected(network, &few)?;
        let kernel_change = self.kernel.as_ref().map_or(0.0, |first| kernel.change_from(first));
        self.kernel.get_or_insert(kernel);
        let enough = self.x.nrows() >= PARTS && self.x.nrows() / PARTS >= network.min_batch_size();
        let noise = || noise_scale(network, self.loss, self.x, self.target, PARTS);
        let noise = enough.then(noise).transpose()?;
        let units = measured.layers.iter().filter_map(|layer| {
            let name = format!("{} ({})", layer.path, layer.layer);
            layer.units.map(|units| (name, units.dead, units.saturated))
        });
        let record = TrainingRecord {
            step,
            loss: measured.loss.unwrap_or(f64::NAN),
            learning_rate,
            sharpness: top.values[0],
            sharpness_error: top.errors[0],
            threshold: rule.map(|rule| rule.bound / learning_rate).filter(|bound| bound.is_finite()),
            along_gradient,
            gradient,
            noise,
            updates: self.updates(network),
            kernel_change,
            phase: Phase::place(&Tape::new(network, few)?).map(|(_, place)| place),
            units: units.collect(),
        };
        self.records.push(record);
        Ok(self.records.last().expect("one was pushed"))
    }

    /// The update-to-weight ratio of each trainable matrix since `before`.
    fn updates(&mut self, network: &Network<F>) -> Vec<(String, f64)> {
        if self.before.len() != network.params().len() {
            return Vec::new();
        }
        let matrices = network.layout().iter().filter(|(spec, _)| spec.trainable && spec.shape.len() == 2);
        let ratio = |range: std::ops::Range<usize>| {
            let (now, before) = (&network.params()[range.clone()], &self.before[range]);
            let update: Vec<f64> = now.iter().zip(before).map(|(a, b)| a.as_f64() - b.as_f64()).collect();
            norm(&update) / norm(before)
        };
        let ratios = matrices.map(|(spec, range)| (spec.name.clone(), ratio(range))).collect();
        self.before.clear();
        ratios
    }

    /// The measurements so far.
    pub fn records(&self) -> &[TrainingRecord] {
        &self.records
    }

    /// The measurements under a name, for findings and a [`Report`](crate::Report).
    pub fn into_course(self, name: &str) -> TrainingCourse {
        TrainingCourse {
            name: name.into(),
            records: self.records,
            batch_rows: self.batch_rows,
            rows: self.x.nrows(),
            density: None,
            linearisation: None,
        }
    }
}

impl<F: Scalar> Callback<F> for Monitor<'_, F> {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, F>) -> CallbackResult {
        self.batch_rows = self.batch_rows.max(step.x.nrows());
        let default = (COST * self.x.nrows() as f64 / self.batch_rows as f64 + FIXED) / SHARE;
        let every = *self.every.get_or_insert(default.ceil() as u64);
        if step.step.is_multiple_of(every) {
            self.record(step.step, step.network, step.optimizer)?;
        }
        if (step.step + 1).is_multiple_of(every) {
            self.before.clear();
            self.before.extend_from_slice(step.network.params());
        }
        Ok(ControlFlow::Continue(()))
    }
}
