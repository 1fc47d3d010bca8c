//! Everything that can be wrong with data: where, and what.

use std::fmt;
use std::io;

use super::suggestion::Suggestion;
use crate::text::{list, shown};

/// A problem of a data set or a CSV file, and its place.
///
/// Lines and columns of files count from 1, as in editors and spreadsheets. Rows and columns of
/// arrays count from 0; messages write them as an index: `x[[3, 2]]`.
#[derive(Debug)]
#[non_exhaustive]
pub struct DataError {
    /// The place in a file. `None` for arrays and arguments.
    pub place: Option<Box<Place>>,
    /// The problem.
    pub problem: DataProblem,
    /// Advice: the end of the message, in parentheses.
    pub suggestion: Option<Suggestion>,
}

impl DataError {
    /// An error at `place`.
    pub(crate) fn at(place: Place, problem: DataProblem) -> Self {
        DataError { place: Some(Box::new(place)), problem, suggestion: None }
    }

    /// The same error with a suggestion.
    pub(crate) fn suggest(mut self, suggestion: impl Into<Option<Suggestion>>) -> Self {
        self.suggestion = suggestion.into();
        self
    }
}

impl From<DataProblem> for DataError {
    fn from(problem: DataProblem) -> Self {
        DataError { place: None, problem, suggestion: None }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.problem)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " ({suggestion})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

/// A file, a line of it, or one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's path, or the name given for a reader.
    pub path: String,
    /// The line, from 1. For a quoted cell that spans lines: the first line of its record.
    pub line: Option<u64>,
    /// The column.
    pub column: Option<Column>,
}

impl Place {
    /// The whole file.
    pub(crate) fn file(path: impl Into<String>) -> Self {
        Place { path: path.into(), line: None, column: None }
    }

    /// One column of the same file or line.
    pub(crate) fn column(self, column: Column) -> Self {
        Place { column: Some(column), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", {column}")?;
        }
        Ok(())
    }
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its position in the file, from 1.
    pub number: usize,
    /// Its name: from the header, or `0`, `1`, … for a file without one.
    pub name: String,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {} ({})", self.number, shown(&self.name))
    }
}

/// An array that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The features.
    X,
    /// The targets.
    Y,
    /// The result of a scaler.
    Scaled,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::X => "x",
            Part::Y => "y",
            Part::Scaled => "scaled",
        })
    }
}

