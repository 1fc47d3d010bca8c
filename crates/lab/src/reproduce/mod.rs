//! Results of the literature on random networks, beside what these networks measure.
//!
//! An [`Experiment`] gives [`Row`]s: a setting, the number that is predicted, the number that is
//! measured, and the tolerance between them. `geartrain reproduce` prints them.
//!
//! To add an experiment, write a function `fn(&mut Rows) -> Outcome` in the file of its kind and
//! list it in [`EXPERIMENTS`] with its source. To add a row, call [`Rows::within`],
//! [`Rows::below`] or [`Rows::above`] in such a function.
//!
//! | file | experiments |
//! |---|---|
//! | `signals` | sizes of signals and gradients in wide networks |
//! | `jacobians` | singular values, and correlations of gradients |
//! | `training` | consequences for training |
//! | `digits` | images of digits, and the depth at which they are still learned |
//! | `stability` | curvature during training |
//! | `width` | changes by width, the tangent kernel, gradient noise |
//! | `closed_forms` | networks and errors known in closed form |

mod closed_forms;
mod digits;
mod jacobians;
mod signals;
mod stability;
mod training;
mod width;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use geartrain::Error;
use geartrain::data::DataError;

use crate::numbers::mean_and_error;

/// A result of the literature.
#[derive(Debug, Clone, Copy)]
pub struct Experiment {
    /// A short name, such as `depth-scale`.
    pub name: &'static str,
    /// The result in a line.
    pub what: &'static str,
    /// Where the result is from, such as `He et al. 2015`.
    pub source: &'static str,
    /// Whether it takes minutes instead of seconds.
    pub slow: bool,
    run: fn(&mut Rows) -> Outcome,
}

/// One number of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The measured quantity and the network.
    pub setting: String,
    /// The published or computed number.
    pub predicted: f64,
    /// The measured number.
    pub measured: Measured,
    /// How the two must compare.
    pub check: Check,
}

/// A measured number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The mean over the seeds.
    pub value: f64,
    /// The standard error of the mean; 0 where nothing is random.
    pub error: f64,
}

/// When a [`Row`] passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    /// The measured and the predicted number are at most this far apart.
    Within(f64),
    /// The measured number is less than the predicted one.
    Below,
    /// The measured number is greater than the predicted one.
    Above,
}

/// Receives the rows of an experiment, and may stop it.
pub struct Rows<'a> {
    stop: Arc<AtomicBool>,
    receive: Box<dyn FnMut(Row) + 'a>,
}

/// The end of an experiment before its last row.
#[derive(Debug)]
pub enum Interruption {
    /// The stop flag was set.
    Stopped,
    /// A network could not be built, measured or trained.
    Failed(Error),
}

/// The result of an experiment's function.
pub type Outcome<T = ()> = Result<T, Interruption>;

const fn quick(
    name: &'static str,
    what: &'static str,
    source: &'static str,
    run: fn(&mut Rows) -> Outcome,
) -> Experiment {
    Experiment { name, what, source, slow: false, run }
}

const fn slow(
    name: &'static str,
    what: &'static str,
    source: &'static str,
    run: fn(&mut Rows) -> Outcome,
) -> Experiment {
    Experiment { name, what, source, slow: true, run }
}

