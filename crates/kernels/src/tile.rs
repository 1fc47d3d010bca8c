//! The innermost loop of a matrix product: one tile of the result, held in registers over all
//! terms.

use std::hint::black_box;

use super::vector::Vector;
use crate::Scalar;

/// A strided matrix in memory: entry (i, j) is at `start + i · row + j · column`. Strides may be
/// negative.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<P> {
    pub start: P,
    pub row: isize,
    pub column: isize,
}

impl<F> Matrix<*const F> {
    /// The same matrix without its first `i` rows and `j` columns.
    #[inline(always)]
    pub fn from(self, i: usize, j: usize) -> Self {
        Matrix { start: self.start.wrapping_offset(offset(self.row, self.column, i, j)), ..self }
    }

    /// Entry (i, j).
    ///
    /// # Safety
    /// The matrix must have it.
    #[inline(always)]
    pub unsafe fn at(self, i: usize, j: usize) -> *const F {
        // SAFETY: the entry is inside the same allocation.
        unsafe { self.start.offset(offset(self.row, self.column, i, j)) }
    }
}

impl<F> Matrix<*mut F> {
    /// The same matrix as read-only.
    pub fn cast_const(self) -> Matrix<*const F> {
        Matrix { start: self.start.cast_const(), row: self.row, column: self.column }
    }

    /// The same matrix without its first `i` rows and `j` columns.
    #[inline(always)]
    pub fn from(self, i: usize, j: usize) -> Self {
        Matrix { start: self.start.wrapping_offset(offset(self.row, self.column, i, j)), ..self }
    }

    /// Entry (i, j).
    ///
    /// # Safety
    /// The matrix must have it.
    #[inline(always)]
    pub unsafe fn at(self, i: usize, j: usize) -> *mut F {
        // SAFETY: the entry is inside the same allocation.
        unsafe { self.start.offset(offset(self.row, self.column, i, j)) }
    }
}

impl<P> Matrix<P> {
    /// The transpose.
    #[inline(always)]
    pub fn t(self) -> Self {
        Matrix { start: self.start, row: self.column, column: self.row }
    }
}

#[inline(always)]
fn offset(row: isize, column: isize, i: usize, j: usize) -> isize {
    i as isize * row + j as isize * column
}

/// `c = base + a · b` for `M` rows of `a`, `N` vectors of columns of `b`, and `k` terms. Without a
/// base, `c = a · b`. The first `skip` columns of the result are not written. Rows of `b` must be
/// contiguous. With `PACKS`, they are copied to `packed` on the way, one after the other: the
/// additions hide the time to read them.
///
/// Each entry is summed in the order of its terms, so its bits do not depend on the tile it belongs
/// to.
///
/// # Safety
/// `a` must be readable for `M × k` entries, `b` for `k × N · LANES` entries, `c` writable for the
/// tile, and `base`, which may be `c`, readable for it. With `PACKS`, `packed` must be writable for
/// the entries of `b`.
#[inline(always)]
pub(super) unsafe fn tile<F: Scalar, V: Vector<F>, const M: usize, const N: usize, const PACKS: bool>(
    k: usize,
    a: Matrix<*const F>,
    (b, packed): (Matrix<*const F>, *mut F),
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
    skip: usize,
) {
    // SAFETY: the caller guarantees all of these.
    unsafe {
        if k >= LONG {
            for i in 0..M {
                fetch(c.at(i, 0));
                fetch(c.at(i, N * V::LANES - 1));
            }
        }
        let sums = sums::<F, V, M, N, PACKS>(k, a, b, packed);
        match base {
            _ if c.column != 1 || skip > 0 => write_singly(&sums, base, c, skip),
            None => write(&sums, c, |sum, _, _| sum),
            Some(base) if base.column == 1 => write(&sums, c, |sum, i, j| V::load(base.at(i, j)).add(sum)),
            Some(_) => write_singly(&sums, base, c, skip),
        }
    }
}

/// From this number of terms on, prefetching the result before the sum pays off.
const LONG: usize = 64;

/// Prefetches the cache line of `at`.
#[inline(always)]
fn fetch<F>(at: *const F) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction, and it accepts any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The sums over `k` terms p: column p of `a` times row p of `b`.
#[inline(always)]
unsafe fn sums<F: Scalar, V: Vector<F>, const M: usize, const N: usize, const PACKS: bool>(
    k: usize,
    a: Matrix<*const F>,
    b: Matrix<*const F>,
    packed: *mut F,
) -> [[V; N]; M] {
    let mut rows = [a.start; M];
    for i in 0..M {
        rows[i] = a.from(i, 0).start;
    }
    // Hidden from the compiler, which would otherwise recompute these addresses for every term.
    let rows = black_box(rows);
    let mut sums = [[V::splat(F::zero()); N]; M];
    for p in 0..k {
        let mut row = [V::splat(F::zero()); N];
        for j in 0..N {
            // SAFETY: p < k, and rows of `b` are contiguous; `packed` has room for all.
            unsafe {
                row[j] = V::load(b.at(p, j * V::LANES));
                if PACKS {
                    row[j].store(packed.add((p * N + j) * V::LANES));
                }
            }
        }
        for i in 0..M {
            // SAFETY: i < M and p < k.
            let factor = V::splat(unsafe { *rows[i].offset(p as isize * a.column) });
            for j in 0..N {
                sums[i][j] = factor.multiply_add(row[j], sums[i][j]);
            }
        }
    }
    sums
}

/// Writes whole vectors: `result(sum, row, first column)`.
#[inline(always)]
unsafe fn write<F: Scalar, V: Vector<F>, const M: usize, const N: usize>(
    sums: &[[V; N]; M],
    c: Matrix<*mut F>,
    result: impl Fn(V, usize, usize) -> V,
) {
    for i in 0..M {
        for j in 0..N {
            // SAFETY: the caller guarantees the tile.
            unsafe { result(sums[i][j], i, j * V::LANES).store(c.at(i, j * V::LANES)) };
        }
    }
}

/// Writes single numbers: for strided columns, a strided base, or skipped columns.
#[inline(always)]
unsafe fn write_singly<F: Scalar, V: Vector<F>, const M: usize, const N: usize>(
    sums: &[[V; N]; M],
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
    skip: usize,
) {
    let width = N * V::LANES;
    let mut numbers = [F::zero(); LARGEST];
    assert!(M * width <= LARGEST);
    for i in 0..M {
        for j in 0..N {
            // SAFETY: there is room for M · width numbers.
            unsafe { sums[i][j].store(numbers.as_mut_ptr().add(i * width + j * V::LANES)) };
        }
    }
    // SAFETY: the caller guarantees the tile.
    unsafe { write_numbers(&numbers[..M * width], width, base, c, skip) };
}

/// `c = base + sums` for rows of `width` sums, without their first `skip` columns.
///
/// # Safety
/// `c` must be writable for these entries, and `base` readable.
#[inline(never)]
unsafe fn write_numbers<F: Scalar>(
    sums: &[F],
    width: usize,
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
    skip: usize,
) {
    for (i, row) in sums.chunks_exact(width).enumerate() {
        for (j, &sum) in row.iter().enumerate().skip(skip) {
            // SAFETY: the caller guarantees both.
            unsafe { *c.at(i, j) = base.map_or(sum, |base| *base.at(i, j) + sum) };
        }
    }
}

/// The largest number of lanes of a vector.
pub(super) const MOST: usize = 16;

/// The largest number of entries of a tile: 8 rows of two vectors.
const LARGEST: usize = 16 * MOST;
