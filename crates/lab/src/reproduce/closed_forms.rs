//! Networks whose weights or errors are known in closed form.

use std::f64::consts::TAU;

use ndarray::{Array1, Array2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use geartrain::layers::Elementwise;
use geartrain::metrics::{accuracy, classes_from_logits};
use geartrain::prelude::*;

use super::{Measured, Outcome, Rows, on_threads};
use crate::normal_batch;

/// y = x²
#[derive(Debug, Clone, Copy)]
struct Square;

impl Elementwise for Square {
    fn value<F: Scalar>(&self, x: F) -> F {
        x * x
    }

    fn slope<F: Scalar>(&self, x: F, _y: F) -> F {
        x + x
    }
}

/// The accuracy of addition mod 97 by `width` units with weights in closed form: a random frequency
/// k and phases for each, `cos(k m + a)` and `cos(k n + b)` in, `cos(k q + a + b)` out.
fn addition(width: usize, seed: u64) -> Outcome<f64> {
    const P: usize = 97;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let layers = Sequential::new().then(Linear::new(2 * P, width).without_bias()).then(Square);
    let mut network = Network::<f32>::new(layers.then(Linear::new(width, P).without_bias()))?;
    let units: Vec<[f64; 3]> = (0..width)
        .map(|_| [rng.random_range(1..P) as f64, TAU * rng.random::<f64>(), TAU * rng.random::<f64>()])
        .collect();
    let angle = |k: f64, number: usize| TAU * k * number as f64 / P as f64;
    let mut first = network.param_mut("0.weight")?;
    for (unit, [k, a, b]) in units.iter().enumerate() {
        for number in 0..P {
            first[[unit, number]] = (angle(*k, number) + a).cos() as f32;
            first[[unit, P + number]] = (angle(*k, number) + b).cos() as f32;
        }
    }
    let mut last = network.param_mut("2.weight")?;
    for (unit, [k, a, b]) in units.iter().enumerate() {
        (0..P).for_each(|q| last[[q, unit]] = (angle(*k, q) + a + b).cos() as f32);
    }
    let mut x = Array2::zeros((P * P, 2 * P));
    let mut sums = Array2::zeros((P * P, 1));
    for (row, (m, n)) in (0..P).flat_map(|m| (0..P).map(move |n| (m, n))).enumerate() {
        (x[[row, m]], x[[row, P + n]]) = (1.0, 1.0);
        sums[[row, 0]] = ((m + n) % P) as f32;
    }
    accuracy(&classes_from_logits(&network.predict(&x)?)?, &sums).map_err(Into::into)
}

pub fn modular_addition(rows: &mut Rows) -> Outcome {
    for (width, expected, tolerance) in
        [(500, 1.0, 1e-4), (200, 1.0, 2e-3), (100, 0.995, 0.01), (50, 0.9, 0.04)]
    {
        let accuracies = on_threads(3, |seed| addition(width, seed))?;
        rows.within(
            format!("p = 97, width {width}: accuracy"),
            expected,
            Measured::mean(&accuracies),
            tolerance,
        )?;
    }
    Ok(())
}

/// The w of least norm that minimises `|A w − y|`, by Gram–Schmidt on the shorter side.
fn least_norm(a: &Array2<f64>, y: &Array1<f64>) -> Array1<f64> {
    let wide = a.ncols() >= a.nrows();
    let tall = if wide { a.t().to_owned() } else { a.clone() };
    let n = tall.ncols();
    let (mut q, mut r) = (tall, Array2::<f64>::zeros((n, n)));
    for j in 0..n {
        for i in (0..j).chain(0..j) {
            let overlap = q.column(i).dot(&q.column(j));
            r[[i, j]] += overlap;
            let before = q.column(i).to_owned();
            q.column_mut(j).scaled_add(-overlap, &before);
        }
        r[[j, j]] = q.column(j).dot(&q.column(j)).sqrt();
        let length = r[[j, j]];
        q.column_mut(j).mapv_inplace(|v| v / length);
    }
    if wide {
        // Aᵀ = Q R: w = Q R⁻ᵀ y
        let mut z = y.clone();
        for i in 0..n {
            let known: f64 = (0..i).map(|k| r[[k, i]] * z[k]).sum();
            z[i] = (z[i] - known) / r[[i, i]];
        }
        q.dot(&z)
    } else {
        let mut w = q.t().dot(y);
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| r[[i, k]] * w[k]).sum();
            w[i] = (w[i] - known) / r[[i, i]];
        }
        w
    }
}

/// The test error of least-norm regression on ReLU features of 100 rows.
fn test_error(features: usize, seed: u64) -> f64 {
    let normal = |rows, columns, stream: u64| normal_batch::<f64>(rows, columns, 1000 * stream + seed);
    let (b, noise) = (normal(20, 1, 1) / 20_f64.sqrt(), 0.5 * normal(100, 1, 2));
    let (train, test) = (normal(100, 20, 3), normal(1000, 20, 4));
    let w = normal(20, features, 5) / 20_f64.sqrt();
    let relu = |x: &Array2<f64>| x.dot(&w).mapv(|z| z.max(0.0));
    let target = (train.dot(&b) + noise).column(0).to_owned();
    let w = least_norm(&relu(&train), &target);
    let errors = relu(&test).dot(&w) - test.dot(&b).column(0);
    errors.dot(&errors) / 1000.0
}

pub fn double_descent(rows: &mut Rows) -> Outcome {
    let median = |features: usize| -> Outcome<f64> {
        let mut errors = on_threads(20, |seed| Ok(test_error(features, seed)))?;
        errors.sort_by(f64::total_cmp);
        Ok(0.5 * (errors[9] + errors[10]))
    };
    let [below, peak, above] = [median(80)?, median(100)?, median(120)?];
    rows.above("error at 100 features over that at 80", 10.0, peak / below)?;
    rows.above("error at 100 features over that at 120", 10.0, peak / above)?;
    rows.below("error at 1000 features over that at 50", 1.0, median(1000)? / median(50)?)
}
