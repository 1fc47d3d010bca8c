//! Training rows on several ranks.

use std::fmt;
use std::mem::swap;
use std::ops::Range;

use geartrain::data::{Dataset, Order};
use geartrain::network::{Slices, Workspace};
use geartrain::params::Flat;
use geartrain::train::Rows;
use geartrain::{Error, Loss, Network, Scalar};
use mpi::traits::Equivalence;
use ndarray::{Array2, ArrayView2, Axis, s};

use crate::team::{RankError, Team};

/// The rows of a training run, of which every rank holds a part in the order of the ranks.
///
/// Once per epoch, rows travel to the rank that computes with them. Every rank computes the
/// gradients of consecutive [slices](Network::slices) of each batch, a power of two of them, so
/// that it adds a whole subtree of [`Slices::additions`]; [`Team::sum`] adds the rest of the tree.
/// So the gradient has the bits of one process.
///
/// A batch of a single slice, as all batches of a network with `BatchNorm` or `Dropout`, is
/// computed by every rank, which takes the time of one process.
pub struct Shard<'t, F> {
    team: &'t Team,
    /// The rows of this rank: inputs beside targets.
    rows: Array2<F>,
    features: usize,
    /// The first row of each rank, and the end.
    starts: Vec<usize>,
    /// The place among all rows of each training row.
    training: Vec<usize>,
    window: Window<F>,
    losses: Vec<f64>,
    scratch: Vec<F>,
}

/// The rows of consecutive batches, where they are needed.
struct Window<F> {
    batches: Vec<Part>,
    /// The index of the first batch, and of the one that is loaded.
    first: usize,
    loaded: usize,
    x: Array2<F>,
    y: Array2<F>,
}

/// The part of a batch that this rank computes.
#[derive(Debug, Clone)]
struct Part {
    slices: Slices,
    /// The rows of `x` and `y`.
    rows: Range<usize>,
    /// The slices of each rank, and how many ranks have any; `None` if each computes the batch.
    shared: Option<Share>,
    /// The weight of all rows of the batch.
    total_weight: f64,
}

/// How the slices of a batch are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Slices per rank, a power of two.
    size: usize,
    /// Ranks with slices.
    pub used: usize,
}

impl Share {
    pub fn new(slices: usize, ranks: usize) -> Self {
        let size = slices.div_ceil(ranks).next_power_of_two();
        Share { size, used: slices.div_ceil(size) }
    }

    /// The slices of a rank.
    pub fn of(self, rank: usize, slices: usize) -> Range<usize> {
        (rank * self.size).min(slices)..((rank + 1) * self.size).min(slices)
    }
}

impl<F> fmt::Debug for Shard<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows of {:?}", self.team)
    }
}

impl<'t, F: Scalar + Equivalence + Default> Shard<'t, F> {
    /// The rows of this rank, `data`; `training` lists the rows to train on among the rows of all
    /// ranks, in the order of a data set on one machine.
    ///
    /// # Errors
    /// If the ranks' rows have different numbers of columns.
    pub fn new(team: &'t Team, data: &Dataset<F>, training: Vec<usize>) -> Result<Self, RankError> {
        let columns = team.gather(&[data.rows(), data.features(), data.outputs()]);
        let expected = &columns[0][1..];
        if let Some(rank) = columns.iter().position(|found| &found[1..] != expected) {
            let text = |columns: &[usize]| format!("{} + {} columns", columns[0], columns[1]);
            let message = format!("has {}, but rank 0 has {}", text(&columns[rank][1..]), text(expected));
            return Err(RankError { rank, message });
        }
        let mut starts = vec![0];
        starts.extend(columns.iter().scan(0, |end, found| {
            *end += found[0];
            Some(*end)
        }));
        let rows = ndarray::concatenate(Axis(1), &[data.x().view(), data.y().view()])
            .expect("as many inputs as targets");
        let empty = || Array2::from_shape_simple_fn((0, 0), F::zero);
        let window = Window { batches: Vec::new(), first: 0, loaded: usize::MAX, x: empty(), y: empty() };
        let (features, losses, scratch) = (data.features(), Vec::new(), Vec::new());
        Ok(Shard { team, rows, features, starts, training, window, losses, scratch })
    }

