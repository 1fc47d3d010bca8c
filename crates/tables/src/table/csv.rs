//! Reads CSV files, row by row.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::column::{Cells, Column, ColumnType};
use super::infer::shorten;
use super::levels::{LevelsBuilder, MISSING};
use super::{Table, date};
use crate::Error;

/// How a CSV file is read: a header line, then one line per row. Fields in quotes may hold
/// delimiters and line breaks.
///
/// Rows are read one by one, and memory grows with the columns only: 8 bytes for a number or a
/// date; 4 bytes for a text, and each distinct text once. If a column begins with numbers or dates
/// and a later cell is another text, the file is read a second time, so that `007` stays `007`.
///
/// ```
/// use geartrain_tables::{ColumnType, CsvOptions};
/// let options = CsvOptions::new().missing(["", "?"]).column_type("zip", ColumnType::Category);
/// let table = options.parse(b"zip,age\n00501,31\n10001,?\n")?;
/// assert_eq!(table.column("zip")?.text(0).unwrap(), "00501");
/// assert_eq!(table.column("age")?.missing(), 1);
/// # Ok::<(), geartrain_tables::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CsvOptions {
    delimiter: Option<u8>,
    missing: Vec<String>,
    date_format: Option<String>,
    types: HashMap<String, ColumnType>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions::new()
    }
}

/// The largest number of bytes of the header line that are searched for the delimiter.
const HEADER_BYTES: usize = 1 << 16;

impl CsvOptions {
    /// The delimiter is the one of `,`, `;`, tab and `|` that occurs most often in the header line;
    /// missing markers are the empty field, `NA`, `N/A`, `NaN`, `nan`, `null`, `NULL` and `?`; all
    /// types are inferred.
    pub fn new() -> Self {
        let missing = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"].map(String::from).to_vec();
        CsvOptions { delimiter: None, missing, date_format: None, types: HashMap::new() }
    }

    /// The byte between fields.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// The texts that stand for a missing cell, instead of the default ones.
    pub fn missing<S: Into<String>>(mut self, markers: impl IntoIterator<Item = S>) -> Self {
        self.missing = markers.into_iter().map(Into::into).collect();
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
    /// another number of fields than the header; [`Error::DuplicateColumn`]; [`Error::WrongType`]
    /// for a cell that does not fit a chosen type.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Table, Error> {
        let path: PathBuf = path.as_ref().into();
        let name = path.display().to_string();
        self.read_from(&name, || {
            // A folder can be opened, but not read; the error would name neither.
            if path.is_dir() {
                return Err(std::io::Error::other("this is a folder"));
            }
            File::open(&path)
        })
    }

    /// Reads CSV text.
    ///
    /// # Errors
    /// As [`read`](CsvOptions::read).
    pub fn parse(&self, text: &[u8]) -> Result<Table, Error> {
        self.read_from("(bytes)", || Ok(text))
    }

    fn read_from<R: Read>(&self, path: &str, open: impl Fn() -> std::io::Result<R>) -> Result<Table, Error> {
        let error = |problem: String| Error::Csv { path: path.into(), problem };
        let first = self.pass(open(), &[]).map_err(error)?;
        let Pass { names, mut builders, rows } = first;
        for (name, builder) in names.iter().zip(&builders) {
            if let (Some((row, text)), Some(&expected)) = (&builder.odd, self.types.get(name))
                && matches!(expected, ColumnType::Number | ColumnType::Date)
            {
                let problem = format!("row {row} (from 1) holds `{}`", shorten(text));
                return Err(Error::WrongType { name: name.clone(), expected, problem });
            }
        }
        let again: Vec<bool> = builders.iter().map(|builder| builder.odd.is_some()).collect();
        if again.contains(&true) {
            let second = self.pass(open(), &again).map_err(error)?;
            if second.rows != rows || second.names != names {
                return Err(error("the file changed while it was read".into()));
            }
            for (builder, second) in builders.iter_mut().zip(second.builders) {
                if builder.odd.is_some() {
                    (builder.cells, builder.levels) = (second.cells, second.levels);
                }
            }
        }
        let columns = names.into_iter().zip(builders).map(|(name, builder)| {
            let chosen = self.types.get(&name);
            let column = builder.finish(name, rows);
            match chosen {
                Some(&chosen) => column.with_type(chosen),
                None => Ok(column),
            }
        });
        Table::new(columns.collect::<Result<Vec<_>, _>>()?)
    }

    /// Reads all rows once. In a second pass, only the columns `again` are stored, as text.
    fn pass<R: Read>(&self, source: std::io::Result<R>, again: &[bool]) -> Result<Pass, String> {
        let io = |error: std::io::Error| error.to_string();
        let mut source = BufReader::with_capacity(HEADER_BYTES, source.map_err(io)?);
        let delimiter = match self.delimiter {
            Some(delimiter) => delimiter,
            None => find_delimiter(source.fill_buf().map_err(io)?),
        };
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(source);
        self.rows(&mut reader, again)
    }

