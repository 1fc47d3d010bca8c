//! What the theory carries through the network: the size of signals on the way up, that of gradients on the way down.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};

use super::batch::{Gradient, Pullback, Vector};
use super::measure::{norm, normal_batch};
use geartrain::Scalar;

/// Networks of finite width that are followed beside the infinitely wide one. They come in pairs whose noise is opposite,
/// so that what is odd in it cancels in means over them.
const NETWORKS: usize = 32;

/// What is known about the rows at one place of the network.
#[derive(Debug, Clone)]
pub(super) struct Signal {
    /// Mean square and mean of the entries of each row, in a column: in the infinitely wide network in the first line, then
    /// in networks of finite width, whose q wanders about it.
    pub rows: Array2<(f64, f64)>,
    /// The mean product of two different rows, per entry.
    pub overlap: f64,
    /// Whether entries are normal with mean 0, which an activation's moments need.
    pub normal: bool,
    /// All rows together, in a network with BatchNorm.
    pub batch: Option<Vector>,
}

impl Signal {
    pub fn of<F: Scalar>(x: ArrayView2<F>) -> Self {
        let (n, columns) = (x.nrows() as f64, x.ncols() as f64);
        let rows: Vec<(f64, f64)> =
            x.rows().into_iter().map(|row| (mean_of(row.iter(), 2), mean_of(row.iter(), 1))).collect();
        // Σ_(r≠s) x_r·x_s = |Σ_r x_r|² − Σ_r |x_r|²
        let sum = x.mapv(F::as_f64).sum_axis(Axis(0));
        let squares = columns * rows.iter().map(|row| row.0).sum::<f64>();
        let overlap = if n > 1.0 { (sum.dot(&sum) - squares) / (n * (n - 1.0) * columns) } else { 0.0 };
        Signal { rows: in_all_networks(&rows), overlap, normal: false, batch: None }
    }

    /// The same with all rows known together, from which the other numbers follow.
    pub fn with(mut self, batch: Option<Vector>) -> Self {
        if let Some(vector) = &batch {
            let squares = vector.squares();
            let n = squares.nrows() as f64;
            let rows: Vec<_> = squares.diag().iter().copied().zip(vector.means()).collect();
            self.rows = in_all_networks(&rows);
            self.overlap = (squares.sum() - squares.diag().sum()) / (n * (n - 1.0));
        }
        self.batch = batch;
        self
    }

    /// The same when the mean square of each row is a mean over few units: its logarithm has, in each network and row,
    /// this variance, and two rows in the same network have this correlation.
    pub fn scattered(mut self, variances: &Array2<f64>, correlation: f64, seed: u64) -> Self {
        let half = NETWORKS / 2;
        let drawn = normal_batch::<f64>(half, 1 + self.rows.ncols(), seed);
        let (shared, own) = (correlation.sqrt(), (1.0 - correlation).sqrt());
        for ((line, r), (square, mean)) in self.rows.indexed_iter_mut() {
            let Some(network) = line.checked_sub(1) else { continue };
            let noise = shared * drawn[[network % half, 0]] + own * drawn[[network % half, 1 + r]];
            let noise = if network < half { noise } else { -noise };
            let variance = variances[[line, r]];
            // E e^n = 1
            let factor = (variance.sqrt() * noise / 2.0 - variance / 4.0).exp();
            *square *= factor * factor;
            *mean *= factor;
        }
        self
    }

    pub fn mean_square(&self) -> f64 {
        self.rows.row(0).iter().map(|row| row.0).sum::<f64>() / self.rows.ncols().max(1) as f64
    }

    pub fn mean(&self) -> f64 {
        self.rows.row(0).iter().map(|row| row.1).sum::<f64>() / self.rows.ncols().max(1) as f64
    }
}

/// The same rows in the infinitely wide network and in all others.
pub(super) fn in_all_networks<T: Copy>(rows: &[T]) -> Array2<T> {
    Array2::from_shape_fn((1 + NETWORKS, rows.len()), |(_, r)| rows[r])
}

/// The squared gradient of one row in one network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Square {
    /// All of it.
    pub energy: f64,
    /// How much more there is along the signal than in the mean direction, times the number of directions.
    pub excess: f64,
    /// The part of `energy` that was an excess further up.
    pub owed: f64,
}

/// What a step makes of a [`Square`]. Directions across the signal are all alike to it; the one along the signal is not,
/// as a longer signal stays longer by another factor, `∂ ln q' / ∂ ln q`, than the gradient shrinks by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gain {
    /// Energy from energy, if there were no excess.
    pub energy: f64,
    /// Energy from excess, of the order of 1/width.
    pub energy_of_excess: f64,
    /// Excess from energy.
    pub excess_of_energy: f64,
    /// Excess from excess.
    pub excess: f64,
}