    /// The rank that holds a row.
    fn owner(&self, row: usize) -> usize {
        self.starts.partition_point(|&start| start <= row) - 1
    }

    /// Fetches rows: those that `wanted` names for each rank, in its order. A row is a place among
    /// the rows of all ranks.
    ///
    /// # Errors
    /// As [`Team::exchange`].
    pub fn fetch(&self, wanted: impl Fn(usize) -> Vec<usize>) -> Result<Array2<F>, RankError> {
        let (rank, width) = (self.team.rank(), self.rows.ncols());
        let first = self.starts[rank];
        let mut parts = Vec::new();
        let mut mine = Vec::new();
        for to in 0..self.team.size() {
            let rows = wanted(to);
            let own = rows.iter().filter(|&&row| self.owner(row) == rank);
            parts.push(own.flat_map(|&row| self.rows.row(row - first).to_vec()).collect());
            if to == rank {
                mine = rows;
            }
        }
        let owners: Vec<usize> = mine.iter().map(|&row| self.owner(row)).collect();
        let mut counts = vec![0; self.team.size()];
        owners.iter().for_each(|&owner| counts[owner] += width);
        let received = self.team.exchange(&parts, &counts)?;
        let mut next = vec![0; self.team.size()];
        let mut fetched = Vec::with_capacity(mine.len() * width);
        for owner in owners {
            fetched.extend_from_slice(&received[owner][next[owner]..next[owner] + width]);
            next[owner] += width;
        }
        Ok(Array2::from_shape_vec((mine.len(), width), fetched).expect("whole rows"))
    }

    /// Fetches the columns of all training rows that belong to this rank: column c of w belongs to
    /// rank ⌊c · ranks / w⌋. Returns them, `(training rows, columns)`, and the first column.
    ///
    /// # Errors
    /// As [`Team::exchange`].
    pub fn fetch_columns(&self) -> Result<(Array2<F>, usize), RankError> {
        let (rank, size, width) = (self.team.rank(), self.team.size(), self.rows.ncols());
        let first = |rank: usize| (rank * width).div_ceil(size);
        let columns = |rank: usize| first(rank)..first(rank + 1);
        let own: Vec<usize> = self.training.iter().copied().filter(|&row| self.owner(row) == rank).collect();
        let part = |to: usize| {
            let values = |&row: &usize| self.rows.slice(s![row - self.starts[rank], columns(to)]).to_vec();
            own.iter().flat_map(values).collect()
        };
        let parts: Vec<Vec<F>> = (0..size).map(part).collect();
        let count = columns(rank).len();
        let mut counts = vec![0; size];
        self.training.iter().for_each(|&row| counts[self.owner(row)] += count);
        let received = self.team.exchange(&parts, &counts)?;
        let mut next = vec![0; size];
        let mut values = Vec::with_capacity(self.training.len() * count);
        for &row in &self.training {
            let owner = self.owner(row);
            values.extend_from_slice(&received[owner][next[owner]..next[owner] + count]);
            next[owner] += count;
        }
        let values = Array2::from_shape_vec((self.training.len(), count), values).expect("whole rows");
        Ok((values, first(rank)))
    }

