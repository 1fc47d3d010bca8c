//! The errors of this crate: the problem, its place, the expected and the actual value.

use geartrain::data::DataError;
use geartrain::io::FileError;

use crate::ColumnType;

/// An error of this crate. A failed call changes neither its table nor its model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The CSV file could not be read.
    #[error(transparent)]
    Csv(Box<DataError>),

    /// A CSV file that is read twice was another one the second time.
    #[error("the file changed while it was read")]
    FileChanged,

    /// Two columns have the same name.
    #[error("two columns are called `{name}`")]
    DuplicateColumn {
        /// The name.
        name: String,
    },

    /// Columns of one table have different lengths.
    #[error("column `{name}`: expected {expected} rows, got {got}")]
    ColumnLength {
        /// The column.
        name: String,
        /// Rows of the columns before it.
        expected: usize,
        /// Rows of this column.
        got: usize,
    },

    /// A column that is needed is not in the table.
    #[error("there is no column `{name}`; the columns are {}", list(known))]
    MissingColumn {
        /// The column's name.
        name: String,
        /// The names in the table.
        known: Vec<String>,
    },

    /// A column holds values of another type.
    #[error("column `{name}` must be a {expected}: {problem}")]
    WrongType {
        /// The column.
        name: String,
        /// The type it must have.
        expected: ColumnType,
        /// The first value that does not fit, and its row.
        problem: String,
    },

    /// A value of a column is outside its domain.
    #[error("column `{name}`, row {row} (from 1): expected {expected}, got {got}")]
    Value {
        /// The column.
        name: String,
        /// The row, from 1, without the header.
        row: usize,
        /// The domain, in words.
        expected: &'static str,
        /// The value.
        got: String,
    },

    /// The table has nothing to learn from, or nothing to measure with.
    #[error("{what}: {reason}")]
    NoData {
        /// What was asked for, such as `fit`.
        what: &'static str,
        /// What is missing.
        reason: String,
    },

    /// An argument is outside its domain.
    #[error("{argument} must be {expected}, got {got}")]
    Argument {
        /// The argument's name.
        argument: &'static str,
        /// Its domain, in words.
        expected: &'static str,
        /// The value that was given.
        got: String,
    },

    /// The validation loss or a weight became NaN or infinite.
    #[error("training diverged in epoch {epoch} (from 1); try a smaller learning rate")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
    },

    /// The model file is of another program, or holds another kind of model.
    #[error("{path}: {problem}")]
    Model {
        /// The file's path.
        path: String,
        /// The problem.
        problem: String,
    },

    /// The model file could not be read or written.
    #[error(transparent)]
    File(Box<FileError>),

    /// An error of the trainer.
    #[error(transparent)]
    Train(Box<geartrain::Error>),
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        Error::Csv(Box::new(error))
    }
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Error::File(Box::new(error))
    }
}

impl From<geartrain::Error> for Error {
    fn from(error: geartrain::Error) -> Self {
        Error::Train(Box::new(error))
    }
}

/// [`Error::Argument`] unless `holds`.
pub(crate) fn require(
    holds: bool,
    argument: &'static str,
    expected: &'static str,
    got: impl std::fmt::Display,
) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Argument { argument, expected, got: got.to_string() }) }
}

/// Names in backquotes, at most 20 of them.
pub(crate) fn list(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
