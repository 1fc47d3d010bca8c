//! The learning rate range test.

use geartrain::data::{Batches, Dataset, toy};
use geartrain::layers::{BatchNorm, Dropout};
use geartrain::loss::Poisson;
use geartrain::optim::Adam;
use geartrain::prelude::*;
use geartrain::train::{LearningRateCurve, LearningRateFinder, RatePoint};
use ndarray::Array2;

fn network() -> Network<f64> {
    let layers = Sequential::new().then(Linear::new(1, 16)).then(Tanh).then(Linear::new(16, 1));
    Network::new(layers).unwrap().with_seed(2)
}

fn data() -> Dataset<f64> {
    toy::sine(200, 0.1, 2).unwrap()
}

#[test]
fn the_curve_is_that_of_training_by_hand_with_growing_rates() {
    let (network, data) = (network(), data());
    let finder = LearningRateFinder::new().range(1e-4, 0.1).steps(31).batch_size(50).seed(4);
    let curve = finder.run(&network, MeanSquaredError, Sgd::new(123.0).momentum(0.5), &data).unwrap();
    assert_eq!(curve.points.len(), 31);

    let (mut copy, mut sgd) = (network.clone(), Sgd::new(0.0).momentum(0.5));
    let mut batches = Batches::new(&data, 50, 4).unwrap();
    for (step, point) in curve.points.iter().enumerate() {
        if step % 4 == 0 {
            batches.shuffle(step as u64 / 4);
        }
        let (x, y) = batches.get(step % 4);
        let pass = copy.loss_and_gradients(&MeanSquaredError, &x, &y).unwrap();
        // Three decades in thirty steps.
        let rate = 1e-4 * 10_f64.powf(step as f64 / 10.0);
        approx::assert_relative_eq!(point.rate, rate, max_relative = 1e-12);
        sgd.set_learning_rate(rate);
        sgd.step(copy.params_mut(), &pass.grads).unwrap();
        let loss = copy.loss(&MeanSquaredError, data.x(), data.y()).unwrap();
        approx::assert_relative_eq!(point.loss, loss, max_relative = 1e-9);
    }
}

#[test]
fn the_network_is_unchanged() {
    let layers = Sequential::new()
        .then(Linear::new(1, 8))
        .then(BatchNorm::new(8))
        .then(Dropout::new(0.5))
        .then(Linear::new(8, 1));
    let network = Network::<f64>::new(layers).unwrap();
    let before = network.params().to_vec();
    LearningRateFinder::new().run(&network, MeanSquaredError, Adam::new(1.0), &data()).unwrap();
    assert_eq!(network.params(), before);
}

#[test]
fn the_test_ends_where_the_loss_explodes_and_every_number_is_finite() {
    let finder = LearningRateFinder::new().range(1e-3, 1e200).steps(500);
    let curve = finder.run(&network(), MeanSquaredError, Sgd::new(0.0), &data()).unwrap();
    let last = curve.points[curve.points.len() - 1];
    assert!(last.rate < 1e4, "{last:?}");
    assert!(curve.points.iter().all(|point| point.rate.is_finite() && point.loss.is_finite()));
    // If the first step overflows, there are no points.
    let finder = LearningRateFinder::new().range(1e300, 1e301);
    let curve = finder.run(&network(), MeanSquaredError, Sgd::new(0.0), &data()).unwrap();
    assert!(curve.points.len() < 3, "{:?}", curve.points);
    assert_eq!(curve.suggestion(), None);
}

#[test]
fn the_suggestion_trains_well() {
    let (network, data) = (network(), data());
    let curve = LearningRateFinder::new().run(&network, MeanSquaredError, Sgd::new(0.0), &data).unwrap();
    let suggestion = curve.suggestion().unwrap();
    let loss = |rate: f64| {
        let mut network = network.clone();
        Training::new(MeanSquaredError, Sgd::new(rate))
            .epochs(10)
            .progress(false)
            .fit(&mut network, &data)
            .unwrap();
        network.loss(&MeanSquaredError, data.x(), data.y()).unwrap()
    };
    assert!(loss(suggestion) < 0.5 * loss(suggestion / 100.0), "suggested {suggestion}");
}

