//! Singular values of Jacobians, and correlations between gradients of different inputs.

use geartrain::layers::{BatchNorm, Identity};
use geartrain::prelude::*;

use super::{Measured, Outcome, Rows};
use crate::{Moments, formulas, gradient_correlation, normal_batch, singular_values};

const WIDTH: usize = 200;

fn linear(init: Init) -> Linear {
    Linear::new(WIDTH, WIDTH).without_bias().init(init)
}

pub fn spread(rows: &mut Rows) -> Outcome {
    use formulas::Ensemble::{Independent, Orthogonal};
    let depth = 8;
    let measure = |relu: bool, init: Init| -> Outcome<Measured> {
        let block = |net: Sequential<f64>, _| {
            let net = net.then(linear(init));
            if relu { net.then(ReLU) } else { net.then(Identity) }
        };
        let mut network = Network::<f64>::new((0..depth).fold(Sequential::new(), block))?;
        let mut spreads = Vec::new();
        for seed in 0..8 {
            network = network.with_seed(seed);
            let jacobian = network.jacobian(&normal_batch(1, WIDTH, 100 + seed).row(0))?.matrix;
            spreads.push(crate::spread(&singular_values(&jacobian)));
        }
        Ok(Measured::mean(&spreads))
    };
    let theory = |activation: &dyn Layer<f64>, ensemble| -> Outcome<f64> {
        Ok(formulas::jacobian_spread(&Moments::of(activation, 1.0)?, ensemble, depth))
    };
    let linear = measure(false, Init::lecun_normal())?;
    let gaussian = measure(true, Init::he_normal())?;
    let orthogonal = measure(true, Init::orthogonal().gain(2_f64.sqrt()))?;
    rows.within("linear, Gaussian weights", theory(&Identity, Independent)?, linear, 0.8)?;
    rows.within("ReLU, Gaussian weights", theory(&ReLU, Independent)?, gaussian, 1.6)?;
    rows.within("ReLU, orthogonal weights", theory(&ReLU, Orthogonal)?, orthogonal, 0.8)?;
    Ok(())
}

pub fn shattering(rows: &mut Rows) -> Outcome {
    let measure = |batch_norm: bool, depth: usize| -> Outcome<Measured> {
        let block = |net: Sequential<f64>, _| {
            let net = net.then(linear(Init::he_normal()));
            if batch_norm { net.then(BatchNorm::new(WIDTH)).then(ReLU) } else { net.then(ReLU) }
        };
        let mut network = Network::<f64>::new((0..depth).fold(Sequential::new(), block))?;
        let mut correlations = Vec::new();
        for seed in 0..8 {
            network = network.with_seed(seed);
            let x = normal_batch(64, WIDTH, 100 + seed);
            let by_layer = gradient_correlation(&network, &x, seed)?;
            correlations.push(by_layer[by_layer.len() - 1]);
        }
        Ok(Measured::mean(&correlations))
    };
    for (depth, tolerance) in [(2, 0.015), (4, 0.008), (6, 0.004)] {
        let predicted = formulas::batch_norm_relu_gradient_correlation(depth);
        let what = format!("BatchNorm, ReLU, {depth} layers");
        rows.within(what, predicted, measure(true, depth)?, tolerance)?;
    }
    let predicted = formulas::relu_gradient_correlation(0.0, 4);
    rows.within("plain He, 4 layers", predicted, measure(false, 4)?, 0.025)?;
    Ok(())
}
