//! Everything that can be wrong with data: what, where, expected and got.

use std::fmt;
use std::io;

use thiserror::Error;

/// What is wrong with a data set, a CSV file or a request about them.
///
/// Files count lines and columns from 1, as editors and spreadsheets do. Arrays count rows and columns from 0, and the
/// messages write them as an index: `x[[3, 2]]`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
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
    /// `x` and `y` do not describe the same rows.
    #[error("x has {x} rows, y has {y}")]
    RowCounts {
        /// Rows of `x`.
        x: usize,
        /// Rows of `y`.
        y: usize,
    },
    /// There are not as many names as columns.
    #[error("{part} has {expected} columns, but {got} names were given")]
    NameCount {
        /// Which array.
        part: Part,
        /// Its columns.
        expected: usize,
        /// Names given.
        got: usize,
    },
    /// A NaN or an infinity in an array.
    #[error("{part}[[{row}, {column}]]{} is {value}, which is not finite", in_column(.name))]
    NotFinite {
        /// Which array.
        part: Part,
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The column's name, where it has one.
        name: Option<String>,
        /// The number found.
        value: f64,
    },
    /// An array has other columns than the ones the scale was learnt from.
    #[error("fitted on {expected} columns, got {got}")]
    ColumnCount {
        /// Columns seen by `fit`.
        expected: usize,
        /// Columns given now.
        got: usize,
    },
    /// A test fraction outside of the open interval (0, 1).
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
        /// Rows that would be left for training.
        train: usize,
        /// Rows that would be left for testing.
        test: usize,
    },
    /// Cross-validation needs at least two folds and a row for each.
    #[error("the number of folds must lie between 2 and the number of rows, {rows}; got {folds}")]
    Folds {
        /// Folds asked for.
        folds: usize,
        /// Rows to share out.
        rows: usize,
    },
    /// A row that does not exist was selected.
    #[error("row {index} was selected, but there are {rows} rows (counted from 0)")]
    RowIndex {
        /// The index given.
        index: usize,
        /// Rows there are.
        rows: usize,
    },
    /// A mini-batch needs at least one row.
    #[error("the batch size must be at least 1, got 0")]
    BatchSize,
    /// The noise of a toy set is a standard deviation: finite, and 0 or more.
    #[error("the noise must be a finite number, 0 or more; got {noise}")]
    Noise {
        /// The noise given.
        noise: f64,
    },

    /// The file cannot be opened or read.
    #[error("{path}: {source}")]
    File {
        /// The file's path, or the name given for a reader.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The delimiter must be one ASCII character that cannot be part of a number, a quote or a line end.
    #[error("{:?} cannot separate cells", char::from(*.delimiter))]
    Delimiter {
        /// The delimiter given.
        delimiter: u8,
    },
    /// The file holds nothing, or only blank lines.
    #[error("{path}: the file is empty")]
    EmptyFile {
        /// The file's path.
        path: String,
    },
    /// No row is left to learn from.
    #[error("{path}: no rows{}", dropped_rows(*.dropped))]
    NoRows {
        /// The file's path.
        path: String,
        /// Rows that were dropped because of a missing cell.
        dropped: usize,
    },
    /// Two columns have the same name.
    #[error("{path}: columns {first} and {second} are both named {}; the columns are {}", shown(.name), listed(.columns))]
    DuplicateColumn {
        /// The file's path.
        path: String,
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
    #[error("{path}: there is no column {}; the columns are {}{}", shown(.name), listed(.columns), advice(.suggestion))]
    UnknownColumn {
        /// The file's path.
        path: String,
        /// The name asked for.
        name: String,
        /// All names, in the file's order.
        columns: Vec<String>,
        /// What may help.
        suggestion: Option<Suggestion>,
    },
    /// One column was given two parts: twice a feature, feature and target, or chosen and dropped.
    #[error("{path}: column {} was chosen twice (as feature, as target or to be dropped)", shown(.name))]
    ChosenTwice {
        /// The file's path.
        path: String,
        /// The column's name.
        name: String,
    },
    /// No column is left for `x`, or none was chosen for `y`.
    #[error("{path}: no column is left for {part}; the columns are {}{}", listed(.columns), advice(.suggestion))]
    NoColumns {
        /// The file's path.
        path: String,
        /// Which array.
        part: Part,
        /// All names, in the file's order.
        columns: Vec<String>,
        /// What may help.
        suggestion: Option<Suggestion>,
    },
    /// The labels of classes are in one column.
    #[error("{path}: the labels of classes come from one column, got {}", listed(.columns))]
    LabelColumns {
        /// The file's path.
        path: String,
        /// The columns that were given as targets.
        columns: Vec<String>,
    },
    /// A line has more or fewer cells than the first one.
    #[error("{place}: expected {expected} cells, got {got}{}", advice(.suggestion))]
    CellCount {
        /// The record's first line.
        place: Place,
        /// Cells of the first record.
        expected: usize,
        /// Cells of this record.
        got: usize,
        /// What may help.
        suggestion: Option<Suggestion>,
    },
    /// A cell is neither a number nor a missing value.
    #[error("{place}, {column}: {} is not a number{}", shown(.text), advice(.suggestion))]
    NotANumber {
        /// The record's first line.
        place: Place,
        /// The cell's column.
        column: Column,
        /// The cell's text.
        text: String,
        /// What may help.
        suggestion: Option<Suggestion>,
    },
    /// A cell holds an infinity, or a number too large for the type it is read into.
    #[error("{place}, {column}: {} is not a finite {number}", shown(.text))]
    NotFiniteCell {
        /// The record's first line.
        place: Place,
        /// The cell's column.
        column: Column,
        /// The cell's text.
        text: String,
        /// The number type: `f32` or `f64`.
        number: &'static str,
    },
    /// A cell is empty or says that its value is not known.
    #[error("{place}, {column}: {}{}", missing(.text), advice(.suggestion))]
    MissingCell {
        /// The record's first line.
        place: Place,
        /// The cell's column.
        column: Column,
        /// The cell's text.
        text: String,
        /// What may help.
        suggestion: Option<Suggestion>,
    },
    /// A column without a single value cannot be filled with their mean or median.
    #[error("{path}, {column}: every value is missing, so there is nothing to fill the gaps with")]
    NothingToImpute {
        /// The file's path.
        path: String,
        /// The empty column.
        column: Column,
    },
    /// A byte that cannot be part of a text file in UTF-8.
    #[error("{place}, byte {position}: {} (save the file as UTF-8)", bad_byte(*.byte))]
    NotText {
        /// The line.
        place: Place,
        /// The byte's place in its line, from 1.
        position: usize,
        /// The byte: 0 (NUL) or the start of an invalid sequence.
        byte: u8,
    },
    /// A quote is still open where the file ends.
    #[error("{place}: a quote (\") opened in this record is never closed")]
    OpenQuote {
        /// The record's first line.
        place: Place,
    },
    /// A record is longer than [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES).
    #[error("{place}: the record is longer than {limit} bytes; is a quote (\") not closed?")]
    RecordTooLong {
        /// The record's first line.
        place: Place,
        /// The largest length allowed, in bytes.
        limit: usize,
    },
}

impl DataError {
    /// Takes the suggestion out of the message, for a program that has words of its own for it.
    pub fn take_suggestion(&mut self) -> Option<Suggestion> {
        match self {
            DataError::UnknownColumn { suggestion, .. }
            | DataError::NoColumns { suggestion, .. }
            | DataError::CellCount { suggestion, .. }
            | DataError::NotANumber { suggestion, .. }
            | DataError::MissingCell { suggestion, .. } => suggestion.take(),
            _ => None,
        }
    }
}

/// An array that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The features.
    X,
    /// The targets.
    Y,
    /// What [`Standardize`](super::Standardize) made of an array.
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

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's path, or the name given for a reader.
    pub path: String,
    /// Line, from 1. Where a quoted cell goes over several lines, the first line of its record.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.path, self.line)
    }
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its place in the file, from 1.
    pub number: usize,
    /// Its name: from the header, or `0`, `1`, … in a file without one.
    pub name: String,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {} ({})", self.number, shown(&self.name))
    }
}

