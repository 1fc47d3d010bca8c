//! Vector registers: the operations that matrix products need.

use std::marker::PhantomData;

use super::dispatch::Isa;
use ndarray::NdFloat;

/// A vector register of numbers of type `F`.
pub trait Vector<F>: Copy {
    /// The number of lanes.
    const LANES: usize;

    /// `value` in all lanes.
    fn splat(value: F) -> Self;

    /// Loads `LANES` numbers from `from`.
    ///
    /// # Safety
    /// `from` must be readable for `LANES` numbers, aligned for `F`.
    unsafe fn load(from: *const F) -> Self;

    /// Stores `LANES` numbers at `to`.
    ///
    /// # Safety
    /// `to` must be writable for `LANES` numbers, aligned for `F`.
    unsafe fn store(self, to: *mut F);

    /// `self · factor + sum`.
    fn multiply_add(self, factor: Self, sum: Self) -> Self;

    /// `self + other`.
    fn add(self, other: Self) -> Self;

    /// Transposes a `LANES × LANES` square: contiguous columns at `from`, `from_step` apart, become
    /// rows at `to`, `to_step` apart.
    ///
    /// # Safety
    /// The columns must be readable and the rows writable.
    #[inline(always)]
    unsafe fn transpose(from: *const F, from_step: isize, to: *mut F, to_step: usize)
    where
        F: Copy,
    {
        for i in 0..Self::LANES {
            for j in 0..Self::LANES {
                // SAFETY: the caller guarantees both.
                unsafe { *to.add(i * to_step + j) = *from.offset(j as isize * from_step).add(i) };
            }
        }
    }
}

/// An array as a vector; the compiler chooses the registers.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<F, I, const N: usize> {
    values: [F; N],
    isa: PhantomData<I>,
}

impl<F: NdFloat, I: Isa, const N: usize> Vector<F> for Lanes<F, I, N> {
    const LANES: usize = N;

    #[inline(always)]
    fn splat(value: F) -> Self {
        Lanes { values: [value; N], isa: PhantomData }
    }

    #[inline(always)]
    unsafe fn load(from: *const F) -> Self {
        // SAFETY: an array has the alignment of its entries.
        Lanes { values: unsafe { *from.cast::<[F; N]>() }, isa: PhantomData }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut F) {
        // SAFETY: the same.
        unsafe { *to.cast::<[F; N]>() = self.values };
    }

    #[inline(always)]
    fn multiply_add(self, factor: Self, mut sum: Self) -> Self {
        for i in 0..N {
            let (a, b, c) = (self.values[i], factor.values[i], sum.values[i]);
            sum.values[i] = if I::FUSED { a.mul_add(b, c) } else { a * b + c };
        }
        sum
    }

    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for i in 0..N {
            self.values[i] += other.values[i];
        }
        self
    }
}

