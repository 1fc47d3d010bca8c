//! What `lab::Recorder` adds to the time of training, at one measurement of 64 rows every 100 steps.
//!
//! Run with `cargo bench --bench recorder`. Training with and without it takes turns, so that a slow phase of the machine
//! meets both; what is printed is the median ratio of their times, with the quarters beside it.

use std::time::Instant;

use geartrain::data::toy;
use geartrain::lab::Recorder;
use geartrain::prelude::*;

const PAIRS: usize = 21;

/// Seconds that 400 steps take, of 64 rows through ten layers of 64 units.
fn seconds<F: Scalar>(data: &Dataset<F>, batch: Option<&Dataset<F>>) -> f64 {
    let block = |net: Sequential<F>, i| {
        net.then(Linear::new(if i == 0 { 10 } else { 64 }, 64).init(Init::he_normal())).then(ReLU)
    };
    let layers = (0..10).fold(Sequential::new(), block).then(Linear::new(64, 1));
    let mut network = Network::new(layers, 10).expect("a network that can be");
    let mut recorder = batch.map(|batch| Recorder::new(100, &MeanSquaredError, batch.x(), batch.y()));
    let mut training =
        Training::new(MeanSquaredError, Sgd::new(1e-4)).epochs(50).batch_size(64).threads(1).quiet();
    if let Some(recorder) = &mut recorder {
        training = training.callback(recorder);
    }
    let start = Instant::now();
    training.fit(&mut network, data).expect("training does not fail");
    let seconds = start.elapsed().as_secs_f64();
    drop(training);
    assert!(recorder.is_none_or(|recorder| recorder.snapshots().len() == 4));
    seconds
}

fn compare<F: Scalar>(name: &str) {
    let data = toy::friedman1::<F>(512, 1.0, 1).expect("a toy set");
    let batch = toy::friedman1::<F>(64, 1.0, 2).expect("a toy set");
    let mut ratios: Vec<f64> = (0..PAIRS)
        .map(|pair| {
            // whoever is first in a pair is second in the next
            if pair % 2 == 0 {
                let without = seconds(&data, None);
                seconds(&data, Some(&batch)) / without
            } else {
                let with = seconds(&data, Some(&batch));
                with / seconds(&data, None)
            }
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let percent = |i: usize| 100.0 * (ratios[i] - 1.0);
    let [low, median, high] = [PAIRS / 4, PAIRS / 2, 3 * PAIRS / 4].map(percent);
    println!("{name}: recording every 100 steps adds {median:.2} % (quarters {low:.2} to {high:.2} %)");
}

fn main() {
    compare::<f32>("f32");
    compare::<f64>("f64");
}
