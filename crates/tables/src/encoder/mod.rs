//! Columns to numbers, fitted on training rows.
//!
//! | file | contents |
//! |---|---|
//! | `number.rs` | scaled value, piecewise-linear encoding, missing indicator |
//! | `category.rs` | levels to columns of 0 and 1 |
//! | `onnx.rs` | the encoding as operations of ONNX |
//! | `rows.rs` | an encoder bound to a table: encodes chosen rows |

mod category;
mod number;
#[cfg(feature = "onnx")]
mod onnx;
mod rows;

use std::fmt;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::table::{Cells, date::Part};
use crate::{Column, ColumnType, CsvOptions, Error, Table};
use category::CategoryCode;
pub(crate) use category::codes_and_texts;
use number::NumberCode;
pub use number::Scaling;
pub(crate) use number::quantile;
pub(crate) use rows::Rows;

/// How an [`Encoder`] is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderOptions {
    scaling: Scaling,
    bins: Option<usize>,
    rare: usize,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        EncoderOptions::new()
    }
}

/// Encoded columns that the piecewise-linear encodings of all number columns may take together.
const BIN_BUDGET: usize = 256;
/// The default of [`EncoderOptions::bins`], and the fewest bins that the budget leaves.
const BINS: (usize, usize) = (16, 2);

impl EncoderOptions {
    /// Clipped scaling, 16 bins per number column (fewer for more than 16 of them), and levels in
    /// fewer than 3 training rows counted as rare.
    pub fn new() -> Self {
        EncoderOptions { scaling: Scaling::Clipped, bins: None, rare: 3 }
    }

    /// How the value of a number is scaled.
    pub fn scaling(mut self, scaling: Scaling) -> Self {
        self.scaling = scaling;
        self
    }

    /// Bins of the piecewise-linear encoding of each number column; 0 for none, at most 1,000.
    /// Default: 16, or 256 / *p* with more than 16 number columns *p*, and at least 2.
    pub fn bins(mut self, bins: usize) -> Self {
        self.bins = Some(bins);
        self
    }

    /// Levels in fewer training rows than this share one column. Default: 3. So do all but the
    /// 1,000 most frequent levels of a column.
    pub fn rare_below(mut self, rows: usize) -> Self {
        self.rare = rows;
        self
    }

    fn bins_for(&self, numbers: usize) -> usize {
        self.bins.unwrap_or_else(|| (BIN_BUDGET / numbers.max(1)).min(BINS.0).max(BINS.1))
    }
}

/// Turns the columns of a table into numbers for a network. All statistics are those of the rows it
/// was fitted on, in `f64`, and do not depend on the order of rows or columns.
///
/// - *number*: the scaled value `size`; a piecewise-linear encoding by quantiles `size[1]`, …;
///   `size=(missing)` if a training cell is missing. If none is, the mean (or the median, with
///   [`Scaling::Robust`]) stands for missing cells of later tables.
/// - *date*, as numbers: `day.day` (days since 1970-01-01), `day.month`, `day.day of month`,
///   `day.weekday`, `day.hour`.
/// - *category* and *yes/no*: 0 or 1 for each level, `origin=japan`, for missing, and for all rare
///   levels together; one column of −1 and 1 for two levels.
/// - *identifier* and *constant*: none.
///
/// Encoded columns are ordered by the names of the table's columns, so that a table with its
/// columns in another order gives the same numbers.
///
/// ```
/// use geartrain_tables::{Encoder, EncoderOptions, Table};
/// let train = Table::parse_csv(b"colour,size\nred,1\nred,2\nred,3\nblue,4\nblue,5\nblue,6\n")?;
/// let encoder = Encoder::fit(&train, &EncoderOptions::new().bins(2))?;
/// assert_eq!(encoder.names(), ["colour=red", "size", "size[1]", "size[2]"]);
/// let new = Table::parse_csv(b"size,colour\n3.5,green\n")?;
/// assert_eq!(encoder.transform(&new)?, ndarray::array![[0.0, 0.0, 1.0, 0.0]]);
/// # Ok::<(), geartrain_tables::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    columns: Vec<EncodedColumn>,
    left_out: Vec<LeftOut>,
}

