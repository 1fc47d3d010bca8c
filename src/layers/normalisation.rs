//! Common code of the normalisations.

use ndarray::ArrayView1;

use super::check_sizes;
use crate::Scalar;
use crate::error::LayerProblem;

/// Checks size, ε and input width; returns the number of features.
pub(super) fn check(features: usize, eps: f64, inputs: usize) -> Result<usize, LayerProblem> {
    check_sizes(&[("features", features)])?;
    if !(eps.is_finite() && eps > 0.0) {
        return Err(LayerProblem::argument("eps", "a finite number above 0", eps));
    }
    LayerProblem::check_features(features, inputs)
}

/// Partial sums of [`sum`]: they are independent, so the compiler adds them with vector
/// instructions, and they keep the rounding error of long rows small.
const LANES: usize = 8;

/// `Σ term(x)` over a row: the same bits whether or not the row is contiguous.
pub(super) fn sum<F: Scalar>(row: ArrayView1<F>, term: impl Fn(F) -> F) -> F {
    let mut lanes = [F::zero(); LANES];
    let mut add = |chunk: &[F]| lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane += term(x));
    match row.to_slice() {
        Some(row) => {
            let (chunks, rest) = row.as_chunks::<LANES>();
            chunks.iter().for_each(|chunk| add(chunk));
            add(rest);
        }
        None => row.iter().enumerate().for_each(|(i, &x)| lanes[i % LANES] += term(x)),
    }
    lanes.into_iter().sum()
}

/// The gradient `dx = J v` of one line `x̂ = r (x − μ)`, where `J` is the symmetric matrix
/// `∂x̂_i/∂x_j = r (δ_ij − 1/n − x̂_i x̂_j / n)`; without the term 1/n if the line is not
/// `centred`.
pub(super) struct Line<F> {
    /// Numbers in the line.
    pub len: usize,
    /// r
    pub scale: F,
    /// Whether the mean is subtracted.
    pub centred: bool,
}

impl<F: Scalar> Line<F> {
    /// Calls `write(j, x̂̇_j, dx_j, dẋ_j)` for every j, where a dot is the change along a
    /// direction:
    /// `terms(j)` are `(x̂_j, ẋ_j, v_j, v̇_j)`.
    ///
    /// With bars for means over the line, ∂r/∂x_j = −r² x̂_j / n gives
    /// - x̂̇ = J ẋ = r (ẋ − ẋ̄ − x̂ b) with b = mean(x̂ ẋ), and ṙ = −r² b
    /// - dx = J v = r (v − v̄ − x̂ c) with c = mean(x̂ v)
    /// - dẋ = J v̇ − r (x̂̇ c + x̂ mean(x̂̇ v)) − r b dx, the product rule on dx.
    pub fn backward_jvp(&self, terms: impl Fn(usize) -> [F; 4], mut write: impl FnMut(usize, [F; 3])) {
        let (r, n) = (self.scale, F::of(self.len as f64));
        let mean = |term: &dyn Fn(usize) -> F| (0..self.len).map(term).sum::<F>() / n;
        let shift = |part: usize| if self.centred { mean(&|j| terms(j)[part]) } else { F::zero() };
        let [x_mean, v_mean, v_dot_mean] = [1, 2, 3].map(shift);
        let [b, c, e] = [1, 2, 3].map(|part| mean(&|j| terms(j)[0] * terms(j)[part]));
        let normal_dot = |[normal, x_dot, ..]: [F; 4]| r * (x_dot - x_mean - normal * b);
        let d = mean(&|j| normal_dot(terms(j)) * terms(j)[2]);
        for j in 0..self.len {
            let [normal, _, v, v_dot] = terms(j);
            let normal_dot = normal_dot(terms(j));
            let dx = r * (v - v_mean - normal * c);
            let dx_dot = r * (v_dot - v_dot_mean - normal * e - normal_dot * c - normal * d) - r * b * dx;
            write(j, [normal_dot, dx, dx_dot]);
        }
    }
}
