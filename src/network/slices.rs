//! Large batches in slices: the gradient of a batch as the sum of the gradients of its slices.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{iter, mem};

use ndarray::{ArrayRef2, ArrayView2, ArrayViewMut2, Axis, aview2};

use super::{Network, Workspace};
use crate::cache::{Buffer, Cache};
use crate::error::require;
use crate::flat::Flat;
use crate::layer::{Backward, Forward, Mode};
use crate::{Error, Loss, Scalar};
use geartrain_kernels::{add, flushing, in_parallel, on_each_thread, threads};

/// The least number of rows of a slice, for which products are efficient while the layers' outputs
/// stay in the second-level cache.
const ROWS: usize = 256;

/// The largest number of slices: each has a gradient of its own.
const MOST: usize = 64;

/// The largest number of parameters of a network whose batches are cut: with more, adding the
/// slices' gradients costs more than the slices save.
const PARAMS: usize = 1 << 16;

/// The slices of a batch: runs of consecutive rows, equally long except for the last one.
///
/// A slice is computed alone, from the first layer to the last gradient, on one thread, while its
/// numbers are in that core's cache. Then the slices' gradients are added as in
/// [`additions`](Slices::additions). Slices and additions follow from the network and the number
/// of rows, never from threads or machines, so the gradient has the same bits wherever the slices
/// are computed. Batches of fewer than 512 rows are one slice, as are all batches of a network with
/// more than 65,536 parameters or with a layer that is not
/// [row by row](crate::layer::Description::row_by_row), such as `BatchNorm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    rows: usize,
    size: usize,
}

impl Slices {
    /// The number of slices, at least 1.
    pub fn count(self) -> usize {
        self.rows.div_ceil(self.size).max(1)
    }

    /// The rows of the slices in `slices`.
    pub fn rows(self, slices: Range<usize>) -> Range<usize> {
        (slices.start * self.size).min(self.rows)..(slices.end * self.size).min(self.rows)
    }

    /// The additions `(into, from)` that sum something per slice, in order: slice `into` becomes
    /// `into + from`. They form a binary tree over neighbouring slices, and slice 0 becomes the
    /// sum.
    pub fn additions(self) -> impl Iterator<Item = (usize, usize)> {
        let count = self.count();
        let steps = iter::successors(Some(1), |step| Some(2 * step)).take_while(move |&step| step < count);
        steps.flat_map(move |step| (0..count - step).step_by(2 * step).map(move |into| (into, into + step)))
    }

    /// The sum of one number per slice, in the order of [`additions`](Slices::additions).
    pub fn sum(self, number: impl Fn(usize) -> f64) -> f64 {
        let mut numbers = [0.0; MOST];
        (0..self.count()).for_each(|slice| numbers[slice] = number(slice));
        self.additions().for_each(|(into, from)| numbers[into] += numbers[from]);
        numbers[0]
    }
}

/// Memory for the passes over slices.
#[derive(Debug)]
pub(super) struct Memory<F> {
    /// One for each thread.
    lanes: Vec<Mutex<Lane<F>>>,
    /// One for each slice.
    results: Vec<Mutex<SliceResult<F>>>,
}

impl<F> Default for Memory<F> {
    fn default() -> Self {
        Memory { lanes: Vec::new(), results: Vec::new() }
    }
}

impl<F> Clone for Memory<F> {
    /// Empty memory: it is filled in every pass.
    fn clone(&self) -> Self {
        Memory::default()
    }
}

/// The memory of a thread for the pass over a slice.
#[derive(Debug)]
struct Lane<F> {
    cache: Cache<F>,
    doutput: Buffer<F>,
    /// The most rows of a pass so far.
    rows: usize,
}

/// The results of the pass over a slice.
#[derive(Debug)]
pub struct SliceResult<F> {
    /// Its share of the batch's loss.
    pub loss: f64,
    /// Its share of the gradient of the batch's loss in every parameter.
    pub grads: Flat<F>,
    output: Buffer<F>,
    dx: Buffer<F>,
}

impl<F: Scalar> Memory<F> {
    /// Makes room for `threads` passes at a time and `slices` results.
    fn resize(&mut self, threads: usize, slices: usize) {
        let lane = || Mutex::new(Lane { cache: Cache::new(), doutput: Buffer::default(), rows: 0 });
        let (output, dx) = (Buffer::default, Buffer::default);
        let result = || SliceResult { loss: 0.0, grads: Flat::new(), output: output(), dx: dx() };
        self.lanes.resize_with(self.lanes.len().max(threads), lane);
        self.results.resize_with(slices, || Mutex::new(result()));
    }

    /// A lane that no other thread uses, if possible the one that `thread` used before.
    fn lane(&self, thread: usize) -> MutexGuard<'_, Lane<F>> {
        let lanes = self.lanes.iter().cycle().skip(thread % self.lanes.len()).take(self.lanes.len());
        let free = lanes.filter_map(|lane| lane.try_lock().ok()).next();
        free.unwrap_or_else(|| lock(&self.lanes[thread % self.lanes.len()]))
    }

    /// The results of all slices.
    pub(super) fn results(&mut self) -> impl Iterator<Item = &mut SliceResult<F>> {
        self.results.iter_mut().map(get_mut)
    }
}

