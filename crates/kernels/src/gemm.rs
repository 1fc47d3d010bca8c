//! Matrix products: blocking and packing.
//!
//! The scheme follows Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
//! (2008), with less packing, because most products of small networks fit into the caches: a panel
//! of `b`, as wide as a tile, stays in the first-level cache while all rows of `a` stream past.

use std::marker::PhantomData;

use super::dispatch::{Isa, Work, dispatch};
use super::dot::dots;
use super::pack::{LINE, pack_columns, pack_rows, with_scratch};
use super::pool;
use super::row::Row;
use super::share::Apart;
use super::tile::{Matrix, tile};
use super::vector::{Lanes, Vector};
use crate::Scalar;

/// Terms per block, so that a panel of `b` fits into the first-level cache.
const TERMS: usize = 256;

/// Bytes per row of the widest panel: two vectors of AVX-512.
const PANEL_BYTES: usize = 128;

/// Bytes of a packed block of `a`, for the second-level cache.
const BLOCK_BYTES: usize = 256 << 10;

/// Granularity in columns of the split among threads: a panel of the widest registers.
const SPLIT: usize = 32;

/// Operations per part below which a hand-over to another thread costs more than it saves.
const OPERATIONS_PER_PART: usize = 200_000;

/// Up to this size in bytes, `a` is read in place.
const NEAR_BYTES: usize = 512 << 10;

/// The largest size in bytes of packed panels of `b` kept for all blocks of `a`.
const KEPT_BYTES: usize = 4 << 20;

/// `c = base + a · b` with `a` of `m × k` and `b` of `k × n`. Without a base, `c = a · b`; the base
/// may be `c` itself.
#[derive(Debug, Clone, Copy)]
pub struct Product<F> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Matrix<*const F>,
    pub b: Matrix<*const F>,
    pub base: Option<Matrix<*const F>>,
    pub c: Matrix<*mut F>,
}

/// Computes `product` on the threads of this call (see [`with_threads`](crate::with_threads)).
pub(super) fn run<F: Scalar>(product: Product<F>) {
    if product.m == 0 || product.n == 0 {
        return;
    }
    let product = product.oriented();
    if product.is_row() && !product.is_shared() {
        return dispatch(Row { product: &product });
    }
    let plan = product.plan();
    let parts = product.parts(&plan);
    if parts == 1 {
        return with_scratch(product.scratch(&plan), |scratch| {
            dispatch(Planned { product: &product, plan: &plan, scratch });
        });
    }
    // The calling thread owns the memory of every part, so a worker that starts late allocates
    // nothing.
    let largest = (0..parts).map(|part| product.part(part, parts).scratch(&plan)).max();
    let room = largest.unwrap_or(0).next_multiple_of(LINE / size_of::<F>());
    with_scratch(parts * room, |scratch: *mut F| {
        let whole = Apart((product, plan, scratch));
        pool::share(parts, move |part| {
            let (product, plan, scratch) = whole.get();
            let (product, scratch) = (&product.part(part, parts), scratch.wrapping_add(part * room));
            dispatch(Planned { product, plan: &plan, scratch });
        });
    });
}

/// The packing decisions of a product.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Whether `b` is one contiguous column and rows of `a` are contiguous: a dot product per row.
    dots: bool,
    /// Whether the result is a single row: all its columns at once.
    row: bool,
    /// Whether panels of `b` are packed: their rows are strided, or packing pays off.
    pack_b: bool,
    /// Whether packed panels are kept for the next block of `a`.
    keep_b: bool,
    pack_a: bool,
    /// Rows of `a` per block.
    rows: usize,
    /// Terms per block.
    terms: usize,
}

impl<F: Scalar> Product<F> {
    /// The product as `cᵀ = bᵀ · aᵀ` where that suits the strides better.
    pub fn oriented(self) -> Self {
        let Product { m, n, k, a, b, base, c } = self;
        // Along an axis of length 1 any stride is contiguous.
        let contiguous_rows = c.column == 1 || n == 1;
        let contiguous_columns = c.row == 1 || m == 1;
        let turn = match (contiguous_rows, contiguous_columns) {
            (true, false) => false,
            (false, true) => true,
            // A single row or column, or a `c` that is strided along both axes.
            _ if m == 1 => b.column != 1 && b.row == 1 && a.column == 1,
            _ if n == 1 => a.column != 1 && a.row == 1,
            _ => b.column != 1 && a.row == 1,
        };
        if turn {
            Product { m: n, n: m, k, a: b.t(), b: a.t(), base: base.map(Matrix::t), c: c.t() }
        } else {
            self
        }
    }

