//! Forward and backward passes through wide random networks.

use geartrain::layers::{BatchNorm, Elementwise, LayerNorm, SELU};
use geartrain::prelude::*;
use ndarray::Array2;

use super::{Measured, Outcome, Rows};
use crate::correlation::mean_cosine;
use crate::{MeanField, Measurement, Moments, formulas, measure_with_cotangent, normal_batch, predict};

fn linear(width: usize, w2: f64, b2: f64) -> Linear {
    let layer = Linear::new(width, width).init(Init::lecun_normal().gain(w2.sqrt()));
    if b2 > 0.0 { layer.bias_init(Init::normal(b2.sqrt())) } else { layer.without_bias() }
}

/// Measured and predicted decades of a plain network, over eight seeds.
fn plain(activation: impl Elementwise + Copy + 'static, w2: f64, b2: f64) -> Outcome<[Measured; 2]> {
    let (width, depth) = (512, 20);
    let start = Sequential::new().then(linear(width, w2, b2));
    let layers = (1..depth).fold(start, |net, _| net.then(activation).then(linear(width, w2, b2)));
    over_seeds(layers, 32, 8, |network, x, dy| {
        let measured = measure_with_cotangent(network, x, dy)?;
        let predicted = predict(network, x, dy)?.decades(&measured.stations());
        Ok([measured.decades(), predicted.expect("the theory covers plain networks")])
    })
}

/// Means over the seeds of what `measure` finds on networks of square `layers`, random inputs and
/// gradients.
fn over_seeds<const N: usize>(
    layers: Sequential<f64>,
    rows: usize,
    seeds: u64,
    measure: impl Fn(&Network<f64>, &Array2<f64>, &Array2<f64>) -> Result<[f64; N], Error>,
) -> Outcome<[Measured; N]> {
    let mut network = Network::new(layers)?;
    let mut found = [const { Vec::new() }; N];
    for seed in 0..seeds {
        network = network.with_seed(seed);
        let [x, dy] = [100, 200].map(|from| normal_batch(rows, network.inputs(), from + seed));
        let values = measure(&network, &x, &dy)?;
        found.iter_mut().zip(values).for_each(|(found, value)| found.push(value));
    }
    Ok(found.map(|values| Measured::mean(&values)))
}

/// Rows for the ratio per layer: the published value for infinite width, and the prediction for
/// these networks.
fn ratio_rows(rows: &mut Rows, name: &str, published: f64, decades: [Measured; 2]) -> Outcome {
    let [measured, predicted] = decades;
    let ratio = measured.times(10_f64.ln() / 19.0).exp();
    rows.within(format!("{name}: ratio"), published, ratio, 0.005)?;
    rows.within(format!("{name}: log₁₀ total"), predicted.value, measured, 0.05)
}

pub fn chain(rows: &mut Rows) -> Outcome {
    let one = Init::constant(1.0);
    let layer = |net: Sequential<f64>, _| net.then(Linear::new(1, 1).without_bias().init(one)).then(Sigmoid);
    let network = Network::<f64>::new((0..10).fold(Sequential::new(), layer))?;
    let (x, dy) = (ndarray::array![[0.0]], ndarray::array![[1.0]]);
    let measured = measure_with_cotangent(&network, &x, &dy)?;
    for (i, factor) in [0.25, 0.235004, 0.227266].into_iter().enumerate() {
        let ratio = measured.layers[2 * i + 1].ratio();
        rows.within(format!("factor {}", i + 1), factor, ratio, 5e-7)?;
    }
    let product = measured.input_gradient;
    rows.within("product of ten", 3.875220e-7, product, 5e-14)?;
    rows.below("and the bound 4⁻¹⁰", 0.25_f64.powi(10), product)?;
    Ok(())
}

pub fn sigmoid(rows: &mut Rows) -> Outcome {
    let [measured, predicted] = plain(Sigmoid, 1.0, 0.0)?;
    rows.within("log₁₀ total, infinite width", -11.962, measured, 0.05)?;
    rows.within("log₁₀ total, these networks", predicted.value, measured, 0.05)?;
    Ok(())
}

