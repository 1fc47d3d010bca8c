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
    order: Order,
    batch: Batch<F>,
}

impl<'a, F: Scalar> Batches<'a, F> {
    /// Cuts the rows of `data` into batches of `size` rows; the last one holds the rest. A `size`
    /// above the number of rows gives one batch of all rows. Until the first
    /// [`shuffle`](Batches::shuffle) the rows are in order.
    ///
    /// # Errors
    /// [`DataProblem::BatchSize`] for a size of 0.
    pub fn new(data: &'a Dataset<F>, size: usize, seed: u64) -> Result<Self, DataError> {
        let order = Order::new(data.rows(), size, seed)?;
        Ok(Batches { data, batch: Batch::new(data, order.largest()), order })
    }

    /// Merges a last batch of fewer than `rows` rows into the one before it, which then has up to
    /// `rows − 1` rows more than the others. A layer that cannot train on one row, such as batch
    /// normalisation, needs `rows` = 2.
    pub fn smallest(self, rows: usize) -> Self {
        let Batches { data, order, .. } = self;
        let order = order.smallest(rows);
        Batches { data, batch: Batch::new(data, order.largest()), order }
    }

    /// Number of batches in an epoch.
    pub fn count(&self) -> usize {
        self.order.count()
    }

    /// Puts the rows into the order of `epoch`.
    pub fn shuffle(&mut self, epoch: u64) {
        self.order.shuffle(epoch);
    }

    /// The indices of the rows of one batch, in the batch's order.
    ///
    /// # Panics
    /// If `index` is not below [`count`](Batches::count).
    pub fn rows(&self, index: usize) -> &[usize] {
        self.order.rows(index)
    }

    /// The inputs (rows × features) and targets (rows × outputs) of one batch, row-major. They are
    /// not copied before the first [`shuffle`](Batches::shuffle).
    ///
    /// # Panics
    /// If `index` is not below [`count`](Batches::count).
    pub fn get(&mut self, index: usize) -> (ArrayView2<'_, F>, ArrayView2<'_, F>) {
        self.batch.load(self.data, &self.order, index);
        self.batch.get(self.data)
    }
}

/// The rows of one batch: gathered, or where they are in the data.
#[derive(Debug)]
pub(crate) struct Batch<F> {
    x: Array2<F>,
    y: Array2<F>,
    rows: Range<usize>,
    gathered: bool,
}

impl<F: Scalar> Batch<F> {
    /// Memory for `largest` rows of `data`.
    pub fn new(data: &Dataset<F>, largest: usize) -> Self {
        let (x, y) = (Array2::zeros((largest, data.features())), Array2::zeros((largest, data.outputs())));
        Batch { x, y, rows: 0..0, gathered: true }
    }

    /// How many rows memory holds.
    pub fn capacity(&self) -> usize {
        self.x.nrows()
    }

    /// Takes a batch of `order`, with at most as many rows as memory holds. Rows that were not
    /// shuffled are not copied.
    pub fn load(&mut self, data: &Dataset<F>, order: &Order, index: usize) {
        self.rows = order.range(index);
        self.gathered = order.shuffled;
        if self.gathered {
            let rows = order.rows(index);
            gather(data.x(), rows, &mut self.x);
            gather(data.y(), rows, &mut self.y);
            self.rows = 0..rows.len();
        }
    }

    /// The inputs and targets, for the same `data`.
    pub fn get<'a>(&'a self, data: &'a Dataset<F>) -> (ArrayView2<'a, F>, ArrayView2<'a, F>) {
        let (x, y): (&ArrayRef2<F>, &ArrayRef2<F>) =
            if self.gathered { (&self.x, &self.y) } else { (data.x(), data.y()) };
        let rows = Slice::from(self.rows.clone());
        (x.slice_axis(Axis(0), rows), y.slice_axis(Axis(0), rows))
    }
}

/// The order of the rows in each epoch, and the cuts between batches, without the rows themselves.
///
/// ```
/// use geartrain::data::Order;
///
/// let mut order = Order::new(10, 4, 7)?;
/// order.shuffle(0);
/// let sizes: Vec<usize> = (0..order.count()).map(|batch| order.rows(batch).len()).collect();
/// assert_eq!(sizes, [4, 4, 2]);
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Order {
    seed: u64,
    size: usize,
    smallest: usize,
    shuffled: bool,
    rows: Vec<usize>,
}

impl Order {
    /// An order of `rows` rows in batches of `size`, as that of [`Batches::new`].
    ///
    /// # Errors
    /// [`DataProblem::BatchSize`] for a size of 0.
    pub fn new(rows: usize, size: usize, seed: u64) -> Result<Self, DataError> {
        if size == 0 {
            return Err(DataProblem::BatchSize.into());
        }
        Ok(Order {
            seed,
            size: size.min(rows).max(1),
            smallest: 1,
            shuffled: false,
            rows: (0..rows).collect(),
        })
    }

    /// As [`Batches::smallest`].
    pub fn smallest(mut self, rows: usize) -> Self {
        self.smallest = rows;
        self
    }

    /// Number of batches in an epoch.
    pub fn count(&self) -> usize {
        let (full, rest) = (self.rows.len() / self.size, self.rows.len() % self.size);
        full + usize::from(rest > 0 && (rest >= self.smallest || full == 0))
    }

    /// Puts the rows into the order of `epoch`.
    pub fn shuffle(&mut self, epoch: u64) {
        self.shuffled = true;
        permute(&mut self.rows, self.seed, epoch);
    }

    /// The indices of the rows of one batch, in the batch's order.
    ///
    /// # Panics
    /// If `index` is not below [`count`](Order::count).
    pub fn rows(&self, index: usize) -> &[usize] {
        &self.rows[self.range(index)]
    }

    /// The part of `rows` that is one batch.
    fn range(&self, index: usize) -> Range<usize> {
        let count = self.count();
        assert!(index < count, "batch {index} of {count}");
        let start = index * self.size;
        start..if index + 1 == count { self.rows.len() } else { start + self.size }
    }

    /// The number of rows of the largest batch, at most.
    pub(crate) fn largest(&self) -> usize {
        self.rows.len().min(self.size + self.smallest.saturating_sub(1))
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
