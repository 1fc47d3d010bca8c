//! From outputs to classes and probabilities, and how good those are.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1};

use crate::error::{Shape, require, same_shape};
use crate::loss::check_classes;
use crate::{Error, Scalar};
use geartrain_kernels::{exp, logistic};

/// The class of each row of `logits`, `(rows, outputs)`: the index of the largest, the first of
/// several equal ones. A single column holds the logit of class 1, which is predicted above 0.
///
/// # Errors
/// [`Error::Argument`] for an empty array and for NaN.
pub fn classes_from_logits<F: Scalar>(logits: &ArrayRef2<F>) -> Result<Array1<usize>, Error> {
    classes(logits, "logits", 0.0)
}

/// The class of each row of `probabilities`, `(rows, outputs)`: the index of the largest, the first
/// of several equal ones. A single column holds the probability of class 1, which is predicted
/// above 0.5.
///
/// # Errors
/// [`Error::Argument`] for an empty array and for anything that is no probability.
pub fn classes_from_probabilities<F: Scalar>(probabilities: &ArrayRef2<F>) -> Result<Array1<usize>, Error> {
    check_probabilities(probabilities)?;
    classes(probabilities, "probabilities", 0.5)
}

/// The probabilities that `logits`, `(rows, outputs)`, stand for, in the same shape: the softmax of
/// each row, or for a single column the sigmoid, the probability of class 1.
///
/// # Errors
/// As [`classes_from_logits`].
pub fn probabilities<F: Scalar>(logits: &ArrayRef2<F>) -> Result<Array2<F>, Error> {
    check_output(logits, "logits")?;
    let mut probabilities = logits.to_owned();
    for mut row in probabilities.rows_mut() {
        if row.len() == 1 {
            row.mapv_inplace(|z| F::of(logistic(z.as_f64())));
            continue;
        }
        let largest = row[largest(row.view())].as_f64();
        // A logit of infinity has all the probability.
        let power = |z: F| if z.as_f64() == largest { 1.0 } else { exp(z.as_f64() - largest) };
        let total: f64 = row.iter().map(|&z| power(z)).sum();
        row.mapv_inplace(|z| F::of(power(z) / total));
    }
    Ok(probabilities)
}

/// The share of rows whose class was predicted, from 0 to 1. `target` is one column of class
/// indices.
///
/// # Errors
/// [`Error::Shape`] if rows differ or `target` has several columns, [`Error::Argument`] without
/// rows, [`Error::Target`] for anything that is no class index.
pub fn accuracy<F: Scalar>(predicted: &ArrayRef1<usize>, target: &ArrayRef2<F>) -> Result<f64, Error> {
    let counts = Counts::new(predicted, target)?;
    Ok(counts.hits.iter().sum::<usize>() as f64 / predicted.len() as f64)
}

/// The mean over the classes in `target` of the share of their rows that was predicted: accuracy
/// that counts every class alike, as scikit-learn's `balanced_accuracy_score`.
///
/// # Errors
/// As [`accuracy`].
pub fn balanced_accuracy<F: Scalar>(
    predicted: &ArrayRef1<usize>,
    target: &ArrayRef2<F>,
) -> Result<f64, Error> {
    let counts = Counts::new(predicted, target)?;
    let recalls = counts.hits.iter().zip(&counts.rows).filter(|(_, rows)| **rows > 0);
    let recalls: Vec<f64> = recalls.map(|(&hits, &rows)| hits as f64 / rows as f64).collect();
    Ok(recalls.iter().sum::<f64>() / recalls.len() as f64)
}

/// F1, the harmonic mean of precision and recall, `2 tp / (2 tp + fp + fn)`, for each class up to
/// the largest in either argument. A class without rows and predictions has 0, as in scikit-learn's
/// `f1_score(average=None)`. The entry 1 is the F1 of a binary classifier.
///
/// # Errors
/// As [`accuracy`].
pub fn f1<F: Scalar>(predicted: &ArrayRef1<usize>, target: &ArrayRef2<F>) -> Result<Vec<f64>, Error> {
    let Counts { hits, rows, predictions } = Counts::new(predicted, target)?;
    let scores = hits.iter().zip(rows.iter().zip(&predictions));
    Ok(scores.map(|(&hits, (&rows, &said))| 2.0 * hits as f64 / ((rows + said) as f64).max(1.0)).collect())
}

