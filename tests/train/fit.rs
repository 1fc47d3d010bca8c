//! Training: it learns, repeats bit for bit, and leaves a valid network on every way out.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use geartrain::Loss;
use geartrain::data::{Batches, Dataset, toy};
use geartrain::layers::Softmax;
use geartrain::loss::BinaryCrossEntropyWithLogits;
use geartrain::optim::RMSprop;
use geartrain::params::ParamsMut;
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, EarlyStopping, StepEnd, StopReason};
use ndarray::{Array2, ArrayRef2, Axis, array};

fn mlp<F: Scalar>(inputs: usize, hidden: usize) -> Sequential<F> {
    Sequential::new()
        .then(Linear::new(inputs, hidden))
        .then(Tanh)
        .then(Linear::new(hidden, hidden))
        .then(Tanh)
        .then(Linear::new(hidden, 1))
}

fn r2<F: Scalar>(network: &Network<F>, data: &Dataset<F>) -> f64 {
    let error = network.loss(&MeanSquaredError, data.x(), data.y()).unwrap();
    let y = data.y().mapv(|y| y.as_f64());
    1.0 - error / y.var(0.0)
}

#[test]
fn a_network_learns_a_noisy_sine() {
    let (train, test) = toy::sine::<f32>(500, 0.1, 3).unwrap().split(0.2, 3).unwrap();
    let mut network = Network::new(mlp(1, 24)).unwrap().with_seed(3);
    let before = r2(&network, &test);
    let mut training =
        Training::new(MeanSquaredError, Sgd::new(0.05).momentum(0.9)).epochs(150).progress(false);
    let history = training.fit(&mut network, &train).unwrap();
    assert!(before < 0.5, "an untrained network must not fit: R² {before}");
    assert!(r2(&network, &test) > 0.97, "R² {}", r2(&network, &test));
    assert_eq!(history.epochs.len(), 150);
    assert_eq!(history.stop_reason, StopReason::Finished);
}

#[test]
fn a_network_learns_exclusive_or() {
    let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let data = Dataset::new(x, array![[0.0], [1.0], [1.0], [0.0]]).unwrap();
    let layers =
        Sequential::new().then(Linear::new(2, 8)).then(Sigmoid).then(Linear::new(8, 1)).then(Sigmoid);
    let mut network = Network::<f64>::new(layers).unwrap().with_seed(1);
    let optimizer = Sgd::new(2.0).momentum(0.9).nesterov(true);
    Training::new(MeanSquaredError, optimizer)
        .epochs(2000)
        .batch_size(4)
        .progress(false)
        .fit(&mut network, &data)
        .unwrap();
    let y = network.predict(data.x()).unwrap();
    for (y, target) in y.iter().zip(data.y()) {
        assert!((y - target).abs() < 0.1, "{y} should be {target}");
    }
}

#[test]
fn a_linear_network_finds_the_least_squares_solution() {
    // y = 2 a − 3 b + 1, exactly.
    let x = Array2::from_shape_fn((50, 2), |(i, j)| ((i * (j + 3)) as f64).sin());
    let y = Array2::from_shape_fn((50, 1), |(i, _)| 2.0 * x[[i, 0]] - 3.0 * x[[i, 1]] + 1.0);
    let data = Dataset::new(x, y).unwrap();
    let mut network = Network::new(Linear::new(2, 1)).unwrap();
    Training::new(MeanSquaredError, Sgd::new(0.3))
        .epochs(400)
        .batch_size(50)
        .progress(false)
        .fit(&mut network, &data)
        .unwrap();
    approx::assert_abs_diff_eq!(
        network.param("weight").unwrap(),
        array![[2.0, -3.0]].into_dyn().view(),
        epsilon = 1e-9
    );
    approx::assert_abs_diff_eq!(network.param("bias").unwrap()[0], 1.0, epsilon = 1e-9);
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let run = |seed| {
        let (train, test) = toy::friedman1::<f32>(200, 1.0, 1).unwrap().split(0.25, 1).unwrap();
        let mut network = Network::new(mlp(10, 16)).unwrap().with_seed(seed);
        let mut training = Training::new(MeanSquaredError, Sgd::new(0.01).momentum(0.9))
            .epochs(5)
            .seed(seed)
            .validation(&test)
            .progress(false);
        let history = training.fit(&mut network, &train).unwrap();
        (history, network.params().iter().map(|w| w.to_bits()).collect::<Vec<_>>())
    };
    assert_eq!(run(4), run(4));
    assert_ne!(run(4), run(5));
    assert_ne!(run(0), run(u64::MAX));
}

