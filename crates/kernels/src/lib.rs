//! The hot loops of geartrain behind safe functions on slices and [`ndarray`] views.
//!
//! This is the only crate of the workspace with `unsafe` code. It knows numbers, strides and
//! threads, but no layer.
//!
//! | file | contents |
//! |---|---|
//! | `scalar` | the number types, `f32` and `f64` |
//! | `dispatch`, `vector` | instruction sets chosen at run time; vector registers |
//! | `gemm`, `tile`, `dot`, `row`, `pack` | products: blocking, tiles, one column or row, packing |
//! | `map` | elementwise functions and their slopes |
//! | `math`, `math_f32` | exp, tanh, sigmoid, erfcx without branches, in `f64` and `f32` |
//! | `reduce` | column sums and largest magnitudes |
//! | `update` | optimizer updates: one pass over weights, gradients and state |
//! | `flush` | vanishing gradients set to zero before they become subnormal |
//! | `pool`, `share` | worker threads; loops split over them |
//! | `peak` | the measured peak of multiply-add instructions |
// Loops over the entries of registers read like the formulas they are.
#![allow(clippy::needless_range_loop)]

mod dispatch;
mod dot;
mod flush;
mod gemm;
mod map;
mod math;
mod math_f32;
mod pack;
mod peak;
mod pool;
mod reduce;
mod row;
mod scalar;
mod share;
mod tile;
mod update;
mod vector;

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Zip};

use dispatch::dispatch;
pub use dispatch::instruction_set;
pub use flush::flushing;
use gemm::Product;
pub use map::{Curved, Function};
pub use math::{erfcx, exp, exp_m1, ln_1p, logistic, tanh};
pub use pack::LINE;
pub use peak::peak;
pub use pool::{in_parallel, on_each_thread, threads, with_threads};
pub use row::row;
pub use scalar::Scalar;
use share::{pass_in_pairs, pass_in_parts};
use tile::Matrix;
pub use update::{UPDATES_PER_THREAD, update};

/// Numbers per thread that are worth a hand-over in cheap elementwise loops.
const NUMBERS_PER_THREAD: usize = 4096;

/// `c = a · b`. The previous content of `c` is ignored.
///
/// # Panics
/// If the shapes do not match, here and in the functions below.
pub fn matmul<F: Scalar>(a: ArrayView2<F>, b: ArrayView2<F>, c: ArrayViewMut2<F>) {
    F::product(product(a, b, c, |_| None));
}

/// `c += a · b`.
pub fn matmul_add<F: Scalar>(a: ArrayView2<F>, b: ArrayView2<F>, c: ArrayViewMut2<F>) {
    F::product(product(a, b, c, |c| Some(c.cast_const())));
}

/// `c = a · b`, with `row` added to every row.
pub fn matmul_add_row<F: Scalar>(
    a: ArrayView2<F>,
    b: ArrayView2<F>,
    row: ArrayView1<F>,
    c: ArrayViewMut2<F>,
) {
    assert!(row.len() == c.ncols(), "{} columns for a row of {}", c.ncols(), row.len());
    F::product(product(a, b, c, |_| Some(repeated(row))));
}

/// `row` repeated as every row of a matrix.
fn repeated<F: Scalar>(row: ArrayView1<F>) -> Matrix<*const F> {
    Matrix { start: row.as_ptr(), row: 0, column: row.strides()[0] }
}

/// `c = base + a · b` as raw pointers, valid while the views live. Without a base, `c = a · b`.
fn product<F: Scalar>(
    a: ArrayView2<F>,
    b: ArrayView2<F>,
    mut c: ArrayViewMut2<F>,
    base: impl Fn(Matrix<*mut F>) -> Option<Matrix<*const F>>,
) -> Product<F> {
    let ((m, k), n) = (a.dim(), b.ncols());
    assert!(b.nrows() == k && c.dim() == (m, n), "{m} × {k} times {:?} into {:?}", b.dim(), c.dim());
    let c = Matrix { row: c.strides()[0], column: c.strides()[1], start: c.as_mut_ptr() };
    Product {
        m,
        n,
        k,
        a: Matrix { start: a.as_ptr(), row: a.strides()[0], column: a.strides()[1] },
        b: Matrix { start: b.as_ptr(), row: b.strides()[0], column: b.strides()[1] },
        base: base(c),
        c,
    }
}

