//! How close predicted numbers are to the targets.

use ndarray::{ArrayRef2, ArrayView1, Zip};

use crate::error::{Shape, require, same_shape};
use crate::{Error, Scalar};

/// The coefficient of determination, `R² = 1 − Σ (t − p)² / Σ (t − mean t)²`: 1 for a perfect
/// prediction, 0 for one that is no better than the target's mean, negative for a worse one.
///
/// `prediction` and `target` are `(rows, outputs)`; several outputs give the mean of their R². An
/// output with a constant target has no variance to explain: its R² is 1 if every prediction is
/// exact, else 0, as in scikit-learn's `r2_score`. R² of a single row is undefined: NaN. A NaN in
/// either array gives NaN.
///
/// # Errors
/// [`Error::Shape`] if the shapes differ, [`Error::Argument`] for empty arrays.
pub fn r2<F: Scalar>(prediction: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<f64, Error> {
    check(prediction, target)?;
    if target.nrows() == 1 {
        return Ok(f64::NAN);
    }
    let columns = prediction.columns().into_iter().zip(target.columns());
    let sum: f64 = columns.map(|(prediction, target)| r2_of_column(prediction, target)).sum();
    Ok(sum / target.ncols() as f64)
}

/// The mean of `(prediction − target)²` over rows and outputs.
///
/// # Errors
/// As [`r2`].
pub fn mean_squared_error<F: Scalar>(prediction: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<f64, Error> {
    mean(prediction, target, |difference| difference * difference)
}

/// The square root of [`mean_squared_error`], in the target's unit.
///
/// # Errors
/// As [`r2`].
pub fn root_mean_squared_error<F: Scalar>(
    prediction: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
) -> Result<f64, Error> {
    mean_squared_error(prediction, target).map(f64::sqrt)
}

/// The mean of `|prediction − target|` over rows and outputs, in the target's unit.
///
/// # Errors
/// As [`r2`].
pub fn mean_absolute_error<F: Scalar>(
    prediction: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
) -> Result<f64, Error> {
    mean(prediction, target, f64::abs)
}

fn r2_of_column<F: Scalar>(prediction: ArrayView1<F>, target: ArrayView1<F>) -> f64 {
    // Deviations from the first target are exactly 0 if all are equal, whatever the rounding of
    // their mean.
    let first = target[0].as_f64();
    let deviation = |t: &F| t.as_f64() - first;
    let mean = target.iter().map(deviation).sum::<f64>() / target.len() as f64;
    let total: f64 = target.iter().map(|t| (deviation(t) - mean).powi(2)).sum();
    let squares = |sum, &p: &F, &t: &F| sum + (p.as_f64() - t.as_f64()).powi(2);
    let unexplained: f64 = Zip::from(prediction).and(target).fold(0.0, squares);
    match (total, unexplained) {
        (0.0, 0.0) => 1.0,
        (0.0, left) if !left.is_nan() => 0.0,
        _ => 1.0 - unexplained / total,
    }
}

/// The mean of `penalty(prediction − target)`.
fn mean<F: Scalar>(
    prediction: &ArrayRef2<F>,
    target: &ArrayRef2<F>,
    penalty: impl Fn(f64) -> f64,
) -> Result<f64, Error> {
    check(prediction, target)?;
    let add = |sum, &p: &F, &t: &F| sum + penalty(p.as_f64() - t.as_f64());
    Ok(Zip::from(prediction).and(target).fold(0.0, add) / target.len() as f64)
}

fn check<F>(prediction: &ArrayRef2<F>, target: &ArrayRef2<F>) -> Result<(), Error> {
    same_shape("prediction", target.shape(), prediction.shape())?;
    require(!target.is_empty(), "target", "at least one row and one output", Shape::from(target.shape()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};

    #[test]
    fn agrees_with_the_formulas() {
        // R² of scikit-learn 1.9 for the same numbers: mean of the outputs' 0.965438 and 0.908163.
        let target = array![[0.5, 1.0], [-1.0, 1.0], [7.0, -6.0]];
        let prediction = array![[0.0, 2.0], [-1.0, 2.0], [8.0, -5.0]];
        assert_relative_eq!(r2(&prediction, &target).unwrap(), 0.936_800_5, epsilon = 1e-6);
        let mse = mean_squared_error(&prediction, &target).unwrap();
        assert_relative_eq!(mse, 4.25 / 6.0, epsilon = 1e-15);
        assert_eq!(root_mean_squared_error(&prediction, &target).unwrap(), mse.sqrt());
        assert_eq!(mean_absolute_error(&prediction, &target).unwrap(), 0.75);
    }

    #[test]
    fn the_mean_scores_0_and_worse_is_negative() {
        let target = array![[1.0_f32], [2.0], [6.0]];
        assert_eq!(r2(&Array2::from_elem((3, 1), 3.0), &target).unwrap(), 0.0);
        assert!(r2(&Array2::from_elem((3, 1), 9.0), &target).unwrap() < -1.0);
    }

    #[test]
    fn a_constant_target_has_a_defined_r2() {
        // The sum of seven times 0.1 is not exactly 0.7.
        let target = Array2::from_elem((7, 1), 0.1);
        assert_eq!(r2(&target, &target).unwrap(), 1.0);
        assert_eq!(r2(&(&target + 1e-3), &target).unwrap(), 0.0);
        assert!(r2(&(&target * f64::NAN), &target).unwrap().is_nan());
    }

    #[test]
    fn nothing_to_compare_is_an_error() {
        for shape in [(0, 1), (3, 0)] {
            let empty = Array2::<f32>::zeros(shape);
            for metric in [r2, mean_squared_error, root_mean_squared_error, mean_absolute_error] {
                let error = metric(&empty, &empty).unwrap_err();
                assert!(matches!(error, Error::Argument { argument: "target", .. }), "{error}");
            }
        }
    }

    #[test]
    fn nothing_is_broadcast() {
        let error = r2(&array![[1.0], [2.0]], &array![[1.0, 2.0]]).unwrap_err();
        assert_eq!(error.to_string(), "prediction: expected shape (1, 2), got (2, 1)");
    }

    #[test]
    fn r2_of_one_row_is_undefined() {
        for prediction in [1.0, 2.0] {
            assert!(r2(&array![[prediction]], &array![[1.0]]).unwrap().is_nan());
        }
        assert_eq!(mean_squared_error(&array![[3.0]], &array![[1.0]]).unwrap(), 4.0);
    }
}