#[test]
fn validation_losses_are_recorded_after_every_epoch() {
    let (train, test) = toy::sine::<f64>(100, 0.1, 1).unwrap().split(0.3, 1).unwrap();
    let mut network = Network::new(mlp(1, 8)).unwrap();
    let mut training =
        Training::new(MeanSquaredError, Sgd::new(0.05)).epochs(7).validation(&test).progress(false);
    let history = training.fit(&mut network, &train).unwrap();
    let last = network.loss(&MeanSquaredError, test.x(), test.y()).unwrap();
    assert_eq!(history.validation_losses().len(), 7);
    assert_eq!(history.validation_losses()[6], last);
}

#[test]
fn zero_epochs_leave_the_network_unchanged() {
    let data = toy::sine::<f64>(20, 0.1, 1).unwrap();
    let mut network = Network::new(mlp(1, 4)).unwrap();
    let before = network.params().to_vec();
    let history = Training::new(MeanSquaredError, Sgd::new(0.1))
        .epochs(0)
        .progress(false)
        .fit(&mut network, &data)
        .unwrap();
    assert!(history.epochs.is_empty());
    assert_eq!(network.params(), before);
}

#[test]
fn batch_sizes_of_0_and_above_the_number_of_rows() {
    let data = toy::sine::<f64>(20, 0.1, 1).unwrap();
    let train = |batch_size| {
        let mut network = Network::new(mlp(1, 4)).unwrap();
        let mut training =
            Training::new(MeanSquaredError, Sgd::new(0.1)).epochs(3).batch_size(batch_size).progress(false);
        training.fit(&mut network, &data).map(|_| network.params().to_vec())
    };
    assert!(train(0).unwrap_err().to_string().contains("batch size"), "{}", train(0).unwrap_err());
    assert_eq!(train(20).unwrap(), train(1000).unwrap());
}

#[test]
fn divergence_keeps_the_last_finite_weights() {
    let data = toy::friedman1::<f32>(100, 1.0, 1).unwrap();
    for rate in [1e6, 1e30, 1e38] {
        let mut network = Network::new(mlp(10, 8)).unwrap();
        let mut training = Training::new(MeanSquaredError, Sgd::new(rate).momentum(0.9)).progress(false);
        let error = training.fit(&mut network, &data).unwrap_err();
        assert!(matches!(error, Error::Diverged { epoch: 1.., batch: 1.., .. }), "{error}");
        assert!(network.params().iter().all(|w| w.is_finite()), "rate {rate}");
    }
}

#[test]
fn an_update_that_overflows_is_undone() {
    // Gradient and loss are finite; only the update overflows.
    let large = [
        (Sgd::new(1e6), 1e30, -1e35),
        (Sgd::new(1e6), 1.0, 1e35),
        (Sgd::new(1e30), 1.0, 1e9),
        (Sgd::new(0.1).weight_decay(1e35), 1e5, 1.0),
        (Sgd::new(1e8).weight_decay(1e8), 1e25, 1.0),
        (Sgd::new(1e30).weight_decay(1e30), 1.0, 1.0),
    ];
    for (mut sgd, weight, gradient) in large {
        let mut network = Network::<f32>::new(Linear::new(1, 1).without_bias()).unwrap();
        network.set_param("weight", &[weight]).unwrap();
        let error = sgd.step(network.params_mut(), &[gradient]).unwrap_err();
        assert!(matches!(error, Error::NonFinite { what: "updated weight", .. }), "{error}");
        assert_eq!(network.params(), [weight], "{sgd:?}");
    }
}

