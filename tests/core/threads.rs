//! The number of threads changes how long a step takes, and nothing else.

use geartrain::data::Dataset;
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

#[test]
fn no_threads_are_refused() {
    let data = Dataset::new(numbers::<f32>(5, 70), numbers(5, 1)).unwrap();
    let error = Training::new(MeanSquaredError, Sgd::new(0.01)).threads(0).fit(&mut network(), &data);
    assert_eq!(error.unwrap_err().to_string(), "threads must be at least 1, got 0");
}
