//! The two number types a network can be made of.

use ndarray::NdFloat;

use crate::kernels::Hot;

/// A floating-point number type: `f32` for training, `f64` for checking gradients and for the gradient laboratory.
pub trait Scalar: NdFloat + Default + std::iter::Sum + Hot {
    /// `value` rounded to this type.
    fn of(value: f64) -> Self;

    /// This number as an `f64`, exactly.
    fn as_f64(self) -> f64;
}

impl Scalar for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }

    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn as_f64(self) -> f64 {
        self
    }
}
