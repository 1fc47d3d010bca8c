//! Training of one network.

use std::ops::ControlFlow;

use geartrain::layers::{Dropout, Linear, ReLU, Sequential};
use geartrain::loss::Weighted;
use geartrain::network::Workspace;
use geartrain::optim::{AdamW, ParamGroup, update_average};
use geartrain::{Init, Loss, Network, Optimizer};
use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::encoder::Rows;

/// Rows that are encoded and predicted at once.
pub(super) const CHUNK: usize = 1024;
/// Steps between two reports within an epoch: a few milliseconds.
const REPORT: usize = 32;
/// The part of the steps in which the learning rate rises.
const WARM_UP: f64 = 0.05;
/// The part of the epochs after which a network may learn from its validation rows as well.
const ALL_ROWS_FROM: f64 = 0.5;
/// The part of the constant prediction's loss that its own must then be below.
const LITTLE_NOISE: f64 = 0.5;
/// The part of the epochs so far after which its loss must have been best: it still improves.
const RECENT: f64 = 0.9;
/// The decay of the moving average of the weights.
const AVERAGE: f64 = 0.99;

/// What all networks of a model have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub hidden: Vec<usize>,
    pub dropout: f64,
    pub learning_rate: f64,
    pub weight_decay: f64,
    pub batch: usize,
    pub epochs: usize,
}

/// The training data of a network: rows of a table, with encoded targets.
pub(crate) struct Task<'a> {
    pub rows: &'a Rows<'a>,
    /// Encoded targets, one row per row of the table.
    pub targets: &'a Array2<f32>,
    /// A weight per row of the table.
    pub weights: Option<&'a [f64]>,
    pub loss: &'a dyn Loss<f32>,
    /// The number of outputs of the network.
    pub outputs: usize,
    /// [`may_learn_from_all`](super::Task::may_learn_from_all)
    pub may_learn_from_all: bool,
}

/// The course of one training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberHistory {
    /// Rows that the network learned from, and rows that judged it.
    pub rows: (usize, usize),
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: usize,
    /// Mean loss of the training batches of each epoch, with dropout.
    pub train_loss: Vec<f64>,
    /// Loss on the validation rows after each epoch, of the averaged weights; empty without such
    /// rows, and only of the first epochs if the network learned from them as well later.
    pub validation_loss: Vec<f64>,
}

impl Plan {
    /// The untrained network.
    pub fn network(&self, inputs: usize, outputs: usize, seed: u64) -> Result<Network<f32>, Error> {
        let zeros = Init::constant(0.0);
        let mut layers = Sequential::new();
        let mut width = inputs;
        for &next in &self.hidden {
            let linear = Linear::new(width, next).init(Init::he_normal()).bias_init(zeros);
            layers = layers.then(linear).then(ReLU).then(Dropout::new(self.dropout));
            width = next;
        }
        let last = Linear::new(width, outputs).init(zeros).bias_init(zeros);
        Ok(Network::with_inputs(layers.then(last), inputs)?.with_seed(seed))
    }

    /// The learning rate when the part `t` of the training is done: a linear warm-up times a
    /// cosine.
    fn rate(&self, t: f64) -> f64 {
        self.learning_rate * (t / WARM_UP).min(1.0) * (0.5 + 0.5 * libm::cos(std::f64::consts::PI * t))
    }

