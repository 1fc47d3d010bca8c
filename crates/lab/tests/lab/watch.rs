//! Training, watched: known courses of training and what the monitor says about them.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use geartrain::data::{Dataset, toy};
use geartrain::optim::ParamGroup;
use geartrain::prelude::*;
use geartrain_lab::{Monitor, TrainingCourse, TrainingFinding, noise_scale, normal_batch};
use ndarray::{Array2, array};

/// Gradient descent on a Chebyshev polynomial of degree 3 (Cohen et al. 2021).
fn chebyshev(optimizer: impl Optimizer<f64>, steps: usize, every: u64) -> (TrainingCourse, Network<f64>) {
    let x = Array2::from_shape_fn((20, 1), |(i, _)| i as f64 / 9.5 - 1.0);
    let y = x.mapv(|x| 4.0 * x * x * x - 3.0 * x);
    let data = Dataset::new(x, y).unwrap();
    let layers = Sequential::new().then(Linear::new(1, 100)).then(Tanh).then(Linear::new(100, 100));
    let mut network = Network::new(layers.then(Tanh).then(Linear::new(100, 1))).unwrap();
    let mut monitor = Monitor::new(&MeanSquaredError, data.x(), data.y()).every(every);
    let mut training =
        Training::new(MeanSquaredError, optimizer).epochs(steps).batch_size(20).progress(false);
    training = training.callback(&mut monitor);
    training.fit(&mut network, &data).unwrap();
    drop(training);
    (monitor.into_course("chebyshev"), network)
}

#[test]
fn gradient_descent_is_found_at_the_edge_of_stability() {
    // The loss of the source is half of the mean squared error, so that its rate of 0.1 is 0.05
    // here.
    let (course, _) = chebyshev(Sgd::new(0.05), 3000, 100);
    assert_eq!(course.records.len(), 30);
    assert!(course.records.iter().all(|record| (record.threshold.unwrap() - 40.0).abs() < 1e-12));
    let findings = course.findings();
    let TrainingFinding::EdgeOfStability { since, mean, deviation, small_batches, .. } = &findings[0] else {
        panic!("{course}");
    };
    assert!((100..=1500).contains(since) && (mean - 1.0).abs() < 0.02, "{course}");
    assert!(*deviation < 0.05 && !small_batches, "{course}");
    let text = course.to_string();
    assert!(
        text.contains("at the edge of stability since step ")
            && text.contains("times the largest stable one")
    );
    assert!(course.svg().contains("largest stable one"));
}

#[test]
fn findings_about_the_rate_are_tried_out() {
    let x = Array2::from_shape_fn((20, 1), |(i, _)| i as f64 / 9.5 - 1.0);
    let data = Dataset::new(x.clone(), x.mapv(|x| 4.0 * x * x * x - 3.0 * x)).unwrap();
    let tried = |course: &TrainingCourse, network: &Network<f64>| {
        course.try_findings(network, &MeanSquaredError, &data, 300, Sgd::new, &Arc::default()).unwrap()
    };
    // far below the edge, a rate close to it is stable and trains faster
    let (course, network) = chebyshev(Sgd::new(0.005), 300, 100);
    let trials = tried(&course, &network);
    let [trial] = &trials[..] else { panic!("{trials:?}") };
    let TrainingFinding::Stable { room } = trial.finding else { panic!("{course}") };
    assert!(room > 5.0 && trial.holds && trial.changed < trial.unchanged, "{trial}");
    assert!(trial.unchanged < trial.before && trial.to_string().ends_with("confirmed."), "{trial}");
    // at the edge, half the rate is no faster
    let (course, network) = chebyshev(Sgd::new(0.05), 1500, 100);
    let trials = tried(&course, &network);
    assert!(matches!(trials[0].finding, TrainingFinding::EdgeOfStability { .. }), "{course}");
    assert!(trials[0].holds && trials[0].changed > trials[0].unchanged, "{}", trials[0]);
    // trying out changes nothing, and a wrong verdict is not confirmed
    let mut wrong = course.clone();
    wrong.records.iter_mut().for_each(|record| record.threshold = Some(20.0 * record.sharpness));
    let trials = tried(&wrong, &network);
    assert!(!trials[0].holds && trials[0].to_string().contains("14.0 times the rate"), "{}", trials[0]);
    assert_eq!(tried(&course, &network), tried(&course, &network));
}

