//! Every column to mean 0 and standard deviation 1, and back.

use ndarray::{Array1, Array2, ArrayRef2, ArrayView1, Zip};
use serde::{Deserialize, Serialize};

use super::dataset::check_finite;
use crate::Scalar;
use crate::error::data::{DataError, DataProblem, Part};

/// Shifts and scales every column to mean 0 and standard deviation 1: `(x - mean) / std`, where
/// `std` is the population standard deviation, as in scikit-learn's `StandardScaler`.
///
/// A column whose values are all equal, up to their last bits, has no scale: its `std` counts as 1,
/// so that it becomes 0, and [`constant_columns`](StandardScaler::constant_columns) lists it. The
/// statistics are kept in `f64`, whatever the type of the data.
///
/// ```
/// use geartrain::data::StandardScaler;
/// use ndarray::array;
///
/// let x = array![[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]];
/// let scaler = StandardScaler::fit(&x)?;
/// assert_eq!(scaler.mean(), array![3.0, 5.0]);
/// assert_eq!(scaler.constant_columns(), [1]);
///
/// let z = scaler.transform(&x)?;
/// assert!((z[[0, 0]] + 2.0 / (14.0f64 / 3.0).sqrt()).abs() < 1e-15);
/// assert_eq!(z.column(1), array![0.0, 0.0, 0.0]);
/// assert!((scaler.inverse_transform(&z)? - x).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Statistics", try_from = "Statistics")]
pub struct StandardScaler {
    mean: Array1<f64>,
    std: Array1<f64>,
    constant: Vec<usize>,
}

impl StandardScaler {
    /// Learns the mean and the standard deviation of every column of `x` (rows × columns).
    ///
    /// # Errors
    /// [`DataProblem::EmptyDataset`] without rows or columns, [`DataProblem::NotFinite`] for a NaN
    /// or an infinity.
    pub fn fit<F: Scalar>(x: &ArrayRef2<F>) -> Result<Self, DataError> {
        if x.is_empty() {
            let (rows, features) = x.dim();
            return Err(DataProblem::EmptyDataset { rows, features, outputs: 0 }.into());
        }
        check_finite(Part::X, x, &[])?;
        let mut scaler = StandardScaler {
            mean: Array1::zeros(x.ncols()),
            std: Array1::ones(x.ncols()),
            constant: Vec::new(),
        };
        for (column, values) in x.columns().into_iter().enumerate() {
            let (mean, std) = moments(values);
            scaler.mean[column] = mean;
            match std {
                Some(std) => scaler.std[column] = std,
                None => scaler.constant.push(column),
            }
        }
        Ok(scaler)
    }

    /// `(x - mean) / std`, rows × columns, computed in `f64` and rounded to `F`.
    ///
    /// # Errors
    /// [`DataProblem::ColumnCount`] if `x` has another number of columns than in `fit`;
    /// [`DataProblem::NotFinite`] if `x` or the result is not a finite `F`.
    pub fn transform<F: Scalar>(&self, x: &ArrayRef2<F>) -> Result<Array2<F>, DataError> {
        self.map(x, |x, mean, std| {
            let difference = x - mean;
            // The difference of two numbers near the end of the range may not fit; that of their
            // halves does.
            if difference.is_finite() { difference / std } else { (x / 2.0 - mean / 2.0) / (std / 2.0) }
        })
    }

    /// `z * std + mean`, rows × columns: undoes [`transform`](StandardScaler::transform).
    ///
    /// # Errors
    /// As [`transform`](StandardScaler::transform).
    pub fn inverse_transform<F: Scalar>(&self, z: &ArrayRef2<F>) -> Result<Array2<F>, DataError> {
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

    /// The columns, from 0, whose values were all equal, so that a program can warn about them.
    pub fn constant_columns(&self) -> &[usize] {
        &self.constant
    }

    fn map<F: Scalar>(
        &self,
        x: &ArrayRef2<F>,
        f: impl Fn(f64, f64, f64) -> f64,
    ) -> Result<Array2<F>, DataError> {
        let (expected, got) = (self.mean.len(), x.ncols());
        if expected != got {
            return Err(DataProblem::ColumnCount { expected, got }.into());
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
        check_finite(Part::Scaled, &result, &[])?;
        Ok(result)
    }
}

/// The form of a scaler in files. A file may contain anything, so it is checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statistics {
    mean: Vec<f64>,
    std: Vec<f64>,
    constant: Vec<usize>,
}

impl From<StandardScaler> for Statistics {
    fn from(StandardScaler { mean, std, constant }: StandardScaler) -> Self {
        Statistics { mean: mean.to_vec(), std: std.to_vec(), constant }
    }
}

impl TryFrom<Statistics> for StandardScaler {
    type Error = &'static str;

    fn try_from(Statistics { mean, std, constant }: Statistics) -> Result<Self, Self::Error> {
        if mean.is_empty() || mean.len() != std.len() {
            return Err("a scaler needs a mean and a standard deviation for every column");
        }
        if !mean.iter().chain(&std).all(|number| number.is_finite()) || std.iter().any(|&std| std <= 0.0) {
            return Err("a scaler needs finite means and finite standard deviations above 0");
        }
        if !constant.is_sorted_by(|a, b| a < b) || constant.last().is_some_and(|&last| last >= mean.len()) {
            return Err("the constant columns of a scaler must be in order and among its columns");
        }
        Ok(StandardScaler { mean: mean.into(), std: std.into(), constant })
    }
}

/// The mean and the standard deviation of finite values; `None` if they differ by rounding only.
///
/// Two passes over deviations from the first value, so that a large mean costs no digits. Values
/// so large or small that a square would leave the range are first multiplied by a power of two.
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