/// A panic during a pass leaves memory that the next pass overwrites.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// [`lock`] without another thread.
fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// The arguments of the passes over some slices.
struct Batch<'a, F> {
    loss: &'a dyn Loss<F>,
    x: ArrayView2<'a, F>,
    target: ArrayView2<'a, F>,
    slices: Slices,
    /// The weight of all rows of the batch.
    total_weight: f64,
    key: u64,
    flush: bool,
    wants_dx: bool,
}

impl<F: Scalar> Network<F> {
    /// Cuts batches into at most 64 slices of at least `rows` rows, at least 1, whatever the number
    /// of parameters; see [`Slices`]. Default: the rule of [`Slices`].
    ///
    /// Gradients differ in rounding from those of other slices. On one machine the rule of
    /// [`Slices`] is faster; small slices let many machines share a batch. Model files do not store
    /// this. A network with a layer that is not
    /// [row by row](crate::layer::Description::row_by_row) has one slice in any case.
    pub fn slice_rows(mut self, rows: usize) -> Self {
        self.slice_rows = Some(rows.max(1));
        self
    }

    /// The least number of rows of a slice that was [set](Network::slice_rows).
    pub(crate) fn least_slice_rows(&self) -> Option<usize> {
        self.slice_rows
    }

    /// The slices of a batch of `rows` rows.
    pub fn slices(&self, rows: usize) -> Slices {
        let cuts = self.row_by_row && (self.slice_rows.is_some() || self.params.len() <= PARAMS);
        let (least, most) = (self.slice_rows.unwrap_or(ROWS), if cuts { MOST } else { 1 });
        Slices { rows, size: rows.div_ceil((rows / least).clamp(1, most)).max(1) }
    }

    /// Loss and gradient of some slices of a batch, each by itself, for a batch whose slices are
    /// computed on several machines. The results are in [`Workspace::slice_results`].
    ///
    /// `x` and `target` are the rows of consecutive slices of the batch that is cut into `slices`;
    /// `total_weight` is the sum of the [`Loss::total_weight`] of **all** slices of the batch, in
    /// the order of [`Slices::sum`]. Added in the order of [`Slices::additions`], the results of
    /// all slices are those of [`gradients`](Network::gradients), bit for bit.
    ///
    /// # Errors
    /// As [`loss_and_gradients`](Network::loss_and_gradients), and [`Error::Argument`] for a loss
    /// without a total weight.
    pub fn slice_gradients(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        slices: Slices,
        total_weight: f64,
        workspace: &mut Workspace<F>,
    ) -> Result<(), Error> {
        self.check_slices(loss, x, target)?;
        let expected = "a mean over rows, whose `total_weight` is not `None`";
        require(loss.total_weight(target).is_some(), "loss", expected, format_args!("{loss:?}"))?;
        let Workspace { key, flush, slices: memory, .. } = workspace;
        let (x, target, slices) = (x.view(), target.view(), Slices { rows: x.nrows(), ..slices });
        let batch =
            Batch { loss, x, target, slices, total_weight, key: *key, flush: *flush, wants_dx: false };
        self.run_slices(&batch, memory);
        Ok(())
    }

    /// [`gradients`](Network::gradients) of a batch with more than one slice. Without a total
    /// weight of the loss, `None`.
    pub(super) fn gradients_in_slices(
        &self,
        loss: &dyn Loss<F>,
        x: &ArrayRef2<F>,
        target: &ArrayRef2<F>,
        workspace: &mut Workspace<F>,
        dx: Option<&mut ArrayViewMut2<F>>,
    ) -> Result<Option<f64>, Error> {
        let slices = self.slices(x.nrows());
        if slices.count() == 1 {
            return Ok(None);
        }
        self.check_slices(loss, x, target)?;
        let weight = |slice: usize| loss.total_weight(&rows_of(target, slices.rows(slice..slice + 1)));
        if weight(0).is_none() {
            return Ok(None);
        }
        let total_weight = slices.sum(|slice| weight(slice).unwrap_or(0.0));
        let Workspace { output, grads, key, flush, slices: memory, .. } = workspace;
        let (x, target, wants_dx) = (x.view(), target.view(), dx.is_some());
        let batch = Batch { loss, x, target, slices, total_weight, key: *key, flush: *flush, wants_dx };
        self.run_slices(&batch, memory);
        for (into, from) in slices.additions() {
            let (before, after) = memory.results.split_at_mut(from);
            let (into, from) = (get_mut(&mut before[into]), get_mut(&mut after[0]));
            into.loss += from.loss;
            add(&mut into.grads, &from.grads);
        }
        let sum = get_mut(&mut memory.results[0]);
        mem::swap(grads, &mut sum.grads);
        let loss = sum.loss;
        if let Some(dx) = dx {
            let mut output = output.resize(x.nrows(), self.outputs);
            for (slice, result) in memory.results().enumerate() {
                let rows = slices.rows(slice..slice + 1);
                output.slice_axis_mut(Axis(0), rows.clone().into()).assign(&result.output.view());
                dx.slice_axis_mut(Axis(0), rows.into()).assign(&result.dx.view());
            }
        }
        Ok(Some(loss))
    }

