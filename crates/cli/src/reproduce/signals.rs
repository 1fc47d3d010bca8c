//! Forward and backward passes through wide random networks.

use geartrain::layers::{BatchNorm, Elementwise, LayerNorm, SELU};
use geartrain::prelude::*;
use geartrain_lab::{self as lab, MeanField, Measurement, Moments, formulas, normal_batch};

use super::{Check, Row, Rows, mean};

type Failure = Box<dyn std::error::Error>;

fn linear(width: usize, w2: f64, b2: f64) -> Linear {
    let layer = Linear::new(width, width).init(Init::lecun_normal().gain(w2.sqrt()));
    if b2 > 0.0 { layer.bias_init(Init::normal(b2.sqrt())) } else { layer.without_bias() }
}

/// Measured and predicted decades of a plain network, over eight seeds.
fn plain(
    activation: impl Elementwise + Copy + 'static,
    w2: f64,
    b2: f64,
) -> Result<[(f64, f64); 2], Failure> {
    let (width, depth) = (512, 20);
    let start = Sequential::new().then(linear(width, w2, b2));
    let layers = (1..depth).fold(start, |net, _| net.then(activation).then(linear(width, w2, b2)));
    let mut network = Network::<f64>::with_inputs(layers, width)?;
    let (mut measured, mut predicted) = (Vec::new(), Vec::new());
    for seed in 0..8 {
        network = network.with_seed(seed);
        let (x, dy) = (normal_batch(32, width, 100 + seed), normal_batch(32, width, 200 + seed));
        let measurement = lab::measure_with_cotangent(&network, &x, &dy)?;
        let prediction = lab::predict(&network, &x, &dy)?;
        measured.push(measurement.decades());
        predicted
            .push(prediction.decades(&measurement.stations()).ok_or("the theory covers plain networks")?);
    }
    Ok([mean(&measured), mean(&predicted)])
}

/// A row for the ratio per layer: the published value for infinite width, and the prediction for
/// these networks.
fn ratio_rows(name: &str, published: f64, decades: [(f64, f64); 2]) -> [Row; 2] {
    let [(measured, error), (predicted, _)] = decades;
    let ratio = 10_f64.powf(measured / 19.0);
    let error_of_ratio = ratio * 10_f64.ln() * error / 19.0;
    [
        Row::new(format!("{name}: ratio"), published, (ratio, error_of_ratio), Check::Within(0.005)),
        Row::new(format!("{name}: log₁₀ total"), predicted, (measured, error), Check::Within(0.05)),
    ]
}

pub fn chain() -> Rows {
    let mut rows = Vec::new();
    let one = Init::constant(1.0);
    let layer = |net: Sequential<f64>, _| net.then(Linear::new(1, 1).without_bias().init(one)).then(Sigmoid);
    let network = Network::<f64>::with_inputs((0..10).fold(Sequential::new(), layer), 1)?;
    let (x, dy) = (ndarray::array![[0.0]], ndarray::array![[1.0]]);
    let measured = lab::measure_with_cotangent(&network, &x, &dy)?;
    for (i, factor) in [0.25, 0.235004, 0.227266].into_iter().enumerate() {
        let ratio = measured.layers[2 * i + 1].ratio();
        rows.push(Row::new(format!("factor {}", i + 1), factor, (ratio, 0.0), Check::Within(5e-7)));
    }
    let product = measured.input_gradient;
    rows.push(Row::new("product of ten", 3.875220e-7, (product, 0.0), Check::Within(5e-14)));
    rows.push(Row::new("and the bound 4⁻¹⁰", 0.25_f64.powi(10), (product, 0.0), Check::Below));
    Ok(rows)
}

pub fn sigmoid() -> Rows {
    let [measured, predicted] = plain(Sigmoid, 1.0, 0.0)?;
    Ok(vec![
        Row::new("log₁₀ total, infinite width", -11.962, measured, Check::Within(0.05)),
        Row::new("log₁₀ total, these networks", predicted.0, measured, Check::Within(0.05)),
    ])
}

pub fn relu() -> Rows {
    let mut rows = Vec::new();
    for (name, w2) in [("σw² = 1/3", 1.0 / 3.0), ("σw² = 1", 1.0), ("σw² = 2", 2.0)] {
        rows.extend(ratio_rows(name, f64::sqrt(w2 / 2.0), plain(ReLU, w2, 0.0)?));
    }
    Ok(rows)
}

pub fn tanh() -> Rows {
    let mut rows = Vec::new();
    for (name, w2, b2, ratio) in [
        ("Xavier (1, 0)", 1.0, 0.0, 0.9175),
        ("critical (1.761, .05)", 1.760955, 0.05, 0.9797),
        ("chaotic (4, .05)", 4.0, 0.05, 1.1470),
    ] {
        rows.extend(ratio_rows(name, ratio, plain(Tanh, w2, b2)?));
    }
    Ok(rows)
}

