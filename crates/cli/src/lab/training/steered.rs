//! An optimizer whose momentum the page changes during training.

use geartrain::optim::State;
use geartrain::params::ParamsMut;
use geartrain::prelude::*;
use geartrain::settings::Settings;

use super::control::Control;

/// SGD with the momentum of a [`Control`], or any other optimizer as it is.
#[derive(Debug)]
pub struct Steered<'a> {
    inner: Box<dyn Optimizer<f64>>,
    /// For SGD only.
    control: Option<&'a Control>,
    momentum: Option<f64>,
}

impl<'a> Steered<'a> {
    pub fn new(inner: Box<dyn Optimizer<f64>>, control: Option<&'a Control>) -> Self {
        Steered { inner, control, momentum: None }
    }

    /// Takes a new momentum over, with the velocity.
    fn follow(&mut self) {
        let Some(momentum) = self.control.and_then(|control| control.steering().momentum) else { return };
        if self.momentum == Some(momentum) {
            return;
        }
        let mut sgd = Sgd::new(self.inner.learning_rate()).momentum(momentum);
        if momentum > 0.0 {
            let State { steps, vectors } = self.inner.state();
            let vectors = vectors.into_iter().map(|(name, vector)| (name, vector.to_vec())).collect();
            Optimizer::<f64>::set_state(&mut sgd, State { steps, vectors });
        }
        (self.inner, self.momentum) = (Box::new(sgd), Some(momentum));
    }
}

impl Optimizer<f64> for Steered<'_> {
    fn check(&self) -> Result<(), Error> {
        self.inner.check()
    }

    fn learning_rate(&self) -> f64 {
        self.inner.learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.inner.set_learning_rate(learning_rate);
    }

    fn step(&mut self, params: ParamsMut<'_, f64>, grads: &[f64]) -> Result<(), Error> {
        self.follow();
        self.inner.step(params, grads)
    }

    fn settings(&self) -> Settings {
        self.inner.settings()
    }

    fn state(&self) -> State<&[f64]> {
        self.inner.state()
    }

    fn set_state(&mut self, state: State<Vec<f64>>) {
        self.inner.set_state(state);
    }
}
