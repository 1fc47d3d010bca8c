//! From a CSV file to a data set: which columns, and what to do about missing values.

use std::any::type_name;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::{Array2, ArrayViewMut1};

use super::dataset::Dataset;
use super::error::{Column, DataError, Part, Place, Suggestion};
use super::records::Records;
use crate::Scalar;

/// What to do about missing values: cells that are empty, or `NA`, `N/A`, `NaN`, `null` or `?` in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// A missing value is an error that names its line and column.
    #[default]
    Error,
    /// Rows with a missing value in a feature or a target are left out.
    DropRows,
    /// A missing feature becomes the mean of the values present in its column. A missing target is an error.
    Mean,
    /// A missing feature becomes the median of the values present in its column. A missing target is an error.
    Median,
}

/// How to read a CSV file: which columns are the target and the features, and what the file looks like.
///
/// By default the first line is a header, cells are separated by commas, every column but the target is a feature, and
/// a missing value is an error.
///
/// Accepted: UTF-8 with or without a byte order mark, any line ends, quoted cells, spaces around cells, blank lines.
/// Cells that are used must be finite numbers with a decimal point, such as `-1.5e3`. Everything else is a
/// [`DataError`] that names the line and the column: text, infinities, numbers too large for `F`, rows of another
/// length, quotes that are never closed, bytes that are not text. A record may be up to
/// [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES) long.
///
/// `Mean` and `Median` are taken over the whole file, before any split: a test set then knows a little about the
/// training set and the other way round. Where that matters, drop the rows.
///
/// ```
/// use geartrain::data::{Csv, Dataset, Missing};
///
/// let text = "height;weight;name\n1.80;81;Ada\n1.65;?;Max\n";
/// let csv = Csv::new("weight").delimiter(b';').drop_columns(["name"]).missing(Missing::DropRows);
/// let people: Dataset<f32> = csv.read(text.as_bytes(), "people")?;
/// assert_eq!((people.rows(), people.feature_names()), (1, &["height".to_string()][..]));
///
/// let error = Csv::new("weight").delimiter(b';').read::<f32>(text.as_bytes(), "people").unwrap_err();
/// assert!(error.to_string().starts_with("people, line 2, column 3 (`name`): `Ada` is not a number"));
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    targets: Vec<String>,
    features: Option<Vec<String>>,
    dropped: Vec<String>,
    delimiter: u8,
    header: bool,
    missing: Missing,
}

impl Csv {
    /// A file in which the column named `target` is to be predicted from all others.
    pub fn new(target: impl Into<String>) -> Self {
        Csv {
            targets: vec![target.into()],
            features: None,
            dropped: Vec::new(),
            delimiter: b',',
            header: true,
            missing: Missing::Error,
        }
    }

    /// Predict these columns, in this order, instead of the single target.
    pub fn targets<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.targets = names.into_iter().map(Into::into).collect();
        self
    }

    /// Use exactly these columns as features, in this order. Other columns may hold anything.
    pub fn features<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.features = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Use every column but the targets and these as features. The columns left out may hold anything.
    pub fn drop_columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.dropped = names.into_iter().map(Into::into).collect();
        self
    }

    /// The ASCII character between cells, such as `b';'` or `b'\t'`. Default: a comma.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Whether the first line names the columns. Without a header they are named `0`, `1`, `2`, … Default: true.
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// What to do about missing values. Default: [`Missing::Error`].
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// Reads a data set from any source of bytes; errors call it `name`. (For a file: [`Dataset::from_csv`].)
    ///
    /// # Errors
    /// Where the source is not as described above, or a column that was asked for is not there.
    pub fn read<F: Scalar>(&self, source: impl Read, name: &str) -> Result<Dataset<F>, DataError> {
        let mut sheet = Sheet::open(self, source, name)?;
        let targets = sheet.find(&self.targets)?;
        let dropped = sheet.find(&self.dropped)?;
        let features = match &self.features {
            Some(names) => sheet.find(names)?,
            None => {
                (0..sheet.names.len()).filter(|at| !targets.contains(at) && !dropped.contains(at)).collect()
            }
        };
        sheet.check_once(&[&features, &targets, &dropped])?;
        if targets.is_empty() {
            return Err(sheet.no_columns(Part::Y));
        }
        let (x, y) = sheet.read(&features, &targets)?;
        Dataset::new(x, y)?.named(sheet.pick(&features), sheet.pick(&targets))
    }

    /// Reads only the columns `names`, in this order, as inputs to predict from: rows × columns. The targets need not
    /// be in the file, and [`features`](Csv::features) and [`drop_columns`](Csv::drop_columns) play no part.
    ///
    /// # Errors
    /// As [`Dataset::from_csv`].
    ///
    /// ```
    /// use geartrain::data::Csv;
    ///
    /// let x = Csv::new("mpg").load_features::<f32, _>("data/auto-mpg.csv", &["weight", "hp"])?;
    /// assert_eq!(x.dim(), (392, 2));
    /// assert_eq!(x.row(0).to_vec(), [3504.0, 130.0]);
    /// # Ok::<(), geartrain::data::DataError>(())
    /// ```
    pub fn load_features<F: Scalar, S: AsRef<str>>(
        &self,
        path: impl AsRef<Path>,
        names: &[S],
    ) -> Result<Array2<F>, DataError> {
        let (file, path) = open(path.as_ref())?;
        let mut sheet = Sheet::open(self, file, &path)?;
        let features = sheet.find(names)?;
        sheet.check_once(&[&features])?;
        Ok(sheet.read(&features, &[])?.0)
    }
}

