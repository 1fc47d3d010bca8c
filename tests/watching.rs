//! Callbacks, metrics, early stopping and sample weights: what watches and steers training.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use geartrain::data::{Dataset, toy};
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, EarlyStopping, EpochEnd, StepEnd, StopReason};
use ndarray::{Array2, ArrayRef2, ArrayView2, Axis, array, concatenate};

fn network() -> Network<f64> {
    let layers = Sequential::new().then(Linear::new(1, 6)).then(Tanh).then(Linear::new(6, 1));
    Network::new(layers, 1).unwrap().with_seed(5)
}

fn training<'a>() -> Training<'a, f64, MeanSquaredError, Sgd<f64>> {
    Training::new(MeanSquaredError, Sgd::new(0.05).momentum(0.9)).epochs(8).batch_size(10).progress(false)
}

fn data() -> Dataset<f64> {
    toy::sine(40, 0.1, 2).unwrap()
}

fn mse(output: &ArrayRef2<f64>, target: &ArrayRef2<f64>) -> Result<f64, Error> {
    Ok(MeanSquaredError.value(output, target))
}

/// The same values whatever the network does: one for each call, the last one for ever.
fn script(values: Vec<f64>) -> impl Fn(&ArrayRef2<f64>, &ArrayRef2<f64>) -> Result<f64, Error> + Send {
    let calls = Cell::new(0);
    move |_, _| Ok(values[calls.replace(calls.get() + 1).min(values.len() - 1)])
}

/// What a [`Recorder`] does besides recording.
enum Deed {
    Nothing,
    StopAtStep(u64),
    StopAtEpoch(usize),
    FailAtStep(u64),
    PanicAtStep(u64),
    SetRate(u64, f64),
    SetFlag(u64, Arc<AtomicBool>),
}

struct Recorder {
    deed: Deed,
    steps: Vec<(usize, u64, f64)>,
    /// The weights after every epoch.
    weights: Vec<Vec<f64>>,
}

fn recorder(deed: Deed) -> Recorder {
    Recorder { deed, steps: Vec::new(), weights: Vec::new() }
}