/// What can be wrong with data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataProblem {
    /// A data set needs at least one row, one feature and one output.
    #[error("the data set is empty: {rows} rows, {features} features, {outputs} outputs")]
    EmptyDataset {
        /// Rows given.
        rows: usize,
        /// Columns of `x`.
        features: usize,
        /// Columns of `y`.
        outputs: usize,
    },
    /// `x` and `y` differ in rows.
    #[error("x has {x} rows, y has {y}")]
    RowCounts {
        /// Rows of `x`.
        x: usize,
        /// Rows of `y`.
        y: usize,
    },
    /// The number of names differs from the number of columns.
    #[error("{part} has {expected} columns, but {got} names were given")]
    NameCount {
        /// The array.
        part: Part,
        /// Its columns.
        expected: usize,
        /// Names given.
        got: usize,
    },
    /// `y` is not one column of class indices.
    #[error("y must be one column of class indices below {classes}, got {got}")]
    ClassIndex {
        /// The number of classes.
        classes: usize,
        /// The first wrong value, or the shape of `y`.
        got: String,
    },
    /// A NaN or an infinity in an array.
    #[error("{part}[[{row}, {column}]]{} is {value}, which is not finite", in_column(.name))]
    NotFinite {
        /// The array.
        part: Part,
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The column's name, if it has one.
        name: Option<String>,
        /// The number found.
        value: f64,
    },
    /// An array has another number of columns than the one a scaler was fitted on.
    #[error("fitted on {expected} columns, got {got}")]
    ColumnCount {
        /// Columns seen by `fit`.
        expected: usize,
        /// Columns given now.
        got: usize,
    },
    /// A test fraction outside the open interval (0, 1).
    #[error("the test fraction must lie between 0 and 1, got {fraction}")]
    Fraction {
        /// The fraction given.
        fraction: f64,
    },
    /// A split would leave one side without rows.
    #[error("a test fraction of {fraction} of {rows} rows leaves {train} rows to train and {test} to test")]
    EmptySide {
        /// The fraction given.
        fraction: f64,
        /// Rows to split.
        rows: usize,
        /// Rows left for training.
        train: usize,
        /// Rows left for testing.
        test: usize,
    },
    /// Cross-validation needs at least two folds and a row for each.
    #[error("the number of folds must lie between 2 and the number of rows, {rows}; got {folds}")]
    Folds {
        /// Folds asked for.
        folds: usize,
        /// Rows to distribute.
        rows: usize,
    },
    /// A selected row does not exist.
    #[error("row {index} was selected, but there are {rows} rows (counted from 0)")]
    RowIndex {
        /// The index given.
        index: usize,
        /// The number of rows.
        rows: usize,
    },
    /// A mini-batch needs at least one row.
    #[error("the batch size must be at least 1, got 0")]
    BatchSize,
    /// The noise of a toy set is a standard deviation: finite and at least 0.
    #[error("the noise must be a finite number, 0 or more; got {noise}")]
    Noise {
        /// The noise given.
        noise: f64,
    },

    /// The file cannot be opened or read.
    #[error("{0}")]
    File(#[source] io::Error),
    /// The delimiter must be one ASCII character that no number, quote or line end contains.
    #[error("{:?} cannot separate cells", char::from(*.delimiter))]
    Delimiter {
        /// The delimiter given.
        delimiter: u8,
    },
    /// The file is empty or holds only blank lines.
    #[error("the file is empty")]
    EmptyFile,
    /// No row is left to learn from.
    #[error("no rows{}", dropped_rows(*.dropped))]
    NoRows {
        /// Rows dropped because of a missing cell.
        dropped: usize,
    },
    /// A column was asked for by a name that several columns have.
    #[error("columns {first} and {second} are both named {}; the columns are {}", shown(.name), list(.columns))]
    DuplicateColumn {
        /// The name they share.
        name: String,
        /// Number of the first one, from 1.
        first: usize,
        /// Number of the second one, from 1.
        second: usize,
        /// All names, in the file's order.
        columns: Vec<String>,
    },
    /// A column that was asked for is not in the file.
    #[error("there is no column {}; the columns are {}", shown(.name), list(.columns))]
    UnknownColumn {
        /// The name asked for.
        name: String,
        /// All names, in the file's order.
        columns: Vec<String>,
    },
    /// One column was given two roles: twice a feature, feature and target, or used and dropped.
    #[error("column {} was chosen twice (as feature, as target or to be dropped)", shown(.name))]
    ChosenTwice {
        /// The column's name.
        name: String,
    },
    /// No column is left for `x`, or none was chosen for `y`.
    #[error("no column is left for {part}; the columns are {}", list(.columns))]
    NoColumns {
        /// The array.
        part: Part,
        /// All names, in the file's order.
        columns: Vec<String>,
    },
    /// Class labels come from a single column.
    #[error("class labels come from one column, got {}", list(.columns))]
    LabelColumns {
        /// The columns given as targets.
        columns: Vec<String>,
    },
    /// Nearly every row has a class of its own, so the target holds no classes.
    #[error(
        "{classes} different values in {rows} rows are not classes; is this column a number to predict, or an identifier?"
    )]
    TooManyClasses {
        /// Different labels.
        classes: usize,
        /// Rows.
        rows: usize,
    },
    /// A record has more or fewer cells than the columns of the file.
    #[error("expected {expected} cells, got {got}")]
    CellCount {
        /// Columns of the file.
        expected: usize,
        /// Cells of this record.
        got: usize,
    },
    /// A cell is neither a number nor a missing value.
    #[error("{} is not a number{}", shown(.text), counted(*.numbers, *.cells))]
    NotANumber {
        /// The cell's text.
        text: String,
        /// Cells of the column that are numbers.
        numbers: usize,
        /// All cells of the column.
        cells: usize,
    },
    /// A cell holds an infinity, or a number too large for the type it is read into.
    #[error("{} is not a finite {number}", shown(.text))]
    NotFiniteCell {
        /// The cell's text.
        text: String,
        /// The number type: `f32` or `f64`.
        number: &'static str,
    },
    /// A cell is empty or holds a marker for a missing value.
    #[error("{}{}", missing(.text), counted(*.numbers, *.cells))]
    MissingCell {
        /// The cell's text.
        text: String,
        /// Cells of the column that are numbers.
        numbers: usize,
        /// All cells of the column.
        cells: usize,
    },
    /// A column without a single value has no mean and no median.
    #[error("every value is missing, so there is nothing to fill the gaps with")]
    NothingToImpute,
    /// A byte that no UTF-8 text contains.
    #[error("byte {position}: {} (save the file as UTF-8)", bad_byte(*.byte))]
    NotText {
        /// The byte's position in its line, from 1.
        position: usize,
        /// The byte: 0 (NUL) or the start of an invalid sequence.
        byte: u8,
    },
    /// A quote is still open at the end of the file.
    #[error("a quote (\") opened in this record is never closed")]
    OpenQuote,
    /// A record is longer than [`MAX_RECORD_BYTES`](crate::data::MAX_RECORD_BYTES).
    #[error("the record is longer than {limit} bytes; is a quote (\") not closed?")]
    RecordTooLong {
        /// The largest length allowed, in bytes.
        limit: usize,
    },
}

fn in_column(name: &Option<String>) -> String {
    name.as_deref().map(|name| format!(" ({})", shown(name))).unwrap_or_default()
}

fn dropped_rows(dropped: usize) -> String {
    match dropped {
        0 => String::new(),
        _ => format!(" are left: each of the {dropped} rows has a missing value"),
    }
}

fn missing(text: &str) -> String {
    match text {
        "" => "the cell is empty".into(),
        _ => format!("{} stands for a missing value", shown(text)),
    }
}

/// How many cells of a column are numbers, if there are any.
fn counted(numbers: usize, cells: usize) -> String {
    match numbers {
        0 => String::new(),
        _ => format!("; {numbers} of the column's {cells} cells are numbers"),
    }
}

fn bad_byte(byte: u8) -> String {
    match byte {
        0 => "a NUL byte, which no text contains; is this UTF-16 or a binary file?".into(),
        _ => format!("0x{byte:02x} is not part of a character in UTF-8"),
    }
}
