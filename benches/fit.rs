//! What `Training::fit` costs over a loop by hand, at full batch and with mini-batches.
//!
//! Runs both in turns on one thread and prints the median of the ratios of neighbouring runs.
//! Run with `cargo bench -p geartrain-benches --bench fit`.

use std::hint::black_box;
use std::time::Instant;

use geartrain::data::{Batches, toy};
use geartrain::network::Workspace;
use geartrain::prelude::*;
use geartrain::{Error, with_threads};

const TURNS: usize = 31;
/// Multiplications of a run, so that it takes some 50 ms.
const WORK: usize = 500_000_000;

fn network(widths: &[usize]) -> Result<Network<f32>, Error> {
    let layers = widths.windows(2).enumerate().fold(Sequential::new(), |layers, (i, pair)| {
        let layers = if i == 0 { layers } else { layers.then(Tanh) };
        layers.then(Linear::new(pair[0], pair[1]))
    });
    Network::new(layers)
}

/// Trains a network on data for some epochs with a batch size.
type Run = fn(&mut Network<f32>, &Dataset<f32>, usize, usize) -> Result<f64, Error>;

/// All rows at once need no order; mini-batches are shuffled and gathered.
fn by_hand(
    network: &mut Network<f32>,
    data: &Dataset<f32>,
    epochs: usize,
    batch: usize,
) -> Result<f64, Error> {
    let (mut sgd, mut workspace, mut sum) = (Sgd::new(0.001), Workspace::new(), 0.0);
    let mut batches = Batches::new(data, batch, 0)?;
    for epoch in 0..epochs {
        if batch >= data.rows() {
            sum += network.gradients(&MeanSquaredError, data.x(), data.y(), &mut workspace, None)?;
            sgd.step(network.params_mut(), &workspace.grads)?;
            continue;
        }
        batches.shuffle(epoch as u64);
        for index in 0..batches.count() {
            let (x, y) = batches.get(index);
            sum += network.gradients(&MeanSquaredError, &x, &y, &mut workspace, None)?;
            sgd.step(network.params_mut(), &workspace.grads)?;
        }
    }
    Ok(sum)
}

fn fit(network: &mut Network<f32>, data: &Dataset<f32>, epochs: usize, batch: usize) -> Result<f64, Error> {
    let mut training = Training::new(MeanSquaredError, Sgd::new(0.001)).epochs(epochs).batch_size(batch);
    training = training.progress(false);
    Ok(training.fit(network, data)?.train_losses().iter().sum())
}

fn compare(widths: &[usize], rows: usize, batch: usize) -> Result<(), Error> {
    let data = match widths[0] {
        1 => toy::sine::<f32>(rows, 0.1, 1)?,
        _ => toy::friedman1::<f32>(rows, 1.0, 1)?,
    };
    let work: usize = 3 * rows * widths.windows(2).map(|pair| pair[0] * pair[1]).sum::<usize>();
    let epochs = (WORK / work).max(1);
    let network = network(widths)?;
    let time = |run: Run| {
        let (mut network, start) = (network.clone(), Instant::now());
        black_box(run(&mut network, &data, epochs, batch)?);
        Ok::<f64, Error>(start.elapsed().as_secs_f64())
    };
    let (mut ratios, mut hand) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let one = time(by_hand)?;
        ratios.push(time(fit)? / one);
        hand.push(1e6 * one / epochs as f64);
    }
    ratios.sort_by(f64::total_cmp);
    hand.sort_by(f64::total_cmp);
    let [low, middle, high] = [TURNS / 10, TURNS / 2, TURNS - 1 - TURNS / 10].map(|i| ratios[i]);
    println!(
        "{widths:?}, {rows} rows in batches of {batch}: {:.1} µs per epoch by hand, fit {:+.1} % ({:+.1} to {:+.1})",
        hand[TURNS / 2],
        100.0 * (middle - 1.0),
        100.0 * (low - 1.0),
        100.0 * (high - 1.0)
    );
    Ok(())
}

fn main() -> Result<(), Error> {
    with_threads(1, || {
        compare(&[1, 32, 1], 500, 500)?;
        compare(&[1, 32, 32, 1], 400, 400)?;
        compare(&[10, 16, 1], 314, 314)?;
        compare(&[10, 64, 64, 1], 314, 314)?;
        compare(&[10, 8, 1], 5000, 5000)?;
        compare(&[1, 32, 32, 1], 400, 32)?;
        compare(&[10, 64, 64, 1], 314, 16)
    })
}
