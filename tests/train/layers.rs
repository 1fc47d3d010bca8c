//! Normalisation, dropout and small batches in training.

use geartrain::error::LayerProblem;
use geartrain::layers::*;
use geartrain::network::Workspace;
use geartrain::prelude::*;
use ndarray::{Array2, Axis, array};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::support::*;

fn with_batch_norm() -> Network<f64> {
    let layers = Sequential::new().then(Linear::new(1, 4)).then(BatchNorm::new(4)).then(Linear::new(4, 1));
    Network::new(layers).unwrap()
}

#[test]
fn a_last_batch_of_one_row_joins_the_batch_before_it() {
    for rows in [9, 17, 33] {
        let (data, mut network) = (sine(rows), with_batch_norm());
        let history = training(Sgd::new(0.05)).batch_size(8).fit(&mut network, &data).unwrap();
        assert!(history.train_losses().iter().all(|loss| loss.is_finite()), "{rows} rows");
        assert!(network.params().iter().all(|p| p.is_finite()), "{rows} rows");
    }
    // With a batch size of one, no batch can be joined: an error before the first step.
    let (mut network, data) = (with_batch_norm(), sine(9));
    let before = network.params().to_vec();
    let error = training(Sgd::new(0.05)).batch_size(1).fit(&mut network, &data).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 1 (BatchNorm(4)): needs at least 2 rows in a batch to train on, got 1"
    );
    assert_eq!(network.params(), before);
    // Without batch normalisation, a batch of one row is valid.
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    training(Sgd::new(0.05)).batch_size(1).fit(&mut network, &data).unwrap();
}

#[test]
fn batch_norm_refuses_to_train_on_one_row() {
    let body = Sequential::new().then(BatchNorm::new(2)).then(Tanh);
    let layers = Sequential::new().then(Linear::new(1, 2)).then(Residual::new(body)).then(Linear::new(2, 1));
    let network = Network::<f64>::new(layers).unwrap();
    assert_eq!(network.min_batch_size(), 2);
    let one = array![[1.0]];
    match network.loss_and_gradients(&MeanSquaredError, &one, &one) {
        Err(Error::Layer { path, problem: LayerProblem::SmallBatch { needs: 2, rows: 1 }, .. }) => {
            assert_eq!(path, "1.body.0");
        }
        other => panic!("{other:?}"),
    }
    assert!(network.predict(&one).is_ok());
    // No network can be trained on zero rows: the mean is NaN.
    let (network, none) = (Network::<f64>::new(Linear::new(1, 1)).unwrap(), Array2::zeros((0, 1)));
    assert!(network.loss_and_gradients(&MeanSquaredError, &none, &none).is_err());
}

#[test]
fn batch_norm_before_training_predicts_with_mean_0_and_variance_1() {
    let network = Network::new(BatchNorm::new(2)).unwrap();
    let x = array![[3.0, -4.0]];
    assert_eq!(network.predict(&x).unwrap(), &x / (1.0_f64 + 1e-5).sqrt());
}

#[test]
fn layer_norm_of_one_feature_is_its_bias() {
    let mut network = Network::new(LayerNorm::new(1)).unwrap();
    network.set_param("weight", &[3.0]).unwrap();
    network.set_param("bias", &[0.25]).unwrap();
    let x = array![[1.0], [-7.3], [1e15]];
    assert_eq!(network.predict(&x).unwrap(), Array2::from_elem((3, 1), 0.25));
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &array![[0.0], [1.0], [2.0]]).unwrap();
    assert_eq!(pass.grad_input, Array2::<f64>::zeros((3, 1)));
    assert_eq!(pass.grads[0], 0.0);
}

#[test]
fn constant_rows_and_columns_are_normalised_to_exactly_0() {
    fn check<F: Scalar>(value: f64, count: usize) {
        let row = Array2::from_elem((2, count), F::of(value));
        let zero = Array2::zeros((2, count));
        let y = Network::new(LayerNorm::new(count)).unwrap().predict(&row).unwrap();
        assert_eq!(y, zero, "a row of {count} times {value}");
        let columns = Array2::from_elem((count.max(2), 2), F::of(value));
        let network = Network::new(BatchNorm::new(2)).unwrap();
        let mut workspace = Workspace::new();
        let pass = network.loss_and_gradients(&MeanSquaredError, &columns, &columns).unwrap();
        assert_eq!(pass.output, Array2::zeros(columns.dim()), "a column of {count} times {value}");
        assert!(pass.grads.iter().chain(&pass.grad_input).all(|g| g.is_finite()), "{value}");
        // and the running mean is the constant
        let mut network = Network::new(BatchNorm::new(2).momentum(1.0)).unwrap();
        network.gradients(&MeanSquaredError, &columns, &columns, &mut workspace, None).unwrap();
        network.update_running_stats(&mut workspace).unwrap();
        assert!(network.param("running_mean").unwrap().iter().all(|&mean| mean == F::of(value)), "{value}");
        assert!(network.param("running_var").unwrap().iter().all(|&variance| variance == F::zero()));
    }
    // The mean of 0.1s is not exactly 0.1, and large numbers use all digits of f32.
    let values = [0.0, 0.1, -3.7, 1000.1, 1234.1, 123_456.7, -7e7 / 3.0, 1e8, 3e20, 1e-20];
    for (value, count) in
        values.into_iter().flat_map(|v| [1, 3, 7, 8, 100, 143, 256, 1001, 4096].map(|n| (v, n)))
    {
        check::<f32>(value, count);
        check::<f64>(value, count);
    }
}

