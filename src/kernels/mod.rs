//! The hot loops, behind plain functions. Everything else in the crate may be slow and plain; this may be clever.
#![allow(unsafe_code)]
// Loops over the entries of registers read like the formulas they are.
#![allow(clippy::needless_range_loop)]

mod dispatch;
mod dot;
mod exp;
mod flush;
mod gemm;
mod hot;
mod map;
mod pack;
mod peak;
mod pool;
mod reduce;
mod share;
mod tile;
mod update;
mod vector;

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use crate::Scalar;
use dispatch::dispatch;
pub(crate) use flush::flushing;
use gemm::Product;
pub use hot::Hot;
pub use peak::peak;
pub use pool::with_threads;
use tile::Matrix;
pub(crate) use update::update;

/// `c = a · b`, whatever was in `c`.
pub(crate) fn matmul<F: Scalar>(a: ArrayView2<F>, b: ArrayView2<F>, mut c: ArrayViewMut2<F>) {
    if a.ncols() == 0 {
        c.fill(F::zero());
    }
    F::product(product(a, b, c, false));
}

/// `c += a · b`.
pub(crate) fn matmul_add<F: Scalar>(a: ArrayView2<F>, b: ArrayView2<F>, c: ArrayViewMut2<F>) {
    F::product(product(a, b, c, true));
}

/// The product of these matrices, to be run while they are lent.
fn product<F: Scalar>(a: ArrayView2<F>, b: ArrayView2<F>, mut c: ArrayViewMut2<F>, add: bool) -> Product<F> {
    let ((m, k), n) = (a.dim(), b.ncols());
    assert!(b.nrows() == k && c.dim() == (m, n), "{m} × {k} times {:?} into {:?}", b.dim(), c.dim());
    Product {
        m,
        n,
        k,
        a: Matrix { start: a.as_ptr(), row: a.strides()[0], column: a.strides()[1] },
        b: Matrix { start: b.as_ptr(), row: b.strides()[0], column: b.strides()[1] },
        c: Matrix { row: c.strides()[0], column: c.strides()[1], start: c.as_mut_ptr() },
        add,
    }
}

/// `y = f(x)` for every number.
pub(crate) fn map<F: Scalar>(x: &[F], y: &mut [F], f: impl Fn(F) -> F) {
    dispatch(map::Map { x, y, f });
}

/// `y = 1 / (1 + e⁻ˣ)` for every number.
pub(crate) fn sigmoid<F: Scalar>(x: &[F], y: &mut [F]) {
    F::sigmoid_of(x, y);
}

/// `y = tanh x` for every number.
pub(crate) fn tanh<F: Scalar>(x: &[F], y: &mut [F]) {
    F::tanh_of(x, y);
}

/// `dx = slope(x, y) · dy` for every number; what is smaller than training needs becomes 0 (see [`flush`]).
pub(crate) fn slopes<F: Scalar>(x: &[F], y: &[F], dy: &[F], dx: &mut [F], slope: impl Fn(F, F) -> F) {
    dispatch(map::Slopes { x, y, dy, dx, slope, least: F::least_gradient() });
}

/// Writes `row` over every row of `y`.
pub(crate) fn fill_rows<F: Scalar>(row: ArrayView1<F>, mut y: ArrayViewMut2<F>) {
    match (row.to_slice(), y.as_slice_mut()) {
        (Some(row), Some(y)) if !row.is_empty() => {
            y.chunks_exact_mut(row.len()).for_each(|y| y.copy_from_slice(row));
        }
        _ => y.assign(&row),
    }
}

/// The sum over the rows of `a`.
pub(crate) fn sum_rows<F: Scalar>(a: ArrayView2<F>, mut sum: ArrayViewMut1<F>) {
    match (a.to_slice(), sum.as_slice_mut()) {
        (Some(rows), Some(sum)) => dispatch(reduce::SumRows { rows, sum }),
        _ => {
            sum.fill(F::zero());
            a.rows().into_iter().for_each(|row| sum += &row);
        }
    }
}

/// The largest magnitude among `values`, 0 for none; NaN if one of them is NaN.
pub(crate) fn max_magnitude<F: Scalar>(values: &[F]) -> F {
    F::largest_of(values)
}
