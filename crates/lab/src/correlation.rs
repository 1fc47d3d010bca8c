//! Correlation of the gradients of different inputs.

use ndarray::{Array1, Array2, ArrayRef2, ArrayView2};

use crate::numbers::{norm, normal_batch};
use crate::tape::Tape;
use geartrain::{Error, Network, Scalar};

/// The correlation of the gradients of different inputs: for every layer, in the order of a
/// [`Measurement`](crate::Measurement), the mean over pairs of rows r, s of the cosine between
/// `∂(v·y_r)/∂z_r` and `∂(v·y_s)/∂z_s` at the layer's output z, for one random `v`. The last entry
/// is the same at the network's input. It decreases from 1 at the output; near 0, the gradient is
/// noise ("shattered", Balduzzi et al. 2017).
///
/// # Errors
/// As [`Network::predict`].
pub fn gradient_correlation<F: Scalar>(
    network: &Network<F>,
    x: &ArrayRef2<F>,
    seed: u64,
) -> Result<Vec<f64>, Error> {
    Ok(gradient_correlation_on(&mut Tape::new(network, x.view())?, seed))
}

/// The same on a recorded pass.
pub(crate) fn gradient_correlation_on<F: Scalar>(tape: &mut Tape<F>, seed: u64) -> Vec<f64> {
    let v = normal_batch::<F>(1, tape.network.outputs(), seed);
    let all = v.broadcast(tape.output.dim()).expect("one row, repeated").to_owned();
    let mut matrices = vec![Array2::zeros((0, 0)); tape.steps.len() + 1];
    let top = matrices.len() - 1;
    let input = tape.backward(all.view(), &mut |i, _, passing| matrices[i] = passing.dy.matrix.clone());
    matrices[top] = input.matrix;
    if tape.network.min_batch_size() > 1 {
        // BatchNorm couples the rows: keep the gradient of each row's output in its own input
        for row in 0..tape.input.nrows() {
            let mut one = Array2::zeros(all.dim());
            one.row_mut(row).assign(&v.row(0));
            let keep = |matrix: &mut Array2<F>, dy: &Array2<F>| matrix.row_mut(row).assign(&dy.row(row));
            let input =
                tape.backward(one.view(), &mut |i, _, passing| keep(&mut matrices[i], &passing.dy.matrix));
            keep(&mut matrices[top], &input.matrix);
        }
    }
    matrices.iter().map(|matrix| mean_cosine(matrix.view())).collect()
}

/// The mean cosine between two different rows. Zero rows are skipped.
pub(crate) fn mean_cosine<F: Scalar>(rows: ArrayView2<F>) -> f64 {
    let mut sum = Array1::<f64>::zeros(rows.ncols());
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
