//! Common code of the normalisations.

use ndarray::ArrayView1;

use super::check_sizes;
use crate::Scalar;
use crate::cache::Buffer;
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
    /// direction: `terms(j)` are `(x̂_j, ẋ_j, v_j, v̇_j)`, which are kept in `work`.
    ///
    /// With bars for means over the line, ∂r/∂x_j = −r² x̂_j / n gives
    /// - x̂̇ = J ẋ = r (ẋ − ẋ̄ − x̂ b) with b = mean(x̂ ẋ), and ṙ = −r² b
    /// - dx = J v = r (v − v̄ − x̂ c) with c = mean(x̂ v)
    /// - dẋ = J v̇ − r (x̂̇ c + x̂ mean(x̂̇ v)) − r b dx, the product rule on dx.
    pub fn backward_jvp(
        &self,
        work: &mut Buffer<F>,
        terms: impl Fn(usize) -> [F; 4],
        mut write: impl FnMut(usize, [F; 3]),
    ) {
        let (r, len) = (self.scale, self.len);
        let mut work = work.resize(4, len);
        let (normal, rest) = work.as_slice_mut().expect("a contiguous buffer").split_at_mut(len);
        let (normal_dot, rest) = rest.split_at_mut(len);
        let (v, v_dot) = rest.split_at_mut(len);
        for j in 0..len {
            [normal[j], normal_dot[j], v[j], v_dot[j]] = terms(j);
        }
        let n = F::of(len as f64);
        let mean = |a: &[F]| if self.centred { sum(a.into(), |a| a) / n } else { F::zero() };
        let product = |a: &[F], b: &[F]| ArrayView1::from(a).dot(&ArrayView1::from(b)) / n;
        let (x_mean, b) = (mean(normal_dot), product(normal, normal_dot));
        for (x_dot, normal) in normal_dot.iter_mut().zip(&*normal) {
            *x_dot = r * (*x_dot - x_mean - *normal * b);
        }
        let (v_mean, c, d) = (mean(v), product(normal, v), product(normal_dot, v));
        let (v_dot_mean, e) = (mean(v_dot), product(normal, v_dot));
        for j in 0..len {
            let dx = r * (v[j] - v_mean - normal[j] * c);
            let sum = v_dot[j] - v_dot_mean - normal[j] * (e + d) - normal_dot[j] * c;
            write(j, [normal_dot[j], dx, r * sum - r * b * dx]);
        }
    }
}