impl Callback<f64> for Recorder {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, f64>) -> CallbackResult {
        assert_eq!((step.x.dim(), step.y.dim()), ((10, 1), (10, 1)));
        assert_eq!(step.grads.len(), step.network.params().len());
        self.steps.push((step.epoch, step.step, *step.learning_rate));
        match &self.deed {
            Deed::StopAtStep(at) if *at == step.step => return Ok(ControlFlow::Break(())),
            Deed::FailAtStep(at) if *at == step.step => return Err("the dog ate it".into()),
            Deed::PanicAtStep(at) if *at == step.step => {
                self.deed = Deed::Nothing;
                panic!("the dog ate it")
            }
            Deed::SetRate(at, rate) if *at == step.step => *step.learning_rate = *rate,
            Deed::SetFlag(at, flag) if *at == step.step => flag.store(true, Ordering::Relaxed),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn on_epoch_end(&mut self, epoch: &mut EpochEnd<'_, f64>) -> CallbackResult {
        assert_eq!(epoch.history.epochs.len(), epoch.epoch);
        assert_eq!(epoch.step, 4 * epoch.epoch as u64);
        self.weights.push(epoch.network.params().to_vec());
        let stop = matches!(self.deed, Deed::StopAtEpoch(at) if at == epoch.epoch);
        Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

#[test]
fn callbacks_see_every_step_and_epoch() {
    let (mut network, data) = (network(), data());
    let (mut first, mut second) = (recorder(Deed::Nothing), recorder(Deed::Nothing));
    let history = training().callback(&mut first).callback(&mut second).fit(&mut network, &data).unwrap();
    assert_eq!(history.stop_reason, StopReason::Finished);
    let steps: Vec<_> = (1..=32).map(|step| ((step as usize - 1) / 4 + 1, step, 0.05)).collect();
    assert_eq!(first.steps, steps);
    assert_eq!(second.steps, steps);
    assert_eq!(first.weights.len(), 8);
    assert_eq!(first.weights[7], network.params());
}

#[test]
fn a_training_can_move_to_another_thread() {
    let (mut network, data, mut recorder) = (network(), data(), recorder(Deed::Nothing));
    let mut training = training().callback(&mut recorder).metric("mse", mse);
    let epochs = std::thread::scope(|scope| {
        scope.spawn(|| training.fit(&mut network, &data).unwrap().epochs.len()).join().unwrap()
    });
    assert_eq!(epochs, 8);
}

#[test]
fn a_callback_changes_nothing_by_watching() {
    let (mut watched, mut alone, data) = (network(), network(), data());
    training().callback(&mut recorder(Deed::Nothing)).fit(&mut watched, &data).unwrap();
    training().fit(&mut alone, &data).unwrap();
    assert_eq!(watched.params(), alone.params());
}

#[test]
fn a_step_event_holds_the_batch_its_loss_and_its_gradient() {
    /// Repeats the step on a network of its own.
    struct Repeat(Network<f64>, Sgd<f64>);
    impl Callback<f64> for Repeat {
        fn on_step_end(&mut self, step: &mut StepEnd<'_, f64>) -> CallbackResult {
            let pass = self.0.loss_and_gradients(&MeanSquaredError, step.x.view(), step.y.view())?;
            assert_eq!(pass.loss, step.loss);
            assert_eq!(pass.grads, step.grads);
            self.1.step(self.0.params_mut(), &pass.grads)?;
            assert_eq!(self.0.params(), step.network.params());
            Ok(ControlFlow::Continue(()))
        }
    }
    let (mut network, data) = (network(), data());
    let mut repeat = Repeat(network.clone(), Sgd::new(0.05).momentum(0.9));
    training().callback(&mut repeat).fit(&mut network, &data).unwrap();
}

#[test]
fn a_callback_can_stop_after_a_step_or_an_epoch() {
    let data = data();
    for (deed, steps, epochs) in [(Deed::StopAtStep(6), 6, 1), (Deed::StopAtEpoch(3), 12, 3)] {
        let (mut network, mut recorder, mut after) =
            (network(), recorder(deed), self::recorder(Deed::Nothing));
        let history =
            training().callback(&mut recorder).callback(&mut after).fit(&mut network, &data).unwrap();
        assert_eq!(history.stop_reason, StopReason::Callback);
        assert_eq!((recorder.steps.len(), history.epochs.len()), (steps, epochs));
        assert_eq!(after.steps.len(), steps, "the callback after the one that stops is called, too");
    }
}

#[test]
fn an_error_of_a_callback_is_passed_up_with_its_place_and_the_history_stays() {
    let (mut network, data) = (network(), data());
    let mut recorder = recorder(Deed::FailAtStep(11));
    let mut training = training().callback(&mut recorder);
    let error = training.fit(&mut network, &data).unwrap_err();
    assert_eq!(error.to_string(), "callback in epoch 3, after 11 steps: the dog ate it");
    assert_eq!(training.history().epochs.len(), 2);
    assert_eq!(training.history().stop_reason, StopReason::Failed);
}

#[test]
fn fault_88_a_panic_in_a_callback_is_passed_up_and_leaves_everything_usable() {
    let (mut network, data) = (network(), data());
    let mut panicking = recorder(Deed::PanicAtStep(9));
    let mut training = training().metric("script", script(vec![3.0, 4.0, 2.0]));
    training =
        training.early_stopping(EarlyStopping::new(5).monitor("train_script")).callback(&mut panicking);
    let panic = catch_unwind(AssertUnwindSafe(|| training.fit(&mut network, &data))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the dog ate it"));
    assert_eq!(training.history().epochs.len(), 2);
    assert_eq!(training.history().best, Some(0));
    // The deed is done: the same training goes on with the same network and optimizer.
    let history = training.fit(&mut network, &data).unwrap();
    assert_eq!((history.stop_reason, history.epochs.len()), (StopReason::EarlyStopping, 6));
    assert!(network.params().iter().all(|w| w.is_finite()));
    drop(training);
    assert_eq!(panicking.weights.len(), 2 + 6);
    assert_eq!(panicking.weights[2], network.params());
}

#[test]
fn fault_89_a_learning_rate_of_nan_is_an_error_of_the_next_step() {
    let (mut network, data) = (network(), data());
    let mut recorder = recorder(Deed::SetRate(6, f64::NAN));
    let error = training().callback(&mut recorder).fit(&mut network, &data).unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "learning rate", .. }), "{error}");
    assert_eq!(recorder.steps.len(), 6);
    assert!(network.params().iter().all(|w| w.is_finite()));
}

#[test]
fn a_learning_rate_set_by_a_callback_is_used_from_the_next_step_on() {
    let (mut network, data) = (network(), data());
    let mut recorder = recorder(Deed::SetRate(4, 0.0));
    training().callback(&mut recorder).fit(&mut network, &data).unwrap();
    assert_eq!(recorder.steps[3].2, 0.05);
    assert_eq!(recorder.steps[4].2, 0.0);
    assert_eq!(recorder.weights[0], network.params(), "a rate of 0 changes nothing");
}

#[test]
fn metrics_are_measured_on_all_rows_with_the_weights_of_the_epochs_end() {
    let (train, test) = data().split(0.5, 1).unwrap();
    let mut network = network();
    let zero = |output: &ArrayRef2<f64>, _: &ArrayRef2<f64>| Ok(output.nrows() as f64);
    let mut training = training().validation(&test).metric("mse", mse).metric("rows", zero);
    let history = training.fit(&mut network, &train).unwrap();
    let names = [
        "learning_rate",
        "train_loss",
        "validation_loss",
        "train_mse",
        "train_rows",
        "validation_mse",
        "validation_rows",
    ];
    assert_eq!(history.names(), names);
    let loss = |data: &Dataset<f64>| network.loss(&MeanSquaredError, data.x(), data.y()).unwrap();
    assert_eq!(history.values("train_mse").unwrap()[7], loss(&train));
    assert_eq!(history.values("validation_mse").unwrap()[7], loss(&test));
    assert_eq!(history.values("validation_mse").unwrap(), history.validation_losses());
    assert_eq!(history.values("train_rows").unwrap(), [20.0; 8]);
    let error = history.values("accuracy").unwrap_err().to_string();
    assert!(error.contains("`accuracy`") && error.contains("validation_mse"), "{error}");
    for bad in ["", "loss", "mse"] {
        let error = self::training().metric("mse", mse).metric(bad, mse).fit(&mut network, &train);
        assert!(matches!(error, Err(Error::Argument { .. })), "{bad}");
    }
}

/// Trains with a scripted value, and says how it ended, which epoch was the best, and checks that its weights are back.
fn stop_early(settings: EarlyStopping, values: &[f64], deed: Deed) -> (StopReason, usize, Option<usize>) {
    let (mut network, data) = (network(), data());
    let mut recorder = recorder(deed);
    let mut training = training().epochs(values.len()).metric("script", script(values.to_vec()));
    if let Deed::SetFlag(_, flag) = &recorder.deed {
        training = training.stop_flag(flag.clone());
    }
    training = training.early_stopping(settings.monitor("train_script")).callback(&mut recorder);
    let result = catch_unwind(AssertUnwindSafe(|| training.fit(&mut network, &data)));
    let history = training.history().clone();
    drop(training);
    if let Ok(Ok(returned)) = result {
        assert_eq!(format!("{returned:?}"), format!("{history:?}"));
    }
    match history.best {
        Some(best) => assert_eq!(recorder.weights[best], network.params()),
        None => assert_eq!(recorder.weights.last().unwrap(), network.params()),
    }
    (history.stop_reason, history.epochs.len(), history.best)
}

#[test]
fn early_stopping_waits_for_its_patience() {
    let nothing = || Deed::Nothing;
    let values = [5.0, 4.0, 4.5, 4.0, 3.0, 3.5, 3.2, 3.1, 1.0];
    let stop = |patience| stop_early(EarlyStopping::new(patience), &values, nothing());
    assert_eq!(stop(1), (StopReason::EarlyStopping, 3, Some(1)));
    assert_eq!(stop(2), (StopReason::EarlyStopping, 4, Some(1)));
    assert_eq!(stop(3), (StopReason::EarlyStopping, 8, Some(4)));
    assert_eq!(stop(4), (StopReason::Finished, 9, Some(8)));
    // An improvement must be larger than min_delta.
    let with_delta = |min_delta| stop_early(EarlyStopping::new(3).min_delta(min_delta), &values, nothing());
    assert_eq!(with_delta(0.5), (StopReason::EarlyStopping, 8, Some(4)));
    assert_eq!(with_delta(1.0), (StopReason::EarlyStopping, 4, Some(0)));
    let up = [1.0, 2.0, 2.0, 1.0, 3.0];
    assert_eq!(
        stop_early(EarlyStopping::new(2).maximize(true), &up, nothing()),
        (StopReason::EarlyStopping, 4, Some(1))
    );
}

#[test]
fn the_best_weights_are_back_on_every_way_out() {
    // 4 steps an epoch, and the best epoch is the second.
    let values = [2.0, 1.0, 3.0, 4.0, 5.0, 6.0];
    let stop = |deed| stop_early(EarlyStopping::new(10), &values, deed);
    assert_eq!(stop(Deed::Nothing), (StopReason::Finished, 6, Some(1)));
    assert_eq!(stop(Deed::StopAtStep(15)), (StopReason::Callback, 3, Some(1)));
    assert_eq!(stop(Deed::StopAtEpoch(4)), (StopReason::Callback, 4, Some(1)));
    assert_eq!(stop(Deed::FailAtStep(15)), (StopReason::Failed, 3, Some(1)));
    assert_eq!(stop(Deed::PanicAtStep(15)), (StopReason::Failed, 3, Some(1)));
    assert_eq!(stop(Deed::SetRate(15, f64::NAN)), (StopReason::Failed, 3, Some(1)));
    assert_eq!(stop(Deed::SetRate(13, 1e200)), (StopReason::Failed, 3, Some(1)), "diverged");
    let flag = Arc::new(AtomicBool::new(false));
    assert_eq!(stop(Deed::SetFlag(15, flag)), (StopReason::StopFlag, 3, Some(1)));
    let patience = EarlyStopping::new(3);
    assert_eq!(stop_early(patience, &values, Deed::Nothing), (StopReason::EarlyStopping, 5, Some(1)));
}

#[test]
fn fault_45_nan_is_never_an_improvement() {
    let nan = f64::NAN;
    let stop = |values: &[f64]| stop_early(EarlyStopping::new(3), values, Deed::Nothing);
    assert_eq!(stop(&[nan; 6]), (StopReason::EarlyStopping, 3, None));
    assert_eq!(stop(&[nan, 5.0, nan, 4.0, nan, nan]), (StopReason::Finished, 6, Some(3)));
    assert_eq!(stop(&[3.0, nan, nan, nan, 1.0]), (StopReason::EarlyStopping, 4, Some(0)));
    assert_eq!(stop(&[f64::INFINITY, 1.0, nan]), (StopReason::Finished, 3, Some(1)));
}

#[test]
fn fault_42_to_44_early_stopping_is_checked_before_the_first_step() {
    let (mut network, data) = (network(), data());
    let before = network.params().to_vec();
    let mut refuse = |settings: EarlyStopping, validation: bool| {
        let training = training().metric("mse", mse).early_stopping(settings);
        let mut training = if validation { training.validation(&data) } else { training };
        let error = training.fit(&mut network, &data).unwrap_err();
        assert_eq!(network.params(), before);
        error
    };
    let on = |name: &str| EarlyStopping::new(1).monitor(name);
    assert!(matches!(refuse(EarlyStopping::new(0), true), Error::Argument { argument: "patience", .. }));
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let error = refuse(EarlyStopping::new(1).min_delta(bad), true);
        assert!(matches!(error, Error::Argument { argument: "min_delta", .. }), "{error}");
    }
    for name in ["accuracy", "loss", "", "train_loss", "learning_rate"] {
        let error = refuse(on(name), true).to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
        assert!(error.ends_with("there are: validation_loss, train_mse, validation_mse"), "{error}");
    }
    for name in ["validation_loss", "validation_mse"] {
        let error = refuse(on(name), false);
        assert!(matches!(&error, Error::NoValidationData { metric } if metric == name), "{error}");
    }
    assert!(matches!(refuse(on("validation_r2"), false), Error::UnknownMetric { .. }));
}

