//! Elementwise functions over slices, compiled for every instruction set.

use super::dispatch::{Isa, Work};
use crate::Scalar;

/// A function `φ` of single numbers. Mark both methods `#[inline]`: the loops over them become
/// vector instructions only when they are inlined.
pub trait Function<F>: Sync {
    /// `φ(x)`.
    fn value(&self, x: F) -> F;

    /// `φ'(x)`, from `x` and `y = φ(x)`.
    fn slope(&self, x: F, y: F) -> F;
}

/// A function with a second derivative.
pub trait Curved<F>: Function<F> {
    /// `φ''(x)`, from `x` and `y = φ(x)`.
    fn curvature(&self, x: F, y: F) -> F;
}

/// `y = φ(x)` for every number.
///
/// Takes the function by reference: a closure that calls it may not be inlined.
#[derive(Debug)]
pub(super) struct Values<'a, F, A: ?Sized> {
    pub function: &'a A,
    pub x: &'a [F],
    pub y: &'a mut [F],
}

impl<F: Scalar, A: Function<F> + ?Sized> Work for Values<'_, F, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = self.function.value(x);
        }
    }
}

/// `out[i] = f(i)` for every number.
#[derive(Debug)]
pub(super) struct Fill<'a, F, T> {
    pub out: &'a mut [F],
    pub f: T,
}

impl<F: Scalar, T: Fn(u64) -> F> Work for Fill<'_, F, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = (self.f)(i as u64);
        }
    }
}

/// `out = f(a, b)` for every number.
#[derive(Debug)]
pub(super) struct Zip<'a, F, T> {
    pub a: &'a [F],
    pub b: &'a [F],
    pub out: &'a mut [F],
    pub f: T,
}

impl<F: Scalar, T: Fn(F, F) -> F> Work for Zip<'_, F, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for ((out, &a), &b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *out = (self.f)(a, b);
        }
    }
}

/// `dx = φ'(x) · dy` for every number; magnitudes below `least` become 0.
#[derive(Debug)]
pub(super) struct Slopes<'a, F, A: ?Sized> {
    pub function: &'a A,
    pub x: &'a [F],
    pub y: &'a [F],
    pub dy: &'a [F],
    pub dx: &'a mut [F],
    pub least: F,
}

impl<F: Scalar, A: Function<F> + ?Sized> Work for Slopes<'_, F, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let saved = self.x.iter().zip(self.y);
        for ((dx, (&x, &y)), &dy) in self.dx.iter_mut().zip(saved).zip(self.dy) {
            let product = self.function.slope(x, y) * dy;
            // The comparison is false for NaN, which therefore stays.
            *dx = if product.abs() < self.least { F::zero() } else { product };
        }
    }
}

/// `dx = φ'(x) · dy` and its change `dẋ = φ'(x) · dẏ + φ''(x) · ẋ · dy` for every number, in one
/// loop: slope and curvature share exponentials. Magnitudes below `least` become 0.
#[derive(Debug)]
pub(super) struct Bends<'a, F, A: ?Sized> {
    pub function: &'a A,
    /// x, y, ẋ, dy and dẏ.
    pub given: [&'a [F]; 5],
    pub dx: &'a mut [F],
    pub dx_dot: &'a mut [F],
    pub least: F,
}

impl<F: Scalar, A: Curved<F> + ?Sized> Work for Bends<'_, F, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let [x, y, x_dot, dy, dy_dot] = self.given;
        let saved = x.iter().zip(y).zip(x_dot);
        let from = dy.iter().zip(dy_dot);
        for ((dx, dx_dot), (((&x, &y), &x_dot), (&dy, &dy_dot))) in
            self.dx.iter_mut().zip(self.dx_dot).zip(saved.zip(from))
        {
            let (slope, curvature) = (self.function.slope(x, y), self.function.curvature(x, y));
            let (value, change) = (slope * dy, slope * dy_dot + curvature * (x_dot * dy));
            *dx = if value.abs() < self.least { F::zero() } else { value };
            *dx_dot = if change.abs() < self.least { F::zero() } else { change };
        }
    }
}
