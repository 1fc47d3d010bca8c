//! Losses: arguments, targets, and extreme outputs.

use geartrain::data::Dataset;
use geartrain::gradcheck::Gradcheck;
use geartrain::loss::*;
use geartrain::optim::schedule::Cosine;
use geartrain::prelude::*;
use ndarray::{Array2, array, s};

use crate::support::*;

#[test]
fn invalid_class_indices_and_probabilities_are_errors_with_their_row() {
    let network = Network::<f64>::new(Linear::new(2, 3)).unwrap();
    let x = Array2::ones((3, 2));
    for bad in [-1.0, 0.5, 3.0, 1e300, f64::NAN, f64::INFINITY] {
        let target = array![[0.0], [2.0], [bad]];
        match network.loss(&CrossEntropy, &x, &target) {
            Err(Error::Target { row: 2, column: 0, expected, got }) => {
                assert_eq!(expected, "a class index: an integer from 0 to 2");
                assert!(got == bad || bad.is_nan());
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
    assert!(matches!(network.loss(&CrossEntropy, &x, &x), Err(Error::Shape { .. })));
    for bad in [-0.1, 1.1, f64::NAN] {
        let target = array![[0.0, 0.0, 0.0], [1.0, bad, 0.0], [0.0, 0.0, 0.0]];
        let result = network.loss(&BinaryCrossEntropyWithLogits, &x, &target);
        assert!(matches!(result, Err(Error::Target { row: 1, column: 1, .. })), "{bad}: {result:?}");
    }
}

#[test]
fn a_single_class_has_no_loss_and_two_columns_are_not_class_indices() {
    let one = Network::<f64>::new(Linear::new(2, 1)).unwrap();
    let x = Array2::ones((3, 2));
    assert_eq!(one.loss(&CrossEntropy, &x, &Array2::zeros((3, 1))).unwrap(), 0.0);
    let three = Network::<f64>::new(Linear::new(2, 3)).unwrap();
    let error = three.loss(&CrossEntropy, &x, &Array2::zeros((3, 2))).unwrap_err().to_string();
    assert!(error.contains("one column of class indices"), "{error}");
}

#[test]
fn rows_of_a_plain_mean_weigh_1() {
    fn weights(loss: impl Loss<f64>) -> (f64, Option<f64>) {
        let target = array![[0.0], [1.0], [1.0]];
        (loss.row_weight(&target.row(1)), loss.total_weight(&target))
    }
    assert_eq!(weights(MeanSquaredError), (1.0, Some(3.0)));
    assert_eq!(weights(CrossEntropy), (1.0, Some(3.0)));
    assert_eq!(weights(BinaryCrossEntropyWithLogits), (1.0, Some(3.0)));
    assert_eq!(weights(CrossEntropy.class_weights([2.0, 0.5])), (0.5, Some(3.0)));
    // With label smoothing, a class of weight 0 keeps a part of the loss.
    let smooth = CrossEntropy.label_smoothing(0.1);
    assert_eq!(weights(smooth.clone().class_weights([2.0, 0.5])), (0.5, Some(3.0)));
    assert_eq!(weights(smooth.class_weights([2.0, 0.0])), (0.0, None));
    assert_eq!(weights(CrossEntropy.class_weights([2.0, 0.0])), (0.0, Some(2.0)));
}

#[test]
fn fit_names_the_row_of_the_data_not_of_a_batch() {
    let (x, mut y) = (Array2::from_shape_fn((50, 2), |(i, j)| (i + j) as f64), Array2::zeros((50, 1)));
    y[[37, 0]] = 3.0;
    let data = Dataset::new(x, y).unwrap();
    let mut network = Network::new(Linear::new(2, 3)).unwrap();
    let before = network.params().to_vec();
    let error =
        Training::new(CrossEntropy, Sgd::new(0.1)).progress(false).fit(&mut network, &data).unwrap_err();
    assert!(matches!(error, Error::Target { row: 37, column: 0, .. }), "{error}");
    assert_eq!(network.params(), before);
}

#[test]
fn training_on_one_class_only_works() {
    let (x, y) = (Array2::from_shape_fn((40, 2), |(i, j)| (i * j) as f64 / 40.0), Array2::ones((40, 1)));
    let data = Dataset::new(x, y).unwrap();
    let mut network = Network::new(Linear::new(2, 3)).unwrap();
    let mut training = Training::new(CrossEntropy, Adam::new(0.1)).epochs(50).progress(false);
    let losses = training.fit(&mut network, &data).unwrap().train_losses();
    assert!(losses[49] < 0.05 && losses[49] < losses[0], "{losses:?}");
}

#[test]
fn logits_of_1000_give_finite_losses_and_gradients() {
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
    // The probability rounds to 0 or 1, but the loss is exact.
    let target = array![[0.0, 1.0, 0.5], [1.0, 0.0, 1.0]];
    let value = BinaryCrossEntropyWithLogits.gradient(&logits, &target, &mut gradient);
    assert_eq!(value, (4000.0 + std::f64::consts::LN_2) / 6.0);
    assert_eq!(gradient * 6.0, array![[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]);
}

#[test]
fn the_loss_of_a_confident_correct_answer_is_small_but_not_0() {
    // ln(1 + e^−50) = e^−50 would be lost in a sum with 1.
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
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    let result = training(Sgd::new(0.1)).sample_weights(&[1.0, 1.0]).fit(&mut network, &sine(3));
    assert!(matches!(result, Err(Error::Shape { .. })), "{result:?}");
}

#[test]
fn huber_changes_from_square_to_line_at_delta() {
    let value = |delta: f64, difference: f64| {
        let mut slope = array![[f64::NAN]];
        let loss = Huber::new(delta);
        let value = loss.gradient(&array![[difference]], &array![[0.0]], &mut slope);
        (value, slope[[0, 0]])
    };
    for sign in [1.0, -1.0] {
        assert_eq!(value(3.0, sign * 2.0), (2.0, sign * 2.0));
        assert_eq!(value(3.0, sign * 3.0), (4.5, sign * 3.0));
        assert_eq!(value(3.0, sign * 5.0), (3.0 * (5.0 - 1.5), sign * 3.0));
        assert_eq!(value(0.25, sign * 2.0), (0.25 * (2.0 - 0.125), sign * 0.25));
    }
    // δ times the smooth L1 loss
    for difference in [-4.0, -0.5, 0.0, 0.7, 0.9] {
        let smooth = SmoothL1::new(0.7).value(&array![[difference]], &array![[0.0]]);
        approx::assert_relative_eq!(value(0.7, difference).0, 0.7 * smooth, max_relative = 1e-15);
    }
}

#[test]
fn the_smooth_l1_loss_is_curved_below_beta_only() {
    let loss = SmoothL1::new(0.5);
    let (mut curvature, one) = (array![[f64::NAN; 4]], array![[1.0; 4]]);
    let output = array![[0.49, -0.49, 0.5, -0.5]];
    loss.gradient_jvp(&output, &array![[0.0; 4]], &one, &mut curvature).unwrap();
    // 1/β of each of 4 outputs
    assert_eq!(curvature, array![[0.5, 0.5, 0.0, 0.0]]);
}

#[test]
fn only_losses_that_apply_softmax_or_sigmoid_expect_logits() {
    let weights = [1.0];
    let losses: [(&dyn Loss<f64>, bool); 3] =
        [(&CrossEntropy, true), (&BinaryCrossEntropyWithLogits, true), (&MeanSquaredError, false)];
    for (loss, expected) in losses {
        assert_eq!(loss.expects_logits(), expected, "{loss:?}");
        assert_eq!(Weighted::new(loss, &weights).expects_logits(), expected, "weighted {loss:?}");
    }
}

#[test]
fn a_pointer_to_a_loss_is_a_loss() {
    fn check<L: Loss<f64>>(loss: L) {
        let (output, target) = (array![[0.5, -1.0], [2.0, 0.0]], array![[0.0], [1.0]]);
        let own = CrossEntropy.label_smoothing(0.1).class_weights([1.0, 3.0]);
        let (mut gradient, mut expected) = (output.clone(), output.clone());
        loss.check(&output, &target).unwrap();
        assert!(loss.check(&output, &array![[0.0], [2.0]]).is_err());
        assert_eq!(loss.value(&output, &target), own.value(&output, &target));
        loss.gradient(&output, &target, &mut gradient);
        own.gradient(&output, &target, &mut expected);
        assert_eq!(gradient, expected);
        assert_eq!(loss.row_weight(&target.row(1)), 3.0);
        assert!(loss.expects_logits());
        assert_eq!(loss.settings(), Loss::<f64>::settings(&own));
    }
    let loss = || CrossEntropy.label_smoothing(0.1).class_weights([1.0, 3.0]);
    check(loss());
    check::<&CrossEntropyWithOptions>(&loss());
    let mut own = loss();
    check::<&mut CrossEntropyWithOptions>(&mut own);
    check(Box::new(loss()));
    check(&loss() as &dyn Loss<f64>);
    check(Box::new(loss()) as Box<dyn Loss<f64>>);
    // `Training` takes them as well.
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    let boxed: Box<dyn Loss<f64>> = Box::new(MeanSquaredError);
    Training::new(&boxed, Sgd::new(0.1)).epochs(1).progress(false).fit(&mut network, &sine(4)).unwrap();
}

#[test]
fn gradients_of_new_losses_pass_the_gradient_check() {
    let output = array![[0.5, -1.0, 0.2], [2.0, 0.25, -0.3], [0.0, 1.0, 4.0]];
    let target = array![[0.0, 1.0, 2.0], [2.5, 0.5, 0.0], [1.3, 3.0, 0.1]];
    let probabilities = array![[0.25, 0.25, 0.5], [1.0, 0.0, 0.0], [0.0, 0.125, 0.875]];
    let classes = array![[2.0], [0.0], [1.0]];
    let weighted = CrossEntropy.class_weights([0.5, 2.0, 1.0]);
    let smoothed = weighted.clone().label_smoothing(0.2);
    let cases: [(&dyn Loss<f64>, &Array2<f64>); 10] = [
        (&SmoothL1::default(), &target),
        (&SmoothL1::new(0.3), &target),
        (&Quantile::new(0.1), &target),
        (&Quantile::new(0.9), &target),
        (&Poisson, &target),
        (&CrossEntropy, &probabilities),
        (&weighted, &classes),
        (&smoothed, &probabilities),
        (&Weighted::new(&smoothed, &[0.5, 0.0, 2.0]), &classes),
        (&Weighted::new(&weighted, &[0.5, 0.0, 2.0]), &probabilities),
    ];
    for (loss, target) in cases {
        let report = Gradcheck::default().loss(loss, &output, target).unwrap();
        assert!(report.passed(), "{loss:?}\n{report}");
    }
}

#[test]
fn one_hot_probabilities_equal_class_indices() {
    let output = array![[0.5, -1.0, 0.2], [2.0, 0.25, -0.3]];
    let (classes, one_hot) = (array![[2.0], [0.0]], array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    for smoothing in [0.0, 0.1] {
        let loss = CrossEntropy.label_smoothing(smoothing);
        let (mut by_class, mut by_probability) = (output.clone(), output.clone());
        let values = [
            loss.gradient(&output, &classes, &mut by_class),
            loss.gradient(&output, &one_hot, &mut by_probability),
        ];
        approx::assert_relative_eq!(values[0], values[1], max_relative = 1e-15);
        approx::assert_relative_eq!(by_class, by_probability, max_relative = 1e-14);
    }
}

#[test]
fn class_probabilities_are_checked_row_by_row() {
    let output = array![[0.0, 0.0], [0.0, 0.0]];
    let check = |target: Array2<f64>| CrossEntropy.check(&output, &target);
    check(array![[0.5, 0.5], [0.0, 1.0]]).unwrap();
    // Sums that differ from 1 by rounding are valid.
    check(array![[0.3333, 0.6666], [0.1, 0.9]]).unwrap();
    for bad in [-0.1, 1.1, f64::NAN] {
        let result = check(array![[0.5, 0.5], [bad, 1.0 - bad]]);
        assert!(matches!(result, Err(Error::Target { row: 1, column: 0, .. })), "{result:?}");
    }
    match check(array![[0.5, 0.5], [0.5, 0.25]]) {
        Err(Error::Target { row: 1, column: 0, expected, got: 0.75 }) => {
            assert!(expected.contains("sum is 1"), "{expected}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(check(Array2::zeros((2, 3))), Err(Error::Shape { .. })));
    assert!(matches!(check(Array2::zeros((3, 2))), Err(Error::Shape { .. })));
}

#[test]
fn class_weights_are_checked() {
    let (output, target) = (array![[0.0, 0.0]], array![[1.0]]);
    let check = |weights: &[f64]| CrossEntropy.class_weights(weights).check(&output, &target);
    check(&[0.0, 1.0]).unwrap();
    assert!(matches!(check(&[1.0]), Err(Error::Shape { .. })));
    for bad in BAD {
        assert_argument(check(&[1.0, bad]), "class weight");
    }
    assert_argument(check(&[0.0, 0.0]), "class weights");
    // A batch whose classes all weigh 0 has no loss and no gradient.
    let loss = CrossEntropy.class_weights([1.0, 0.0]);
    let mut gradient = Array2::from_elem((1, 2), f64::NAN);
    assert_eq!(loss.gradient(&output, &target, &mut gradient), 0.0);
    assert_eq!(gradient, array![[0.0, 0.0]]);
    assert_eq!(loss.value(&output, &target), 0.0);
}

#[test]
fn sample_weights_multiply_class_weights() {
    let (output, target) = (array![[0.5, -1.0], [2.0, 0.25], [0.3, 0.1]], array![[1.0], [0.0], [1.0]]);
    let loss = CrossEntropy.class_weights([1.0, 3.0]);
    let row = |r: usize| CrossEntropy.value(&output.slice(s![r..=r, ..]), &target.slice(s![r..=r, ..]));
    let value = Weighted::new(&loss, &[2.0, 1.0, 0.0]).value(&output, &target);
    // Σ w c l / Σ c
    let expected = (2.0 * 3.0 * row(0) + 1.0 * 1.0 * row(1)) / (3.0 + 1.0 + 3.0);
    approx::assert_relative_eq!(value, expected, max_relative = 1e-14);
    // Weights of 1 change nothing.
    let ones = Weighted::new(&loss, &[1.0; 3]).value(&output, &target);
    approx::assert_relative_eq!(ones, loss.value(&output, &target), max_relative = 1e-14);
}

#[test]
fn counts_and_quantiles_are_checked() {
    let output = array![[0.0, 1.0]];
    for bad in BAD {
        let result = Poisson.check(&output, &array![[0.0, bad]]);
        assert!(matches!(result, Err(Error::Target { row: 0, column: 1, .. })), "{result:?}");
    }
    for bad in [0.0, 1.0, -0.5, f64::NAN] {
        assert_argument(Quantile::new(bad).check(&output, &output), "quantile");
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_argument(SmoothL1::new(bad).check(&output, &output), "beta");
    }
    for loss in [&Poisson as &dyn Loss<f64>, &Quantile::new(0.5), &SmoothL1::default()] {
        assert!(matches!(loss.check(&output, &array![[0.0]]), Err(Error::Shape { .. })), "{loss:?}");
    }
}

#[test]
fn the_quantile_loss_finds_the_quantile_and_poisson_the_log_of_the_mean() {
    let targets = Array2::from_shape_fn((101, 1), |(i, _)| ((i * 37) % 101) as f64);
    let data = Dataset::new(Array2::zeros((101, 1)), targets).unwrap();
    let bias = |loss: &dyn Loss<f64>, rate: f64| {
        let mut network = Network::new(Linear::new(1, 1)).unwrap();
        let training = Training::new(loss, Sgd::new(rate)).epochs(3000).batch_size(101).progress(false);
        training.schedule_per_step(Cosine::new(3000)).fit(&mut network, &data).unwrap();
        network.param("bias").unwrap()[[0]]
    };
    for quantile in [0.1, 0.5, 0.9] {
        let found = bias(&Quantile::new(quantile), 1.0);
        assert!((found - 100.0 * quantile).abs() < 0.6, "{quantile}: {found}");
    }
    let found = bias(&Poisson, 0.01);
    assert!((found - 50_f64.ln()).abs() < 1e-3, "{found}");
}
