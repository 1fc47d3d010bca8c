//! Losses: arguments, targets, and extreme outputs.

use geartrain::data::Dataset;
use geartrain::loss::*;
use geartrain::prelude::*;
use ndarray::{Array2, array};

use crate::support::*;

#[test]
fn invalid_class_indices_and_probabilities_are_errors_with_their_row() {
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
fn fit_names_the_row_of_the_data_not_of_a_batch() {
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
fn training_on_one_class_only_works() {
    let (x, y) = (Array2::from_shape_fn((40, 2), |(i, j)| (i * j) as f64 / 40.0), Array2::ones((40, 1)));
    let data = Dataset::new(x, y).unwrap();
    let mut network = Network::new(Linear::new(2, 3), 2).unwrap();
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
    // The probability is exactly 0 or 1 here, and the loss is still the distance from the right
    // logit.
    let target = array![[0.0, 1.0, 0.5], [1.0, 0.0, 1.0]];
    let value = BinaryCrossEntropyWithLogits.gradient(&logits, &target, &mut gradient);
    assert_eq!(value, (4000.0 + std::f64::consts::LN_2) / 6.0);
    assert_eq!(gradient * 6.0, array![[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]);
}

#[test]
fn the_loss_of_a_confident_correct_answer_is_small_but_not_0() {
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
