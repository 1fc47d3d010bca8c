//! An encoder bound to a table: encodes chosen rows, so that a large table is never encoded as a
//! whole.

use ndarray::{Array2, ArrayRef2};

use super::category::CategoryCode;
use super::number::NumberCode;
use super::{Code, EncodedColumn};
use crate::table::date::Part;
use crate::table::{Cells, yes_no};
use crate::{Column, ColumnType, Error, Table};

/// The cells of a table with the codes of an encoder.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    columns: Vec<Source<'a>>,
    width: usize,
    /// All rows, encoded, if they take little memory.
    encoded: Option<Array2<f32>>,
}

/// The most memory that an encoded table may take, in numbers: 64 MB.
const MOST_ENCODED: usize = 1 << 24;

#[derive(Debug)]
enum Source<'a> {
    Number(&'a NumberCode, Numbers<'a>),
    Date(&'a [(Part, NumberCode)], Numbers<'a>),
    Category(&'a CategoryCode, Vec<u32>),
}

/// Cells of a number or date column.
#[derive(Debug)]
enum Numbers<'a> {
    Cells(&'a [f64]),
    AllMissing,
}

impl Numbers<'_> {
    fn get(&self, row: usize) -> f64 {
        match self {
            Numbers::Cells(cells) => cells[row],
            Numbers::AllMissing => f64::NAN,
        }
    }
}

impl<'a> Rows<'a> {
    pub fn new(columns: &'a [EncodedColumn], width: usize, table: &'a Table) -> Result<Self, Error> {
        let bind = |encoded: &'a EncodedColumn| {
            let column = table.column(&encoded.name)?;
            Ok(match &encoded.code {
                Code::Number(code) => Source::Number(code, numbers(column, encoded.column_type)?),
                Code::Date(parts) => Source::Date(parts, numbers(column, encoded.column_type)?),
                Code::Category(code) => {
                    check_words(column, encoded.column_type)?;
                    Source::Category(code, code.slots(column, encoded.column_type))
                }
            })
        };
        let columns = columns.iter().map(bind).collect::<Result<_, Error>>()?;
        Ok(Rows { columns, width, encoded: None })
    }

    /// The same, with all `rows` rows of the table encoded beforehand, unless they take more than
    /// 64 MB: training reads each of them in every epoch.
    pub fn encoded_once(mut self, rows: usize) -> Self {
        if rows.saturating_mul(self.width) <= MOST_ENCODED {
            self.encoded = Some(self.encoded(&(0..rows).collect::<Vec<_>>()));
        }
        self
    }

    /// The number of encoded columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Writes the encoding of one row of the table to `out`, of [`width`](Rows::width) numbers.
    pub fn encode(&self, row: usize, mut out: &mut [f32]) {
        if let Some(encoded) = &self.encoded {
            return out.copy_from_slice(encoded.row(row).to_slice().expect("row-major"));
        }
        for column in &self.columns {
            match column {
                Source::Number(code, cells) => {
                    let x = if code.indicator { cells.get(row) } else { code.fill(cells.get(row)) };
                    code.encode(x, take(&mut out, code.width()));
                }
                Source::Date(parts, cells) => {
                    let indicated = parts.iter().any(|(_, code)| code.indicator);
                    for (part, code) in *parts {
                        let x = part.of(cells.get(row));
                        code.encode(if indicated { x } else { code.fill(x) }, take(&mut out, code.width()));
                    }
                }
                Source::Category(code, slots) => code.encode(slots[row], take(&mut out, code.width())),
            }
        }
    }

    /// The encodings of `rows`, `(rows, width)`.
    pub fn encoded(&self, rows: &[usize]) -> Array2<f32> {
        let mut x = Array2::zeros((rows.len(), self.width));
        self.encode_all(rows, &mut x);
        x
    }

    /// Writes the encodings of `rows` to `out`, `(rows, width)`, row-major.
    pub fn encode_all(&self, rows: &[usize], out: &mut ArrayRef2<f32>) {
        for (&row, mut out) in rows.iter().zip(out.rows_mut()) {
            self.encode(row, out.as_slice_mut().expect("row-major"));
        }
    }
}

/// The first `width` numbers of `out`, which keeps the others.
fn take<'b>(out: &mut &'b mut [f32], width: usize) -> &'b mut [f32] {
    let (first, rest) = std::mem::take(out).split_at_mut(width);
    *out = rest;
    first
}

/// The cells of a column that must hold numbers or dates.
fn numbers(column: &Column, expected: ColumnType) -> Result<Numbers<'_>, Error> {
    match (column.cells(), expected) {
        (Cells::Numbers(cells), ColumnType::Number) | (Cells::Dates(cells), ColumnType::Date) => {
            Ok(Numbers::Cells(cells))
        }
        _ => match (0..column.len()).find_map(|row| column.text(row).map(|text| (row, text))) {
            None => Ok(Numbers::AllMissing),
            Some(first) => Err(wrong_type(column, expected, first)),
        },
    }
}

/// The texts of a yes/no column must be such words.
fn check_words(column: &Column, expected: ColumnType) -> Result<(), Error> {
    let wrong = |text: &str| expected == ColumnType::YesNo && yes_no(text).is_none();
    if let Cells::Texts { levels, .. } = column.cells()
        && !levels.iter().any(wrong)
    {
        return Ok(());
    }
    let texts = (0..column.len()).filter_map(|row| column.text(row).map(|text| (row, text)));
    let first =
        if expected == ColumnType::YesNo { texts.into_iter().find(|(_, text)| wrong(text)) } else { None };
    first.map_or(Ok(()), |first| Err(wrong_type(column, expected, first)))
}

fn wrong_type(column: &Column, expected: ColumnType, (row, text): (usize, String)) -> Error {
    // A number column that was read as text has numbers before the odd cell; report that one.
    let odd = |text: &String| expected == ColumnType::Number && text.parse::<f64>().is_err();
    let later = || (row..column.len()).find_map(|r| column.text(r).filter(odd).map(|text| (r, text)));
    let (row, text) = later().unwrap_or((row, text));
    let problem = format!("row {} (from 1) holds `{text}`", row + 1);
    Error::WrongType { name: column.name().into(), expected, problem }
}