    /// Whether it is one contiguous column `b` times contiguous rows of `a`: a dot product per row.
    pub fn is_dots(&self) -> bool {
        self.n == 1 && self.a.column == 1 && self.b.row == 1
    }

    /// Whether the result is one contiguous row, from contiguous rows of `b`, that is not added to
    /// itself.
    pub fn is_row(&self) -> bool {
        let apart = |base: Matrix<*const F>| base.column == 1 && base.start != self.c.start.cast_const();
        let contiguous = self.b.column == 1 && self.c.column == 1;
        self.m == 1 && contiguous && !self.is_dots() && self.base.is_none_or(apart)
    }

    /// Whether it is large enough to be shared among threads.
    pub fn is_shared(&self) -> bool {
        2 * self.m * self.n * self.k >= 2 * OPERATIONS_PER_PART && pool::threads() > 1
    }

    pub fn plan(&self) -> Plan {
        let terms = blocks_of_terms(self.k);
        let rows = even(self.m, (BLOCK_BYTES / (TERMS * size_of::<F>())).max(8));
        let (dots, row) = (self.is_dots(), self.is_row());
        let far = |step: isize| step.unsigned_abs() * size_of::<F>() >= 256;
        let pack_b =
            !dots && !row && (self.b.column != 1 || (self.m >= 32 && self.k >= 32 && far(self.b.row)));
        let keep_b = pack_b && rows < self.m && terms * self.n * size_of::<F>() <= KEPT_BYTES;
        let strided = self.m > 1 && self.a.row != 1 && self.a.column != 1;
        // The tiles of a single panel read `a` once.
        let far = self.n > SPLIT && self.m * self.k * size_of::<F>() > NEAR_BYTES;
        let pack_a = !dots && !row && (strided || far);
        Plan { dots, row, pack_b, keep_b, pack_a, rows, terms }
    }

    /// The number of parts for the threads: two per thread if they are large enough, so that a
    /// preempted thread leaves work to the others; one per thread if each part packs all of `a`.
    pub fn parts(&self, plan: &Plan) -> usize {
        let operations = 2 * self.m * self.n * self.k;
        let large_enough = operations / OPERATIONS_PER_PART;
        if large_enough < 2 {
            return 1;
        }
        match pool::threads() {
            1 => 1,
            threads => {
                let units = if self.splits_columns() { self.n.div_ceil(SPLIT) } else { self.m.div_ceil(8) };
                let wanted = if plan.pack_a && self.splits_columns() { threads } else { 2 * threads };
                wanted.min(large_enough).min(units)
            }
        }
    }

    /// Whether threads split the columns, each packing its part of `b`, or the rows, each packing
    /// all of `b`.
    fn splits_columns(&self) -> bool {
        self.n >= 2 * SPLIT && self.n >= self.m
    }

    /// One of `parts` parts of the result. Every entry has the same bits as in the whole product.
    pub fn part(self, part: usize, parts: usize) -> Self {
        let split = |size: usize, unit: usize| {
            let units = size.div_ceil(unit);
            let border = |part: usize| size.min(units * part / parts * unit);
            (border(part), border(part + 1))
        };
        if self.splits_columns() {
            let (from, to) = split(self.n, SPLIT);
            let base = self.base.map(|base| base.from(0, from));
            Product { n: to - from, b: self.b.from(0, from), base, c: self.c.from(0, from), ..self }
        } else {
            let (from, to) = split(self.m, 8);
            let base = self.base.map(|base| base.from(from, 0));
            Product { m: to - from, a: self.a.from(from, 0), base, c: self.c.from(from, 0), ..self }
        }
    }

    /// The size of the scratch memory in numbers.
    pub fn scratch(&self, plan: &Plan) -> usize {
        let panel = PANEL_BYTES / size_of::<F>();
        let columns = match plan {
            Plan { keep_b: true, .. } => self.n + panel,
            Plan { pack_b: true, .. } => panel,
            _ => 0,
        };
        plan.terms * (columns + if plan.pack_a { plan.rows } else { 0 })
    }
}

/// The terms of each block of a sum of `k`.
pub(super) fn blocks_of_terms(k: usize) -> usize {
    even(k, TERMS).max(1)
}

