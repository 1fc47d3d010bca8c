//! One binary for every processor: the hot loops are compiled several times, for several instruction sets, and the
//! best copy that this processor can run is chosen when they are called.
//!
//! The loops themselves are ordinary Rust, written so that the compiler turns them into vector instructions. A copy for
//! an instruction set is made by inlining them into a function with that `#[target_feature]`. The copies round
//! differently (only some have a fused multiply-add), so two kinds of processor may differ in the last bits of a
//! result; one processor always gives the same.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::{float32x4_t, float64x2_t};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

use super::vector::{Lanes, Vector};

/// What the loops need to know about an instruction set while they are compiled.
pub trait Isa: Copy {
    /// Whether a multiplication and an addition are one instruction with one rounding.
    const FUSED: bool;
    /// Rows of a tile of the matrix product, which is two vectors wide: tiles must fit into the registers.
    const ROWS: usize;
    /// The widest registers of each type, and narrower ones for matrices with fewer columns.
    type F32: Vector<f32>;
    type F64: Vector<f64>;
    type NarrowF32: Vector<f32>;
    type NarrowF64: Vector<f64>;

    /// Runs `work` in a function of its own that is compiled for these instructions: what is called so from inside other
    /// work has all registers to itself.
    ///
    /// # Safety
    /// The processor must have the instructions.
    #[inline(never)]
    unsafe fn call<W: Work>(work: W) -> W::Output {
        work.run::<Self>()
    }
}

/// What every processor of the architecture can do: on ARM that is NEON, on x86-64 it is SSE2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Baseline;

impl Isa for Baseline {
    const FUSED: bool = cfg!(target_arch = "aarch64");
    const ROWS: usize = if cfg!(target_arch = "aarch64") { 8 } else { 4 };
    #[cfg(target_arch = "aarch64")]
    type F32 = float32x4_t;
    #[cfg(target_arch = "aarch64")]
    type F64 = float64x2_t;
    #[cfg(not(target_arch = "aarch64"))]
    type F32 = Lanes<f32, Baseline, 4>;
    #[cfg(not(target_arch = "aarch64"))]
    type F64 = Lanes<f64, Baseline, 2>;
    type NarrowF32 = Lanes<f32, Baseline, 2>;
    type NarrowF64 = Lanes<f64, Baseline, 1>;
}

/// x86-64 with AVX2 and FMA: 16 registers of 32 bytes.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Isa for Avx2 {
    const FUSED: bool = true;
    const ROWS: usize = 6;
    type F32 = __m256;
    type F64 = __m256d;
    type NarrowF32 = Lanes<f32, Avx2, 4>;
    type NarrowF64 = Lanes<f64, Avx2, 2>;

    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn call<W: Work>(work: W) -> W::Output {
        work.run::<Avx2>()
    }
}

/// x86-64 with AVX-512: 32 registers of 64 bytes.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Isa for Avx512 {
    const FUSED: bool = true;
    const ROWS: usize = 8;
    type F32 = __m512;
    type F64 = __m512d;
    type NarrowF32 = Lanes<f32, Avx512, 8>;
    type NarrowF64 = Lanes<f64, Avx512, 4>;

    #[inline(never)]
    #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
    unsafe fn call<W: Work>(work: W) -> W::Output {
        work.run::<Avx512>()
    }
}

/// A hot loop with its arguments.
pub trait Work {
    /// What it gives back.
    type Output;

    /// Runs it. Must be `#[inline(always)]` with everything it calls, or it is not compiled for `I`.
    fn run<I: Isa>(self) -> Self::Output;
}

/// The instruction sets that there is a copy for, each with all instructions of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best that this processor has.
    #[inline]
    pub(super) fn best() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            // The standard library remembers the answers: these are loads from memory.
            if !is_x86_feature_detected!("avx2") || !is_x86_feature_detected!("fma") {
                return Level::Baseline;
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                return Level::Avx512;
            }
            Level::Avx2
        }
        #[cfg(not(target_arch = "x86_64"))]
        Level::Baseline
    }

    /// All that this processor has.
    #[cfg(test)]
    pub(super) fn available() -> Vec<Level> {
        #[cfg(target_arch = "x86_64")]
        let all = [Level::Baseline, Level::Avx2, Level::Avx512];
        #[cfg(not(target_arch = "x86_64"))]
        let all = [Level::Baseline];
        all.into_iter().take_while(|&level| level <= Level::best()).collect()
    }
}

/// Runs `work` with the best instructions there are.
#[inline]
pub(super) fn dispatch<W: Work>(work: W) -> W::Output {
    // SAFETY: `best` asked the processor.
    unsafe { dispatch_at(Level::best(), work) }
}

/// Runs `work` with the instructions of `level`.
///
/// # Safety
/// The processor must have them.
#[inline]
pub(super) unsafe fn dispatch_at<W: Work>(level: Level, work: W) -> W::Output {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        match level {
            Level::Baseline => Baseline::call(work),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::call(work),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Avx512::call(work),
        }
    }
}
