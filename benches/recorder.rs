//! The cost of `lab::Recorder` and `lab::Monitor` in training: one measurement of 16, 64 or 256
//! rows every 100 steps on batches of 64 rows, and of 256 rows on batches of 256; the monitor at
//! its default interval, in small, deep and wide networks.
//!
//! Run with `cargo bench -p geartrain-benches --bench recorder`. Steps and measurements are timed
//! one by one and their medians compared, so that interruptions by other programs affect few of
//! them.

use std::time::Instant;

use geartrain::data::toy;
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, StepEnd};
use geartrain_lab::{Monitor, Recorder};

const EVERY: u64 = 100;

struct Timed<C> {
    callback: C,
    every: u64,
    /// The end of the last step or measurement.
    last: Instant,
    steps: Vec<f64>,
    measurements: Vec<f64>,
}

impl<F: Scalar, C: Callback<F>> Callback<F> for Timed<C> {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, F>) -> CallbackResult {
        self.steps.push(self.last.elapsed().as_secs_f64());
        let start = Instant::now();
        let flow = self.callback.on_step_end(step);
        if step.step.is_multiple_of(self.every) {
            self.measurements.push(start.elapsed().as_secs_f64());
        }
        self.last = Instant::now();
        flow
    }
}

fn network<F: Scalar>(depth: usize, width: usize) -> Network<F> {
    let block = |net: Sequential<F>, i| {
        net.then(Linear::new(if i == 0 { 10 } else { width }, width).init(Init::he_normal())).then(ReLU)
    };
    Network::new((0..depth).fold(Sequential::new(), block).then(Linear::new(width, 1))).expect("valid layers")
}

/// Trains with `callback`, which measures every `every` steps, and prints the cost.
fn compare<F: Scalar>(
    name: &str,
    network: &Network<F>,
    batch_size: usize,
    every: u64,
    callback: impl Callback<F>,
) {
    // eight steps an epoch
    let data = toy::friedman1::<F>(8 * batch_size, 1.0, 1).expect("a toy set");
    let mut timed =
        Timed { callback, every, last: Instant::now(), steps: Vec::new(), measurements: Vec::new() };
    Training::new(MeanSquaredError, Sgd::new(1e-4))
        .epochs((4 * every as usize).div_ceil(8))
        .batch_size(batch_size)
        .threads(1)
        .progress(false)
        .callback(&mut timed)
        .fit(&mut network.clone(), &data)
        .expect("training succeeds");
    let [step, measurement] = [timed.steps, timed.measurements].map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "{name}, batches of {batch_size}: {:.2} % ({:.0} µs every {every} steps of {:.0} µs)",
        100.0 * measurement / step / every as f64,
        1e6 * measurement,
        1e6 * step
    );
}

/// The default interval of [`Monitor`], as documented there.
fn interval(rows: usize, batch_size: usize) -> u64 {
    ((36.0 * rows as f64 / batch_size as f64 + 68.0) / 0.05).ceil() as u64
}

fn main() {
    for (rows, batch_size) in [(16, 64), (64, 64), (256, 64), (256, 256)] {
        let measured = toy::friedman1::<f32>(rows, 1.0, 2).expect("a toy set");
        let (x, y) = (measured.x(), measured.y());
        let deep = network::<f32>(10, 64);
        let recorder = Recorder::new(EVERY, &MeanSquaredError, x, y);
        compare(&format!("recorder, {rows} rows"), &deep, batch_size, EVERY, recorder);
        for (depth, width) in [(2, 32), (10, 64), (3, 256)] {
            let name = format!("monitor, {depth} layers of {width}, {rows} rows");
            let (network, every) = (network::<f32>(depth, width), interval(rows, batch_size));
            compare(&name, &network, batch_size, every, Monitor::new(&MeanSquaredError, x, y));
        }
        let measured = toy::friedman1::<f64>(rows, 1.0, 2).expect("a toy set");
        let monitor = Monitor::new(&MeanSquaredError, measured.x(), measured.y());
        let (name, every) = (format!("monitor, f64, {rows} rows"), interval(rows, batch_size));
        compare(&name, &network::<f64>(10, 64), batch_size, every, monitor);
    }
}
