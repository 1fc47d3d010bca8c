//! The state of the theory: sizes of signals in the forward pass, of gradients in the backward
//! pass.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};

use super::batch_norm::{Gradient, Pullback, Vector};
use super::moments::Moments;
use super::overlap::{Fluctuation, Overlap, pairs};
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
    /// The mean product of entries of two different rows, in the infinitely wide network.
    pub overlap: f64,
    /// Pairs of rows in networks of finite width.
    pub pairs: Vec<Pair>,
    /// Whether entries are normal with mean 0, as an activation's moments require.
    pub normal: bool,
    /// The joint distribution of all rows, in a network with BatchNorm.
    pub batch: Option<Vector>,
}

/// Two rows in a network of finite width: means over its units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    /// Mean squares of their entries.
    pub squares: [f64; 2],
    /// Means of their entries.
    pub means: [f64; 2],
    /// The mean product of their entries.
    pub product: f64,
}

impl Pair {
    /// The correlation of the two rows; 1 for rows of zeros.
    pub fn correlation(&self) -> f64 {
        let correlation = self.product / (self.squares[0] * self.squares[1]).sqrt();
        if correlation.is_nan() { 1.0 } else { correlation.clamp(-1.0, 1.0) }
    }

    /// The pair after an activation of as many units as there are columns in `noise`, whose rows
    /// are standard normal. `evaluate` applies the activation.
    pub fn activated(
        all: &[Pair],
        noise: &Array2<f64>,
        evaluate: impl Fn(&Array2<f64>) -> Array2<f64>,
    ) -> Vec<Pair> {
        let roots = |i: usize| all.iter().map(move |pair| pair.squares[i].sqrt());
        let (mut a, mut b) =
            (noise.slice(s![..all.len(), ..]).to_owned(), noise.slice(s![all.len().., ..]).to_owned());
        for (j, (a, mut b)) in a.rows().into_iter().zip(b.rows_mut()).enumerate() {
            let c = all[j].correlation();
            b.zip_mut_with(&a, |b, a| *b = c * a + (1.0 - c * c).sqrt() * *b);
        }
        a.rows_mut().into_iter().zip(roots(0)).for_each(|(mut row, root)| row *= root);
        b.rows_mut().into_iter().zip(roots(1)).for_each(|(mut row, root)| row *= root);
        let (a, b) = (evaluate(&a), evaluate(&b));
        let n = a.ncols().max(1) as f64;
        let pair = |(a, b): (ArrayView1<f64>, ArrayView1<f64>)| Pair {
            squares: [a.dot(&a) / n, b.dot(&b) / n],
            means: [a.sum() / n, b.sum() / n],
            product: a.dot(&b) / n,
        };
        a.rows().into_iter().zip(b.rows()).map(pair).collect()
    }
}

impl Signal {
    /// The batch `x`. Pairs of rows are followed through layers of at most `width` units.
    pub fn of<F: Scalar>(x: ArrayView2<F>, width: usize) -> Self {
        let (n, columns) = (x.nrows() as f64, x.ncols() as f64);
        let rows: Vec<(f64, f64)> =
            x.rows().into_iter().map(|row| (mean_power(row.iter(), 2), mean_power(row.iter(), 1))).collect();
        // Σ_(r≠s) x_r·x_s = |Σ_r x_r|² − Σ_r |x_r|²
        let sum = x.mapv(F::as_f64).sum_axis(Axis(0));
        let squares = columns * rows.iter().map(|row| row.0).sum::<f64>();
        let overlap = if n > 1.0 { (sum.dot(&sum) - squares) / (n * (n - 1.0) * columns) } else { 0.0 };
        let pair = |(a, b): (usize, usize)| {
            let product = x.row(a).iter().zip(x.row(b)).map(|(a, b)| a.as_f64() * b.as_f64()).sum::<f64>();
            Pair {
                squares: [rows[a].0, rows[b].0],
                means: [rows[a].1, rows[b].1],
                product: product / columns,
            }
        };
        let pairs = pairs(x.nrows(), width).into_iter().map(pair).collect();
        Signal { rows: in_all_networks(&rows), overlap, pairs, normal: false, batch: None }
    }

