//! Singular values of Jacobians: whether a network treats all directions alike.

use ndarray::{Array2, ArrayRef2, Axis};

use crate::numbers::{entries, norm};
use geartrain::Scalar;

/// The singular values of `matrix`, largest first, by the one-sided Jacobi method (Golub and Van
/// Loan, section 8.6.3): pairs of columns are rotated until all are orthogonal; their norms are the
/// singular values.
pub fn singular_values<F: Scalar>(matrix: &ArrayRef2<F>) -> Vec<f64> {
    let wide = matrix.nrows() < matrix.ncols();
    // the columns of the tall matrix, each contiguous
    let mut columns = if wide { matrix.to_owned() } else { matrix.t().to_owned() }.mapv(F::as_f64);
    let n = columns.nrows();
    for _sweep in 0..60 {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                let (mut above, mut below) = columns.view_mut().split_at(Axis(0), q);
                let (mut a, mut b) = (above.row_mut(p), below.row_mut(0));
                let (alpha, beta, gamma) = (a.dot(&a), b.dot(&b), a.dot(&b));
                if gamma.abs() <= 1e-15 * (alpha * beta).sqrt() {
                    continue;
                }
                rotated = true;
                let zeta = (beta - alpha) / (2.0 * gamma);
                let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                let sine = cosine * tangent;
                ndarray::Zip::from(&mut a).and(&mut b).for_each(|a, b| {
                    (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                });
            }
        }
        if !rotated {
            break;
        }
    }
    let mut values: Vec<f64> = columns.rows().into_iter().map(|column| norm(&column.to_vec())).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

/// The relative variance `Var(s²) / mean(s²)²` of singular values `s`: 0 if all directions are
/// treated alike. [`jacobian_spread`](crate::formulas::jacobian_spread) is its theoretical value.
pub fn spread(singular_values: &[f64]) -> f64 {
    let n = singular_values.len().max(1) as f64;
    let mean = singular_values.iter().map(|s| s * s).sum::<f64>() / n;
    singular_values.iter().map(|s| (s * s - mean).powi(2)).sum::<f64>() / n / (mean * mean)
}

/// The [`spread`] of a matrix's singular values s, from `Σ s² = |A|²` and `Σ s⁴ = |AᵀA|²`.
pub(crate) fn matrix_spread<F: Scalar>(matrix: &Array2<F>) -> f64 {
    let length = norm(entries(matrix));
    let unit = matrix.mapv(|v| v.as_f64() / length);
    let gram = if matrix.nrows() < matrix.ncols() { unit.dot(&unit.t()) } else { unit.t().dot(&unit) };
    gram.nrows() as f64 * gram.iter().map(|g| g * g).sum::<f64>() - 1.0
}