/// `y = φ(x)` for every number.
pub fn values<F: Scalar, A: Function<F> + ?Sized>(function: &A, x: &[F], y: &mut [F]) {
    pass_in_parts(x, y, NUMBERS_PER_THREAD, move |_, x, y| dispatch(map::Values { function, x, y }));
}

/// `out[i] = f(i)` for every number, on the calling thread.
pub fn fill<F: Scalar>(out: &mut [F], f: impl Fn(u64) -> F) {
    dispatch(map::Fill { out, f });
}

/// `out = f(a, b)` for every number.
pub fn zip<F: Scalar>(
    a: ArrayView2<F>,
    b: ArrayView2<F>,
    mut out: ArrayViewMut2<F>,
    f: impl Fn(F, F) -> F + Copy + Sync,
) {
    match (a.to_slice(), b.to_slice(), out.as_slice_mut()) {
        (Some(a), Some(b), Some(out)) => pass_in_parts(a, out, NUMBERS_PER_THREAD, move |range, a, out| {
            dispatch(map::Zip { a, b: &b[range], out, f });
        }),
        _ => Zip::from(out).and(a).and(b).for_each(|out, &a, &b| *out = f(a, b)),
    }
}

/// `y = 1 / (1 + e⁻ˣ)` for every number.
pub fn sigmoids<F: Scalar>(x: &[F], y: &mut [F]) {
    F::sigmoids(x, y);
}

/// `y = tanh x` for every number.
pub fn tanhs<F: Scalar>(x: &[F], y: &mut [F]) {
    F::tanhs(x, y);
}

/// `dx = φ'(x) · dy` for every number; under [`flushing`], magnitudes below 2⁻¹⁰⁰ become 0.
pub fn slopes<F: Scalar, A: Function<F> + ?Sized>(function: &A, x: &[F], y: &[F], dy: &[F], dx: &mut [F]) {
    let least = F::least_gradient();
    pass_in_parts(dy, dx, NUMBERS_PER_THREAD, move |range, dy, dx| {
        let (x, y) = (&x[range.clone()], &y[range]);
        dispatch(map::Slopes { function, x, y, dy, dx, least });
    });
}

/// `dx = φ'(x) · dy` and its change `dẋ = φ'(x) · dẏ + φ''(x) · ẋ · dy` for every number, from x,
/// y, ẋ, dy and dẏ; under [`flushing`], magnitudes below 2⁻¹⁰⁰ become 0.
pub fn bends<F: Scalar, A: Curved<F> + ?Sized>(
    function: &A,
    given: [&[F]; 5],
    dx: &mut [F],
    dx_dot: &mut [F],
) {
    let least = F::least_gradient();
    pass_in_pairs(dx, dx_dot, NUMBERS_PER_THREAD, move |range, dx, dx_dot| {
        let given = given.map(|a| &a[range.clone()]);
        dispatch(map::Bends { function, given, dx, dx_dot, least });
    });
}

/// The column sums of `a`.
pub fn sum_rows<F: Scalar>(a: ArrayView2<F>, mut sum: ArrayViewMut1<F>) {
    match (a.to_slice(), sum.as_slice_mut()) {
        (Some(rows), Some(sum)) => dispatch(reduce::SumRows { rows, sum }),
        _ => {
            sum.fill(F::zero());
            a.rows().into_iter().for_each(|row| sum += &row);
        }
    }
}

/// `into += from` for every number.
///
/// # Panics
/// If the slices differ in length.
pub fn add<F: Scalar>(into: &mut [F], from: &[F]) {
    assert!(into.len() == from.len(), "{} numbers plus {}", into.len(), from.len());
    pass_in_parts(from, into, NUMBERS_PER_THREAD, |_, from, into| dispatch(reduce::Add { into, from }));
}

/// The largest magnitude of `values`: 0 for an empty slice, NaN if any value is NaN.
pub fn max_magnitude<F: Scalar>(values: &[F]) -> F {
    F::max_magnitude(values)
}
