//! Products with a single column: one dot product for each row.

use super::dispatch::Isa;
use super::tile::{MOST, Matrix};
use super::vector::Vector;
use crate::Scalar;

/// `c = base + a · b`, for `m` contiguous rows of `k` entries and one contiguous column `b`; without a base 0.
///
/// Lanes are summed on their own and together at the end, which does not depend on the other rows.
///
/// # Safety
/// `a` must be readable for `m × k` entries, `b` for `k`, `base`, which may be `c`, for `m`, and `c` writable for `m`.
#[inline(always)]
pub(super) unsafe fn dots<F: Scalar, I: Isa>(
    m: usize,
    k: usize,
    a: Matrix<*const F>,
    b: Matrix<*const F>,
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
) {
    let from = |i| base.map(|base: Matrix<*const F>| base.from(i, 0));
    let mut i = 0;
    // SAFETY: rows i to i + 7, or row i.
    unsafe {
        while i + 8 <= m {
            some::<F, F::Vector<I>, 8>(k, a.from(i, 0), b, from(i), c.from(i, 0));
            i += 8;
        }
        while i < m {
            some::<F, F::Vector<I>, 1>(k, a.from(i, 0), b, from(i), c.from(i, 0));
            i += 1;
        }
    }
}

/// `M` rows at the same time, so that no addition waits for the one before.
#[inline(always)]
unsafe fn some<F: Scalar, V: Vector<F>, const M: usize>(
    k: usize,
    a: Matrix<*const F>,
    b: Matrix<*const F>,
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
) {
    assert!(V::LANES <= MOST);
    let mut sums = [V::splat(F::zero()); M];
    let whole = k - k % V::LANES;
    for p in (0..whole).step_by(V::LANES) {
        // SAFETY (all blocks): p + LANES ≤ k and i < M.
        let column = unsafe { V::load(b.at(p, 0)) };
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = unsafe { V::load(a.at(i, p)) }.multiply_add(column, *sum);
        }
    }
    for (i, sum) in sums.iter().enumerate() {
        let mut lanes = [F::zero(); MOST];
        unsafe { sum.store(lanes.as_mut_ptr()) };
        let mut width = V::LANES;
        while width > 1 {
            width /= 2;
            for j in 0..width {
                lanes[j] += lanes[j + width];
            }
        }
        let rest = (whole..k).fold(lanes[0], |sum, p| unsafe { sum + *a.at(i, p) * *b.at(p, 0) });
        unsafe {
            *c.at(i, 0) = match base {
                Some(base) => *base.at(i, 0) + rest,
                None => rest,
            };
        }
    }
}
