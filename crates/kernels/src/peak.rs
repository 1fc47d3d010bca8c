//! The peak of the processor.

use std::hint::black_box;
use std::marker::PhantomData;
use std::time::Instant;

use super::dispatch::{Isa, Work, dispatch};
use super::vector::Vector;
use crate::Scalar;

/// The peak of one core in floating-point operations per second, measured in a few milliseconds
/// with the widest multiply-add instructions on values in registers. It is an upper bound for every
/// product.
pub fn peak<F: Scalar>() -> f64 {
    (0..200).map(|_| dispatch(Peak(PhantomData::<F>))).fold(0.0, f64::max)
}

struct Peak<F>(PhantomData<F>);

impl<F: Scalar> Work for Peak<F> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self) -> f64 {
        // Enough sums to hide the latency of an addition, few enough for 16 registers.
        const SUMS: usize = 12;
        const ROUNDS: usize = 5_000;
        let factor = F::Vector::<I>::splat(black_box(F::of(0.5)));
        let mut sums = [F::Vector::<I>::splat(F::one()); SUMS];
        let start = Instant::now();
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = sum.multiply_add(factor, factor);
            }
        }
        black_box(&sums);
        (2 * SUMS * ROUNDS * F::Vector::<I>::LANES) as f64 / start.elapsed().as_secs_f64()
    }
}