    fn rows<R: Read>(&self, reader: &mut csv::Reader<R>, again: &[bool]) -> Result<Pass, String> {
        let headers = reader.headers().map_err(problem)?;
        let name = |(i, name): (usize, &str)| match name.trim_ascii() {
            "" => format!("column {}", i + 1),
            name => name.to_string(),
        };
        let names: Vec<String> = headers.iter().enumerate().map(name).collect();
        let mut builders: Vec<Builder> = names
            .iter()
            .enumerate()
            .map(|(i, name)| match again.get(i) {
                Some(&true) => Builder::new(State::Texts),
                Some(&false) => Builder::new(State::Skipped),
                None => Builder::new(match self.types.get(name) {
                    Some(ColumnType::Number) => State::Numbers,
                    Some(ColumnType::Date) => State::Dates,
                    Some(ColumnType::Category | ColumnType::YesNo) => State::Texts,
                    _ => State::Empty,
                }),
            })
            .collect();
        // Most cells differ from all markers in their first byte.
        let mut firsts = [false; 256];
        self.missing
            .iter()
            .filter_map(|marker| marker.bytes().next())
            .for_each(|byte| firsts[byte as usize] = true);
        let no_text = self.missing.iter().any(String::is_empty);
        let is_missing = |text: &str| match text.bytes().next() {
            Some(byte) => firsts[byte as usize] && self.missing.iter().any(|marker| marker == text),
            None => no_text,
        };
        let mut record = StringRecord::new();
        let mut rows = 0;
        while reader.read_record(&mut record).map_err(problem)? {
            rows += 1;
            if rows >= MISSING as usize {
                return Err("a table must have fewer than 2³² − 1 rows".into());
            }
            for (builder, text) in builders.iter_mut().zip(&record) {
                let text = Some(text.trim_ascii()).filter(|text| !is_missing(text));
                builder.push(text, rows, self.date_format.as_deref());
            }
        }
        Ok(Pass { names, builders, rows })
    }
}

/// What one pass over the file found.
struct Pass {
    names: Vec<String>,
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
    /// The first cell, and its row from 1, that does not fit those before it.
    odd: Option<(usize, String)>,
}

/// What the cells so far are.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// All missing.
    Empty,
    Numbers,
    Dates,
    Texts,
    /// Not stored.
    Skipped,
}

impl Builder {
    fn new(state: State) -> Self {
        let cells = match state {
            State::Dates => Cells::Dates(Vec::new()),
            State::Texts => Cells::Texts { codes: Vec::new(), levels: Default::default() },
            _ => Cells::Numbers(Vec::new()),
        };
        Builder { state, cells, levels: LevelsBuilder::default(), gaps: 0, odd: None }
    }

    fn push(&mut self, text: Option<&str>, row: usize, date_format: Option<&str>) {
        if self.state == State::Empty {
            match text {
                None => return self.gaps += 1,
                Some(text) => self.start(text, date_format),
            }
        }
        let value = match (self.state, text) {
            (State::Skipped | State::Empty, _) => return,
            (State::Texts, _) => None,
            (_, None) => Some(f64::NAN),
            (State::Numbers, Some(text)) => number(text),
            (State::Dates, Some(text)) => date::parse(text, date_format),
        };
        match (&mut self.cells, value) {
            (Cells::Numbers(values) | Cells::Dates(values), Some(value)) => values.push(value),
            (Cells::Texts { codes, .. }, _) => {
                codes.push(text.map_or(MISSING, |text| self.levels.code(text)));
            }
            (_, None) => {
                self.odd = Some((row, text.unwrap_or_default().to_string()));
                *self = Builder { odd: self.odd.take(), ..Builder::new(State::Skipped) };
            }
        }
    }

    /// The first cell that is present decides how the column is stored.
    fn start(&mut self, text: &str, date_format: Option<&str>) {
        let gaps = self.gaps;
        (self.state, self.cells) = if number(text).is_some() {
            (State::Numbers, Cells::Numbers(vec![f64::NAN; gaps]))
        } else if date::parse(text, date_format).is_some() {
            (State::Dates, Cells::Dates(vec![f64::NAN; gaps]))
        } else {
            (State::Texts, Cells::Texts { codes: vec![MISSING; gaps], levels: Default::default() })
        };
    }

    fn finish(mut self, name: String, rows: usize) -> Column {
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
        let note = match &self.odd {
            Some((row, text)) => format!("; text because row {row} holds `{}`", shorten(text)),
            None => String::new(),
        };
        Column::inferred(name, self.cells, &note)
    }
}

/// A finite number.
fn number(text: &str) -> Option<f64> {
    // Names of numbers, such as `inf`, are texts.
    let start = text.as_bytes().first()?;
    if !(start.is_ascii_digit() || matches!(start, b'+' | b'-' | b'.')) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn find_delimiter(start: &[u8]) -> u8 {
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    // `max_by_key` returns the last of equals: the comma.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

/// An error of the CSV reader in a few words.
fn problem(error: csv::Error) -> String {
    let line = |position: &Option<csv::Position>| match position {
        Some(position) => format!("line {}: ", position.line()),
        None => String::new(),
    };
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            format!("{}expected {expected_len} fields, as in the header, got {len}", line(pos))
        }
        csv::ErrorKind::Utf8 { pos, .. } => format!("{}not UTF-8 text", line(pos)),
        _ => error.to_string(),
    }
}
