//! The lines and cells of a CSV file, in bounded memory.
//!
//! Lines without quotes are split at the delimiters. Others go through the parser of the `csv`
//! crate, fed line by line. The crate's own reader takes a record of any length into memory,
//! accepts a quote that is still open at the end of the file, counts no line that ends with a
//! carriage return alone, and takes a quote behind a blank as text.

use std::io::{BufRead, BufReader, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use memchr::{memchr, memchr2};

use super::decimal::decimal;
use crate::error::data::{DataError, DataProblem, Place};

/// The longest record that is read from a CSV file: 16 MiB. A longer one is an error, so that a
/// quote that is never closed does not load the whole file into memory.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// Where in a cell a byte stands.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Start,
    Plain,
    Quoted,
    /// Behind a quote that closes the cell, or is the first of a doubled one.
    Closed,
}

/// Bytes of a block of rows, which the last row may exceed: enough that the time to start a thread
/// does not matter, and little enough for a cache.
const BLOCK_BYTES: usize = 512 << 10;
const BUFFER_BYTES: usize = 64 << 10;

/// Start and end of a cell in the text of a block, which is shorter than 2³² bytes.
#[derive(Clone, Copy, Debug)]
struct Span(u32, u32);

impl Span {
    fn new(start: usize, end: usize) -> Self {
        Span(start as u32, end as u32)
    }
}

/// A cell of a [`CsvBlock`].
#[derive(Clone, Copy, Debug)]
pub struct CsvCell<'a> {
    block: &'a str,
    span: Span,
}

impl<'a> CsvCell<'a> {
    /// The text without quotes and without the blanks around it.
    #[inline]
    pub fn text(self) -> &'a str {
        let cell = &self.block[self.span.0 as usize..self.span.1 as usize];
        // Most cells start and end with visible ASCII characters.
        match cell.as_bytes() {
            [b'!'..=b'~'] | [b'!'..=b'~', .., b'!'..=b'~'] => cell,
            _ => cell.trim(),
        }
    }

    /// The number of most cells that hold one, and whether it is whole.
    #[inline]
    pub(super) fn decimal(self) -> Option<(f64, bool)> {
        decimal(self.block.as_bytes(), self.span.0 as usize, self.span.1 as usize)
    }
}

impl<'a> From<&'a str> for CsvCell<'a> {
    fn from(text: &'a str) -> Self {
        CsvCell { block: text, span: Span::new(0, text.len()) }
    }
}

/// Successive rows of a CSV file: the text of their cells.
#[derive(Clone, Copy, Debug)]
pub struct CsvBlock<'a> {
    text: &'a str,
    /// Row after row.
    cells: &'a [Span],
    /// Where each row starts.
    pub(super) lines: &'a [u64],
}

impl<'a> CsvBlock<'a> {
    /// The number of rows, at least 1.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The line of the file on which each row starts, from 1.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.lines.iter().copied()
    }

    /// The cells of a column, row by row.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn column(&self, column: usize) -> impl ExactSizeIterator<Item = CsvCell<'a>> + use<'a> {
        let (text, columns) = (self.text, self.cells.len() / self.rows());
        self.cells.chunks_exact(columns).map(move |row| CsvCell { block: text, span: row[column] })
    }
}

/// The memory of a block of rows.
#[derive(Default)]
pub(super) struct Stored {
    /// The text of the cells.
    text: Vec<u8>,
    cells: Vec<Span>,
    /// Where each record starts.
    starts: Vec<u64>,
}

impl Stored {
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= BLOCK_BYTES
    }

    /// The block, unless it is empty. Its rows must have equally many cells.
    pub(super) fn block(&self) -> Option<CsvBlock<'_>> {
        let Stored { cells, starts, .. } = self;
        (!starts.is_empty()).then(|| CsvBlock { text: self.text(), cells, lines: starts })
    }

    fn text(&self) -> &str {
        // Whole lines were checked, and no character spans two cells: quotes and delimiters are
        // ASCII.
        str::from_utf8(&self.text).expect("cells are UTF-8")
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.cells.clear();
        self.starts.clear();
    }
}