#[test]
fn a_single_batch_has_the_rows_in_their_order() {
    let data = toy::friedman1::<f64>(60, 1.0, 1).unwrap();
    let (mut fitted, mut sgd) = (Network::new(mlp(10, 8)).unwrap(), Sgd::new(0.01));
    let mut by_hand = fitted.clone();
    let training = Training::new(MeanSquaredError, Sgd::new(0.01)).epochs(4).batch_size(60);
    training.progress(false).fit(&mut fitted, &data).unwrap();
    for _ in 0..4 {
        let pass = by_hand.loss_and_gradients(&MeanSquaredError, data.x(), data.y()).unwrap();
        sgd.step(by_hand.params_mut(), &pass.grads).unwrap();
    }
    // Sums of the rows in another order have other last digits.
    assert_eq!(fitted.params(), by_hand.params());
}

#[test]
fn a_gradient_that_is_nan_names_its_parameter() {
    let mut network = Network::<f64>::new(mlp(2, 3)).unwrap();
    let before = network.params().to_vec();
    let mut grads = vec![0.0; before.len()];
    grads[7] = f64::NAN;
    let error = Sgd::new(0.1).momentum(0.5).step(network.params_mut(), &grads).unwrap_err().to_string();
    assert!(error.contains("`0.bias` at [1]") && error.contains("NaN"), "{error}");
    assert_eq!(network.params(), before);
}

/// Sets the flag after a number of batches.
#[derive(Debug)]
struct StopAfter {
    batches: usize,
    seen: AtomicUsize,
    flag: Arc<AtomicBool>,
}

impl Loss<f64> for StopAfter {
    fn value(&self, output: &ArrayRef2<f64>, target: &ArrayRef2<f64>) -> f64 {
        MeanSquaredError.value(output, target)
    }

    fn gradient(
        &self,
        output: &ArrayRef2<f64>,
        target: &ArrayRef2<f64>,
        doutput: &mut ArrayRef2<f64>,
    ) -> f64 {
        if self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.batches {
            self.flag.store(true, Ordering::Relaxed);
        }
        MeanSquaredError.gradient(output, target, doutput)
    }
}

#[test]
fn the_stop_flag_ends_training_within_one_batch() {
    let data = toy::sine::<f64>(100, 0.1, 1).unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    // Ten batches an epoch: the 25th is in the middle of the third.
    let loss = StopAfter { batches: 25, seen: AtomicUsize::new(0), flag: flag.clone() };
    let seen = |loss: &StopAfter| loss.seen.load(Ordering::Relaxed);
    let mut network = Network::new(mlp(1, 4)).unwrap();
    let mut training =
        Training::new(&loss, Sgd::new(0.1)).epochs(100).batch_size(10).stop_flag(flag).progress(false);
    let history = training.fit(&mut network, &data).unwrap();
    assert_eq!(history.stop_reason, StopReason::StopFlag);
    assert_eq!(history.epochs.len(), 2);
    drop(training);
    assert_eq!(seen(&loss), 25);
}

#[test]
fn data_that_are_not_finite_are_refused_unless_allowed() {
    let clean = toy::friedman1::<f64>(40, 1.0, 1).unwrap();
    let (mut x, mut y) = (clean.x().to_owned(), clean.y().to_owned());
    let fit = |x: &Array2<f64>, y: &Array2<f64>, allow: bool| {
        let data = Dataset::new(x.clone(), y.clone()).unwrap();
        let mut network = Network::new(mlp(10, 4)).unwrap();
        let before = network.params().to_vec();
        let training = Training::new(MeanSquaredError, Sgd::new(0.01)).epochs(1).progress(false);
        let mut training = training.allow_non_finite(allow);
        let error = training.fit(&mut network, &data).unwrap_err();
        assert!(network.params().iter().all(|w| w.is_finite()));
        assert!(allow || network.params() == before);
        error
    };
    x[[3, 2]] = f64::NAN;
    let error = fit(&x, &y, false).to_string();
    assert!(error.contains('3') && error.contains('2') && error.contains("NaN"), "{error}");
    assert!(matches!(fit(&x, &y, true), Error::Diverged { epoch: 1, .. }));
    x[[3, 2]] = f64::INFINITY;
    assert!(fit(&x, &y, false).to_string().contains("inf"));
    x[[3, 2]] = 0.0;
    y[[5, 0]] = f64::NEG_INFINITY;
    assert!(fit(&x, &y, false).to_string().contains("-inf"));
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let data = toy::sine::<f64>(20, 0.1, 1).unwrap();
    let mut network = Network::new(mlp(1, 4)).unwrap();
    network.param_mut("2.weight").unwrap()[[1, 3]] = f64::NAN;
    let error = Training::new(MeanSquaredError, Sgd::new(0.1))
        .progress(false)
        .fit(&mut network, &data)
        .unwrap_err()
        .to_string();
    assert!(error.contains("`2.weight` at [1, 3]"), "{error}");
}