    /// Everything that a pass over slices can refuse.
    fn check_slices(&self, loss: &dyn Loss<F>, x: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
        self.check_input(x)?;
        self.check_batch(x.nrows())?;
        let zeros = [[F::zero()]];
        let zeros = aview2(&zeros);
        loss.check(&zeros.broadcast((x.nrows(), self.outputs)).expect("one number, repeated"), target)
    }

    /// The passes over all slices of `batch`, on the threads of this call.
    fn run_slices(&self, batch: &Batch<'_, F>, memory: &mut Memory<F>) {
        let (count, largest) = (batch.slices.count(), batch.slices.rows(0..1).len());
        let threads = threads().min(count);
        memory.resize(threads, count);
        let is_new = memory.lanes[..threads].iter_mut().any(|lane| get_mut(lane).rows < largest);
        let memory = &*memory;
        if is_new {
            // Every thread allocates now, so that a thread that starts late in a later step
            // allocates nothing.
            on_each_thread(threads, |thread| {
                self.run_slice(0, batch, &mut lock(&memory.lanes[thread]), &mut lock(&memory.results[0]));
            });
        }
        in_parallel(count, |slice, thread| {
            self.run_slice(slice, batch, &mut memory.lane(thread), &mut lock(&memory.results[slice]));
        });
    }

    /// The pass over one slice.
    fn run_slice(&self, slice: usize, batch: &Batch<'_, F>, lane: &mut Lane<F>, result: &mut SliceResult<F>) {
        let &Batch { loss, slices, total_weight, key, flush, wants_dx, .. } = batch;
        let rows = slices.rows(slice..slice + 1);
        let (x, target) = (rows_of(&batch.x, rows.clone()), rows_of(&batch.target, rows));
        let (Lane { cache, doutput, rows }, params, mode) = (lane, &self.params[..], Mode::Train { key });
        *rows = x.nrows().max(*rows);
        let y = result.output.resize(x.nrows(), self.outputs);
        self.layer.forward(Forward { params, x, y, cache, mode });
        let y = result.output.view();
        let mut dy = doutput.resize(x.nrows(), self.outputs);
        // L = Σ_s (C_s / C) L_s for slices s with weights C_s, so ∂L/∂y is C_s / C · ∂L_s/∂y.
        let weight = loss.total_weight(&target).unwrap_or(0.0);
        let share = if total_weight == 0.0 { 0.0 } else { weight / total_weight };
        result.loss = share * loss.gradient(&y, &target, &mut dy);
        dy *= F::of(share);
        result.grads.resize(self.params.len());
        let dx = wants_dx.then(|| result.dx.resize(x.nrows(), x.ncols()));
        let (dy, grads) = (doutput.view(), &mut result.grads[..]);
        flushing(flush, || self.layer.backward(Backward { params, x, y, dy, grads, dx, cache }));
    }
}

fn rows_of<F>(matrix: &ArrayRef2<F>, rows: Range<usize>) -> ArrayView2<'_, F> {
    matrix.slice_axis(Axis(0), rows.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_slice_and_every_slice_is_added_once() {
        for rows in [0, 1, 511, 512, 513, 1000, 10_000, 16_384, 100_003] {
            for size in [1, 2, 256, 257, 100_003] {
                let slices = Slices { rows, size };
                let count = slices.count();
                let ranges: Vec<_> = (0..count).map(|slice| slices.rows(slice..slice + 1)).collect();
                assert_eq!((ranges[0].start, ranges[count - 1].end), (0, rows));
                assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start && !pair[1].is_empty()));
                let mut sums: Vec<u128> = (0..count as u128).collect();
                slices.additions().for_each(|(into, from)| sums[into] += mem::take(&mut sums[from]));
                assert_eq!(sums[0], (0..count as u128).sum());
                assert!(sums[1..].iter().all(|&rest| rest == 0));
            }
        }
    }

    #[test]
    fn small_batches_and_large_networks_are_one_slice() {
        let network = |width| Network::<f32>::new(crate::layers::Linear::new(width, width)).unwrap();
        let counts = |width| [1, 256, 511, 512, 10_000, 1_000_000].map(|n| network(width).slices(n).count());
        assert_eq!(counts(3), [1, 1, 1, 2, 39, 64]);
        assert_eq!(counts(256), [1; 6]);
        let cut = network(256).slice_rows(64);
        assert_eq!([1, 127, 128, 512, 100_000].map(|n| cut.slices(n).count()), [1, 1, 2, 8, 64]);
    }
}
