//! Consequences for training. Final losses are qualitative: 1 is the loss of predicting the mean.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use geartrain::data::{Dataset, StandardScaler};
use geartrain::layers::{BatchNorm, LayerNorm};
use geartrain::prelude::*;
use geartrain::train::StopReason;

use super::{Interruption, Measured, Outcome, Rows, on_threads};
use crate::normal_batch;
use crate::width::slope;

const INPUTS: usize = 8;
const WIDTH: usize = 64;
const SEEDS: u64 = 3;

/// A chain of linear layers with all singular values 1 learns the value 2 in one of its modes: the
/// same numbers as a chain of single units, with a rate of 0.02 / depth.
pub fn linear_mode(rows: &mut Rows) -> Outcome {
    for (depth, steps) in [(1, 228.0), (8, 88.0), (64, 78.0)] {
        let unit = || Linear::new(1, 1).without_bias().init(Init::constant(1.0));
        let mut network = Network::<f64>::new((0..depth).fold(Sequential::new(), |net, _| net.then(unit())))?;
        let data = Dataset::new(ndarray::array![[1.0]], ndarray::array![[2.0]])?;
        // the derivative of (s − 2)² is 2 (s − 2)
        let mut training =
            Training::new(MeanSquaredError, Sgd::new(0.01 / depth as f64)).epochs(1).progress(false);
        let mut taken: f64 = 0.0;
        while (network.predict(data.x())?[[0, 0]] - 2.0).abs() > 0.01 {
            training.fit(&mut network, &data)?;
            taken += 1.0;
        }
        rows.within(format!("steps to s = 2 with {depth} layers"), steps, taken, 1.0)?;
    }
    Ok(())
}

/// 512 rows of eight normal features; the target is a smooth function of them.
fn data(seed: u64) -> Outcome<Dataset<f32>> {
    let x = normal_batch::<f32>(512, INPUTS, 10_000 + seed);
    let y = x.map_axis(ndarray::Axis(1), |x| x[0] * x[1] + (2.0 * x[2]).sin() + x[3] - 0.5 * x[4] * x[4]);
    let y = y.insert_axis(ndarray::Axis(1));
    let y = StandardScaler::fit(&y)?.transform(&y)?;
    Ok(Dataset::new(x, y)?)
}

type Build<'a> = &'a (dyn Fn(u64) -> Result<Network<f32>, Error> + Sync);

/// The final training loss with the best learning rate, over the seeds, each on its own thread.
fn train(rows: &Rows, build: Build, steps: usize, rates: &[f64]) -> Outcome<Measured> {
    let stop = rows.stop();
    Ok(Measured::mean(&on_threads(SEEDS, |seed| best(build, seed, steps, rates, &stop))?))
}