/// The mean of `−ln p` of the true class. `probabilities` is `(rows, classes)`, or one column of
/// probabilities of class 1; `target` one column of class indices. Probabilities are clipped to
/// `[ε, 1 − ε]`, with the machine epsilon of `f64`, as scikit-learn's `log_loss`.
///
/// # Errors
/// As [`classes_from_probabilities`]; [`Error::Shape`] if rows differ or `target` has several
/// columns; [`Error::Target`] for anything that is no class index.
pub fn log_loss<F: Scalar>(probabilities: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<f64, Error> {
    check_probabilities(probabilities)?;
    check_target(probabilities.nrows(), target, probabilities.ncols().max(2))?;
    let rows = probabilities.rows().into_iter().zip(target);
    let sum: f64 = rows
        .map(|(row, truth)| {
            let class = truth.as_f64() as usize;
            let p = match row.len() {
                1 if class == 0 => 1.0 - row[0].as_f64(),
                1 => row[0].as_f64(),
                _ => row[class].as_f64(),
            };
            -libm::log(p.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
        })
        .sum();
    Ok(sum / target.len() as f64)
}

/// The area under the ROC curve: the probability that a row of class 1 has a higher score than one
/// of class 0, with ties counted half. NaN if one of the classes is missing.
///
/// `scores` are logits or probabilities of class 1, `(rows, 1)`, or of both classes, `(rows, 2)`;
/// `target` is one column of 0 and 1. Cost: n log n.
///
/// # Errors
/// [`Error::Shape`] for other shapes, [`Error::Argument`] without rows or for NaN,
/// [`Error::Target`] for other classes.
pub fn roc_auc<F: Scalar>(scores: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<f64, Error> {
    let (mut below, mut area) = (0.0, 0.0);
    let (mut positives, mut negatives) = (0.0, 0.0);
    for (ones, zeros) in thresholds(scores, target)?.into_iter().rev() {
        area += ones * (below + zeros / 2.0);
        below += zeros;
        positives += ones;
        negatives += zeros;
    }
    Ok(area / (positives * negatives))
}

/// Average precision, `Σ (Rᵢ − Rᵢ₋₁) Pᵢ` over falling thresholds, with recall R and precision P:
/// the area under the precision-recall curve, as scikit-learn's `average_precision_score`. NaN
/// without a row of class 1. Arguments and cost as of [`roc_auc`].
///
/// # Errors
/// As [`roc_auc`].
pub fn average_precision<F: Scalar>(scores: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<f64, Error> {
    let (mut hits, mut rows, mut sum) = (0.0, 0.0, 0.0);
    for (ones, zeros) in thresholds(scores, target)? {
        hits += ones;
        rows += ones + zeros;
        sum += ones * hits / rows;
    }
    Ok(sum / hits)
}

/// Rows of class 1 and of class 0 for each different score, from the highest to the lowest.
fn thresholds<F: Scalar>(scores: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<Vec<(f64, f64)>, Error> {
    check_output(scores, "scores")?;
    let columns = scores.ncols().min(2);
    same_shape("scores", &[target.nrows(), columns], scores.shape())?;
    check_target(scores.nrows(), target, 2)?;
    // Of two logits or probabilities, the difference ranks the rows.
    let score = |row: ArrayView1<F>| match row.len() {
        1 => row[0].as_f64(),
        _ => row[1].as_f64() - row[0].as_f64(),
    };
    let rows = scores.rows().into_iter().zip(target);
    let mut rows: Vec<(f64, bool)> = rows.map(|(row, truth)| (score(row), truth.as_f64() == 1.0)).collect();
    rows.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let groups = rows.chunk_by(|(a, _), (b, _)| a == b);
    let count = |group: &[(f64, bool)]| {
        let ones = group.iter().filter(|(_, one)| *one).count();
        (ones as f64, (group.len() - ones) as f64)
    };
    Ok(groups.map(count).collect())
}

/// Rows that were predicted rightly, all rows, and all predictions of each class.
struct Counts {
    hits: Vec<usize>,
    rows: Vec<usize>,
    predictions: Vec<usize>,
}

impl Counts {
    fn new<F: Scalar>(predicted: &ArrayRef1<usize>, target: &ArrayRef2<F>) -> Result<Self, Error> {
        require(!predicted.is_empty(), "predicted", "at least one class", "none")?;
        check_target(predicted.len(), target, MOST_CLASSES)?;
        let largest =
            target.iter().map(|truth| truth.as_f64() as usize).chain(predicted.iter().copied()).max();
        let largest = largest.unwrap_or(0);
        require(largest < MOST_CLASSES, "predicted", "class indices below 2²⁴", largest)?;
        let classes = largest + 1;
        let (mut hits, mut rows, mut predictions) = (vec![0; classes], vec![0; classes], vec![0; classes]);
        for (&class, truth) in predicted.iter().zip(target) {
            let truth = truth.as_f64() as usize;
            hits[truth] += usize::from(class == truth);
            rows[truth] += 1;
            predictions[class] += 1;
        }
        Ok(Counts { hits, rows, predictions })
    }
}

/// Class indices that `f32` tells apart.
const MOST_CLASSES: usize = 1 << 24;

fn check_target<F: Scalar>(rows: usize, target: &ArrayRef2<F>, classes: usize) -> Result<(), Error> {
    same_shape("target (one column of class indices)", &[rows, 1], target.shape())?;
    check_classes(target, classes)
}

fn check_output<F: Scalar>(output: &ArrayRef2<F>, argument: &'static str) -> Result<(), Error> {
    require(!output.is_empty(), argument, "at least one row and one column", Shape::from(output.shape()))?;
    match output.indexed_iter().find(|(_, value)| value.is_nan()) {
        None => Ok(()),
        Some(((row, _), _)) => require(false, argument, "numbers", format_args!("NaN in row {row}")),
    }
}

fn check_probabilities<F: Scalar>(probabilities: &ArrayRef2<F>) -> Result<(), Error> {
    // What rounding adds to a sum of probabilities.
    const SLACK: f64 = 1e-6;
    check_output(probabilities, "probabilities")?;
    let valid = |p: f64| (-SLACK..=1.0 + SLACK).contains(&p);
    match probabilities.indexed_iter().find(|(_, p)| !valid(p.as_f64())) {
        None => Ok(()),
        Some(((row, _), p)) => {
            let expected = "numbers from 0 to 1 (for logits there are functions of their own)";
            require(false, "probabilities", expected, format_args!("{p} in row {row}"))
        }
    }
}

fn classes<F: Scalar>(
    output: &ArrayRef2<F>,
    argument: &'static str,
    cut: f64,
) -> Result<Array1<usize>, Error> {
    check_output(output, argument)?;
    let class = |row: ArrayView1<F>| match row.len() {
        1 => usize::from(row[0].as_f64() > cut),
        _ => largest(row),
    };
    Ok(output.rows().into_iter().map(class).collect())
}

/// The index of the largest number, the first of several equal ones.
fn largest<F: Scalar>(row: ArrayView1<F>) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}
