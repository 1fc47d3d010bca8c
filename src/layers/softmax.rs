//! Softmax.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use crate::cache::Cache;
use crate::{Error, Layer, Mode, Saved, Scalar};

/// `y_i = e^{x_i} / Σ_j e^{x_j}` over the features of each row (Bridle 1990), as `torch.nn.Softmax(dim=1)`: positive numbers
/// that sum to 1.
///
/// For probabilities in prediction. To train a classifier, leave it out and use
/// [`CrossEntropy`](crate::loss::CrossEntropy), which takes the logits and is exact where probabilities round to 0.
/// The largest `x` of the row is subtracted first, so nothing overflows.
///
/// ```
/// use geartrain::{layers::Softmax, prelude::*};
/// let network = Network::<f64>::new(Softmax, 2)?;
/// assert_eq!(network.predict(ndarray::array![[1234.0, 0.0]].view())?, ndarray::array![[1.0, 0.0]]);
/// # Ok::<(), geartrain::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax;

/// `out_i = y_i (v_i − Σ_j y_j v_j)`. With ∂y_i/∂x_j = y_i (δ_ij − y_j), a symmetric Jacobian, this is both J v and Jᵀ v.
fn times_jacobian<F: Scalar>(y: ArrayView2<F>, v: ArrayView2<F>, mut out: ArrayViewMut2<F>) {
    for ((y, v), out) in y.rows().into_iter().zip(v.rows()).zip(out.rows_mut()) {
        let mean = Zip::from(y).and(v).fold(F::zero(), |sum, &y, &v| sum + y * v);
        Zip::from(out).and(y).and(v).for_each(|out, &y, &v| *out = y * (v - mean));
    }
}

impl<F: Scalar> Layer<F> for Softmax {
    fn output_features(&self, inputs: usize) -> Result<usize, Error> {
        Ok(inputs)
    }

    fn forward(&self, _: &[F], x: ArrayView2<F>, mut y: ArrayViewMut2<F>, _: &mut Cache<F>, _: Mode) {
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            let largest = x.fold(F::neg_infinity(), |max, &x| max.max(x));
            // e^{x_i − max} / Σ e^{x_j − max}: the common factor e^{−max} cancels
            Zip::from(&mut y).and(x).for_each(|y, &x| *y = (x - largest).exp());
            let sum = y.sum();
            y /= sum;
        }
    }

    fn backward(
        &self,
        _: &[F],
        saved: Saved<'_, F>,
        dy: ArrayView2<F>,
        _: &mut [F],
        dx: Option<ArrayViewMut2<F>>,
    ) {
        // dx = Jᵀ dy
        if let Some(dx) = dx {
            times_jacobian(saved.y, dy, dx);
        }
    }

    fn tangent(
        &self,
        _: &[F],
        _: &[F],
        saved: Saved<'_, F>,
        dx: ArrayView2<F>,
        dy: ArrayViewMut2<F>,
    ) -> Result<(), Error> {
        // dy = J dx
        times_jacobian(saved.y, dx, dy);
        Ok(())
    }
}