/// Reads one record after the other.
///
/// Feeding the parser line by line gives each record its line number, shows that a quote is still
/// open at the end of the file, and bounds the length of a record.
pub(super) struct Records<R> {
    source: BufReader<R>,
    parser: Reader,
    /// `b' '` stands for runs of blanks.
    delimiter: u8,
    /// The first record decides on the delimiter.
    detects: bool,
    comment: Option<u8>,
    path: String,
    lines: u64,
    records: u64,
    line: Vec<u8>,
    /// Space to tidy a line in.
    tidy: Vec<u8>,
    /// The last comment before the first record.
    heading: String,
    /// Where the current record starts.
    first_line: u64,
    /// The records so far, up to the current one.
    pub stored: Stored,
    /// The first cell of the current record.
    current: usize,
    /// Space for the parser: the end of each cell.
    ends: Vec<usize>,
}

impl<R: Read> Records<R> {
    /// Skips the first `skip` lines. Lines that start with `comment` are no records, nor are lines
    /// before the first record that start with `#`. A first line such as `sep=;`, as spreadsheets
    /// write it, sets the delimiter; so does the first record without a given `delimiter`.
    pub(super) fn new(
        source: R,
        path: &str,
        delimiter: Option<u8>,
        comment: Option<u8>,
        skip: usize,
    ) -> Result<Self, DataError> {
        let detects = delimiter.is_none();
        let delimiter = delimiter.unwrap_or(b',');
        if !delimiter.is_ascii() || delimiter.is_ascii_alphanumeric() || b"\"\r\n\0+-.".contains(&delimiter) {
            return Err(DataProblem::Delimiter { delimiter }.into());
        }
        let mut records = Records {
            source: BufReader::with_capacity(BUFFER_BYTES, source),
            parser: parser(delimiter),
            delimiter,
            detects,
            comment,
            path: path.to_owned(),
            lines: 0,
            records: 0,
            line: Vec::new(),
            tidy: Vec::new(),
            heading: String::new(),
            first_line: 0,
            stored: Stored::default(),
            current: 0,
            ends: vec![0; 64],
        };
        for _ in 0..skip {
            records.read_line(MAX_RECORD_BYTES, false)?;
        }
        Ok(records)
    }

    /// Where the current record starts.
    pub(super) fn place(&self) -> Place {
        Place { line: Some(self.first_line), ..Place::file(&*self.path) }
    }

    /// The character between cells, given or found.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Number of cells of the current record.
    pub(super) fn len(&self) -> usize {
        self.stored.cells.len() - self.current
    }