#[test]
fn data_of_another_shape_than_the_network_are_refused() {
    let x = Array2::<f64>::zeros((6, 2));
    let fit = |network: &mut Network<f64>, data: &Dataset<f64>| {
        Training::new(MeanSquaredError, Sgd::new(0.1)).progress(false).fit(network, data).unwrap_err()
    };
    let two_outputs = Dataset::new(x.clone(), Array2::zeros((6, 2))).unwrap();
    let mut network = Network::new(mlp(2, 4)).unwrap();
    let error = fit(&mut network, &two_outputs).to_string();
    assert!(error.contains("(6, 1)") && error.contains("(6, 2)"), "{error}");

    let data = Dataset::new(x, Array2::zeros((6, 1))).unwrap();
    let mut network = Network::new(mlp(3, 4)).unwrap();
    let error = fit(&mut network, &data).to_string();
    assert_eq!(error, "layer 0 (Linear(3, 4)): expects 3 input features, got 2");

    // Validation data are checked before the first step as well.
    let mut network = Network::new(mlp(2, 4)).unwrap();
    let error = Training::new(MeanSquaredError, Sgd::new(0.1))
        .validation(&two_outputs)
        .progress(false)
        .fit(&mut network, &data)
        .unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}

#[test]
fn fit_refuses_hyper_parameters_outside_their_domain() {
    let step = |mut sgd: Sgd<f64>| {
        let layout = geartrain::params::Layout::new::<f64>(vec![]).unwrap();
        sgd.step(ParamsMut { values: &mut [], layout: &layout }, &[]).map_err(|error| error.to_string())
    };
    let refused = |sgd, words: &str| {
        let error = step(sgd).unwrap_err();
        assert!(error.contains(words), "{error}");
    };
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        refused(Sgd::new(bad), "learning rate");
        refused(Sgd::new(0.1).weight_decay(bad), "weight decay");
        refused(Sgd::new(0.1).momentum(bad), "momentum");
        refused(Sgd::new(0.1).momentum(0.5).dampening(bad), "dampening");
    }
    refused(Sgd::new(0.1).momentum(1.0), "momentum");
    refused(Sgd::new(0.1).nesterov(true), "momentum");
    refused(Sgd::new(0.1).momentum(0.9).dampening(0.1).nesterov(true), "dampening");
    assert_eq!(step(Sgd::new(0.0)), Ok(()));
}

#[test]
fn subnormal_inputs_stay_finite() {
    let x = Array2::from_elem((4, 2), f32::MIN_POSITIVE / 8.0);
    let network = Network::<f32>::new(mlp(2, 4)).unwrap();
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &Array2::ones((4, 1))).unwrap();
    assert!(pass.loss.is_finite() && pass.grads.iter().all(|g| g.is_finite()));
}

#[test]
fn the_loss_of_many_rows_keeps_its_precision() {
    // A running sum of ones in f32 stops growing at 2²⁴.
    let rows = 20_000_000;
    let (one, zero) = (array![[1.0_f32]], array![[0.0_f32]]);
    let (output, target) = (one.broadcast((rows, 1)).unwrap(), zero.broadcast((rows, 1)).unwrap());
    assert_eq!(MeanSquaredError.value(&output, &target), 1.0);
}

