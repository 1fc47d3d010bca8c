//! The hot loops for each number type, compiled once, here, and not again in every crate that uses a network.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::NdFloat;

use super::dispatch::{Isa, dispatch};
use super::gemm::{Planned, Product};
use super::share::{Apart, in_parts, pass_in_parts};
use super::vector::Vector;
use super::{exp, flush, pack, pool, reduce, values};
use crate::Scalar;
use crate::layers::{Sigmoid, Tanh};

/// What `f32` and `f64` can do fast. Being private it also keeps [`Scalar`](crate::Scalar) to these two.
pub trait Hot: NdFloat {
    #[doc(hidden)]
    type Vector<I: Isa>: Vector<Self>;
    #[doc(hidden)]
    type Narrow<I: Isa>: Vector<Self>;

    #[doc(hidden)]
    fn product(product: Product<Self>);

    #[doc(hidden)]
    fn sigmoids(x: &[Self], y: &mut [Self]);

    #[doc(hidden)]
    fn tanhs(x: &[Self], y: &mut [Self]);

    #[doc(hidden)]
    fn largest_of(values: &[Self]) -> Self;

    /// The smallest magnitude that a gradient may have now.
    #[doc(hidden)]
    fn least_gradient() -> Self;
}

fn run<F: Scalar>(product: Product<F>) {
    if product.m == 0 || product.n == 0 {
        return;
    }
    let product = product.oriented();
    let plan = product.plan();
    let parts = product.parts(&plan);
    if parts == 1 {
        return pack::with_scratch(product.scratch(&plan), |scratch| {
            dispatch(Planned { product: &product, plan: &plan, scratch });
        });
    }
    // Memory of this thread for every part: a worker that comes late has nothing to allocate.
    let largest = (0..parts).map(|part| product.part(part, parts).scratch(&plan)).max();
    let room = largest.unwrap_or(0).next_multiple_of(pack::LINE / size_of::<F>());
    pack::with_scratch(parts * room, |scratch: *mut F| {
        let whole = Apart((product, plan, scratch));
        pool::share(parts, move |part| {
            let (product, plan, scratch) = whole.get();
            let (product, scratch) = (&product.part(part, parts), scratch.wrapping_add(part * room));
            dispatch(Planned { product, plan: &plan, scratch });
        });
    });
}

/// The largest of what `part` finds in parts of `values`, as it orders numbers by their bits.
fn largest_in_parts<F: Scalar>(values: &[F], part: impl Fn(&[F]) -> F + Sync) -> F {
    if values.len() < 2 * MAGNITUDES_PER_THREAD {
        return part(values);
    }
    // The order of the bits is that of the magnitudes in `f64`, too.
    let largest = AtomicU64::new(0);
    in_parts(values.len(), MAGNITUDES_PER_THREAD, |range| {
        largest.fetch_max(part(&values[range]).as_f64().to_bits(), Ordering::Relaxed);
    });
    F::of(f64::from_bits(largest.into_inner()))
}

/// Numbers worth a thread: a few microseconds of work.
const SIGMOIDS_PER_THREAD: usize = 4096;
const MAGNITUDES_PER_THREAD: usize = 16_384;

impl Hot for f32 {
    type Vector<I: Isa> = I::F32;
    type Narrow<I: Isa> = I::NarrowF32;

    fn product(product: Product<f32>) {
        run(product);
    }

    fn sigmoids(x: &[f32], y: &mut [f32]) {
        pass_in_parts(x, y, SIGMOIDS_PER_THREAD, |_, x, y| dispatch(exp::Sigmoid { x, y }));
    }

    fn tanhs(x: &[f32], y: &mut [f32]) {
        pass_in_parts(x, y, SIGMOIDS_PER_THREAD, |_, x, y| dispatch(exp::Tanh { x, y }));
    }

    fn largest_of(values: &[f32]) -> f32 {
        largest_in_parts(values, |values| dispatch(reduce::LargestF32(values)))
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

    fn sigmoids(x: &[f64], y: &mut [f64]) {
        values(&Sigmoid, x, y);
    }

    fn tanhs(x: &[f64], y: &mut [f64]) {
        values(&Tanh, x, y);
    }

    fn largest_of(values: &[f64]) -> f64 {
        largest_in_parts(values, |values| dispatch(reduce::LargestF64(values)))
    }

    fn least_gradient() -> f64 {
        0.0
    }
}