    /// Trains one network on the rows `fit`, judged on the rows `validation`. `report` is called
    /// after each epoch, with `true`, and every [`REPORT`] steps within; it may end the training.
    /// The result depends on the arguments alone.
    pub fn train(
        &self,
        task: &Task<'_>,
        fit: &[usize],
        validation: &[usize],
        seed: u64,
        report: &dyn Fn(bool) -> ControlFlow<()>,
    ) -> Result<(Network<f32>, MemberHistory), Error> {
        let mut network = self.network(task.rows.width(), task.outputs, seed)?;
        // Holds the moving average of the weights.
        let mut average = network.clone();
        let mut best: Option<(f64, Vec<f32>)> = None;
        let mut history = MemberHistory {
            rows: (fit.len(), validation.len()),
            best_epoch: 0,
            train_loss: Vec::with_capacity(self.epochs),
            validation_loss: Vec::new(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order = fit.to_vec();
        let batch = self.batch.min(order.len());
        let mut optimizer = AdamW::new(self.learning_rate)
            .weight_decay(self.weight_decay)
            .group(ParamGroup::biases().weight_decay(0.0));
        let mut workspace = Workspace::new();
        let mut x = Array2::zeros((batch, task.rows.width()));
        let mut y = Array2::zeros((batch, task.targets.ncols()));
        let mut weights = Vec::with_capacity(batch);
        let (mut step, mut validation) = (0, validation);
        // The last layer starts at 0.
        let constant = if validation.is_empty() { 0.0 } else { self.judge(task, &network, validation)? };
        for epoch in 1..=self.epochs {
            order.shuffle(&mut rng);
            let (mut sum, mut taken, batches) = (0.0, 0, order.len() / batch);
            let mut stopped = false;
            for (i, rows) in order.chunks_exact(batch).enumerate() {
                step += 1;
                let done = (epoch - 1) as f64 + (i as f64 + 0.5) / batches as f64;
                task.rows.encode_all(rows, &mut x);
                for (&row, mut y) in rows.iter().zip(y.rows_mut()) {
                    y.assign(&task.targets.row(row));
                }
                workspace.key = seed ^ (step as u64).rotate_left(32);
                let weighted;
                let loss: &dyn Loss<f32> = match task.weights {
                    Some(all) => {
                        weights.clear();
                        weights.extend(rows.iter().map(|&row| all[row]));
                        weighted = Weighted::new(task.loss, &weights);
                        &weighted
                    }
                    None => task.loss,
                };
                let value = network.gradients(loss, &x, &y, &mut workspace, None)?;
                if !value.is_finite() {
                    return Err(Error::Diverged { epoch });
                }
                (sum, taken) = (sum + value, taken + 1);
                Optimizer::<f32>::set_learning_rate(&mut optimizer, self.rate(done / self.epochs as f64));
                optimizer.step(network.params_mut(), &workspace.grads).map_err(|error| match error {
                    geartrain::Error::NonFinite { .. } => Error::Diverged { epoch },
                    error => error.into(),
                })?;
                update_average(average.params_mut().values, network.params(), AVERAGE, step as u64);
                if taken % REPORT == 0 && report(false).is_break() {
                    stopped = true;
                    break;
                }
            }
            history.train_loss.push(sum / taken as f64);
            // An incomplete epoch is judged by nothing: the training must end at once.
            if !validation.is_empty() && !stopped {
                let loss = self.judge(task, &average, validation)?;
                if !loss.is_finite() {
                    return Err(Error::Diverged { epoch });
                }
                history.validation_loss.push(loss);
                // The last of equals.
                if best.as_ref().is_none_or(|(least, _)| loss <= *least) {
                    best = Some((loss, average.params().to_vec()));
                    history.best_epoch = epoch;
                }
                let halfway = epoch == (ALL_ROWS_FROM * self.epochs as f64).ceil() as usize;
                let improves = history.best_epoch as f64 >= RECENT * epoch as f64;
                let little_noise = loss < LITTLE_NOISE * constant;
                if task.may_learn_from_all && halfway && improves && little_noise && epoch < self.epochs {
                    order.extend(std::mem::take(&mut validation));
                    best = None;
                }
            }
            if best.is_none() {
                history.best_epoch = epoch;
            }
            if stopped || report(true).is_break() {
                break;
            }
        }
        if let Some((_, params)) = best {
            average.params_mut().values.copy_from_slice(&params);
        }
        Ok((average, history))
    }

    /// The loss of a network on the rows `validation`.
    fn judge(&self, task: &Task<'_>, network: &Network<f32>, validation: &[usize]) -> Result<f64, Error> {
        let mut y = Array2::zeros((validation.len(), task.targets.ncols()));
        for (&row, mut y) in validation.iter().zip(y.rows_mut()) {
            y.assign(&task.targets.row(row));
        }
        let output = outputs(network, task.rows, validation)?;
        Ok(match task.weights {
            Some(all) => {
                let weights: Vec<f64> = validation.iter().map(|&row| all[row]).collect();
                let total: f64 = weights.iter().sum();
                let mean = Weighted::new(task.loss, &weights).value(&output, &y);
                mean * validation.len() as f64 / total.max(f64::MIN_POSITIVE)
            }
            None => task.loss.value(&output, &y),
        })
    }
}

/// The raw outputs of a network for rows of a table, `(rows, outputs)`.
pub(super) fn outputs(
    network: &Network<f32>,
    rows: &Rows<'_>,
    chosen: &[usize],
) -> Result<Array2<f32>, Error> {
    let mut all = Array2::zeros((chosen.len(), network.outputs()));
    let mut x = Array2::zeros((CHUNK.min(chosen.len()), rows.width()));
    for (chunk, mut out) in chosen.chunks(CHUNK).zip(all.axis_chunks_iter_mut(ndarray::Axis(0), CHUNK)) {
        let mut x = x.slice_mut(ndarray::s![..chunk.len(), ..]);
        rows.encode_all(chunk, &mut x);
        out.assign(&network.predict(&x)?);
    }
    Ok(all)
}
