//! The innermost loop of a matrix product: one tile of the result, held in registers from its first term to its last.

use std::hint::black_box;

use super::vector::Vector;
use crate::Scalar;

/// A matrix somewhere in memory: entry (i, j) lies at `start + i · row + j · column`. Steps may be negative.
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
    /// The same matrix, to be read.
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

/// `c = base + a · b`, for `M` rows of `a`, `N` vectors of columns of `b`, and `k` terms; without a base 0; the first
/// `skip` columns of the result are not written. Rows of `b` must be contiguous, and rows or columns of `a`.
///
/// Every entry is summed from its first term to its last, so it does not depend on the tile that it belongs to.
///
/// # Safety
/// `a` must be readable for `M` rows and `k` columns, `b` for `k` rows and the columns of `N` vectors, and `c` writable
/// for the entries of the tile, and `base`, which may be `c`, readable for them.
#[inline(always)]
pub(super) unsafe fn tile<F: Scalar, V: Vector<F>, const M: usize, const N: usize>(
    k: usize,
    a: Matrix<*const F>,
    b: Matrix<*const F>,
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
    skip: usize,
) {
    // SAFETY: i < M and p < k.
    let sums = unsafe {
        if a.column == 1 {
            let mut rows = [a.start; M];
            for i in 0..M {
                rows[i] = a.at(i, 0);
            }
            // Hidden from the compiler, which else finds these addresses anew for every term, at the price of an addition
            // each.
            let rows = black_box(rows);
            sums::<F, V, M, N>(k, b, |i, p| rows[i].add(p))
        } else {
            debug_assert!(M == 1 || a.row == 1, "packed if neither rows nor columns are contiguous");
            sums::<F, V, M, N>(k, b, |i, p| a.at(0, p).add(i))
        }
    };
    for (i, sums) in sums.iter().enumerate() {
        for (j, &sum) in sums.iter().enumerate() {
            let first = j * V::LANES;
            // SAFETY: i < M and j < N.
            unsafe {
                let sum = match base {
                    Some(base) => load::<F, V>(base.at(i, first), base.column).add(sum),
                    None => sum,
                };
                let to = c.at(i, first);
                if c.column == 1 && skip == 0 {
                    sum.store(to);
                } else {
                    store_some(sum, to, c.column, skip.saturating_sub(first));
                }
            }
        }
    }
}

/// The sums of `k` terms: column p of `a` times row p of `b`, for every p. `a` tells where entry (i, p) lies.
#[inline(always)]
unsafe fn sums<F: Scalar, V: Vector<F>, const M: usize, const N: usize>(
    k: usize,
    b: Matrix<*const F>,
    a: impl Fn(usize, usize) -> *const F,
) -> [[V; N]; M] {
    let mut sums = [[V::splat(F::zero()); N]; M];
    for p in 0..k {
        let mut row = [V::splat(F::zero()); N];
        for j in 0..N {
            // SAFETY: p < k, and rows of `b` are contiguous.
            row[j] = unsafe { V::load(b.at(p, j * V::LANES)) };
        }
        for i in 0..M {
            // SAFETY: i < M and p < k.
            let factor = V::splat(unsafe { *a(i, p) });
            for j in 0..N {
                sums[i][j] = factor.multiply_add(row[j], sums[i][j]);
            }
        }
    }
    sums
}

/// The most lanes that a vector has.
pub(super) const MOST: usize = 16;

/// Numbers that lie `step` apart.
#[inline(always)]
unsafe fn load<F: Scalar, V: Vector<F>>(from: *const F, step: isize) -> V {
    // SAFETY: the caller vouches for as many numbers.
    unsafe {
        match step {
            1 => V::load(from),
            0 => V::splat(*from),
            _ => load_apart(from, step),
        }
    }
}

#[inline(never)]
unsafe fn load_apart<F: Scalar, V: Vector<F>>(from: *const F, step: isize) -> V {
    let mut lanes = [F::zero(); MOST];
    assert!(V::LANES <= MOST);
    for (j, lane) in lanes[..V::LANES].iter_mut().enumerate() {
        // SAFETY: the caller vouches for as many numbers.
        *lane = unsafe { *from.offset(j as isize * step) };
    }
    // SAFETY: no vector is longer than `lanes`.
    unsafe { V::load(lanes.as_ptr()) }
}

/// Writes the lanes of `sum` from `skip` on, `step` apart.
#[inline(never)]
unsafe fn store_some<F: Scalar, V: Vector<F>>(sum: V, to: *mut F, step: isize, skip: usize) {
    let mut lanes = [F::zero(); MOST];
    assert!(V::LANES <= MOST);
    // SAFETY: no vector is longer than `lanes`; the caller vouches for `to`.
    unsafe {
        sum.store(lanes.as_mut_ptr());
        for (j, &lane) in lanes[..V::LANES].iter().enumerate().skip(skip) {
            *to.offset(j as isize * step) = lane;
        }
    }
}
