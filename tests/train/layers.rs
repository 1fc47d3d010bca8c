//! Layers and batches that need care in training.

use geartrain::layers::*;
use geartrain::prelude::*;
use geartrain::{LayerProblem, Workspace};
use ndarray::{Array2, array};

use crate::support::*;

fn with_batch_norm() -> Network<f64> {
    let layers = Sequential::new().then(Linear::new(1, 4)).then(BatchNorm::new(4)).then(Linear::new(4, 1));
    Network::new(layers, 1).unwrap()
}

#[test]
fn a_last_batch_of_one_row_joins_the_batch_before_it() {
    for rows in [9, 17, 33] {
        let (data, mut network) = (sine(rows), with_batch_norm());
        let history = training(Sgd::new(0.05)).batch_size(8).fit(&mut network, &data).unwrap();
        assert!(history.train_losses().iter().all(|loss| loss.is_finite()), "{rows} rows");
        assert!(network.params().iter().all(|p| p.is_finite()), "{rows} rows");
    }
    // A batch size of one leaves nothing to join, and is refused before the first step.
    let (mut network, data) = (with_batch_norm(), sine(9));
    let before = network.params().to_vec();
    let error = training(Sgd::new(0.05)).batch_size(1).fit(&mut network, &data).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 1 (BatchNorm(4)): needs at least 2 rows in a batch to train on, got 1"
    );
    assert_eq!(network.params(), before);
    // Without batch normalisation one row is a batch like any other.
    let mut network = Network::new(Linear::new(1, 1), 1).unwrap();
    training(Sgd::new(0.05)).batch_size(1).fit(&mut network, &data).unwrap();
}

#[test]
fn batch_norm_refuses_to_train_on_one_row() {
    let body = Sequential::new().then(BatchNorm::new(2)).then(Tanh);
    let layers = Sequential::new().then(Linear::new(1, 2)).then(Residual::new(body)).then(Linear::new(2, 1));
    let network = Network::<f64>::new(layers, 1).unwrap();
    assert_eq!(network.min_batch_size(), 2);
    let one = array![[1.0]];
    match network.loss_and_gradients(&MeanSquaredError, one.view(), one.view()) {
        Err(Error::Layer { path, problem: LayerProblem::SmallBatch { needs: 2, rows: 1 }, .. }) => {
            assert_eq!(path, "1.body.0");
        }
        other => panic!("{other:?}"),
    }
    assert!(network.predict(one.view()).is_ok());
    // No network can be trained on no rows: the mean of nothing is NaN.
    let (network, none) = (Network::<f64>::new(Linear::new(1, 1), 1).unwrap(), Array2::zeros((0, 1)));
    assert!(network.loss_and_gradients(&MeanSquaredError, none.view(), none.view()).is_err());
}

#[test]
fn batch_norm_before_training_predicts_with_mean_0_and_variance_1() {
    let network = Network::new(BatchNorm::new(2), 2).unwrap();
    let x = array![[3.0, -4.0]];
    assert_eq!(network.predict(x.view()).unwrap(), &x / (1.0_f64 + 1e-5).sqrt());
}

#[test]
fn layer_norm_of_one_feature_is_its_bias() {
    let mut network = Network::new(LayerNorm::new(1), 1).unwrap();
    network.set_param("weight", &[3.0]).unwrap();
    network.set_param("bias", &[0.25]).unwrap();
    let x = array![[1.0], [-7.3], [1e15]];
    assert_eq!(network.predict(x.view()).unwrap(), Array2::from_elem((3, 1), 0.25));
    let pass =
        network.loss_and_gradients(&MeanSquaredError, x.view(), array![[0.0], [1.0], [2.0]].view()).unwrap();
    assert_eq!(pass.grad_input, Array2::<f64>::zeros((3, 1)));
    assert_eq!(pass.grads[0], 0.0);
}

