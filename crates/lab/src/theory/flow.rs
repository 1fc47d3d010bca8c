//! The state of the theory: sizes of signals in the forward pass, of gradients in the backward
//! pass.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};

use super::batch_norm::{Gradient, Pullback, Vector};
use super::moments::Moments;
use crate::numbers::{mean_power, norm, normal_batch};
use geartrain::Scalar;

/// The number of networks of finite width that are followed beside the infinitely wide one. They
/// form pairs with opposite noise, so that odd terms cancel in means.
const NETWORKS: usize = 32;

/// The rows of a batch at one place in the network.
#[derive(Debug, Clone)]
pub(crate) struct Signal {
    /// Mean square and mean of each row's entries, `(1 + NETWORKS, rows)`: in the infinitely wide
    /// network first, then in the networks of finite width, whose q fluctuates around it.
    pub rows: Array2<(f64, f64)>,
    /// The mean product of entries of two different rows.
    pub overlap: f64,
    /// Whether entries are normal with mean 0, as an activation's moments require.
    pub normal: bool,
    /// The joint distribution of all rows, in a network with BatchNorm.
    pub batch: Option<Vector>,
}

impl Signal {
    pub fn of<F: Scalar>(x: ArrayView2<F>) -> Self {
        let (n, columns) = (x.nrows() as f64, x.ncols() as f64);
        let rows: Vec<(f64, f64)> =
            x.rows().into_iter().map(|row| (mean_power(row.iter(), 2), mean_power(row.iter(), 1))).collect();
        // Σ_(r≠s) x_r·x_s = |Σ_r x_r|² − Σ_r |x_r|²
        let sum = x.mapv(F::as_f64).sum_axis(Axis(0));
        let squares = columns * rows.iter().map(|row| row.0).sum::<f64>();
        let overlap = if n > 1.0 { (sum.dot(&sum) - squares) / (n * (n - 1.0) * columns) } else { 0.0 };
        Signal { rows: in_all_networks(&rows), overlap, normal: false, batch: None }
    }

    /// The same with the joint distribution of all rows, which determines the other fields.
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

    /// The same with the fluctuation of a mean square over finitely many units: its logarithm has
    /// the given variance in each network and row, and the given correlation between rows.
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

/// The same row values in the infinitely wide network and in all others.
pub(crate) fn in_all_networks<T: Copy>(rows: &[T]) -> Array2<T> {
    Array2::from_shape_fn((1 + NETWORKS, rows.len()), |(_, r)| rows[r])
}

/// The squared norm of the gradient of one row in one network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Square {
    /// The squared norm.
    pub energy: f64,
    /// The excess along the signal over the mean direction, times the number of directions.
    pub excess: f64,
    /// The part of `energy` that was an excess in a layer above.
    pub owed: f64,
}

/// The effect of a step on a [`Square`]. All directions orthogonal to the signal are equivalent.
/// The direction of the signal is not: a relative change of the signal's norm is multiplied by
/// `∂ ln q' / ∂ ln q`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gain {
    /// Energy from energy, without an excess.
    pub energy: f64,
    /// Energy from excess, of order 1/width.
    pub energy_of_excess: f64,
    /// Excess from energy.
    pub excess_of_energy: f64,
    /// Excess from excess.
    pub excess: f64,
}

impl Gain {
    /// The effect of an activation with these moments at a row's q. `one_by_width` is 1/width.
    ///
    /// Let g be the gradient at `φ(z)`, with energy 1 in every direction and an excess x along
    /// `φ(z)`. Then `Σ φ'² g²` has 1 from all directions and x from one. The same holds for
    /// `(Σ z φ' g)²`, which determines the gradient along `z`.
    pub fn of(moments: &Moments, q: f64, one_by_width: f64) -> Self {
        let even = moments.slope_square;
        if q == 0.0 || moments.square == 0.0 {
            return Gain { excess: even, ..Gain::even(even) };
        }
        let one = moments.both_square / moments.square;
        let along = moments.growth * moments.growth * q / moments.square;
        let more = moments.stretch_square - even;
        Gain {
            energy: even,
            energy_of_excess: (one - even) * one_by_width,
            excess_of_energy: more,
            excess: along - (more + one) * one_by_width,
        }
    }

    /// A factor that removes the excess.
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

/// The effect of a step on gradients.
#[derive(Debug, Clone)]
pub(crate) struct Factor {
    /// The factor on each row's squared gradient, in the networks of [`Signal::rows`].
    pub rows: Array2<Gain>,
    /// The factor on the correlation of two rows' gradients.
    pub correlation: f64,
    /// The relative variance of one row's factor between networks.
    pub one: f64,
    /// The relative covariance of two rows' factors, `two.0 + two.1 · ρ²`, where ρ is the
    /// correlation of their gradients.
    pub two: (f64, f64),
    /// The effect on the joint distribution of all rows, in a network with BatchNorm.
    pub batch: Option<Pullback>,
}

/// The gradient at one place in the network.
#[derive(Debug, Clone)]
pub(crate) struct Energy {
    /// The squared gradient of each row, in the networks of [`Signal::rows`], divided by
    /// `e^log_scale`, because it may underflow.
    rows: Array2<Square>,
    log_scale: f64,
    /// The mean square correlation of two rows' gradients.
    correlation: f64,
    /// The variance of the logarithm of the total between networks with the same q.
    variance: f64,
    /// The joint distribution of all rows' gradients, in a network with BatchNorm.
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
        // independent directions have E (u_r·u_s)² = 1/columns
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

    /// The mean and variance of the logarithm of the total over networks.
    pub fn logarithm(&self) -> (f64, f64) {
        let networks = self.rows.slice(s![1.., ..]);
        let logs = networks.rows().into_iter().map(|rows| total(rows).ln());
        let mean = logs.clone().sum::<f64>() / NETWORKS as f64;
        if !mean.is_finite() {
            return (self.log_scale + mean, 0.0);
        }
        let wandering = logs.map(|log| (log - mean).powi(2)).sum::<f64>() / NETWORKS as f64;
        // the part along the signal is the square of one normal number, with relative variance 2
        let variance = self.variance + self.of_total(|row| row.owed, 2.0, 2.0 * self.correlation);
        // E ln X ≈ ln E X − Var/2
        (self.log_scale + mean - variance / 2.0, variance + wandering)
    }

    pub fn scaled(mut self, by: f64) -> Self {
        self.rows.mapv_inplace(|row| row.scaled(by));
        self.batch = self.batch.map(|batch| batch.scaled(by));
        self
    }

    /// The same without an excess along the signal.
    pub fn without_excess(mut self) -> Self {
        self.rows.mapv_inplace(|row| Square { excess: 0.0, ..row });
        self
    }

    /// The variance of the sum over rows of a `part`, relative to the squared total, as a mean over
    /// networks. `one` is the relative variance of one row's part, `two` the relative covariance of
    /// two rows' parts.
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

    /// The same with the joint distribution of all rows' gradients, which determines the other
    /// fields.
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

    /// The sum of two independent gradients with `width` entries per row.
    pub fn plus(mut self, branch: Energy, width: f64) -> Self {
        let share = 1.0 / (1.0 + (self.log_total() - branch.log_total()).exp());
        let mix = |x: f64, branch: f64| (1.0 - share) * x + share * branch;
        // |x + b|² = |x|² + |b|² + 2 x·b, where x·b is of order |x| |b| / √width
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
