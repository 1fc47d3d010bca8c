//! Callbacks and metrics.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use geartrain::data::Dataset;
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, EarlyStopping, StepEnd, StopReason};
use ndarray::ArrayRef2;

use crate::recorder::*;

#[test]
fn callbacks_see_every_step_and_epoch() {
    let (mut network, data) = (network(), data());
    let (mut first, mut second) = (recorder(Action::Nothing), recorder(Action::Nothing));
    let history = training().callback(&mut first).callback(&mut second).fit(&mut network, &data).unwrap();
    assert_eq!(history.stop_reason, StopReason::Finished);
    let steps: Vec<_> = (1..=32).map(|step| ((step as usize - 1) / 4 + 1, step, 0.05)).collect();
    assert_eq!(first.steps, steps);
    assert_eq!(second.steps, steps);
    assert_eq!(first.weights.len(), 8);
    assert_eq!(first.weights[7], network.params());
}

#[test]
fn training_can_move_to_another_thread() {
    let (mut network, data, mut recorder) = (network(), data(), recorder(Action::Nothing));
    let mut training = training().callback(&mut recorder).metric("mse", mse);
    let epochs = std::thread::scope(|scope| {
        scope.spawn(|| training.fit(&mut network, &data).unwrap().epochs.len()).join().unwrap()
    });
    assert_eq!(epochs, 8);
}

#[test]
fn a_callback_that_only_observes_changes_nothing() {
    let (mut watched, mut alone, data) = (network(), network(), data());
    training().callback(&mut recorder(Action::Nothing)).fit(&mut watched, &data).unwrap();
    training().fit(&mut alone, &data).unwrap();
    assert_eq!(watched.params(), alone.params());
}

#[test]
fn a_step_event_holds_the_batch_its_loss_and_its_gradient() {
    /// Repeats the step on its own network.
    struct Repeat(Network<f64>, Sgd<f64>);
    impl Callback<f64> for Repeat {
        fn on_step_end(&mut self, step: &mut StepEnd<'_, f64>) -> CallbackResult {
            let pass = self.0.loss_and_gradients(&MeanSquaredError, step.x, step.y)?;
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
    for (action, steps, epochs) in [(Action::StopAtStep(6), 6, 1), (Action::StopAtEpoch(3), 12, 3)] {
        let (mut network, mut recorder, mut after) =
            (network(), recorder(action), self::recorder(Action::Nothing));
        let history =
            training().callback(&mut recorder).callback(&mut after).fit(&mut network, &data).unwrap();
        assert_eq!(history.stop_reason, StopReason::Callback);
        assert_eq!((recorder.steps.len(), history.epochs.len()), (steps, epochs));
        assert_eq!(after.steps.len(), steps, "the callback after the one that stops is called as well");
    }
}

#[test]
fn an_error_of_a_callback_is_returned_with_its_epoch_and_the_history_stays() {
    let (mut network, data) = (network(), data());
    let mut recorder = recorder(Action::FailAtStep(11));
    let mut training = training().callback(&mut recorder);
    let error = training.fit(&mut network, &data).unwrap_err();
    assert_eq!(error.to_string(), "callback in epoch 3, after 11 steps: failed on purpose");
    assert_eq!(training.history().epochs.len(), 2);
    assert_eq!(training.history().stop_reason, StopReason::Failed);
}

#[test]
fn a_panic_in_a_callback_propagates_and_leaves_everything_usable() {
    let (mut network, data) = (network(), data());
    let mut panicking = recorder(Action::PanicAtStep(9));
    let mut training = training().metric("script", script(vec![3.0, 4.0, 2.0]));
    training =
        training.early_stopping(EarlyStopping::new(5).monitor("train_script")).callback(&mut panicking);
    let panic = catch_unwind(AssertUnwindSafe(|| training.fit(&mut network, &data))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"failed on purpose"));
    assert_eq!(training.history().epochs.len(), 2);
    assert_eq!(training.history().best, Some(0));
    // The callback panics once: the same training continues with the same network and optimizer.
    let history = training.fit(&mut network, &data).unwrap();
    assert_eq!((history.stop_reason, history.epochs.len()), (StopReason::EarlyStopping, 6));
    assert!(network.params().iter().all(|w| w.is_finite()));
    drop(training);
    assert_eq!(panicking.weights.len(), 2 + 6);
    assert_eq!(panicking.weights[2], network.params());
}

#[test]
fn a_learning_rate_of_nan_is_an_error_of_the_next_step() {
    let (mut network, data) = (network(), data());
    let mut recorder = recorder(Action::SetRate(6, f64::NAN));
    let error = training().callback(&mut recorder).fit(&mut network, &data).unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "learning rate", .. }), "{error}");
    assert_eq!(recorder.steps.len(), 6);
    assert!(network.params().iter().all(|w| w.is_finite()));
}

#[test]
fn a_learning_rate_set_by_a_callback_is_used_from_the_next_step_on() {
    let (mut network, data) = (network(), data());
    let mut recorder = recorder(Action::SetRate(4, 0.0));
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

/// Set for the process whose progress a test reads.
const REPORTS: &str = "GEARTRAIN_PROGRESS_TEST_EPOCHS";

/// The process that the next test starts. Does nothing if it is run as a test.
#[test]
fn progress_child() {
    let Some(epochs) = std::env::var(REPORTS).ok().and_then(|epochs| epochs.parse().ok()) else { return };
    let mut training = Training::new(MeanSquaredError, Sgd::new(0.01)).epochs(epochs).progress(true);
    training.fit(&mut network(), &data()).unwrap();
}

#[test]
fn without_a_terminal_progress_is_about_20_lines_with_the_first_and_the_last_epoch() {
    let lines = |epochs: usize| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "callbacks::progress_child", "--nocapture"]).env(REPORTS, epochs.to_string());
        let output = child.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let numbers = |epochs: usize| -> Vec<usize> {
        let number = |line: &str| {
            let (number, rest) = line.strip_prefix("epoch ")?.split_once('/')?;
            assert!(rest.starts_with(&format!("{epochs} loss 0.")), "{line}");
            number.parse().ok()
        };
        lines(epochs).lines().filter_map(number).collect()
    };
    assert!(numbers(0).is_empty());
    assert_eq!(numbers(3), [1, 2, 3]);
    assert_eq!(numbers(50), (0..=16).map(|i| (3 * i).max(1)).chain([50]).collect::<Vec<_>>());
}
