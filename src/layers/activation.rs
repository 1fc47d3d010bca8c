//! Elementwise activations: each is two one-line functions.

use super::{Elementwise, LayerSpec};
use crate::Scalar;
use crate::error::LayerProblem;
use geartrain_kernels as kernels;
use geartrain_kernels::{erfcx, exp, exp_m1, ln_1p, logistic, tanh};

/// The logistic sigmoid, `y = 1 / (1 + e⁻ˣ)`. Its slope `y (1 − y)` is at most 1/4, which is why
/// gradients vanish in deep stacks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sigmoid;

impl Elementwise for Sigmoid {
    #[inline(always)]
    fn value<F: Scalar>(&self, x: F) -> F {
        F::of(logistic(x.as_f64()))
    }

    fn slope<F: Scalar>(&self, _x: F, y: F) -> F {
        y * (F::one() - y)
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, _x: F, y: F) -> Option<F> {
        Some(y * (F::one() - y) * (F::one() - y - y))
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::Sigmoid)
    }

    fn values<F: Scalar>(&self, x: &[F], y: &mut [F]) {
        kernels::sigmoids(x, y);
    }
}

/// The hyperbolic tangent, `y = tanh x`, with slope `1 − y²`, at most 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tanh;

impl Elementwise for Tanh {
    #[inline(always)]
    fn value<F: Scalar>(&self, x: F) -> F {
        F::of(tanh(x.as_f64()))
    }

    fn slope<F: Scalar>(&self, _x: F, y: F) -> F {
        F::one() - y * y
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, _x: F, y: F) -> Option<F> {
        Some(-(y + y) * (F::one() - y * y))
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::Tanh)
    }

    fn values<F: Scalar>(&self, x: &[F], y: &mut [F]) {
        kernels::tanhs(x, y);
    }
}

/// The rectified linear unit, `y = max(0, x)`. The slope is 1 above 0 and 0 elsewhere; at the kink,
/// x = 0, it is 0 as in PyTorch. NaN stays NaN, so that divergence is not hidden by a zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReLU;

impl Elementwise for ReLU {
    fn value<F: Scalar>(&self, x: F) -> F {
        if x <= F::zero() { F::zero() } else { x }
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        if x > F::zero() { F::one() } else { F::zero() }
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, _x: F, _y: F) -> Option<F> {
        Some(F::zero())
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::ReLU)
    }
}

/// The leaky rectified linear unit (Maas et al. 2013): `y = x` above 0 and `y = s x` elsewhere, as
/// `torch.nn.LeakyReLU`. The slope is 1 above 0 and *s* elsewhere, including 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyReLU {
    negative_slope: f64,
}

impl LeakyReLU {
    /// `negative_slope` is the slope *s* for negative numbers, finite. [`LeakyReLU::default`] has
    /// 0.01.
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

    #[inline(always)]
    fn curvature<F: Scalar>(&self, _x: F, _y: F) -> Option<F> {
        Some(F::zero())
    }

    fn check(&self) -> Result<(), LayerProblem> {
        finite("negative_slope", self.negative_slope)
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::LeakyReLU { negative_slope: self.negative_slope })
    }
}

/// The exponential linear unit (Clevert et al. 2016): `y = x` above 0 and `y = α (eˣ − 1)`
/// elsewhere, as `torch.nn.ELU`. The slope is 1 above 0 and `α eˣ` elsewhere; at 0 it jumps unless
/// α = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ELU {
    alpha: f64,
}

impl ELU {
    /// `alpha` is α, finite: y approaches −α for large negative x. [`ELU::default`] has 1.
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
    #[inline(always)]
    fn value<F: Scalar>(&self, x: F) -> F {
        let x = x.as_f64();
        F::of(ReLU.value(x) + self.alpha * exp_m1(at_most_0(x)))
    }

