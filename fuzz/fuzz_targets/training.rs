#![no_main]
//! Bytes to a small network, a table and options: trained twice.
//!
//! Training returns a history or an error and never panics. After either, all weights are finite,
//! and both runs give the same bits, on one thread and on two.

use geartrain::data::Dataset;
use geartrain::loss::*;
use geartrain::optim::schedule::{Cosine, Exponential, ReduceOnPlateau, Step};
use geartrain::optim::{Adam, AdamW, Clip, Optimizer, RMSprop, Sgd};
use geartrain::train::EarlyStopping;
use geartrain::{Network, Training};
use geartrain_fuzz::{Choice, network};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;

#[derive(Debug, Arbitrary)]
struct Case {
    layers: Vec<Choice>,
    inputs: u8,
    outputs: u8,
    rows: u8,
    numbers: Vec<f32>,
    /// Integers from 0 to 3 instead of any number as targets: classes.
    classes: bool,
    loss: Task,
    optimizer: Rule,
    rate: f64,
    epochs: u8,
    batch_size: u8,
    seed: u64,
    schedule: Option<Rates>,
    clip: Option<Clipping>,
    early_stopping: Option<(u8, f64)>,
    validation: bool,
    weights: Option<Vec<f64>>,
    flush: bool,
}

#[derive(Debug, Arbitrary)]
enum Task {
    Squared,
    Absolute,
    Huber(f64),
    Binary,
    Classes(f64),
    Weighted,
}

#[derive(Debug, Arbitrary)]
enum Rule {
    Sgd { momentum: f64, decay: f64, nesterov: bool },
    Adam { betas: (f64, f64), eps: f64 },
    AdamW { decay: f64 },
    RMSprop { alpha: f64, centered: bool },
}

#[derive(Debug, Arbitrary)]
enum Rates {
    Step(u8, f64),
    Exponential(f64),
    Cosine(u8),
    Plateau(f64, u8),
}

#[derive(Debug, Arbitrary)]
enum Clipping {
    Norm(f64),
    Value(f64),
}

fn loss(task: &Task) -> Box<dyn Loss<f32>> {
    match task {
        Task::Squared => Box::new(MeanSquaredError),
        Task::Absolute => Box::new(MeanAbsoluteError),
        Task::Huber(delta) => Box::new(Huber::new(*delta)),
        Task::Binary => Box::new(BinaryCrossEntropyWithLogits),
        Task::Classes(smoothing) => Box::new(CrossEntropy.label_smoothing(*smoothing)),
        Task::Weighted => Box::new(SmoothL1::new(1.0)),
    }
}

fn optimizer(rule: &Rule, rate: f64) -> Box<dyn Optimizer<f32>> {
    match *rule {
        Rule::Sgd { momentum, decay, nesterov } => {
            Box::new(Sgd::new(rate).momentum(momentum).weight_decay(decay).nesterov(nesterov))
        }
        Rule::Adam { betas: (first, second), eps } => Box::new(Adam::new(rate).betas(first, second).eps(eps)),
        Rule::AdamW { decay } => Box::new(AdamW::new(rate).weight_decay(decay)),
        Rule::RMSprop { alpha, centered } => Box::new(RMSprop::new(rate).alpha(alpha).centered(centered)),
    }
}

/// A table that repeats `numbers`; half of them are scaled to ordinary sizes.
fn table(case: &Case, from: usize) -> Option<Dataset<f32>> {
    let (rows, inputs) = (usize::from(case.rows % 12), 1 + usize::from(case.inputs % 4));
    let number = |at: usize| match case.numbers.get((from + at) % case.numbers.len().max(1)) {
        Some(number) if number.to_bits() % 2 == 0 => *number,
        Some(number) => (number.to_bits() >> 8) as f32 / 2f32.powi(23) - 1.0,
        None => 0.5,
    };
    let outputs = if matches!(case.loss, Task::Classes(_)) { 1 } else { 1 + usize::from(case.outputs % 3) };
    let x = Array2::from_shape_fn((rows, inputs), |(r, c)| number(r * 7 + c));
    let y = Array2::from_shape_fn((rows, outputs), |(r, c)| {
        let y = number(r * 7 + c + 4);
        if case.classes { (y.to_bits() % 4) as f32 } else { y }
    });
    Dataset::new(x, y).ok()
}

fn train(
    case: &Case,
    data: &Dataset<f32>,
    validation: &Dataset<f32>,
    threads: usize,
) -> Option<(Network<f32>, String)> {
    let outputs = if matches!(case.loss, Task::Classes(_)) { 4 } else { data.outputs() };
    let mut network = network(&case.layers, data.features(), outputs).ok()?.with_seed(case.seed);
    let mut training = Training::new(loss(&case.loss), optimizer(&case.optimizer, case.rate))
        .epochs(usize::from(case.epochs % 4))
        .batch_size(usize::from(case.batch_size % 8))
        .seed(case.seed)
        .flush_subnormals(case.flush)
        .threads(threads)
        .progress(false);
    if let Some(schedule) = &case.schedule {
        training = match *schedule {
            Rates::Step(size, gamma) => training.schedule(Step::new(size.into(), gamma)),
            Rates::Exponential(gamma) => training.schedule(Exponential::new(gamma)),
            Rates::Cosine(epochs) => training.schedule(Cosine::new(epochs.into())),
            Rates::Plateau(factor, patience) => {
                training.schedule(ReduceOnPlateau::default().factor(factor).patience(patience.into()))
            }
        };
    }
    match case.clip {
        Some(Clipping::Norm(limit)) => training = training.clip(Clip::Norm(limit)),
        Some(Clipping::Value(limit)) => training = training.clip(Clip::Value(limit)),
        None => {}
    }
    if let Some((patience, min_delta)) = case.early_stopping {
        training =
            training.early_stopping(EarlyStopping::new(usize::from(patience % 3)).min_delta(min_delta));
    }
    if case.validation {
        training = training.validation(validation);
    }
    if let Some(weights) = &case.weights {
        training = training.sample_weights(weights);
    }
    let result = match training.fit(&mut network, data) {
        Ok(history) => {
            format!("{:?}", history.train_losses().iter().map(|loss| loss.to_bits()).collect::<Vec<_>>())
        }
        Err(error) => error.to_string(),
    };
    Some((network, result))
}

fuzz_target!(|case: Case| {
    let (Some(data), Some(validation)) = (table(&case, 0), table(&case, 3)) else { return };
    let Some((network, result)) = train(&case, &data, &validation, 1) else { return };
    assert!(network.params().iter().all(|weight| weight.is_finite()), "{result}");
    let (again, same) = train(&case, &data, &validation, 2).expect("it was built before");
    assert_eq!(result, same);
    assert!(network.params().iter().zip(again.params()).all(|(a, b)| a.to_bits() == b.to_bits()));
});