/// 24 steps of Adam or SGD with momentum.
fn steps<'a, O: Optimizer<f64>>(optimizer: O) -> Training<'a, f64, MeanSquaredError, O> {
    Training::new(MeanSquaredError, optimizer).epochs(8).batch_size(16).progress(false)
}

fn fresh(seed: u64) -> Network<f64> {
    Network::new(mlp(1, 8)).unwrap().with_seed(seed)
}

fn assert_reset<O: Optimizer<f64> + Clone>(optimizer: O) {
    let data = toy::sine::<f64>(48, 0.1, 1).unwrap();
    let train = |training: &mut Training<'_, f64, MeanSquaredError, O>, network: &mut Network<f64>| {
        let history = training.fit(network, &data).unwrap();
        (network.params().to_vec(), history.warnings)
    };
    let mut alone = fresh(2);
    let (expected, warnings) = train(&mut steps(optimizer.clone()), &mut alone);
    assert!(warnings.is_empty());

    // Another network, of the same size: the optimizer starts anew, and says so.
    let (mut first, mut second, mut training) = (fresh(1), fresh(2), steps(optimizer.clone()));
    assert!(train(&mut training, &mut first).1.is_empty());
    let (params, warnings) = train(&mut training, &mut second);
    assert_eq!(params, expected);
    assert!(warnings.len() == 1 && warnings[0].contains("reset"), "{warnings:?}");

    // The same network, or a copy of it: the state is kept.
    let mut copy = second.clone();
    let (more, warnings) = train(&mut training, &mut copy);
    assert!(warnings.is_empty());
    assert_ne!(more, train(&mut steps(optimizer), &mut second).0);

    // The same network with other weights: the old moments do not fit.
    copy.params_mut()[0] += 1.0;
    assert_eq!(train(&mut training, &mut copy).1.len(), 1);
}

#[test]
fn the_state_of_the_optimizer_is_reset_for_another_network() {
    assert_reset(Adam::new(0.01));
    assert_reset(Sgd::new(0.01).momentum(0.9));
    assert_reset(RMSprop::new(0.01));
}

#[test]
fn a_second_fit_of_the_same_network_continues_with_the_optimizers_state() {
    // Full batches, whose sums hardly depend on the order of rows: 8 + 8 epochs are 16.
    let data = toy::sine::<f64>(48, 0.1, 1).unwrap();
    let (mut twice, mut once) = (fresh(1), fresh(1));
    let mut training = steps(Adam::new(0.01)).batch_size(48);
    assert!(training.fit(&mut twice, &data).unwrap().warnings.is_empty());
    assert!(training.fit(&mut twice, &data).unwrap().warnings.is_empty());
    steps(Adam::new(0.01)).batch_size(48).epochs(16).fit(&mut once, &data).unwrap();
    approx::assert_relative_eq!(twice.params(), once.params(), max_relative = 1e-6);
}

#[test]
fn a_last_layer_that_the_loss_contains_is_a_warning() {
    let warnings = |layers: Sequential<f64>, loss: &dyn Loss<f64>, y: Array2<f64>| {
        let data = Dataset::new(Array2::from_shape_fn((4, 2), |(i, j)| (i + j) as f64), y).unwrap();
        let mut network = Network::new(layers).unwrap();
        let mut training = Training::new(loss, Sgd::new(0.1)).epochs(1).progress(false);
        training.fit(&mut network, &data).unwrap().warnings
    };
    let new = || Sequential::new().then(Linear::new(2, 2));
    let (classes, binary) = (Array2::zeros((4, 1)), Array2::ones((4, 2)));
    let inner = Sequential::new().then(Linear::new(2, 2)).then(Softmax);
    for (layers, loss, y, last) in [
        (new().then(Softmax), &CrossEntropy as &dyn Loss<f64>, &classes, "Softmax"),
        (new().then(Sigmoid), &BinaryCrossEntropyWithLogits, &binary, "Sigmoid"),
        (new().then(inner), &CrossEntropy.label_smoothing(0.1), &classes, "Softmax"),
    ] {
        let warnings = warnings(layers, loss, y.clone());
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with(&format!("the network ends in {last}, but ")), "{warnings:?}");
        assert!(warnings[0].ends_with("remove the last layer"), "{warnings:?}");
    }
    for (layers, loss, y) in [
        (new(), &CrossEntropy as &dyn Loss<f64>, &classes),
        (new().then(Softmax).then(Linear::new(2, 2)), &CrossEntropy, &classes),
        (new().then(Sigmoid), &MeanSquaredError, &binary),
        (new().then(ReLU), &BinaryCrossEntropyWithLogits, &binary),
        (new().then(Residual::new(Sequential::new().then(Sigmoid))), &BinaryCrossEntropyWithLogits, &binary),
    ] {
        assert!(warnings(layers, loss, y.clone()).is_empty());
    }
}

