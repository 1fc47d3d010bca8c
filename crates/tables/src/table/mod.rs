//! Tables: named columns of numbers, dates or texts, each with a type.
//!
//! | file | contents |
//! |---|---|
//! | `column.rs` | [`Column`]: cells with a name and a type |
//! | `infer.rs` | the rule that finds a column's type |
//! | `csv.rs` | [`CsvOptions`]: reads a CSV file |
//! | `levels.rs` | the distinct texts of a column |
//! | `date.rs` | dates as numbers |
//! | `numpy.rs` | arrays of NumPy as tables |

mod column;
mod csv;
pub(crate) mod date;
mod infer;
pub(crate) mod levels;
#[cfg(feature = "npy")]
mod numpy;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub(crate) use column::Cells;
pub use column::{Column, ColumnType};
pub use csv::CsvOptions;
pub use infer::RULE;
pub(crate) use infer::yes_no;

use crate::Error;

/// Named columns of equal length, each with a [`ColumnType`]. A clone shares the cells.
///
/// ```
/// use geartrain_tables::{ColumnType, Table};
/// let table = Table::parse_csv(b"id,colour,size\na1,red,3\na2,blue,\na3,red,4.5\n")?;
/// assert_eq!((table.rows(), table.column("colour")?.column_type()), (3, ColumnType::Category));
/// assert_eq!(table.column("size")?.missing(), 1);
/// # Ok::<(), geartrain_tables::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<Arc<Column>>,
    rows: usize,
}

impl Table {
    /// A table of columns in memory.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`], [`Error::ColumnLength`], and [`Error::Argument`] for 2³² − 1
    /// rows or more.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Result<Self, Error> {
        let columns: Vec<Arc<Column>> = columns.into_iter().map(Arc::new).collect();
        let rows = columns.first().map_or(0, |column| column.len());
        crate::error::require(rows < u32::MAX as usize, "rows", "fewer than 2³² − 1", rows)?;
        let mut names = HashSet::new();
        for column in &columns {
            let name = column.name();
            if !names.insert(name) {
                return Err(Error::DuplicateColumn { name: name.into() });
            }
            if column.len() != rows {
                return Err(Error::ColumnLength { name: name.into(), expected: rows, got: column.len() });
            }
        }
        Ok(Table { columns, rows })
    }

    /// Reads a CSV file with a header line, with the default [`CsvOptions`].
    ///
    /// # Errors
    /// As [`CsvOptions::read`].
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Self, Error> {
        CsvOptions::new().read(path)
    }

    /// Reads CSV text with a header line, with the default [`CsvOptions`].
    ///
    /// # Errors
    /// As [`CsvOptions::parse`].
    pub fn parse_csv(text: &[u8]) -> Result<Self, Error> {
        CsvOptions::new().parse(text)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &Column> {
        self.columns.iter().map(|column| &**column)
    }

    /// The columns' names, in order.
    pub fn names(&self) -> Vec<String> {
        self.columns().map(|column| column.name().to_string()).collect()
    }

    /// The column called `name`.
    ///
    /// # Errors
    /// [`Error::MissingColumn`].
    pub fn column(&self, name: &str) -> Result<&Column, Error> {
        Ok(&self.columns[self.position(name)?])
    }

    /// The same table with another type for one column.
    ///
    /// Numbers may become categories, and any column an identifier, which is left out. A text
    /// column becomes a number or a date only when it is read: [`CsvOptions::column_type`].
    ///
    /// # Errors
    /// [`Error::MissingColumn`]; [`Error::WrongType`] if the cells do not fit.
    pub fn with_type(mut self, name: &str, column_type: ColumnType) -> Result<Self, Error> {
        let position = self.position(name)?;
        self.columns[position] = Arc::new((*self.columns[position]).clone().with_type(column_type)?);
        Ok(self)
    }

    /// The same table without one column.
    ///
    /// # Errors
    /// [`Error::MissingColumn`].
    pub fn without(mut self, name: &str) -> Result<Self, Error> {
        self.columns.remove(self.position(name)?);
        Ok(self)
    }

    /// The rows with these numbers (from 0), in this order. Types are kept.
    ///
    /// # Panics
    /// If a number is not below [`rows`](Table::rows).
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| Arc::new(column.select(rows))).collect();
        Table { columns, rows: rows.len() }
    }

    /// The same table, in which the cells of column `name` come from these rows.
    pub(crate) fn with_column_from(&self, name: &str, rows: &[usize]) -> Result<Self, Error> {
        let position = self.position(name)?;
        let mut table = self.clone();
        table.columns[position] = Arc::new(self.columns[position].select(rows));
        Ok(table)
    }

    fn position(&self, name: &str) -> Result<usize, Error> {
        self.columns
            .iter()
            .position(|column| column.name() == name)
            .ok_or_else(|| Error::MissingColumn { name: name.into(), known: self.names() })
    }
}

/// One line per column: its name, its type and why, and its missing cells.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows, {} columns", self.rows, self.columns.len())?;
        let width = self.columns().map(|column| column.name().chars().count()).max().unwrap_or(0);
        for column in self.columns() {
            let (name, kind) = (column.name(), column.column_type().to_string());
            write!(f, "  {name:width$}  {kind:10}  {}", column.reason())?;
            match column.missing() {
                0 => writeln!(f)?,
                missing => writeln!(f, "; {missing} missing")?,
            }
        }
        Ok(())
    }
}