#[test]
fn constant_columns_and_rows_are_normalised_to_the_bias() {
    // 0.1 summed and divided is not 0.1 again, and 1e8 has no digits to spare in f32.
    for value in [0.0_f32, 0.1, -3.7, 1e8] {
        let x = Array2::from_elem((7, 3), value);
        let layers: [Sequential<f32>; 2] =
            [Sequential::new().then(LayerNorm::new(3)), Sequential::new().then(BatchNorm::new(3))];
        for layers in layers {
            let network = Network::new(layers, 3).unwrap();
            let pass = network.loss_and_gradients(&MeanSquaredError, x.view(), x.view()).unwrap();
            assert!(pass.output.iter().all(|y| y.abs() < 0.01), "{value}: {}", pass.output);
            assert!(pass.grads.iter().chain(&pass.grad_input).all(|g| g.is_finite()), "{value}");
        }
    }
}

#[test]
fn a_large_mean_keeps_the_variance_accurate() {
    // The one-pass formula mean(x²) − mean(x)² would be left without a digit.
    let x: Array2<f64> = array![[1e9, 1.0], [1e9 + 1.0, 2.0], [1e9 + 2.0, 3.0]];
    let y = Network::new(BatchNorm::new(2), 2).unwrap();
    let y = y.loss_and_gradients(&MeanSquaredError, x.view(), x.view()).unwrap().output;
    assert!((&y.column(0) - &y.column(1)).iter().all(|difference: &f64| difference.abs() < 1e-12), "{y}");
    let rows = Network::new(LayerNorm::new(3), 3).unwrap().predict(x.t()).unwrap();
    assert!((&rows.row(0) - &rows.row(1)).iter().all(|difference: &f64| difference.abs() < 1e-12), "{rows}");
}

#[test]
fn running_statistics_that_overflow_are_an_error_and_change_nothing() {
    let mut network = Network::new(BatchNorm::new(1), 1).unwrap();
    let (x, mut workspace) = (array![[1e200], [-1e200]], Workspace::new());
    assert!(matches!(network.update_running_stats(&mut workspace), Err(Error::NoTrainingPass)));
    let zero = Array2::zeros((2, 1));
    network.gradients(&MeanSquaredError, x.view(), zero.view(), &mut workspace, None).unwrap();
    let before = network.params().to_vec();
    match network.update_running_stats(&mut workspace) {
        Err(Error::NonFinite { name, .. }) => assert_eq!(name, "running_var"),
        other => panic!("{other:?}"),
    }
    assert_eq!(network.params(), before);
}

#[test]
fn dropout_accepts_probabilities_only_and_1_gives_zeros() {
    for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        match Network::<f64>::new(Sequential::new().then(Dropout::new(bad)), 3) {
            Err(Error::Layer { path, problem: LayerProblem::Argument { argument: "p", .. }, .. }) => {
                assert_eq!(path, "0")
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
    let network = Network::new(Dropout::new(1.0), 3).unwrap();
    let x = array![[1.0, -2.0, 3.0]];
    let pass = network.loss_and_gradients(&MeanSquaredError, x.view(), x.view()).unwrap();
    assert_eq!(pass.output, Array2::<f64>::zeros((1, 3)));
    assert_eq!(pass.grad_input, Array2::<f64>::zeros((1, 3)));
}

#[test]
fn a_negative_standard_deviation_is_an_error() {
    for bad in BAD {
        let result = Network::<f64>::new(Linear::new(2, 2).init(Init::normal(bad)), 2);
        assert_argument(result.map(drop), "standard deviation");
    }
}

#[test]
fn layer_arguments_outside_their_domain_are_errors() {
    let refused = |layers: Sequential<f64>| match Network::new(layers, 2) {
        Err(Error::Layer { problem: LayerProblem::Argument { argument, .. }, .. }) => argument,
        other => panic!("{other:?}"),
    };
    let new = Sequential::new;
    assert_eq!(refused(new().then(LayerNorm::new(0))), "features");
    assert_eq!(refused(new().then(BatchNorm::new(0))), "features");
    for bad in [0.0, -1e-5, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(new().then(LayerNorm::new(2).eps(bad))), "eps");
        assert_eq!(refused(new().then(BatchNorm::new(2).eps(bad))), "eps");
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        assert_eq!(refused(new().then(BatchNorm::new(2).momentum(bad))), "momentum");
    }
    for bad in [f64::NAN, f64::INFINITY] {
        assert_eq!(refused(new().then(LeakyReLU::new(bad))), "negative_slope");
        assert_eq!(refused(new().then(ELU::new(bad))), "alpha");
    }
}