/// The size of the parts when `n` is cut into the fewest equal parts of at most `most`.
fn even(n: usize, most: usize) -> usize {
    if n <= most { n } else { n.div_ceil(n.div_ceil(most)) }
}

/// A product with scratch memory for its plan.
#[derive(Debug)]
pub struct Planned<'a, F> {
    pub product: &'a Product<F>,
    pub plan: &'a Plan,
    pub scratch: *mut F,
}

impl<F: Scalar> Work for Planned<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        // SAFETY: the pointers of the product come from matrices of these shapes.
        unsafe {
            if self.plan.row {
                Row { product: self.product }.run::<I>();
            } else if self.plan.dots {
                let &Product { m, k, a, b, base, c, .. } = self.product;
                dots::<F, I>(m, k, a, b, base, c);
            } else {
                self.blocks::<I>();
            }
        }
    }
}

impl<F: Scalar> Planned<'_, F> {
    /// Computes block by block, so that packed data stays in the caches.
    #[inline(always)]
    unsafe fn blocks<I: Isa>(self) {
        let Planned { product: &Product { m, n, k, a, b, base, c }, plan, scratch } = self;
        let packed_a = scratch;
        let packed_b = if plan.pack_a { scratch.wrapping_add(plan.rows * plan.terms) } else { scratch };
        // With k = 0 the base is still written.
        let mut first_term = 0;
        while first_term < k.max(1) {
            let mut first_row = 0;
            while first_row < m {
                let c = c.from(first_row, 0);
                let mut block = Block {
                    m: plan.rows.min(m - first_row),
                    k: plan.terms.min(k - first_term),
                    a: a.from(first_row, first_term),
                    b: b.from(first_term, 0),
                    base: if first_term > 0 {
                        Some(c.cast_const())
                    } else {
                        base.map(|base| base.from(first_row, 0))
                    },
                    c,
                    packed_a: None,
                    packed_b: plan.pack_b.then_some(packed_b),
                    keep_b: plan.keep_b,
                    pack_b: first_row == 0 || !plan.keep_b,
                };
                // SAFETY: the block lies inside the matrices; `scratch` sized the memory for it.
                unsafe {
                    if plan.pack_a {
                        block.pack_a::<I>(packed_a);
                    }
                    block.columns::<I>(n);
                }
                first_row += plan.rows;
            }
            first_term += plan.terms;
        }
    }
}

/// A block: some rows and some terms of a product.
struct Block<F> {
    m: usize,
    k: usize,
    a: Matrix<*const F>,
    b: Matrix<*const F>,
    base: Option<Matrix<*const F>>,
    c: Matrix<*mut F>,
    packed_a: Option<*const F>,
    packed_b: Option<*mut F>,
    /// Whether each panel of `b` has its own place in the packing buffer.
    keep_b: bool,
    /// Whether panels are packed in this block.
    pack_b: bool,
}

impl<F: Scalar> Block<F> {
    /// The rows of each tile: (first row, rows). Few sizes keep compile times low.
    #[inline(always)]
    fn tiles<I: Isa>(&self) -> impl Iterator<Item = (usize, usize)> + use<F, I> {
        let (m, mut first) = (self.m, 0);
        std::iter::from_fn(move || {
            let rows = match m - first {
                0 => return None,
                // Two tiles of 4 have more independent sums than one of 6 and one of 2.
                8 if I::ROWS == 6 => 4,
                left if left >= I::ROWS => I::ROWS,
                left if left >= 4 => 4,
                left if left >= 2 => 2,
                _ => 1,
            };
            first += rows;
            Some((first - rows, rows))
        })
    }

    /// Whether the first tile of a panel packs it.
    #[inline(always)]
    fn packs_in_tiles<I: Isa>(&self) -> bool {
        self.b.column == 1 && self.tiles::<I>().next() == Some((0, I::ROWS))
    }

    #[inline(always)]
    unsafe fn pack_a<I: Isa>(&mut self, packed: *mut F) {
        for (first, rows) in self.tiles::<I>() {
            // SAFETY: tiles divide the block's rows.
            unsafe {
                let packed = packed.add(first * self.k);
                pack_columns::<F, F::Narrow<I>>(rows, self.k, self.a.from(first, 0), packed);
            }
        }
        self.packed_a = Some(packed);
    }

