//! Stochastic gradient descent.

use serde::Serialize;

use super::group::Groups;
use super::update::{Update, update_all};
use super::{Optimizer, ParamGroup, State, at_least_0, below_1};
use crate::error::require;
use crate::pace::Pace;
use crate::params::ParamsMut;
use crate::settings::Settings;
use crate::{Error, Scalar};

/// Stochastic gradient descent with momentum *μ*, dampening *τ*, weight decay *λ* and Nesterov's
/// momentum, step for step as `torch.optim.SGD` (Sutskever et al. 2013):
///
/// ```text
/// g ← ∂L/∂w + λ w
/// v ← g in the first step, μ v + (1 − τ) g after it     (only if μ > 0)
/// w ← w − lr · g            without momentum
/// w ← w − lr · v            with momentum
/// w ← w − lr · (g + μ v)    with Nesterov's momentum
/// ```
///
/// ```
/// use geartrain::prelude::*;
/// let sgd = Sgd::<f32>::new(0.01).momentum(0.9).nesterov(true).weight_decay(1e-4);
/// assert!(sgd.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(bound = "")]
pub struct Sgd<F> {
    #[serde(skip)]
    learning_rate: f64,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    #[serde(skip_serializing_if = "Groups::is_empty")]
    groups: Groups,
    /// v, empty before the first step.
    #[serde(skip)]
    velocity: Vec<F>,
    #[serde(skip)]
    pace: Pace,
}

impl<F: Scalar> Sgd<F> {
    /// Plain gradient descent, without momentum, dampening or weight decay. The learning rate is a
    /// finite number ≥ 0.
    pub fn new(learning_rate: f64) -> Self {
        Sgd {
            learning_rate,
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
            groups: Groups::default(),
            velocity: Vec::new(),
            pace: Pace::default(),
        }
    }

    /// Momentum *μ*, in [0, 1). Default: 0.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Dampening *τ* of the momentum, in [0, 1]. Default: 0.
    pub fn dampening(mut self, dampening: f64) -> Self {
        self.dampening = dampening;
        self
    }

    /// Weight decay *λ*, a finite number ≥ 0: adds *λ w* to the gradient, that is *λ/2 |w|²* to the
    /// loss. Default: 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Whether to use Nesterov's momentum, which requires a momentum above 0 and no dampening.
    /// Default: `false`.
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// Learning rate and weight decay for some of the parameters.
    pub fn group(mut self, group: ParamGroup) -> Self {
        self.groups.push(group);
        self
    }
}

impl<F: Scalar> Optimizer<F> for Sgd<F> {
    fn check(&self) -> Result<(), Error> {
        let Sgd { learning_rate, momentum, dampening, weight_decay, nesterov, .. } = *self;
        at_least_0("learning rate", learning_rate)?;
        below_1("momentum", momentum)?;
        require((0.0..=1.0).contains(&dampening), "dampening", "in [0, 1]", dampening)?;
        at_least_0("weight decay", weight_decay)?;
        if nesterov {
            require(momentum > 0.0, "momentum", "above 0 for Nesterov's momentum", momentum)?;
            require(dampening == 0.0, "dampening", "0 for Nesterov's momentum", dampening)?;
        }
        self.groups.check()
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn step(&mut self, params: ParamsMut<'_, F>, grads: &[F]) -> Result<(), Error> {
        Optimizer::<F>::check(self)?;
        let Sgd { learning_rate, momentum, dampening, weight_decay, nesterov, .. } = *self;
        let update = Update {
            learning_rate,
            weight_decay,
            groups: &self.groups,
            squares: false,
            decays_gradient: true,
        };
        if momentum == 0.0 {
            return update_all(params, grads, &mut self.pace, update, [], |rate, decay| {
                let [rate, decay] = [rate, decay].map(F::of);
                move |w, g, []| (w - rate * (g + decay * w), [])
            });
        }
        // In its first step the velocity is the gradient itself, without dampening.
        let first = self.velocity.len() != params.len();
        let fresh = if first { F::one() } else { F::of(1.0 - dampening) };
        if first {
            self.velocity = vec![F::zero(); params.len()];
        }
        let momentum = F::of(momentum);
        let result =
            update_all(params, grads, &mut self.pace, update, [&mut self.velocity], |rate, decay| {
                let [rate, decay] = [rate, decay].map(F::of);
                move |w, g, [v]| {
                    let g = g + decay * w;
                    let v = momentum * v + fresh * g;
                    (w - rate * if nesterov { g + momentum * v } else { v }, [v])
                }
            });
        if first && result.is_err() {
            self.velocity.clear();
        }
        result
    }

    fn settings(&self) -> Settings {
        Settings::new("SGD", self)
    }

    fn state(&self) -> State<&[F]> {
        State { steps: None, vectors: vec![("velocity", &self.velocity)] }
    }

    fn set_state(&mut self, mut state: State<Vec<F>>) {
        self.velocity = state.take("velocity");
    }
}
