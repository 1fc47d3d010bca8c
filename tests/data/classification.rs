//! Metrics of classifiers and regressions, beside the numbers of scikit-learn.

use approx::assert_relative_eq;
use geartrain::metrics::ConfusionMatrix;
use geartrain::{Error, metrics};
use ndarray::{Array1, Array2, array};
use serde_json::Value;

/// One group of the cases in `metrics.json`.
fn cases(group: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../fixtures/metrics.json")).unwrap();
    let cases = file[group].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn numbers(list: &Value) -> Vec<f64> {
    match list {
        Value::Array(entries) => entries.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// A list of rows, or of numbers as one column.
fn matrix(list: &Value) -> Array2<f64> {
    let (rows, values) = (list.as_array().unwrap().len(), numbers(list));
    Array2::from_shape_vec((rows, values.len() / rows), values).unwrap()
}

#[track_caller]
fn assert_scores(case: &Value, scores: &[(&str, f64)]) {
    for &(name, score) in scores {
        let expected = case[name].as_f64().unwrap();
        let close = (score - expected).abs() <= 1e-13 * expected.abs().max(1.0);
        assert!(close, "{}, {name}: expected {expected}, got {score}", case["name"]);
    }
}

/// Scores of predicted classes, which are those of the case.
fn assert_classes(case: &Value, predicted: &Array1<usize>, truth: &Array2<f64>) {
    let expected: Vec<usize> = numbers(&case["predicted"]).iter().map(|&class| class as usize).collect();
    assert_eq!(predicted.to_vec(), expected, "{}", case["name"]);
    let accuracy = metrics::accuracy(predicted, truth).unwrap();
    let balanced = metrics::balanced_accuracy(predicted, truth).unwrap();
    assert_scores(case, &[("accuracy", accuracy), ("balanced_accuracy", balanced)]);
    // Classes above the largest that occurs have no entry.
    let (f1, expected) = (metrics::f1(predicted, truth).unwrap(), numbers(&case["f1"]));
    assert!(f1.len() <= expected.len() && expected[f1.len()..].iter().all(|&f1| f1 == 0.0));
    assert!(f1.iter().zip(&expected).all(|(f1, expected)| (f1 - expected).abs() < 1e-14), "{f1:?}");
}

#[test]
fn scores_of_two_classes_are_those_of_scikit_learn() {
    for case in cases("binary") {
        let (truth, scores) = (matrix(&case["truth"]), matrix(&case["scores"]));
        let auc = metrics::roc_auc(&scores, &truth).unwrap();
        let precision = metrics::average_precision(&scores, &truth).unwrap();
        let loss = metrics::log_loss(&scores, &truth).unwrap();
        assert_scores(&case, &[("roc_auc", auc), ("average_precision", precision), ("log_loss", loss)]);
        assert_classes(&case, &metrics::classes_from_probabilities(&scores).unwrap(), &truth);
        // The same from two columns and in f32, whose ties are the same.
        let both = ndarray::concatenate![ndarray::Axis(1), 1.0 - &scores, scores];
        assert_scores(&case, &[("log_loss", metrics::log_loss(&both, &truth).unwrap())]);
        let narrow = [&scores, &truth].map(|array| array.mapv(|value| value as f32));
        assert_scores(&case, &[("roc_auc", metrics::roc_auc(&narrow[0], &narrow[1]).unwrap())]);
    }
}

#[test]
fn scores_of_several_classes_are_those_of_scikit_learn() {
    for case in cases("classes") {
        let (truth, probabilities) = (matrix(&case["truth"]), matrix(&case["probabilities"]));
        let loss = metrics::log_loss(&probabilities, &truth).unwrap();
        assert_scores(&case, &[("log_loss", loss)]);
        let predicted = metrics::classes_from_probabilities(&probabilities).unwrap();
        assert_classes(&case, &predicted, &truth);
        let matrix = ConfusionMatrix::from_probabilities(&probabilities, &truth).unwrap();
        assert_scores(&case, &[("accuracy", matrix.accuracy())]);
    }
}

#[test]
fn scores_of_a_regression_are_those_of_scikit_learn() {
    for case in cases("regression") {
        let (truth, predicted) = (matrix(&case["truth"]), matrix(&case["predicted"]));
        let scores = [
            ("r2", metrics::r2(&predicted, &truth).unwrap()),
            ("mean_squared_error", metrics::mean_squared_error(&predicted, &truth).unwrap()),
            ("root_mean_squared_error", metrics::root_mean_squared_error(&predicted, &truth).unwrap()),
            ("mean_absolute_error", metrics::mean_absolute_error(&predicted, &truth).unwrap()),
        ];
        assert_scores(&case, &scores);
    }
}

#[test]
fn scores_agree_with_the_examples_of_scikit_learn() {
    let (scores, truth) = (array![[0.1], [0.4], [0.35], [0.8]], array![[0.0], [0.0], [1.0], [1.0]]);
    assert_eq!(metrics::roc_auc(&scores, &truth).unwrap(), 0.75);
    assert_relative_eq!(metrics::average_precision(&scores, &truth).unwrap(), 5.0 / 6.0, epsilon = 1e-15);
    let truth = array![[0.0_f32], [1.0], [0.0], [0.0], [1.0], [0.0]];
    assert_eq!(metrics::balanced_accuracy(&array![0, 1, 0, 0, 0, 1], &truth).unwrap(), 0.625);
    let truth = array![[0.0], [1.0], [2.0], [0.0], [1.0], [2.0]];
    let predicted = array![0, 2, 1, 0, 0, 1];
    assert_eq!(metrics::f1(&predicted, &truth).unwrap(), [0.8, 0.0, 0.0]);
    assert_eq!(metrics::accuracy(&predicted, &truth).unwrap(), 2.0 / 6.0);
    let probabilities = array![[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]];
    let truth = array![[1.0], [0.0], [0.0], [1.0]];
    let loss = metrics::log_loss(&probabilities, &truth).unwrap();
    assert_relative_eq!(loss, 0.21616, epsilon = 5e-6);
    assert_relative_eq!(loss, -(0.9_f64 * 0.9 * 0.8 * 0.65).ln() / 4.0, epsilon = 1e-15);
    // One column of probabilities of class 1 is the same.
    let single = probabilities.slice(ndarray::s![.., 1..]);
    assert_relative_eq!(metrics::log_loss(&single, &truth).unwrap(), loss, epsilon = 1e-15);
}

#[test]
fn ties_count_half_and_any_rising_function_of_the_scores_gives_the_same() {
    let truth = array![[0.0], [1.0], [0.0], [1.0], [1.0]];
    let scores = array![[0.5], [0.5], [0.2], [0.9], [0.2]];
    // Pairs of both classes: (0.5, 0.5) ½, (0.5, 0.9) 1, (0.5, 0.2) 0, (0.2, 0.5) 1, (0.2, 0.9) 1,
    // (0.2, 0.2) ½.
    assert_relative_eq!(metrics::roc_auc(&scores, &truth).unwrap(), 4.0 / 6.0, epsilon = 1e-15);
    // Precision 1 at recall 1/3, 2/3 at 2/3, 3/5 at 1.
    let expected = (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0;
    assert_relative_eq!(metrics::average_precision(&scores, &truth).unwrap(), expected, epsilon = 1e-15);
    let both = ndarray::concatenate![ndarray::Axis(1), scores.mapv(|s: f64| -s), scores];
    assert_relative_eq!(metrics::roc_auc(&both, &truth).unwrap(), 4.0 / 6.0, epsilon = 1e-15);
}

#[test]
fn undefined_scores_are_nan() {
    let scores = array![[0.1], [0.9]];
    assert!(metrics::roc_auc(&scores, &array![[1.0], [1.0]]).unwrap().is_nan());
    assert!(metrics::roc_auc(&scores, &array![[0.0], [0.0]]).unwrap().is_nan());
    assert!(metrics::average_precision(&scores, &array![[0.0], [0.0]]).unwrap().is_nan());
}

#[test]
fn logits_and_probabilities_are_told_apart_by_name() {
    // Probabilities of one column: cut at 0 they would all be class 1.
    let (probabilities, truth) = (array![[0.2], [0.3], [0.7], [0.4]], array![[0.0], [0.0], [1.0], [1.0]]);
    let confusion = ConfusionMatrix::from_probabilities(&probabilities, &truth).unwrap();
    assert_eq!((confusion.counts(), confusion.accuracy()), (array![[2, 0], [1, 1]].view(), 0.75));
    assert_eq!(metrics::classes_from_probabilities(&probabilities).unwrap(), array![0, 0, 1, 0]);
    let logits = probabilities.mapv(|p: f64| (p / (1.0 - p)).ln());
    assert_eq!(ConfusionMatrix::from_logits(&logits, &truth).unwrap(), confusion);
    let difference = metrics::probabilities(&logits).unwrap() - &probabilities;
    assert!(difference.iter().all(|difference| difference.abs() < 1e-15));
    let error = ConfusionMatrix::from_probabilities(&logits, &truth).unwrap_err().to_string();
    assert!(error.starts_with("probabilities must be numbers from 0 to 1"), "{error}");
}

#[test]
fn extreme_logits_have_finite_probabilities() {
    let logits = array![[1000.0, -1000.0, 0.0], [f64::INFINITY, 0.0, 1.0], [-5.0, -5.0, -5.0]];
    let third = 1.0 / 3.0;
    let expected = array![[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [third, third, third]];
    assert_eq!(metrics::probabilities(&logits).unwrap(), expected);
    assert_eq!(metrics::probabilities(&array![[1000.0], [-1000.0]]).unwrap(), array![[1.0], [0.0]]);
    let loss = metrics::log_loss(&array![[0.0], [1.0]], &array![[1.0], [1.0]]).unwrap();
    assert_relative_eq!(loss, -f64::EPSILON.ln() / 2.0, epsilon = 1e-12);
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let truth = array![[0.0], [1.0]];
    assert!(matches!(metrics::roc_auc(&array![[0.1]], &truth), Err(Error::Shape { .. })));
    assert!(matches!(metrics::roc_auc(&array![[0.1], [f64::NAN]], &truth), Err(Error::Argument { .. })));
    assert!(matches!(
        metrics::roc_auc(&Array2::<f64>::zeros((0, 1)), &Array2::zeros((0, 1))),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        metrics::average_precision(&array![[0.1], [0.2]], &array![[0.0], [2.0]]),
        Err(Error::Target { row: 1, .. })
    ));
    assert!(matches!(metrics::accuracy(&array![0, 1, 1], &truth), Err(Error::Shape { .. })));
    assert!(matches!(metrics::accuracy(&array![0, usize::MAX], &truth), Err(Error::Argument { .. })));
    assert!(matches!(
        metrics::accuracy(&array![0, 0], &array![[0.5], [0.0]]),
        Err(Error::Target { row: 0, .. })
    ));
    assert!(matches!(ConfusionMatrix::new(&array![0, 2], &truth, 2), Err(Error::Argument { .. })));
}

#[test]
fn the_table_of_many_classes_and_long_names_is_short() {
    let classes = 2000;
    let predicted = ndarray::Array1::from_iter((0..classes).map(|row| (row + row % 2) % classes));
    let truth = Array2::from_shape_fn((classes, 1), |(row, _)| row as f64);
    let matrix = ConfusionMatrix::new(&predicted, &truth, classes).unwrap();
    let names: Vec<String> = (0..classes).map(|class| format!("{class}\n{}", "x".repeat(70_000))).collect();
    let table = matrix.table(&names).unwrap();
    assert_eq!(table.lines().count(), 22);
    assert!(table.len() < 30_000 && table.contains("1980 others"), "{}", table.len());
    assert!(table.contains(r"0\nxxx") && matrix.to_string().len() < 10_000);
    // The last row holds the counts of all others.
    let others: usize =
        table.lines().last().unwrap().split_whitespace().skip(2).map(|n| n.parse::<usize>().unwrap()).sum();
    assert_eq!(others, 1980);
}
