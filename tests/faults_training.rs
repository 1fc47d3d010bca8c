//! Bad inputs and faults in layers, losses, optimizers and training, and what happens then. The numbers are those of a list
//! of faults that users of other libraries ran into.

use geartrain::data::{Dataset, toy};
use geartrain::layers::*;
use geartrain::loss::*;
use geartrain::optim::schedule::*;
use geartrain::optim::{Adam, AdamW, Clip, Optimizer, RMSprop};
use geartrain::prelude::*;
use geartrain::{LayerProblem, Workspace};
use ndarray::{Array2, Axis, array};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

const BAD: [f64; 3] = [-1.0, f64::NAN, f64::INFINITY];

fn sine(rows: usize) -> Dataset<f64> {
    toy::sine(rows, 0.1, 1).unwrap()
}

fn with_batch_norm() -> Network<f64> {
    let layers = Sequential::new().then(Linear::new(1, 4)).then(BatchNorm::new(4)).then(Linear::new(4, 1));
    Network::new(layers, 1).unwrap()
}

fn training(sgd: Sgd<f64>) -> Training<'static, f64, MeanSquaredError, Sgd<f64>> {
    Training::new(MeanSquaredError, sgd).epochs(3).progress(false)
}

#[track_caller]
fn assert_argument(result: Result<(), Error>, expected: &str) {
    match result {
        Err(Error::Argument { argument, .. }) => assert_eq!(argument, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn fault_19_a_last_batch_of_one_row_joins_the_one_before_it() {
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
fn fault_20_batch_norm_cannot_be_trained_on_one_row() {
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
fn fault_21_batch_norm_before_training_predicts_with_mean_0_and_variance_1() {
    let network = Network::new(BatchNorm::new(2), 2).unwrap();
    let x = array![[3.0, -4.0]];
    assert_eq!(network.predict(x.view()).unwrap(), &x / (1.0_f64 + 1e-5).sqrt());
}

#[test]
fn fault_22_layer_norm_of_one_feature_is_its_bias() {
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
fn constant_rows_and_columns_are_normalised_to_exactly_0() {
    fn check<F: Scalar>(value: f64, count: usize) {
        let row = Array2::from_elem((2, count), F::of(value));
        let zero = Array2::zeros((2, count));
        let y = Network::new(LayerNorm::new(count), count).unwrap().predict(row.view()).unwrap();
        assert_eq!(y, zero, "a row of {count} times {value}");
        let columns = Array2::from_elem((count.max(2), 2), F::of(value));
        let network = Network::new(BatchNorm::new(2), 2).unwrap();
        let mut workspace = Workspace::new();
        let pass = network.loss_and_gradients(&MeanSquaredError, columns.view(), columns.view()).unwrap();
        assert_eq!(pass.output, Array2::zeros(columns.dim()), "a column of {count} times {value}");
        assert!(pass.grads.iter().chain(&pass.grad_input).all(|g| g.is_finite()), "{value}");
        // and the running mean is the constant
        let mut network = Network::new(BatchNorm::new(2).momentum(1.0), 2).unwrap();
        network.gradients(&MeanSquaredError, columns.view(), columns.view(), &mut workspace, None).unwrap();
        network.update_running_stats(&mut workspace).unwrap();
        assert!(network.param("running_mean").unwrap().iter().all(|&mean| mean == F::of(value)), "{value}");
        assert!(network.param("running_var").unwrap().iter().all(|&variance| variance == F::zero()));
    }
    // 0.1 summed and divided is not 0.1 again, and large numbers have no digits to spare in f32.
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
    let y = Network::new(LayerNorm::new(4), 4).unwrap().predict(x.view()).unwrap();
    assert!(y.iter().zip(expected).all(|(y, e): (&f32, f32)| (y - e).abs() < 1e-6), "{y}");

    // 1024 numbers like air pressures, time stamps and ids: what f64 makes of the same numbers.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let normal: Array2<f64> = Array2::from_shape_simple_fn((1024, 3), || StandardNormal.sample(&mut rng));
    for (mean, scale) in [(101_325.0, 3.0), (-16_000_000.0, 40.0), (2.4e6, 0.5), (5.0, 1e-3), (0.0, 1.0)] {
        let x = normal.mapv(|x: f64| (mean + scale * x) as f32);
        let wide = x.mapv(f64::from);
        let layers = |x: &Array2<f32>| {
            let rows = x.nrows();
            let norm = Network::<f32>::new(LayerNorm::new(rows), rows).unwrap().predict(x.t()).unwrap();
            let batch = Network::<f32>::new(BatchNorm::new(x.ncols()), x.ncols()).unwrap();
            let batch = batch.loss_and_gradients(&MeanSquaredError, x.view(), x.view()).unwrap().output;
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
fn a_large_mean_does_not_spoil_the_variance() {
    // The one-pass formula mean(x²) − mean(x)² would be left without a digit.
    let x: Array2<f64> = array![[1e9, 1.0], [1e9 + 1.0, 2.0], [1e9 + 2.0, 3.0]];
    let y = Network::new(BatchNorm::new(2), 2).unwrap();
    let y = y.loss_and_gradients(&MeanSquaredError, x.view(), x.view()).unwrap().output;
    assert!((&y.column(0) - &y.column(1)).iter().all(|difference: &f64| difference.abs() < 1e-12), "{y}");
    let rows = Network::new(LayerNorm::new(3), 3).unwrap().predict(x.t()).unwrap();
    assert!((&rows.row(0) - &rows.row(1)).iter().all(|difference: &f64| difference.abs() < 1e-12), "{rows}");
}

#[test]
fn statistics_that_would_overflow_are_an_error_and_change_nothing() {
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
fn fault_31_a_huge_learning_rate_ends_in_diverged_with_finite_weights() {
    let mut network =
        Network::new(Sequential::new().then(Linear::new(1, 1)).then(Linear::new(1, 1)), 1).unwrap();
    let error = training(Sgd::new(1e6)).epochs(1000).fit(&mut network, &sine(32)).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(network.params().iter().all(|p| p.is_finite()));
    let error = Training::new(MeanSquaredError, Adam::new(1e300))
        .progress(false)
        .fit(&mut network, &sine(32))
        .unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(network.params().iter().all(|p| p.is_finite()));
}

/// Every optimizer with this learning rate.
fn optimizers(rate: f64) -> [Box<dyn Optimizer<f64>>; 5] {
    let momentum = Box::new(Sgd::new(rate).momentum(0.9));
    [
        Box::new(Sgd::new(rate)),
        momentum,
        Box::new(Adam::new(rate)),
        Box::new(AdamW::new(rate)),
        Box::new(RMSprop::new(rate)),
    ]
}

#[test]
fn fault_32_a_learning_rate_of_0_changes_nothing() {
    for mut optimizer in optimizers(0.0) {
        let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
        let before = network.params().to_vec();
        optimizer.step(network.params_mut(), &[1.0; 9]).unwrap();
        assert_eq!(network.params(), before, "{optimizer:?}");
    }
}

#[test]
fn fault_33_a_bad_learning_rate_is_an_error_at_the_start_and_at_every_step() {
    for bad in BAD {
        for optimizer in optimizers(bad) {
            assert_argument(optimizer.check(), "learning rate");
        }
        for mut optimizer in optimizers(0.1) {
            let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
            let before = network.params().to_vec();
            optimizer.set_learning_rate(bad);
            assert_argument(optimizer.step(network.params_mut(), &[1.0; 9]), "learning rate");
            assert_eq!(network.params(), before);
        }
        let mut network = Network::new(Linear::new(1, 1), 1).unwrap();
        let result = training(Sgd::new(bad)).fit(&mut network, &sine(4));
        assert_argument(result.map(drop), "learning rate");
    }
}

#[test]
fn fault_34_hyper_parameters_outside_their_domain_are_errors() {
    let adam = || Adam::<f64>::new(0.1);
    let rmsprop = || RMSprop::<f64>::new(0.1);
    for bad in [-0.1, 1.0, 1.5, f64::NAN] {
        assert_argument(Optimizer::check(&Sgd::<f64>::new(0.1).momentum(bad)), "momentum");
        assert_argument(adam().betas(bad, 0.9).check(), "beta1");
        assert_argument(adam().betas(0.9, bad).check(), "beta2");
        assert_argument(AdamW::<f64>::new(0.1).betas(bad, 0.9).check(), "beta1");
        assert_argument(rmsprop().alpha(bad).check(), "alpha");
        assert_argument(rmsprop().momentum(bad).check(), "momentum");
    }
    for bad in [0.0, -1e-8, f64::NAN, f64::INFINITY] {
        assert_argument(adam().eps(bad).check(), "eps");
        assert_argument(AdamW::<f64>::new(0.1).eps(bad).check(), "eps");
        assert_argument(rmsprop().eps(bad).check(), "eps");
    }
    // In f32 this is 0, and the first gradient of 0 would be divided by it.
    assert!(adam().eps(1e-60).check().is_ok());
    assert_argument(Adam::<f32>::new(0.1).eps(1e-60).check(), "eps");
}

#[test]
fn fault_35_weight_decay_must_be_finite_and_not_negative() {
    for bad in BAD {
        assert_argument(Optimizer::check(&Sgd::<f64>::new(0.1).weight_decay(bad)), "weight decay");
        assert_argument(Adam::<f64>::new(0.1).weight_decay(bad).check(), "weight decay");
        assert_argument(AdamW::<f64>::new(0.1).weight_decay(bad).check(), "weight decay");
        assert_argument(RMSprop::<f64>::new(0.1).weight_decay(bad).check(), "weight decay");
    }
}

#[test]
fn fault_36_clipping_limits_must_be_finite_and_above_0() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for clip in [Clip::Value(bad), Clip::Norm(bad), Clip::GlobalNorm(bad)] {
            assert_argument(clip.check(), "clipping limit");
            let mut network = Network::new(Linear::new(1, 1), 1).unwrap();
            let result = training(Sgd::new(0.1)).clip(clip).fit(&mut network, &sine(4));
            assert_argument(result.map(drop), "clipping limit");
        }
    }
}

#[test]
fn fault_37_zero_gradients_are_clipped_to_zero() {
    let network = Network::<f64>::new(Linear::new(2, 2), 2).unwrap();
    for clip in [Clip::Value(1.0), Clip::Norm(1.0), Clip::GlobalNorm(1e-9)] {
        let mut grads = [0.0; 6];
        assert_eq!(clip.apply(network.layout(), &mut grads).unwrap(), 0.0);
        assert_eq!(grads, [0.0; 6]);
    }
}

#[test]
fn gradients_whose_squares_overflow_or_vanish_are_clipped_to_the_limit() {
    let network = Network::<f64>::new(Linear::new(2, 1).without_bias(), 2).unwrap();
    for (scale, limit) in [(1e200, 1.0), (1e-200, 1e-3)] {
        let mut grads = [3.0 * scale, 4.0 * scale];
        let norm = Clip::GlobalNorm(limit).apply(network.layout(), &mut grads).unwrap();
        assert!((norm / (5.0 * scale) - 1.0).abs() < 1e-15, "{norm}");
        let expected = limit.min(5.0 * scale);
        assert!((grads[1] / (0.8 * expected) - 1.0).abs() < 1e-15, "{grads:?}");
    }
}

#[test]
fn fault_38_a_nan_gradient_updates_nothing_and_is_named() {
    for clip in [None, Some(Clip::Value(1.0)), Some(Clip::Norm(1.0)), Some(Clip::GlobalNorm(1.0))] {
        for bad in [f64::NAN, f64::INFINITY] {
            for mut optimizer in optimizers(0.1) {
                let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
                let before = network.params().to_vec();
                let mut grads = vec![1.0; 9];
                grads[7] = bad;
                if let Some(clip) = clip {
                    clip.apply(network.layout(), &mut grads).unwrap();
                }
                match optimizer.step(network.params_mut(), &grads) {
                    Err(Error::NonFinite { name, index, .. }) => {
                        assert_eq!((&*name, &index[..]), ("bias", &[1][..]))
                    }
                    other => panic!("{clip:?}: {other:?}"),
                }
                assert_eq!(network.params(), before);
            }
        }
    }
}

#[test]
fn gradients_whose_squares_overflow_are_refused_where_they_are_squared() {
    let adaptive: [Box<dyn Optimizer<f32>>; 3] =
        [Box::new(Adam::new(0.1)), Box::new(AdamW::new(0.1)), Box::new(RMSprop::new(0.1))];
    for mut optimizer in adaptive {
        let mut network = Network::<f32>::new(Linear::new(1, 1), 1).unwrap();
        let before = network.params().to_vec();
        match optimizer.step(network.params_mut(), &[1.0, 1e25]) {
            Err(Error::NonFinite { what: "square of the gradient", name, .. }) => assert_eq!(name, "bias"),
            other => panic!("{other:?}"),
        }
        assert_eq!(network.params(), before);
        // The refused gradient left nothing behind: the next step moves.
        optimizer.step(network.params_mut(), &[1.0, 1.0]).unwrap();
        assert!(network.params().iter().zip(&before).all(|(after, before)| after < before));
    }
    let mut network = Network::<f32>::new(Linear::new(1, 1), 1).unwrap();
    Sgd::new(1e-25).step(network.params_mut(), &[1.0, 1e25]).unwrap();
}

#[test]
fn fault_39_schedules_take_any_epoch_and_no_empty_ones() {
    assert_argument(Step::new(0, 0.5).check(), "step size");
    assert_argument(Cosine::new(0).check(), "epochs of the cosine");
    assert_argument(WarmUp::new(0).check(), "epochs of the warm-up");
    assert_argument(Chain::new(Constant::new(1.0)).then(0, Constant::new(0.5)).check(), "epoch in a chain");
    assert_argument(Chain::new(Constant::new(1.0)).then(3, Step::new(0, 0.5)).check(), "step size");
    for bad in [0.0, -0.5, 1.5, f64::NAN] {
        assert_argument(Exponential::new(bad).check(), "gamma");
        assert_argument(Step::new(3, bad).check(), "gamma");
    }
    for bad in BAD {
        assert_argument(Constant::new(bad).check(), "factor");
        assert_argument(Cosine::new(5).min_rate(bad).check(), "smallest rate");
        assert_argument(WarmUp::new(5).from(bad).check(), "start factor");
        assert_argument(WarmUp::new(5).to(bad).check(), "end factor");
        assert_argument(ReduceOnPlateau::default().factor(bad).check(), "factor");
        assert_argument(ReduceOnPlateau::default().threshold(bad).check(), "threshold");
    }
    let schedules: [Box<dyn Schedule>; 8] = [
        Box::new(Constant::new(0.5)),
        Box::new(Step::new(1, 0.5)),
        Box::new(Exponential::new(0.9)),
        Box::new(Cosine::new(7).min_rate(0.01)),
        Box::new(Cosine::new(u64::MAX)),
        Box::new(WarmUp::new(u64::MAX)),
        Box::new(ReduceOnPlateau::default()),
        Box::new(Chain::new(WarmUp::new(5)).then(u64::MAX, Cosine::new(1))),
    ];
    for schedule in schedules {
        schedule.check().unwrap();
        for epoch in [0, 1, 100, u64::MAX - 1, u64::MAX] {
            for base in [0.0, 0.1] {
                let rate = schedule.rate(base, epoch, &[f64::NAN, 1.0, f64::INFINITY]);
                assert!((0.0..=0.1).contains(&rate), "{schedule:?} in epoch {epoch}: {rate}");
            }
        }
    }
}

#[test]
fn fault_40_a_warm_up_may_be_longer_than_the_run() {
    let mut network = Network::new(Linear::new(1, 1), 1).unwrap();
    let mut training = training(Sgd::new(0.1)).schedule(WarmUp::new(10).from(0.0));
    let history = training.fit(&mut network, &sine(8)).unwrap();
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert_eq!(rates, [0.0, 0.1 * 0.1, 0.1 * 0.2]);
    // The optimizer has its own rate again, so a second run warms up the same way.
    let again = training.fit(&mut network, &sine(8)).unwrap();
    assert_eq!(again.epochs.iter().map(|epoch| epoch.learning_rate).collect::<Vec<_>>(), rates);
}

#[test]
fn fault_48_class_indices_that_do_not_exist_are_errors_with_their_row() {
    let network = Network::<f64>::new(Linear::new(2, 3), 2).unwrap();
    let x = Array2::ones((3, 2));
    for bad in [-1.0, 0.5, 3.0, 1e300, f64::NAN, f64::INFINITY] {
        let target = array![[0.0], [2.0], [bad]];
        match network.loss(&CrossEntropy, x.view(), target.view()) {
            Err(Error::Target { row: 2, column: 0, expected, got }) => {
                assert_eq!(expected, "a class index: an integer from 0 to 2");
                assert!(got == bad || bad.is_nan());
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
    assert!(matches!(network.loss(&CrossEntropy, x.view(), x.view()), Err(Error::Shape { .. })));
    for bad in [-0.1, 1.1, f64::NAN] {
        let target = array![[0.0, 0.0, 0.0], [1.0, bad, 0.0], [0.0, 0.0, 0.0]];
        let result = network.loss(&BinaryCrossEntropyWithLogits, x.view(), target.view());
        assert!(matches!(result, Err(Error::Target { row: 1, column: 1, .. })), "{bad}: {result:?}");
    }
}

#[test]
fn fault_48_fit_names_the_row_of_the_data_not_of_a_batch() {
    let (x, mut y) = (Array2::from_shape_fn((50, 2), |(i, j)| (i + j) as f64), Array2::zeros((50, 1)));
    y[[37, 0]] = 3.0;
    let data = Dataset::new(x, y).unwrap();
    let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
    let before = network.params().to_vec();
    let error =
        Training::new(CrossEntropy, Sgd::new(0.1)).progress(false).fit(&mut network, &data).unwrap_err();
    assert!(matches!(error, Error::Target { row: 37, column: 0, .. }), "{error}");
    assert_eq!(network.params(), before);
}

#[test]
fn fault_49_one_class_only_trains() {
    let (x, y) = (Array2::from_shape_fn((40, 2), |(i, j)| (i * j) as f64 / 40.0), Array2::ones((40, 1)));
    let data = Dataset::new(x, y).unwrap();
    let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
    let mut training = Training::new(CrossEntropy, Adam::new(0.1)).epochs(50).progress(false);
    let losses = training.fit(&mut network, &data).unwrap().train_losses();
    assert!(losses[49] < 0.05 && losses[49] < losses[0], "{losses:?}");
}

#[test]
fn fault_50_and_51_logits_of_1000_give_finite_losses_and_gradients() {
    let mut gradient = Array2::zeros((2, 3));
    let logits = array![[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 1234.0]];
    for class in [0.0, 1.0, 2.0] {
        for smoothing in [0.0, 0.1] {
            let loss = CrossEntropy.label_smoothing(smoothing);
            let target = Array2::from_elem((2, 1), class);
            let value = loss.gradient(&logits, &target, &mut gradient);
            assert!(value.is_finite() && gradient.iter().all(|g: &f64| g.is_finite()), "{class}");
        }
    }
    // The probability is exactly 0 or 1 here, and the loss is still the distance from the right logit.
    let target = array![[0.0, 1.0, 0.5], [1.0, 0.0, 1.0]];
    let value = BinaryCrossEntropyWithLogits.gradient(&logits, &target, &mut gradient);
    assert_eq!(value, (4000.0 + std::f64::consts::LN_2) / 6.0);
    assert_eq!(gradient * 6.0, array![[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]);
}

#[test]
fn the_loss_of_a_sure_and_right_answer_is_small_but_not_0() {
    // ln(1 + e^−50) = e^−50: a sum with 1 would round it away.
    let (logit, target) = (array![[50.0]], array![[1.0]]);
    let value = BinaryCrossEntropyWithLogits.value(&logit, &target);
    assert!((value / (-50.0_f64).exp() - 1.0).abs() < 1e-14, "{value:e}");
}

#[test]
fn loss_arguments_outside_their_domain_are_errors() {
    let (output, class) = (array![[0.0, 1.0]], array![[1.0]]);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_argument(Huber::new(bad).check(&output, &output), "delta");
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        let loss = CrossEntropy.label_smoothing(bad);
        assert_argument(loss.check(&output, &class), "label_smoothing");
    }
    for bad in BAD {
        let weights = [bad];
        let loss = Weighted::new(&MeanSquaredError, &weights);
        assert_argument(loss.check(&output, &output), "sample weight");
    }
    let mut network = Network::new(Linear::new(1, 1), 1).unwrap();
    let result = training(Sgd::new(0.1)).sample_weights(&[1.0, 1.0]).fit(&mut network, &sine(3));
    assert!(matches!(result, Err(Error::Shape { .. })), "{result:?}");
}

#[test]
fn fault_54_dropout_takes_probabilities_only_and_1_gives_zeros() {
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
fn fault_55_a_negative_standard_deviation_is_an_error() {
    for bad in BAD {
        let result = Network::<f64>::new(Linear::new(2, 2).init(Init::normal(bad)), 2);
        assert_argument(result.map(drop), "standard deviation");
    }
}

#[test]
fn layers_made_with_arguments_outside_their_domain_are_errors() {
    let refused = |layers: Sequential<f64>| match Network::new(layers, 2) {
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
