//! One binary for every processor: each hot loop is compiled for several instruction sets, and the
//! best copy for the processor is chosen at run time.
//!
//! The loops are ordinary Rust that the compiler vectorises. A copy for an instruction set is made
//! by inlining a loop into a function with that `#[target_feature]`. All copies with a fused
//! multiply-add (AVX2, AVX-512, 64-bit ARM) give the same bits; SSE2, which has none, rounds
//! differently.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::{float32x4_t, float64x2_t};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

use std::sync::OnceLock;

use super::vector::{Lanes, Vector};

/// An instruction set: the compile-time constants and register types of the loops.
pub trait Isa: Copy {
    /// Whether a multiplication and an addition are one instruction with one rounding.
    const FUSED: bool;
    /// Rows of a tile of the matrix product. A tile is two vectors wide and must fit into the
    /// registers.
    const ROWS: usize;
    /// The widest registers of each type, and narrow ones for matrices with few columns.
    type F32: Vector<f32>;
    type F64: Vector<f64>;
    type NarrowF32: Vector<f32>;
    type NarrowF64: Vector<f64>;

    /// Runs `work` in a separate function compiled for these instructions, so that nested work has
    /// all registers available.
    ///
    /// # Safety
    /// The processor must support the instructions.
    #[inline(never)]
    unsafe fn call<W: Work>(work: W) -> W::Output {
        work.run::<Self>()
    }
}

/// The baseline of the architecture: NEON on 64-bit ARM, SSE2 on x86-64.
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
    type NarrowF32 = __m256;
    type NarrowF64 = __m256d;

    #[inline(never)]
    #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
    unsafe fn call<W: Work>(work: W) -> W::Output {
        work.run::<Avx512>()
    }
}

/// A hot loop with its arguments.
pub trait Work {
    /// The result.
    type Output;

    /// Runs the loop. It and everything it calls must be `#[inline(always)]`; otherwise the code is
    /// not compiled for `I`.
    fn run<I: Isa>(self) -> Self::Output;
}

/// The instruction sets with a copy of the loops. Each includes the instructions of the previous
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best level of this processor, or the lower one that `GEARTRAIN_SIMD` names.
    #[inline]
    pub(super) fn best() -> Level {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| {
            let wanted = std::env::var("GEARTRAIN_SIMD").ok();
            let wanted = wanted.and_then(|name| Level::ALL.into_iter().find(|level| level.name() == name));
            wanted.map_or(Level::detect(), |level| level.min(Level::detect()))
        })
    }

    fn detect() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            let (avx2, fma) = (is_x86_feature_detected!("avx2"), is_x86_feature_detected!("fma"));
            if avx2 && fma && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                return Level::Avx512;
            }
            if avx2 && fma {
                return Level::Avx2;
            }
        }
        Level::Baseline
    }

    #[cfg(target_arch = "x86_64")]
    const ALL: [Level; 3] = [Level::Baseline, Level::Avx2, Level::Avx512];
    #[cfg(not(target_arch = "x86_64"))]
    const ALL: [Level; 1] = [Level::Baseline];

    fn name(self) -> &'static str {
        match self {
            Level::Baseline if cfg!(target_arch = "aarch64") => "neon",
            Level::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }

    /// All levels of this processor.
    #[cfg(test)]
    pub(super) fn available() -> Vec<Level> {
        Level::ALL.into_iter().take_while(|&level| level <= Level::best()).collect()
    }
}

/// The instruction set in use: `avx512`, `avx2`, `neon` or `baseline`.
///
/// The environment variable `GEARTRAIN_SIMD`, read at the first use of a kernel, selects a lower
/// one by name. All but `baseline` have a fused multiply-add and give the same bits.
pub fn instruction_set() -> &'static str {
    Level::best().name()
}

/// Runs `work` with the best instructions of this processor.
#[inline]
pub(super) fn dispatch<W: Work>(work: W) -> W::Output {
    // SAFETY: `best` returns a level that the processor supports.
    unsafe { dispatch_at(Level::best(), work) }
}

/// Runs `work` with the instructions of `level`.
///
/// # Safety
/// The processor must support them.
#[inline]
pub(super) unsafe fn dispatch_at<W: Work>(level: Level, work: W) -> W::Output {
    // SAFETY: the caller guarantees the instructions.
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
