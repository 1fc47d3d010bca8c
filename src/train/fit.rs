//! The training loop.

use std::sync::atomic::Ordering;

use ndarray::{ArrayView2, s};

use super::callback::{EpochEnd, Flow, StepEnd};
use super::early_stopping::{Trainee, Watch};
use super::history::{Ending, Epoch, History};
use super::progress::Progress;
use super::sample_weights::SampleWeights;
use super::training::Training;
use crate::data::{Batches, Dataset};
use crate::error::require;
use crate::loss::Weighted;
use crate::network::Workspace;
use crate::optim::Clip;
use crate::{Error, Loss, Network, Optimizer, Scalar, random};

/// How far training is: enough, with the history, to go on from here.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Position {
    /// Complete epochs.
    pub epoch: usize,
    /// Complete batches of the epoch after them.
    pub batch: usize,
    /// Steps done.
    pub step: u64,
    /// The sum of the losses of the rows of those batches.
    pub loss_sum: f64,
}

impl<F: Scalar, L: Loss<F>, O: Optimizer<F>> Training<'_, F, L, O> {
    /// Trains `network` on `data`. The same network, data and seed give the same weights, bit for bit.
    ///
    /// The optimizer keeps its state, so a second call goes on where the first ended (with the order of rows of epoch 1).
    ///
    /// # Errors
    /// Before the first step: arguments outside their domain, data that do not fit the network or the loss, NaN or
    /// infinities in data or weights. Later: [`Error::Diverged`] as soon as the loss, a gradient or a weight would not be
    /// finite; the network then keeps its last finite weights, or the best ones with early stopping.
    /// [`Error::Callback`] when a callback fails. What was measured until then is in [`history`](Training::history).
    pub fn fit(&mut self, network: &mut Network<F>, data: &Dataset<F>) -> Result<History, Error> {
        let metrics = self.metrics.iter().map(|(name, _)| name.clone()).collect();
        self.history = History::new(metrics, self.validation.is_some());
        self.check(network, data)?;
        let mut trainee = Trainee { network, best: None };
        let mut position = Position::default();
        let own_rate = self.optimizer.learning_rate();
        let ended = self.train(&mut trainee, data, &mut position, own_rate);
        self.optimizer.set_learning_rate(own_rate);
        self.history.ended = ended?;
        Ok(self.history.clone())
    }

    /// The loop itself, from `position` to the last epoch or until something ends it.
    fn train(
        &mut self,
        trainee: &mut Trainee<'_, F>,
        data: &Dataset<F>,
        position: &mut Position,
        own_rate: f64,
    ) -> Result<Ending, Error> {
        let mut batches =
            Batches::new(data, self.batch_size, self.seed)?.smallest(trainee.network.smallest_batch());
        let mut weights = self.sample_weights.map(|w| SampleWeights::new(w, data.rows())).transpose()?;
        let mut watch = self.early_stopping.as_ref().map(|e| Watch::new(e, &self.history)).transpose()?;
        let mut workspace = Workspace::new();
        let progress = Progress::new(self.epochs, self.quiet);
        while position.epoch < self.epochs {
            if watch.as_ref().is_some_and(Watch::exhausted) {
                return Ok(Ending::EarlyStopping);
            }
            if let Some(schedule) = &self.schedule {
                let rate = schedule.rate(own_rate, position.epoch as u64, &self.history.losses());
                self.optimizer.set_learning_rate(rate);
            }
            batches.shuffle(position.epoch as u64);
            while position.batch < batches.count() {
                if self.stop.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                    return Ok(Ending::StopFlag);
                }
                let weights = weights.as_mut().map(|weights| weights.batch(batches.rows(position.batch)));
                let (x, y) = batches.get(position.batch);
                workspace.key = random::mix(self.seed, position.step);
                let loss = self.step(trainee.network, x, y, weights, &mut workspace);
                let loss = loss.map_err(|error| diverged(error, position))?;
                position.batch += 1;
                position.step += 1;
                position.loss_sum += x.nrows() as f64 * loss;
                if self.after_step(trainee.network, x, y, loss, &workspace.grads, position)? == Flow::Stop {
                    return Ok(Ending::Callback);
                }
            }
            let epoch = self.measure(trainee.network, data, position.loss_sum / data.rows() as f64)?;
            *position = Position { epoch: position.epoch + 1, batch: 0, loss_sum: 0.0, ..*position };
            if watch.as_mut().is_some_and(|watch| watch.improves(&epoch)) {
                trainee.keep();
                self.history.best = Some(self.history.epochs.len());
            }
            progress.epoch(position.epoch, &epoch);
            self.history.epochs.push(epoch);
            if self.after_epoch(trainee.network, position)? == Flow::Stop {
                return Ok(Ending::Callback);
            }
        }
        Ok(Ending::Finished)
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
            None => network.gradients(&self.loss, x, y, workspace, None)?,
            Some(weights) => network.gradients(&Weighted::new(&self.loss, weights), x, y, workspace, None)?,
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

    /// What is measured at the end of an epoch.
    fn measure(&self, network: &Network<F>, data: &Dataset<F>, train_loss: f64) -> Result<Epoch, Error> {
        let metrics = |output: ArrayView2<F>, target: ArrayView2<F>| {
            self.metrics.iter().map(|(_, metric)| metric(output, target)).collect::<Result<Vec<_>, _>>()
        };
        let mut epoch = Epoch {
            learning_rate: self.optimizer.learning_rate(),
            train_loss,
            validation_loss: None,
            train_metrics: Vec::new(),
            validation_metrics: Vec::new(),
        };
        if !self.metrics.is_empty() {
            epoch.train_metrics = metrics(network.predict(data.x())?.view(), data.y())?;
        }
        if let Some(validation) = self.validation {
            let output = network.predict(validation.x())?;
            self.loss.check(output.view(), validation.y())?;
            epoch.validation_loss = Some(self.loss.value(output.view(), validation.y()));
            epoch.validation_metrics = metrics(output.view(), validation.y())?;
        }
        Ok(epoch)
    }

    /// Calls the callbacks after a step. All of them are called, also when one of them wants to stop.
    fn after_step(
        &mut self,
        network: &Network<F>,
        x: ArrayView2<F>,
        y: ArrayView2<F>,
        loss: f64,
        grads: &[F],
        position: &Position,
    ) -> Result<Flow, Error> {
        let (epoch, step) = (position.epoch + 1, position.step);
        let mut flow = Flow::Continue;
        for callback in &mut self.callbacks {
            let mut learning_rate = self.optimizer.learning_rate();
            let event =
                &mut StepEnd { network, x, y, loss, grads, epoch, step, learning_rate: &mut learning_rate };
            let answer = callback.on_step_end(event);
            flow = flow.and(answer.map_err(|source| Error::Callback { epoch, step, source })?);
            self.optimizer.set_learning_rate(learning_rate);
        }
        Ok(flow)
    }

    /// The same after an epoch.
    fn after_epoch(&mut self, network: &Network<F>, position: &Position) -> Result<Flow, Error> {
        let (epoch, step, history) = (position.epoch, position.step, &self.history);
        let mut flow = Flow::Continue;
        for callback in &mut self.callbacks {
            let mut learning_rate = self.optimizer.learning_rate();
            let event = &mut EpochEnd { network, history, epoch, step, learning_rate: &mut learning_rate };
            let answer = callback.on_epoch_end(event);
            flow = flow.and(answer.map_err(|source| Error::Callback { epoch, step, source })?);
            self.optimizer.set_learning_rate(learning_rate);
        }
        Ok(flow)
    }

    /// Everything that can be wrong before the first step.
    fn check(&self, network: &Network<F>, data: &Dataset<F>) -> Result<(), Error> {
        self.optimizer.check()?;
        self.schedule.as_ref().map_or(Ok(()), |schedule| schedule.check())?;
        self.clip.map_or(Ok(()), Clip::check)?;
        network.layout().check_finite("weight", network.params())?;
        network.check_batch(self.batch_size.max(1).min(data.rows()))?;
        for (i, (name, _)) in self.metrics.iter().enumerate() {
            let is_new = self.metrics[..i].iter().all(|(earlier, _)| earlier != name);
            require(
                is_new && !name.is_empty() && name != "loss",
                "name of a metric",
                "new, and not `loss` or empty",
                name,
            )?;
        }
        if let Some(early_stopping) = &self.early_stopping {
            early_stopping.check(&self.history)?;
        }
        for data in [Some(data), self.validation].into_iter().flatten() {
            if !self.allow_non_finite {
                data.check_finite()?;
            }
            let output = network.predict(data.x().slice(s![..1, ..]))?;
            // Every target is checked here, so that an error names its row in the data, not in a shuffled batch.
            let outputs = output.broadcast((data.rows(), network.outputs())).expect("one row, repeated");
            self.loss.check(outputs, data.y())?;
        }
        Ok(())
    }
}

/// Numbers that are not finite, in a step, mean that training diverged in that step.
fn diverged(error: Error, position: &Position) -> Error {
    match error {
        Error::NonFinite { .. } | Error::NonFiniteLoss { .. } => {
            Error::Diverged { epoch: position.epoch + 1, batch: position.batch + 1, cause: Box::new(error) }
        }
        other => other,
    }
}
