//! The joint distribution of a batch's rows, which BatchNorm couples.
//!
//! In a wide network the features of a layer are independent draws of one random vector with an
//! entry per row of the batch. After a linear layer it is normal with a `(rows, rows)` covariance
//! `K_rs = E z_r z_s`. BatchNorm divides it by its own standard deviation. This has no closed form
//! unless all rows are equally far apart (Yang et al. 2019), so that expectations are sums over
//! drawn points. Gradients are normal with a covariance `Π` and independent of the signal. The
//! effect of a layer on `Π` is linear, so that no gradients are drawn.

use ndarray::{Array1, Array2, Axis, Zip, concatenate};

use crate::numbers::normal_batch;

/// Points per expectation, for batches of up to a quarter as many rows.
const POINTS: usize = 512;

/// The random vector at one place in the network.
#[derive(Debug, Clone)]
pub(crate) enum Vector {
    /// Normal with mean 0 and this covariance.
    Normal(Array2<f64>),
    /// Equally likely points, one per column.
    Points(Array2<f64>),
}

impl Vector {
    /// `E v vᵀ`.
    pub fn squares(&self) -> Array2<f64> {
        match self {
            Vector::Normal(covariance) => covariance.clone(),
            Vector::Points(points) => points.dot(&points.t()) / points.ncols() as f64,
        }
    }

    /// `E v`.
    pub fn means(&self) -> Array1<f64> {
        match self {
            Vector::Normal(covariance) => Array1::zeros(covariance.nrows()),
            Vector::Points(points) => points.mean_axis(Axis(1)).expect("there are points"),
        }
    }

    /// Its points; drawn with `seed` if it is normal.
    pub fn points(self, seed: u64) -> Array2<f64> {
        match self {
            Vector::Normal(covariance) => normal_points(&covariance, seed),
            Vector::Points(points) => points,
        }
    }
}

/// Points with mean 0, exactly this covariance, and third moments 0. Plain random points would
/// accumulate errors over the layers, like a network with that number of units.
fn normal_points(covariance: &Array2<f64>, seed: u64) -> Array2<f64> {
    let rows = covariance.nrows();
    let half = (POINTS / 2).max(2 * rows);
    let drawn = normal_batch::<f64>(rows, half, seed);
    let uncorrelated = solve(&cholesky(&(drawn.dot(&drawn.t()) / half as f64)), drawn);
    let points = cholesky(covariance).dot(&uncorrelated);
    concatenate![Axis(1), points, -&points]
}

/// The lower triangular L with `L Lᵀ = a`, for a positive semidefinite matrix. Columns of null
/// directions are 0.
fn cholesky(a: &Array2<f64>) -> Array2<f64> {
    let n = a.nrows();
    let smallest = 1e-13 * a.diag().fold(0.0, |max: f64, &v| max.max(v));
    let mut l = Array2::<f64>::zeros((n, n));
    for j in 0..n {
        let row = l.row(j).to_owned();
        let pivot = a[[j, j]] - row.dot(&row);
        if pivot > smallest {
            let root = pivot.sqrt();
            for i in j + 1..n {
                l[[i, j]] = (a[[i, j]] - l.row(i).dot(&row)) / root;
            }
            l[[j, j]] = root;
        }
    }
    l
}

/// `l⁻¹ b` for a lower triangular `l`.
fn solve(l: &Array2<f64>, mut b: Array2<f64>) -> Array2<f64> {
    for i in 0..l.nrows() {
        let (above, mut rest) = b.view_mut().split_at(Axis(0), i);
        let known = l.slice(ndarray::s![i, ..i]).dot(&above);
        let mut row = rest.row_mut(0);
        row -= &known;
        row /= l[[i, i]];
    }
    b
}

/// BatchNorm of drawn points: `x̂`, and `1 / √(variance + ε)` of each point.
pub(crate) fn normalised(mut points: Array2<f64>, eps: f64) -> (Array2<f64>, Array1<f64>) {
    points -= &points.mean_axis(Axis(0)).expect("there are rows");
    let scales =
        points.map_axis(Axis(0), |point| 1.0 / (point.dot(&point) / point.len() as f64 + eps).sqrt());
    points *= &scales;
    (points, scales)
}

/// The effect of a layer on gradients.
#[derive(Debug, Clone)]
pub(crate) enum Pullback {
    /// A linear layer: a factor on `Π`.
    Gain(f64),
    /// An activation: its slopes at the points.
    Slopes(Array2<f64>),
    /// LayerNorm: a factor per row.
    Rows(Array1<f64>),
    /// BatchNorm: x̂ and 1/σ at the points.
    Normalise(Array2<f64>, Array1<f64>),
}

/// The gradients of the rows at one place: normal with covariance `covariance`, times independent
/// `slopes`, one point per column.
#[derive(Debug, Clone)]
pub(crate) struct Gradient {
    covariance: Array2<f64>,
    slopes: Option<Array2<f64>>,
}

