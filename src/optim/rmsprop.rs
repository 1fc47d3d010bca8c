//! RMSprop.

use super::{Memory, Optimizer, at_least_0, update_all};
use crate::error::require;
use crate::params::ParamsMut;
use crate::{Error, Scalar};

/// RMSprop (Tieleman and Hinton 2012; centred by Graves 2013) with momentum *μ* and weight decay *λ* as L2 regularisation,
/// step for step as `torch.optim.RMSprop`:
///
/// ```text
/// g ← ∂L/∂w + λ w
/// v ← α v + (1 − α) g²
/// a ← α a + (1 − α) g                       (only if centred)
/// r ← √v + ε, or √(v − a²) + ε if centred
/// w ← w − lr · g / r                        without momentum
/// b ← μ b + g / r;  w ← w − lr · b          with momentum
/// ```
///
/// ```
/// use geartrain::{optim::RMSprop, prelude::*};
/// let rmsprop = RMSprop::<f32>::new(1e-2).momentum(0.9).centered(true);
/// assert!(rmsprop.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RMSprop<F> {
    learning_rate: f64,
    alpha: f64,
    eps: f64,
    momentum: f64,
    weight_decay: f64,
    centered: bool,
    /// v, a and b, empty before the first step.
    square: Vec<F>,
    mean: Vec<F>,
    velocity: Vec<F>,
}

impl<F: Scalar> RMSprop<F> {
    /// α = 0.99 and ε = 1e-8; not centred, without momentum or weight decay. The rate, usually 1e-2, must be finite and at
    /// least 0.
    pub fn new(learning_rate: f64) -> Self {
        RMSprop {
            learning_rate,
            alpha: 0.99,
            eps: 1e-8,
            momentum: 0.0,
            weight_decay: 0.0,
            centered: false,
            square: Vec::new(),
            mean: Vec::new(),
            velocity: Vec::new(),
        }
    }

    /// How slowly the mean square of the gradient forgets, from 0 to below 1.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// ε, a finite number above 0.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Momentum *μ*, from 0 to below 1.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Weight decay *λ*, a finite number ≥ 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Whether to divide by the standard deviation of the gradient instead of its root mean square. Default: `false`.
    pub fn centered(mut self, centered: bool) -> Self {
        self.centered = centered;
        self
    }
}

impl<F: Scalar> Optimizer<F> for RMSprop<F> {
    fn check(&self) -> Result<(), Error> {
        at_least_0("learning rate", self.learning_rate)?;
        require((0.0..1.0).contains(&self.alpha), "alpha", "in [0, 1)", self.alpha)?;
        super::above_0::<F>("eps", self.eps)?;
        require((0.0..1.0).contains(&self.momentum), "momentum", "in [0, 1)", self.momentum)?;
        at_least_0("weight decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn step(&mut self, params: ParamsMut<'_, F>, grads: &[F]) -> Result<(), Error> {
        Optimizer::<F>::check(self)?;
        if self.square.len() != params.len() {
            for state in [&mut self.square, &mut self.mean, &mut self.velocity] {
                *state = vec![F::zero(); params.len()];
            }
        }
        let [rate, alpha, rest] = [self.learning_rate, self.alpha, 1.0 - self.alpha].map(F::of);
        let [eps, momentum, decay] = [self.eps, self.momentum, self.weight_decay].map(F::of);
        let largest = self.learning_rate.max(self.weight_decay);
        let centered = self.centered;
        let state = [&mut self.square, &mut self.mean, &mut self.velocity];
        update_all(params, grads, largest, true, state, |w, g, [v, a, b]| {
            let g = g + decay * w;
            let v = alpha * v + rest * g * g;
            let (a, variance) = if centered {
                let a = alpha * a + rest * g;
                // Never negative but for rounding.
                (a, (v - a * a).max(F::zero()))
            } else {
                (a, v)
            };
            let b = momentum * b + g / (variance.sqrt() + eps);
            (w - rate * b, [v, a, b])
        })
    }

    fn memory(&mut self) -> Memory<'_, F> {
        let RMSprop { alpha, eps, momentum, weight_decay, centered, .. } = self;
        let rule = format!(
            "RMSprop(alpha {alpha}, eps {eps}, momentum {momentum}, weight decay {weight_decay}, centred {centered})"
        );
        let vectors =
            vec![("square", &mut self.square), ("mean", &mut self.mean), ("velocity", &mut self.velocity)];
        Memory { rule, steps: None, vectors }
    }
}