pub fn relu(rows: &mut Rows) -> Outcome {
    for (name, w2) in [("σw² = 1/3", 1.0 / 3.0), ("σw² = 1", 1.0), ("σw² = 2", 2.0)] {
        ratio_rows(rows, name, f64::sqrt(w2 / 2.0), plain(ReLU, w2, 0.0)?)?;
    }
    Ok(())
}

pub fn tanh(rows: &mut Rows) -> Outcome {
    for (name, w2, b2, ratio) in [
        ("Xavier (1, 0)", 1.0, 0.0, 0.9175),
        ("critical (1.761, .05)", 1.760955, 0.05, 0.9797),
        ("chaotic (4, .05)", 4.0, 0.05, 1.1470),
    ] {
        ratio_rows(rows, name, ratio, plain(Tanh, w2, b2)?)?;
    }
    Ok(())
}

pub fn selu(rows: &mut Rows) -> Outcome {
    ratio_rows(rows, "SELU, LeCun", 1.0352, plain(SELU, 1.0, 0.0)?)
}

pub fn depth_scale(rows: &mut Rows) -> Outcome {
    let width = 600;
    for w2 in [0.8, 1.0, 1.3] {
        let field = MeanField::new(&Tanh, w2, 0.05)?;
        let scales = field.depth_scales().expect("tanh has a fixed point");
        let q = field.fixed_point().expect("tanh has a fixed point");
        let mut measured = Vec::new();
        for seed in 0..8 {
            // rows with the mean square of the fixed point; 1 − c falls by a factor e per depth
            // scale
            let mut z = normal_batch::<f64>(16, width, 300 + seed) * q.sqrt();
            let mut logs = Vec::new();
            for layer in 0..14 {
                let block = Sequential::new().then(Tanh).then(linear(width, w2, 0.05));
                z = Network::with_inputs(block, width)?.with_seed(1000 * seed + layer).predict(&z)?;
                logs.push((1.0 - mean_cosine(z.view())).ln());
            }
            // after the first layers, where the map is not yet linear
            measured.push(-8.0 / (logs[13] - logs[5]));
        }
        rows.within(
            format!("depth scale ξ at σw² = {w2}"),
            scales.correlation,
            Measured::mean(&measured),
            0.06 * scales.correlation,
        )?;
    }
    Ok(())
}

/// Growth of energies between the first and the last station: of the signal forward, of the
/// gradient backward.
fn growth(measured: &Measurement) -> [f64; 2] {
    let stations = measured.stations();
    let [first, last] = [stations[0], stations[stations.len() - 1]].map(|i| &measured.layers[i]);
    [(last.output.norm / first.output.norm).powi(2), (first.gradient / last.gradient).powi(2)]
}

pub fn residual(rows: &mut Rows) -> Outcome {
    let width = 256;
    let he = || linear(width, 2.0, 0.0);
    let measure = |blocks: usize, body: &dyn Fn() -> Sequential<f64>, scale: f64| -> Outcome<_> {
        let layers = (0..blocks)
            .fold(Sequential::new().then(he()), |net, _| net.then(Residual::new(body()).scale(scale)));
        over_seeds(layers, 32, 8, |network, x, dy| {
            Ok(growth(&measure_with_cotangent(network, x, dy)?).map(f64::ln))
        })
    };
    let exp = |log: Measured, blocks: f64| log.times(1.0 / blocks).exp();
    let [up, down] = measure(20, &|| Sequential::new().then(ReLU).then(he()), 1.0)?;
    rows.within("h + W relu(h): energy per block, up", 2.0, exp(up, 20.0), 0.06)?;
    rows.within("h + W relu(h): energy per block, down", 2.0, exp(down, 20.0), 0.06)?;
    let two = || Sequential::new().then(he()).then(ReLU).then(he());
    let [up, down] = measure(50, &two, 1.0 / 50_f64.sqrt())?;
    let predicted = formulas::residual_energy(2.0 / 50.0, 50);
    rows.within("two-layer branch / √50: total, up", predicted, exp(up, 1.0), 0.5)?;
    rows.within("two-layer branch / √50: total, down", predicted, exp(down, 1.0), 0.5)?;
    // m and q of x + relu(Wx), with E relu = √(q/π) and E relu² = q
    let (mut m, mut q) = (0.0, 2.0);
    for _ in 0..12 {
        let mean = f64::sqrt(q / std::f64::consts::PI);
        (m, q) = (m + mean, 2.0 * q + 2.0 * m * mean);
    }
    let predicted = f64::powf(q / 2.0, 1.0 / 12.0);
    let [up, _] = measure(12, &|| Sequential::new().then(he()).then(ReLU), 1.0)?;
    rows.within("x + relu(Wx): energy per block, up, not 2", predicted, exp(up, 12.0), 0.1)?;
    Ok(())
}

