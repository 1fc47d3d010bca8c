//! What the theory carries through the network: the size of signals on the way up, that of gradients on the way down.

use ndarray::{ArrayView2, Axis};

use super::batch::{Gradient, Pullback, Vector};
use super::measure::norm;
use crate::Scalar;

/// What is known about the rows at one place of the network.
#[derive(Debug, Clone)]
pub(super) struct Signal {
    /// Mean square and mean of the entries of each row.
    pub rows: Vec<(f64, f64)>,
    /// The mean product of two different rows, per entry.
    pub overlap: f64,
    /// Whether entries are normal with mean 0, which an activation's moments need.
    pub normal: bool,
    /// All rows together, in a network with BatchNorm.
    pub batch: Option<Vector>,
    /// The variance of one row's `ln q` between networks, and the covariance of two rows'.
    pub wandering: (f64, f64),
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
        Signal { rows, overlap, normal: false, batch: None, wandering: (0.0, 0.0) }
    }

    /// The same when q has wandered in one more step.
    pub fn drifts(mut self, drift: Drift) -> Self {
        let pass = |wandering: f64, noise: f64| drift.growth.powi(2) * wandering + noise;
        self.wandering = (pass(self.wandering.0, drift.noise.0), pass(self.wandering.1, drift.noise.1));
        self
    }

    /// The same with all rows known together, from which the other numbers follow.
    pub fn with(mut self, batch: Option<Vector>) -> Self {
        if let Some(vector) = &batch {
            let squares = vector.squares();
            let n = squares.nrows() as f64;
            self.rows = squares.diag().iter().copied().zip(vector.means()).collect();
            self.overlap = (squares.sum() - squares.diag().sum()) / (n * (n - 1.0));
        }
        self.batch = batch;
        self
    }

    pub fn mean_square(&self) -> f64 {
        self.rows.iter().map(|row| row.0).sum::<f64>() / self.rows.len().max(1) as f64
    }

    pub fn mean(&self) -> f64 {
        self.rows.iter().map(|row| row.1).sum::<f64>() / self.rows.len().max(1) as f64
    }
}

/// How a step passes on that the `ln q` of a network of finite width wanders about that of the theory, to first order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drift {
    /// `∂ ln q' / ∂ ln q`, with q before and q' after the step.
    pub growth: f64,
    /// `∂ ln E φ'² / ∂ ln q`: what it does to the gradient.
    pub slope: f64,
    /// What it adds to the variance of `ln q'`, and to the covariance of two rows.
    pub noise: (f64, f64),
}

/// A step that takes `ln q` as it is.
pub(super) const STEADY: Drift = Drift { growth: 1.0, slope: 0.0, noise: (0.0, 0.0) };
/// A normalisation, after which nothing of it is left.
pub(super) const FORGETFUL: Drift = Drift { growth: 0.0, slope: 0.0, noise: (0.0, 0.0) };

/// How a step changes gradients.
#[derive(Debug, Clone)]
pub(super) struct Factor {
    /// The squared gradient of each row is multiplied by this.
    pub rows: Vec<f64>,
    /// And the correlation of two rows' gradients by this.
    pub correlation: f64,
    /// Relative variance of one row's factor between networks, is `one`; the covariance of two rows' factors is
    /// `two.0 + two.1 · ρ²`, ρ being the correlation of their gradients.
    pub one: f64,
    pub two: (f64, f64),
    /// What it makes of the wandering of q.
    pub drift: Drift,
    /// What it does to all rows together, in a network with BatchNorm.
    pub batch: Option<Pullback>,
}