/// What may help against an error in a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suggestion {
    /// The cells seem to be separated by another character.
    Delimiter(u8),
    /// The number is written with a decimal comma.
    DecimalPoint,
    /// The first line of a file read without a header holds text.
    Header,
    /// A column of text can be left out.
    DropColumn(String),
    /// Rows with missing values can be dropped, the gaps of features also filled.
    Missing,
    /// A target is never filled in, but its row can be dropped.
    MissingTarget,
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Suggestion::Delimiter(byte) => {
                let delimiter = char::from(*byte);
                write!(f, "are the cells separated by {delimiter:?}? Then use .delimiter(b{delimiter:?})")
            }
            Suggestion::DecimalPoint => {
                f.write_str("numbers need a decimal point and no thousands separator")
            }
            Suggestion::Header => f.write_str("is this line a header? Then leave out .header(false)"),
            Suggestion::DropColumn(name) => {
                write!(f, "a column of text can be left out with .drop_columns([{}])", quoted(name))
            }
            Suggestion::Missing => f.write_str(
                "choose Missing::DropRows, Missing::Mean or Missing::Median to accept missing values",
            ),
            Suggestion::MissingTarget => {
                f.write_str("a target is never filled in, but Missing::DropRows leaves its row out")
            }
        }
    }
}

/// Foreign text fit for a message: at most 40 characters, in backquotes, control characters escaped.
fn shown(text: &str) -> String {
    format!("`{}`", shortened(text))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(LONGEST).flat_map(char::escape_debug).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

fn listed(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut list = names.iter().take(MOST).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        list.push_str(&format!(" and {} more", names.len() - MOST));
    }
    list
}

fn advice(suggestion: &Option<Suggestion>) -> String {
    suggestion.as_ref().map(|suggestion| format!(" ({suggestion})")).unwrap_or_default()
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

fn bad_byte(byte: u8) -> String {
    match byte {
        0 => "a NUL byte, which text does not have; is this UTF-16 or a binary file?".into(),
        _ => format!("0x{byte:02x} is not part of a character in UTF-8"),
    }
}
