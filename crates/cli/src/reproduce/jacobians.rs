//! Singular values of Jacobians, and correlations between gradients of different inputs.

use geartrain::layers::{BatchNorm, Identity};
use geartrain::prelude::*;
use geartrain_lab::{self as lab, Moments, formulas, normal_batch};

use super::{Check, Row, Rows, mean};

type Failure = Box<dyn std::error::Error>;

const WIDTH: usize = 200;

fn linear(init: Init) -> Linear {
    Linear::new(WIDTH, WIDTH).without_bias().init(init)
}

pub fn spread() -> Rows {
    use formulas::Ensemble::{Independent, Orthogonal};
    let depth = 8;
    let measure = |relu: bool, init: Init| -> Result<(f64, f64), Failure> {
        let block = |net: Sequential<f64>, _| {
            let net = net.then(linear(init));
            if relu { net.then(ReLU) } else { net.then(Identity) }
        };
        let mut network = Network::<f64>::with_inputs((0..depth).fold(Sequential::new(), block), WIDTH)?;
        let mut spreads = Vec::new();
        for seed in 0..8 {
            network = network.with_seed(seed);
            let jacobian = network.jacobian(&normal_batch(1, WIDTH, 100 + seed).row(0))?.matrix;
            spreads.push(lab::spread(&lab::singular_values(&jacobian)));
        }
        Ok(mean(&spreads))
    };
    let theory = |activation: &dyn Layer<f64>, ensemble| -> Result<f64, Failure> {
        Ok(formulas::jacobian_spread(&Moments::of(activation, 1.0)?, ensemble, depth))
    };
    let linear = measure(false, Init::lecun_normal())?;
    let gaussian = measure(true, Init::he_normal())?;
    let orthogonal = measure(true, Init::orthogonal().gain(2_f64.sqrt()))?;
    Ok(vec![
        Row::new("linear, Gaussian weights", theory(&Identity, Independent)?, linear, Check::Within(0.8)),
        Row::new("ReLU, Gaussian weights", theory(&ReLU, Independent)?, gaussian, Check::Within(1.6)),
        Row::new("ReLU, orthogonal weights", theory(&ReLU, Orthogonal)?, orthogonal, Check::Within(0.8)),
    ])
}

pub fn shattering() -> Rows {
    let measure = |batch_norm: bool, depth: usize| -> Result<(f64, f64), Failure> {
        let block = |net: Sequential<f64>, _| {
            let net = net.then(linear(Init::he_normal()));
            if batch_norm { net.then(BatchNorm::new(WIDTH)).then(ReLU) } else { net.then(ReLU) }
        };
        let mut network = Network::<f64>::with_inputs((0..depth).fold(Sequential::new(), block), WIDTH)?;
        let mut correlations = Vec::new();
        for seed in 0..8 {
            network = network.with_seed(seed);
            let x = normal_batch(64, WIDTH, 100 + seed);
            let by_layer = lab::gradient_correlation(&network, &x, seed)?;
            correlations.push(by_layer[by_layer.len() - 1]);
        }
        Ok(mean(&correlations))
    };
    let mut rows = Vec::new();
    for (depth, tolerance) in [(2, 0.015), (4, 0.008), (6, 0.004)] {
        let predicted = formulas::batch_norm_relu_gradient_correlation(depth);
        let what = format!("BatchNorm, ReLU, {depth} layers");
        rows.push(Row::new(what, predicted, measure(true, depth)?, Check::Within(tolerance)));
    }
    let predicted = formulas::relu_gradient_correlation(0.0, 4);
    rows.push(Row::new("plain He, 4 layers", predicted, measure(false, 4)?, Check::Within(0.025)));
    Ok(rows)
}
