//! Reads CSV files, in blocks of rows.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use geartrain::data::{Column as Position, IndexKind, NumberFormat};
use geartrain::data::{
    Csv, CsvBlock, CsvCell, CsvRows, DataError, DataProblem, Note, NumberCheck, Place, Suggestion,
};

use super::column::{Cells, Column, ColumnType, Labels};
use super::infer::{counts_rows, shorten};
use super::levels::{LevelsBuilder, MISSING};
use super::{Table, date};
use crate::Error;

/// How a CSV file is read: a header line, then one line per row. What a file may look like is
/// described with [`Csv`], whose reader this is.
///
/// Rows are read in blocks, and memory grows with the columns only: 8 bytes for a number or a
/// date; 4 bytes for a text, and each distinct text once. If a column begins with numbers or dates
/// and a later cell is another text, the file is read a second time, so that `007` stays `007`.
///
/// ```
/// use geartrain_tables::{ColumnType, CsvOptions};
/// let options = CsvOptions::new().missing(["?"]).column_type("zip", ColumnType::Category);
/// let table = options.parse(b"zip,age\n00501,31\n10001,?\n")?;
/// assert_eq!(table.column("zip")?.text(0).unwrap(), "00501");
/// assert_eq!(table.column("age")?.missing(), 1);
/// # Ok::<(), geartrain_tables::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CsvOptions {
    csv: Csv,
    date_format: Option<String>,
    types: HashMap<String, ColumnType>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions::new()
    }
}

/// The format of the file and its numbers. Targets, features and the answer to missing values have
/// no effect.
impl From<Csv> for CsvOptions {
    fn from(csv: Csv) -> Self {
        CsvOptions { csv, date_format: None, types: HashMap::new() }
    }
}

impl CsvOptions {
    /// The delimiter is the one of `,`, `;`, tab and `|` that occurs most often in the header line;
    /// missing markers are those of [`Csv`]; all types are inferred. For other formats, such as
    /// a decimal comma: `CsvOptions::from(Csv::default().decimal_comma(true))`.
    pub fn new() -> Self {
        Csv::default().detect_delimiter().into()
    }