impl Gradient {
    /// Given gradients, `(rows, features)`. Covariances are summed over features, not averaged.
    pub fn of(dy: &Array2<f64>) -> Self {
        Gradient { covariance: dy.dot(&dy.t()), slopes: None }
    }

    /// `E δ δᵀ`.
    pub fn squares(&self) -> Array2<f64> {
        match &self.slopes {
            None => self.covariance.clone(),
            Some(slopes) => &self.covariance * &slopes.dot(&slopes.t()) / slopes.ncols() as f64,
        }
    }

    /// The sum of the independent gradients of two paths.
    pub fn plus(&self, other: &Gradient) -> Self {
        Gradient { covariance: self.squares() + other.squares(), slopes: None }
    }

    /// The gradient times `√by`.
    pub fn scaled(mut self, by: f64) -> Self {
        self.covariance *= by;
        self
    }

    /// The gradient at the input of a layer.
    pub fn below(&self, layer: &Pullback) -> Self {
        let alone = |covariance| Gradient { covariance, slopes: None };
        match layer {
            Pullback::Gain(gain) => alone(self.squares() * *gain),
            Pullback::Rows(factors) => alone(self.squares() * factors * factors.view().insert_axis(Axis(1))),
            Pullback::Slopes(new) => {
                let both = self.slopes.as_ref().filter(|old| old.dim() == new.dim());
                match both {
                    Some(old) => Gradient { covariance: self.covariance.clone(), slopes: Some(old * new) },
                    None => Gradient { covariance: self.squares(), slopes: Some(new.clone()) },
                }
            }
            Pullback::Normalise(normal, scales) => alone(self.below_batch_norm(normal, scales)),
        }
    }

    /// `E (P D g)(P D g)ᵀ / σ²` over points, where D holds the slopes, g is the normal gradient,
    /// and P projects out the directions 1 and x̂: `P = G (I − x̂ x̂ᵀ/B) = (I − x̂ x̂ᵀ/B) G` with
    /// `G = I − 1 1ᵀ/B`.
    fn below_batch_norm(&self, normal: &Array2<f64>, scales: &Array1<f64>) -> Array2<f64> {
        let (rows, points) = normal.dim();
        let n = rows as f64;
        let (covariance, slopes) = match &self.slopes {
            Some(slopes) if slopes.dim() == normal.dim() => (self.covariance.clone(), slopes.clone()),
            _ => (self.squares(), Array2::ones(normal.dim())),
        };
        // with A = D Π D: σ⁻² (A − (A x̂ x̂ᵀ + x̂ x̂ᵀ A)/B + x̂ (x̂ᵀ A x̂) x̂ᵀ/B²), summed over
        // points
        let weighted = &slopes * scales;
        let first = &covariance * &weighted.dot(&weighted.t());
        let seen = &slopes * &covariance.dot(&(&slopes * normal)); // A x̂ in each column
        let along = Zip::from(seen.columns()).and(normal.columns()).map_collect(|a, x| a.dot(&x));
        let squared = scales * scales;
        let second = (&seen * &squared).dot(&normal.t());
        let third = (normal * &(&squared * &along)).dot(&normal.t());
        let mut sum = (first - (&second + &second.t()) / n + third / (n * n)) / points as f64;
        // G on both sides
        sum -= &sum.mean_axis(Axis(0)).expect("there are rows");
        let means = sum.mean_axis(Axis(1)).expect("there are rows").insert_axis(Axis(1));
        sum - means
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_the_given_covariance() {
        let factor = normal_batch::<f64>(9, 4, 1);
        let covariance = factor.dot(&factor.t()); // of rank 4
        let points = Vector::Points(Vector::Normal(covariance.clone()).points(7));
        assert!((points.squares() - &covariance).iter().all(|error| error.abs() < 1e-12));
        assert!(points.means().iter().all(|mean| mean.abs() < 1e-13));
    }

    #[test]
    fn the_pullback_of_batch_norm_equals_the_layer_s() {
        use geartrain::layer::Kind;
        use geartrain::{Layer, Network, layers::BatchNorm};
        // for one point and one gradient, the expectation is the layer's own backward pass
        let (x, g) = (normal_batch::<f64>(6, 1, 1), normal_batch::<f64>(6, 1, 2));
        let network = Network::new(BatchNorm::new(1)).unwrap();
        let Kind::BatchNorm { eps } = Layer::<f64>::describe(&BatchNorm::new(1)).kind else { unreachable!() };
        let slopes = normal_batch::<f64>(6, 1, 3);
        let (_, dx) = network.vjp(&x, &(&slopes * &g)).unwrap();
        let (normal, scales) = normalised(x, eps);
        let below =
            Gradient::of(&g).below(&Pullback::Slopes(slopes)).below(&Pullback::Normalise(normal, scales));
        let measured = dx.iter().map(|v| v * v).sum::<f64>();
        assert!((below.squares().diag().sum() / measured - 1.0).abs() < 1e-12);
    }
}
