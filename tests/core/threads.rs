//! The number of threads changes how long a step takes, and nothing else.

use geartrain::data::Dataset;
use geartrain::layers::SiLU;
use geartrain::network::Workspace;
use geartrain::prelude::*;
use geartrain::with_threads;
use ndarray::Array2;

fn numbers<F: Scalar>(rows: usize, columns: usize) -> Array2<F> {
    Array2::from_shape_fn((rows, columns), |(i, j)| F::of(((i * 131 + j * 71) % 257) as f64 / 74.0 - 1.7))
}

/// A network with products that are split by columns, by rows, and not at all.
fn network<F: Scalar>() -> Network<F> {
    let block = Sequential::new().then(Linear::new(193, 193)).then(Sigmoid);
    let layers = Sequential::new()
        .then(Linear::new(70, 193))
        .then(Tanh)
        .then(Residual::new(block))
        .then(Linear::new(193, 33))
        .then(ReLU)
        .then(Linear::new(33, 1));
    Network::new(layers).unwrap()
}

fn same_bits_for_any_number_of_threads<F: Scalar>() {
    let data = Dataset::new(numbers::<F>(1500, 70), numbers(1500, 1)).unwrap();
    let trained = |threads: usize| {
        let mut network = network::<F>();
        let mut training = Training::new(MeanSquaredError, Sgd::new(0.01).momentum(0.5)).threads(threads);
        training = training.epochs(2).batch_size(700).progress(false);
        let history = training.fit(&mut network, &data).unwrap();
        let predicted = with_threads(threads, || network.predict(data.x())).unwrap();
        (history.train_losses(), network.params().to_vec(), predicted)
    };
    let one = trained(1);
    assert!(one.1 != network::<F>().params(), "training changes the weights");
    for threads in [2, 3, 8] {
        assert!(trained(threads) == one, "{threads} threads");
    }
}

#[test]
fn training_is_the_same_for_any_number_of_threads() {
    same_bits_for_any_number_of_threads::<f32>();
    same_bits_for_any_number_of_threads::<f64>();
}

/// Deep chains of layers, whose batches are divided by rows.
fn same_bits_of_rows_in_parts<F: Scalar>(widths: &[usize], rows: usize, ends_with_tanh: bool) {
    let mut layers = Sequential::new();
    for (i, pair) in widths.windows(2).enumerate() {
        let linear = Linear::new(pair[0], pair[1]);
        let linear = if i % 3 == 1 { linear.without_bias() } else { linear };
        layers = match i % 4 {
            0 => layers.then(linear).then(Tanh),
            1 => layers.then(linear).then(ReLU).then(Sigmoid),
            2 => layers.then(Sequential::new().then(linear)),
            _ => layers.then(linear).then(SiLU),
        };
    }
    let layers = if ends_with_tanh {
        layers.then(Tanh)
    } else {
        layers.then(Linear::new(widths[widths.len() - 1], 1))
    };
    let network = Network::<F>::new(layers).unwrap().with_seed(3);
    let (x, target) = (numbers(rows, widths[0]), numbers(rows, network.outputs()));
    let gradients = |threads: usize, workspace: &mut Workspace<F>| {
        let pass = || network.gradients(&MeanSquaredError, &x, &target, workspace, None);
        let loss = with_threads(threads, pass).unwrap();
        (loss, workspace.grads.to_vec())
    };
    let one = gradients(1, &mut Workspace::new());
    assert!(one.1.iter().all(|grad| grad.is_finite()) && one.1.iter().any(|&grad| grad != F::zero()));
    let mut workspace = Workspace::new();
    for threads in [2, 3, 8, 2] {
        assert!(gradients(threads, &mut workspace) == one, "{widths:?}, {rows} rows, {threads} threads");
    }
}

#[test]
fn rows_in_parts_have_the_bits_of_the_whole_batch() {
    for (widths, rows) in [
        (vec![128; 12], 64),
        (vec![7, 150, 131, 97, 129, 150, 33, 65, 1, 200, 2, 300, 300, 300], 75),
        (vec![784, 128, 64, 10], 128),
        (vec![1, 257, 255, 256, 1], 100),
    ] {
        for ends_with_tanh in [false, true] {
            same_bits_of_rows_in_parts::<f32>(&widths, rows, ends_with_tanh);
            same_bits_of_rows_in_parts::<f64>(&widths, rows, ends_with_tanh);
        }
    }
}

/// Residual blocks with a scale, inside each other, at the input and at the output.
fn same_bits_of_residual_blocks_in_parts<F: Scalar>(rows: usize, begins_with_block: bool, ends_linear: bool) {
    let branch = || Sequential::new().then(Linear::new(128, 90)).then(Tanh).then(Linear::new(90, 128));
    let nested = Sequential::new().then(Residual::new(branch()).scale(-0.3)).then(Residual::new(branch()));
    let mut layers = Sequential::new();
    if !begins_with_block {
        layers = layers.then(Linear::new(128, 128)).then(ReLU);
    }
    for block in [branch(), nested.clone(), branch().then(SiLU), nested.then(Linear::new(128, 128))] {
        layers = layers.then(Residual::new(block)).then(Residual::new(branch()).scale(0.5));
    }
    if ends_linear {
        layers = layers.then(Tanh).then(Linear::new(128, 3));
    }
    let network = Network::<F>::new(layers).unwrap().with_seed(3);
    let (x, target) = (numbers(rows, 128), numbers(rows, network.outputs()));
    let gradients = |threads: usize, workspace: &mut Workspace<F>| {
        let pass = || network.gradients(&MeanSquaredError, &x, &target, workspace, None);
        let loss = with_threads(threads, pass).unwrap();
        (loss, workspace.grads.to_vec())
    };
    let one = gradients(1, &mut Workspace::new());
    let mut workspace = Workspace::new();
    for threads in [2, 3, 8, 2] {
        assert!(gradients(threads, &mut workspace) == one, "{rows} rows, {threads} threads");
    }
}

#[test]
fn residual_blocks_in_parts_have_the_bits_of_the_whole_batch() {
    for (rows, begins_with_block, ends_linear) in [(64, false, true), (75, true, true), (75, true, false)] {
        same_bits_of_residual_blocks_in_parts::<f32>(rows, begins_with_block, ends_linear);
        same_bits_of_residual_blocks_in_parts::<f64>(rows, begins_with_block, ends_linear);
    }
}

#[test]
fn no_threads_are_refused() {
    let data = Dataset::new(numbers::<f32>(5, 70), numbers(5, 1)).unwrap();
    let error = Training::new(MeanSquaredError, Sgd::new(0.01)).threads(0).fit(&mut network(), &data);
    assert_eq!(error.unwrap_err().to_string(), "threads must be at least 1, got 0");
}
