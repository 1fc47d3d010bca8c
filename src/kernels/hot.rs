//! The hot loops for each number type, compiled once, here, and not again in every crate that uses a network.

use ndarray::NdFloat;

use super::dispatch::{Isa, dispatch};
use super::gemm::{Planned, Product};
use super::vector::Vector;
use super::{exp, flush, pack};
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

    /// The smallest magnitude that a gradient may have now.
    #[doc(hidden)]
    fn least_gradient() -> Self;
}

fn run<F: Scalar>(product: Product<F>) {
    if product.m == 0 || product.n == 0 || product.k == 0 {
        return;
    }
    let product = product.oriented();
    let plan = product.plan();
    pack::with_scratch(product.scratch(plan), |scratch| dispatch(Planned { product, plan, scratch }));
}

impl Hot for f32 {
    type Vector<I: Isa> = I::F32;
    type Narrow<I: Isa> = I::NarrowF32;

    fn product(product: Product<f32>) {
        run(product);
    }

    fn sigmoid_of(x: &[f32], y: &mut [f32]) {
        dispatch(exp::Sigmoid { x, y });
    }

    fn tanh_of(x: &[f32], y: &mut [f32]) {
        dispatch(exp::Tanh { x, y });
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

    fn least_gradient() -> f64 {
        0.0
    }
}
