//! Sample weights.

use geartrain::data::Dataset;
use geartrain::prelude::*;
use ndarray::{Array2, ArrayRef2, Axis, array, concatenate};

use crate::recorder::*;

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
fn sample_weights_act_like_repeated_rows() {
    let data = data();
    // Weight 2 is a row twice, weight 0 is no row, and their scale does not matter.
    let weights: Vec<f64> = (0..40).map(|row| f64::from(row % 3)).collect();
    let once = data.select(&(0..40).filter(|row| row % 3 > 0).collect::<Vec<_>>()).unwrap();
    let twice = data.select(&(0..40).filter(|row| row % 3 == 2).collect::<Vec<_>>()).unwrap();
    let rows = |a: &ArrayRef2<f64>, b: &ArrayRef2<f64>| concatenate(Axis(0), &[a.view(), b.view()]).unwrap();
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
    // Half of the targets are outliers of weight 0: they must not affect training in any batch.
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
fn the_weighted_loss_is_that_of_keras_over_the_mean_weight() {
    // keras/src/losses/losses_test.py, MeanSquaredErrorTest.test_sample_weighted: the mean over
    // rows of w · mean(e²), not divided by the sum of the weights, is 127.9667.
    let output = array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]];
    let target = array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]];
    let identity = Linear::new(3, 3).without_bias();
    let mut network = Network::<f64>::new(identity).unwrap();
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