/// Opens a file, and gives its path as errors show it.
pub(super) fn open(path: &Path) -> Result<(File, String), DataError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => Ok((file, name)),
        Err(source) => Err(DataError::File { path: name, source }),
    }
}

/// A file whose columns are known and whose rows are still to be read.
struct Sheet<'a, R> {
    options: &'a Csv,
    records: Records<R>,
    path: &'a str,
    names: Vec<String>,
    /// The first record seems to be separated by another character than the one given.
    delimiter: Option<Suggestion>,
}

impl<'a, R: Read> Sheet<'a, R> {
    fn open(options: &'a Csv, source: R, path: &'a str) -> Result<Self, DataError> {
        let mut records = Records::new(source, path, options.delimiter)?;
        if !records.advance()? {
            return Err(DataError::EmptyFile { path: path.to_owned() });
        }
        let names: Vec<String> = if options.header {
            records.cells().map(str::to_owned).collect()
        } else {
            (0..records.len()).map(|column| column.to_string()).collect()
        };
        let delimiter = other_delimiter(&records);
        for (second, name) in names.iter().enumerate() {
            if let Some(first) = names[..second].iter().position(|earlier| earlier == name) {
                let (path, name, first, second) = (path.to_owned(), name.clone(), first + 1, second + 1);
                return Err(DataError::DuplicateColumn { path, name, first, second, columns: names });
            }
        }
        Ok(Sheet { options, records, path, names, delimiter })
    }

    /// Where the named columns are.
    fn find<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, DataError> {
        names
            .iter()
            .map(|name| {
                self.names.iter().position(|column| column == name.as_ref()).ok_or_else(|| {
                    DataError::UnknownColumn {
                        path: self.path.to_owned(),
                        name: name.as_ref().to_owned(),
                        columns: self.names.clone(),
                        suggestion: self.delimiter.clone(),
                    }
                })
            })
            .collect()
    }

    /// The names of columns.
    fn pick(&self, columns: &[usize]) -> Vec<String> {
        columns.iter().map(|&column| self.names[column].clone()).collect()
    }

    /// No column may play two parts.
    fn check_once(&self, parts: &[&[usize]]) -> Result<(), DataError> {
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

    fn no_columns(&self, part: Part) -> DataError {
        let (path, columns, suggestion) = (self.path.to_owned(), self.names.clone(), self.delimiter.clone());
        DataError::NoColumns { path, part, columns, suggestion }
    }

    /// The values of all rows: features and targets.
    fn read<F: Scalar>(
        &mut self,
        features: &[usize],
        targets: &[usize],
    ) -> Result<(Array2<F>, Array2<F>), DataError> {
        if features.is_empty() {
            return Err(self.no_columns(Part::X));
        }
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let (mut rows, mut dropped) = (0, 0);
        let mut more = !self.options.header || self.records.advance()?;
        while more {
            let complete =
                self.read_row(features, Part::X, &mut x)? & self.read_row(targets, Part::Y, &mut y)?;
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

    /// Adds the current record's values in `columns`, NaN for one that is missing; false if one is.
    fn read_row<F: Scalar>(
        &self,
        columns: &[usize],
        part: Part,
        values: &mut Vec<F>,
    ) -> Result<bool, DataError> {
        let (expected, got) = (self.names.len(), self.records.len());
        if expected != got {
            let (place, suggestion) = (self.records.place(), self.delimiter.clone());
            return Err(DataError::CellCount { place, expected, got, suggestion });
        }
        let mut complete = true;
        for &column in columns {
            let value = self.value(column, part)?;
            complete &= value.is_some();
            values.push(value.unwrap_or_else(F::nan));
        }
        Ok(complete)
    }

    /// The number in a cell of the current record, or `None` for a missing value that is to be dropped or filled in.
    fn value<F: Scalar>(&self, column: usize, part: Part) -> Result<Option<F>, DataError> {
        let text = self.records.cell(column);
        if is_missing(text) {
            let suggestion = match (self.options.missing, part) {
                (Missing::DropRows, _) | (Missing::Mean | Missing::Median, Part::X) => return Ok(None),
                (_, Part::X) => Some(Suggestion::Missing),
                _ => Some(Suggestion::MissingTarget),
            };
            let (place, column, text) = self.cell(column);
            return Err(DataError::MissingCell { place, column, text, suggestion });
        }
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

fn is_missing(text: &str) -> bool {
    ["", "na", "n/a", "nan", "null", "?"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A character that is in the first record at least as often as the delimiter, if there is one.
fn other_delimiter<R: Read>(first: &Records<R>) -> Option<Suggestion> {
    let delimiters = first.len() - 1;
    [b';', b'\t', b'|', b','].into_iter().find_map(|byte| {
        let count = first.cells().flat_map(str::bytes).filter(|&other| other == byte).count();
        (count > 0 && count >= delimiters).then_some(Suggestion::Delimiter(byte))
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
