//! The number types.

use ndarray::NdFloat;

use crate::dispatch::Isa;
use crate::gemm::Product;
use crate::vector::Vector;
use crate::{flush, gemm, math, math_f32, reduce};

/// A floating-point type: `f32` for training, `f64` for gradient checks and measurements.
///
/// Sealed: the kernels exist for these two types only.
pub trait Scalar: NdFloat + Default + std::iter::Sum {
    /// `value` rounded to this type.
    fn of(value: f64) -> Self;

    /// This number as an `f64`, exactly.
    fn as_f64(self) -> f64;

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
    fn max_magnitude(values: &[Self]) -> Self;

    /// The smallest magnitude of a gradient that is not flushed to zero now.
    #[doc(hidden)]
    fn least_gradient() -> Self;
}

impl Scalar for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }

    fn as_f64(self) -> f64 {
        f64::from(self)
    }

    type Vector<I: Isa> = I::F32;
    type Narrow<I: Isa> = I::NarrowF32;

    fn product(product: Product<f32>) {
        gemm::run(product);
    }

    fn sigmoids(x: &[f32], y: &mut [f32]) {
        math_f32::sigmoids(x, y);
    }

    fn tanhs(x: &[f32], y: &mut [f32]) {
        math_f32::tanhs(x, y);
    }

    fn max_magnitude(values: &[f32]) -> f32 {
        reduce::max_magnitude_f32(values)
    }

    fn least_gradient() -> f32 {
        if flush::is_on() { flush::LEAST } else { 0.0 }
    }
}

impl Scalar for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn as_f64(self) -> f64 {
        self
    }

    type Vector<I: Isa> = I::F64;
    type Narrow<I: Isa> = I::NarrowF64;

    fn product(product: Product<f64>) {
        gemm::run(product);
    }

    fn sigmoids(x: &[f64], y: &mut [f64]) {
        math::sigmoids(x, y);
    }

    fn tanhs(x: &[f64], y: &mut [f64]) {
        math::tanhs(x, y);
    }

    fn max_magnitude(values: &[f64]) -> f64 {
        reduce::max_magnitude_f64(values)
    }

    fn least_gradient() -> f64 {
        0.0
    }
}
