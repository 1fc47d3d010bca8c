//! Prepared predictions: the bits of `predict`, with shapes checked.

use geartrain::layers::{LayerNorm, Softmax};
use geartrain::prelude::*;
use ndarray::{Array2, s};

fn numbers<F: Scalar>(rows: usize, columns: usize) -> Array2<F> {
    Array2::from_shape_fn((rows, columns), |(i, j)| F::of(((i * 131 + j * 71) % 257) as f64 / 74.0 - 1.7))
}

fn has_the_bits_of_predict<F: Scalar>() {
    for width in [1, 3, 4, 8, 10, 50, 65, 300] {
        let inside = Sequential::new().then(Linear::new(width, width)).then(LayerNorm::new(width));
        let layers = Sequential::new()
            .then(Linear::new(7, width))
            .then(BatchNorm::new(width))
            .then(Sequential::new().then(Tanh).then(Dropout::new(0.5)))
            .then(Residual::new(inside))
            .then(Linear::new(width, 3))
            .then(Softmax);
        let network = Network::<F>::new(layers).unwrap().with_seed(width as u64);
        for rows in [0, 1, 2, 33] {
            let mut prepared = network.prepare(rows);
            for start in 0..3 {
                let x = numbers(rows + 3, 7);
                let x = x.slice(s![start..start + rows, ..]);
                assert_eq!(prepared.predict(&x).unwrap(), network.predict(&x).unwrap());
            }
        }
        let (mut prepared, x) = (network.prepare(1), numbers::<F>(1, 7));
        assert_eq!(
            prepared.predict_row(x.as_slice().unwrap()).unwrap(),
            network.predict(&x).unwrap().row(0).as_slice().unwrap()
        );
    }
}

/// Of each row alone and of all rows together.
fn rows_have_the_bits_of_a_batch<F: Scalar>() {
    for width in (1..=70).chain([127, 128, 129, 255, 256, 257, 300, 513]) {
        let layers = Sequential::new()
            .then(Linear::new(7, width))
            .then(ReLU)
            .then(Linear::new(width, width / 2 + 1).without_bias())
            .then(ReLU)
            .then(ReLU)
            .then(Linear::new(width / 2 + 1, 2))
            .then(Tanh)
            .then(Linear::new(2, 1));
        let network = Network::<F>::new(layers).unwrap().with_seed(width as u64);
        let (x, mut prepared) = (numbers::<F>(9, 7), network.prepare(1));
        let expected = network.predict(&x).unwrap();
        for (x, expected) in x.rows().into_iter().zip(expected.rows()) {
            assert_eq!(prepared.predict_row(x.as_slice().unwrap()).unwrap(), expected.as_slice().unwrap());
            let alone = network.predict(&x.insert_axis(ndarray::Axis(0))).unwrap();
            assert_eq!(alone.row(0), expected, "{width}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_a_batch() {
    rows_have_the_bits_of_a_batch::<f32>();
    rows_have_the_bits_of_a_batch::<f64>();
}

#[test]
fn a_prepared_prediction_has_the_bits_of_predict() {
    has_the_bits_of_predict::<f32>();
    has_the_bits_of_predict::<f64>();
}

#[test]
fn threads_prepare_one_network_each_for_itself() {
    let network = Network::<f32>::new(Sequential::new().then(Linear::new(7, 30)).then(ReLU)).unwrap();
    let (x, expected) = (numbers(1, 7), network.predict(&numbers(1, 7)).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut prepared = network.prepare(1);
                (0..100).for_each(|_| assert_eq!(prepared.predict(&x).unwrap(), expected));
            });
        }
    });
}

#[test]
fn another_shape_is_refused() {
    let network = Network::<f64>::new(Linear::new(3, 2)).unwrap();
    let mut prepared = network.prepare(2);
    for (rows, columns) in [(1, 3), (3, 3), (2, 2)] {
        let error = prepared.predict(&Array2::zeros((rows, columns))).unwrap_err().to_string();
        assert!(error.contains("x") && error.contains("(2, 3)"), "{error}");
    }
    assert!(prepared.predict_row(&[1.0, 2.0, 3.0]).is_err());
    assert!(network.prepare(1).predict_row(&[1.0, 2.0]).is_err());
    // Without a layer, the network is the identity.
    let identity = Network::<f64>::with_inputs(Sequential::new(), 2).unwrap();
    assert_eq!(identity.prepare(1).predict_row(&[1.0, 2.0]).unwrap(), [1.0, 2.0]);
}
