//! Adam and AdamW.

use serde::Serialize;

use super::group::Groups;
use super::update::{Update, update_all};
use super::{Optimizer, ParamGroup, State, at_least_0, below_1};
use crate::pace::Pace;
use crate::params::ParamsMut;
use crate::settings::Settings;
use crate::{Error, Scalar};

/// Adam (Kingma and Ba 2015) with weight decay *λ* as L2 regularisation, step for step as
/// `torch.optim.Adam`; t counts steps from 1:
///
/// ```text
/// g ← ∂L/∂w + λ w
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// w ← w − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
///
/// With [AMSGrad](AdamOptimizer::amsgrad), the last line has the largest v so far. For decoupled
/// weight decay, use [`AdamW`].
///
/// ```
/// use geartrain::{optim::Adam, prelude::*};
/// let adam = Adam::<f32>::new(1e-3).betas(0.9, 0.99);
/// assert!(adam.check().is_ok());
/// ```
pub type Adam<F> = AdamOptimizer<F, false>;

/// [`Adam`] with decoupled weight decay (Loshchilov and Hutter 2019), step for step as
/// `torch.optim.AdamW`: *λ* does not enter g, m and v; the weight is multiplied by `1 − lr · λ`
/// instead:
///
/// ```text
/// w ← (1 − lr · λ) w − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
pub type AdamW<F> = AdamOptimizer<F, true>;

/// [`Adam`] (`DECOUPLED = false`) and [`AdamW`] (`DECOUPLED = true`).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(bound = "")]
pub struct AdamOptimizer<F, const DECOUPLED: bool> {
    #[serde(skip)]
    learning_rate: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    amsgrad: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    eps_before_correction: bool,
    #[serde(skip_serializing_if = "Groups::is_empty")]
    groups: Groups,
    /// t of the last step.
    #[serde(skip)]
    steps: u64,
    /// m, v and, for AMSGrad, the largest v; empty before the first step.
    #[serde(skip)]
    first: Vec<F>,
    #[serde(skip)]
    second: Vec<F>,
    #[serde(skip)]
    largest: Vec<F>,
    #[serde(skip)]
    pace: Pace,
}

impl<F: Scalar> Adam<F> {
    /// β = (0.9, 0.999), ε = 1e-8 and no weight decay. The learning rate, usually 1e-3, is a finite
    /// number ≥ 0.
    pub fn new(learning_rate: f64) -> Self {
        AdamOptimizer::with_weight_decay(learning_rate, 0.0)
    }
}

impl<F: Scalar> AdamW<F> {
    /// β = (0.9, 0.999), ε = 1e-8 and weight decay 0.01. The learning rate, usually 1e-3, is a
    /// finite number ≥ 0.
    pub fn new(learning_rate: f64) -> Self {
        AdamOptimizer::with_weight_decay(learning_rate, 0.01)
    }
}

impl<F: Scalar, const DECOUPLED: bool> AdamOptimizer<F, DECOUPLED> {
    fn with_weight_decay(learning_rate: f64, weight_decay: f64) -> Self {
        AdamOptimizer {
            learning_rate,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay,
            amsgrad: false,
            eps_before_correction: false,
            groups: Groups::default(),
            steps: 0,
            first: Vec::new(),
            second: Vec::new(),
            largest: Vec::new(),
            pace: Pace::default(),
        }
    }

    /// Decay rates of the running means of the gradient (β₁) and of its square (β₂), each in [0,
    /// 1).
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.betas = (first, second);
        self
    }

    /// ε, a finite number above 0.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Weight decay *λ*, a finite number ≥ 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Whether to divide by the largest v so far (Reddi et al. 2018). Default: `false`.
    pub fn amsgrad(mut self, amsgrad: bool) -> Self {
        self.amsgrad = amsgrad;
        self
    }

    /// Whether ε is added to √v before the bias correction, as in scikit-learn and TensorFlow (ε̂
    /// in section 2 of Kingma and Ba). The last line is then
    /// `w ← w − lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)`. Default: `false`.
    pub fn eps_before_correction(mut self, before: bool) -> Self {
        self.eps_before_correction = before;
        self
    }

    /// Learning rate and weight decay for some of the parameters.
    pub fn group(mut self, group: ParamGroup) -> Self {
        self.groups.push(group);
        self
    }

    /// The constants of step `t` with this learning rate and weight decay.
    fn rule(&self, t: u64, learning_rate: f64, weight_decay: f64) -> Rule<F> {
        let (beta1, beta2) = self.betas;
        // lr / (1 − β₁ᵗ) and √(1 − β₂ᵗ) in f64: in f32, 1 − 0.999 would lose half of its digits.
        // Numerator and denominator of the fraction are both multiplied by the root, which saves
        // one division per weight.
        let correction = (1.0 - power(beta2, t)).sqrt();
        let (decay, shrink) = match DECOUPLED {
            true => (F::zero(), F::of(1.0 - learning_rate * weight_decay)),
            false => (F::of(weight_decay), F::one()),
        };
        Rule {
            beta1: F::of(beta1),
            beta2: F::of(beta2),
            rest1: F::of(1.0 - beta1),
            rest2: F::of(1.0 - beta2),
            rate: F::of(learning_rate / (1.0 - power(beta1, t)) * correction),
            eps: F::of(if self.eps_before_correction { self.eps } else { self.eps * correction })
                .max(F::min_positive_value()),
            decay,
            shrink,
        }
    }
}

