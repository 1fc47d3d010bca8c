//! How to train: every option, with its default.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ndarray::ArrayRef2;

use super::callback::Callback;
use super::early_stopping::EarlyStopping;
use super::history::History;
use crate::data::Dataset;
use crate::optim::Clip;
use crate::optim::schedule::Schedule;
use crate::{Error, Loss, Optimizer, Scalar};

/// How to train: a loss, an optimizer, and options.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
///
/// let (train, test) = toy::sine::<f64>(200, 0.1, 1)?.split(0.25, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
/// let mut network = Network::new(layers)?;
/// let history = Training::new(MeanSquaredError, Sgd::new(0.05).momentum(0.9))
///     .epochs(20)
///     .batch_size(16)
///     .validation(&test)
///     .progress(false)
///     .fit(&mut network, &train)?;
/// let losses = history.validation_losses();
/// assert!(losses[19] < losses[0]);
/// # Ok::<(), geartrain::Error>(())
/// ```
pub struct Training<'a, F, L, O> {
    pub(super) loss: L,
    pub(super) optimizer: O,
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    pub(super) seed: u64,
    pub(super) validation: Option<&'a Dataset<F>>,
    pub(super) sample_weights: Option<&'a [f64]>,
    pub(super) schedule: Option<(Arc<dyn Schedule>, Unit)>,
    pub(super) clip: Option<Clip>,
    pub(super) average_decay: Option<f64>,
    pub(super) metrics: Vec<(String, Metric<F>)>,
    pub(super) early_stopping: Option<EarlyStopping>,
    pub(super) callbacks: Vec<&'a mut dyn Callback<F>>,
    pub(super) checkpoint: Option<(PathBuf, usize)>,
    pub(super) resume: Option<PathBuf>,
    pub(super) stop: Option<Arc<AtomicBool>>,
    pub(super) allow_non_finite: bool,
    pub(super) flush_subnormals: bool,
    pub(super) threads: Option<usize>,
    pub(super) progress: bool,
    pub(super) history: History,
    /// A hash of the weights that the last `fit` ended with: the optimizer's state belongs to them.
    pub(super) trained: Option<u64>,
}

/// A function of `(output, target)`.
pub(super) type Metric<F> = Box<dyn Fn(&ArrayRef2<F>, &ArrayRef2<F>) -> Result<f64, Error> + Send>;

/// The time unit of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Epoch,
    Step,
}

impl<'a, F: Scalar, L: Loss<F>, O: Optimizer<F>> Training<'a, F, L, O> {
    /// 100 epochs of batches of 32 rows, shuffled with seed 0.
    pub fn new(loss: L, optimizer: O) -> Self {
        Training {
            loss,
            optimizer,
            epochs: 100,
            batch_size: 32,
            seed: 0,
            validation: None,
            sample_weights: None,
            schedule: None,
            clip: None,
            average_decay: None,
            metrics: Vec::new(),
            early_stopping: None,
            callbacks: Vec::new(),
            checkpoint: None,
            resume: None,
            stop: None,
            allow_non_finite: false,
            flush_subnormals: true,
            threads: None,
            progress: true,
            history: History::new(Vec::new(), false),
            trained: None,
        }
    }

    /// Passes over the training data. Default: 100. 0 leaves the network unchanged.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Rows per step, at least 1. Default: 32. A size above the number of rows gives one batch of
    /// all rows. If the network cannot be trained on one row (see
    /// [`Network::min_batch_size`](crate::Network::min_batch_size)), a last batch of one row joins
    /// the batch before it.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Seed of the order of rows, which differs from epoch to epoch unless one batch holds all, and
    /// of `Dropout`'s masks, which differ from step to step. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Data to measure the loss on after every epoch, without training on them. Default: none.
    pub fn validation(mut self, data: &'a Dataset<F>) -> Self {
        self.validation = Some(data);
        self
    }

