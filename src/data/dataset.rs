//! Inputs, targets and the names of their columns.

use ndarray::{Array1, Array2, ArrayRef2, Axis};

use super::gaps::Gaps;
use super::note::Note;
use crate::Scalar;
use crate::error::data::{DataError, DataProblem, Part};

/// Rows to learn from: inputs `x` (rows × features) and targets `y` (rows × outputs).
///
/// A data set has at least one row, one feature and one output. Its values may be anything,
/// including NaN: [`check_finite`](Dataset::check_finite) finds the first that training refuses.
///
/// ```
/// use geartrain::data::Dataset;
/// use ndarray::array;
///
/// let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let y = array![[0.0], [1.0], [1.0], [0.0]];
/// let data = Dataset::new(x, y)?.named(["left", "right"], ["xor"])?;
/// assert_eq!((data.rows(), data.features(), data.outputs()), (4, 2, 1));
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<F> {
    x: Array2<F>,
    y: Array2<F>,
    feature_names: Vec<String>,
    target_names: Vec<String>,
    classes: Vec<String>,
    pub(super) gaps: Option<Gaps>,
    pub(super) notes: Vec<Note>,
}

impl<F: Scalar> Dataset<F> {
    /// A data set of inputs `x` (rows × features) and targets `y` (rows × outputs), in any memory
    /// layout. The columns are named `x0`, `x1`, … and `y0`, `y1`, …
    ///
    /// # Errors
    /// [`DataProblem::RowCounts`] if `x` and `y` differ in rows, [`DataProblem::EmptyDataset`]
    /// without rows or columns.
    pub fn new(x: Array2<F>, y: Array2<F>) -> Result<Self, DataError> {
        let (rows, features, outputs) = (x.nrows(), x.ncols(), y.ncols());
        if rows != y.nrows() {
            return Err(DataProblem::RowCounts { x: rows, y: y.nrows() }.into());
        }
        if rows == 0 || features == 0 || outputs == 0 {
            return Err(DataProblem::EmptyDataset { rows, features, outputs }.into());
        }
        Ok(Dataset {
            x: standard_layout(x),
            y: standard_layout(y),
            feature_names: (0..features).map(|column| format!("x{column}")).collect(),
            target_names: (0..outputs).map(|column| format!("y{column}")).collect(),
            classes: Vec::new(),
            gaps: None,
            notes: Vec::new(),
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

    /// The same data with names for the columns of `x` and `y`.
    ///
    /// # Errors
    /// [`DataProblem::NameCount`] if the number of names differs from the number of columns.
    pub fn named<S: Into<String>, T: Into<String>>(
        mut self,
        features: impl IntoIterator<Item = S>,
        targets: impl IntoIterator<Item = T>,
    ) -> Result<Self, DataError> {
        self.feature_names = features.into_iter().map(Into::into).collect();
        self.target_names = targets.into_iter().map(Into::into).collect();
        let (expected, got) = (self.features(), self.feature_names.len());
        if expected != got {
            return Err(DataProblem::NameCount { part: Part::X, expected, got }.into());
        }
        let (expected, got) = (self.outputs(), self.target_names.len());
        if expected != got {
            return Err(DataProblem::NameCount { part: Part::Y, expected, got }.into());
        }
        Ok(self)
    }

    /// The same data for classification: `y` is one column of indices into `classes`.
    ///
    /// # Errors
    /// [`DataProblem::ClassIndex`] if `y` has several columns or holds anything else.
    ///
    /// ```
    /// use geartrain::data::Dataset;
    /// use ndarray::array;
    ///
    /// let data = Dataset::new(array![[3.9], [0.6]], array![[1.0], [0.0]])?;
    /// let fish = data.with_classes(["minnow", "tench"])?;
    /// assert_eq!(fish.classes(), ["minnow", "tench"]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn with_classes<S: Into<String>>(
        mut self,
        classes: impl IntoIterator<Item = S>,
    ) -> Result<Self, DataError> {
        self.classes = classes.into_iter().map(Into::into).collect();
        let classes = self.classes.len();
        if self.outputs() != 1 {
            let got = format!("{} columns", self.outputs());
            return Err(DataProblem::ClassIndex { classes, got }.into());
        }
        let valid = |y: f64| y >= 0.0 && y < classes as f64 && y.fract() == 0.0;
        match self.y.iter().find(|y| !valid(y.as_f64())) {
            Some(y) => Err(DataProblem::ClassIndex { classes, got: y.to_string() }.into()),
            None => Ok(self),
        }
    }

    /// The same rows with other targets, of the same shape; without classes.
    ///
    /// # Errors
    /// [`DataProblem::RowCounts`] or [`DataProblem::ColumnCount`] for another shape.
    pub fn with_targets(self, y: Array2<F>) -> Result<Self, DataError> {
        if y.nrows() != self.rows() {
            return Err(DataProblem::RowCounts { x: self.rows(), y: y.nrows() }.into());
        }
        let (expected, got) = (self.outputs(), y.ncols());
        if expected != got {
            return Err(DataProblem::ColumnCount { expected, got }.into());
        }
        Ok(Dataset { y: standard_layout(y), classes: Vec::new(), ..self })
    }

    /// The inputs, rows × features, row-major.
    pub fn x(&self) -> &ArrayRef2<F> {
        &self.x
    }

    /// The targets, rows × outputs, row-major.
    pub fn y(&self) -> &ArrayRef2<F> {
        &self.y
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

    /// The names of the classes that `y` holds the indices of; empty for regression.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The value that stands in the gaps of each feature, if the file was read with
    /// [`Missing::Mean`](super::Missing::Mean) or [`Missing::Median`](super::Missing::Median).
    ///
    /// It is the mean or median over the rows of this data set; after [`split`](Dataset::split) and
    /// [`folds`](Dataset::folds), over the training rows, on both sides. Only a feature without any
    /// number in the training rows keeps the value that it had before.
    pub fn fill(&self) -> Option<&[f64]> {
        self.gaps.as_ref().map(Gaps::values)
    }

    /// The same rows with other values in the gaps, one per feature: those of the training rows,
    /// for rows that were [selected](Dataset::select) or read from another file.
    /// [`Scaling::apply`](super::Scaling::apply) does this as well.
    ///
    /// A data set without gaps does not change.
    ///
    /// # Errors
    /// [`DataProblem::ColumnCount`] if the number of values differs from the number of features.
    ///
    /// ```
    /// use geartrain::data::{Csv, Dataset, Missing};
    ///
    /// let csv = Csv::new("y").missing(Missing::Mean);
    /// let data: Dataset<f64> = csv.read("x,y\n1,1\n3,2\n,3\n".as_bytes(), "table")?;
    /// assert_eq!(data.x()[[2, 0]], 2.0);
    /// assert_eq!(data.with_fill(&[5.0])?.x()[[2, 0]], 5.0);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn with_fill(mut self, values: &[f64]) -> Result<Self, DataError> {
        let (expected, got) = (self.features(), values.len());
        if expected != got {
            return Err(DataProblem::ColumnCount { expected, got }.into());
        }
        if let Some(gaps) = &mut self.gaps {
            gaps.fill(&mut self.x, values);
        }
        Ok(self)
    }

    /// The same with the values in the gaps taken from these rows.
    pub(super) fn learn_fill(mut self) -> Self {
        if let Some(gaps) = &mut self.gaps {
            gaps.learn(&mut self.x);
        }
        self
    }

    /// Remarks about the file for the user: columns left out, rows dropped, cells
    /// that may have been misread.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// A copy of the given rows, in the given order; a row may be taken more than once. Gaps keep
    /// their values.
    ///
    /// # Errors
    /// [`DataProblem::RowIndex`] for a row that does not exist, [`DataProblem::EmptyDataset`] for
    /// an empty list.
    pub fn select(&self, rows: &[usize]) -> Result<Self, DataError> {
        if rows.is_empty() {
            let (features, outputs) = (self.features(), self.outputs());
            return Err(DataProblem::EmptyDataset { rows: 0, features, outputs }.into());
        }
        if let Some(&index) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(DataProblem::RowIndex { index, rows: self.rows() }.into());
        }
        let selected = self.with_values(self.x.select(Axis(0), rows), self.y.select(Axis(0), rows));
        Ok(Dataset { gaps: self.gaps.as_ref().map(|gaps| gaps.select(rows)), ..selected })
    }

    /// The same numbers rounded to another type.
    ///
    /// Columns whose spread is small compared with their size keep too few digits in `f32`: scale
    /// them first, as [`Scaling::apply`](super::Scaling::apply) does.
    pub fn cast<G: Scalar>(&self) -> Dataset<G> {
        let cast = |array: &Array2<F>| array.mapv(|value| G::of(value.as_f64()));
        self.with_values(cast(&self.x), cast(&self.y))
    }

    /// Checks that every number is finite.
    ///
    /// # Errors
    /// [`DataProblem::NotFinite`] with the first cell, of `x` and then of `y`, that is NaN or
    /// infinite.
    pub fn check_finite(&self) -> Result<(), DataError> {
        check_finite(Part::X, self.x(), &self.feature_names)?;
        check_finite(Part::Y, self.y(), &self.target_names)
    }

    /// Other values under the same names.
    pub(super) fn with_values<G: Scalar>(&self, x: Array2<G>, y: Array2<G>) -> Dataset<G> {
        Dataset {
            x: standard_layout(x),
            y: standard_layout(y),
            feature_names: self.feature_names.clone(),
            target_names: self.target_names.clone(),
            classes: self.classes.clone(),
            gaps: self.gaps.clone(),
            notes: self.notes.clone(),
        }
    }
}

/// An error for the first cell that is NaN or infinite. Columns without a name go by number.
pub(super) fn check_finite<F: Scalar>(
    part: Part,
    array: &ArrayRef2<F>,
    names: &[String],
) -> Result<(), DataError> {
    match array.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), &value)) => {
            let (name, value) = (names.get(column).cloned(), value.as_f64());
            Err(DataProblem::NotFinite { part, row, column, name, value }.into())
        }
    }
}

fn standard_layout<F: Scalar>(array: Array2<F>) -> Array2<F> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}