pub fn normalisation(rows: &mut Rows) -> Outcome {
    let (width, depth) = (256, 30);
    let linear = || linear(width, 1.0, 0.0);
    type Block<'a> = &'a dyn Fn(Sequential<f64>, usize) -> Sequential<f64>;
    let energy = |norm: Block, batch: usize, seeds: u64| -> Outcome<_> {
        let block = |net: Sequential<f64>, _| norm(net.then(linear()), width);
        let layers = (0..depth).fold(Sequential::new(), block).then(linear());
        let [log] = over_seeds(layers, batch, seeds, |network, x, dy| {
            let measured = measure_with_cotangent(network, x, dy)?;
            let stations = measured.stations();
            // without the first and last layers, which depend on the input and the loss
            let [low, high] = [stations[2], stations[25]].map(|i| measured.layers[i].gradient);
            Ok([2.0 * (low / high).ln() / 23.0])
        })?;
        Ok(log.exp())
    };
    let (relu, sigmoid) = (Moments::of(&ReLU, 1.0)?, Moments::of(&Sigmoid, 1.0)?);
    let bn_relu = |net: Sequential<f64>, n| net.then(BatchNorm::new(n)).then(ReLU);
    let bn_sigmoid = |net: Sequential<f64>, n| net.then(BatchNorm::new(n)).then(Sigmoid);
    let ln_relu = |net: Sequential<f64>, n| net.then(LayerNorm::new(n)).then(ReLU);
    let ln_sigmoid = |net: Sequential<f64>, n| net.then(LayerNorm::new(n)).then(Sigmoid);
    rows.within(
        "BatchNorm, ReLU: energy per block",
        formulas::batch_norm_energy(&relu),
        energy(&bn_relu, 256, 3)?,
        0.03,
    )?;
    rows.within("BatchNorm, ReLU, batch of 16", 1.60, energy(&bn_relu, 16, 4)?, 0.06)?;
    rows.within("BatchNorm, ReLU, batch of 4", 2.87, energy(&bn_relu, 4, 4)?, 0.3)?;
    rows.within(
        "BatchNorm, sigmoid",
        formulas::batch_norm_energy(&sigmoid),
        energy(&bn_sigmoid, 256, 3)?,
        0.03,
    )?;
    rows.within("LayerNorm, ReLU", formulas::layer_norm_energy(&relu), energy(&ln_relu, 64, 4)?, 0.03)?;
    rows.within(
        "LayerNorm, sigmoid",
        formulas::layer_norm_energy(&sigmoid),
        energy(&ln_sigmoid, 64, 4)?,
        0.006,
    )?;
    Ok(())
}

pub fn euler(rows: &mut Rows) -> Outcome {
    let width = 256;
    for (w2, ratio) in [(1.0 / 3.0, 0.407), (1.0, 0.706), (2.0, 0.998), (4.0, 1.411)] {
        let layers = (0..12).fold(Sequential::new(), |net, _| net.then(linear(width, w2, 0.0)).then(ReLU));
        let network = Network::<f64>::new(layers)?;
        let (x, dy) = (normal_batch(32, width, 1), normal_batch(32, width, 2));
        let measured = measure_with_cotangent(&network, &x, &dy)?;
        let weights = |i: usize| measured.layers[2 * i].weights.map_or(f64::NAN, |w| w.gradient);
        let per_layer = (weights(1) / weights(11)).powf(0.1);
        rows.within(format!("|δ| per layer at σw² = {w2:.3}"), ratio, measured.ratio(), 0.02)?;
        rows.within(format!("|dW| per layer at σw² = {w2:.3}"), 1.0, per_layer, 0.03)?;
    }
    Ok(())
}