/// `base` to the power of `exponent` by squaring; the result of `powi` may differ among machines.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut power = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            power *= base;
        }
        base *= base;
        exponent /= 2;
    }
    power
}

/// The constants of one step.
#[derive(Clone, Copy)]
struct Rule<F> {
    beta1: F,
    beta2: F,
    rest1: F,
    rest2: F,
    rate: F,
    eps: F,
    decay: F,
    shrink: F,
}

impl<F: Scalar> Rule<F> {
    /// m and v.
    #[inline]
    fn moments(self, w: F, g: F, m: F, v: F) -> (F, F) {
        let g = g + self.decay * w;
        (self.beta1 * m + self.rest1 * g, self.beta2 * v + self.rest2 * g * g)
    }

    /// The new weight.
    #[inline]
    fn weight(self, w: F, m: F, v: F) -> F {
        self.shrink * w - self.rate * m / (v.sqrt() + self.eps)
    }
}

impl<F: Scalar, const DECOUPLED: bool> Optimizer<F> for AdamOptimizer<F, DECOUPLED> {
    fn check(&self) -> Result<(), Error> {
        at_least_0("learning rate", self.learning_rate)?;
        below_1("beta1", self.betas.0)?;
        below_1("beta2", self.betas.1)?;
        super::above_0::<F>("eps", self.eps)?;
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
        if self.first.len() != params.len() {
            self.steps = 0;
            self.first = vec![F::zero(); params.len()];
            self.second = vec![F::zero(); params.len()];
        }
        if self.amsgrad && self.largest.len() != params.len() {
            self.largest = self.second.clone();
        }
        let t = self.steps.saturating_add(1);
        let [mut first, mut second, mut largest] =
            [&mut self.first, &mut self.second, &mut self.largest].map(std::mem::take);
        let mut pace = std::mem::take(&mut self.pace);
        let update = Update {
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            groups: &self.groups,
            squares: true,
            decays_gradient: !DECOUPLED,
        };
        let result = if self.amsgrad {
            let state = [&mut first, &mut second, &mut largest];
            update_all(params, grads, &mut pace, update, state, |rate, decay| {
                let rule = self.rule(t, rate, decay);
                move |w, g, [m, v, largest]| {
                    let (m, v) = rule.moments(w, g, m, v);
                    let largest = largest.max(v);
                    (rule.weight(w, m, largest), [m, v, largest])
                }
            })
        } else {
            update_all(params, grads, &mut pace, update, [&mut first, &mut second], |rate, decay| {
                let rule = self.rule(t, rate, decay);
                move |w, g, [m, v]| {
                    let (m, v) = rule.moments(w, g, m, v);
                    (rule.weight(w, m, v), [m, v])
                }
            })
        };
        (self.first, self.second, self.largest, self.pace) = (first, second, largest, pace);
        self.steps += u64::from(result.is_ok());
        result
    }

    fn settings(&self) -> Settings {
        Settings::new(if DECOUPLED { "AdamW" } else { "Adam" }, self)
    }

    fn state(&self) -> State<&[F]> {
        let mut vectors = vec![("first", &*self.first), ("second", &*self.second)];
        if self.amsgrad {
            vectors.push(("largest", &*self.largest));
        }
        State { steps: Some(self.steps), vectors }
    }

    fn set_state(&mut self, mut state: State<Vec<F>>) {
        self.steps = state.steps.unwrap_or(0);
        self.first = state.take("first");
        self.second = state.take("second");
        self.largest = state.take("largest");
    }
}