#[test]
fn the_suggestion_is_the_steepest_point_before_the_lowest() {
    // A valley in the logarithm of the rate: flat, then down with its steepest slope at point 30,
    // then up.
    let curve = |loss: fn(f64) -> f64| {
        let point = |i| RatePoint { rate: 10_f64.powf(i / 10.0 - 5.0), loss: loss(i) };
        LearningRateCurve { points: (0..60).map(f64::from).map(point).collect() }
    };
    let valley = curve(|i| if i < 50.0 { 1.0 - 0.5 * ((i - 30.0) / 4.0).tanh() } else { i });
    assert_eq!(valley.suggestion(), Some(valley.points[30].rate));
    assert_eq!(curve(|_| 1.0).suggestion(), None);
    assert_eq!(curve(|i| 1.0 + i).suggestion(), None);
    assert_eq!(curve(|i| 1.0 - i / 2000.0).suggestion(), None, "a decrease of 2.5 % is too small");
    assert!(curve(|i| if i < 30.0 { 1.0 } else { 0.95 }).suggestion().is_some(), "5 % are enough");
    assert_eq!(LearningRateCurve { points: vec![] }.suggestion(), None);
}

#[test]
fn arguments_are_checked() {
    let (network, data) = (network(), data());
    let run = |finder: LearningRateFinder, data: &Dataset<f64>| {
        finder.run(&network, MeanSquaredError, Sgd::new(0.0), data).map(|curve| curve.points.len())
    };
    let new = LearningRateFinder::new;
    for (from, to, name) in [
        (0.0, 1.0, "first learning rate"),
        (-1.0, 1.0, "first learning rate"),
        (f64::NAN, 1.0, "first learning rate"),
        (f64::INFINITY, 1.0, "first learning rate"),
        (1.0, 1.0, "last learning rate"),
        (1.0, 0.1, "last learning rate"),
        (1.0, f64::NAN, "last learning rate"),
        (1.0, f64::INFINITY, "last learning rate"),
    ] {
        match run(new().range(from, to), &data) {
            Err(Error::Argument { argument, .. }) => assert_eq!(argument, name, "{from} to {to}"),
            other => panic!("{from} to {to}: {other:?}"),
        }
    }
    assert!(matches!(run(new().steps(1), &data), Err(Error::Argument { argument: "steps", .. })));
    assert!(run(new().batch_size(0), &data).is_err());
    assert_eq!(run(new().range(1e-9, 1e-8).steps(2), &data).unwrap(), 2);
    let wide = Dataset::new(Array2::zeros((5, 2)), Array2::zeros((5, 1))).unwrap();
    assert!(matches!(run(new(), &wide), Err(Error::Layer { .. })));
}

#[test]
fn losses_below_0_have_a_suggestion_as_well() {
    let curve = |loss: fn(f64) -> f64| {
        let point = |i| RatePoint { rate: 10_f64.powf(i / 10.0 - 5.0), loss: loss(i) };
        LearningRateCurve { points: (0..60).map(f64::from).map(point).collect() }
    };
    let valley = curve(|i| if i < 50.0 { -2.0 - 0.5 * ((i - 30.0) / 4.0).tanh() } else { i });
    assert_eq!(valley.suggestion(), Some(valley.points[30].rate));
    assert_eq!(curve(|_| -1.0).suggestion(), None);
    assert_eq!(curve(|i| -1.0 + i / 100.0).suggestion(), None);
    assert_eq!(curve(|i| -1.0 - i / 2000.0).suggestion(), None);
    // Counts of about 20: the Poisson loss is near −40 at its best, where the test must go on.
    let x = Array2::from_shape_fn((200, 1), |(i, _)| i as f64 / 100.0 - 1.0);
    let counts = Dataset::new(x.clone(), x.mapv(|x| (20.0 + 3.0 * x).round())).unwrap();
    let network = Network::new(Linear::new(1, 1)).unwrap();
    let finder = LearningRateFinder::new().range(1e-6, 1.0);
    let curve = finder.run(&network, Poisson, Sgd::new(0.0), &counts).unwrap();
    assert!(curve.points.iter().any(|point| point.loss < -30.0));
    assert!((1e-4..0.1).contains(&curve.suggestion().unwrap()), "{:?}", curve.suggestion());
}
