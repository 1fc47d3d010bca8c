//! Norms, means and random matrices.

use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use geartrain::Scalar;

/// A `(rows, columns)` matrix of standard normal numbers, for use as a cotangent or as a batch of
/// inputs with q = 1. Equal seeds give equal matrices.
pub fn normal_batch<F: Scalar>(rows: usize, columns: usize, seed: u64) -> Array2<F> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Array2<f64> =
        Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut rng));
    values.mapv(F::of)
}

/// The entries of a matrix in row-major layout.
pub(crate) fn entries<F>(matrix: &Array2<F>) -> &[F] {
    matrix.as_slice().expect("row-major layout")
}

/// The Euclidean norm. Very small or very large values are scaled by the largest one first, so that
/// the square of 1e-200 does not underflow.
pub(crate) fn norm<F: Scalar>(values: &[F]) -> f64 {
    let squares = sum(values, |v| v * v);
    if (1e-250..1e250).contains(&squares) {
        return squares.sqrt();
    }
    let largest = values.iter().fold(0.0, |max: f64, v| max.max(v.as_f64().abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * sum(values, |v| (v / largest).powi(2)).sqrt()
}

/// The root mean square.
pub(crate) fn rms<F: Scalar>(values: &[F]) -> f64 {
    norm(values) / (values.len().max(1) as f64).sqrt()
}

/// The sum of `term(value)`. Eight partial sums hide the latency of the additions, which would
/// otherwise dominate the cost of a measurement.
pub(crate) fn sum<F: Scalar>(values: &[F], term: impl Fn(f64) -> f64) -> f64 {
    let mut parts = [0.0; 8];
    let mut add = |chunk: &[F]| parts.iter_mut().zip(chunk).for_each(|(part, v)| *part += term(v.as_f64()));
    let (chunks, rest) = values.as_chunks::<8>();
    chunks.iter().for_each(|chunk| add(chunk));
    add(rest);
    parts.iter().sum()
}

/// The mean and its standard error, which is 0 for a single value.
pub(crate) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() < 2 { 0.0 } else { (squares / (n - 1.0) / n).sqrt() })
}

/// The mean of `value^power`; 0 for no values.
pub(crate) fn mean_power<'f, F: Scalar>(values: impl ExactSizeIterator<Item = &'f F>, power: i32) -> f64 {
    let n = values.len().max(1) as f64;
    values.map(|value| value.as_f64().powi(power)).sum::<f64>() / n
}
