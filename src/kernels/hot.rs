//! The hot loops for each number type, compiled once, here, and not again in every crate that uses a network.

use ndarray::NdFloat;

use super::dispatch::{Isa, dispatch};
use super::gemm::{Planned, Product};
use super::vector::Vector;
use super::{exp, flush, pack, pool, reduce};
use crate::Scalar;

/// What `f32` and `f64` can do fast. Being private it also keeps [`Scalar`](crate::Scalar) to these two.
pub trait Hot: NdFloat {
    #[doc(hidden)]
    type Vector<I: Isa>: Vector<Self>;
    #[doc(hidden)]
    type Narrow<I: Isa>: Vector<Self>;

    #[doc(hidden)]
    fn product(product: Product<Self>);

    #[doc(hidden)]
    fn sigmoid_of(x: &[Self], y: &mut [Self]);

    #[doc(hidden)]
    fn tanh_of(x: &[Self], y: &mut [Self]);

    #[doc(hidden)]
    fn largest_of(values: &[Self]) -> Self;

    /// The smallest magnitude that a gradient may have now.
    #[doc(hidden)]
    fn least_gradient() -> Self;
}

/// Something with a pointer, lent to threads that write different parts of what it points to.
struct Apart<T>(T);

// SAFETY: every use below gives each thread a part of its own to write.
unsafe impl<T> Sync for Apart<T> {}

impl<T: Copy> Apart<T> {
    fn get(&self) -> T {
        self.0
    }
}

fn run<F: Scalar>(product: Product<F>) {
    if product.m == 0 || product.n == 0 || product.k == 0 {
        return;
    }
    let product = product.oriented();
    let plan = product.plan();
    let run = |product: Product<F>| {
        pack::with_scratch(product.scratch(plan), |scratch| dispatch(Planned { product, plan, scratch }));
    };
    match product.parts(pool::threads()) {
        1 => run(product),
        parts => {
            let whole = Apart(product);
            pool::share(parts, &|part| run(whole.get().part(part, parts)));
        }
    }
}

/// Runs a pass from `x` to `y`, shared by threads that have `least` numbers or more to do.
fn in_parts<F: Scalar>(x: &[F], y: &mut [F], least: usize, pass: impl Fn(&[F], &mut [F]) + Sync) {
    let all = x.len().min(y.len());
    let parts = pool::threads().min(all / least);
    if parts < 2 {
        return pass(x, y);
    }
    let start = Apart(y.as_mut_ptr());
    pool::share(parts, &|part| {
        let (from, to) = (all * part / parts, all * (part + 1) / parts);
        // SAFETY: the parts do not overlap and lie inside `y`, which is lent until all are done.
        let y = unsafe { std::slice::from_raw_parts_mut(start.get().add(from), to - from) };
        pass(&x[from..to], y);
    });
}

/// Numbers worth a thread: a few microseconds of work.
const SIGMOIDS_PER_THREAD: usize = 4096;

impl Hot for f32 {
    type Vector<I: Isa> = I::F32;
    type Narrow<I: Isa> = I::NarrowF32;

    fn product(product: Product<f32>) {
        run(product);
    }

    fn sigmoid_of(x: &[f32], y: &mut [f32]) {
        in_parts(x, y, SIGMOIDS_PER_THREAD, |x, y| dispatch(exp::Sigmoid { x, y }));
    }

    fn tanh_of(x: &[f32], y: &mut [f32]) {
        in_parts(x, y, SIGMOIDS_PER_THREAD, |x, y| dispatch(exp::Tanh { x, y }));
    }

    fn largest_of(values: &[f32]) -> f32 {
        dispatch(reduce::LargestF32(values))
    }

    fn least_gradient() -> f32 {
        if flush::is_on() { flush::LEAST } else { 0.0 }
    }
}

impl Hot for f64 {
    type Vector<I: Isa> = I::F64;
    type Narrow<I: Isa> = I::NarrowF64;

    fn product(product: Product<f64>) {
        run(product);
    }

    fn sigmoid_of(x: &[f64], y: &mut [f64]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = 1.0 / (1.0 + (-x).exp()));
    }

    fn tanh_of(x: &[f64], y: &mut [f64]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x.tanh());
    }

    fn largest_of(values: &[f64]) -> f64 {
        dispatch(reduce::LargestF64(values))
    }

    fn least_gradient() -> f64 {
        0.0
    }
}