/// All experiments, the slow ones last.
pub const EXPERIMENTS: &[Experiment] = &[
    quick("chain", "the chain rule through ten sigmoids of one unit", "exact", signals::chain),
    quick(
        "sigmoid",
        "a sigmoid network at Xavier initialisation, 512 wide, 20 deep",
        "mean field theory",
        signals::sigmoid,
    ),
    quick("relu", "ReLU networks below and at He initialisation", "He et al. 2015", signals::relu),
    quick("tanh", "tanh networks in order, at the edge and in chaos", "Poole et al. 2016", signals::tanh),
    quick("selu", "a SELU network at LeCun initialisation", "Klambauer et al. 2017", signals::selu),
    quick(
        "depth-scale",
        "the depth over which two inputs become equal",
        "Schoenholz et al. 2017",
        signals::depth_scale,
    ),
    quick(
        "residual",
        "residual sums double; scaled by 1/√depth they do not",
        "mean field theory",
        signals::residual,
    ),
    quick(
        "normalisation",
        "BatchNorm explodes ReLU; LayerNorm does not cure sigmoid",
        "Yang et al. 2019",
        signals::normalisation,
    ),
    quick(
        "euler",
        "weight gradients are blind in ReLU networks",
        "Euler's theorem on homogeneous functions",
        signals::euler,
    ),
    quick(
        "jacobian",
        "the spread of the Jacobian's singular values",
        "Pennington et al. 2017",
        jacobians::spread,
    ),
    quick(
        "shattering",
        "gradients of different inputs become unrelated with depth",
        "Balduzzi et al. 2017",
        jacobians::shattering,
    ),
    quick(
        "linear-mode",
        "deep linear learning does not slow down with depth",
        "Saxe et al. 2014",
        training::linear_mode,
    ),
    quick(
        "catapult",
        "large rates in a linear network of two layers",
        "Lewkowycz et al. 2020",
        stability::catapults,
    ),
    quick(
        "modular-addition",
        "addition mod 97 by weights in closed form",
        "Gromov 2023",
        closed_forms::modular_addition,
    ),
    quick(
        "double-descent",
        "the test error has a peak where features equal rows",
        "Belkin et al. 2019",
        closed_forms::double_descent,
    ),
    quick(
        "noise-scale",
        "the noise scale of the gradient, three ways",
        "McCandlish et al. 2018",
        width::noise,
    ),
    slow(
        "edge-of-stability",
        "the sharpness hovers at 2/η in gradient descent",
        "Cohen et al. 2021",
        stability::edge_of_stability,
    ),
    slow(
        "heavy-ball",
        "it hovers at (2 + 2β)/η; the one of nine settings in which it did, selected afterwards",
        "Cohen et al. 2021",
        stability::heavy_ball,
    ),
    slow(
        "coordinate-check",
        "changes after one step by width: standard grows, muP does not",
        "Yang and Hu 2021",
        width::coordinates,
    ),
    slow("kernel-change", "the tangent kernel changes as 1/width", "Jacot et al. 2018", width::kernel_change),
    slow(
        "trainable-depth",
        "ordered tanh networks learn up to about six correlation lengths of layers",
        "Schoenholz et al. 2017",
        digits::trainable_depth,
    ),
    slow("he", "22 and 30 ReLU layers: Xavier stalls, He learns", "He et al. 2015", training::he),
    slow(
        "sigmoid-depth",
        "training sigmoid networks of growing depth",
        "Glorot and Bengio 2010",
        training::sigmoid_depth,
    ),
    slow("cures", "what makes ten sigmoid layers train", "Ioffe and Szegedy 2015", training::cures),
    slow(
        "degradation",
        "plain against residual networks of growing depth",
        "He et al. 2016",
        training::degradation,
    ),
];

/// Published results that did not appear in our experiments, and what appeared instead.
pub const NOT_REPRODUCED: &[(&str, &str)] = &[
    (
        "the critical sharpness 2/η_c follows the largest eigenvalue",
        "it is the curvature along the gradient: 0.6 to 1 times the eigenvalue at initialisation, near 0 while the \
         sharpness rises",
    ),
    (
        "catapults of ReLU networks up to 12/λ₀",
        "one hidden layer of 512 units: all runs converge up to 3.8/λ₀, none from 5/λ₀ on with 20 rows",
    ),
    ("hovering at (2 + 2β)/η with β = 0.9", "of 18 runs, 10 diverge and 8 settle at 0.53 to 0.96 of it"),
    (
        "training ends at exactly six correlation lengths",
        "half of the training rows are learned at up to 1.45 times that depth in order; at the edge of chaos, training \
         fails at 84 layers of 64 units without any decay of gradients",
    ),
    (
        "a much better learning rate of muP at width 1024 on easy data",
        "the best rate shifts by a factor of 2 to 4 at most",
    ),
];

