//! Products with a single row, as in the prediction of one row: all columns at once.

use super::dispatch::{Isa, Work, dispatch};
use super::dot::dots;
use super::gemm::{Product, blocks_of_terms};
use super::map::Function;
use super::tile::Matrix;
use super::vector::{Lanes, Vector};
use crate::Scalar;

/// `y = φ(x · w + bias)` for a single row `x`: the weights of entry p are
/// `w[p * y.len()..][..y.len()]`. The sums have the bits of
/// [`matmul_add_row`](crate::matmul_add_row).
///
/// # Panics
/// If the lengths do not match.
pub fn row<F: Scalar, A: Function<F>>(function: &A, x: &[F], w: &[F], bias: Option<&[F]>, y: &mut [F]) {
    let (k, n) = (x.len(), y.len());
    assert!(
        w.len() == k * n && bias.is_none_or(|bias| bias.len() == n),
        "{} weights and a bias of {:?} from {k} to {n} numbers",
        w.len(),
        bias.map(<[F]>::len)
    );
    if n == 0 {
        return;
    }
    let along = |start: *const F| Matrix { start, row: n as isize, column: 1 };
    let a = Matrix { start: x.as_ptr(), row: k as isize, column: 1 };
    let c = Matrix { start: y.as_mut_ptr(), row: n as isize, column: 1 };
    let base = bias.map(|bias| along(bias.as_ptr()));
    let product = Product { m: 1, n, k, a, b: along(w.as_ptr()), base, c };
    if product.is_shared() {
        F::product(product);
        y.iter_mut().for_each(|y| *y = function.value(*y));
    } else {
        dispatch(Activated { product: &product, y, function });
    }
}

/// A product with a single row and contiguous rows of `b`, followed by a function of each entry.
struct Activated<'a, F, A> {
    product: &'a Product<F>,
    y: &'a mut [F],
    function: &'a A,
}

impl<F: Scalar, A: Function<F>> Work for Activated<'_, F, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let &Product { n, k, a, b, base, c, .. } = self.product;
        if n == 1 {
            // SAFETY: the pointers come from slices of these lengths.
            unsafe { dots::<F, I>(1, k, a, b, base, c) };
        } else {
            Row { product: self.product }.run::<I>();
        }
        for y in self.y {
            *y = self.function.value(*y);
        }
    }
}

/// A product for which [`Product::is_row`] holds.
pub(super) struct Row<'a, F> {
    pub product: &'a Product<F>,
}

impl<F: Scalar> Work for Row<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let n = self.product.n;
        // SAFETY: the pointers of the product come from matrices of these shapes; a vector is at
        // most as wide as the row.
        unsafe {
            if n >= F::Vector::<I>::LANES {
                self.columns::<F::Vector<I>>();
            } else if n >= F::Narrow::<I>::LANES {
                self.columns::<F::Narrow<I>>();
            } else {
                self.columns::<Lanes<F, I, 1>>();
            }
        }
    }
}

impl<F: Scalar> Row<'_, F> {
    /// All columns, in groups of up to eight vectors.
    ///
    /// # Safety
    /// The row must have as many columns as a vector.
    #[inline(always)]
    unsafe fn columns<V: Vector<F>>(&self) {
        let vectors = self.product.n.div_ceil(V::LANES);
        let mut first = 0;
        while first < vectors {
            // SAFETY: the caller guarantees a vector.
            first += unsafe {
                match vectors - first {
                    1 => self.group::<V, 1>(first),
                    2 => self.group::<V, 2>(first),
                    3 | 4 => self.group::<V, 4>(first),
                    _ => self.group::<V, 8>(first),
                }
            };
        }
    }

    /// `G` vectors of columns, whose sums hide the latency of each other's additions. A vector that
    /// would extend past the end of the row is shifted left and computes some columns again.
    ///
    /// Each entry is summed in the order of its terms, block by block, as in other products.
    ///
    /// # Safety
    /// The row must have as many columns as a vector.
    #[inline(always)]
    unsafe fn group<V: Vector<F>, const G: usize>(&self, first: usize) -> usize {
        let &Product { n, k, a, b, base, c, .. } = self.product;
        let terms = blocks_of_terms(k);
        let mut starts = [0; G];
        for g in 0..G {
            starts[g] = ((first + g) * V::LANES).min(n - V::LANES);
        }
        let mut totals = [V::splat(F::zero()); G];
        let mut first_term = 0;
        // With k = 0 the base is still written.
        while first_term < k.max(1) {
            let mut sums = [V::splat(F::zero()); G];
            // SAFETY (all blocks): p < k, and every vector ends at or before column n.
            for p in first_term..k.min(first_term + terms) {
                let factor = V::splat(unsafe { *a.at(0, p) });
                for g in 0..G {
                    sums[g] = factor.multiply_add(unsafe { V::load(b.at(p, starts[g])) }, sums[g]);
                }
            }
            for g in 0..G {
                totals[g] = match base {
                    _ if first_term > 0 => totals[g].add(sums[g]),
                    Some(base) => unsafe { V::load(base.at(0, starts[g])) }.add(sums[g]),
                    None => sums[g],
                };
            }
            first_term += terms;
        }
        for g in 0..G {
            unsafe { totals[g].store(c.at(0, starts[g])) };
        }
        G
    }
}