    #[inline(always)]
    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        let x = x.as_f64();
        let above = if x > 0.0 { 1.0 } else { 0.0 };
        F::of(above + (1.0 - above) * self.alpha * exp(at_most_0(x)))
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, x: F, y: F) -> Option<F> {
        Some(if x > F::zero() { F::zero() } else { self.slope(x, y) })
    }

    fn check(&self) -> Result<(), LayerProblem> {
        finite("alpha", self.alpha)
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::ELU { alpha: self.alpha })
    }
}

/// The scaled exponential linear unit (Klambauer et al. 2017), `λ` times an [`ELU`] with `α`. With
/// these constants, mean 0 and variance 1 are a stable fixed point of wide networks with LeCun
/// initialisation. The slope is `λ` above 0 and `λ α eˣ` elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SELU;

impl SELU {
    /// The factor λ.
    pub const SCALE: f64 = 1.050_700_987_355_480_5;
    /// The parameter α of the ELU.
    pub const ALPHA: f64 = 1.673_263_242_354_377_2;
}

impl Elementwise for SELU {
    #[inline(always)]
    fn value<F: Scalar>(&self, x: F) -> F {
        F::of(SELU::SCALE * ELU::new(SELU::ALPHA).value(x.as_f64()))
    }

    #[inline(always)]
    fn slope<F: Scalar>(&self, x: F, y: F) -> F {
        F::of(SELU::SCALE * ELU::new(SELU::ALPHA).slope(x.as_f64(), y.as_f64()))
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, x: F, y: F) -> Option<F> {
        Some(if x > F::zero() { F::zero() } else { self.slope(x, y) })
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::SELU)
    }
}

/// The Gaussian error linear unit (Hendrycks and Gimpel 2016): `y = x Φ(x)` with the normal
/// distribution's `Φ(x) = erfc(−x / √2) / 2`, as `torch.nn.GELU()`. The slope is `Φ(x) + x φ(x)`
/// with the density `φ(x) = e^{−x²/2} / √(2π)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GELU;

impl GELU {
    /// Φ(x) and e^{−x²/2}.
    #[inline(always)]
    fn distribution(x: f64) -> (f64, f64) {
        let bell = exp(-0.5 * x * x);
        // with the complementary error function of |x|: 1 + erf(x) cancels for very negative x
        let tail = 0.5 * bell * erfcx(x.abs() * std::f64::consts::FRAC_1_SQRT_2);
        (if x < 0.0 { tail } else { 1.0 - tail }, bell)
    }
}

impl Elementwise for GELU {
    #[inline(always)]
    fn value<F: Scalar>(&self, x: F) -> F {
        let x = x.as_f64();
        F::of(x * GELU::distribution(x).0)
    }

    #[inline(always)]
    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        let x = x.as_f64();
        let (distribution, bell) = GELU::distribution(x);
        // φ(x) = e^{−x²/2} / √(2π), and √(2/π) / 2 = 1 / √(2π)
        F::of(distribution + x * bell * (0.5 * ROOT_2_BY_PI))
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, x: F, _y: F) -> Option<F> {
        let x = x.as_f64();
        // (Φ + x φ)' = 2 φ − x² φ, because φ' = −x φ
        Some(F::of((2.0 - x * x) * GELU::distribution(x).1 * (0.5 * ROOT_2_BY_PI)))
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::GELU)
    }
}

/// The approximation of [`GELU`] by a tanh (same paper): `y = x (1 + tanh u) / 2` with `u = √(2/π)
/// (x + 0.044715 x³)`, as `torch.nn.GELU(approximate="tanh")`. The slope is `(1 + tanh u) / 2 + x
/// (1 − tanh² u) u' / 2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GELUTanh;

impl GELUTanh {
    const CUBE: f64 = 0.044715;

    /// The argument of the tanh.
    #[inline(always)]
    fn u(x: f64) -> f64 {
        ROOT_2_BY_PI * (x + GELUTanh::CUBE * x * x * x)
    }
}

impl Elementwise for GELUTanh {
    #[inline(always)]
    fn value<F: Scalar>(&self, x: F) -> F {
        let x = x.as_f64();
        // (1 + tanh u) / 2 = σ(2u), without cancellation
        F::of(x * logistic(2.0 * GELUTanh::u(x)))
    }