/// Averages the weights by hand.
struct Average(f64, Vec<f64>);

impl Callback<f64> for Average {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, f64>) -> CallbackResult {
        let s = step.step as f64;
        let c = self.0.min((1.0 + s) / (10.0 + s));
        for (e, &w) in self.1.iter_mut().zip(step.network.params()) {
            *e = c * *e + (1.0 - c) * w;
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn averaged_weights_are_measured_and_returned() {
    let (train, test) = toy::sine::<f64>(80, 0.1, 1).unwrap().split(0.4, 1).unwrap();
    for decay in [0.0, 0.5, 0.99] {
        let mut network = fresh(1);
        let mut average = Average(decay, network.params().to_vec());
        let training = steps(Sgd::new(0.05).momentum(0.9)).validation(&test).average_weights(decay);
        let history = training.callback(&mut average).fit(&mut network, &train).unwrap();
        approx::assert_relative_eq!(network.params(), average.1.as_slice(), max_relative = 1e-12);
        let loss = network.loss(&MeanSquaredError, test.x(), test.y()).unwrap();
        assert_eq!(history.validation_losses()[7], loss);
        // The steps themselves do not depend on the average.
        let mut plain = fresh(1);
        let expected = steps(Sgd::new(0.05).momentum(0.9)).fit(&mut plain, &train).unwrap();
        assert_eq!(history.train_losses(), expected.train_losses());
        assert_eq!(decay == 0.0, network.params() == plain.params());
    }
    for bad in [-0.1, 1.0, f64::NAN] {
        let result = steps(Sgd::new(0.1)).average_weights(bad).fit(&mut fresh(1), &train);
        assert!(matches!(result, Err(Error::Argument { argument: "decay of the average weights", .. })));
    }
}

#[test]
fn early_stopping_restores_the_average_of_the_best_epoch() {
    let (train, test) = toy::sine::<f64>(80, 0.1, 1).unwrap().split(0.4, 1).unwrap();
    let mut network = fresh(1);
    let training = steps(Sgd::new(0.2).momentum(0.9)).epochs(60).validation(&test).average_weights(0.9);
    let history = training.early_stopping(EarlyStopping::new(2)).fit(&mut network, &train).unwrap();
    let loss = network.loss(&MeanSquaredError, test.x(), test.y()).unwrap();
    assert_eq!(loss, history.validation_losses()[history.best.unwrap()]);
}

#[test]
fn batches_hold_whole_rows_of_any_width() {
    for width in (1..=40).chain([64, 100]) {
        let x = Array2::from_shape_fn((11, width), |(i, j)| (1000 * i + j) as f64);
        let data = Dataset::new(x.clone(), x.clone()).unwrap();
        let mut batches = Batches::new(&data, 4, 1).unwrap();
        batches.shuffle(0);
        for index in 0..batches.count() {
            let rows = batches.rows(index).to_vec();
            let expected = x.select(Axis(0), &rows);
            let (got_x, got_y) = batches.get(index);
            assert!(got_x == expected && got_y == expected, "{width} columns");
        }
    }
}
