//! The confusion matrix and the accuracy of classifiers.

use geartrain::data::Dataset;
use geartrain::metrics::ConfusionMatrix;
use geartrain::prelude::*;
use ndarray::{Array2, ArrayRef2, ArrayView2, array};

fn confusion(logits: &ArrayRef2<f64>, target: &[f64]) -> Result<ConfusionMatrix, Box<Error>> {
    let target = ArrayView2::from_shape((target.len(), 1), target).unwrap();
    ConfusionMatrix::from_logits(logits, &target).map_err(Box::new)
}

#[test]
fn rows_are_true_classes_and_columns_predicted_ones() {
    // The example of scikit-learn's confusion_matrix: true [2, 0, 2, 2, 0, 1], predicted [0, 0, 2,
    // 2, 0, 2].
    let predicted = [0, 0, 2, 2, 0, 2];
    let output = Array2::from_shape_fn((6, 3), |(row, class)| f64::from(u8::from(class == predicted[row])));
    let matrix = confusion(&output, &[2.0, 0.0, 2.0, 2.0, 0.0, 1.0]).unwrap();
    assert_eq!(matrix.counts(), array![[2, 0, 0], [0, 0, 1], [1, 0, 2]]);
    assert_eq!(matrix.accuracy(), 4.0 / 6.0);
    let table = matrix.table(&["ant", "bee", "caterpillar"]).unwrap();
    let expected = "true \\ predicted  ant  bee  caterpillar
ant                 2    0            0
bee                 0    0            1
caterpillar         1    0            2";
    assert_eq!(table, expected);
    assert!(matches!(matrix.table(&["ant"]), Err(Error::Shape { .. })));
}

#[test]
fn one_column_is_the_logit_of_class_1() {
    let matrix = confusion(&array![[-3.0], [0.0], [0.1], [9.0]], &[0.0, 1.0, 1.0, 0.0]).unwrap();
    assert_eq!(matrix.counts(), array![[1, 1], [1, 1]]);
    assert_eq!(matrix.accuracy(), 0.5);
}

#[test]
fn of_equal_logits_the_first_class_is_predicted() {
    let matrix = confusion(&array![[1.0, 1.0], [f64::NEG_INFINITY, f64::NEG_INFINITY]], &[0.0, 1.0]).unwrap();
    assert_eq!(matrix.counts(), array![[1, 0], [1, 0]]);
}

#[test]
fn classes_that_do_not_exist_are_errors_with_their_row() {
    for bad in [-1.0, 0.5, 2.0, f64::NAN] {
        let result = confusion(&array![[1.0, 0.0], [0.0, 1.0]], &[0.0, bad]);
        let error = result.unwrap_err();
        assert!(matches!(*error, Error::Target { row: 1, .. }), "{error}");
    }
}

#[test]
fn the_accuracy_of_one_class_only_is_how_often_it_is_found() {
    let matrix = confusion(&array![[1.0, 0.0], [0.0, 1.0], [3.0, 1.0], [1.0, 0.0]], &[0.0; 4]).unwrap();
    assert_eq!(matrix.accuracy(), 0.75);
}

#[test]
fn nothing_to_compare_is_an_error() {
    for shape in [(0, 3), (0, 1), (0, 0)] {
        let result = confusion(&Array2::zeros(shape), &[]);
        let error = result.unwrap_err();
        assert!(matches!(*error, Error::Argument { argument: "logits", .. }), "{error}");
    }
    let error = confusion(&Array2::zeros((3, 2)), &[0.0, 1.0]).unwrap_err();
    assert!(matches!(*error, Error::Shape { .. }), "{error}");
    let result = confusion(&array![[0.0, 1.0], [f64::NAN, 1.0]], &[0.0, 1.0]).unwrap_err();
    assert_eq!(result.to_string(), "logits must be numbers, got NaN in row 1");
}

#[test]
fn a_classifier_learns_three_clouds() {
    // Three clouds around (0, 0), (3, 0) and (0, 3).
    let x = Array2::from_shape_fn((90, 2), |(i, j)| {
        let centre = if i % 3 == j + 1 { 3.0 } else { 0.0 };
        centre + 0.8 * ((7 * i + 13 * j) as f64).sin()
    });
    let y = Array2::from_shape_fn((90, 1), |(i, _)| (i % 3) as f64);
    let data = Dataset::new(x, y).unwrap();
    let mut network =
        Network::new(Sequential::new().then(Linear::new(2, 8)).then(ReLU).then(Linear::new(8, 3))).unwrap();
    let accuracy = |network: &Network<f64>| {
        ConfusionMatrix::from_logits(&network.predict(data.x()).unwrap(), data.y()).unwrap().accuracy()
    };
    assert!(accuracy(&network) < 0.7);
    Training::new(CrossEntropy, Adam::new(0.02)).epochs(60).progress(false).fit(&mut network, &data).unwrap();
    assert!(accuracy(&network) > 0.97, "{}", accuracy(&network));
}