/// What is known about the gradient at one place.
#[derive(Debug, Clone)]
pub(super) struct Energy {
    /// Squared gradient of each row.
    pub rows: Vec<f64>,
    /// Mean square of the correlation between two rows' gradients.
    pub correlation: f64,
    /// Variance, between networks, of the logarithm of the total.
    pub variance: f64,
    /// `∂ ln |δ|² / ∂ ln q` here, q reaching the gradient through the slopes of all layers above.
    pub sensitivity: f64,
    /// The variance of one row's `ln |δ|²` that the wandering of q above this place makes, and the covariance of two rows'.
    pub wandering: (f64, f64),
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
        let rows = norms.iter().map(|norm| norm * norm).collect();
        Energy { rows, correlation, variance: 0.0, sensitivity: 0.0, wandering: (0.0, 0.0), batch: None }
    }

    pub fn total(&self) -> f64 {
        self.rows.iter().sum()
    }

    pub fn scaled(mut self, by: f64) -> Self {
        self.rows.iter_mut().for_each(|row| *row *= by);
        self.batch = self.batch.map(|batch| batch.scaled(by));
        self
    }

    /// Relative variance of the total when one row's has variance `one` and two rows' covariance is `two`.
    pub fn of_total(&self, one: f64, two: f64) -> f64 {
        let same = self.rows.iter().map(|row| row * row).sum::<f64>() / self.total().powi(2);
        same * one + (1.0 - same) * two
    }

    pub fn times(self, factor: &Factor) -> Self {
        let added = self.of_total(factor.one, factor.two.0 + factor.two.1 * self.correlation);
        let (a, drift) = (self.sensitivity, factor.drift);
        Energy {
            sensitivity: drift.slope + drift.growth * a,
            wandering: (self.wandering.0 + a * a * drift.noise.0, self.wandering.1 + a * a * drift.noise.1),
            correlation: self.correlation * factor.correlation.powi(2),
            variance: self.variance + added,
            rows: self.rows.iter().zip(&factor.rows).map(|(row, factor)| row * factor).collect(),
            batch: None,
        }
        .with(self.batch.zip(factor.batch.as_ref()).map(|(batch, layer)| batch.below(layer)))
    }

    /// The same with the gradients of all rows known, from which the other numbers follow.
    pub fn with(mut self, batch: Option<Gradient>) -> Self {
        if let Some(gradient) = &batch {
            let squares = gradient.squares();
            self.rows = squares.diag().to_vec();
            let n = self.rows.len() as f64;
            let cosine = |(r, s): (usize, usize), v: f64| match self.rows[r] * self.rows[s] {
                product if r != s && product > 0.0 => v * v / product,
                _ => 0.0,
            };
            let sum: f64 = squares.indexed_iter().map(|(at, &v)| cosine(at, v)).sum();
            self.correlation = sum / (n * (n - 1.0));
        }
        self.batch = batch;
        self
    }

    /// The sum of two gradients of `width` entries that are independent.
    pub fn plus(self, branch: Energy, width: f64) -> Self {
        let total = self.total() + branch.total();
        let share = branch.total() / total;
        let mix = |x: f64, branch: f64| (1.0 - share) * x + share * branch;
        // |x + b|² = |x|² + |b|² + 2 x·b, and x·b of independent vectors is of the order of |x| |b| / √width
        let correlations = self.correlation.sqrt() * branch.correlation.sqrt();
        let cross = 4.0 * share * (1.0 - share) / width;
        let variance = self.variance
            + share * share * (branch.variance - self.variance)
            + self.of_total(cross, cross * correlations);
        let rows = self.rows.iter().zip(&branch.rows).map(|(x, branch)| x + branch).collect();
        let correlation = mix(self.correlation.sqrt(), branch.correlation.sqrt()).powi(2);
        let batch = self.batch.as_ref().zip(branch.batch.as_ref()).map(|(x, branch)| x.plus(branch));
        let sensitivity = mix(self.sensitivity, branch.sensitivity);
        let wandering =
            (mix(self.wandering.0, branch.wandering.0), mix(self.wandering.1, branch.wandering.1));
        Energy { correlation, variance, rows, sensitivity, wandering, batch: None }.with(batch)
    }
}

/// The mean of the values to this power.
pub(super) fn mean_of<'f, F: Scalar>(values: impl ExactSizeIterator<Item = &'f F>, power: i32) -> f64 {
    let n = values.len().max(1) as f64;
    values.map(|value| value.as_f64().powi(power)).sum::<f64>() / n
}
