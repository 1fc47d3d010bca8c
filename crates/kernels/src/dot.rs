//! Products with a single column: one dot product per row.

use super::dispatch::Isa;
use super::pack::LINE;
use super::tile::{MOST, Matrix};
use super::vector::Vector;
use crate::Scalar;

/// `c = base + a · b` for `m` contiguous rows of `k` entries and one contiguous column `b`. Without
/// a base, `c = a · b`.
///
/// Term p is added to lane p mod L, where L numbers fill a cache line, and the lanes are added
/// pairwise at the end. The order does not depend on the width of the registers, so every
/// instruction set with a fused multiply-add gives the same bits.
///
/// # Safety
/// `a` must be readable for `m × k` entries, `b` for `k`, `base`, which may be `c`, for `m`, and
/// `c` writable for `m`.
#[inline(always)]
pub(super) unsafe fn dots<F: Scalar, I: Isa>(
    m: usize,
    k: usize,
    a: Matrix<*const F>,
    b: Matrix<*const F>,
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
) {
    // SAFETY: the caller guarantees the matrices.
    unsafe {
        match LINE / size_of::<F>() / F::Vector::<I>::LANES {
            1 => rows::<F, I, 8, 1>(m, k, a, b, base, c),
            2 => rows::<F, I, 4, 2>(m, k, a, b, base, c),
            _ => rows::<F, I, 2, 4>(m, k, a, b, base, c),
        }
    }
}

/// `M` rows at a time, each with lanes in `N` vectors.
#[inline(always)]
unsafe fn rows<F: Scalar, I: Isa, const M: usize, const N: usize>(
    m: usize,
    k: usize,
    a: Matrix<*const F>,
    b: Matrix<*const F>,
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
) {
    let base = |i| base.map(|base: Matrix<*const F>| base.from(i, 0));
    let mut i = 0;
    // SAFETY: rows i to i + M − 1, or row i.
    unsafe {
        while i + M <= m {
            some::<F, I, M, N>(k, a.from(i, 0), b, base(i), c.from(i, 0));
            i += M;
        }
        while i < m {
            some::<F, I, 1, N>(k, a.from(i, 0), b, base(i), c.from(i, 0));
            i += 1;
        }
    }
}

/// `M` rows at once, to hide the latency of additions.
#[inline(always)]
unsafe fn some<F: Scalar, I: Isa, const M: usize, const N: usize>(
    k: usize,
    a: Matrix<*const F>,
    b: Matrix<*const F>,
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
) {
    let lanes = F::Vector::<I>::LANES;
    let width = N * lanes;
    assert!(width <= MOST);
    let mut sums = [[F::Vector::<I>::splat(F::zero()); N]; M];
    let whole = k - k % width;
    for p in (0..whole).step_by(width) {
        for j in 0..N {
            // SAFETY (all blocks): p + width ≤ k and i < M.
            let column = unsafe { F::Vector::<I>::load(b.at(p + j * lanes, 0)) };
            for i in 0..M {
                let row = unsafe { F::Vector::<I>::load(a.at(i, p + j * lanes)) };
                sums[i][j] = row.multiply_add(column, sums[i][j]);
            }
        }
    }
    for i in 0..M {
        let mut total = [F::zero(); MOST];
        for j in 0..N {
            unsafe { sums[i][j].store(total.as_mut_ptr().add(j * lanes)) };
        }
        for p in whole..k {
            let (x, y, sum) = unsafe { (*a.at(i, p), *b.at(p, 0), total[p - whole]) };
            total[p - whole] = if I::FUSED { x.mul_add(y, sum) } else { x * y + sum };
        }
        let mut half = width / 2;
        while half > 0 {
            for j in 0..half {
                total[j] += total[j + half];
            }
            half /= 2;
        }
        unsafe {
            *c.at(i, 0) = match base {
                Some(base) => *base.at(i, 0) + total[0],
                None => total[0],
            };
        }
    }
}
