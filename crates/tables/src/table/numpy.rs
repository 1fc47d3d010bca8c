//! Arrays of NumPy as tables.

use std::path::Path;

use geartrain::io::{TensorFile, npy};
use ndarray::{ArrayD, Axis};

use super::{Column, Table};
use crate::Error;

impl Table {
    /// Reads an array of NumPy (`.npy`) with one or two dimensions: rows, and columns, which are
    /// called `column 1`, `column 2` and so on. NaN is a missing cell.
    ///
    /// # Errors
    /// [`Error::Train`] if the file cannot be read; [`Error::Argument`] for more dimensions;
    /// [`Error::Value`] for an infinite number.
    pub fn read_npy(path: impl AsRef<Path>) -> Result<Self, Error> {
        Table::new(columns("column", true, npy::load::<f64>(path)?)?)
    }

    /// Reads an archive of NumPy (`.npz`): an array with one dimension is a column of its name, and
    /// one with two dimensions several, called `name 1`, `name 2` and so on. NaN is a missing cell.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read; [`Error::ColumnLength`] if the arrays differ in
    /// rows; as [`read_npy`](Table::read_npy).
    pub fn read_npz(path: impl AsRef<Path>) -> Result<Self, Error> {
        let file = TensorFile::open_npz(&path)?;
        let mut all = Vec::new();
        for name in file.names() {
            let array = file.get::<f64>(name).map_err(|problem| problem.at(&path))?;
            all.extend(columns(name, array.ndim() > 1, array)?);
        }
        Table::new(all)
    }
}

/// The columns of an array, with numbers after their names if they are `numbered`.
fn columns(name: &str, numbered: bool, array: ArrayD<f64>) -> Result<Vec<Column>, Error> {
    let got = format_args!("{} in `{name}`", array.ndim());
    crate::error::require((1..=2).contains(&array.ndim()), "dimensions of an array", "1 or 2", got)?;
    let array = if array.ndim() == 1 { array.insert_axis(Axis(1)) } else { array };
    let column = |(i, values): (usize, ndarray::ArrayViewD<'_, f64>)| {
        let name = if numbered { format!("{name} {}", i + 1) } else { name.into() };
        Column::numbers(name, values.iter().copied().collect())
    };
    array.axis_iter(Axis(1)).enumerate().map(column).collect()
}