    /// The byte between cells.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.csv = self.csv.delimiter(delimiter);
        self
    }

    /// The texts that stand for a missing cell besides the empty one, instead of the default ones.
    pub fn missing<S: AsRef<str>>(mut self, markers: impl IntoIterator<Item = S>) -> Self {
        let markers: Vec<S> = markers.into_iter().collect();
        self.csv = self.csv.missing_markers(&markers.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        self
    }

    /// The format of dates, such as `%d.%m.%Y`, with the letters of `strftime`. Default: ISO 8601.
    pub fn date_format(mut self, format: impl Into<String>) -> Self {
        self.date_format = Some(format.into());
        self
    }

    /// The type of one column. A cell that does not fit is then an error; a column of this name
    /// need not exist.
    pub fn column_type(mut self, name: impl Into<String>, column_type: ColumnType) -> Self {
        self.types.insert(name.into(), column_type);
        self
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Csv`] with the line if the file cannot be read, is not UTF-8, or if a row has
    /// another number of cells than the header; [`Error::WrongType`] for a cell that does not fit
    /// a chosen type.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Table, Error> {
        let name = path.as_ref().display().to_string();
        self.read_twice(&name, || self.csv.open_rows(&path))
    }

    /// Reads CSV text.
    ///
    /// # Errors
    /// As [`read`](CsvOptions::read).
    pub fn parse(&self, text: &[u8]) -> Result<Table, Error> {
        self.read_twice("(bytes)", || self.csv.rows(text, "(bytes)"))
    }

    fn read_twice<'a, R: Read + Send>(
        &'a self,
        path: &str,
        open: impl Fn() -> Result<CsvRows<'a, R>, DataError>,
    ) -> Result<Table, Error> {
        let Pass { names, header, mut builders, rows } = self.pass(open(), &[])?;
        for ((name, builder), number) in names.iter().zip(&builders).zip(1..) {
            if let (Some((row, text)), Some(&expected)) = (&builder.odd, self.types.get(name))
                && matches!(expected, ColumnType::Number | ColumnType::Date)
            {
                let formats = self.csv.number_formats([text.as_str()]);
                if expected == ColumnType::Number && !formats.is_empty() {
                    return Err(not_a_number(path, (number, name), text, formats).into());
                }
                let problem = format!("row {row} (from 1) holds `{}`", shorten(text));
                return Err(Error::WrongType { name: name.clone(), expected, problem });
            }
        }
        let again: Vec<State> = builders
            .iter()
            .map(|builder| match (&builder.odd, builder.rounded) {
                (Some(_), _) => State::Texts,
                (None, true) => State::Labels,
                (None, false) => State::Skipped,
            })
            .collect();
        if again.iter().any(|&state| state != State::Skipped) {
            let second = self.pass(open(), &again)?;
            if second.rows != rows || second.names != names {
                return Err(Error::FileChanged);
            }
            for (builder, second) in builders.iter_mut().zip(second.builders) {
                if builder.odd.is_some() {
                    (builder.cells, builder.levels) = (second.cells, second.levels);
                } else if let (State::Labels, Cells::Texts { codes, .. }) = (second.state, second.cells) {
                    builder.labels = Some(Labels { codes, levels: second.levels.finish() });
                }
            }
        }
        let columns = names.into_iter().zip(header).zip(builders).enumerate();
        let columns = columns.map(|(i, ((name, header), builder))| {
            let chosen = self.types.get(&name);
            let renamed = match header.is_empty() || header == name {
                true => String::new(),
                false => format!("; the header calls it `{}`, as another column", shorten(&header)),
            };
            let column = builder.finish((i + 1, name), header.is_empty(), rows, &renamed, &self.csv);
            match chosen {
                Some(&chosen) => column.with_type(chosen),
                None => Ok(column),
            }
        });
        Table::new(columns.collect::<Result<Vec<_>, _>>()?)
    }

    /// Reads all rows once. In a second pass, columns are stored as `again` says.
    fn pass<R: Read + Send>(
        &self,
        rows: Result<CsvRows<'_, R>, DataError>,
        again: &[State],
    ) -> Result<Pass, Error> {
        let mut rows = match rows {
            Err(DataError { problem: DataProblem::EmptyFile, .. }) => return Ok(Pass::default()),
            rows => rows?,
        };
        let (names, header) = (rows.names().to_vec(), rows.header().to_vec());
        let state = |(i, name): (usize, &String)| match again.get(i) {
            Some(&state) => state,
            None => match self.types.get(name) {
                Some(ColumnType::Number) => State::Numbers,
                Some(ColumnType::Date) => State::Dates,
                Some(ColumnType::Category | ColumnType::YesNo) => State::Texts,
                _ => State::Empty,
            },
        };
        let mut builders: Vec<Builder> =
            names.iter().enumerate().map(|column| Builder::new(state(column))).collect();
        let readers = builders.iter_mut().enumerate().map(|(column, builder)| {
            let mut row = 0;
            move |block: CsvBlock<'_>| {
                // More rows are an error below.
                for cell in block.column(column).take(MISSING as usize - row) {
                    row += 1;
                    builder.push(cell, row, self);
                }
            }
        });
        let count = rows.read_all(&mut readers.collect::<Vec<_>>())?;
        crate::error::require(count < MISSING as usize, "rows", "fewer than 2³² − 1", count)?;
        Ok(Pass { names, header, builders, rows: count })
    }

    /// A cell as a date; NaN if it is missing, `None` for any other text.
    fn date(&self, text: &str) -> Option<f64> {
        let date = date::parse(text, self.date_format.as_deref());
        // A text that is missing where a number is expected is none here either.
        date.or_else(|| self.csv.number(text).filter(|number| number.is_nan()))
    }
}

/// An error about a cell that is a number in another notation.
fn not_a_number(
    path: &str,
    (number, name): (usize, &str),
    text: &str,
    formats: Vec<NumberFormat>,
) -> DataError {
    let mut error = DataError::from(DataProblem::NotANumber { text: text.into(), numbers: 0, cells: 0 });
    let column = Some(Position { number, name: name.into() });
    error.place = Some(Box::new(Place { path: path.into(), line: None, column }));
    error.suggestion = Some(Suggestion::Numbers(formats));
    error
}

/// The result of one pass over the file.
#[derive(Default)]
struct Pass {
    names: Vec<String>,
    /// The names as the file has them.
    header: Vec<String>,
    builders: Vec<Builder>,
    rows: usize,
}

/// A column while it is read.
struct Builder {
    state: State,
    cells: Cells,
    levels: LevelsBuilder,
    /// Missing cells before the first other cell.
    gaps: usize,
    /// One of those is missing only where a number or a date is expected, such as `-`.
    gaps_may_be_texts: bool,
    /// The first cell, and its row from 1, that does not fit those before it.
    odd: Option<(usize, String)>,
    check: NumberCheck,
    /// `f64` does not hold all digits of a whole number.
    rounded: bool,
    labels: Option<Labels>,
}

/// With more different numbers than this, they are no classes: a classifier refuses more.
const MOST_LABELS: usize = 10_000;

/// Whether `cell`, a number, is a whole one that `f64` rounds.
#[inline]
fn is_rounded(cell: CsvCell<'_>, value: f64) -> bool {
    const EXACT: f64 = (1_u64 << 53) as f64;
    // Also if the cell is missing.
    if value.is_nan() || value.abs() < EXACT || cell.text().contains(['e', 'E']) {
        return false;
    }
    let text = cell.text();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u128>().is_ok_and(|exact| exact != value.abs() as u128)
}

/// The kind of the cells so far.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// All missing.
    Empty,
    Numbers,
    Dates,
    Texts,
    /// Numbers as texts, if they are few.
    Labels,
    /// Not stored.
    Skipped,
}

impl Builder {
    fn new(state: State) -> Self {
        let cells = match state {
            State::Dates => Cells::Dates(Vec::new()),
            State::Texts | State::Labels => Cells::Texts { codes: Vec::new(), levels: Default::default() },
            _ => Cells::Numbers(Vec::new()),
        };
        let levels = LevelsBuilder::default();
        let check = NumberCheck::default();
        Builder {
            state,
            cells,
            levels,
            gaps: 0,
            gaps_may_be_texts: false,
            odd: None,
            check,
            rounded: false,
            labels: None,
        }
    }

    #[inline]
    fn push(&mut self, cell: CsvCell<'_>, row: usize, options: &CsvOptions) {
        // Most cells of most tables are numbers.
        if self.state == State::Numbers
            && let Cells::Numbers(values) = &mut self.cells
            && let Some(number) = self.check.number(cell, &options.csv)
        {
            self.rounded |= is_rounded(cell, number);
            return values.push(number);
        }
        self.push_text(cell.text(), row, options);
    }

    fn push_text(&mut self, text: &str, row: usize, options: &CsvOptions) {
        let csv = &options.csv;
        if self.state == State::Empty {
            if csv.number(text).is_some_and(f64::is_nan) {
                self.gaps += 1;
                self.gaps_may_be_texts |= !csv.is_missing(text);
                return;
            }
            self.start(text, options);
        }
        let value = match self.state {
            State::Skipped | State::Empty => return,
            State::Texts if self.gaps_may_be_texts => None,
            State::Texts => {
                let Cells::Texts { codes, .. } = &mut self.cells else { return };
                codes.push(if csv.is_missing(text) { MISSING } else { self.levels.code(text) });
                return;
            }
            State::Labels => {
                let Cells::Texts { codes, .. } = &mut self.cells else { return };
                // As in the first pass, `-` is missing among numbers.
                let missing = csv.number(text).is_none_or(f64::is_nan);
                let code = if missing { MISSING } else { self.levels.code(text) };
                codes.push(code);
                if !missing && code as usize >= MOST_LABELS {
                    *self = Builder::new(State::Skipped);
                }
                return;
            }
            State::Numbers => {
                let number = self.check.number(text, csv);
                self.rounded |= number.is_some_and(|value| is_rounded(text.into(), value));
                number
            }
            State::Dates => options.date(text),
        };
        match (&mut self.cells, value) {
            (Cells::Numbers(values) | Cells::Dates(values), Some(value)) => values.push(value),
            _ => *self = Builder { odd: Some((row, text.to_string())), ..Builder::new(State::Skipped) },
        }
    }

    /// The first cell that is present decides how the column is stored.
    fn start(&mut self, text: &str, options: &CsvOptions) {
        let gaps = self.gaps;
        (self.state, self.cells) = if options.csv.number(text).is_some() {
            (State::Numbers, Cells::Numbers(vec![f64::NAN; gaps]))
        } else if options.date(text).is_some() {
            (State::Dates, Cells::Dates(vec![f64::NAN; gaps]))
        } else {
            (State::Texts, Cells::Texts { codes: vec![MISSING; gaps], levels: Default::default() })
        };
    }

    fn finish(
        mut self,
        (number, name): (usize, String),
        unnamed: bool,
        rows: usize,
        renamed: &str,
        csv: &Csv,
    ) -> Column {
        if self.state == State::Empty {
            self.cells = Cells::Numbers(vec![f64::NAN; rows]);
        }
        match &mut self.cells {
            Cells::Numbers(values) | Cells::Dates(values) => values.shrink_to_fit(),
            Cells::Texts { codes, levels } => {
                codes.shrink_to_fit();
                *levels = self.levels.finish();
            }
        }
        let (mut notes, mut formats) = (Vec::new(), Vec::new());
        let position = Position { number, name: name.clone() };
        match (&self.cells, self.odd) {
            (Cells::Texts { codes, levels }, odd) => {
                formats = csv.number_formats(levels.iter());
                let is_number: Vec<bool> = levels.iter().map(|text| csv.number(text).is_some()).collect();
                let numbers =
                    codes.iter().filter(|&&code| code != MISSING && is_number[code as usize]).count();
                let column = position.clone();
                notes.extend(odd.map(|(row, text)| Note::Text { column, text, row, numbers, rows }));
            }
            (Cells::Numbers(values), _) => {
                notes.extend(Note::missing_code(&position, values, self.check.range()));
                notes.extend(self.check.thousands().map(|(text, whole)| Note::Thousands {
                    column: position.clone(),
                    text: text.into(),
                    whole: whole.into(),
                }));
            }
            _ => {}
        }
        let column = Column::inferred(name, self.cells, renamed).with_labels(self.labels);
        let is_number = !unnamed && column.column_type() == ColumnType::Number;
        if is_number && column.as_numbers().is_some_and(counts_rows) {
            notes.push(Note::LooksLikeIndex { column: position, reason: IndexKind::Counts });
        }
        column.with_notes(unnamed, notes, formats)
    }
}