    /// Brings the rows of the batches from `first` on to where they are needed: all batches of the
    /// epoch, or one if every rank computes it.
    fn fetch_window(
        &mut self,
        order: &Order,
        first: usize,
        network: &Network<F>,
        loss: &dyn Loss<F>,
    ) -> Result<(), RankError> {
        let (rank, size) = (self.team.rank(), self.team.size());
        let weighs = loss.total_weight(&self.rows.slice(s![..1, self.features..])).is_some();
        let slices = |batch: usize| network.slices(order.rows(batch).len());
        let share = |batch: usize| {
            let count = slices(batch).count();
            (weighs && count > 1).then(|| Share::new(count, size))
        };
        let last = (first..order.count()).find(|&batch| share(batch).is_none());
        let end = last.map_or(order.count(), |last| last.max(first + 1));
        let places = |to: usize, batch: usize| {
            let slices = slices(batch);
            match share(batch) {
                None => 0..order.rows(batch).len(),
                Some(share) => slices.rows(share.of(to, slices.count())),
            }
        };
        let wanted = |to: usize| {
            let rows = (first..end).flat_map(|batch| &order.rows(batch)[places(to, batch)]);
            rows.map(|&row| self.training[row]).collect()
        };
        let rows = self.fetch(wanted)?;
        let (x, y) = rows.view().split_at(Axis(1), self.features);
        (self.window.x, self.window.y) = (x.to_owned(), y.to_owned());
        self.window.batches.clear();
        let mut start = 0;
        for batch in first..end {
            let len = places(rank, batch).len();
            let (rows, shared) = (start..start + len, share(batch));
            self.window.batches.push(Part { slices: slices(batch), rows, shared, total_weight: 0.0 });
            start += len;
        }
        self.window.first = first;
        self.weigh(loss);
        Ok(())
    }

    /// Finds the weight of all rows of each batch of the window, in the order of one process.
    fn weigh(&mut self, loss: &dyn Loss<F>) {
        let rank = self.team.rank();
        let mut weights = Vec::new();
        for part in &self.window.batches {
            let Some(share) = part.shared else { continue };
            let (count, start) = (part.slices.count(), weights.len());
            weights.resize(start + count, 0.0);
            let mine = share.of(rank, count);
            let first = part.slices.rows(mine.clone()).start;
            for slice in mine {
                let rows = part.slices.rows(slice..slice + 1);
                let rows = part.rows.start + rows.start - first..part.rows.start + rows.end - first;
                let weight = loss.total_weight(&self.window.y.slice(s![rows, ..]));
                weights[start + slice] = weight.unwrap_or(0.0);
            }
        }
        self.team.merge(&mut weights);
        let mut start = 0;
        for part in self.window.batches.iter_mut().filter(|part| part.shared.is_some()) {
            part.total_weight = part.slices.sum(|slice| weights[start + slice]);
            start += part.slices.count();
        }
    }

    /// The part of the loaded batch.
    fn part(&self) -> &Part {
        &self.window.batches[self.window.loaded - self.window.first]
    }

    /// The result of `here` if all ranks succeeded.
    fn agreed(&self, here: Result<(), Error>) -> Result<(), Error> {
        let agreed = self.team.agree(here.as_ref().copied().map_err(Error::to_string));
        match (here, agreed) {
            (Err(error), Err(first)) if first.rank == self.team.rank() => Err(error),
            (_, Err(first)) => Err(elsewhere(first)),
            (_, Ok(())) => Ok(()),
        }
    }
}

fn elsewhere(RankError { rank, message }: RankError) -> Error {
    Error::Elsewhere { place: format!("rank {rank}"), message }
}

