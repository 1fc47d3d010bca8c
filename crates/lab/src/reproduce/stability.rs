//! Curvature during training: the edge of stability, and large rates in linear networks.

use ndarray::{Array2, array};

use geartrain::data::Dataset;
use geartrain::network::Workspace;
use geartrain::prelude::*;

use super::{Measured, Outcome, Rows, on_threads};
use crate::{Curvature, normal_batch};

/// 20 points of a Chebyshev polynomial.
fn chebyshev(degree: i32) -> (Array2<f64>, Array2<f64>) {
    let x = Array2::from_shape_fn((20, 1), |(i, _)| i as f64 / 9.5 - 1.0);
    let y = x.mapv(|x: f64| (f64::from(degree) * x.clamp(-1.0, 1.0).acos()).cos());
    (x, y)
}

/// The mean of sharpness over the largest stable one in the last third of training with the rate
/// `eta` for the loss `Σ (f − y)² / 2n`, whose rate is twice that of the mean squared error.
fn hovering(degree: i32, eta: f64, momentum: f64, steps: usize, seed: u64) -> Outcome<f64> {
    let (x, y) = chebyshev(degree);
    let data = Dataset::new(x, y)?;
    let layers =
        Sequential::new().then(Linear::new(1, 100)).then(Tanh).then(Linear::new(100, 100)).then(Tanh);
    let mut network = Network::new(layers.then(Linear::new(100, 1)))?.with_seed(seed);
    let mut sgd = Sgd::new(eta / 2.0).momentum(momentum);
    let (mut workspace, mut ratios, mut top) = (Workspace::new(), Vec::new(), None);
    for step in 1..=steps {
        network.gradients(&MeanSquaredError, data.x(), data.y(), &mut workspace, None)?;
        sgd.step(network.params_mut(), &workspace.grads)?;
        if 3 * step >= 2 * steps && step.is_multiple_of(100) {
            let curvature = Curvature::new(&network, &MeanSquaredError, data.x(), data.y());
            let mut curvature = curvature.tolerance(1e-3).max_products(25);
            if let Some(vector) = top.take() {
                curvature = curvature.start(vector)?;
            }
            let mut found = curvature.top(1)?;
            ratios.push(found.values[0] * (eta / 2.0) / (2.0 + 2.0 * momentum));
            top = found.vectors.pop();
        }
    }
    Ok(ratios.iter().sum::<f64>() / ratios.len() as f64)
}

pub fn edge_of_stability(rows: &mut Rows) -> Outcome {
    for (eta, steps) in [(0.1, 6_000), (0.05, 12_000)] {
        for degree in [3, 4, 5] {
            let ratios = on_threads(3, |seed| hovering(degree, eta, 0.0, steps, seed))?;
            rows.within(format!("degree {degree}, η = {eta}: λη/2"), 1.0, Measured::mean(&ratios), 0.02)?;
        }
    }
    Ok(())
}

pub fn heavy_ball(rows: &mut Rows) -> Outcome {
    let ratios = on_threads(3, |seed| hovering(5, 0.05, 0.5, 12_000, seed))?;
    rows.within("degree 5, η = .05, β = .5: λη/(2 + 2β)", 1.0, Measured::mean(&ratios), 0.02)
}

/// Gradient descent on `f²/2` with `f = u·v / √512` and the rate `ratio / λ₀`: the final λη, and
/// the largest loss over the first one. Not finite if it diverges.
fn catapult(ratio: f64, seed: u64) -> Outcome<[f64; 2]> {
    const N: usize = 512;
    let mut network = Network::<f64>::new(
        Sequential::new().then(Linear::new(1, N).without_bias()).then(Linear::new(N, 1).without_bias()),
    )?;
    network.params_mut().copy_from_slice(normal_batch::<f64>(1, 2 * N, 500 + seed).as_slice().unwrap_or(&[]));
    let (x, y) = (array![[(N as f64).sqrt().recip()]], array![[0.0]]);
    let curvature = |network: &Network<f64>| network.params().iter().map(|p| p * p).sum::<f64>() / N as f64;
    let eta = ratio / curvature(&network);
    // the mean squared error is twice this loss
    let (mut sgd, mut workspace) = (Sgd::new(eta / 2.0), Workspace::new());
    let (mut first, mut peak) = (f64::NAN, 0.0_f64);
    for _ in 0..400 {
        let loss = network.gradients(&MeanSquaredError, &x, &y, &mut workspace, None)?;
        if first.is_nan() {
            first = loss;
        }
        peak = peak.max(loss / first);
        if !loss.is_finite() || sgd.step(network.params_mut(), &workspace.grads).is_err() {
            return Ok([f64::INFINITY; 2]);
        }
    }
    let converged = network.loss(&MeanSquaredError, &x, &y)? < 1e-2 * first;
    Ok([if converged { eta * curvature(&network) } else { f64::INFINITY }, peak])
}

pub fn catapults(rows: &mut Rows) -> Outcome {
    let runs = |ratio: f64| (0..20).map(|seed| catapult(ratio, seed)).collect::<Outcome<Vec<_>>>();
    for (ratio, expected, tolerance) in [(1.9, 1.885, 0.02), (2.5, 1.276, 0.02)] {
        let finals: Vec<f64> = runs(ratio)?.iter().map(|run| run[0]).collect();
        rows.within(format!("final λη from {ratio}"), expected, Measured::mean(&finals), tolerance)?;
    }
    let largest = runs(3.5)?.iter().fold(0.0, |max: f64, run| max.max(run[0]));
    rows.below("largest final λη of 20 from 3.5", 2.0, largest)?;
    for (ratio, converged) in [(3.5, 20.0), (4.1, 0.0)] {
        let count = runs(ratio)?.iter().filter(|run| run[0].is_finite()).count();
        rows.within(format!("of 20 runs from ηλ = {ratio}, converged"), converged, count as f64, 0.0)?;
    }
    Ok(())
}
