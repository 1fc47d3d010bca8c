//! Stochastic gradient descent.

use super::{Memory, Optimizer, at_least_0, update_all};
use crate::error::require;
use crate::params::ParamsMut;
use crate::{Error, Scalar};

/// Stochastic gradient descent with momentum *μ*, dampening *τ*, weight decay *λ* and Nesterov's look-ahead, step for step
/// as `torch.optim.SGD` (Sutskever et al. 2013):
///
/// ```text
/// g ← ∂L/∂w + λ w
/// v ← g in the first step, μ v + (1 − τ) g after it     (only if μ > 0)
/// w ← w − lr · g            without momentum
/// w ← w − lr · v            with momentum
/// w ← w − lr · (g + μ v)    with Nesterov's
/// ```
///
/// ```
/// use geartrain::prelude::*;
/// let sgd = Sgd::<f32>::new(0.01).momentum(0.9).nesterov(true).weight_decay(1e-4);
/// assert!(sgd.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd<F> {
    learning_rate: f64,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    /// v, empty before the first step.
    velocity: Vec<F>,
}

impl<F: Scalar> Sgd<F> {
    /// Plain gradient descent: no momentum, dampening or weight decay. The rate must be finite and at least 0.
    pub fn new(learning_rate: f64) -> Self {
        Sgd {
            learning_rate,
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
            velocity: Vec::new(),
        }
    }

    /// Momentum *μ*, from 0 (the default) to below 1.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Dampening *τ* of the momentum, from 0 (the default) to 1.
    pub fn dampening(mut self, dampening: f64) -> Self {
        self.dampening = dampening;
        self
    }

    /// Weight decay *λ*, 0 by default: adds *λ w* to the gradient, that is *λ/2 |w|²* to the loss.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Whether to use Nesterov's momentum, which needs a momentum above 0 and no dampening. Default: `false`.
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }
}

impl<F: Scalar> Optimizer<F> for Sgd<F> {
    fn check(&self) -> Result<(), Error> {
        let Sgd { learning_rate, momentum, dampening, weight_decay, nesterov, .. } = *self;
        at_least_0("learning rate", learning_rate)?;
        require((0.0..1.0).contains(&momentum), "momentum", "in [0, 1)", momentum)?;
        require((0.0..=1.0).contains(&dampening), "dampening", "in [0, 1]", dampening)?;
        at_least_0("weight decay", weight_decay)?;
        if nesterov {
            require(momentum > 0.0, "momentum", "above 0 for Nesterov's momentum", momentum)?;
            require(dampening == 0.0, "dampening", "0 for Nesterov's momentum", dampening)?;
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn step(&mut self, params: ParamsMut<'_, F>, grads: &[F]) -> Result<(), Error> {
        Optimizer::<F>::check(self)?;
        let rate = F::of(self.learning_rate);
        let momentum = F::of(self.momentum);
        let decay = F::of(self.weight_decay);
        let largest = self.learning_rate.max(self.weight_decay);
        if self.momentum == 0.0 {
            return update_all(params, grads, largest, false, [], |w, g, []| {
                (w - rate * (g + decay * w), [])
            });
        }
        // In its first step the velocity is the gradient itself, without dampening.
        let first = self.velocity.len() != params.len();
        let fresh = if first { F::one() } else { F::of(1.0 - self.dampening) };
        if first {
            self.velocity = vec![F::zero(); params.len()];
        }
        let nesterov = self.nesterov;
        let result = update_all(params, grads, largest, false, [&mut self.velocity], |w, g, [v]| {
            let g = g + decay * w;
            let v = momentum * v + fresh * g;
            (w - rate * if nesterov { g + momentum * v } else { v }, [v])
        });
        if first && result.is_err() {
            self.velocity.clear();
        }
        result
    }

    fn memory(&mut self) -> Memory<'_, F> {
        let Sgd { momentum, dampening, weight_decay, nesterov, .. } = self;
        let rule = format!(
            "SGD(momentum {momentum}, dampening {dampening}, weight decay {weight_decay}, Nesterov {nesterov})"
        );
        Memory { rule, steps: None, vectors: vec![("velocity", &mut self.velocity)] }
    }
}
