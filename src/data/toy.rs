//! Data sets made from a formula and a seed, for examples, tests and comparisons.
//!
//! `noise` is the standard deviation of the normal noise added to the formula; 0 adds none. The
//! sets are drawn in `f64` and rounded, so the `f32` and the `f64` set of a seed agree. A seed
//! gives the same numbers on every machine.
//!
//! Each function fails with [`DataProblem::EmptyDataset`] for no rows, and with
//! [`DataProblem::Noise`] for a negative or non-finite noise.

use std::f64::consts::{FRAC_PI_2, PI};

use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardUniform};

use super::dataset::Dataset;
use crate::error::data::{DataError, DataProblem};
use crate::{Scalar, random};

/// Regression on one wave: `y = sin(x) + noise`, with `x` uniform in [-3, 3).
///
/// The best straight line reaches R² 0.66 (with noise 0.1).
///
/// # Errors
/// See the [module](self).
///
/// ```
/// use geartrain::data::toy;
///
/// let data = toy::sine::<f64>(500, 0.0, 7)?;
/// assert!((data.y()[[3, 0]] - data.x()[[3, 0]].sin()).abs() < 1e-15);
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
pub fn sine<F: Scalar>(n: usize, noise: f64, seed: u64) -> Result<Dataset<F>, DataError> {
    let mut rng = start(n, noise, 1, seed)?;
    let x = uniform(n, 1, &mut rng) * 6.0 - 3.0;
    let y = x.mapv(libm::sin) + normal(n, 1, noise, &mut rng);
    rounded(x, y)?.named(["x"], ["y"])
}

/// Regression on ten features, uniform in [0, 1), of which five count:
/// `y = 10 sin(π x0 x1) + 20 (x2 - 0.5)² + 10 x3 + 5 x4 + noise`.
///
/// From J. H. Friedman, *Multivariate Adaptive Regression Splines*, The Annals of Statistics 19
/// (1991), with noise 1.
///
/// # Errors
/// See the [module](self).
pub fn friedman1<F: Scalar>(n: usize, noise: f64, seed: u64) -> Result<Dataset<F>, DataError> {
    let mut rng = start(n, noise, 10, seed)?;
    let x = uniform(n, 10, &mut rng);
    let mut y = normal(n, 1, noise, &mut rng);
    for (x, y) in x.rows().into_iter().zip(&mut y) {
        *y += 10.0 * libm::sin(PI * x[0] * x[1])
            + 20.0 * (x[2] - 0.5) * (x[2] - 0.5)
            + 10.0 * x[3]
            + 5.0 * x[4];
    }
    rounded(x, y)
}

/// Classification of two interleaving half circles of radius 1, as scikit-learn's `make_moons`.
///
/// The class, 0 or 1, is the only column of `y`. Rows alternate between the classes; with an odd
/// `n`, class 0 has one more.
///
/// # Errors
/// See the [module](self).
pub fn two_moons<F: Scalar>(n: usize, noise: f64, seed: u64) -> Result<Dataset<F>, DataError> {
    let mut rng = start(n, noise, 2, seed)?;
    let mut x = normal(n, 2, noise, &mut rng);
    for (row, mut x) in x.rows_mut().into_iter().enumerate() {
        // The points of a moon are at equal angles from 0 to π.
        let points = (n + 1 - row % 2) / 2;
        let angle = PI * (row / 2) as f64 / (points - 1).max(1) as f64;
        let (sin, cos) = libm::sincos(angle);
        let (a, b) = if row % 2 == 0 { (cos, sin) } else { (1.0 - cos, 0.5 - sin) };
        x[0] += a;
        x[1] += b;
    }
    rounded(x, classes(n))?.with_classes(["0", "1"])
}

/// Classification of two spirals, each wound one and a half times around the other: radius = angle
/// / π, with the angle from π/2 to 7π/2, and denser outwards, so that the points are about evenly
/// spaced along the arm. Neighbouring arms are 1 apart.
///
/// The class, 0 or 1, is the only column of `y`. Rows alternate between the classes; with an odd
/// `n`, class 0 has one more. After K. J. Lang and M. J. Witbrock, *Learning to Tell Two Spirals
/// Apart* (1988).
///
/// # Errors
/// See the [module](self).
pub fn two_spirals<F: Scalar>(n: usize, noise: f64, seed: u64) -> Result<Dataset<F>, DataError> {
    let mut rng = start(n, noise, 2, seed)?;
    let turned = uniform(n, 1, &mut rng).mapv(|part| FRAC_PI_2 + 3.0 * PI * part.sqrt());
    let mut x = normal(n, 2, noise, &mut rng);
    for (row, (mut x, angle)) in x.rows_mut().into_iter().zip(turned).enumerate() {
        let radius = if row % 2 == 0 { angle / PI } else { -angle / PI };
        x[0] += radius * libm::cos(angle);
        x[1] += radius * libm::sin(angle);
    }
    rounded(x, classes(n))?.with_classes(["0", "1"])
}

fn start(n: usize, noise: f64, features: usize, seed: u64) -> Result<ChaCha8Rng, DataError> {
    if n == 0 {
        return Err(DataProblem::EmptyDataset { rows: 0, features, outputs: 1 }.into());
    }
    if !(noise >= 0.0 && noise.is_finite()) {
        return Err(DataProblem::Noise { noise }.into());
    }
    Ok(ChaCha8Rng::seed_from_u64(seed))
}

fn uniform(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || StandardUniform.sample(rng))
}

fn normal(rows: usize, columns: usize, std: f64, rng: &mut ChaCha8Rng) -> Array2<f64> {
    let standard: Array2<f64> = Array2::from_shape_simple_fn((rows, columns), || random::normal(rng));
    standard * std
}

fn classes(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, 1), |(row, _)| (row % 2) as f64)
}

fn rounded<F: Scalar>(x: Array2<f64>, y: Array2<f64>) -> Result<Dataset<F>, DataError> {
    Dataset::new(x.mapv(F::of), y.mapv(F::of))
}