    /// Panels from left to right: two vectors wide, then one, then narrow, then single columns. A
    /// panel that would extend past the right edge is shifted left and overlaps the previous one.
    #[inline(always)]
    unsafe fn columns<I: Isa>(&self, n: usize) {
        let wide = F::Vector::<I>::LANES;
        let narrow = F::Narrow::<I>::LANES;
        let mut first = 0;
        while first < n {
            let left = n - first;
            let shift = |width: usize| width.saturating_sub(left);
            // SAFETY: every panel ends at or before column n.
            first += unsafe {
                if left > wide && n >= 2 * wide {
                    I::call(Panel::<F, F::Vector<I>, 2>::new(self, first, shift(2 * wide)))
                } else if left > narrow && n >= wide {
                    I::call(Panel::<F, F::Vector<I>, 1>::new(self, first, shift(wide)))
                } else if left > 1 && n >= narrow {
                    I::call(Panel::<F, F::Narrow<I>, 1>::new(self, first, shift(narrow)))
                } else {
                    I::call(Panel::<F, Lanes<F, I, 1>, 1>::new(self, first, 0))
                }
            };
        }
    }
}

/// The `N` vectors of columns from `first` on; the first `shared` overlap the previous panel.
struct Panel<'a, F, V, const N: usize> {
    block: &'a Block<F>,
    first: usize,
    shared: usize,
    vector: PhantomData<V>,
}

impl<'a, F: Scalar, V: Vector<F>, const N: usize> Panel<'a, F, V, N> {
    /// The panel of the columns from `first` on, starting `shared` columns earlier.
    #[inline(always)]
    fn new(block: &'a Block<F>, first: usize, shared: usize) -> Self {
        Panel { block, first: first - shared, shared, vector: PhantomData }
    }
}

impl<F: Scalar, V: Vector<F>, const N: usize> Work for Panel<'_, F, V, N> {
    type Output = usize;

    /// Returns the number of new columns.
    #[inline(always)]
    fn run<I: Isa>(self) -> usize {
        let Panel { block, first, shared, .. } = self;
        // Overlapping columns get the same bits again, unless the result is added to: then they are
        // skipped.
        let adds = block.base.is_some_and(|base| base.start == block.c.start.cast_const());
        let skip = if adds { shared } else { 0 };
        let (width, k) = (N * V::LANES, block.k);
        let mut b = block.b.from(0, first);
        // SAFETY: the panel lies inside `b` and `c`; tiles divide the rows.
        unsafe {
            let mut packed = b;
            if let Some(start) = block.packed_b
                && V::LANES > 1
            {
                let start = start.add(if block.keep_b { (first + shared) * k } else { 0 });
                packed = Matrix { start: start.cast_const(), row: width as isize, column: 1 };
                if !block.pack_b || !block.packs_in_tiles::<I>() {
                    if block.pack_b {
                        pack_rows::<F, V, N>(k, b, start);
                    }
                    b = packed;
                }
            }
            let packs = b.start != packed.start;
            for (i, rows) in block.tiles::<I>() {
                let a = match block.packed_a {
                    Some(packed) => Matrix { start: packed.add(i * k), row: 1, column: rows as isize },
                    None => block.a.from(i, 0),
                };
                let (base, c) = (block.base.map(|base| base.from(i, first)), block.c.from(i, first));
                if packs && i > 0 {
                    b = packed;
                }
                let to = packed.start.cast_mut();
                match rows {
                    8 if I::ROWS == 8 && packs && i == 0 => {
                        tile::<F, V, 8, N, true>(k, a, (b, to), base, c, skip);
                    }
                    6 if I::ROWS == 6 && packs && i == 0 => {
                        tile::<F, V, 6, N, true>(k, a, (b, to), base, c, skip);
                    }
                    4 if I::ROWS == 4 && packs && i == 0 => {
                        tile::<F, V, 4, N, true>(k, a, (b, to), base, c, skip);
                    }
                    1 => tile::<F, V, 1, N, false>(k, a, (b, to), base, c, skip),
                    2 if I::ROWS >= 2 => tile::<F, V, 2, N, false>(k, a, (b, to), base, c, skip),
                    4 if I::ROWS >= 4 => tile::<F, V, 4, N, false>(k, a, (b, to), base, c, skip),
                    6 if I::ROWS >= 6 => tile::<F, V, 6, N, false>(k, a, (b, to), base, c, skip),
                    8 if I::ROWS >= 8 => tile::<F, V, 8, N, false>(k, a, (b, to), base, c, skip),
                    _ => unreachable!("`tiles` yields no other size"),
                }
            }
        }
        N * V::LANES - shared
    }
}

#[cfg(test)]
mod tests;
