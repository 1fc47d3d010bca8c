//! Adam and AdamW.

use super::{Memory, Optimizer, at_least_0, update_all};
use crate::error::require;
use crate::params::ParamsMut;
use crate::{Error, Scalar};

/// Adam (Kingma and Ba 2015) with weight decay *λ* as L2 regularisation, step for step as `torch.optim.Adam`; t counts steps
/// from 1:
///
/// ```text
/// g ← ∂L/∂w + λ w
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// w ← w − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
///
/// For decoupled weight decay take [`AdamW`].
///
/// ```
/// use geartrain::{optim::Adam, prelude::*};
/// let adam = Adam::<f32>::new(1e-3).betas(0.9, 0.99);
/// assert!(adam.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Adam<F> {
    learning_rate: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    /// Whether weights shrink by themselves (AdamW) rather than through the gradient.
    decoupled: bool,
    /// t of the last step.
    steps: u64,
    /// m and v, empty before the first step.
    first: Vec<F>,
    second: Vec<F>,
}

impl<F: Scalar> Adam<F> {
    /// β = (0.9, 0.999), ε = 1e-8 and no weight decay. The rate, usually 1e-3, must be finite and at least 0.
    pub fn new(learning_rate: f64) -> Self {
        Adam {
            learning_rate,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            steps: 0,
            first: Vec::new(),
            second: Vec::new(),
        }
    }

    /// How slowly the means of the gradient (β₁) and of its square (β₂) forget, each from 0 to below 1.
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
}

impl<F: Scalar> Optimizer<F> for Adam<F> {
    fn check(&self) -> Result<(), Error> {
        at_least_0("learning rate", self.learning_rate)?;
        let (first, second) = self.betas;
        require((0.0..1.0).contains(&first), "beta1", "in [0, 1)", first)?;
        require((0.0..1.0).contains(&second), "beta2", "in [0, 1)", second)?;
        super::above_0::<F>("eps", self.eps)?;
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
        if self.first.len() != params.len() {
            self.steps = 0;
            self.first = vec![F::zero(); params.len()];
            self.second = vec![F::zero(); params.len()];
        }
        let t = i32::try_from(self.steps).unwrap_or(i32::MAX).saturating_add(1);
        let (beta1, beta2) = self.betas;
        // lr / (1 − β₁ᵗ) and √(1 − β₂ᵗ), in f64: in f32, 1 − 0.999 would have lost half of its digits. The fraction is taken
        // times this root, above and below, which saves a division for every weight.
        let correction = (1.0 - beta2.powi(t)).sqrt();
        let rate = F::of(self.learning_rate / (1.0 - beta1.powi(t)) * correction);
        let eps = F::of(self.eps * correction).max(F::min_positive_value());
        let [rest1, rest2] = [1.0 - beta1, 1.0 - beta2].map(F::of);
        let [beta1, beta2] = [beta1, beta2].map(F::of);
        let (decay, shrink) = match self.decoupled {
            true => (F::zero(), F::of(1.0 - self.learning_rate * self.weight_decay)),
            false => (F::of(self.weight_decay), F::one()),
        };
        let largest = self.learning_rate.max(self.weight_decay).max(self.learning_rate * self.weight_decay);
        let moments = [&mut self.first, &mut self.second];
        update_all(params, grads, largest, true, moments, |w, g, [m, v]| {
            let g = g + decay * w;
            let m = beta1 * m + rest1 * g;
            let v = beta2 * v + rest2 * g * g;
            (shrink * w - rate * m / (v.sqrt() + eps), [m, v])
        })?;
        self.steps += 1;
        Ok(())
    }

    fn memory(&mut self) -> Memory<'_, F> {
        let Adam { betas: (first, second), eps, weight_decay, decoupled, .. } = self;
        let name = if *decoupled { "AdamW" } else { "Adam" };
        let rule = format!("{name}(betas {first} and {second}, eps {eps}, weight decay {weight_decay})");
        let vectors = vec![("first", &mut self.first), ("second", &mut self.second)];
        Memory { rule, steps: Some(&mut self.steps), vectors }
    }
}

/// [`Adam`] with decoupled weight decay (Loshchilov and Hutter 2019), step for step as `torch.optim.AdamW`: *λ* is kept out of
/// g, m and v, and the weight shrinks by itself:
///
/// ```text
/// w ← (1 − lr · λ) w − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW<F>(Adam<F>);

impl<F: Scalar> AdamW<F> {
    /// β = (0.9, 0.999), ε = 1e-8 and weight decay 0.01. The rate, usually 1e-3, must be finite and at least 0.
    pub fn new(learning_rate: f64) -> Self {
        AdamW(Adam { weight_decay: 0.01, decoupled: true, ..Adam::new(learning_rate) })
    }

    /// How slowly the means of the gradient (β₁) and of its square (β₂) forget, each from 0 to below 1.
    pub fn betas(self, first: f64, second: f64) -> Self {
        AdamW(self.0.betas(first, second))
    }

    /// ε, a finite number above 0.
    pub fn eps(self, eps: f64) -> Self {
        AdamW(self.0.eps(eps))
    }

    /// Weight decay *λ*, a finite number ≥ 0.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        AdamW(self.0.weight_decay(weight_decay))
    }
}

impl<F: Scalar> Optimizer<F> for AdamW<F> {
    fn check(&self) -> Result<(), Error> {
        self.0.check()
    }

    fn learning_rate(&self) -> f64 {
        self.0.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.0.learning_rate = learning_rate;
    }

    fn step(&mut self, params: ParamsMut<'_, F>, grads: &[F]) -> Result<(), Error> {
        self.0.step(params, grads)
    }

    fn memory(&mut self) -> Memory<'_, F> {
        self.0.memory()
    }
}