impl<F: Scalar + Equivalence + Default> Rows<F> for Shard<'_, F> {
    fn rows(&self) -> usize {
        self.training.len()
    }

    fn fingerprint(&mut self) -> Result<String, Error> {
        let rank = self.team.rank();
        let rows = self.training.iter().enumerate().filter(|&(_, &row)| self.owner(row) == rank);
        // A sum over rows of hashes that contain the number of the row: the same for any ranks.
        let hash = rows.fold(0_u64, |sum, (number, &row)| {
            let values = self.rows.row(row - self.starts[rank]);
            let bytes = values.iter().flat_map(|value| value.as_f64().to_bits().to_le_bytes());
            let bytes = (number as u64).to_le_bytes().into_iter().chain(bytes);
            sum.wrapping_add(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            }))
        });
        let hash = self.team.wrapping_sum(hash);
        let outputs = self.rows.ncols() - self.features;
        Ok(format!("{} rows of {} + {outputs} columns, sum {hash:016x}", self.rows(), self.features))
    }

    fn check(
        &mut self,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        allow_non_finite: bool,
    ) -> Result<(), Error> {
        let (x, y) = self.rows.view().split_at(Axis(1), self.features);
        let check = || {
            if !allow_non_finite {
                Dataset::new(x.to_owned(), y.to_owned())?.check_finite()?;
            }
            let output = network.predict(&x.slice(s![..1, ..]))?;
            loss.check(&output.broadcast((y.nrows(), network.outputs())).expect("one row, repeated"), &y)
        };
        self.agreed(check())
    }

    fn load(
        &mut self,
        order: &Order,
        index: usize,
        network: &Network<F>,
        loss: &dyn Loss<F>,
    ) -> Result<(), Error> {
        // Batches are loaded one after the other; anything else is a new epoch.
        let window = &self.window;
        let end = window.first + window.batches.len();
        if index != window.loaded.wrapping_add(1) || index >= end {
            self.fetch_window(order, index, network, loss).map_err(elsewhere)?;
        }
        self.window.loaded = index;
        Ok(())
    }

    fn batch(&self) -> (ArrayView2<'_, F>, ArrayView2<'_, F>) {
        let rows = self.part().rows.clone();
        (self.window.x.slice(s![rows.clone(), ..]), self.window.y.slice(s![rows, ..]))
    }

    fn gradients(
        &mut self,
        network: &Network<F>,
        loss: &dyn Loss<F>,
        workspace: &mut Workspace<F>,
    ) -> Result<f64, Error> {
        let Part { slices, shared, total_weight, .. } = *self.part();
        let (x, y) = self.batch();
        let Some(share) = shared else { return network.gradients(loss, &x, &y, workspace, None) };
        let (rank, count) = (self.team.rank(), slices.count());
        let mine = share.of(rank, count);
        let mut losses = vec![0.0; count];
        if !mine.is_empty() {
            network.slice_gradients(loss, &x, &y, slices, total_weight, workspace)?;
            let mut results: Vec<_> = workspace.slice_results().collect();
            losses[mine].iter_mut().zip(&results).for_each(|(loss, result)| *loss = result.loss);
            // The subtree of this rank's slices.
            let mut step = 1;
            while step < results.len() {
                for into in (0..results.len() - step).step_by(2 * step) {
                    let (before, after) = results.split_at_mut(into + step);
                    let (into, from) = (&mut before[into].grads, &after[0].grads);
                    into.iter_mut().zip(from.iter()).for_each(|(into, &from)| *into += from);
                }
                step *= 2;
            }
            let mut sum = Flat::from(&[][..]);
            swap(&mut sum, &mut results[0].grads);
            drop(results);
            swap(&mut workspace.grads, &mut sum);
            if let Some(first) = workspace.slice_results().next() {
                swap(&mut first.grads, &mut sum);
            }
        } else if workspace.grads.len() != network.params().len() {
            workspace.grads = Flat::from(&vec![F::zero(); network.params().len()][..]);
        }
        self.team.merge(&mut losses);
        self.team.sum(&mut workspace.grads, share.used, &mut self.scratch);
        self.losses = losses;
        Ok(slices.sum(|slice| self.losses[slice]))
    }

    fn predict(&self, _: &Network<F>) -> Result<(Array2<F>, Array2<F>), Error> {
        Err(Error::argument("metrics on training rows", "none with rows on several ranks", "one or more"))
    }

    fn stops(&mut self, stop: bool) -> bool {
        self.team.any(stop)
    }

    fn writes(&self) -> bool {
        self.team.rank() == 0
    }

    fn agree(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        self.agreed(result)
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn every_slice_belongs_to_one_rank_and_whole_subtrees_to_each() {
        for slices in 2..=64 {
            for ranks in [1, 2, 3, 4, 7, 8, 64, 100] {
                let share = Share::new(slices, ranks);
                assert!(share.used <= ranks && share.size.is_power_of_two(), "{slices}, {ranks}");
                let all: Vec<usize> = (0..ranks).flat_map(|rank| share.of(rank, slices)).collect();
                assert_eq!(all, (0..slices).collect::<Vec<_>>());
                assert!((0..ranks).all(|rank| share.of(rank, slices).is_empty() == (rank >= share.used)));
            }
        }
    }
}
