//! What `lab::Recorder` adds to the time of training, at one measurement every 100 steps: of 16 or 64 rows in training on
//! batches of 64, and of 256 rows in training on batches of 256.
//!
//! Run with `cargo bench --bench recorder`. The callback is timed in the middle of training, so that a slow phase of the
//! machine meets both; what is printed is the median over runs of its share, with the quarters beside it.

use std::time::{Duration, Instant};

use geartrain::data::toy;
use geartrain::lab::Recorder;
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, StepEnd};

const RUNS: usize = 11;

struct Timed<'a, F> {
    recorder: Recorder<'a, F>,
    spent: Duration,
}

impl<F: Scalar> Callback<F> for Timed<'_, F> {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, F>) -> CallbackResult {
        let start = Instant::now();
        let flow = self.recorder.on_step_end(step);
        self.spent += start.elapsed();
        flow
    }
}

/// The time of the recorder over the time of everything else, in 400 steps through ten layers of 64 units.
fn share<F: Scalar>(data: &Dataset<F>, batch_size: usize, measured: &Dataset<F>) -> f64 {
    let block = |net: Sequential<F>, i| {
        net.then(Linear::new(if i == 0 { 10 } else { 64 }, 64).init(Init::he_normal())).then(ReLU)
    };
    let layers = (0..10).fold(Sequential::new(), block).then(Linear::new(64, 1));
    let mut network = Network::new(layers, 10).expect("a network that can be");
    let recorder = Recorder::new(100, &MeanSquaredError, measured.x(), measured.y());
    let mut timed = Timed { recorder, spent: Duration::ZERO };
    let start = Instant::now();
    Training::new(MeanSquaredError, Sgd::new(1e-4))
        .epochs(50)
        .batch_size(batch_size)
        .threads(1)
        .quiet()
        .callback(&mut timed)
        .fit(&mut network, data)
        .expect("training does not fail");
    let all = start.elapsed();
    assert_eq!(timed.recorder.snapshots().len(), 4);
    timed.spent.as_secs_f64() / (all - timed.spent).as_secs_f64()
}

fn compare<F: Scalar>(name: &str) {
    for (rows, batch_size) in [(16, 64), (64, 64), (256, 256)] {
        // eight steps an epoch
        let data = toy::friedman1::<F>(8 * batch_size, 1.0, 1).expect("a toy set");
        let measured = toy::friedman1::<F>(rows, 1.0, 2).expect("a toy set");
        let mut shares: Vec<f64> = (0..RUNS).map(|_| 100.0 * share(&data, batch_size, &measured)).collect();
        shares.sort_by(f64::total_cmp);
        let [low, median, high] = [RUNS / 4, RUNS / 2, 3 * RUNS / 4].map(|i| shares[i]);
        println!(
            "{name}, {rows} rows, batches of {batch_size}: {median:.2} % (quarters {low:.2} to {high:.2} %)"
        );
    }
}

fn main() {
    compare::<f32>("f32");
    compare::<f64>("f64");
}