    /// All cells of the current record.
    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        let block = self.stored.text();
        self.stored.cells[self.current..].iter().map(move |&span| CsvCell { block, span }.text())
    }

    /// Drops the cells of the current record from this one on.
    pub(super) fn truncate(&mut self, cells: usize) {
        self.stored.cells.truncate(self.current + cells);
    }

    /// The cells of the last comment before the first record.
    pub(super) fn heading(&self) -> Vec<String> {
        let text = self.heading.trim_start_matches('#').trim();
        let cells: Vec<&str> = match self.delimiter {
            b' ' => text.split_whitespace().collect(),
            delimiter => text.split(char::from(delimiter)).collect(),
        };
        cells.into_iter().map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    }

    /// Reads the next record; false at the end of the file. Blank lines are skipped.
    pub(super) fn advance(&mut self) -> Result<bool, DataError> {
        self.current = self.stored.cells.len();
        let (start, mut cells, mut bytes) = (self.stored.text.len(), 0, 0);
        loop {
            let inside = bytes > 0;
            let read = self.read_line(MAX_RECORD_BYTES - bytes, inside)?;
            if read == 0 {
                return if inside {
                    Err(DataError::at(self.place(), DataProblem::OpenQuote))
                } else {
                    Ok(false)
                };
            }
            if !inside && self.is_skipped() {
                continue;
            }
            bytes += read;
            let quotes = inside || memchr(b'"', &self.line).is_some();
            if quotes || self.delimiter == b' ' {
                self.tidy(inside);
            }
            if !quotes {
                self.split();
            } else if !self.parse(start, &mut cells) {
                continue;
            }
            self.records += 1;
            self.stored.starts.push(self.first_line);
            return Ok(true);
        }
    }

    /// Adds the cells of a line without quotes.
    fn split(&mut self) {
        let (line, Stored { text, cells, .. }) = (&self.line[..self.line.len() - 1], &mut self.stored);
        let mut start = text.len();
        let words = line.chunks_exact(8);
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        let words = words.filter_map(|word| word.first_chunk().copied()).chain([last]);
        for (word, base) in words.zip((text.len()..).step_by(8)) {
            let mut places = places(self.delimiter, word);
            while places != 0 {
                let delimiter = base + places.trailing_zeros() as usize / 8;
                cells.push(Span::new(start, delimiter));
                start = delimiter + 1;
                places &= places - 1;
            }
        }
        text.extend(line);
        cells.push(Span::new(start, text.len()));
        if memchr2(b' ', b'\t', line).is_some() {
            for Span(start, end) in &mut cells[self.current..] {
                let cell = text[*start as usize..*end as usize].trim_ascii_end();
                *end = *start + cell.len() as u32;
                *start = *end - cell.trim_ascii_start().len() as u32;
            }
        }
    }

    /// Adds the text of a line to the record that starts at `start` and has `cells` complete cells
    /// so far; at the end of the record, adds its cells and returns true.
    fn parse(&mut self, mut start: usize, cells: &mut usize) -> bool {
        let mut input = self.line.as_slice();
        while !input.is_empty() {
            let length = self.stored.text.len();
            self.stored.text.resize(length + input.len(), 0);
            let (output, ends) = (&mut self.stored.text[length..], &mut self.ends[*cells..]);
            let (result, taken, written, ended) = self.parser.read_record(input, output, ends);
            input = &input[taken..];
            self.stored.text.truncate(length + written);
            *cells += ended;
            match result {
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => {
                    let base = start;
                    for end in self.ends[..*cells].iter().map(|end| base + end) {
                        self.stored.cells.push(Span::new(start, end));
                        start = end;
                    }
                    return true;
                }
                // There is no more output than input.
                ReadRecordResult::OutputFull | ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
            }
        }
        false
    }

    /// Whether the line is blank, a comment, or names the delimiter, in which case it takes effect.
    fn is_skipped(&mut self) -> bool {
        let line = &self.line[..self.line.len() - 1];
        if line.iter().all(|byte| byte.is_ascii_whitespace() && (*byte != self.delimiter || *byte == b' ')) {
            return true;
        }
        if self.records == 0 && line[0] == b'#' {
            self.heading = String::from_utf8_lossy(line).into_owned();
            return true;
        }
        let unquoted = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\""));
        if self.comment == Some(line[0]) {
            return true;
        }
        match unquoted.unwrap_or(line) {
            [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter]
                if self.records == 0 && b",;\t|: ".contains(delimiter) =>
            {
                (self.delimiter, self.detects) = (*delimiter, false);
                self.parser = parser(*delimiter);
                true
            }
            _ => {
                if self.records == 0 && std::mem::take(&mut self.detects) {
                    self.delimiter = most_frequent(line);
                    self.parser = parser(self.delimiter);
                }
                false
            }
        }
    }

    /// Removes blanks between a delimiter and a quote, and blanks in excess where they are the
    /// delimiter. `inside` a quoted cell the line continues it.
    fn tidy(&mut self, inside: bool) {
        let blanks = self.delimiter == b' ';
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t') && (blanks || *byte != self.delimiter);
        let mut state = if inside { Cell::Quoted } else { Cell::Start };
        self.tidy.clear();
        let mut rest = self.line.as_slice();
        while let Some(&byte) = rest.first() {
            let run = rest.iter().take_while(|byte| is_blank(byte)).count();
            let next = rest.get(run).copied();
            if state != Cell::Quoted && run > 0 && (blanks || (state == Cell::Start && next == Some(b'"'))) {
                if blanks && !self.tidy.is_empty() && next != Some(b'\n') {
                    self.tidy.push(b' ');
                    state = Cell::Start;
                }
                rest = &rest[run..];
                continue;
            }
            state = match (state, byte) {
                (Cell::Quoted, b'"') => Cell::Closed,
                (Cell::Quoted, _) | (Cell::Start | Cell::Closed, b'"') => Cell::Quoted,
                (_, byte) if byte == self.delimiter => Cell::Start,
                _ => Cell::Plain,
            };
            self.tidy.push(byte);
            rest = &rest[1..];
        }
        std::mem::swap(&mut self.line, &mut self.tidy);
    }

    /// Reads a line of at most `limit` bytes, up to a line feed, a carriage return, or both, and
    /// ends it with a line feed. Returns the bytes read, 0 at the end of the file.
    fn read_line(&mut self, limit: usize, inside: bool) -> Result<usize, DataError> {
        self.line.clear();
        let read = self
            .take_line(limit)
            .map_err(|error| DataError::at(Place::file(&*self.path), DataProblem::File(error)))?;
        if read == 0 {
            return Ok(0);
        }
        self.lines += 1;
        if !inside {
            self.first_line = self.lines;
        }
        if read > limit {
            let problem = DataProblem::RecordTooLong { limit: MAX_RECORD_BYTES };
            return Err(DataError::at(self.place(), problem));
        }
        self.check_text()?;
        if self.lines == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
            self.line.drain(.."\u{feff}".len());
        }
        self.line.push(b'\n');
        Ok(read)
    }

    /// Appends a line without its end; stops early above `limit` bytes.
    fn take_line(&mut self, limit: usize) -> std::io::Result<usize> {
        let mut read = 0;
        while read <= limit {
            let buffer = match self.source.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            let Some(end) = memchr2(b'\n', b'\r', buffer) else {
                let len = buffer.len().min(limit + 1 - read);
                self.line.extend(&buffer[..len]);
                self.source.consume(len);
                read += len;
                continue;
            };
            let carriage_return = buffer[end] == b'\r';
            self.line.extend(&buffer[..end]);
            self.source.consume(end + 1);
            read += end + 1;
            if carriage_return && self.source.fill_buf().is_ok_and(|buffer| buffer.first() == Some(&b'\n')) {
                self.source.consume(1);
                read += 1;
            }
            break;
        }
        Ok(read)
    }

    fn check_text(&self) -> Result<(), DataError> {
        let nul = memchr(0, &self.line);
        let invalid = str::from_utf8(&self.line).err().map(|error| error.valid_up_to());
        match [nul, invalid].into_iter().flatten().min() {
            None => Ok(()),
            Some(position) => {
                let place = Place { line: Some(self.lines), ..Place::file(&*self.path) };
                let problem = DataProblem::NotText { position: position + 1, byte: self.line[position] };
                Err(DataError::at(place, problem))
            }
        }
    }
}

/// The highest bit of each byte of `word` that equals `byte`, the first one lowest.
///
/// Cells are short: a search that starts anew behind each delimiter takes longer.
fn places(byte: u8, word: [u8; 8]) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);
    let others = u64::from_le_bytes(word) ^ u64::from_ne_bytes([byte; 8]);
    !(((others & LOW) + LOW) | others | LOW)
}

/// The one of `,`, `;`, tab and `|` that a line contains most often; a comma if it has none.
fn most_frequent(line: &[u8]) -> u8 {
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    // `max_by_key` returns the last of equals: the comma.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

fn parser(delimiter: u8) -> Reader {
    ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::Any(b'\n')).build()
}