/// One step with all rows, by plain gradient descent.
fn one_step(data: &Dataset<f64>, weights: Option<&[f64]>) -> (f64, Vec<f64>) {
    let mut network = network();
    let mut training =
        Training::new(MeanSquaredError, Sgd::new(0.1)).epochs(1).batch_size(100).progress(false);
    if let Some(weights) = weights {
        training = training.sample_weights(weights);
    }
    let history = training.fit(&mut network, data).unwrap();
    (history.epochs[0].train_loss, network.params().to_vec())
}

fn assert_same((loss, params): (f64, Vec<f64>), (other_loss, other_params): (f64, Vec<f64>)) {
    approx::assert_relative_eq!(loss, other_loss, max_relative = 1e-12);
    approx::assert_relative_eq!(params.as_slice(), other_params.as_slice(), max_relative = 1e-10);
}

#[test]
fn sample_weights_count_rows_as_often_as_they_say() {
    let data = data();
    // Weight 2 is a row twice, weight 0 is no row, and their scale does not matter.
    let weights: Vec<f64> = (0..40).map(|row| f64::from(row % 3)).collect();
    let once = data.select(&(0..40).filter(|row| row % 3 > 0).collect::<Vec<_>>()).unwrap();
    let twice = data.select(&(0..40).filter(|row| row % 3 == 2).collect::<Vec<_>>()).unwrap();
    let rows = |a: ArrayView2<f64>, b: ArrayView2<f64>| concatenate(Axis(0), &[a, b]).unwrap();
    let repeated = Dataset::new(rows(once.x(), twice.x()), rows(once.y(), twice.y())).unwrap();
    assert_same(one_step(&data, Some(&weights)), one_step(&repeated, None));
    for scale in [1e-300, 1e300] {
        let scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        assert_same(one_step(&data, Some(&scaled)), one_step(&repeated, None));
    }
    assert_same(one_step(&data, Some(&[0.7; 40])), one_step(&data, None));
    assert_ne!(one_step(&data, Some(&weights)).1, one_step(&data, None).1);
}

