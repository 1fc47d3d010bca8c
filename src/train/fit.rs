//! The training loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{ArrayView2, s};

use super::history::{Epoch, History};
use super::progress::Progress;
use crate::data::{Batches, Dataset};
use crate::loss::{Weighted, check_weights};
use crate::network::Workspace;
use crate::optim::Clip;
use crate::optim::schedule::Schedule;
use crate::{Error, Loss, Network, Optimizer, Scalar, random, with_threads};

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
///     .quiet()
///     .fit(&mut network, &train)?;
/// let losses = history.validation_losses();
/// assert!(losses[19] < losses[0]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Training<'a, F, L, O> {
    loss: L,
    optimizer: O,
    epochs: usize,
    batch_size: usize,
    seed: u64,
    validation: Option<&'a Dataset<F>>,
    schedule: Option<Arc<dyn Schedule>>,
    clip: Option<Clip>,
    sample_weights: Option<&'a [f64]>,
    stop: Option<Arc<AtomicBool>>,
    allow_non_finite: bool,
    flush_subnormals: bool,
    threads: Option<usize>,
    quiet: bool,
}

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
            schedule: None,
            clip: None,
            sample_weights: None,
            stop: None,
            allow_non_finite: false,
            flush_subnormals: true,
            threads: None,
            quiet: false,
        }
    }

    /// Passes over the training data. 0 leaves the network as it is.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Rows per step, at least 1. More than there are means one batch of all rows. In a network that cannot be trained on
    /// one row ([`Network::smallest_batch`]), a last batch of one row joins the batch before it.
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

    /// How much each row of the training data counts, a finite number ≥ 0; see [`Weighted`]. The training loss in the history
    /// is the weighted one.
    pub fn sample_weights(mut self, weights: &'a [f64]) -> Self {
        self.sample_weights = Some(weights);
        self
    }

    /// Ends training before the next batch once `flag` is set, for instance by another thread or a signal handler.
    pub fn stop_flag(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Takes data with NaN or infinities in them. Training then ends as [`Error::Diverged`] at the first batch whose loss
    /// they spoil.
    pub fn allow_non_finite(mut self) -> Self {
        self.allow_non_finite = true;
        self
    }

    /// Whether gradients that vanish become 0 before they slow the processor down; `true` unless said otherwise here.
    /// See [`Workspace::flush_subnormals`].
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

    /// No progress on stderr.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Trains `network` on `data`. The same network, data and seed give the same weights, bit for bit.
    ///
    /// The optimizer keeps its state, so a second call goes on where the first ended (with the order of rows of epoch 1).
    ///
    /// # Errors
    /// Before the first step: arguments outside their domain, data that do not fit the network or the loss, NaN or
    /// infinities in data or weights. Later: [`Error::Diverged`] as soon as the loss, a gradient or a weight would not be
    /// finite; the network then keeps its last finite weights.
    pub fn fit(&mut self, network: &mut Network<F>, data: &Dataset<F>) -> Result<History, Error> {
        self.check(network, data)?;
        let rate = self.optimizer.learning_rate();
        let history = match self.threads {
            Some(threads) => with_threads(threads, || self.run(network, data, rate)),
            None => self.run(network, data, rate),
        };
        self.optimizer.set_learning_rate(rate);
        history
    }

    /// All epochs. `rate` is the optimizer's own learning rate.
    fn run(&mut self, network: &mut Network<F>, data: &Dataset<F>, rate: f64) -> Result<History, Error> {
        let mut batches = Batches::new(data, self.batch_size, self.seed)?.smallest(network.smallest_batch());
        let count = batches.count();
        let mut workspace = Workspace::new().flush_subnormals(self.flush_subnormals);
        let mut history = History::default();
        let progress = Progress::new(self.epochs, self.quiet);
        let mut losses = Vec::new();
        for epoch in 0..self.epochs {
            let learning_rate = self.schedule.as_ref().map_or(rate, |s| s.rate(rate, epoch as u64, &losses));
            self.optimizer.set_learning_rate(learning_rate);
            batches.shuffle(epoch as u64);
            let mut sum = 0.0;
            for batch in 0..count {
                if self.stop.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                    history.stopped = true;
                    return Ok(history);
                }
                let weights = self
                    .sample_weights
                    .map(|weights| batches.rows(batch).iter().map(|&row| weights[row]).collect::<Vec<_>>());
                let (x, y) = batches.get(batch);
                let rows = x.nrows();
                let step = (epoch * count + batch) as u64;
                workspace.key = random::mix(self.seed, step);
                let loss = self.step(network, x, y, weights.as_deref(), &mut workspace);
                sum += rows as f64 * loss.map_err(|error| diverged(error, epoch, batch))?;
            }
            let train_loss = sum / data.rows() as f64;
            let validation_loss = match self.validation {
                Some(data) => Some(network.loss(&self.loss, data.x(), data.y())?),
                None => None,
            };
            losses.push(validation_loss.unwrap_or(train_loss));
            history.epochs.push(Epoch { train_loss, validation_loss, learning_rate });
            progress.epoch(epoch + 1, &history.epochs[epoch]);
        }
        Ok(history)
    }

    /// One batch: forward, backward, update. Returns the loss before the update.
    fn step(
        &mut self,
        network: &mut Network<F>,
        x: ArrayView2<F>,
        y: ArrayView2<F>,
        weights: Option<&[f64]>,
        workspace: &mut Workspace<F>,
    ) -> Result<f64, Error> {
        let loss = match weights {
            Some(weights) => network.gradients(&Weighted::new(&self.loss, weights), x, y, workspace, None)?,
            None => network.gradients(&self.loss, x, y, workspace, None)?,
        };
        if !loss.is_finite() {
            return Err(Error::NonFiniteLoss { value: loss });
        }
        if let Some(clip) = self.clip {
            clip.apply(network.layout(), &mut workspace.grads)?;
        }
        self.optimizer.step(network.params_mut(), &workspace.grads)?;
        network.fold_statistics(workspace)?;
        Ok(loss)
    }

    /// Everything that can be wrong before the first step.
    fn check(&self, network: &Network<F>, data: &Dataset<F>) -> Result<(), Error> {
        if self.threads == Some(0) {
            let (argument, expected) = ("threads", "at least 1");
            return Err(Error::Argument { argument, expected, got: "0".into() });
        }
        self.optimizer.check()?;
        self.schedule.as_ref().map_or(Ok(()), |schedule| schedule.check())?;
        self.clip.map_or(Ok(()), Clip::check)?;
        network.layout().check_finite("weight", network.params())?;
        network.check_batch(self.batch_size.max(1).min(data.rows()))?;
        for data in [Some(data), self.validation].into_iter().flatten() {
            if !self.allow_non_finite {
                data.check_finite()?;
            }
            let output = network.predict(data.x().slice(s![..1, ..]))?;
            // Every target is checked here, so that an error names its row in the data, not in a shuffled batch.
            let outputs = output.broadcast((data.rows(), network.outputs())).expect("one row, repeated");
            self.loss.check(outputs, data.y())?;
        }
        if let Some(weights) = self.sample_weights {
            check_weights(weights, data.rows())?;
        }
        Ok(())
    }
}

/// Numbers that are not finite, in a step, mean that training diverged in that step.
fn diverged(error: Error, epoch: usize, batch: usize) -> Error {
    match error {
        Error::NonFinite { .. } | Error::NonFiniteLoss { .. } => {
            Error::Diverged { epoch: epoch + 1, batch: batch + 1, cause: Box::new(error) }
        }
        other => other,
    }
}
