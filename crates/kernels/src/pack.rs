//! Packing: copies of parts of matrices in the order in which tiles read them.

use std::cell::RefCell;

use super::tile::Matrix;
use super::vector::Vector;
use crate::Scalar;

/// A cache line. A vector of these is aligned for every vector register.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

thread_local! {
    /// The packing buffer of this thread. It grows to the largest product and is kept.
    static SCRATCH: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Cache-line size in bytes.
pub const LINE: usize = size_of::<Line>();

/// Calls `work` with scratch memory of this thread for `len` numbers, aligned to 64 bytes and
/// uninitialised in value. For `len` 0 the pointer is null.
pub(super) fn with_scratch<F: Scalar, T>(len: usize, work: impl FnOnce(*mut F) -> T) -> T {
    if len == 0 {
        return work(std::ptr::null_mut());
    }
    let lines = (len * size_of::<F>()).div_ceil(LINE);
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < lines {
            scratch.resize(lines, Line([0; 64]));
        }
        work(scratch.as_mut_ptr().cast())
    })
}

/// Copies `k` rows of `N` vectors from `b` into contiguous rows.
///
/// # Safety
/// `b` must be readable, and `packed` writable, for `k × N · LANES` entries.
#[inline(always)]
pub(super) unsafe fn pack_rows<F: Scalar, V: Vector<F>, const N: usize>(
    k: usize,
    b: Matrix<*const F>,
    packed: *mut F,
) {
    let width = N * V::LANES;
    if b.column == 1 {
        for p in 0..k {
            for j in 0..N {
                // SAFETY: p < k, and the rows of `b` are contiguous.
                unsafe { V::load(b.at(p, j * V::LANES)).store(packed.add(p * width + j * V::LANES)) };
            }
        }
        return;
    }
    let mut done = 0;
    // With contiguous columns, squares are read along columns, transposed in registers, written
    // along rows.
    while b.row == 1 && done + V::LANES <= k {
        for j in (0..width).step_by(V::LANES) {
            // SAFETY: the square lies inside.
            unsafe { V::transpose(b.at(done, j), b.column, packed.add(done * width + j), width) };
        }
        done += V::LANES;
    }
    for p in done..k {
        for j in 0..width {
            // SAFETY: p < k and j < width.
            unsafe { *packed.add(p * width + j) = *b.at(p, j) };
        }
    }
}

/// Copies the `m × k` entries of `a` into contiguous columns.
///
/// # Safety
/// `a` must be readable for `m × k` entries and `packed` writable for as many.
#[inline(always)]
pub(super) unsafe fn pack_columns<F: Scalar, V: Vector<F>>(
    m: usize,
    k: usize,
    a: Matrix<*const F>,
    packed: *mut F,
) {
    let mut done = 0;
    if m.is_multiple_of(V::LANES) && V::LANES > 1 {
        let first_rows = || (0..m).step_by(V::LANES);
        while a.row == 1 && done < k {
            for i in first_rows() {
                // SAFETY: i + LANES ≤ m, and the columns of `a` are contiguous.
                unsafe { V::load(a.at(i, done)).store(packed.add(done * m + i)) };
            }
            done += 1;
        }
        while a.column == 1 && done + V::LANES <= k {
            for i in first_rows() {
                // SAFETY: the square lies inside.
                unsafe { V::transpose(a.at(i, done), a.row, packed.add(done * m + i), m) };
            }
            done += V::LANES;
        }
    }
    for p in done..k {
        for i in 0..m {
            // SAFETY: i < m and p < k.
            unsafe { *packed.add(p * m + i) = *a.at(i, p) };
        }
    }
}
