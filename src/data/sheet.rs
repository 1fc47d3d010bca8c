//! A CSV file while it is read: named columns, and one row of numbers after the other.

use std::any::type_name;
use std::collections::{HashMap, HashSet};
use std::io::Read;

use ndarray::{Array2, ArrayViewMut1};

use super::csv::{Csv, Missing};
use super::error::{Column, DataError, Part, Place, Suggestion};
use super::labels::Labels;
use super::records::Records;
use crate::Scalar;

/// Features and targets.
type Matrices<F> = (Array2<F>, Array2<F>);

/// A file whose columns are known and whose rows are still to be read.
pub(super) struct Sheet<'a, R> {
    options: &'a Csv,
    records: Records<R>,
    path: &'a str,
    names: Vec<String>,
    positions: HashMap<String, usize>,
    /// The first record seems to be separated by another character than the one given.
    delimiter: Option<Suggestion>,
}

impl<'a, R: Read> Sheet<'a, R> {
    pub(super) fn open(options: &'a Csv, source: R, path: &'a str) -> Result<Self, DataError> {
        let mut records = Records::new(source, path, options.delimiter)?;
        if !records.advance()? {
            return Err(DataError::EmptyFile { path: path.to_owned() });
        }
        let names: Vec<String> = if options.header {
            records.cells().map(str::to_owned).collect()
        } else {
            (0..records.len()).map(|column| column.to_string()).collect()
        };
        let mut positions = HashMap::new();
        for (second, name) in names.iter().enumerate() {
            if let Some(first) = positions.insert(name.clone(), second) {
                return Err(DataError::DuplicateColumn {
                    path: path.to_owned(),
                    name: name.clone(),
                    first: first + 1,
                    second: second + 1,
                    columns: names,
                });
            }
        }
        let delimiter = other_delimiter(&records, options);
        Ok(Sheet { options, records, path, names, positions, delimiter })
    }

    /// Where the named columns are.
    pub(super) fn find<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, DataError> {
        names.iter().map(|name| self.find_one(name.as_ref())).collect()
    }

    fn find_one(&self, name: &str) -> Result<usize, DataError> {
        self.positions.get(name).copied().ok_or_else(|| DataError::UnknownColumn {
            path: self.path.to_owned(),
            name: name.to_owned(),
            columns: self.names.clone(),
            suggestion: self.delimiter.clone(),
        })
    }

    /// All columns but those, in the file's order.
    pub(super) fn others(&self, parts: &[&[usize]]) -> Vec<usize> {
        let taken: HashSet<usize> = parts.iter().copied().flatten().copied().collect();
        (0..self.names.len()).filter(|column| !taken.contains(column)).collect()
    }

    /// The names of columns.
    pub(super) fn pick(&self, columns: &[usize]) -> Vec<String> {
        columns.iter().map(|&column| self.names[column].clone()).collect()
    }

    /// No column may play two parts.
    pub(super) fn check_once(&self, parts: &[&[usize]]) -> Result<(), DataError> {
        let mut taken = vec![false; self.names.len()];
        for &column in parts.iter().copied().flatten() {
            if taken[column] {
                return Err(DataError::ChosenTwice {
                    path: self.path.to_owned(),
                    name: self.names[column].clone(),
                });
            }
            taken[column] = true;
        }
        Ok(())
    }

    pub(super) fn no_columns(&self, part: Part) -> DataError {
        let (path, columns, suggestion) = (self.path.to_owned(), self.names.clone(), self.delimiter.clone());
        DataError::NoColumns { path, part, columns, suggestion }
    }

    /// The values of all rows: features and targets.
    pub(super) fn read<F: Scalar>(
        &mut self,
        features: &[usize],
        targets: &[usize],
    ) -> Result<Matrices<F>, DataError> {
        self.read_rows(features, targets, |sheet, column| sheet.number(column, Part::Y))
    }

    /// The features of all rows, the class of each as an index, and the names of the classes.
    pub(super) fn read_classes<F: Scalar>(
        &mut self,
        features: &[usize],
        target: usize,
    ) -> Result<(Matrices<F>, Vec<String>), DataError> {
        // Labels are numbered as they come, then renumbered in the order of their names.
        let mut labels = Labels::default();
        let (x, y) = self.read_rows(features, &[target], |sheet, column| {
            Ok(sheet.present(column, Part::Y)?.map(|label| F::of(labels.number(label) as f64)))
        })?;
        let number = |y: F| y.as_f64() as usize;
        // A label may be in dropped rows only.
        let used = y.iter().map(|&y| number(y)).collect();
        let (classes, class_of) = labels.sorted(&used);
        Ok(((x, y.mapv(|y| F::of(class_of[&number(y)] as f64))), classes))
    }

