//! Column sums and largest magnitudes.

use std::sync::atomic::{AtomicU64, Ordering};

use super::dispatch::{Isa, Work, dispatch};
use super::share::in_parts;
use crate::Scalar;

/// `sum = Σ rows`, in the order of the rows, which are contiguous.
#[derive(Debug)]
pub(super) struct SumRows<'a, F> {
    pub rows: &'a [F],
    pub sum: &'a mut [F],
}

impl<F: Scalar> Work for SumRows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let width = self.sum.len();
        let mut first = 0;
        while first < width {
            first += match width - first {
                32.. => self.columns::<32>(first),
                8.. => self.columns::<8>(first),
                _ => self.columns::<1>(first),
            };
        }
    }
}

impl<F: Scalar> SumRows<'_, F> {
    /// Sums `N` columns, keeping the sums in registers over all rows.
    #[inline(always)]
    fn columns<const N: usize>(&mut self, first: usize) -> usize {
        let mut sums = [F::zero(); N];
        for row in self.rows.chunks_exact(self.sum.len()) {
            let row: &[F; N] = row[first..first + N].try_into().expect("as many columns");
            for (sum, &entry) in sums.iter_mut().zip(row) {
                *sum += entry;
            }
        }
        self.sum[first..first + N].copy_from_slice(&sums);
        N
    }
}

/// `into += from` for slices of equal length.
#[derive(Debug)]
pub(super) struct Add<'a, F> {
    pub into: &'a mut [F],
    pub from: &'a [F],
}

impl<F: Scalar> Work for Add<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for (into, &from) in self.into.iter_mut().zip(self.from) {
            *into += from;
        }
    }
}

/// The largest magnitude by its bit pattern. Bit patterns of magnitudes are in numeric order,
/// followed by infinity and then NaN, so a non-finite value is found as well.
#[derive(Debug)]
pub(super) struct LargestF32<'a>(pub &'a [f32]);

impl Work for LargestF32<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self) -> f32 {
        let bits = self.0.iter().map(|value| value.abs().to_bits() as i32);
        f32::from_bits(bits.fold(0, i32::max) as u32)
    }
}

/// The same for `f64`.
#[derive(Debug)]
pub(super) struct LargestF64<'a>(pub &'a [f64]);

impl Work for LargestF64<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self) -> f64 {
        let bits = self.0.iter().map(|value| value.abs().to_bits() as i64);
        f64::from_bits(bits.fold(0, i64::max) as u64)
    }
}

/// Numbers per thread that are worth a hand-over: a few microseconds of work.
const MAGNITUDES_PER_THREAD: usize = 16_384;

/// The largest magnitude of `values`, NaN if one of them is NaN.
pub(super) fn max_magnitude_f32(values: &[f32]) -> f32 {
    in_parts_of(values, |values| dispatch(LargestF32(values)))
}

/// The same for `f64`.
pub(super) fn max_magnitude_f64(values: &[f64]) -> f64 {
    in_parts_of(values, |values| dispatch(LargestF64(values)))
}

/// The largest result of `part` over parts of `values`, in the order of the bits.
fn in_parts_of<F: Scalar>(values: &[F], part: impl Fn(&[F]) -> F + Sync) -> F {
    if values.len() < 2 * MAGNITUDES_PER_THREAD {
        return part(values);
    }
    // Converted to `f64`, magnitudes keep the order of their bits.
    let largest = AtomicU64::new(0);
    in_parts(values.len(), MAGNITUDES_PER_THREAD, |range| {
        largest.fetch_max(part(&values[range]).as_f64().to_bits(), Ordering::Relaxed);
    });
    F::of(f64::from_bits(largest.into_inner()))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Axis};

    use crate::{max_magnitude, sum_rows};

    #[test]
    fn the_largest_magnitude_wherever_it_is() {
        assert_eq!(max_magnitude::<f32>(&[]), 0.0);
        for len in [1, 31, 32, 33, 100] {
            for place in 0..len {
                for extreme in [-5.0, 7.5, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut values = vec![-0.5_f32; len];
                    values[place] = extreme;
                    assert_eq!(max_magnitude(&values), extreme.abs());
                    let values: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
                    assert_eq!(max_magnitude(&values), f64::from(extreme.abs()));
                }
                let mut values = vec![f32::INFINITY; len];
                values[place] = -f32::NAN;
                assert!(max_magnitude(&values).is_nan());
            }
        }
    }

    #[test]
    fn rows_are_summed_in_any_layout() {
        for (rows, columns) in [(0, 3), (1, 1), (5, 31), (7, 32), (9, 100)] {
            let matrix = Array2::from_shape_fn((rows, columns), |(i, j)| ((3 * i + 5 * j) % 11) as f64 - 4.0);
            let expected = matrix.sum_axis(Axis(0));
            let mut sum = Array1::from_elem(columns, f64::NAN);
            sum_rows(matrix.view(), sum.view_mut());
            assert_eq!(sum, expected);
            let turned = matrix.t().to_owned();
            sum.fill(f64::NAN);
            sum_rows(turned.t(), sum.view_mut());
            assert_eq!(sum, expected);
        }
    }
}