pub fn selu() -> Rows {
    Ok(ratio_rows("SELU, LeCun", 1.0352, plain(SELU, 1.0, 0.0)?).into())
}

pub fn depth_scale() -> Rows {
    let width = 600;
    let mut rows = Vec::new();
    for w2 in [0.8, 1.0, 1.3] {
        let field = MeanField::new(&Tanh, w2, 0.05)?;
        let scales = field.depth_scales().ok_or("tanh has a fixed point")?;
        let q = field.fixed_point().ok_or("tanh has a fixed point")?;
        let mut measured = Vec::new();
        for seed in 0..8 {
            // rows with the mean square of the fixed point; 1 − c falls by a factor e per depth
            // scale
            let mut z = normal_batch::<f64>(16, width, 300 + seed) * q.sqrt();
            let mut logs = Vec::new();
            for layer in 0..14 {
                let block = Sequential::new().then(Tanh).then(linear(width, w2, 0.05));
                z = Network::with_inputs(block, width)?.with_seed(1000 * seed + layer).predict(&z)?;
                logs.push((1.0 - mean_correlation(&z)).ln());
            }
            // after the first layers, where the map is not yet linear
            measured.push(-8.0 / (logs[13] - logs[5]));
        }
        rows.push(Row::new(
            format!("depth scale ξ at σw² = {w2}"),
            scales.correlation,
            mean(&measured),
            Check::Within(0.06 * scales.correlation),
        ));
    }
    Ok(rows)
}

fn mean_correlation(rows: &ndarray::Array2<f64>) -> f64 {
    let mut directions = rows.clone();
    directions.rows_mut().into_iter().for_each(|mut row| {
        let length = row.dot(&row).sqrt();
        row /= length;
    });
    let (sum, n) = (directions.sum_axis(ndarray::Axis(0)), rows.nrows() as f64);
    (sum.dot(&sum) - n) / (n * (n - 1.0))
}

/// Growth of energies between the first and the last station: of the signal forward, of the
/// gradient backward.
fn growth(measured: &Measurement) -> [f64; 2] {
    let stations = measured.stations();
    let [first, last] = [stations[0], stations[stations.len() - 1]].map(|i| &measured.layers[i]);
    [(last.output.norm / first.output.norm).powi(2), (first.gradient / last.gradient).powi(2)]
}

pub fn residual() -> Rows {
    let width = 256;
    let he = || linear(width, 2.0, 0.0);
    let measure = |blocks: usize, body: &dyn Fn() -> Sequential<f64>, scale: f64| -> Result<_, Failure> {
        let layers = (0..blocks)
            .fold(Sequential::new().then(he()), |net, _| net.then(Residual::new(body()).scale(scale)));
        let mut network = Network::<f64>::with_inputs(layers, width)?;
        let mut growths = [Vec::new(), Vec::new()];
        for seed in 0..8 {
            network = network.with_seed(seed);
            let (x, dy) = (normal_batch(32, width, 100 + seed), normal_batch(32, width, 200 + seed));
            let growth = growth(&lab::measure_with_cotangent(&network, &x, &dy)?);
            growths.iter_mut().zip(growth).for_each(|(list, growth)| list.push(growth.ln()));
        }
        Ok(growths.map(|logs| mean(&logs)))
    };
    let exp =
        |(log, error): (f64, f64), blocks: f64| ((log / blocks).exp(), (log / blocks).exp() * error / blocks);
    let [up, down] = measure(20, &|| Sequential::new().then(ReLU).then(he()), 1.0)?;
    let mut rows = vec![
        Row::new("h + W relu(h): energy per block, up", 2.0, exp(up, 20.0), Check::Within(0.06)),
        Row::new("h + W relu(h): energy per block, down", 2.0, exp(down, 20.0), Check::Within(0.06)),
    ];
    let two = || Sequential::new().then(he()).then(ReLU).then(he());
    let [up, down] = measure(50, &two, 1.0 / 50_f64.sqrt())?;
    let predicted = formulas::residual_energy(2.0 / 50.0, 50);
    rows.push(Row::new("two-layer branch / √50: total, up", predicted, exp(up, 1.0), Check::Within(0.5)));
    rows.push(Row::new("two-layer branch / √50: total, down", predicted, exp(down, 1.0), Check::Within(0.5)));
    // m and q of x + relu(Wx), with E relu = √(q/π) and E relu² = q
    let (mut m, mut q) = (0.0, 2.0);
    for _ in 0..12 {
        let mean = f64::sqrt(q / std::f64::consts::PI);
        (m, q) = (m + mean, 2.0 * q + 2.0 * m * mean);
    }
    let predicted = f64::powf(q / 2.0, 1.0 / 12.0);
    let [up, _] = measure(12, &|| Sequential::new().then(he()).then(ReLU), 1.0)?;
    rows.push(Row::new(
        "x + relu(Wx): energy per block, up, not 2",
        predicted,
        exp(up, 12.0),
        Check::Within(0.1),
    ));
    Ok(rows)
}