#[test]
fn findings_about_the_batch_are_tried_out() {
    let data = toy::friedman1::<f64>(512, 0.1, 0).unwrap();
    let layers = Sequential::new().then(Linear::new(10, 32)).then(Tanh).then(Linear::new(32, 1));
    let network = Network::new(layers).unwrap();
    // the noise scale is near 1 row before training
    let mut monitor = Monitor::new(&MeanSquaredError, data.x(), data.y());
    monitor.record(0, &network, &Sgd::<f64>::new(1e-3)).unwrap();
    let mut course = monitor.into_course("friedman");
    course.batch_rows = 128;
    let trials =
        course.try_findings(&network, &MeanSquaredError, &data, 8, Sgd::new, &Arc::default()).unwrap();
    let large = |trial: &&geartrain_lab::Trial| matches!(trial.finding, TrainingFinding::LargeBatch { .. });
    let trial = trials.iter().find(large).unwrap();
    assert!(trial.holds && trial.change.starts_with("a quarter of the batch"), "{trial}");
    // a flag that is set when the training number `last` begins: only what was complete is reported
    let mut completed = Vec::new();
    for last in 0.. {
        let (stop, begun) = (Arc::new(AtomicBool::new(false)), Cell::new(0));
        let optimizer = |rate| {
            stop.store(begun.get() == last, Ordering::Relaxed);
            begun.set(begun.get() + 1);
            Sgd::new(rate)
        };
        let tried = course.try_findings(&network, &MeanSquaredError, &data, 8, optimizer, &stop).unwrap();
        assert_eq!(tried, trials[..tried.len()]);
        completed.push(tried.len());
        if begun.get() <= last {
            break;
        }
        assert_eq!(begun.get(), last + 1);
    }
    assert_eq!(completed[..2], [0, 0]);
    assert_eq!(completed.last(), Some(&trials.len()));
    assert!(completed.is_sorted(), "{completed:?}");
}

/// The largest stable sharpness of an optimizer with a learning rate of 0.01, after one step.
fn threshold(optimizer: impl Optimizer<f64>) -> Option<f64> {
    chebyshev(optimizer, 1, 1).0.records[0].threshold
}

#[test]
fn thresholds_are_those_of_the_update_rule() {
    let close = |got: Option<f64>, expected: f64| assert!((got.unwrap() - expected).abs() < 1e-9, "{got:?}");
    close(threshold(Sgd::new(0.01)), 200.0);
    close(threshold(Sgd::new(0.01).momentum(0.9)), 380.0);
    close(threshold(Sgd::new(0.01).momentum(0.9).dampening(0.5)), 760.0);
    close(threshold(Sgd::new(0.01).momentum(0.5).nesterov(true)), 150.0);
    close(threshold(Adam::new(0.01)), 3800.0);
    close(threshold(AdamW::new(0.01).betas(0.5, 0.99)), 600.0);
    let group = ParamGroup::named("0").learning_rate_factor(0.1);
    assert_eq!(threshold(Sgd::new(0.01).group(group)), None);
    assert_eq!(threshold(geartrain::optim::RMSprop::new(0.01)), None);
}

#[test]
fn sharpness_of_adam_is_that_of_the_preconditioned_loss() {
    // L = (w · x − t)² / 1 on unit rows x: its Hessian is diagonal
    let layers = Sequential::new().then(Linear::new(2, 1).without_bias());
    let mut network = Network::<f64>::new(layers).unwrap();
    network.set_param("0.weight", &[0.0, 0.0]).unwrap();
    let (x, y) = (array![[2.0, 0.0], [0.0, 1.0]], array![[1.0], [3.0]]);
    let mut adam = Adam::new(0.1).eps(1e-300);
    let pass = network.loss_and_gradients(&MeanSquaredError, &x, &y).unwrap();
    // L = ((2 w₁ − 1)² + (w₂ − 3)²) / 2: gradient (−2, −3), Hessian diag(4, 1)
    assert_eq!(pass.grads, [-2.0, -3.0]);
    adam.step(network.params_mut(), &pass.grads).unwrap();
    let mut monitor = Monitor::new(&MeanSquaredError, &x, &y);
    // after one step, √v̂ = |g|
    let record = monitor.record(1, &network, &adam).unwrap();
    assert!((record.sharpness - 4.0 / 2.0).abs() < 1e-9, "{record:?}");
    assert_eq!(record.noise, None);
}