    #[inline(always)]
    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        let x = x.as_f64();
        let u = GELUTanh::u(x);
        let du = ROOT_2_BY_PI * (1.0 + 3.0 * GELUTanh::CUBE * x * x);
        let (sigmoid, rest) = (logistic(2.0 * u), logistic(-2.0 * u));
        // (x σ(2u))' = σ + x σ' · 2u', and σ'(2u) = σ(2u) σ(−2u)
        F::of(sigmoid + x * sigmoid * rest * 2.0 * du)
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, x: F, _y: F) -> Option<F> {
        let x = x.as_f64();
        let t = 2.0 * GELUTanh::u(x);
        let dt = 2.0 * ROOT_2_BY_PI * (1.0 + 3.0 * GELUTanh::CUBE * x * x);
        let ddt = 12.0 * ROOT_2_BY_PI * GELUTanh::CUBE * x;
        // (x σ(t))'' = 2 σ' t' + x (σ'' t'² + σ' t'') with σ' = σ(t) σ(−t) and σ'' = σ' (σ(−t) −
        // σ(t))
        let (above, below) = (logistic(t), logistic(-t));
        Some(F::of(above * below * (2.0 * dt + x * ((below - above) * dt * dt + ddt))))
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::GELUTanh)
    }
}

/// The sigmoid linear unit, or swish (Hendrycks and Gimpel 2016; Ramachandran et al. 2017): `y = x
/// σ(x)` with the [`Sigmoid`] σ, as `torch.nn.SiLU`. The slope is `σ(x) + x σ(x) σ(−x)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiLU;

impl Elementwise for SiLU {
    #[inline(always)]
    fn value<F: Scalar>(&self, x: F) -> F {
        let x = x.as_f64();
        F::of(x * logistic(x))
    }

    #[inline(always)]
    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        let x = x.as_f64();
        let sigmoid = logistic(x);
        F::of(sigmoid + x * sigmoid * logistic(-x))
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, x: F, _y: F) -> Option<F> {
        let x = x.as_f64();
        let (above, below) = (logistic(x), logistic(-x));
        // (σ + x σ')' = 2 σ' + x σ'' with σ' = σ(x) σ(−x) and σ'' = σ' (σ(−x) − σ(x))
        Some(F::of(above * below * (2.0 + x * (below - above))))
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::SiLU)
    }
}

/// A smooth [`ReLU`] (Dugas et al. 2001): `y = ln(1 + eˣ)`, as `torch.nn.Softplus()`, with the
/// sigmoid as its slope.
///
/// Computed as `max(x, 0) + ln(1 + e^{−|x|})`, which neither overflows nor cancels. (PyTorch
/// returns `x` itself above its threshold of 20; the difference is at most 2.1e-9.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softplus;

impl Elementwise for Softplus {
    #[inline(always)]
    fn value<F: Scalar>(&self, x: F) -> F {
        let x = x.as_f64();
        F::of(ReLU.value(x) + ln_1p(exp(-x.abs())))
    }

    #[inline(always)]
    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        F::of(logistic(x.as_f64()))
    }

    #[inline(always)]
    fn curvature<F: Scalar>(&self, x: F, _y: F) -> Option<F> {
        let x = x.as_f64();
        Some(F::of(logistic(x) * logistic(-x)))
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::Softplus)
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

    #[inline(always)]
    fn curvature<F: Scalar>(&self, _x: F, _y: F) -> Option<F> {
        Some(F::zero())
    }

    fn spec(&self) -> Option<LayerSpec> {
        Some(LayerSpec::Identity)
    }
}

/// √(2/π).
const ROOT_2_BY_PI: f64 = 0.797_884_560_802_865_4;

/// The smaller of `x` and 0; NaN for NaN.
#[inline(always)]
fn at_most_0(x: f64) -> f64 {
    if x > 0.0 { 0.0 } else { x }
}

fn finite(argument: &'static str, value: f64) -> Result<(), LayerProblem> {
    if value.is_finite() {
        return Ok(());
    }
    Err(LayerProblem::argument(argument, "a finite number", value))
}
