//! Closed forms: normalisation, residual growth, ReLU kernels, Jacobian spread, finite width.
//!
//! The *energy* of a layer or block is its factor on the squared norm of the gradient. The ratio of
//! norms is its square root.

use std::f64::consts::PI;

use super::moments::Moments;

/// The energy of a block `φ(LayerNorm(Wx))` in a wide network: `E φ'² / E φ²` at q = 1, for every
/// σw. 1 for ReLU; 0.15 for the sigmoid, whose gradients still vanish.
pub fn layer_norm_energy(at_one: &Moments) -> f64 {
    at_one.slope_square / at_one.square
}

/// The energy of a block `φ(BatchNorm(Wx))` in a wide network with large batches: `E φ'² / Var φ`
/// at q = 1, for every σw. π/(π−1) = 1.467 for ReLU, whose gradients explode with depth (Yang et
/// al. 2019), and 1.03 for the sigmoid.
pub fn batch_norm_energy(at_one: &Moments) -> f64 {
    at_one.slope_square / at_one.variance()
}

/// The energy of `blocks` residual blocks `x + s·f(x)` whose branches, including the scale, have
/// energy `c` and are independent of `x`: `(1 + c)^blocks`. A scale of 1/√blocks bounds it:
/// `(1 + c/blocks)^blocks < e^c`.
pub fn residual_energy(c: f64, blocks: usize) -> f64 {
    (blocks as f64 * c.ln_1p()).exp()
}

/// `k₀(c) = 1 − arccos(c)/π`: twice `E relu'(u) relu'(v)` for normal u, v with correlation `c` (Cho
/// and Saul 2009).
pub fn relu_slope_kernel(c: f64) -> f64 {
    1.0 - c.clamp(-1.0, 1.0).acos() / PI
}

/// `k₁(c) = (√(1−c²) + c (π − arccos c)) / π`: the correlation, after a ReLU layer without bias, of
/// two inputs with correlation `c` before it (Cho and Saul 2009).
pub fn relu_kernel(c: f64) -> f64 {
    let c = c.clamp(-1.0, 1.0);
    ((1.0 - c * c).sqrt() + c * (PI - c.acos())) / PI
}

/// The correlation of the gradients of two inputs with correlation `c` after `depth` layers of a
/// plain ReLU network without bias: `Π k₀(c_l)` with `c_(l+1) = k₁(c_l)`. Balduzzi et al. 2017 call
/// its decay "shattering". With BatchNorm it is [`batch_norm_relu_gradient_correlation`].
pub fn relu_gradient_correlation(mut c: f64, depth: usize) -> f64 {
    let mut product = 1.0;
    for _ in 0..depth {
        product *= relu_slope_kernel(c);
        c = relu_kernel(c);
    }
    product
}

/// The same for `depth` blocks `h + W relu(h)` at He initialisation: `Π (1 + k₀(c_l))/2` with
/// `c ← (c + k₁(c))/2`.
pub fn residual_gradient_correlation(mut c: f64, depth: usize) -> f64 {
    let mut product = 1.0;
    for _ in 0..depth {
        product *= (1.0 + relu_slope_kernel(c)) / 2.0;
        c = (c + relu_kernel(c)) / 2.0;
    }
    product
}

/// The same for `depth` blocks of BatchNorm and ReLU: `2^−depth`, because normalisation keeps the
/// inputs uncorrelated.
pub fn batch_norm_relu_gradient_correlation(depth: usize) -> f64 {
    relu_slope_kernel(0.0).powf(depth as f64)
}

/// The distribution of weight matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ensemble {
    /// Independent entries.
    Independent,
    /// Orthogonal matrices.
    Orthogonal,
}

/// `Var(s²) / mean(s²)²` of the singular values s of the input-output Jacobian of `depth` layers,
/// from the activation's moments at its q: `depth · (E φ'⁴ / (E φ'²)² − 1 − s₁)`, with s₁ = −1 for
/// independent entries and 0 for orthogonal weights (Pennington et al. 2017). Valid for a width far
/// above `depth`.
pub fn jacobian_spread(moments: &Moments, ensemble: Ensemble, depth: usize) -> f64 {
    let s1 = match ensemble {
        Ensemble::Independent => -1.0,
        Ensemble::Orthogonal => 0.0,
    };
    depth as f64 * (moments.slope_kurtosis() - 1.0 - s1)
}

/// The variance that one layer of `width` units adds to the logarithm of the squared gradient of
/// one input, to first order in 1/width: `(3κ − 1) / width` with κ = E φ'⁴ / (E φ'²)². 2/width for
/// linear layers, 5/width for ReLU. The mean of the logarithm changes by −1/2 of it (Hanin and Nica
/// 2020).
pub fn log_energy_variance(moments: &Moments, width: usize) -> f64 {
    (3.0 * moments.slope_kurtosis() - 1.0) / width as f64
}

/// The energy by path length in a residual network whose branches have the given energies: entry k
/// is that of all paths through k branches, and the sum is the total `Π (1 + c)`. Binomial for
/// equal energies (Veit et al. 2016).
pub fn path_energies(energies: &[f64]) -> Vec<f64> {
    let mut by_length = vec![1.0];
    for &c in energies {
        by_length.push(0.0);
        // every path goes around the block's branch and through it
        for k in (1..by_length.len()).rev() {
            by_length[k] += c * by_length[k - 1];
        }
    }
    by_length
}