#[test]
fn a_layer_that_does_not_learn_is_named() {
    let layer = |net: Sequential<f64>, i| {
        net.then(Linear::new(if i == 0 { 10 } else { 16 }, 16).init(Init::xavier_normal())).then(Sigmoid)
    };
    let layers = (0..12).fold(Sequential::new(), layer).then(Linear::new(16, 1));
    let data = toy::friedman1::<f64>(64, 1.0, 0).unwrap();
    let mut network = Network::new(layers).unwrap();
    let mut monitor = Monitor::new(&MeanSquaredError, data.x(), data.y()).every(20);
    Training::new(MeanSquaredError, Sgd::new(0.01))
        .epochs(40)
        .batch_size(64)
        .progress(false)
        .callback(&mut monitor)
        .fit(&mut network, &data)
        .unwrap();
    let course = monitor.into_course("sigmoid");
    assert_eq!(course.records.iter().map(|record| record.step).collect::<Vec<_>>(), [20, 40]);
    let still: Vec<&str> = course
        .records
        .last()
        .unwrap()
        .updates
        .iter()
        .filter(|(_, ratio)| *ratio < 1e-6)
        .map(|(name, _)| name.as_str())
        .collect();
    assert!(still.contains(&"0.weight") && !still.contains(&"24.weight"), "{course}");
    let named = |finding: &TrainingFinding| matches!(finding, TrainingFinding::NotLearning { tensor, .. } if tensor == "0.weight");
    assert!(course.findings().iter().any(named) && course.to_string().contains("`0.weight`: an update is"));
}

#[test]
fn the_noise_scale_is_that_of_single_rows_or_absent() {
    let layers = Sequential::new().then(Linear::new(6, 8)).then(Tanh).then(Linear::new(8, 1));
    let network = Network::<f64>::new(layers).unwrap();
    let (x, y) = (normal_batch(512, 6, 1), normal_batch(512, 1, 2).mapv(|y: f64| y + 3.0));
    // from the gradient of every row
    let mut rows = Vec::new();
    for r in 0..512 {
        let one = |m: &Array2<f64>| m.slice_axis(ndarray::Axis(0), (r..r + 1).into()).to_owned();
        rows.push(network.loss_and_gradients(&MeanSquaredError, &one(&x), &one(&y)).unwrap().grads);
    }
    let n = rows[0].len();
    let mean: Vec<f64> = (0..n).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / 512.0).collect();
    let squares: f64 = rows.iter().flat_map(|row| row.iter().zip(&mean).map(|(g, m)| (g - m).powi(2))).sum();
    let (trace, length) = (squares / 511.0, mean.iter().map(|m| m * m).sum::<f64>());
    let exact = noise_scale(&network, &MeanSquaredError, &x, &y, 512).unwrap();
    assert!((exact.trace - trace).abs() < 1e-9 * trace);
    assert!((exact.squared_norm.value - (length - trace / 512.0)).abs() < 1e-9 * length);
    let parts = noise_scale(&network, &MeanSquaredError, &x, &y, 16).unwrap();
    let (of_parts, of_rows) = (parts.rows.unwrap(), exact.rows.unwrap());
    assert!((of_parts.value - of_rows.value).abs() < 3.0 * of_parts.error, "{of_parts} and {of_rows}");
    // where the mean gradient vanishes in the noise, there is no number
    let y = y.mapv(|y| y - 3.0);
    let mut network = Network::<f64>::new(Linear::new(6, 1)).unwrap();
    network.params_mut().fill(0.0);
    assert_eq!(noise_scale(&network, &MeanSquaredError, &x, &y, 16).unwrap().rows, None);
    assert!(noise_scale(&network, &MeanSquaredError, &x, &y, 3).is_err());
}