pub fn normalisation() -> Rows {
    let energy = |norm: &dyn Fn(Sequential<f64>, usize) -> Sequential<f64>,
                  rows: usize,
                  seeds: u64|
     -> Result<_, Failure> {
        let (width, depth) = (256, 30);
        let block = |net: Sequential<f64>, _| norm(net.then(linear(width, 1.0, 0.0)), width);
        let mut network = Network::<f64>::with_inputs(
            (0..depth).fold(Sequential::new(), block).then(linear(width, 1.0, 0.0)),
            width,
        )?;
        let mut logs = Vec::new();
        for seed in 0..seeds {
            network = network.with_seed(seed);
            let (x, dy) = (normal_batch(rows, width, 100 + seed), normal_batch(rows, width, 200 + seed));
            let measured = lab::measure_with_cotangent(&network, &x, &dy)?;
            let stations = measured.stations();
            // without the first and last layers, which depend on the input and the loss
            let (low, high) = (stations[2], stations[25]);
            let ratio = measured.layers[low].gradient / measured.layers[high].gradient;
            logs.push(2.0 * ratio.ln() / 23.0);
        }
        let (log, error) = mean(&logs);
        Ok((log.exp(), log.exp() * error))
    };
    let (relu, sigmoid) = (Moments::of(&ReLU, 1.0)?, Moments::of(&Sigmoid, 1.0)?);
    let bn_relu = |net: Sequential<f64>, n| net.then(BatchNorm::new(n)).then(ReLU);
    let bn_sigmoid = |net: Sequential<f64>, n| net.then(BatchNorm::new(n)).then(Sigmoid);
    let ln_relu = |net: Sequential<f64>, n| net.then(LayerNorm::new(n)).then(ReLU);
    let ln_sigmoid = |net: Sequential<f64>, n| net.then(LayerNorm::new(n)).then(Sigmoid);
    Ok(vec![
        Row::new(
            "BatchNorm, ReLU: energy per block",
            formulas::batch_norm_energy(&relu),
            energy(&bn_relu, 256, 3)?,
            Check::Within(0.03),
        ),
        Row::new("BatchNorm, ReLU, batch of 16", 1.60, energy(&bn_relu, 16, 4)?, Check::Within(0.06)),
        Row::new("BatchNorm, ReLU, batch of 4", 2.87, energy(&bn_relu, 4, 4)?, Check::Within(0.3)),
        Row::new(
            "BatchNorm, sigmoid",
            formulas::batch_norm_energy(&sigmoid),
            energy(&bn_sigmoid, 256, 3)?,
            Check::Within(0.03),
        ),
        Row::new(
            "LayerNorm, ReLU",
            formulas::layer_norm_energy(&relu),
            energy(&ln_relu, 64, 4)?,
            Check::Within(0.03),
        ),
        Row::new(
            "LayerNorm, sigmoid",
            formulas::layer_norm_energy(&sigmoid),
            energy(&ln_sigmoid, 64, 4)?,
            Check::Within(0.006),
        ),
    ])
}

pub fn euler() -> Rows {
    let width = 256;
    let mut rows = Vec::new();
    for (w2, ratio) in [(1.0 / 3.0, 0.407), (1.0, 0.706), (2.0, 0.998), (4.0, 1.411)] {
        let layers = (0..12).fold(Sequential::new(), |net, _| net.then(linear(width, w2, 0.0)).then(ReLU));
        let network = Network::<f64>::with_inputs(layers, width)?;
        let (x, dy) = (normal_batch(32, width, 1), normal_batch(32, width, 2));
        let measured = lab::measure_with_cotangent(&network, &x, &dy)?;
        let weights = |i: usize| measured.layers[2 * i].weights.map_or(f64::NAN, |w| w.gradient);
        let per_layer = (weights(1) / weights(11)).powf(0.1);
        rows.push(Row::new(
            format!("|δ| per layer at σw² = {w2:.3}"),
            ratio,
            (measured.ratio(), 0.0),
            Check::Within(0.02),
        ));
        rows.push(Row::new(
            format!("|dW| per layer at σw² = {w2:.3}"),
            1.0,
            (per_layer, 0.0),
            Check::Within(0.03),
        ));
    }
    Ok(rows)
}
