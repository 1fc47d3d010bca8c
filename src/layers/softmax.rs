//! Softmax.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use super::LayerSpec;
use crate::Scalar;
use crate::error::LayerProblem;
use crate::layer::{Backward, BackwardJvp, Description, Forward, Jvp, Layer};
use geartrain_kernels::exp;

/// `y_i = e^{x_i} / Σ_j e^{x_j}` over the features of each row (Bridle 1990), as
/// `torch.nn.Softmax(dim=1)`: positive numbers that sum to 1.
///
/// For probabilities in prediction. To train a classifier, omit this layer and use
/// [`CrossEntropy`](crate::loss::CrossEntropy), which takes logits and is exact where probabilities
/// round to 0. The row's maximum is subtracted first, so nothing overflows.
///
/// ```
/// use geartrain::{layers::Softmax, prelude::*};
/// let network = Network::<f64>::with_inputs(Softmax, 2)?;
/// assert_eq!(network.predict(&ndarray::array![[1234.0, 0.0]])?, ndarray::array![[1.0, 0.0]]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax;

/// `out_i = y_i (v_i − Σ_j y_j v_j)`. The Jacobian ∂y_i/∂x_j = y_i (δ_ij − y_j) is symmetric, so
/// this is both J v and Jᵀ v.
fn times_jacobian<F: Scalar>(y: ArrayView2<F>, v: ArrayView2<F>, mut out: ArrayViewMut2<F>) {
    for ((y, v), out) in y.rows().into_iter().zip(v.rows()).zip(out.rows_mut()) {
        let mean = Zip::from(y).and(v).fold(F::zero(), |sum, &y, &v| sum + y * v);
        Zip::from(out).and(y).and(v).for_each(|out, &y, &v| *out = y * (v - mean));
    }
}

impl<F: Scalar> Layer<F> for Softmax {
    fn output_features(&self, inputs: usize) -> Result<usize, LayerProblem> {
        Ok(inputs)
    }

    fn describe(&self) -> Description<'_, F> {
        Description::opaque::<Self>().spec(LayerSpec::Softmax).row_by_row()
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            let largest = x.fold(F::neg_infinity(), |max, &x| max.max(x));
            // e^{x_i − max} / Σ e^{x_j − max}: the common factor e^{−max} cancels
            Zip::from(&mut y).and(x).for_each(|y, &x| *y = F::of(exp((x - largest).as_f64())));
            let sum = y.sum();
            y /= sum;
        }
    }

    fn backward(&self, Backward { y, dy, dx, .. }: Backward<'_, F>) {
        // dx = Jᵀ dy
        if let Some(dx) = dx {
            times_jacobian(y, dy, dx);
        }
    }

    fn jvp(&self, Jvp { y, dx, dy, .. }: Jvp<'_, F>) -> Result<(), LayerProblem> {
        // dy = J dx
        times_jacobian(y, dx, dy);
        Ok(())
    }

    fn backward_jvp(&self, pass: BackwardJvp<'_, F>) -> Result<(), LayerProblem> {
        let BackwardJvp { x_dot, y, dy, dy_dot, dx, .. } = pass;
        let Some([mut dx, mut dx_dot]) = dx else { return Ok(()) };
        times_jacobian(y, dy, dx.view_mut());
        for r in 0..y.nrows() {
            let mean = |v: &dyn Fn(usize) -> F| (0..y.ncols()).map(|j| y[[r, j]] * v(j)).sum::<F>();
            let (dy_mean, x_mean) = (mean(&|j| dy[[r, j]]), mean(&|j| x_dot[[r, j]]));
            // ẏ = J ẋ, and the product rule on dx = y (dy − m) with m = Σ y dy
            let y_dot = |j| y[[r, j]] * (x_dot[[r, j]] - x_mean);
            let m_dot = mean(&|j| dy_dot[[r, j]] + (x_dot[[r, j]] - x_mean) * dy[[r, j]]);
            for j in 0..y.ncols() {
                dx_dot[[r, j]] = y_dot(j) * (dy[[r, j]] - dy_mean) + y[[r, j]] * (dy_dot[[r, j]] - m_dot);
            }
        }
        Ok(())
    }
}
