//! The training loop.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use ndarray::{ArrayRef2, ArrayView2};

use super::callback::{EpochEnd, StepEnd};
use super::checkpoint::RunSettings;
use super::early_stopping::Watch;
use super::history::{Epoch, History, StopReason};
use super::progress::Progress;
use super::rows::{LocalRows, Rows, check};
use super::run::{Position, Run};
use super::sample_weights::SampleWeights;
use super::training::{Training, Unit};
use crate::data::{Dataset, Order};
use crate::error::require;
use crate::io;
use crate::layer::Kind;
use crate::loss::Weighted;
use crate::network::Workspace;
use crate::optim::Clip;
use crate::optim::schedule::Rates;
use crate::{Error, Layer, Loss, Network, Optimizer, Scalar, random, with_threads};

impl<F: Scalar, L: Loss<F>, O: Optimizer<F>> Training<'_, F, L, O> {
    /// Trains `network` on `data`. The same network, data and seed give the same weights, bit for
    /// bit: for any number of threads, on every operating system, and on every processor with
    /// fused multiply-add, that is x86-64 with AVX2 or AVX-512 and 64-bit ARM. Older processors,
    /// where [`instruction_set`](crate::instruction_set) returns `baseline`, round differently; so
    /// do layers and losses of your own that call the system's mathematics library (`f64::exp`).
    ///
    /// A second call for the same network continues with the optimizer's state, and with the order
    /// of rows of epoch 1. If the weights are not those that the last call ended with, because it
    /// is another network or they were changed, the optimizer's state is [reset](Optimizer::reset),
    /// and [`History::warnings`] says so.
    ///
    /// # Errors
    /// Before the first step: arguments outside their domain, data that do not fit the network or
    /// the loss, NaN or infinities in data or weights, a checkpoint path that cannot be written.
    /// Later: [`Error::Diverged`] as soon as the loss, a gradient or a weight would not be finite;
    /// the network then keeps its last finite weights, or the best ones with early stopping.
    /// [`Error::Callback`] if a callback fails. [`history`](Training::history) holds the
    /// measurements until then.
    pub fn fit(&mut self, network: &mut Network<F>, data: &Dataset<F>) -> Result<History, Error> {
        self.fit_rows(network, &mut LocalRows::new(data))
    }

    /// [`fit`](Training::fit) for rows that may be on several machines, where the same training
    /// runs at the same time. Validation rows and sample weights are those of all rows in every
    /// process.
    ///
    /// # Errors
    /// As [`fit`](Training::fit), and those of `rows`.
    pub fn fit_rows(&mut self, network: &mut Network<F>, rows: &mut dyn Rows<F>) -> Result<History, Error> {
        let metrics = self.metrics.iter().map(|(name, _)| name.clone()).collect();
        self.history = History::new(metrics, self.validation.is_some());
        self.check(network, rows)?;
        let weights_before = weights_hash(network);
        let order = Order::new(rows.rows(), self.batch_size, self.seed)?.smallest(network.min_batch_size());
        let mut run = Run::new(network, self.optimizer.learning_rate());
        run.watch = self.early_stopping.as_ref().map(|early| Watch::new(early, &self.history)).transpose()?;
        run.average = self.average_decay.map(|_| run.network.params().to_vec());
        let is_saved = self.checkpoint.is_some() || self.resume.is_some();
        let settings =
            if is_saved { self.settings(rows.fingerprint()?, run.network) } else { Default::default() };
        if let Some(path) = self.resume.clone() {
            let restored = self.restore(&path, &mut run, &settings, order.count());
            rows.agree(restored.map_err(Error::from))?;
        }
        let warnings = self.warnings(run.network);
        self.history.warnings.extend(warnings);
        // After a panic, `trained` is unknown, and the state is kept.
        if self.trained.take().is_some_and(|trained| trained != weights_before) && self.resume.is_none() {
            self.optimizer.reset();
            let warning = "the optimizer's state belonged to other weights and was reset";
            self.history.warnings.push(warning.to_string());
        }
        let ended = match self.threads {
            Some(threads) => with_threads(threads, || self.run(&mut run, rows, order, &settings)),
            None => self.run(&mut run, rows, order, &settings),
        };
        let ended = ended.and_then(|ending| self.save(&mut run, &settings, rows).map(|()| ending));
        self.optimizer.set_learning_rate(run.own_rate);
        drop(run);
        self.trained = Some(weights_hash(network));
        self.history.stop_reason = ended?;
        Ok(self.history.clone())
    }

    /// The loop, from the position of `run` to the last epoch or an earlier end.
    fn run(
        &mut self,
        run: &mut Run<'_, F>,
        rows: &mut dyn Rows<F>,
        mut order: Order,
        settings: &RunSettings,
    ) -> Result<StopReason, Error> {
        let mut weights = self.sample_weights.map(|w| SampleWeights::new(w, rows.rows())).transpose()?;
        let mut workspace = Workspace::new().flush_subnormals(self.flush_subnormals);
        let schedule = self.schedule.clone();
        let mut rates = schedule.as_ref().map(|(schedule, unit)| (schedule.follow(run.own_rate), *unit));
        // The losses that the schedule reads.
        let mut losses = Vec::new();
        let progress =
            if self.progress { Progress::new(self.epochs, &self.history) } else { Progress::Silent };
        while run.position.epoch < self.epochs {
            if run.watch.as_ref().is_some_and(Watch::exhausted) {
                return Ok(StopReason::EarlyStopping);
            }
            // A single batch needs no order, and then no copy.
            if order.count() > 1 {
                order.shuffle(run.position.epoch as u64);
            }
            while run.position.batch < order.count() {
                if self.stop.as_ref().is_some_and(|flag| rows.stops(flag.load(Ordering::Relaxed))) {
                    return Ok(StopReason::StopFlag);
                }
                if let Some((rates, unit)) = &mut rates {
                    self.set_learning_rate(run.position, rates, *unit, &mut losses);
                }
                let batch = order.rows(run.position.batch);
                let weighted = weights.as_mut().map(|all| Weighted::new(&self.loss, all.batch(batch)));
                let loss: &dyn Loss<F> = weighted.as_ref().map_or(&self.loss, |weighted| weighted);
                rows.load(&order, run.position.batch, run.network, loss)?;
                workspace.key = random::mix(self.seed, run.position.step);
                let loss = rows.gradients(run.network, loss, &mut workspace);
                let stepped = loss.and_then(|loss| self.step(run.network, loss, &mut workspace));
                let loss = stepped.map_err(|error| diverged(error, run.position))?;
                run.position.batch += 1;
                run.position.step += 1;
                run.position.loss_sum += batch.len() as f64 * loss;
                if let Some(decay) = self.average_decay {
                    run.update_average(decay);
                }
                let (x, y) = rows.batch();
                if self.after_step(run, x, y, loss, &workspace.grads)?.is_break() {
                    return Ok(StopReason::Callback);
                }
            }
            run.swap_average();
            let measured = self.end_epoch(run, rows);
            run.swap_average();
            measured?;
            progress.epoch(&self.history);
            if self.after_epoch(run)?.is_break() {
                return Ok(StopReason::Callback);
            }
            if self.checkpoint.as_ref().is_some_and(|(_, every)| run.position.epoch.is_multiple_of(*every)) {
                self.save(run, settings, rows)?;
            }
        }
        Ok(StopReason::Finished)
    }

    /// Asks the schedule for the learning rate: before each step, or before the first step of each
    /// epoch.
    fn set_learning_rate(
        &mut self,
        Position { epoch, batch, step, .. }: Position,
        rates: &mut Rates<'_>,
        unit: Unit,
        losses: &mut Vec<f64>,
    ) {
        let rate = match unit {
            Unit::Step => rates(step, &[]),
            Unit::Epoch if batch == 0 => {
                losses.extend(self.history.epochs[losses.len()..].iter().map(Epoch::loss));
                rates(epoch as u64, losses)
            }
            Unit::Epoch => return,
        };
        self.optimizer.set_learning_rate(rate);
    }

    /// Measures a complete epoch, and keeps its weights if they are the best so far.
    fn end_epoch(&mut self, run: &mut Run<'_, F>, rows: &dyn Rows<F>) -> Result<(), Error> {
        let train_loss = run.position.loss_sum / rows.rows() as f64;
        let epoch = self.measure(run.network, rows, train_loss)?;
        run.position = Position { epoch: run.position.epoch + 1, batch: 0, loss_sum: 0.0, ..run.position };
        if run.watch.as_mut().is_some_and(|watch| watch.improves(&epoch)) {
            run.keep_weights();
            self.history.best = Some(self.history.epochs.len());
        }
        self.history.epochs.push(epoch);
        Ok(())
    }

    /// The update by the gradient of a batch. Returns its `loss`, which was before the update.
    fn step(
        &mut self,
        network: &mut Network<F>,
        loss: f64,
        workspace: &mut Workspace<F>,
    ) -> Result<f64, Error> {
        if !loss.is_finite() {
            return Err(Error::NonFiniteLoss { value: loss });
        }
        if let Some(clip) = self.clip {
            clip.apply(network.layout(), &mut workspace.grads)?;
        }
        self.optimizer.step(network.params_mut(), &workspace.grads)?;
        if network.layout().iter().any(|(spec, _)| !spec.trainable) {
            network.update_running_stats(workspace)?;
        }
        Ok(loss)
    }

    /// The measurements at the end of an epoch.
    fn measure(&self, network: &Network<F>, rows: &dyn Rows<F>, train_loss: f64) -> Result<Epoch, Error> {
        let metrics = |output: &ArrayRef2<F>, target: &ArrayRef2<F>| {
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
            let (output, target) = rows.predict(network)?;
            epoch.train_metrics = metrics(&output, &target)?;
        }
        if let Some(validation) = self.validation {
            let output = network.predict(validation.x())?;
            self.loss.check(&output, validation.y())?;
            epoch.validation_loss = Some(self.loss.value(&output, validation.y()));
            epoch.validation_metrics = metrics(&output, validation.y())?;
        }
        Ok(epoch)
    }

    /// Calls all callbacks after a step, also if one of them stops training.
    fn after_step(
        &mut self,
        run: &Run<'_, F>,
        x: ArrayView2<F>,
        y: ArrayView2<F>,
        loss: f64,
        grads: &[F],
    ) -> Result<ControlFlow<()>, Error> {
        let (network, epoch, step) = (&*run.network, run.position.epoch + 1, run.position.step);
        let mut flow = ControlFlow::Continue(());
        for callback in &mut self.callbacks {
            let learning_rate = &mut self.optimizer.learning_rate();
            let (x, y, optimizer) = (&*x, &*y, &self.optimizer as &dyn Optimizer<F>);
            let mut event = StepEnd { network, x, y, loss, grads, epoch, step, optimizer, learning_rate };
            let answer = callback.on_step_end(&mut event);
            self.optimizer.set_learning_rate(*learning_rate);
            if answer.map_err(|source| Error::Callback { epoch, step, source })?.is_break() {
                flow = ControlFlow::Break(());
            }
        }
        Ok(flow)
    }

    /// Calls all callbacks after an epoch.
    fn after_epoch(&mut self, run: &Run<'_, F>) -> Result<ControlFlow<()>, Error> {
        let Position { epoch, step, .. } = run.position;
        let (network, history) = (&*run.network, &self.history);
        let mut flow = ControlFlow::Continue(());
        for callback in &mut self.callbacks {
            let learning_rate = &mut self.optimizer.learning_rate();
            let mut event = EpochEnd { network, history, epoch, step, learning_rate };
            let answer = callback.on_epoch_end(&mut event);
            self.optimizer.set_learning_rate(*event.learning_rate);
            if answer.map_err(|source| Error::Callback { epoch, step, source })?.is_break() {
                flow = ControlFlow::Break(());
            }
        }
        Ok(flow)
    }

    /// Finds every error that can be found before the first step.
    fn check(&self, network: &Network<F>, rows: &mut dyn Rows<F>) -> Result<(), Error> {
        self.optimizer.check()?;
        require(self.threads != Some(0), "threads", "at least 1", 0)?;
        if let Some((schedule, unit)) = &self.schedule {
            schedule.check()?;
            let holds = *unit == Unit::Epoch || !schedule.uses_losses();
            let got = format_args!("{schedule:?}");
            require(holds, "schedule per step", "a schedule that does not use losses", got)?;
        }
        self.clip.map_or(Ok(()), Clip::check)?;
        if let Some(decay) = self.average_decay {
            require((0.0..1.0).contains(&decay), "decay of the average weights", "in [0, 1)", decay)?;
        }
        if let Some((_, every)) = self.checkpoint {
            require(every > 0, "epochs between checkpoints", "at least 1", every)?;
        }
        network.layout().check_finite("weight", network.params())?;
        network.check_batch(self.batch_size.max(1).min(rows.rows()))?;
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
        rows.check(network, &self.loss, self.allow_non_finite)?;
        if let Some(validation) = self.validation {
            check(validation, network, &self.loss, self.allow_non_finite)?;
        }
        if let Some((path, _)) = &self.checkpoint {
            let writable = if rows.writes() { io::check_writable(path) } else { Ok(()) };
            rows.agree(writable.map_err(Error::from))?;
        }
        Ok(())
    }

    /// Likely mistakes.
    fn warnings(&self, network: &Network<F>) -> Option<String> {
        let last = last_layer(network.layer());
        (self.loss.expects_logits() && (last == "Softmax" || last == "Sigmoid")).then(|| {
            let loss = self.loss.settings();
            let loss = loss.name();
            format!("the network ends in {last}, but {loss} expects logits: remove the last layer")
        })
    }
}

/// The name of the layer that writes the network's output.
fn last_layer<F: Scalar>(layer: &dyn Layer<F>) -> String {
    let description = layer.describe();
    match description.children.last() {
        Some(last) if description.kind == Kind::Sequential => last_layer(&**last.layer),
        _ => description.name,
    }
}

fn weights_hash<F: Scalar>(network: &Network<F>) -> u64 {
    random::hash(network.params().iter().map(|weight| weight.as_f64()))
}

/// A number that is not finite, in a step, means that training diverged in that step.
fn diverged(error: Error, position: Position) -> Error {
    match error {
        Error::NonFinite { .. } | Error::NonFiniteLoss { .. } => {
            Error::Diverged { epoch: position.epoch + 1, batch: position.batch + 1, cause: Box::new(error) }
        }
        other => other,
    }
}