/// The results of `run` for the seeds 0, 1, …, each on its own thread.
fn on_threads<T: Send>(seeds: u64, run: impl Fn(u64) -> Outcome<T> + Sync) -> Outcome<Vec<T>> {
    let run = &run;
    std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..seeds).map(|seed| scope.spawn(move || geartrain::with_threads(1, || run(seed)))).collect();
        runs.into_iter().map(|run| run.join().expect("experiments do not panic")).collect()
    })
}

impl Experiment {
    /// Runs the experiment and gives its rows to `rows`, one by one.
    ///
    /// # Errors
    /// [`Interruption::Stopped`] soon after the flag of `rows` is set; [`Interruption::Failed`].
    pub fn run(&self, rows: &mut Rows) -> Outcome {
        (self.run)(rows)
    }
}

impl Row {
    /// Whether the measured number agrees with the predicted one. NaN never does.
    pub fn passes(&self) -> bool {
        let (measured, predicted) = (self.measured.value, self.predicted);
        match self.check {
            Check::Within(tolerance) => (measured - predicted).abs() <= tolerance,
            Check::Below => measured < predicted,
            Check::Above => measured > predicted,
        }
    }
}

impl Measured {
    /// The mean of `values`, one per seed, and its standard error.
    pub fn mean(values: &[f64]) -> Self {
        let (value, error) = mean_and_error(values);
        Measured { value, error }
    }

    /// e to the power of this logarithm.
    fn exp(self) -> Self {
        let value = self.value.exp();
        Measured { value, error: value * self.error }
    }

    fn times(self, factor: f64) -> Self {
        Measured { value: factor * self.value, error: factor * self.error }
    }
}

/// A number without randomness.
impl From<f64> for Measured {
    fn from(value: f64) -> Self {
        Measured { value, error: 0.0 }
    }
}

impl<'a> Rows<'a> {
    /// Calls `receive` with each row. Experiments end early when `stop` becomes true.
    pub fn new(stop: Arc<AtomicBool>, receive: impl FnMut(Row) + 'a) -> Self {
        Rows { stop, receive: Box::new(receive) }
    }

    /// A row whose numbers must be at most `tolerance` apart.
    ///
    /// # Errors
    /// [`Interruption::Stopped`] if the flag is set.
    pub fn within(
        &mut self,
        setting: impl Into<String>,
        predicted: f64,
        measured: impl Into<Measured>,
        tolerance: f64,
    ) -> Outcome {
        self.push(setting.into(), predicted, measured.into(), Check::Within(tolerance))
    }

    /// A row whose measured number must be less than `bound`.
    ///
    /// # Errors
    /// [`Interruption::Stopped`] if the flag is set.
    pub fn below(
        &mut self,
        setting: impl Into<String>,
        bound: f64,
        measured: impl Into<Measured>,
    ) -> Outcome {
        self.push(setting.into(), bound, measured.into(), Check::Below)
    }

    /// A row whose measured number must be greater than `bound`.
    ///
    /// # Errors
    /// [`Interruption::Stopped`] if the flag is set.
    pub fn above(
        &mut self,
        setting: impl Into<String>,
        bound: f64,
        measured: impl Into<Measured>,
    ) -> Outcome {
        self.push(setting.into(), bound, measured.into(), Check::Above)
    }

    fn push(&mut self, setting: String, predicted: f64, measured: Measured, check: Check) -> Outcome {
        (self.receive)(Row { setting, predicted, measured, check });
        if self.stop.load(Ordering::Relaxed) { Err(Interruption::Stopped) } else { Ok(()) }
    }

    /// The flag, for [`Training::stop_flag`](geartrain::Training::stop_flag).
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interruption::Stopped => f.write_str("stopped before the last row"),
            Interruption::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Interruption {}

impl From<Error> for Interruption {
    fn from(error: Error) -> Self {
        Interruption::Failed(error)
    }
}

impl From<DataError> for Interruption {
    fn from(error: DataError) -> Self {
        Interruption::Failed(error.into())
    }
}
