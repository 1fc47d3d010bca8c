//! Elementwise activations: each is two one-line functions.

use super::Elementwise;
use crate::{LayerSpec, Scalar};

/// The logistic sigmoid, `y = 1 / (1 + e⁻ˣ)`. Its slope `y (1 − y)` is at most 1/4, which is why gradients vanish in
/// deep stacks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sigmoid;

impl Elementwise for Sigmoid {
    fn value<F: Scalar>(&self, x: F) -> F {
        F::one() / (F::one() + (-x).exp())
    }

    fn slope<F: Scalar>(&self, _x: F, y: F) -> F {
        y * (F::one() - y)
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::Sigmoid)
    }
}

/// The hyperbolic tangent, `y = tanh x`, with slope `1 − y²`, at most 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tanh;

impl Elementwise for Tanh {
    fn value<F: Scalar>(&self, x: F) -> F {
        x.tanh()
    }

    fn slope<F: Scalar>(&self, _x: F, y: F) -> F {
        F::one() - y * y
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::Tanh)
    }
}

/// The rectified linear unit, `y = max(0, x)`. The slope is 1 above 0 and 0 elsewhere; at the kink, x = 0, it is 0 as in
/// PyTorch. NaN stays NaN, so that a diverged network cannot hide behind a zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReLU;

impl Elementwise for ReLU {
    fn value<F: Scalar>(&self, x: F) -> F {
        if x <= F::zero() { F::zero() } else { x }
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        if x > F::zero() { F::one() } else { F::zero() }
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::ReLU)
    }
}