    /// Changes the learning rate from epoch to epoch, starting from the optimizer's own, which is
    /// restored at the end. Replaces an earlier schedule. Default: none.
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.schedule = Some((Arc::new(schedule), Unit::Epoch));
        self
    }

    /// Changes the learning rate from step to step; otherwise as [`schedule`](Training::schedule).
    /// The schedule must not [use losses](Schedule::uses_losses).
    ///
    /// ```
    /// use geartrain::optim::schedule::{Chain, Cosine, WarmUp};
    /// use geartrain::{data::toy, prelude::*};
    ///
    /// let data = toy::sine::<f64>(320, 0.1, 1)?; // 10 steps per epoch
    /// let mut network = Network::new(Linear::new(1, 1))?;
    /// Training::new(MeanSquaredError, Sgd::new(0.1))
    ///     .epochs(10)
    ///     .schedule_per_step(Chain::new(WarmUp::new(15)).then(15, Cosine::new(85)))
    ///     .progress(false)
    ///     .fit(&mut network, &data)?;
    /// # Ok::<(), geartrain::Error>(())
    /// ```
    pub fn schedule_per_step(mut self, schedule: impl Schedule + 'static) -> Self {
        self.schedule = Some((Arc::new(schedule), Unit::Step));
        self
    }

    /// Clips the gradient before each step. Default: none.
    pub fn clip(mut self, clip: Clip) -> Self {
        self.clip = Some(clip);
        self
    }

    /// Keeps an exponential moving average *e* of all weights *w*: after step s (from 1),
    /// `e ← e + (1 − c)(w − e)` with `c = min(decay, (1 + s) / (10 + s))`, so that the initial
    /// weights are forgotten soon. Default: none.
    ///
    /// Validation, metrics and early stopping use the average, and the network holds it when
    /// training ends. `decay` is in [0, 1), for instance 0.99. Callbacks see the weights that are
    /// trained.
    pub fn average_weights(mut self, decay: f64) -> Self {
        self.average_decay = Some(decay);
        self
    }

    /// One weight per row of the training data: the loss becomes the weighted mean *Σ wᵢ lᵢ / Σ wᵢ*
    /// of the rows' losses, for every scale of the weights. A row of weight 2 counts twice, a row
    /// of weight 0 does not count. Default: none.
    ///
    /// So that the steps do not depend on which rows share a batch, the weights are scaled to a
    /// mean of 1 over **all** rows, and the loss of a batch is the mean of *wᵢ lᵢ* over its rows.
    /// Metrics and validation are not weighted.
    pub fn sample_weights(mut self, weights: &'a [f64]) -> Self {
        self.sample_weights = Some(weights);
        self
    }

    /// Measures `metric(output, target)` after every epoch, on all training data and on the
    /// validation data, in prediction mode. The history holds them as `train_` and `validation_`
    /// followed by `name`.
    pub fn metric(
        mut self,
        name: impl Into<String>,
        metric: impl Fn(&ArrayRef2<F>, &ArrayRef2<F>) -> Result<f64, Error> + Send + 'static,
    ) -> Self {
        self.metrics.push((name.into(), Box::new(metric)));
        self
    }

    /// Ends training when a value no longer improves, and restores the best weights on every way
    /// out. Default: none.
    pub fn early_stopping(mut self, early_stopping: EarlyStopping) -> Self {
        self.early_stopping = Some(early_stopping);
        self
    }

    /// Adds a callback, which runs after those added before.
    pub fn callback(mut self, callback: &'a mut dyn Callback<F>) -> Self {
        self.callbacks.push(callback);
        self
    }

    /// Writes a checkpoint to `path` after every `every` epochs, at least 1, and when training ends
    /// without an error. Each replaces the one before it atomically (see
    /// [`io::atomic`](crate::io::atomic)). Default: none.
    ///
    /// `fit` fails before the first step if the path cannot be written. Training that ends with an
    /// error, for instance because it diverged, writes no further checkpoint.
    pub fn checkpoint(mut self, path: impl Into<PathBuf>, every: usize) -> Self {
        self.checkpoint = Some((path.into(), every));
        self
    }

    /// Continues from the checkpoint at `path`, also from the middle of an epoch: weights, the
    /// optimizer's state and learning rate, history, early stopping and the order of rows are
    /// restored, so the results are, bit for bit, those of uninterrupted training. Callbacks have
    /// to save their own state.
    ///
    /// [`epochs`](Training::epochs) counts all epochs, and may be more than before. Every other
    /// setting must be the same, or `fit` changes nothing and returns
    /// [`FileProblem::OtherTraining`](crate::io::FileProblem) with the difference;
    /// [`load_checkpoint_weights`](super::load_checkpoint_weights) reads the weights alone.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.resume = Some(path.into());
        self
    }

    /// Ends training before the next batch once `flag` is `true`, for instance set by another
    /// thread or a signal handler.
    ///
    /// `fit` then returns its history with [`StopReason::StopFlag`](super::StopReason), and the
    /// network holds the weights so far, or the best ones with early stopping. If there is a
    /// [`checkpoint`](Training::checkpoint), it is written, and training can
    /// [`resume`](Training::resume) in the middle of the epoch. `fit` never clears the flag.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use geartrain::train::StopReason;
    /// use geartrain::{data::toy, prelude::*};
    ///
    /// let (data, flag) = (toy::sine::<f64>(100, 0.1, 1)?, Arc::new(AtomicBool::new(false)));
    /// // In a program: `ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed))`.
    /// let handler = flag.clone();
    /// handler.store(true, Ordering::Relaxed);
    /// let mut network = Network::new(Linear::new(1, 1))?;
    /// let training = Training::new(MeanSquaredError, Sgd::new(0.1)).stop_flag(flag);
    /// let mut training = training.progress(false);
    /// assert_eq!(training.fit(&mut network, &data)?.stop_reason, StopReason::StopFlag);
    /// # Ok::<(), geartrain::Error>(())
    /// ```
    pub fn stop_flag(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Whether data may contain NaN or infinities. Training then ends with [`Error::Diverged`] at
    /// the first batch whose loss is not finite. Default: `false`.
    pub fn allow_non_finite(mut self, allow: bool) -> Self {
        self.allow_non_finite = allow;
        self
    }

    /// Whether vanishing gradients are rounded to 0 before they slow the processor down. Default:
    /// `true`. See [`Workspace::flush_subnormals`](crate::network::Workspace::flush_subnormals).
    pub fn flush_subnormals(mut self, flush: bool) -> Self {
        self.flush_subnormals = flush;
        self
    }

    /// Threads for the larger matrix products and activations, at least 1. Default: one per core.
    /// The weights are the same, bit for bit, for any number of threads.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Whether to write progress and warnings to stderr: a bar on a terminal (with the feature
    /// `progress`), at most 20 lines elsewhere. Default: `true`.
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// The history of the last [`fit`](Training::fit), also if it ended with an error: everything
    /// measured until then.
    pub fn history(&self) -> &History {
        &self.history
    }
}

impl<F, L: fmt::Debug, O: fmt::Debug> fmt::Debug for Training<'_, F, L, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Training")
            .field("loss", &self.loss)
            .field("optimizer", &self.optimizer)
            .field("epochs", &self.epochs)
            .field("batch_size", &self.batch_size)
            .field("seed", &self.seed)
            .field("early_stopping", &self.early_stopping)
            .finish_non_exhaustive()
    }
}
