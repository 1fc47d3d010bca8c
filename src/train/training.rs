//! How to train: every choice, with its default.

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

/// How to train: a loss, an optimizer, and for how long.
///
/// ```
/// use geartrain::{data::toy, prelude::*};
///
/// let (train, test) = toy::sine::<f64>(200, 0.1, 1)?.split(0.25, 1)?;
/// let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
/// let mut network = Network::new(layers, 1)?;
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
    pub(super) schedule: Option<Arc<dyn Schedule>>,
    pub(super) clip: Option<Clip>,
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
}

/// A function of `(output, target)`.
pub(super) type Metric<F> = Box<dyn Fn(&ArrayRef2<F>, &ArrayRef2<F>) -> Result<f64, Error> + Send>;

impl<'a, F: Scalar, L: Loss<F>, O: Optimizer<F>> Training<'a, F, L, O> {
    /// 100 epochs of batches of 32, shuffled with seed 0.
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
        }
    }

    /// Passes over the training data. 0 leaves the network as it is.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Rows per step, at least 1. More than there are means one batch of all rows. In a network that cannot be trained on
    /// one row ([`Network::min_batch_size`](crate::Network::min_batch_size)), a last batch of one row joins the batch
    /// before it.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Seed of the order of rows, which is another in every epoch, and of `Dropout`'s masks, others in every step.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Data whose loss is measured after every epoch, and which are not trained on.
    pub fn validation(mut self, data: &'a Dataset<F>) -> Self {
        self.validation = Some(data);
        self
    }

    /// Changes the learning rate from epoch to epoch, starting from the optimizer's own, which it has again afterwards.
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.schedule = Some(Arc::new(schedule));
        self
    }

    /// Limits the gradients before each step.
    pub fn clip(mut self, clip: Clip) -> Self {
        self.clip = Some(clip);
        self
    }

    /// One weight per row of the training data: the loss becomes the weighted mean *Σ wᵢ lᵢ / Σ wᵢ* of the losses of the
    /// rows, whatever the scale of the weights. A row of weight 2 counts as if it were there twice, one of weight 0 as if
    /// it were not there.
    ///
    /// So that the steps do not depend on which rows share a batch, the weights are scaled to a mean of 1 over **all** rows,
    /// and the loss of a batch is the mean of *wᵢ lᵢ* over its rows. Metrics and validation are not weighted.
    pub fn sample_weights(mut self, weights: &'a [f64]) -> Self {
        self.sample_weights = Some(weights);
        self
    }

    /// Measures `metric(output, target)` after every epoch on all training data and on the validation data, in
    /// prediction mode. The history has them as `train_` and `validation_` before `name`.
    pub fn metric(
        mut self,
        name: impl Into<String>,
        metric: impl Fn(&ArrayRef2<F>, &ArrayRef2<F>) -> Result<f64, Error> + Send + 'static,
    ) -> Self {
        self.metrics.push((name.into(), Box::new(metric)));
        self
    }

    /// Ends training when it no longer helps, and gives the best weights back however it ends.
    pub fn early_stopping(mut self, early_stopping: EarlyStopping) -> Self {
        self.early_stopping = Some(early_stopping);
        self
    }

    /// Calls the hooks of `callback`, after those that were given before it.
    pub fn callback(mut self, callback: &'a mut dyn Callback<F>) -> Self {
        self.callbacks.push(callback);
        self
    }

    /// Writes a checkpoint to `path` after every `every` epochs, at least 1, and when training ends without an error. Each
    /// replaces the one before it, and at every moment there is a complete one (see [`io::atomic`](crate::io::atomic)).
    ///
    /// A training that fails, for instance because it diverged, writes none: the last one is from before.
    pub fn checkpoint(mut self, path: impl Into<PathBuf>, every: usize) -> Self {
        self.checkpoint = Some((path.into(), every));
        self
    }

    /// Begins where the checkpoint at `path` was written, in the middle of an epoch too: weights, the optimizer's memory and
    /// learning rate, history, early stopping and the order of rows are what they were, and so the results are, bit for
    /// bit, those of a training that was never interrupted. What callbacks remember is theirs to save.
    ///
    /// Training goes on until there have been [`epochs`](Training::epochs) epochs in all, which may be more than before.
    /// Everything else must be the same, or `fit` returns [`FileProblem::OtherTraining`](crate::io::FileProblem) with the
    /// difference and changes nothing; [`load_checkpoint_weights`](super::load_checkpoint_weights) takes the weights alone.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.resume = Some(path.into());
        self
    }

    /// Ends training before the next batch once `flag` is set, for instance by another thread or a signal handler.
    pub fn stop_flag(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Whether data may contain NaN or infinities. Training then ends with [`Error::Diverged`] at the first batch whose
    /// loss is not finite. Default: `false`.
    pub fn allow_non_finite(mut self, allow: bool) -> Self {
        self.allow_non_finite = allow;
        self
    }

    /// Whether gradients that vanish become 0 before they slow the processor down; `true` unless said otherwise here.
    /// See [`Workspace::flush_subnormals`](crate::Workspace::flush_subnormals).
    pub fn flush_subnormals(mut self, flush: bool) -> Self {
        self.flush_subnormals = flush;
        self
    }

    /// How many threads share the larger matrix products and activations, at least 1; all cores unless said otherwise
    /// here. The weights come out the same, bit for bit.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Whether to write progress to stderr: a bar on a terminal, at most 20 lines elsewhere. Default: `true`.
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// The history of the last [`fit`](Training::fit): also of one that ended with an error, as far as it came.
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
