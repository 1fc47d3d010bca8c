//! A callback that records, and a small network to train.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use geartrain::data::{Dataset, toy};
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, EpochEnd, StepEnd};
use ndarray::ArrayRef2;

pub fn network() -> Network<f64> {
    let layers = Sequential::new().then(Linear::new(1, 6)).then(Tanh).then(Linear::new(6, 1));
    Network::new(layers).unwrap().with_seed(5)
}

pub fn training<'a>() -> Training<'a, f64, MeanSquaredError, Sgd<f64>> {
    Training::new(MeanSquaredError, Sgd::new(0.05).momentum(0.9)).epochs(8).batch_size(10).progress(false)
}

pub fn data() -> Dataset<f64> {
    toy::sine(40, 0.1, 2).unwrap()
}

pub fn mse(output: &ArrayRef2<f64>, target: &ArrayRef2<f64>) -> Result<f64, Error> {
    Ok(MeanSquaredError.value(output, target))
}

/// A metric that returns these values in turn, and then the last one.
pub fn script(values: Vec<f64>) -> impl Fn(&ArrayRef2<f64>, &ArrayRef2<f64>) -> Result<f64, Error> + Send {
    let calls = Cell::new(0);
    move |_, _| Ok(values[calls.replace(calls.get() + 1).min(values.len() - 1)])
}

/// What a [`Recorder`] does besides recording.
pub enum Action {
    Nothing,
    StopAtStep(u64),
    StopAtEpoch(usize),
    FailAtStep(u64),
    PanicAtStep(u64),
    SetRate(u64, f64),
    SetFlag(u64, Arc<AtomicBool>),
}

pub struct Recorder {
    pub action: Action,
    pub steps: Vec<(usize, u64, f64)>,
    /// The weights after every epoch.
    pub weights: Vec<Vec<f64>>,
}

pub fn recorder(action: Action) -> Recorder {
    Recorder { action, steps: Vec::new(), weights: Vec::new() }
}

impl Callback<f64> for Recorder {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, f64>) -> CallbackResult {
        assert_eq!((step.x.dim(), step.y.dim()), ((10, 1), (10, 1)));
        assert_eq!(step.grads.len(), step.network.params().len());
        self.steps.push((step.epoch, step.step, *step.learning_rate));
        match &self.action {
            Action::StopAtStep(at) if *at == step.step => return Ok(ControlFlow::Break(())),
            Action::FailAtStep(at) if *at == step.step => return Err("failed on purpose".into()),
            Action::PanicAtStep(at) if *at == step.step => {
                self.action = Action::Nothing;
                panic!("failed on purpose")
            }
            Action::SetRate(at, rate) if *at == step.step => *step.learning_rate = *rate,
            Action::SetFlag(at, flag) if *at == step.step => flag.store(true, Ordering::Relaxed),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn on_epoch_end(&mut self, epoch: &mut EpochEnd<'_, f64>) -> CallbackResult {
        assert_eq!(epoch.history.epochs.len(), epoch.epoch);
        assert_eq!(epoch.step, 4 * epoch.epoch as u64);
        self.weights.push(epoch.network.params().to_vec());
        let stop = matches!(self.action, Action::StopAtEpoch(at) if at == epoch.epoch);
        Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