#[test]
fn a_large_mean_and_a_small_spread_lose_no_digits_in_single_precision() {
    // (x − 40001.5) / √(1.25 + 1e-5)
    let x = array![[40000.0_f32, 40001.0, 40002.0, 40003.0]];
    let expected = [-1.341_635_4, -0.447_211_8, 0.447_211_8, 1.341_635_4];
    let y = Network::new(LayerNorm::new(4)).unwrap().predict(&x).unwrap();
    assert!(y.iter().zip(expected).all(|(y, e): (&f32, f32)| (y - e).abs() < 1e-6), "{y}");

    // 1024 numbers like air pressures, time stamps and ids: what f64 makes of the same numbers.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let normal: Array2<f64> = Array2::from_shape_simple_fn((1024, 3), || StandardNormal.sample(&mut rng));
    for (mean, scale) in [(101_325.0, 3.0), (-16_000_000.0, 40.0), (2.4e6, 0.5), (5.0, 1e-3), (0.0, 1.0)] {
        let x = normal.mapv(|x: f64| (mean + scale * x) as f32);
        let wide = x.mapv(f64::from);
        let layers = |x: &Array2<f32>| {
            let rows = x.nrows();
            let norm = Network::<f32>::new(LayerNorm::new(rows)).unwrap().predict(&x.t()).unwrap();
            let batch = Network::<f32>::new(BatchNorm::new(x.ncols())).unwrap();
            let batch = batch.loss_and_gradients(&MeanSquaredError, x, x).unwrap().output;
            (norm.reversed_axes(), batch)
        };
        let exact = &wide - &wide.mean_axis(Axis(0)).unwrap();
        let exact = &exact / &exact.pow2().mean_axis(Axis(0)).unwrap().mapv(|v| (v + 1e-5).sqrt());
        let (rows, columns) = layers(&x);
        for (name, got) in [("LayerNorm", rows), ("BatchNorm", columns)] {
            let error = (&got.mapv(f64::from) - &exact).iter().fold(0.0, |max: f64, e| max.max(e.abs()));
            // A sum of 1024 squares in f32 is right to 1024 · 2⁻²⁵ = 3e-5 of itself.
            assert!(error < 3e-5, "{name} of {mean} ± {scale}: {error:e}");
        }
    }
}

#[test]
fn a_large_mean_keeps_the_variance_accurate() {
    // The one-pass formula mean(x²) − mean(x)² would lose every digit.
    let x: Array2<f64> = array![[1e9, 1.0], [1e9 + 1.0, 2.0], [1e9 + 2.0, 3.0]];
    let y = Network::new(BatchNorm::new(2)).unwrap();
    let y = y.loss_and_gradients(&MeanSquaredError, &x, &x).unwrap().output;
    assert!((&y.column(0) - &y.column(1)).iter().all(|difference: &f64| difference.abs() < 1e-12), "{y}");
    let rows = Network::new(LayerNorm::new(3)).unwrap().predict(&x.t()).unwrap();
    assert!((&rows.row(0) - &rows.row(1)).iter().all(|difference: &f64| difference.abs() < 1e-12), "{rows}");
}

#[test]
fn running_statistics_that_overflow_are_an_error_and_change_nothing() {
    let mut network = Network::new(BatchNorm::new(1)).unwrap();
    let (x, mut workspace) = (array![[1e200], [-1e200]], Workspace::new());
    assert!(matches!(network.update_running_stats(&mut workspace), Err(Error::NoTrainingPass)));
    let zero = Array2::zeros((2, 1));
    network.gradients(&MeanSquaredError, &x, &zero, &mut workspace, None).unwrap();
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
        match Network::<f64>::with_inputs(Sequential::new().then(Dropout::new(bad)), 3) {
            Err(Error::Layer { path, problem: LayerProblem::Argument { argument: "p", .. }, .. }) => {
                assert_eq!(path, "0")
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
    let network = Network::with_inputs(Dropout::new(1.0), 3).unwrap();
    let x = array![[1.0, -2.0, 3.0]];
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &x).unwrap();
    assert_eq!(pass.output, Array2::<f64>::zeros((1, 3)));
    assert_eq!(pass.grad_input, Array2::<f64>::zeros((1, 3)));
}

#[test]
fn a_negative_standard_deviation_is_an_error() {
    for bad in BAD {
        let result = Network::<f64>::new(Linear::new(2, 2).init(Init::normal(bad)));
        assert_argument(result.map(drop), "standard deviation");
    }
}

#[test]
fn layer_arguments_outside_their_domain_are_errors() {
    let refused = |layers: Sequential<f64>| match Network::with_inputs(layers, 2) {
        Err(Error::Layer { problem: LayerProblem::Argument { argument, .. }, .. }) => argument,
        other => panic!("{other:?}"),
    };
    let new = Sequential::new;
    assert_eq!(refused(new().then(LayerNorm::new(0))), "features");
    assert_eq!(refused(new().then(BatchNorm::new(0))), "features");
    for bad in [0.0, -1e-5, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(new().then(LayerNorm::new(2).eps(bad))), "eps");
        assert_eq!(refused(new().then(RMSNorm::new(2).eps(bad))), "eps");
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