    /// The values of all rows: features, and what `target` makes of the cells of the targets.
    fn read_rows<F: Scalar>(
        &mut self,
        features: &[usize],
        targets: &[usize],
        mut target: impl FnMut(&Self, usize) -> Result<Option<F>, DataError>,
    ) -> Result<Matrices<F>, DataError> {
        if features.is_empty() {
            return Err(self.no_columns(Part::X));
        }
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let (mut rows, mut dropped) = (0, 0);
        let mut more = !self.options.header || self.records.advance()?;
        while more {
            self.check_count()?;
            let complete = push(&mut x, features, |column| self.number(column, Part::X))?
                & push(&mut y, targets, |column| target(self, column))?;
            if complete || self.options.missing != Missing::DropRows {
                rows += 1;
            } else {
                dropped += 1;
                x.truncate(rows * features.len());
                y.truncate(rows * targets.len());
            }
            more = self.records.advance()?;
        }
        if rows == 0 {
            return Err(DataError::NoRows { path: self.path.to_owned(), dropped });
        }
        let shaped = |columns: &[usize], values| {
            Array2::from_shape_vec((rows, columns.len()), values).expect("one value per column and row")
        };
        let mut x = shaped(features, x);
        for (values, &column) in x.columns_mut().into_iter().zip(features) {
            self.impute(values, column)?;
        }
        Ok((x, shaped(targets, y)))
    }

    fn check_count(&self) -> Result<(), DataError> {
        let (expected, got) = (self.names.len(), self.records.len());
        if expected == got {
            return Ok(());
        }
        let (place, suggestion) = (self.records.place(), self.delimiter.clone());
        Err(DataError::CellCount { place, expected, got, suggestion })
    }

    /// The text in a cell of the current record, or `None` for a missing value that is to be dropped or filled in.
    fn present(&self, column: usize, part: Part) -> Result<Option<&str>, DataError> {
        let text = self.records.cell(column);
        if !is_missing(text) {
            return Ok(Some(text));
        }
        let suggestion = match (self.options.missing, part) {
            (Missing::DropRows, _) | (Missing::Mean | Missing::Median, Part::X) => return Ok(None),
            (_, Part::X) => Some(Suggestion::Missing),
            _ => Some(Suggestion::MissingTarget),
        };
        let (place, column, text) = self.cell(column);
        Err(DataError::MissingCell { place, column, text, suggestion })
    }

    /// The number in such a cell.
    fn number<F: Scalar>(&self, column: usize, part: Part) -> Result<Option<F>, DataError> {
        let Some(text) = self.present(column, part)? else { return Ok(None) };
        let Ok(number) = text.parse() else {
            let suggestion = Some(self.suggestion(column, text));
            let (place, column, text) = self.cell(column);
            return Err(DataError::NotANumber { place, column, text, suggestion });
        };
        let value = F::of(number);
        if !value.is_finite() {
            let (place, column, text) = self.cell(column);
            return Err(DataError::NotFiniteCell { place, column, text, number: type_name::<F>() });
        }
        Ok(Some(value))
    }

    /// A cell of the current record as an error shows it.
    fn cell(&self, column: usize) -> (Place, Column, String) {
        (self.records.place(), self.column(column), self.records.cell(column).to_owned())
    }

    fn column(&self, column: usize) -> Column {
        Column { number: column + 1, name: self.names[column].clone() }
    }

    /// What may help where a number was expected.
    fn suggestion(&self, column: usize, text: &str) -> Suggestion {
        if let Some(delimiter) = &self.delimiter {
            return delimiter.clone();
        }
        if text.contains(',') && text.replace(',', "").parse::<f64>().is_ok() {
            return Suggestion::DecimalPoint;
        }
        if !self.options.header && self.records.is_first() {
            return Suggestion::Header;
        }
        Suggestion::DropColumn(self.names[column].clone())
    }

    /// Fills the gaps of a feature, if asked to.
    fn impute<F: Scalar>(&self, mut values: ArrayViewMut1<F>, column: usize) -> Result<(), DataError> {
        let middle = match self.options.missing {
            Missing::Error | Missing::DropRows => return Ok(()),
            Missing::Mean => mean,
            Missing::Median => median,
        };
        let present: Vec<f64> =
            values.iter().copied().filter(|value| !value.is_nan()).map(|value| value.as_f64()).collect();
        if present.is_empty() {
            return Err(DataError::NothingToImpute {
                path: self.path.to_owned(),
                column: self.column(column),
            });
        }
        if present.len() < values.len() {
            let middle = F::of(middle(present));
            values.mapv_inplace(|value| if value.is_nan() { middle } else { value });
        }
        Ok(())
    }
}

/// Adds the values in `columns` of one record, NaN for one that is missing; false if one is.
fn push<F: Scalar>(
    values: &mut Vec<F>,
    columns: &[usize],
    mut value: impl FnMut(usize) -> Result<Option<F>, DataError>,
) -> Result<bool, DataError> {
    let mut complete = true;
    for &column in columns {
        let value = value(column)?;
        complete &= value.is_some();
        values.push(value.unwrap_or_else(F::nan));
    }
    Ok(complete)
}

fn is_missing(text: &str) -> bool {
    ["", "na", "n/a", "nan", "null", "?"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Another character that is in the first record at least as often as the delimiter, if there is one.
fn other_delimiter<R: Read>(first: &Records<R>, options: &Csv) -> Option<Suggestion> {
    // Where a row of decimal commas was cut at each comma, there is one comma more than cells were meant to be cut.
    let spare = usize::from(!options.header);
    b";\t|,".iter().filter(|&&byte| byte != options.delimiter).find_map(|&byte| {
        let count = first.cells().flat_map(str::bytes).filter(|&other| other == byte).count();
        (count > 0 && count + spare >= first.len() - 1).then_some(Suggestion::Delimiter(byte))
    })
}

fn mean(values: Vec<f64>) -> f64 {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    if sum.is_finite() { sum / count } else { values.iter().map(|value| value / count).sum() }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}
