//! What stability needs of an optimizer's learning rate.

use serde_json::Value;

use geartrain::{Optimizer, Scalar};

/// The update rule of an optimizer as far as stability is concerned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    /// The learning rate times the largest stable sharpness: 2 for gradient descent.
    pub bound: f64,
    /// The preconditioner p by which the rule divides each gradient; `None` for 1.
    pub preconditioner: Option<Vec<f64>>,
}

impl Rule {
    /// The rule of `optimizer`; `None` for one that is not known, or that has a learning rate of
    /// its own for some of the parameters.
    ///
    /// On a quadratic loss with curvature λ, momentum μ is stable for `η λ ≤ 2 + 2μ`, Nesterov's
    /// for
    /// `η λ ≤ (2 + 2μ) / (1 + 2μ)`. Adam's first moment is momentum β₁ with the gradient scaled by
    /// 1 − β₁, so that `η λ ≤ (2 + 2β₁) / (1 − β₁)` for the curvature of the preconditioned loss
    /// (Cohen et al. 2021 and 2022).
    pub fn of<F: Scalar>(optimizer: &dyn Optimizer<F>) -> Option<Self> {
        let settings: Value = serde_json::from_str(&optimizer.settings().to_string()).ok()?;
        let (name, fields) = settings.as_object()?.iter().next()?;
        if fields.get("groups").is_some() {
            return None;
        }
        let number = |field: &str| fields.get(field).and_then(Value::as_f64);
        let state = optimizer.state();
        let vector = |name: &str| state.vectors.iter().find(|(known, _)| *known == name).map(|(_, v)| *v);
        match name.as_str() {
            "SGD" => {
                let (momentum, dampening) = (number("momentum")?, number("dampening")?);
                let nesterov = fields.get("nesterov").and_then(Value::as_bool)?;
                let gain = if nesterov { 1.0 + 2.0 * momentum } else { 1.0 - dampening };
                // without momentum, dampening has no effect
                let gain = if momentum == 0.0 { 1.0 } else { gain };
                Some(Rule { bound: (2.0 + 2.0 * momentum) / gain, preconditioner: None })
            }
            "Adam" | "AdamW" => {
                let beta =
                    |i: usize| fields.get("betas").and_then(|betas| betas.get(i)).and_then(Value::as_f64);
                let (first, second, eps) = (beta(0)?, beta(1)?, number("eps")?);
                let squares = vector("largest").or(vector("second")).filter(|squares| !squares.is_empty())?;
                let correction = 1.0 - second.powf(state.steps? as f64);
                let roots = squares.iter().map(|v| (v.as_f64() / correction).sqrt() + eps).collect();
                Some(Rule { bound: (2.0 + 2.0 * first) / (1.0 - first), preconditioner: Some(roots) })
            }
            _ => None,
        }
    }

    /// `1/√p`, the factors that make the curvature that of the preconditioned loss.
    pub fn factors(&self) -> Option<Vec<f64>> {
        self.preconditioner.as_ref().map(|p| p.iter().map(|p| p.sqrt().recip()).collect())
    }
}
