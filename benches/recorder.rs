//! The cost of `lab::Recorder` in training: one measurement of 16, 64 or 256 rows every 100 steps
//! on batches of 64 rows, and of 256 rows on batches of 256.
//!
//! Run with `cargo bench -p geartrain-benches --bench recorder`. Steps and measurements are timed
//! one by one and their medians compared, so that interruptions by other programs affect few of
//! them.

use std::time::Instant;

use geartrain::data::toy;
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, StepEnd};
use geartrain_lab::Recorder;

const EVERY: u64 = 100;

struct Timed<'a, F> {
    recorder: Recorder<'a, F>,
    /// The end of the last step or measurement.
    last: Instant,
    steps: Vec<f64>,
    measurements: Vec<f64>,
}

impl<F: Scalar> Callback<F> for Timed<'_, F> {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, F>) -> CallbackResult {
        self.steps.push(self.last.elapsed().as_secs_f64());
        let start = Instant::now();
        let flow = self.recorder.on_step_end(step);
        if step.step.is_multiple_of(EVERY) {
            self.measurements.push(start.elapsed().as_secs_f64());
        }
        self.last = Instant::now();
        flow
    }
}

/// Trains ten layers of 64 units for 3200 steps and prints the cost of a measurement.
fn compare<F: Scalar>(name: &str, rows: usize, batch_size: usize) {
    // eight steps an epoch
    let data = toy::friedman1::<F>(8 * batch_size, 1.0, 1).expect("a toy set");
    let measured = toy::friedman1::<F>(rows, 1.0, 2).expect("a toy set");
    let block = |net: Sequential<F>, i| {
        net.then(Linear::new(if i == 0 { 10 } else { 64 }, 64).init(Init::he_normal())).then(ReLU)
    };
    let layers = (0..10).fold(Sequential::new(), block).then(Linear::new(64, 1));
    let mut network = Network::new(layers).expect("valid layers");
    let recorder = Recorder::new(EVERY, &MeanSquaredError, measured.x(), measured.y());
    let mut timed = Timed { recorder, last: Instant::now(), steps: Vec::new(), measurements: Vec::new() };
    Training::new(MeanSquaredError, Sgd::new(1e-4))
        .epochs(400)
        .batch_size(batch_size)
        .threads(1)
        .progress(false)
        .callback(&mut timed)
        .fit(&mut network, &data)
        .expect("training succeeds");
    let [step, measurement] = [timed.steps, timed.measurements].map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "{name}, {rows} rows, batches of {batch_size}: {:.2} % ({:.0} µs every {EVERY} steps of {:.0} µs)",
        100.0 * measurement / step / EVERY as f64,
        1e6 * measurement,
        1e6 * step
    );
}

fn main() {
    for (rows, batch_size) in [(16, 64), (64, 64), (256, 64), (256, 256)] {
        compare::<f32>("f32", rows, batch_size);
        compare::<f64>("f64", rows, batch_size);
    }
}
