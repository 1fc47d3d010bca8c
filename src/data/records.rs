//! The lines and cells of a CSV file, in bounded memory.

use std::io::{BufRead, BufReader, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::error::{DataError, Place};

/// The longest record that is read from a CSV file: 16 MiB. A longer one is an error, so that a quote that is never
/// closed does not pull the whole file into memory.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// Reads one record after the other.
///
/// The file is fed to the parser line by line: that is how each record knows its line, how a quote still open at the
/// end of the file is noticed, and how the length of a record is bounded.
pub(super) struct Records<R> {
    source: BufReader<R>,
    parser: Reader,
    delimiter: u8,
    path: String,
    lines: u64,
    records: u64,
    line: Vec<u8>,
    /// Where the current record starts.
    first_line: u64,
    /// The cells of the current record, one after the other, and the end of each.
    text: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: R, path: &str, delimiter: u8) -> Result<Self, DataError> {
        if !delimiter.is_ascii() || delimiter.is_ascii_alphanumeric() || b"\"\r\n\0+-. ".contains(&delimiter)
        {
            return Err(DataError::Delimiter { delimiter });
        }
        Ok(Records {
            source: BufReader::new(source),
            parser: ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::Any(b'\n')).build(),
            delimiter,
            path: path.to_owned(),
            lines: 0,
            records: 0,
            line: Vec::new(),
            first_line: 0,
            text: vec![0; 1024],
            ends: vec![0; 64],
            cells: 0,
        })
    }

    /// Where the current record starts.
    pub(super) fn place(&self) -> Place {
        Place { path: self.path.clone(), line: self.first_line }
    }

    /// Whether this is the file's first record.
    pub(super) fn is_first(&self) -> bool {
        self.records == 1
    }

    /// Number of cells of the current record.
    pub(super) fn len(&self) -> usize {
        self.cells
    }

    /// A cell of the current record, without the spaces around it.
    pub(super) fn cell(&self, column: usize) -> &str {
        let start = if column == 0 { 0 } else { self.ends[column - 1] };
        let text = &self.text[start..self.ends[column]];
        // Whole lines were checked, and no character spans two cells: quotes and delimiters are ASCII.
        str::from_utf8(text).expect("cells are UTF-8").trim()
    }

    /// All cells of the current record.
    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.cells).map(|column| self.cell(column))
    }

    /// Goes to the next record; false at the end of the file. Blank lines are skipped.
    pub(super) fn advance(&mut self) -> Result<bool, DataError> {
        let (mut length, mut bytes) = (0, 0);
        self.cells = 0;
        loop {
            let inside = bytes > 0;
            let read = self.read_line(MAX_RECORD_BYTES - bytes, inside)?;
            if read == 0 {
                return if inside { Err(DataError::OpenQuote { place: self.place() }) } else { Ok(false) };
            }
            if !inside && self.line.iter().all(|byte| byte.is_ascii_whitespace() && *byte != self.delimiter) {
                continue;
            }
            bytes += read;
            let mut input = self.line.as_slice();
            while !input.is_empty() {
                let (output, ends) = (&mut self.text[length..], &mut self.ends[self.cells..]);
                let (result, taken, written, ended) = self.parser.read_record(input, output, ends);
                input = &input[taken..];
                length += written;
                self.cells += ended;
                match result {
                    ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                    ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                    ReadRecordResult::Record => {
                        self.records += 1;
                        return Ok(true);
                    }
                    ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
                }
            }
        }
    }

    /// Reads a line of at most `limit` bytes, ending it with a bare line feed whatever it ended with. Returns the
    /// bytes read, 0 at the end of the file.
    fn read_line(&mut self, limit: usize, inside: bool) -> Result<usize, DataError> {
        self.line.clear();
        let mut source = (&mut self.source).take(limit as u64 + 1);
        let read = source.read_until(b'\n', &mut self.line);
        let read = read.map_err(|source| DataError::File { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(0);
        }
        self.lines += 1;
        if !inside {
            self.first_line = self.lines;
        }
        if read > limit {
            return Err(DataError::RecordTooLong { place: self.place(), limit: MAX_RECORD_BYTES });
        }
        self.check_text()?;
        if self.lines == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
            self.line.drain(.."\u{feff}".len());
        }
        while let Some(b'\n' | b'\r') = self.line.last() {
            self.line.pop();
        }
        self.line.push(b'\n');
        Ok(read)
    }

    fn check_text(&self) -> Result<(), DataError> {
        let nul = self.line.iter().position(|&byte| byte == 0);
        let invalid = str::from_utf8(&self.line).err().map(|error| error.valid_up_to());
        match [nul, invalid].into_iter().flatten().min() {
            None => Ok(()),
            Some(position) => Err(DataError::NotText {
                place: Place { path: self.path.clone(), line: self.lines },
                position: position + 1,
                byte: self.line[position],
            }),
        }
    }
}
