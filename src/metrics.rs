//! How good predictions are, in numbers that people can read: R², RMSE, MAE.
//!
//! Every function compares a prediction with its target, both `(rows, outputs)`, and sums in `f64`. Arrays without a
//! number and arrays of different shapes are errors: nothing is ever broadcast. A NaN in either array gives NaN.
//!
//! ```
//! use geartrain::metrics;
//! use ndarray::array;
//!
//! let target = array![[3.0], [-0.5], [2.0], [7.0]];
//! let prediction = array![[2.5], [0.0], [2.0], [8.0]];
//! assert_eq!(metrics::mean_squared_error(prediction.view(), target.view())?, 0.375);
//! assert_eq!(metrics::mean_absolute_error(prediction.view(), target.view())?, 0.5);
//! assert!((metrics::r2(prediction.view(), target.view())? - 0.948_608).abs() < 1e-6);
//! # Ok::<(), geartrain::Error>(())
//! ```

use ndarray::{ArrayView1, ArrayView2, Zip};

use crate::error::{require, same_shape};
use crate::{Error, Scalar, Shape};

/// The coefficient of determination, `R² = 1 − Σ (t − p)² / Σ (t − mean t)²`: 1 for a perfect prediction, 0 for one that
/// is no better than the target's mean, negative for a worse one.
///
/// Several outputs give the plain mean of their R². An output whose target is constant has no variance to explain: its R²
/// counts as 1 if every prediction is exactly right, else as 0, as in scikit-learn's `r2_score`.
///
/// # Errors
/// [`Error::Shape`] if the shapes differ, [`Error::Argument`] if there is nothing to compare.
pub fn r2<F: Scalar>(prediction: ArrayView2<F>, target: ArrayView2<F>) -> Result<f64, Error> {
    check(prediction, target)?;
    let columns = prediction.columns().into_iter().zip(target.columns());
    Ok(columns.map(|(prediction, target)| r2_of_column(prediction, target)).sum::<f64>()
        / target.ncols() as f64)
}

/// The mean of `(prediction − target)²` over rows and outputs.
///
/// # Errors
/// As [`r2`].
pub fn mean_squared_error<F: Scalar>(prediction: ArrayView2<F>, target: ArrayView2<F>) -> Result<f64, Error> {
    mean(prediction, target, |difference| difference * difference)
}

/// The square root of [`mean_squared_error`], which has the target's unit.
///
/// # Errors
/// As [`r2`].
pub fn root_mean_squared_error<F: Scalar>(
    prediction: ArrayView2<F>,
    target: ArrayView2<F>,
) -> Result<f64, Error> {
    mean_squared_error(prediction, target).map(f64::sqrt)
}

/// The mean of `|prediction − target|` over rows and outputs, which has the target's unit.
///
/// # Errors
/// As [`r2`].
pub fn mean_absolute_error<F: Scalar>(
    prediction: ArrayView2<F>,
    target: ArrayView2<F>,
) -> Result<f64, Error> {
    mean(prediction, target, f64::abs)
}

fn r2_of_column<F: Scalar>(prediction: ArrayView1<F>, target: ArrayView1<F>) -> f64 {
    // Deviations from the first target are exactly 0 where all are equal, whatever the rounding of their mean.
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
    prediction: ArrayView2<F>,
    target: ArrayView2<F>,
    penalty: impl Fn(f64) -> f64,
) -> Result<f64, Error> {
    check(prediction, target)?;
    let add = |sum, &p: &F, &t: &F| sum + penalty(p.as_f64() - t.as_f64());
    Ok(Zip::from(prediction).and(target).fold(0.0, add) / target.len() as f64)
}

fn check<F>(prediction: ArrayView2<F>, target: ArrayView2<F>) -> Result<(), Error> {
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
        assert_relative_eq!(r2(prediction.view(), target.view()).unwrap(), 0.936_800_5, epsilon = 1e-6);
        let mse = mean_squared_error(prediction.view(), target.view()).unwrap();
        assert_relative_eq!(mse, 4.25 / 6.0, epsilon = 1e-15);
        assert_eq!(root_mean_squared_error(prediction.view(), target.view()).unwrap(), mse.sqrt());
        assert_eq!(mean_absolute_error(prediction.view(), target.view()).unwrap(), 0.75);
    }

    #[test]
    fn the_mean_scores_0_and_worse_is_negative() {
        let target = array![[1.0_f32], [2.0], [6.0]];
        assert_eq!(r2(Array2::from_elem((3, 1), 3.0).view(), target.view()).unwrap(), 0.0);
        assert!(r2(Array2::from_elem((3, 1), 9.0).view(), target.view()).unwrap() < -1.0);
    }

    #[test]
    fn fault_52_a_constant_target_has_a_defined_r2() {
        // The sum of seven times 0.1 is not exactly 0.7.
        let target = Array2::from_elem((7, 1), 0.1);
        assert_eq!(r2(target.view(), target.view()).unwrap(), 1.0);
        assert_eq!(r2((&target + 1e-3).view(), target.view()).unwrap(), 0.0);
        assert!(r2((&target * f64::NAN).view(), target.view()).unwrap().is_nan());
    }

    #[test]
    fn fault_53_nothing_to_compare_is_an_error() {
        for shape in [(0, 1), (3, 0)] {
            let empty = Array2::<f32>::zeros(shape);
            for metric in [r2, mean_squared_error, root_mean_squared_error, mean_absolute_error] {
                let error = metric(empty.view(), empty.view()).unwrap_err();
                assert!(matches!(error, Error::Argument { argument: "target", .. }), "{error}");
            }
        }
    }

    #[test]
    fn nothing_is_broadcast() {
        let error = r2(array![[1.0], [2.0]].view(), array![[1.0, 2.0]].view()).unwrap_err();
        assert_eq!(error.to_string(), "prediction: expected shape (1, 2), got (2, 1)");
    }
}
