//! The hot loops, behind plain functions. Everything else in the crate may be slow and plain; this may be clever.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2};

use crate::Scalar;

/// `c = a · b`, whatever was in `c`.
pub(crate) fn matmul<F: Scalar>(a: ArrayView2<F>, b: ArrayView2<F>, mut c: ArrayViewMut2<F>) {
    general_mat_mul(F::one(), &a, &b, F::zero(), &mut c);
}

/// `c += a · b`.
pub(crate) fn matmul_add<F: Scalar>(a: ArrayView2<F>, b: ArrayView2<F>, mut c: ArrayViewMut2<F>) {
    general_mat_mul(F::one(), &a, &b, F::one(), &mut c);
}

/// The sum over the rows of `a`.
pub(crate) fn sum_rows<F: Scalar>(a: ArrayView2<F>, mut sum: ArrayViewMut1<F>) {
    sum.fill(F::zero());
    for row in a.rows() {
        sum += &row;
    }
}

/// The largest magnitude among `values`, 0 for none; NaN if one of them is NaN.
pub(crate) fn max_magnitude<F: Scalar>(values: &[F]) -> F {
    // Eight running maxima let the compiler use vector registers. `max` drops NaN, so NaN is carried by a sum of 0·v,
    // which infinities turn into NaN as well.
    let mut largest = [F::zero(); 8];
    let mut poison = [F::zero(); 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for i in 0..8 {
            let magnitude = chunk[i].abs();
            largest[i] = if magnitude > largest[i] { magnitude } else { largest[i] };
            poison[i] += F::zero() * chunk[i];
        }
    }
    for (i, &value) in rest.iter().enumerate() {
        largest[i] = largest[i].max(value.abs());
        poison[i] += F::zero() * value;
    }
    largest.into_iter().zip(poison).fold(F::zero(), |max, (l, p)| if p.is_nan() { p } else { max.max(l) })
}
