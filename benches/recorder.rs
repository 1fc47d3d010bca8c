//! The cost of `lab::Recorder` and `lab::Monitor` in training: one measurement of 16, 64 or 256
//! rows every 100 steps on batches of 64 rows, and of 256 rows on batches of 256; the monitor at
//! its default interval. And the cost of a Hessian-vector product in gradients.
//!
//! Run with `cargo bench -p geartrain-benches --bench recorder`. Steps and measurements are timed
//! one by one and their medians compared, so that interruptions by other programs affect few of
//! them.

use std::time::Instant;

use geartrain::data::toy;
use geartrain::network::Workspace;
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

/// Ten layers of 64 units.
fn network<F: Scalar>() -> Network<F> {
    let block = |net: Sequential<F>, i| {
        net.then(Linear::new(if i == 0 { 10 } else { 64 }, 64).init(Init::he_normal())).then(ReLU)
    };
    Network::new((0..10).fold(Sequential::new(), block).then(Linear::new(64, 1))).expect("valid layers")
}

/// Trains with `callback`, which measures every `every` steps, and prints the cost.
fn compare<F: Scalar>(name: &str, batch_size: usize, every: u64, callback: impl Callback<F>) {
    // eight steps an epoch
    let data = toy::friedman1::<F>(8 * batch_size, 1.0, 1).expect("a toy set");
    let mut timed =
        Timed { callback, every, last: Instant::now(), steps: Vec::new(), measurements: Vec::new() };
    Training::new(MeanSquaredError, Sgd::new(1e-4))
        .epochs(400)
        .batch_size(batch_size)
        .threads(1)
        .progress(false)
        .callback(&mut timed)
        .fit(&mut network(), &data)
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

/// The cost of a Hessian-vector product in gradients.
fn product<F: Scalar>(name: &str, widths: &[usize], rows: usize) {
    let layer = |net: Sequential<F>, pair: &[usize]| net.then(Linear::new(pair[0], pair[1])).then(Tanh);
    let network = Network::new(widths.windows(2).fold(Sequential::new(), layer)).expect("valid layers");
    let x = geartrain_lab::normal_batch::<F>(rows, widths[0], 1);
    let target = geartrain_lab::normal_batch::<F>(rows, widths[widths.len() - 1], 2);
    let mut workspace = Workspace::new();
    let (vector, mut product) = (network.params().to_vec(), network.params().to_vec());
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..60 {
        let start = Instant::now();
        network.gradients(&MeanSquaredError, &x, &target, &mut workspace, None).expect("a pass");
        let middle = Instant::now();
        network
            .hessian_vector_product(&MeanSquaredError, &x, &target, &vector, &mut workspace, &mut product)
            .expect("a product");
        times[0].push((middle - start).as_secs_f64());
        times[1].push(middle.elapsed().as_secs_f64());
    }
    let [gradient, product] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("{name}, {widths:?}, {rows} rows: a product costs {:.2} gradients", product / gradient);
}

fn main() {
    geartrain::with_threads(1, || {
        for widths in [&[64, 128, 128, 10][..], &[784, 256, 256, 10], &[10, 64, 64, 64, 64, 64, 1]] {
            product::<f32>("f32", widths, 128);
            product::<f64>("f64", widths, 128);
        }
    });
    for (rows, batch_size) in [(16, 64), (64, 64), (256, 64), (256, 256)] {
        let measured = toy::friedman1::<f32>(rows, 1.0, 2).expect("a toy set");
        let recorder = Recorder::new(EVERY, &MeanSquaredError, measured.x(), measured.y());
        compare(&format!("recorder, f32, {rows} rows"), batch_size, EVERY, recorder);
        // the default interval
        let every = (28.0 * rows as f64 / (0.04 * batch_size as f64)).ceil() as u64;
        let monitor = Monitor::new(&MeanSquaredError, measured.x(), measured.y());
        compare(&format!("monitor, f32, {rows} rows"), batch_size, every, monitor);
        let measured = toy::friedman1::<f64>(rows, 1.0, 2).expect("a toy set");
        let recorder = Recorder::new(EVERY, &MeanSquaredError, measured.x(), measured.y());
        compare(&format!("recorder, f64, {rows} rows"), batch_size, EVERY, recorder);
        let monitor = Monitor::new(&MeanSquaredError, measured.x(), measured.y());
        compare(&format!("monitor, f64, {rows} rows"), batch_size, every, monitor);
    }
}
