//! Every column to mean 0 and standard deviation 1, and back.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Zip};

use super::dataset::check_finite;
use super::error::{DataError, Part};
use crate::Scalar;

/// Shifts and scales every column to mean 0 and standard deviation 1: `(x - mean) / std`, as scikit-learn's
/// `StandardScaler` (`std` is the square root of the mean squared deviation, over the number of rows).
///
/// A column whose values are all equal, up to their last bits, has no scale: its `std` counts as 1, so that it becomes
/// 0, and [`constant_columns`](Standardize::constant_columns) lists it. The statistics are kept in `f64`, whatever the
/// type of the data. The only constructor is [`fit`](Standardize::fit), so there is no such thing as a transform
/// before the fit.
///
/// ```
/// use geartrain::data::Standardize;
/// use ndarray::array;
///
/// let x = array![[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]];
/// let scale = Standardize::fit(x.view())?;
/// assert_eq!(scale.mean(), array![3.0, 5.0]);
/// assert_eq!(scale.constant_columns(), [1]);
///
/// let z = scale.transform(x.view())?;
/// assert!((z[[0, 0]] + 2.0 / (14.0f64 / 3.0).sqrt()).abs() < 1e-15);
/// assert_eq!(z.column(1), array![0.0, 0.0, 0.0]);
/// assert!((scale.inverse(z.view())? - x).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardize {
    mean: Array1<f64>,
    std: Array1<f64>,
    constant: Vec<usize>,
}

impl Standardize {
    /// Learns the mean and the standard deviation of every column of `x` (rows × columns).
    ///
    /// # Errors
    /// [`DataError::EmptyDataset`] without rows or columns, [`DataError::NotFinite`] for a NaN or an infinity.
    pub fn fit<F: Scalar>(x: ArrayView2<F>) -> Result<Self, DataError> {
        if x.is_empty() {
            return Err(DataError::EmptyDataset { rows: x.nrows(), features: x.ncols(), outputs: 0 });
        }
        check_finite(Part::X, x, &[])?;
        let mut scale = Standardize {
            mean: Array1::zeros(x.ncols()),
            std: Array1::ones(x.ncols()),
            constant: Vec::new(),
        };
        for (column, values) in x.columns().into_iter().enumerate() {
            let (mean, std) = moments(values);
            scale.mean[column] = mean;
            match std {
                Some(std) => scale.std[column] = std,
                None => scale.constant.push(column),
            }
        }
        Ok(scale)
    }

    /// `(x - mean) / std`, rows × columns.
    ///
    /// # Errors
    /// [`DataError::ColumnCount`] for other columns than those of `fit`; [`DataError::NotFinite`] where `x` or the
    /// result is not a finite `F`.
    pub fn transform<F: Scalar>(&self, x: ArrayView2<F>) -> Result<Array2<F>, DataError> {
        self.map(x, |x, mean, std| {
            let difference = x - mean;
            // Of two numbers near the end of the range, the difference may not fit, but that of their halves does.
            if difference.is_finite() { difference / std } else { (x / 2.0 - mean / 2.0) / (std / 2.0) }
        })
    }

    /// `z * std + mean`, rows × columns: undoes [`transform`](Standardize::transform).
    ///
    /// # Errors
    /// As [`transform`](Standardize::transform).
    pub fn inverse<F: Scalar>(&self, z: ArrayView2<F>) -> Result<Array2<F>, DataError> {
        self.map(z, |z, mean, std| {
            let value = z * std + mean;
            if value.is_finite() { value } else { 2.0 * (z * (std / 2.0) + mean / 2.0) }
        })
    }

    /// The mean of every column.
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// The standard deviation of every column; 1 for a constant one.
    pub fn std(&self) -> ArrayView1<'_, f64> {
        self.std.view()
    }

    /// The columns, from 0, whose values were all equal, so that a caller can warn about them.
    pub fn constant_columns(&self) -> &[usize] {
        &self.constant
    }

    fn map<F: Scalar>(
        &self,
        x: ArrayView2<F>,
        f: impl Fn(f64, f64, f64) -> f64,
    ) -> Result<Array2<F>, DataError> {
        let (expected, got) = (self.mean.len(), x.ncols());
        if expected != got {
            return Err(DataError::ColumnCount { expected, got });
        }
        check_finite(Part::X, x, &[])?;
        let mut result = Array2::zeros(x.dim());
        for (row, mut out) in x.rows().into_iter().zip(result.rows_mut()) {
            Zip::from(&mut out)
                .and(row)
                .and(&self.mean)
                .and(&self.std)
                .for_each(|out, &x, &mean, &std| *out = F::of(f(x.as_f64(), mean, std)));
        }
        check_finite(Part::Scaled, result.view(), &[])?;
        Ok(result)
    }
}

/// The mean and the standard deviation of finite values; `None` where they differ by no more than rounding.
///
/// Two passes over deviations from the first value, so that a large mean costs no digits; values so large or small
/// that a square would leave the range are first multiplied by a power of two.
fn moments<F: Scalar>(values: ArrayView1<F>) -> (f64, Option<f64>) {
    let lowest = values.iter().fold(f64::INFINITY, |lowest, &value| lowest.min(value.as_f64()));
    let highest = values.iter().fold(f64::NEG_INFINITY, |highest, &value| highest.max(value.as_f64()));
    let largest = highest.max(-lowest);
    let factor = match largest {
        largest if largest > 1e100 => 2f64.powi(-700),
        largest if largest < 1e-100 => 2f64.powi(700),
        _ => 1.0,
    };
    let count = values.len() as f64;
    let first = values[0].as_f64() * factor;
    let deviations = || values.iter().map(|&value| value.as_f64() * factor - first);
    let mean_deviation = deviations().sum::<f64>() / count;
    let variance = deviations().map(|deviation| (deviation - mean_deviation).powi(2)).sum::<f64>() / count;
    let mean = ((first + mean_deviation) / factor).clamp(lowest, highest);
    let std = variance.sqrt() / factor;
    let rounding = 4.0 * F::epsilon().as_f64() * largest * factor;
    let constant = (highest * factor - lowest * factor) <= rounding || std == 0.0;
    (mean, (!constant).then_some(std))
}
