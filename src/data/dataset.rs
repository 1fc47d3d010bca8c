//! Inputs, targets and the names of their columns.

use std::path::Path;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::csv::{self, Csv};
use super::error::{DataError, Part};
use crate::Scalar;

/// Rows to learn from: inputs `x` (rows × features) and targets `y` (rows × outputs).
///
/// There is always at least one row, one feature and one output. The values may be anything, NaN too:
/// [`check_finite`](Dataset::check_finite) finds the first one that training could not bear.
///
/// ```
/// use geartrain::data::Dataset;
/// use ndarray::array;
///
/// let data = Dataset::new(array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], array![[0.0], [1.0], [1.0], [0.0]])?
///     .named(["left", "right"], ["xor"])?;
/// assert_eq!((data.rows(), data.features(), data.outputs()), (4, 2, 1));
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<F> {
    x: Array2<F>,
    y: Array2<F>,
    feature_names: Vec<String>,
    target_names: Vec<String>,
}

impl<F: Scalar> Dataset<F> {
    /// A data set of inputs `x` (rows × features) and targets `y` (rows × outputs), in any memory layout.
    ///
    /// The columns are named `x0`, `x1`, … and `y0`, `y1`, …
    ///
    /// # Errors
    /// [`DataError::RowCounts`] where `x` and `y` differ in rows, [`DataError::EmptyDataset`] without rows or columns.
    pub fn new(x: Array2<F>, y: Array2<F>) -> Result<Self, DataError> {
        let (rows, features, outputs) = (x.nrows(), x.ncols(), y.ncols());
        if rows != y.nrows() {
            return Err(DataError::RowCounts { x: rows, y: y.nrows() });
        }
        if rows == 0 || features == 0 || outputs == 0 {
            return Err(DataError::EmptyDataset { rows, features, outputs });
        }
        Ok(Dataset {
            x: standard_layout(x),
            y: standard_layout(y),
            feature_names: (0..features).map(|column| format!("x{column}")).collect(),
            target_names: (0..outputs).map(|column| format!("y{column}")).collect(),
        })
    }

    /// A data set with a single output: `y` of shape `(rows,)` becomes one column, `(rows, 1)`.
    ///
    /// # Errors
    /// As [`Dataset::new`].
    ///
    /// ```
    /// use geartrain::data::Dataset;
    /// use ndarray::array;
    ///
    /// let data = Dataset::with_one_output(array![[1.0], [2.0], [3.0]], array![1.0, 4.0, 9.0])?;
    /// assert_eq!(data.y().dim(), (3, 1));
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn with_one_output(x: Array2<F>, y: Array1<F>) -> Result<Self, DataError> {
        Self::new(x, y.insert_axis(Axis(1)))
    }

    /// The chosen columns of a CSV file; see [`Csv`] for what is accepted.
    ///
    /// # Errors
    /// [`DataError::File`] where the file cannot be opened or read, and as [`Csv::read`].
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset};
    ///
    /// let cars = Dataset::<f64>::from_csv("data/auto-mpg.csv", &Csv::new("mpg").drop_columns(["name"]))?;
    /// assert_eq!((cars.rows(), cars.features()), (392, 7));
    /// assert_eq!(cars.feature_names()[..3], ["cyl", "displ", "hp"]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn from_csv(path: impl AsRef<Path>, options: &Csv) -> Result<Self, DataError> {
        let (file, path) = csv::open(path.as_ref())?;
        options.read(file, &path)
    }

    /// The chosen columns of a CSV file whose target holds the labels of classes, and the names of the classes: `y` is
    /// the index of each row's class among them. See [`Csv::read_classes`].
    ///
    /// # Errors
    /// [`DataError::File`] where the file cannot be opened or read, and as [`Csv::read_classes`].
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset};
    ///
    /// let (irises, classes) = Dataset::<f32>::from_csv_classes("data/iris.csv", &Csv::new("species"))?;
    /// assert_eq!(classes, ["setosa", "versicolor", "virginica"]);
    /// assert_eq!((irises.y()[[0, 0]], irises.y()[[149, 0]]), (0.0, 2.0));
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn from_csv_classes(path: impl AsRef<Path>, options: &Csv) -> Result<(Self, Vec<String>), DataError> {
        let (file, path) = csv::open(path.as_ref())?;
        options.read_classes(file, &path)
    }

    /// The same data with names for the columns of `x` and `y`.
    ///
    /// # Errors
    /// [`DataError::NameCount`] where there are not as many names as columns.
    pub fn named<S: Into<String>, T: Into<String>>(
        mut self,
        features: impl IntoIterator<Item = S>,
        targets: impl IntoIterator<Item = T>,
    ) -> Result<Self, DataError> {
        self.feature_names = features.into_iter().map(Into::into).collect();
        self.target_names = targets.into_iter().map(Into::into).collect();
        let (expected, got) = (self.features(), self.feature_names.len());
        if expected != got {
            return Err(DataError::NameCount { part: Part::X, expected, got });
        }
        let (expected, got) = (self.outputs(), self.target_names.len());
        if expected != got {
            return Err(DataError::NameCount { part: Part::Y, expected, got });
        }
        Ok(self)
    }

    /// The inputs, rows × features, row after row in memory.
    pub fn x(&self) -> ArrayView2<'_, F> {
        self.x.view()
    }

    /// The targets, rows × outputs, row after row in memory.
    pub fn y(&self) -> ArrayView2<'_, F> {
        self.y.view()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.x.nrows()
    }

    /// Number of columns of `x`.
    pub fn features(&self) -> usize {
        self.x.ncols()
    }

    /// Number of columns of `y`.
    pub fn outputs(&self) -> usize {
        self.y.ncols()
    }

    /// The names of the columns of `x`.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The names of the columns of `y`.
    pub fn target_names(&self) -> &[String] {
        &self.target_names
    }

    /// A copy of the given rows, in the given order; a row may be taken more than once.
    ///
    /// # Errors
    /// [`DataError::RowIndex`] for a row that does not exist, [`DataError::EmptyDataset`] if none is given.
    pub fn select(&self, rows: &[usize]) -> Result<Self, DataError> {
        if rows.is_empty() {
            return Err(DataError::EmptyDataset {
                rows: 0,
                features: self.features(),
                outputs: self.outputs(),
            });
        }
        if let Some(&index) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(DataError::RowIndex { index, rows: self.rows() });
        }
        Ok(Dataset {
            x: standard_layout(self.x.select(Axis(0), rows)),
            y: standard_layout(self.y.select(Axis(0), rows)),
            feature_names: self.feature_names.clone(),
            target_names: self.target_names.clone(),
        })
    }

    /// Checks that every number is finite.
    ///
    /// # Errors
    /// [`DataError::NotFinite`] with the first cell, of `x` and then of `y`, that is NaN or infinite.
    pub fn check_finite(&self) -> Result<(), DataError> {
        check_finite(Part::X, self.x(), &self.feature_names)?;
        check_finite(Part::Y, self.y(), &self.target_names)
    }
}

/// An error for the first cell of an array that is NaN or infinite. Columns without a name are given by number only.
pub(super) fn check_finite<F: Scalar>(
    part: Part,
    array: ArrayView2<F>,
    names: &[String],
) -> Result<(), DataError> {
    match array.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), &value)) => Err(DataError::NotFinite {
            part,
            row,
            column,
            name: names.get(column).cloned(),
            value: value.as_f64(),
        }),
    }
}

fn standard_layout<F: Scalar>(array: Array2<F>) -> Array2<F> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}