impl Gain {
    /// A factor that keeps no excess.
    pub fn even(energy: f64) -> Self {
        Gain { energy, energy_of_excess: 0.0, excess_of_energy: 0.0, excess: 0.0 }
    }
}

impl Square {
    fn times(self, gain: &Gain) -> Self {
        let owed = gain.energy_of_excess * self.excess;
        Square {
            energy: gain.energy * self.energy + owed,
            excess: gain.excess_of_energy * self.energy + gain.excess * self.excess,
            owed: gain.energy * self.owed + owed,
        }
    }

    fn scaled(self, by: f64) -> Self {
        Square { energy: by * self.energy, excess: by * self.excess, owed: by * self.owed }
    }
}

/// How a step changes gradients.
#[derive(Debug, Clone)]
pub(super) struct Factor {
    /// The squared gradient of each row, in the networks of [`Signal::rows`], is multiplied by this.
    pub rows: Array2<Gain>,
    /// And the correlation of two rows' gradients by this.
    pub correlation: f64,
    /// Relative variance of one row's factor between networks, is `one`; the covariance of two rows' factors is
    /// `two.0 + two.1 · ρ²`, ρ being the correlation of their gradients.
    pub one: f64,
    pub two: (f64, f64),
    /// What it does to all rows together, in a network with BatchNorm.
    pub batch: Option<Pullback>,
}

/// What is known about the gradient at one place.
#[derive(Debug, Clone)]
pub(super) struct Energy {
    /// Squared gradient of each row, in the networks of [`Signal::rows`], by e to the `log_scale`: it may be far below what
    /// a number can hold.
    rows: Array2<Square>,
    log_scale: f64,
    /// Mean square of the correlation between two rows' gradients.
    correlation: f64,
    /// Variance, between networks with the same q, of the logarithm of the total.
    variance: f64,
    /// The gradients of all rows together, in a network with BatchNorm.
    pub batch: Option<Gradient>,
}

impl Energy {
    pub fn of<F: Scalar>(dy: ArrayView2<F>) -> Self {
        let norms: Vec<f64> = dy.rows().into_iter().map(|row| norm(&row.to_vec())).collect();
        // Σ_(r≠s) (u_r·u_s)² of the rows' directions u is |UᵀU|² minus the diagonal of UUᵀ
        let mut directions = dy.mapv(F::as_f64);
        for (mut row, &norm) in directions.rows_mut().into_iter().zip(&norms) {
            row /= if norm > 0.0 { norm } else { 1.0 };
        }
        let gram = if dy.nrows() < dy.ncols() {
            directions.dot(&directions.t())
        } else {
            directions.t().dot(&directions)
        };
        let n = dy.nrows() as f64;
        let others =
            gram.iter().map(|g| g * g).sum::<f64>() - norms.iter().filter(|&&norm| norm > 0.0).count() as f64;
        // random directions have (u_r·u_s)² = 1/columns, which is no correlation
        let chance = if dy.ncols() > 1 { 1.0 / dy.ncols() as f64 } else { 0.0 };
        let correlation =
            if n > 1.0 { (others / (n * (n - 1.0)) - chance).max(0.0) / (1.0 - chance) } else { 1.0 };
        let rows: Vec<_> =
            norms.iter().map(|norm| Square { energy: norm * norm, excess: 0.0, owed: 0.0 }).collect();
        Energy { rows: in_all_networks(&rows), log_scale: 0.0, correlation, variance: 0.0, batch: None }
    }

    /// The logarithm of the total in the infinitely wide network.
    pub fn log_total(&self) -> f64 {
        self.log_scale + total(self.rows.row(0)).ln()
    }

    /// Mean and variance, between networks, of the logarithm of the total.
    pub fn logarithm(&self) -> (f64, f64) {
        let networks = self.rows.slice(s![1.., ..]);
        let logs = networks.rows().into_iter().map(|rows| total(rows).ln());
        let mean = logs.clone().sum::<f64>() / NETWORKS as f64;
        if !mean.is_finite() {
            return (self.log_scale + mean, 0.0);
        }
        let wandering = logs.map(|log| (log - mean).powi(2)).sum::<f64>() / NETWORKS as f64;
        // what was along the signal is the square of one normal number, whose relative variance is 2
        let variance = self.variance + self.of_total(|row| row.owed, 2.0, 2.0 * self.correlation);
        // the mean of the logarithm lies half a variance below the logarithm of the mean
        (self.log_scale + mean - variance / 2.0, variance + wandering)
    }

