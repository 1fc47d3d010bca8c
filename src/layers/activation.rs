//! Elementwise activations: each is two one-line functions.

use super::Elementwise;
use crate::error::LayerProblem;
use crate::{Scalar, kernels};

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

    fn values<F: Scalar>(&self, x: &[F], y: &mut [F]) {
        kernels::sigmoid(x, y);
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

    fn values<F: Scalar>(&self, x: &[F], y: &mut [F]) {
        kernels::tanh(x, y);
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
}

/// The leaky rectified linear unit (Maas et al. 2013): `y = x` above 0 and `y = s x` elsewhere, as `torch.nn.LeakyReLU`.
/// The slope is 1 above 0 and *s* elsewhere, at 0 too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyReLU {
    negative_slope: f64,
}

impl LeakyReLU {
    /// The slope *s* for negative numbers, a finite number; the usual one, that of [`LeakyReLU::default`], is 0.01.
    pub fn new(negative_slope: f64) -> Self {
        LeakyReLU { negative_slope }
    }
}

impl Default for LeakyReLU {
    fn default() -> Self {
        LeakyReLU::new(0.01)
    }
}

impl Elementwise for LeakyReLU {
    fn value<F: Scalar>(&self, x: F) -> F {
        if x > F::zero() { x } else { F::of(self.negative_slope) * x }
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        if x > F::zero() { F::one() } else { F::of(self.negative_slope) }
    }

    fn check(&self) -> Result<(), LayerProblem> {
        finite("negative_slope", self.negative_slope)
    }
}

/// The exponential linear unit (Clevert et al. 2016): `y = x` above 0 and `y = α (eˣ − 1)` elsewhere, as `torch.nn.ELU`.
/// The slope is 1 above 0 and `α eˣ` elsewhere; at 0 it jumps unless α = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ELU {
    alpha: f64,
}

impl ELU {
    /// The limit −α for very negative numbers, α being finite; the usual α, that of [`ELU::default`], is 1.
    pub fn new(alpha: f64) -> Self {
        ELU { alpha }
    }
}

impl Default for ELU {
    fn default() -> Self {
        ELU::new(1.0)
    }
}

impl Elementwise for ELU {
    fn value<F: Scalar>(&self, x: F) -> F {
        if x > F::zero() { x } else { F::of(self.alpha) * x.exp_m1() }
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        if x > F::zero() { F::one() } else { F::of(self.alpha) * x.exp() }
    }

    fn check(&self) -> Result<(), LayerProblem> {
        finite("alpha", self.alpha)
    }
}

/// The scaled exponential linear unit (Klambauer et al. 2017): `λ` times an [`ELU`] with `α`, the two numbers for which mean
/// 0 and variance 1 are a stable fixed point of a wide network with LeCun initialisation. The slope is `λ` above 0 and
/// `λ α eˣ` elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SELU;

impl SELU {
    /// λ
    pub const SCALE: f64 = 1.050_700_987_355_480_5;
    /// α
    pub const ALPHA: f64 = 1.673_263_242_354_377_2;
}

impl Elementwise for SELU {
    fn value<F: Scalar>(&self, x: F) -> F {
        F::of(SELU::SCALE) * ELU::new(SELU::ALPHA).value(x)
    }

    fn slope<F: Scalar>(&self, x: F, y: F) -> F {
        F::of(SELU::SCALE) * ELU::new(SELU::ALPHA).slope(x, y)
    }
}

/// The Gaussian error linear unit (Hendrycks and Gimpel 2016): `y = x Φ(x)` with the normal distribution's
/// `Φ(x) = erfc(−x / √2) / 2`, as `torch.nn.GELU()`. The slope is `Φ(x) + x φ(x)` with the density `φ(x) = e^{−x²/2} / √(2π)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GELU;

impl GELU {
    /// Φ(x). By the complementary error function, because 1 + erf cancels for very negative x.
    fn distribution(x: f64) -> f64 {
        0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
    }
}

impl Elementwise for GELU {
    fn value<F: Scalar>(&self, x: F) -> F {
        F::of(x.as_f64() * GELU::distribution(x.as_f64()))
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        let x = x.as_f64();
        let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        F::of(GELU::distribution(x) + x * density)
    }
}

/// The approximation of [`GELU`] by a tanh (same paper): `y = x (1 + tanh u) / 2` with `u = √(2/π) (x + 0.044715 x³)`, as
/// `torch.nn.GELU(approximate="tanh")`. The slope is `(1 + tanh u) / 2 + x (1 − tanh² u) u' / 2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GELUTanh;

impl GELUTanh {
    const CUBE: f64 = 0.044715;

    /// √(2/π)
    fn scale() -> f64 {
        (2.0 * std::f64::consts::FRAC_1_PI).sqrt()
    }

    /// tanh u
    fn tanh<F: Scalar>(x: F) -> F {
        (F::of(GELUTanh::scale()) * (x + F::of(GELUTanh::CUBE) * x * x * x)).tanh()
    }
}

impl Elementwise for GELUTanh {
    fn value<F: Scalar>(&self, x: F) -> F {
        F::of(0.5) * x * (F::one() + GELUTanh::tanh(x))
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        let tanh = GELUTanh::tanh(x);
        // u' = √(2/π) (1 + 3 · 0.044715 x²)
        let inner = F::of(GELUTanh::scale()) * (F::one() + F::of(3.0 * GELUTanh::CUBE) * x * x);
        F::of(0.5) * (F::one() + tanh + x * (F::one() - tanh * tanh) * inner)
    }
}

/// The sigmoid linear unit, or swish (Hendrycks and Gimpel 2016; Ramachandran et al. 2017): `y = x σ(x)` with the
/// [`Sigmoid`] σ, as `torch.nn.SiLU`. The slope is `σ(x) + y (1 − σ(x))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiLU;

impl Elementwise for SiLU {
    fn value<F: Scalar>(&self, x: F) -> F {
        x * Sigmoid.value(x)
    }

    fn slope<F: Scalar>(&self, x: F, y: F) -> F {
        let sigmoid = Sigmoid.value(x);
        sigmoid + y * (F::one() - sigmoid)
    }
}

/// A smooth [`ReLU`] (Dugas et al. 2001): `y = ln(1 + eˣ)`, as `torch.nn.Softplus()`, with the sigmoid as its slope.
///
/// Computed as `max(x, 0) + ln(1 + e^{−|x|})`, which neither overflows nor cancels. (PyTorch returns `x` itself above its
/// threshold of 20; the difference is at most 2.1e-9.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softplus;

impl Elementwise for Softplus {
    fn value<F: Scalar>(&self, x: F) -> F {
        ReLU.value(x) + (-x.abs()).exp().ln_1p()
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        Sigmoid.value(x)
    }
}

/// `y = x`, with slope 1: the linear network's activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity;

impl Elementwise for Identity {
    fn value<F: Scalar>(&self, x: F) -> F {
        x
    }

    fn slope<F: Scalar>(&self, _x: F, _y: F) -> F {
        F::one()
    }
}

fn finite(argument: &'static str, value: f64) -> Result<(), LayerProblem> {
    if value.is_finite() {
        return Ok(());
    }
    Err(LayerProblem::Argument { argument, expected: "a finite number", got: value.to_string() })
}