/// A column of the table, and how it is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EncodedColumn {
    pub name: String,
    pub column_type: ColumnType,
    pub code: Code,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Code {
    Number(NumberCode),
    Date(Vec<(Part, NumberCode)>),
    Category(CategoryCode),
}

/// Why there is no column to learn from.
fn nothing_left(left_out: &[LeftOut]) -> String {
    const MOST: usize = 5;
    let columns = left_out.iter().take(MOST);
    let reasons: Vec<String> =
        columns.map(|LeftOut { name, reason, .. }| format!("`{name}` ({reason})")).collect();
    let more = left_out.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more columns") } else { String::new() };
    match reasons.is_empty() {
        true => "there is no column besides the target".into(),
        false => format!("no column to learn from: {}{more}", reasons.join(", ")),
    }
}

/// A column that models do not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// The reason for leaving it out.
    pub reason: String,
}

impl Encoder {
    /// Fits an encoder to all rows of `table`.
    ///
    /// # Errors
    /// [`Error::NoData`] if the table has no rows, or no column that differs between rows;
    /// [`Error::Argument`] for more than 1,000 bins.
    pub fn fit(table: &Table, options: &EncoderOptions) -> Result<Self, Error> {
        let bins = options.bins.unwrap_or(BINS.0);
        crate::error::require(bins <= 1000, "bins", "at most 1,000", bins)?;
        let no_data = |reason: &str| Error::NoData { what: "encoder", reason: reason.into() };
        if table.rows() == 0 {
            return Err(no_data("the table has no rows"));
        }
        let mut columns: Vec<&Column> = table.columns().collect();
        columns.sort_by_key(|column| column.name());
        let (used, unused): (Vec<_>, Vec<_>) = columns.into_iter().partition(|c| c.column_type().is_used());
        let left_out = |column: &Column, reason: &str| LeftOut {
            name: column.name().into(),
            column_type: column.column_type(),
            reason: reason.into(),
        };
        let mut encoder = Encoder {
            columns: Vec::new(),
            left_out: unused.into_iter().map(|column| left_out(column, column.reason())).collect(),
        };
        // The statistics of numbers come first: the number of bins depends on how many columns
        // there are.
        let mut fitted = Vec::new();
        for column in used {
            let code = match (column.column_type(), column.cells()) {
                (ColumnType::Number, Cells::Numbers(values)) => {
                    Code::Number(NumberCode::fit(values, options.scaling))
                }
                (ColumnType::Date, Cells::Dates(values)) => Code::Date(
                    Part::ALL
                        .into_iter()
                        .map(|part| {
                            let values: Vec<f64> = values.iter().map(|&days| part.of(days)).collect();
                            (part, NumberCode::fit(&values, options.scaling))
                        })
                        .collect(),
                ),
                (kind, _) => Code::Category(CategoryCode::fit(column, kind, options.rare)),
            };
            fitted.push((column, code));
        }
        let numbers = fitted.iter().flat_map(|(_, code)| code.numbers());
        let bins = options.bins_for(numbers.filter(|number| !number.is_constant()).count());
        for (column, mut code) in fitted {
            code.numbers_mut().into_iter().for_each(|number| number.choose_bins(bins));
            if let Code::Date(parts) = &mut code {
                parts.retain(|(_, number)| number.width() > 0);
                // One indicator for the date, not one for each part.
                parts.iter_mut().skip(1).for_each(|(_, number)| number.drop_indicator());
            }
            if code.width() == 0 {
                encoder.left_out.push(left_out(column, "always the same in the training rows"));
                continue;
            }
            let (name, column_type) = (column.name().to_string(), column.column_type());
            encoder.columns.push(EncodedColumn { name, column_type, code });
        }
        match encoder.columns.is_empty() {
            true => Err(no_data(&nothing_left(&encoder.left_out))),
            false => Ok(encoder),
        }
    }