    pub fn scaled(mut self, by: f64) -> Self {
        self.rows.mapv_inplace(|row| row.scaled(by));
        self.batch = self.batch.map(|batch| batch.scaled(by));
        self
    }

    /// The same as if it were in all directions alike.
    pub fn without_excess(mut self) -> Self {
        self.rows.mapv_inplace(|row| Square { excess: 0.0, ..row });
        self
    }

    /// Variance of a `part` of each row by the square of the total, in the mean over networks, when the relative variance
    /// of one row's part is `one` and the covariance of two rows' parts is `two`.
    fn of_total(&self, part: impl Fn(&Square) -> f64, one: f64, two: f64) -> f64 {
        let networks = self.rows.slice(s![1.., ..]);
        let relative = |rows: ArrayView1<Square>| {
            let total = total(rows);
            let (sum, squares) = rows.iter().fold((0.0, 0.0), |(sum, squares), row| {
                let part = part(row) / total;
                (sum + part, squares + part * part)
            });
            squares * one + (sum * sum - squares) * two
        };
        networks.rows().into_iter().map(relative).sum::<f64>() / NETWORKS as f64
    }

    pub fn times(mut self, factor: &Factor) -> Self {
        self.variance +=
            self.of_total(|row| row.energy, factor.one, factor.two.0 + factor.two.1 * self.correlation);
        self.correlation *= factor.correlation.powi(2);
        self.rows.zip_mut_with(&factor.rows, |row, gain| *row = row.times(gain));
        let batch = self.batch.take().zip(factor.batch.as_ref()).map(|(batch, layer)| batch.below(layer));
        let largest = self.rows.iter().fold(0.0, |max: f64, row| max.max(row.energy));
        if batch.is_none() && largest > 0.0 {
            self.rows.mapv_inplace(|row| row.scaled(1.0 / largest));
            self.log_scale += largest.ln();
        }
        self.with(batch)
    }

    /// The same with the gradients of all rows known, from which the other numbers follow.
    pub fn with(mut self, batch: Option<Gradient>) -> Self {
        if let Some(gradient) = &batch {
            let squares = gradient.squares();
            let energies = squares.diag();
            let n = energies.len() as f64;
            let cosine = |(r, s): (usize, usize), v: f64| match energies[r] * energies[s] {
                product if r != s && product > 0.0 => v * v / product,
                _ => 0.0,
            };
            let sum: f64 = squares.indexed_iter().map(|(at, &v)| cosine(at, v)).sum();
            self.correlation = sum / (n * (n - 1.0));
            let rows: Vec<_> =
                energies.iter().map(|&energy| Square { energy, excess: 0.0, owed: 0.0 }).collect();
            self.rows = in_all_networks(&rows);
        }
        self.batch = batch;
        self
    }

    /// The sum of two gradients of `width` entries that are independent.
    pub fn plus(mut self, branch: Energy, width: f64) -> Self {
        let share = 1.0 / (1.0 + (self.log_total() - branch.log_total()).exp());
        let mix = |x: f64, branch: f64| (1.0 - share) * x + share * branch;
        // |x + b|² = |x|² + |b|² + 2 x·b, and x·b of independent vectors is of the order of |x| |b| / √width
        let correlations = self.correlation.sqrt() * branch.correlation.sqrt();
        let cross = 4.0 * share * (1.0 - share) / width;
        let added = self.of_total(|row| row.energy, cross, cross * correlations);
        self.variance += share * share * (branch.variance - self.variance) + added;
        let scale = (branch.log_scale - self.log_scale).exp();
        self.rows.zip_mut_with(&branch.rows, |x, branch| {
            let branch = branch.scaled(scale);
            *x = Square { energy: x.energy + branch.energy, excess: 0.0, owed: x.owed + branch.owed };
        });
        self.correlation = mix(self.correlation.sqrt(), branch.correlation.sqrt()).powi(2);
        let batch = self.batch.as_ref().zip(branch.batch.as_ref()).map(|(x, branch)| x.plus(branch));
        self.with(batch)
    }
}

fn total(rows: ArrayView1<Square>) -> f64 {
    rows.iter().map(|row| row.energy).sum()
}

/// The mean of the values to this power.
pub(super) fn mean_of<'f, F: Scalar>(values: impl ExactSizeIterator<Item = &'f F>, power: i32) -> f64 {
    let n = values.len().max(1) as f64;
    values.map(|value| value.as_f64().powi(power)).sum::<f64>() / n
}