/// The final training loss with the best learning rate, without rates at which training diverges.
fn best(build: Build, seed: u64, steps: usize, rates: &[f64], stop: &Arc<AtomicBool>) -> Outcome<f64> {
    let data = data(seed)?;
    let mut best = f64::INFINITY;
    for &rate in rates {
        let mut network = build(seed)?;
        let fitted = Training::new(MeanSquaredError, Sgd::new(rate).momentum(0.9))
            .epochs(steps.div_ceil(8))
            .batch_size(64)
            .progress(false)
            .stop_flag(stop.clone())
            .fit(&mut network, &data);
        match fitted {
            Ok(history) if history.stop_reason == StopReason::StopFlag => {
                return Err(Interruption::Stopped);
            }
            Ok(history) => best = best.min(history.train_losses().last().copied().unwrap_or(best)),
            Err(Error::Diverged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(best)
}

type Block<'a> = &'a (dyn Fn(Sequential<f32>) -> Sequential<f32> + Sync);

/// `depth` hidden layers; `block` is the part between two linear layers.
fn deep(depth: usize, init: Init, block: Block, seed: u64) -> Result<Network<f32>, Error> {
    let linear = |inputs, outputs| Linear::new(inputs, outputs).init(init).bias_init(Init::constant(0.0));
    let start = Sequential::new().then(linear(INPUTS, WIDTH));
    let layers = (1..depth).fold(start, |net, _| block(net).then(linear(WIDTH, WIDTH)));
    Ok(Network::new(block(layers).then(linear(WIDTH, 1)))?.with_seed(seed))
}

pub fn he(rows: &mut Rows) -> Outcome {
    let relu: Block = &|net| net.then(ReLU);
    for depth in [22, 30] {
        // Glorot and Bengio's variance is 1/n, half of He's
        let xavier = train(rows, &|seed| deep(depth, Init::xavier_normal(), relu, seed), 1000, &[0.01, 0.1])?;
        let he =
            train(rows, &|seed| deep(depth, Init::he_normal(), relu, seed), 1000, &[0.001, 0.005, 0.02])?;
        rows.below(format!("depth {depth}, He learns"), 0.3, he)?;
        if depth == 30 {
            rows.above("depth 30, Xavier stalls", 0.95, xavier)?;
        } else {
            rows.above(format!("depth {depth}, Xavier is behind"), he.value, xavier)?;
        }
    }
    Ok(())
}

pub fn sigmoid_depth(rows: &mut Rows) -> Outcome {
    let sigmoid: Block = &|net| net.then(Sigmoid);
    let mut before = 0.0;
    for depth in [1, 2, 3, 5, 10] {
        let loss = train(
            rows,
            &|seed| deep(depth, Init::xavier_normal(), sigmoid, seed),
            1000,
            &[0.003, 0.03, 0.3],
        )?;
        if depth >= 5 {
            rows.above(format!("depth {depth} stalls"), 0.95, loss)?;
        } else {
            rows.above(format!("depth {depth}, worse than before"), before, loss)?;
        }
        before = loss.value;
    }
    Ok(())
}

pub fn cures(rows: &mut Rows) -> Outcome {
    let depth = 10;
    let rates = [0.003, 0.03, 0.3];
    let xavier = Init::xavier_normal();
    let run = |block: Block| train(rows, &|seed| deep(depth, xavier, block, seed), 1000, &rates);
    let batch_norm = run(&|net| net.then(BatchNorm::new(WIDTH)).then(Sigmoid))?;
    let layer_norm = run(&|net| net.then(LayerNorm::new(WIDTH)).then(Sigmoid))?;
    let residual = |seed| -> Result<_, Error> {
        let body = || Sequential::new().then(Sigmoid).then(Linear::new(WIDTH, WIDTH).init(xavier));
        let start = Sequential::new().then(Linear::new(INPUTS, WIDTH).init(xavier));
        let layers = (1..depth).fold(start, |net, _| net.then(Residual::new(body())));
        Ok(Network::new(layers.then(Sigmoid).then(Linear::new(WIDTH, 1)))?.with_seed(seed))
    };
    // gain 4 and a bias that centres every input: equivalent to a tanh network
    let centred = |seed| -> Result<_, Error> {
        let mut network = deep(depth, Init::orthogonal().gain(4.0), &|net| net.then(Sigmoid), seed)?;
        for layer in 1..depth {
            let sums = network.param(&format!("{}.weight", 2 * layer))?.sum_axis(ndarray::Axis(1));
            let biases: Vec<f32> = sums.iter().map(|sum| -0.5 * sum).collect();
            network.set_param(&format!("{}.bias", 2 * layer), &biases)?;
        }
        Ok(network)
    };
    rows.below("BatchNorm cures", 0.6, batch_norm)?;
    rows.below("skip connections cure", 0.6, train(rows, &residual, 1000, &rates)?)?;
    rows.below("gain 4 with a centred bias cures", 0.6, train(rows, &centred, 1000, &[0.001, 0.01, 0.05])?)?;
    rows.above("LayerNorm does not", 0.95, layer_norm)?;
    Ok(())
}

pub fn degradation(rows: &mut Rows) -> Outcome {
    let he = Init::he_normal();
    let rates = [0.001, 0.005, 0.02];
    let plain =
        |depth: i32| train(rows, &|seed| deep(depth as usize, he, &|net| net.then(ReLU), seed), 500, &rates);
    let residual = |depth: i32| {
        let build = |seed| -> Result<_, Error> {
            let linear =
                |inputs, outputs| Linear::new(inputs, outputs).init(he).bias_init(Init::constant(0.0));
            let start = Sequential::new().then(linear(INPUTS, WIDTH));
            let scale = 1.0 / f64::from(depth).sqrt();
            let body = || Sequential::new().then(ReLU).then(linear(WIDTH, WIDTH));
            let layers = (1..depth).fold(start, |net, _| net.then(Residual::new(body()).scale(scale)));
            Ok(Network::new(layers.then(ReLU).then(linear(WIDTH, 1)))?.with_seed(seed))
        };
        train(rows, &build, 500, &rates)
    };
    let depths = [10, 25, 50, 100];
    let (mut plains, mut residuals) = (Vec::new(), Vec::new());
    for depth in depths {
        plains.push(plain(depth)?);
        residuals.push(residual(depth)?);
    }
    for i in 1..depths.len() {
        let what = format!("plain, {} layers against {}", depths[i], depths[i - 1]);
        rows.above(what, plains[i - 1].value, plains[i])?;
    }
    let (shallow, deep) = (residuals[0].value, residuals[3]);
    rows.below("residual, 100 layers against 10", 2.0 * shallow, deep)?;
    rows.below("100 layers, residual against plain", plains[3].value, deep)?;
    let slope = |losses: &[Measured]| {
        let logs: Vec<f64> = losses.iter().map(|loss| loss.value.ln()).collect();
        slope(&depths.map(|depth| f64::ln(f64::from(depth))), &logs)
    };
    rows.above("plain, slope of ln loss over ln depth", 1.0, slope(&plains))?;
    rows.below("residual, the same slope", 0.5, slope(&residuals))?;
    Ok(())
}