    /// The number of encoded columns.
    pub fn width(&self) -> usize {
        self.columns.iter().map(|column| column.code.width()).sum()
    }

    /// The names of the encoded columns.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().flat_map(|column| column.code.names(&column.name)).collect()
    }

    /// The columns of the table that the encoder reads, with their types, ordered by name.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        self.columns.iter().map(|column| (column.name.as_str(), column.column_type))
    }

    /// The columns of the table that it does not read, and why.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// `options` with the type of each column that the encoder reads, so that a file is read as the
    /// training data were: a category `007` stays text, and text in a number column is an error.
    pub fn csv_options(&self, options: CsvOptions) -> CsvOptions {
        let columns = self.inputs();
        columns.fold(options, |options, (name, column_type)| options.column_type(name, column_type))
    }

    /// The encoded rows of `table`, `(rows, width)`. Columns may be in any order; further columns
    /// are ignored.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] and [`Error::WrongType`].
    pub fn transform(&self, table: &Table) -> Result<Array2<f32>, Error> {
        let rows = self.bind(table)?;
        let mut x = Array2::zeros((table.rows(), self.width()));
        for (row, out) in x.rows_mut().into_iter().enumerate() {
            rows.encode(row, out.into_slice().expect("row-major"));
        }
        Ok(x)
    }

    /// The encoder with the cells of `table`.
    pub(crate) fn bind<'a>(&'a self, table: &'a Table) -> Result<Rows<'a>, Error> {
        Rows::new(&self.columns, self.width(), table)
    }

    /// The text about one input column in a report: `3 levels, 2 of them rare: 4 columns`.
    fn describe(column: &EncodedColumn) -> String {
        let width = column.code.width();
        let columns = if width == 1 { "1 column".into() } else { format!("{width} columns") };
        match &column.code {
            Code::Number(number) => format!("{}: {columns}", number.describe()),
            Code::Date(parts) => {
                let names: Vec<&str> = parts.iter().map(|(part, _)| part.name()).collect();
                format!("{}: {columns}", names.join(", "))
            }
            Code::Category(category) => format!("{}: {columns}", category.describe()),
        }
    }
}

/// One line per column of the table: its name, its type, and how it is encoded or why it is left
/// out.
impl fmt::Display for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.inputs().map(|(name, _)| name).chain(self.left_out.iter().map(|l| l.name.as_str()));
        let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
        for column in &self.columns {
            let (name, kind, text) = (&column.name, column.column_type, Encoder::describe(column));
            writeln!(f, "  {name:width$}  {kind:10}  {text}")?;
        }
        for LeftOut { name, column_type, reason } in &self.left_out {
            let reason = reason.trim_end_matches(": left out");
            writeln!(f, "  {name:width$}  {column_type:10}  left out: {reason}")?;
        }
        Ok(())
    }
}

impl Code {
    fn width(&self) -> usize {
        match self {
            Code::Category(category) => category.width(),
            code => code.numbers().into_iter().map(NumberCode::width).sum(),
        }
    }

    fn names(&self, column: &str) -> Vec<String> {
        match self {
            Code::Number(number) => number.names(column),
            Code::Date(parts) => {
                let names =
                    |(part, number): &(Part, NumberCode)| number.names(&format!("{column}.{}", part.name()));
                parts.iter().flat_map(names).collect()
            }
            Code::Category(category) => category.names(column),
        }
    }

    fn numbers(&self) -> Vec<&NumberCode> {
        match self {
            Code::Number(number) => vec![number],
            Code::Date(parts) => parts.iter().map(|(_, number)| number).collect(),
            Code::Category(_) => Vec::new(),
        }
    }

    fn numbers_mut(&mut self) -> Vec<&mut NumberCode> {
        match self {
            Code::Number(number) => vec![number],
            Code::Date(parts) => parts.iter_mut().map(|(_, number)| number).collect(),
            Code::Category(_) => Vec::new(),
        }
    }
}
