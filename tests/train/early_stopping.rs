//! Early stopping.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use geartrain::prelude::*;
use geartrain::train::{EarlyStopping, StopReason};

use crate::recorder::*;

/// Trains with scripted values, and checks that the best weights are restored. Returns the reason,
/// the number of epochs and the best epoch.
fn stop_early(settings: EarlyStopping, values: &[f64], action: Action) -> (StopReason, usize, Option<usize>) {
    let (mut network, data) = (network(), data());
    let mut recorder = recorder(action);
    let mut training = training().epochs(values.len()).metric("script", script(values.to_vec()));
    if let Action::SetFlag(_, flag) = &recorder.action {
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
    let nothing = || Action::Nothing;
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
fn the_best_weights_are_restored_on_every_way_out() {
    // 4 steps an epoch, and the best epoch is the second.
    let values = [2.0, 1.0, 3.0, 4.0, 5.0, 6.0];
    let stop = |action| stop_early(EarlyStopping::new(10), &values, action);
    assert_eq!(stop(Action::Nothing), (StopReason::Finished, 6, Some(1)));
    assert_eq!(stop(Action::StopAtStep(15)), (StopReason::Callback, 3, Some(1)));
    assert_eq!(stop(Action::StopAtEpoch(4)), (StopReason::Callback, 4, Some(1)));
    assert_eq!(stop(Action::FailAtStep(15)), (StopReason::Failed, 3, Some(1)));
    assert_eq!(stop(Action::PanicAtStep(15)), (StopReason::Failed, 3, Some(1)));
    assert_eq!(stop(Action::SetRate(15, f64::NAN)), (StopReason::Failed, 3, Some(1)));
    assert_eq!(stop(Action::SetRate(13, 1e200)), (StopReason::Failed, 3, Some(1)), "diverged");
    let flag = Arc::new(AtomicBool::new(false));
    assert_eq!(stop(Action::SetFlag(15, flag)), (StopReason::StopFlag, 3, Some(1)));
    let patience = EarlyStopping::new(3);
    assert_eq!(stop_early(patience, &values, Action::Nothing), (StopReason::EarlyStopping, 5, Some(1)));
}

#[test]
fn nan_is_never_an_improvement() {
    let nan = f64::NAN;
    let stop = |values: &[f64]| stop_early(EarlyStopping::new(3), values, Action::Nothing);
    assert_eq!(stop(&[nan; 6]), (StopReason::EarlyStopping, 3, None));
    assert_eq!(stop(&[nan, 5.0, nan, 4.0, nan, nan]), (StopReason::Finished, 6, Some(3)));
    assert_eq!(stop(&[3.0, nan, nan, nan, 1.0]), (StopReason::EarlyStopping, 4, Some(0)));
    assert_eq!(stop(&[f64::INFINITY, 1.0, nan]), (StopReason::Finished, 3, Some(1)));
}

#[test]
fn early_stopping_is_checked_before_the_first_step() {
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
        assert!(error.ends_with("choose one of validation_loss, train_mse, validation_mse"), "{error}");
    }
    for name in ["validation_loss", "validation_mse"] {
        let error = refuse(on(name), false);
        assert!(matches!(&error, Error::NoValidationData { metric } if metric == name), "{error}");
    }
    assert!(matches!(refuse(on("validation_r2"), false), Error::UnknownMetric { .. }));
}

#[test]
fn min_delta_applies_to_values_that_are_maximized() {
    let up = [1.0, 1.4, 1.5, 1.6, 3.0, 3.5, 3.5];
    let stop = |min_delta| {
        stop_early(EarlyStopping::new(3).maximize(true).min_delta(min_delta), &up, Action::Nothing)
    };
    assert_eq!(stop(0.0), (StopReason::Finished, 7, Some(5)));
    // 1.5 is no improvement on 1.0 by more than 0.5, 1.6 is.
    assert_eq!(stop(0.5), (StopReason::Finished, 7, Some(4)));
    assert_eq!(stop(0.6), (StopReason::EarlyStopping, 4, Some(0)));
    let negative = [-3.0, -2.5, -2.0, -1.0, -0.5];
    let stop = |min_delta| {
        stop_early(EarlyStopping::new(2).maximize(true).min_delta(min_delta), &negative, Action::Nothing)
    };
    assert_eq!(stop(0.9), (StopReason::Finished, 5, Some(3)));
    assert_eq!(stop(2.0), (StopReason::EarlyStopping, 3, Some(0)));
}
