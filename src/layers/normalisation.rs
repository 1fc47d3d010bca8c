//! Common code of the normalisations.

use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut2, Zip};

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

/// The gradient `dx = J v` of one row `x̂ = r (x − μ)` with `y = γ x̂`, where `J` is the symmetric
/// matrix `∂x̂_i/∂x_j = r (δ_ij − 1/n − x̂_i x̂_j / n)`; without the term 1/n if the row is not
/// `centred`.
pub(super) struct Row<'a, F> {
    /// r
    pub scale: F,
    /// Whether the mean is subtracted.
    pub centred: bool,
    /// γ and its change.
    pub gamma: [ArrayView1<'a, F>; 2],
    /// The change of x.
    pub x_dot: ArrayView1<'a, F>,
    /// dy and its change.
    pub dy: [ArrayView1<'a, F>; 2],
}

impl<F: Scalar> Row<'_, F> {
    /// Writes dx and its change dẋ if they are requested, and adds the change of `dγ = dy x̂` to
    /// `dgamma_dot`. The first row of `work`, `(4, n)`, is x̂.
    ///
    /// With a dot for the change along a direction, bars for means over the row and v = γ dy,
    /// ∂r/∂x_j = −r² x̂_j / n gives
    /// - x̂̇ = J ẋ = r (ẋ − ẋ̄ − x̂ b) with b = mean(x̂ ẋ), and ṙ = −r² b
    /// - dx = J v = r (v − v̄ − x̂ c) with c = mean(x̂ v)
    /// - dẋ = J v̇ − r (x̂̇ c + x̂ mean(x̂̇ v)) − r b dx, the product rule on dx.
    pub fn backward_jvp(
        self,
        mut work: ArrayViewMut2<F>,
        dgamma_dot: &mut [F],
        dx: Option<[ArrayViewMut1<F>; 2]>,
    ) {
        let Row { scale: r, centred, gamma: [gamma, gamma_dot], x_dot, dy: [dy, dy_dot] } = self;
        work.row_mut(1).assign(&x_dot);
        Zip::from(work.row_mut(2)).and(gamma).and(dy).for_each(|v, &gamma, &dy| *v = gamma * dy);
        let columns = Zip::from(work.row_mut(3)).and(gamma).and(gamma_dot).and(dy).and(dy_dot);
        columns.for_each(|v_dot, &gamma, &gamma_dot, &dy, &dy_dot| *v_dot = gamma_dot * dy + gamma * dy_dot);
        let len = work.ncols();
        let (normal, rest) = work.as_slice_mut().expect("a contiguous buffer").split_at_mut(len);
        let (normal_dot, rest) = rest.split_at_mut(len);
        let (v, v_dot) = rest.split_at_mut(len);
        let n = F::of(len as f64);
        let mean = |a: &[F]| if centred { sum(a.into(), |a| a) / n } else { F::zero() };
        let product = |a: &[F], b: &[F]| ArrayView1::from(a).dot(&ArrayView1::from(b)) / n;
        let (x_mean, b) = (mean(normal_dot), product(normal, normal_dot));
        for (x_dot, &normal) in normal_dot.iter_mut().zip(&*normal) {
            *x_dot = r * (*x_dot - x_mean - normal * b);
        }
        // the product rule on dγ = Σ_r dy x̂
        let columns = Zip::from(dgamma_dot).and(dy_dot).and(&*normal).and(dy).and(&*normal_dot);
        columns.for_each(|sum, &dy_dot, &normal, &dy, &normal_dot| {
            *sum += dy_dot * normal + dy * normal_dot;
        });
        let Some([dx, dx_dot]) = dx else { return };
        let (v_mean, c, d) = (mean(v), product(normal, v), product(normal_dot, v));
        let (v_dot_mean, e) = (mean(v_dot), product(normal, v_dot));
        Zip::from(dx).and(&mut *v).and(&*normal).for_each(|dx, v, &normal| {
            *dx = r * (*v - v_mean - normal * c);
            *v = r * b * *dx;
        });
        let columns = Zip::from(dx_dot).and(&*v_dot).and(&*normal).and(&*normal_dot).and(&*v);
        columns.for_each(|dx_dot, &v_dot, &normal, &normal_dot, &rest| {
            *dx_dot = r * (v_dot - v_dot_mean - normal * (e + d) - normal_dot * c) - rest;
        });
    }
}