/// The registers of x86-64. Each type is used only in loops compiled for its instructions.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    impl Vector<f32> for __m256 {
        const LANES: usize = 8;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY (here and below): these types appear only under `Avx2` and `Avx512`, whose
            // loops run only on processors with these instructions.
            unsafe { _mm256_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self) }
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            unsafe { _mm256_fmadd_ps(self, factor, sum) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { _mm256_add_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_step: isize, to: *mut f32, to_step: usize) {
            // No closure and no `map`: what is not inlined here is not compiled for these
            // instructions.
            unsafe {
                for i in [0, 4] {
                    // Four entries of columns j and j + 4 share a register; then pairs of columns
                    // lie side by side, then fours.
                    let mut columns = [_mm256_setzero_ps(); 4];
                    for j in 0..4 {
                        let left = _mm_loadu_ps(from.offset(j as isize * from_step).add(i));
                        let right = _mm_loadu_ps(from.offset((j as isize + 4) * from_step).add(i));
                        columns[j] = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(left), right);
                    }
                    let [a, b, c, d] = columns;
                    let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                    let (next_low, next_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
                    let to = to.add(i * to_step);
                    _mm256_storeu_ps(to, _mm256_shuffle_ps::<0x44>(low, next_low));
                    _mm256_storeu_ps(to.add(to_step), _mm256_shuffle_ps::<0xee>(low, next_low));
                    _mm256_storeu_ps(to.add(2 * to_step), _mm256_shuffle_ps::<0x44>(high, next_high));
                    _mm256_storeu_ps(to.add(3 * to_step), _mm256_shuffle_ps::<0xee>(high, next_high));
                }
            }
        }
    }

    impl Vector<f64> for __m256d {
        const LANES: usize = 4;

        #[inline(always)]
        fn splat(value: f64) -> Self {
            unsafe { _mm256_set1_pd(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            unsafe { _mm256_loadu_pd(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            unsafe { _mm256_storeu_pd(to, self) }
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            unsafe { _mm256_fmadd_pd(self, factor, sum) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { _mm256_add_pd(self, other) }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f64, from_step: isize, to: *mut f64, to_step: usize) {
            unsafe {
                let a = _mm256_loadu_pd(from);
                let b = _mm256_loadu_pd(from.offset(from_step));
                let c = _mm256_loadu_pd(from.offset(2 * from_step));
                let d = _mm256_loadu_pd(from.offset(3 * from_step));
                let pairs = [
                    (_mm256_unpacklo_pd(a, b), _mm256_unpacklo_pd(c, d)),
                    (_mm256_unpackhi_pd(a, b), _mm256_unpackhi_pd(c, d)),
                ];
                for i in 0..2 {
                    let (left, right) = pairs[i];
                    _mm256_storeu_pd(to.add(i * to_step), _mm256_permute2f128_pd::<0x20>(left, right));
                    _mm256_storeu_pd(to.add((i + 2) * to_step), _mm256_permute2f128_pd::<0x31>(left, right));
                }
            }
        }
    }

    impl Vector<f32> for __m512 {
        const LANES: usize = 16;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self) }
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            unsafe { _mm512_fmadd_ps(self, factor, sum) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { _mm512_add_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_step: isize, to: *mut f32, to_step: usize) {
            // A square of four smaller ones.
            let half = <__m256 as Vector<f32>>::LANES;
            for (i, j) in [(0, 0), (0, half), (half, 0), (half, half)] {
                unsafe {
                    let from = from.offset(j as isize * from_step).add(i);
                    __m256::transpose(from, from_step, to.add(i * to_step + j), to_step);
                }
            }
        }
    }

    impl Vector<f64> for __m512d {
        const LANES: usize = 8;

        #[inline(always)]
        fn splat(value: f64) -> Self {
            unsafe { _mm512_set1_pd(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            unsafe { _mm512_loadu_pd(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            unsafe { _mm512_storeu_pd(to, self) }
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            unsafe { _mm512_fmadd_pd(self, factor, sum) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { _mm512_add_pd(self, other) }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f64, from_step: isize, to: *mut f64, to_step: usize) {
            // A square of four smaller ones.
            let half = <__m256d as Vector<f64>>::LANES;
            for (i, j) in [(0, 0), (0, half), (half, 0), (half, half)] {
                unsafe {
                    let from = from.offset(j as isize * from_step).add(i);
                    __m256d::transpose(from, from_step, to.add(i * to_step + j), to_step);
                }
            }
        }
    }
}

/// The registers of 64-bit ARM, for which the compiler takes arrays apart. All its processors have
/// NEON.
#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::Vector;

    impl Vector<f32> for float32x4_t {
        const LANES: usize = 4;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY (here and below): every processor that this is compiled for has these
            // instructions.
            unsafe { vdupq_n_f32(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { vld1q_f32(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { vst1q_f32(to, self) }
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            unsafe { vfmaq_f32(sum, self, factor) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { vaddq_f32(self, other) }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_step: isize, to: *mut f32, to_step: usize) {
            // Four squares of two by two.
            unsafe {
                for i in [0, 2] {
                    for j in [0, 2] {
                        let column = |j| vld1_f32(from.offset(j as isize * from_step).add(i));
                        let (left, right) = (column(j), column(j + 1));
                        let row = |i: usize| to.add(i * to_step + j);
                        vst1_f32(row(i), vtrn1_f32(left, right));
                        vst1_f32(row(i + 1), vtrn2_f32(left, right));
                    }
                }
            }
        }
    }

    impl Vector<f64> for float64x2_t {
        const LANES: usize = 2;

        #[inline(always)]
        fn splat(value: f64) -> Self {
            unsafe { vdupq_n_f64(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            unsafe { vld1q_f64(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            unsafe { vst1q_f64(to, self) }
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            unsafe { vfmaq_f64(sum, self, factor) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { vaddq_f64(self, other) }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f64, from_step: isize, to: *mut f64, to_step: usize) {
            unsafe {
                let (left, right) = (vld1q_f64(from), vld1q_f64(from.offset(from_step)));
                vst1q_f64(to, vtrn1q_f64(left, right));
                vst1q_f64(to.add(to_step), vtrn2q_f64(left, right));
            }
        }
    }
}
