//! Mini-batches: a new order of the rows for each epoch, without allocation.

use std::ops::Range;

use ndarray::{Array2, ArrayRef2, ArrayView2, Axis, Slice};

use super::dataset::Dataset;
use super::split::permute;
use crate::Scalar;
use crate::error::data::{DataError, DataProblem};

/// The rows of a data set in mini-batches, reshuffled for each epoch.
///
/// The order of an epoch depends only on the seed and the number of the epoch, so training can
/// resume anywhere. [`Batches::new`] allocates all memory; shuffling and gathering allocate none.
///
/// ```
/// use geartrain::data::{Batches, toy};
///
/// let data = toy::sine::<f32>(100, 0.1, 0)?;
/// let mut batches = Batches::new(&data, 32, 7)?;
/// for epoch in 0..3 {
///     batches.shuffle(epoch);
///     for index in 0..batches.count() {
///         let (x, y) = batches.get(index);
///         assert_eq!(x.nrows(), if index < 3 { 32 } else { 4 });
///         assert_eq!(y.dim(), (x.nrows(), 1));
///     }
/// }
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Debug)]
pub struct Batches<'a, F> {
    data: &'a Dataset<F>,
    seed: u64,
    size: usize,
    smallest: usize,
    /// The rows are in their own order.
    sorted: bool,
    order: Vec<usize>,
    x: Array2<F>,
    y: Array2<F>,
}

impl<'a, F: Scalar> Batches<'a, F> {
    /// Cuts the rows of `data` into batches of `size` rows; the last one holds the rest. A `size`
    /// above the number of rows gives one batch of all rows. Until the first
    /// [`shuffle`](Batches::shuffle) the rows are in order.
    ///
    /// # Errors
    /// [`DataProblem::BatchSize`] for a size of 0.
    pub fn new(data: &'a Dataset<F>, size: usize, seed: u64) -> Result<Self, DataError> {
        if size == 0 {
            return Err(DataProblem::BatchSize.into());
        }
        let size = size.min(data.rows());
        Ok(Batches {
            data,
            seed,
            size,
            smallest: 1,
            sorted: true,
            order: (0..data.rows()).collect(),
            x: Array2::zeros((size, data.features())),
            y: Array2::zeros((size, data.outputs())),
        })
    }

    /// Merges a last batch of fewer than `rows` rows into the one before it, which then has up to
    /// `rows − 1` rows more than the others. A layer that cannot train on one row, such as batch
    /// normalisation, needs `rows` = 2.
    pub fn smallest(mut self, rows: usize) -> Self {
        self.smallest = rows;
        let largest = self.order.len().min(self.size + rows.saturating_sub(1));
        self.x = Array2::zeros((largest, self.data.features()));
        self.y = Array2::zeros((largest, self.data.outputs()));
        self
    }

    /// Number of batches in an epoch.
    pub fn count(&self) -> usize {
        let (full, rest) = (self.order.len() / self.size, self.order.len() % self.size);
        full + usize::from(rest > 0 && (rest >= self.smallest || full == 0))
    }

    /// Puts the rows into the order of `epoch`.
    pub fn shuffle(&mut self, epoch: u64) {
        self.sorted = false;
        permute(&mut self.order, self.seed, epoch);
    }

    /// The indices of the rows of one batch, in the batch's order.
    ///
    /// # Panics
    /// If `index` is not below [`count`](Batches::count).
    pub fn rows(&self, index: usize) -> &[usize] {
        &self.order[self.range(index)]
    }

    /// The inputs (rows × features) and targets (rows × outputs) of one batch, row-major. They are
    /// not copied before the first [`shuffle`](Batches::shuffle).
    ///
    /// # Panics
    /// If `index` is not below [`count`](Batches::count).
    pub fn get(&mut self, index: usize) -> (ArrayView2<'_, F>, ArrayView2<'_, F>) {
        let range = self.range(index);
        if self.sorted {
            let rows = Slice::from(range);
            return (self.data.x().slice_axis(Axis(0), rows), self.data.y().slice_axis(Axis(0), rows));
        }
        let rows = &self.order[range];
        gather(self.data.x(), rows, &mut self.x);
        gather(self.data.y(), rows, &mut self.y);
        let first = Slice::from(..rows.len());
        (self.x.slice_axis(Axis(0), first), self.y.slice_axis(Axis(0), first))
    }

    /// The part of `order` that holds the rows of a batch.
    fn range(&self, index: usize) -> Range<usize> {
        let count = self.count();
        assert!(index < count, "batch {index} of {count}");
        let start = index * self.size;
        start..if index + 1 == count { self.order.len() } else { start + self.size }
    }
}

fn gather<F: Scalar>(from: &ArrayRef2<F>, rows: &[usize], to: &mut Array2<F>) {
    let width = from.ncols();
    let from = from.as_slice().expect("data sets are row-major");
    let to = to.as_slice_mut().expect("new arrays are row-major");
    match width {
        1 => to.iter_mut().zip(rows).for_each(|(target, &row)| *target = from[row]),
        BLOCK..=SHORT => {
            for (target, &row) in to.chunks_exact_mut(width).zip(rows) {
                copy_short(&from[row * width..(row + 1) * width], target);
            }
        }
        _ => {
            for (target, &row) in to.chunks_exact_mut(width).zip(rows) {
                target.copy_from_slice(&from[row * width..(row + 1) * width]);
            }
        }
    }
}

/// Numbers per move, and the longest row for which such moves take less time than a call of
/// `memcpy`.
const BLOCK: usize = 4;
const SHORT: usize = 32;

/// Copies at least one block, the last one over the end of the block before it.
#[inline]
fn copy_short<F: Scalar>(from: &[F], to: &mut [F]) {
    for (to, from) in to.as_chunks_mut::<BLOCK>().0.iter_mut().zip(from.as_chunks::<BLOCK>().0) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<BLOCK>(), from.last_chunk::<BLOCK>()) {
        *to = *from;
    }
}
