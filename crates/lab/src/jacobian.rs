//! The Jacobian of a network's output in its input, and what it says about depth.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::measure::{norm, normal_batch, rows};
use super::trace::Trace;
use geartrain::error::require;
use geartrain::{Error, Kind, Network, Scalar};

/// `∂y/∂x` of `network` at one input: `(outputs, inputs)`, by one backward pass that asks for every output at once.
///
/// # Errors
/// As [`Network::predict`]; [`Error::Argument`] for a network with BatchNorm, whose outputs depend on other rows.
pub fn jacobian<F: Scalar>(network: &Network<F>, x: ArrayView1<F>) -> Result<Array2<F>, Error> {
    let alone = network.min_batch_size() == 1;
    require(alone, "network", "one whose rows do not depend on each other", network.layer().describe().name)?;
    // row i of the batch is the same x, asked for output i
    let rows = x.broadcast((network.outputs(), x.len())).expect("a row can be repeated");
    let mut trace = Trace::new(network, rows)?;
    Ok(trace.backward(Array2::eye(network.outputs()).view(), &mut |_, _, _| {}).matrix)
}

/// The singular values of `matrix`, largest first, by the one-sided Jacobi method (Golub and Van Loan, section 8.6.3):
/// columns are rotated in pairs until all are orthogonal; their lengths are the singular values.
pub fn singular_values<F: Scalar>(matrix: ArrayView2<F>) -> Vec<f64> {
    let wide = matrix.nrows() < matrix.ncols();
    // columns of the tall matrix, each contiguous
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

/// `Var(s²) / mean(s²)²` of singular values `s`: 0 when the network treats all directions alike. In theory
/// [`jacobian_spread`](super::formulas::jacobian_spread).
pub fn spread(singular_values: &[f64]) -> f64 {
    let n = singular_values.len().max(1) as f64;
    let mean = singular_values.iter().map(|s| s * s).sum::<f64>() / n;
    singular_values.iter().map(|s| (s * s - mean).powi(2)).sum::<f64>() / n / (mean * mean)
}

/// How alike the gradients of different inputs are: for every layer, in the order of a
/// [`Measurement`](super::Measurement), the mean over pairs of rows of the cosine between `∂(v·y_r)/∂z_r` and
/// `∂(v·y_s)/∂z_s` at the layer's output z, for one random `v`; and last the same at the network's input. It falls from 1
/// at the output; where it nears 0, the gradient is noise ("shattered", Balduzzi et al. 2017).
///
/// # Errors
/// As [`Network::predict`].
pub fn gradient_correlation<F: Scalar>(
    network: &Network<F>,
    x: ArrayView2<F>,
    seed: u64,
) -> Result<Vec<f64>, Error> {
    let mut trace = Trace::new(network, x)?;
    let v = normal_batch::<F>(1, network.outputs(), seed);
    let all = v.broadcast(trace.output.dim()).expect("one row, repeated").to_owned();
    let mut matrices = vec![Array2::zeros((0, 0)); trace.steps.len() + 1];
    let top = matrices.len() - 1;
    let input = trace.backward(all.view(), &mut |i, _, passing| matrices[i] = passing.dy.matrix.clone());
    matrices[top] = input.matrix;
    if network.min_batch_size() > 1 {
        // BatchNorm lets rows act on each other: only what a row's output says about its own input is kept
        for row in 0..x.nrows() {
            let mut one = Array2::zeros(all.dim());
            one.row_mut(row).assign(&v.row(0));
            let keep = |matrix: &mut Array2<F>, dy: &Array2<F>| matrix.row_mut(row).assign(&dy.row(row));
            let input =
                trace.backward(one.view(), &mut |i, _, passing| keep(&mut matrices[i], &passing.dy.matrix));
            keep(&mut matrices[top], &input.matrix);
        }
    }
    Ok(matrices.iter().map(|matrix| mean_cosine(matrix.view())).collect())
}

/// The mean cosine between two different rows; rows of zeros are left out.
fn mean_cosine<F: Scalar>(rows: ArrayView2<F>) -> f64 {
    let mut sum = ndarray::Array1::<f64>::zeros(rows.ncols());
    let mut count = 0.0;
    for row in rows.rows() {
        let length = norm(&row.to_vec());
        if length > 0.0 {
            sum += &row.mapv(|v| v.as_f64() / length);
            count += 1.0;
        }
    }
    // Σ_(r≠s) u_r·u_s = |Σ u|² − n
    if count > 1.0 { (sum.dot(&sum) - count) / (count * (count - 1.0)) } else { 1.0 }
}

/// The gradient of a residual network, taken apart by the number of branches that its paths go through (Veit et al. 2016).
#[derive(Debug, Clone, PartialEq)]
pub struct PathSpectrum {
    /// `|G_k|`, the length of what all paths through exactly k branches contribute to the gradient at the network's input.
    pub lengths: Vec<f64>,
    /// The length of the sum of all contributions, which is the gradient.
    pub total: f64,
}

/// Splits the gradient at the input of `network`, for the gradient `dy` at its output, by path length. Only skip
/// connections on the main path count. Exact: each block sends every part of the gradient around its branch and through
/// it, so the work grows with the square of the depth.
///
/// # Errors
/// As [`Network::predict`]; [`Error::Shape`] if `dy` has another shape than the output.
pub fn path_spectrum<F: Scalar>(
    network: &Network<F>,
    x: ArrayView2<F>,
    dy: ArrayView2<F>,
) -> Result<PathSpectrum, Error> {
    let mut trace = Trace::new(network, x)?;
    geartrain::error::same_shape("dy", trace.output.shape(), dy.shape())?;
    let back = |trace: &mut Trace<F>, begin, end, dy| {
        trace.backward_between(begin, end, dy, &mut |_, _, _| {}).matrix
    };
    let mut parts = vec![dy.as_standard_layout().into_owned()];
    let mut end = trace.steps.len();
    while end > 0 {
        let i = end - 1;
        if let (Kind::Residual { scale }, Some(body)) = (trace.steps[i].kind, trace.steps[i].body) {
            // every part goes on around the branch, and through it with one branch more
            let branch = |part: &Array2<F>| back(&mut trace, body, i, part.mapv(|v| F::of(scale) * v));
            let longer: Vec<_> = parts.iter().map(branch).collect();
            parts.push(Array2::zeros(trace.steps[i].x.dim()));
            parts[1..].iter_mut().zip(longer).for_each(|(part, longer)| *part += &longer);
            end = body;
        } else {
            parts = parts.into_iter().map(|part| back(&mut trace, i, end, part)).collect();
            end = i;
        }
    }
    let total = parts.iter().fold(Array2::<F>::zeros(x.dim()), |sum, part| sum + part);
    let lengths = parts.iter().map(|part| norm(rows(part))).collect();
    Ok(PathSpectrum { lengths, total: norm(rows(&total)) })
}