    /// The same with the joint distribution of all rows, which determines the other fields.
    pub fn with(mut self, batch: Option<Vector>) -> Self {
        if let Some(vector) = &batch {
            let squares = vector.squares();
            let n = squares.nrows() as f64;
            let rows: Vec<_> = squares.diag().iter().copied().zip(vector.means()).collect();
            self.rows = in_all_networks(&rows);
            self.overlap = (squares.sum() - squares.diag().sum()) / (n * (n - 1.0));
            self.pairs = Vec::new();
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
    /// The fluctuation of these factors between networks.
    pub fluctuation: Fluctuation,
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
    /// The overlap of the rows' gradients, and the fluctuation of the total between networks with
    /// the same q.
    overlap: Overlap,
    /// The joint distribution of all rows' gradients, in a network with BatchNorm.
    pub batch: Option<Gradient>,
}

impl Energy {
    /// The cotangent `dy`, with as many pairs of rows as the [`Signal`].
    pub fn of<F: Scalar>(dy: ArrayView2<F>, pairs: usize) -> Self {
        let norms: Vec<f64> = dy.rows().into_iter().map(|row| norm(&row.to_vec())).collect();
        let largest = norms.iter().fold(0.0, |max: f64, &norm| max.max(norm));
        // o = Σ_(a≠b) (δ_a·δ_b)² / (Σ |δ_a|²)²; the sum over all a, b is |δᵀδ|²
        let unit = dy.mapv(|v| v.as_f64() / if largest > 0.0 { largest } else { 1.0 });
        let gram = if dy.nrows() < dy.ncols() { unit.dot(&unit.t()) } else { unit.t().dot(&unit) };
        let squares: Vec<f64> = unit.rows().into_iter().map(|row| row.dot(&row)).collect();
        let others = gram.iter().map(|g| g * g).sum::<f64>()
            - squares.iter().map(|square| square * square).sum::<f64>();
        let o = others.max(0.0) / squares.iter().sum::<f64>().powi(2);
        let rows: Vec<_> =
            norms.iter().map(|norm| Square { energy: norm * norm, excess: 0.0, owed: 0.0 }).collect();
        let overlap = Overlap::new(if o.is_nan() { 0.0 } else { o }, pairs);
        Energy { rows: in_all_networks(&rows), log_scale: 0.0, overlap, batch: None }
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
        let sampled = logs.map(|log| (log - mean).powi(2)).sum::<f64>() / NETWORKS as f64;
        // the sample is small
        let wandering = self.overlap.wandering.unwrap_or(sampled);
        // an excess along the signal is the square of one normal number, with relative variance 2
        let along =
            self.of_total(|row| row.owed.max(0.0), 2.0, 2.0 * self.overlap.correlation(self.diagonal()));
        // E ln X ≈ ln E X − Var/2
        let drift = self.overlap.drift + along / 2.0;
        let variance = self.overlap.variance + along + wandering + 2.0 * self.overlap.shared;
        (self.log_scale + mean - drift, variance.max(0.0))
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

    /// `Σ K_aa² / tr² K` with K = δ δᵀ: 1/rows for rows of equal norm.
    fn diagonal(&self) -> f64 {
        self.of_total(|row| row.energy, 1.0, 0.0)
    }

    pub fn times(mut self, factor: &Factor) -> Self {
        let rows = self.rows.ncols() as f64;
        self.overlap.pass(&factor.fluctuation, self.diagonal(), rows);
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
            let others = |(r, s): (usize, usize), v: f64| if r != s { v * v } else { 0.0 };
            let sum: f64 = squares.indexed_iter().map(|(at, &v)| others(at, v)).sum();
            self.overlap.reset(sum / energies.sum().powi(2));
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
        self.overlap.plus(&branch.overlap, share, self.diagonal(), width);
        let scale = (branch.log_scale - self.log_scale).exp();
        self.rows.zip_mut_with(&branch.rows, |x, branch| {
            let branch = branch.scaled(scale);
            *x = Square { energy: x.energy + branch.energy, excess: 0.0, owed: x.owed + branch.owed };
        });
        let batch = self.batch.as_ref().zip(branch.batch.as_ref()).map(|(x, branch)| x.plus(branch));
        self.with(batch)
    }
}

fn total(rows: ArrayView1<Square>) -> f64 {
    rows.iter().map(|row| row.energy).sum()
}