#[test]
fn sample_weights_follow_their_rows_into_shuffled_batches() {
    // Half of the targets are wild, and have no weight: training must not see them, whatever the batch they are in.
    let data = data();
    let mut y = data.y().to_owned();
    let weights: Vec<f64> = (0..40).map(|row| f64::from(row % 2)).collect();
    y.iter_mut().step_by(2).for_each(|y| *y += 100.0);
    let wild = Dataset::new(data.x().to_owned(), y).unwrap();
    let fit = |data: &Dataset<f64>| {
        let mut network = network();
        training().sample_weights(&weights).fit(&mut network, data).unwrap();
        network.params().to_vec()
    };
    assert_eq!(fit(&wild), fit(&data));
}

#[test]
fn the_weighted_loss_is_keras_loss_over_the_mean_weight() {
    // keras/src/losses/losses_test.py, MeanSquaredErrorTest.test_sample_weighted: the mean over rows of w · mean(e²),
    // not divided by the sum of the weights, is 127.9667.
    let output = array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]];
    let target = array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]];
    let identity = Linear::new(3, 3).without_bias();
    let mut network = Network::<f64>::new(identity, 3).unwrap();
    network.param_mut("weight").unwrap().assign(&Array2::eye(3));
    let data = Dataset::new(output, target).unwrap();
    let history = Training::new(MeanSquaredError, Sgd::new(0.0))
        .sample_weights(&[1.2, 3.4])
        .epochs(1)
        .progress(false)
        .fit(&mut network, &data)
        .unwrap();
    approx::assert_relative_eq!(
        history.epochs[0].train_loss * 2.3,
        127.966_666_666_666_65,
        max_relative = 1e-12
    );
}

#[test]
fn sample_weights_are_checked() {
    let (mut network, data) = (network(), data());
    let mut refuse = |weights: &[f64]| {
        training().sample_weights(weights).fit(&mut network, &data).unwrap_err().to_string()
    };
    assert_eq!(refuse(&[1.0; 39]), "sample weights: expected shape (40), got (39)");
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let mut weights = [1.0; 40];
        weights[7] = bad;
        let error = refuse(&weights);
        assert!(error.contains("row 7") && error.contains("finite number ≥ 0"), "{error}");
    }
    assert!(refuse(&[0.0; 40]).contains("at least one row"), "{}", refuse(&[0.0; 40]));
}
