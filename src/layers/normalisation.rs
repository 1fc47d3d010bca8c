//! What the normalisations share.

use ndarray::ArrayView1;

use super::check_sizes;
use crate::{LayerProblem, Scalar};

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
