//! The linear baseline: ordinary least squares.

use ndarray::{Array1, Array2, ArrayRef2, ArrayView1};

/// The largest number of multiplications: a few seconds.
const MOST_OPERATIONS: f64 = 1e10;

/// The weights `w` that minimise Σ (x w − y)², from the normal equations `(xᵀx + ε) w = xᵀy`.
/// `None` if `x` has so many columns that this would take longer than the training.
///
/// The columns of `x` and `y` must have mean 0, so that no intercept is needed. ε is 10⁻⁸ times the
/// number of rows: it makes the system solvable where columns are constant or linearly dependent,
/// and is negligible elsewhere.
pub fn least_squares(x: &ArrayRef2<f64>, y: ArrayView1<f64>) -> Option<Array1<f64>> {
    let (rows, columns) = (x.nrows() as f64, x.ncols() as f64);
    if (rows + columns) * columns * columns > MOST_OPERATIONS {
        return None;
    }
    let mut gram = x.t().dot(&x.view());
    gram.diag_mut().mapv_inplace(|entry| entry + 1e-8 * rows);
    Some(solve(cholesky(gram), x.t().dot(&y)))
}

/// The lower triangular factor L of a positive definite `a = L Lᵀ`.
fn cholesky(mut a: Array2<f64>) -> Array2<f64> {
    for j in 0..a.nrows() {
        for i in j..a.nrows() {
            let known: f64 = (0..j).map(|k| a[[i, k]] * a[[j, k]]).sum();
            let rest = a[[i, j]] - known;
            a[[i, j]] = if i == j { rest.sqrt() } else { rest / a[[j, j]] };
        }
    }
    a
}

/// `b ← (L Lᵀ)⁻¹ b`, by forward and then backward substitution.
fn solve(l: Array2<f64>, mut b: Array1<f64>) -> Array1<f64> {
    let n = b.len();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| l[[i, k]] * b[k]).sum();
        b[i] = (b[i] - known) / l[[i, i]];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| l[[k, i]] * b[k]).sum();
        b[i] = (b[i] - known) / l[[i, i]];
    }
    b
}
