//! RMSprop.

use serde::Serialize;

use super::group::Groups;
use super::update::{Update, update_all};
use super::{Optimizer, ParamGroup, State, at_least_0, below_1};
use crate::pace::Pace;
use crate::params::ParamsMut;
use crate::settings::Settings;
use crate::{Error, Scalar};

/// RMSprop (Tieleman and Hinton 2012; centred by Graves 2013) with momentum *μ* and weight decay
/// *λ* as L2 regularisation, step for step as `torch.optim.RMSprop`:
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(bound = "")]
pub struct RMSprop<F> {
    #[serde(skip)]
    learning_rate: f64,
    alpha: f64,
    eps: f64,
    momentum: f64,
    weight_decay: f64,
    centered: bool,
    #[serde(skip_serializing_if = "Groups::is_empty")]
    groups: Groups,
    /// v, a and b, empty before the first step.
    #[serde(skip)]
    square: Vec<F>,
    #[serde(skip)]
    mean: Vec<F>,
    #[serde(skip)]
    velocity: Vec<F>,
    #[serde(skip)]
    pace: Pace,
}

impl<F: Scalar> RMSprop<F> {
    /// α = 0.99 and ε = 1e-8; not centred, without momentum or weight decay. The learning rate,
    /// usually 1e-2, is a finite number ≥ 0.
    pub fn new(learning_rate: f64) -> Self {
        RMSprop {
            learning_rate,
            alpha: 0.99,
            eps: 1e-8,
            momentum: 0.0,
            weight_decay: 0.0,
            centered: false,
            groups: Groups::default(),
            square: Vec::new(),
            mean: Vec::new(),
            velocity: Vec::new(),
            pace: Pace::default(),
        }
    }

    /// Decay rate α of the running mean square of the gradient, in [0, 1).
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// ε, a finite number above 0.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Momentum *μ*, in [0, 1). Default: 0.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Weight decay *λ*, a finite number ≥ 0. Default: 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Whether to divide by the standard deviation of the gradient instead of its root mean square.
    /// Default: `false`.
    pub fn centered(mut self, centered: bool) -> Self {
        self.centered = centered;
        self
    }

    /// Learning rate and weight decay for some of the parameters.
    pub fn group(mut self, group: ParamGroup) -> Self {
        self.groups.push(group);
        self
    }
}

impl<F: Scalar> Optimizer<F> for RMSprop<F> {
    fn check(&self) -> Result<(), Error> {
        at_least_0("learning rate", self.learning_rate)?;
        below_1("alpha", self.alpha)?;
        super::above_0::<F>("eps", self.eps)?;
        below_1("momentum", self.momentum)?;
        at_least_0("weight decay", self.weight_decay)?;
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
        if self.square.len() != params.len() {
            for state in [&mut self.square, &mut self.mean, &mut self.velocity] {
                *state = vec![F::zero(); params.len()];
            }
        }
        let [alpha, rest, eps] = [self.alpha, 1.0 - self.alpha, self.eps].map(F::of);
        let (momentum, centered) = (F::of(self.momentum), self.centered);
        let update = Update {
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            groups: &self.groups,
            squares: true,
            decays_gradient: true,
        };
        let state = [&mut self.square, &mut self.mean, &mut self.velocity];
        update_all(params, grads, &mut self.pace, update, state, |rate, decay| {
            let [rate, decay] = [rate, decay].map(F::of);
            move |w, g, [v, a, b]| {
                let g = g + decay * w;
                let v = alpha * v + rest * g * g;
                let (a, variance) = if centered {
                    let a = alpha * a + rest * g;
                    // Negative only by rounding.
                    (a, (v - a * a).max(F::zero()))
                } else {
                    (a, v)
                };
                let b = momentum * b + g / (variance.sqrt() + eps);
                (w - rate * b, [v, a, b])
            }
        })
    }

    fn settings(&self) -> Settings {
        Settings::new("RMSprop", self)
    }

    fn state(&self) -> State<&[F]> {
        let vectors = vec![("square", &*self.square), ("mean", &*self.mean), ("velocity", &*self.velocity)];
        State { steps: None, vectors }
    }

    fn set_state(&mut self, mut state: State<Vec<F>>) {
        self.square = state.take("square");
        self.mean = state.take("mean");
        self.velocity = state.take("velocity");
    }
}
