//! The named columns of a file, and its rows in blocks.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::{self, Scope};

use geartrain_kernels::threads;

use super::super::note::Note;
use super::options::Csv;
use super::read::open;
use super::records::{CsvBlock, Records, Stored};
use crate::error::data::{Column, DataError, DataProblem, Part, Place};
use crate::error::suggestion::Suggestion;

/// The rows of a CSV file, read in blocks: [`Csv::rows`].
///
/// Memory holds a block of half a MiB, or the longest row, for each thread, whatever the size of
/// the file.
///
/// ```
/// use geartrain::data::{Csv, CsvBlock};
///
/// let csv = Csv::default();
/// let mut rows = csv.rows("name,age\n\"Ada\", 36\nMax,?\n".as_bytes(), "people")?;
/// assert_eq!(rows.names(), ["name", "age"]);
/// let mut ages = Vec::new();
/// rows.read_all(&mut [|block: CsvBlock<'_>| {
///     let numbers = block.column(1).map(|age| csv.number(age));
///     ages.extend(block.column(0).map(|name| name.text().to_string()).zip(numbers));
/// }])?;
/// assert_eq!(ages[0], ("Ada".to_string(), Some(36.0)));
/// assert!(ages[1].1.is_some_and(f64::is_nan), "a missing value");
/// # Ok::<(), geartrain::data::DataError>(())
/// ```
pub struct CsvRows<'a, R> {
    options: &'a Csv,
    records: Records<R>,
    path: String,
    /// The names in the file.
    header: Vec<String>,
    /// A name for each column that no other has.
    names: Vec<String>,
    positions: HashMap<String, usize>,
    /// The first record seems to be separated by another character than the one given.
    pub(super) delimiter: Option<Suggestion>,
    /// The current record is the first row, not the header.
    row_waits: bool,
    /// The most cells of a row; 0 before the first row.
    width: usize,
}

impl Csv {
    /// The rows of any source of bytes, as text; errors call it `name`. Which columns are targets
    /// or features has no effect.
    ///
    /// # Errors
    /// Faults of the source (see [`Csv`]) up to its first row; a source without a line.
    pub fn rows<R: Read>(&self, source: R, name: &str) -> Result<CsvRows<'_, R>, DataError> {
        CsvRows::open(self, source, name)
    }

    /// The rows of a file.
    ///
    /// # Errors
    /// [`DataProblem::File`] if the file cannot be opened or read, and as [`rows`](Csv::rows).
    pub fn open_rows(&self, path: impl AsRef<Path>) -> Result<CsvRows<'_, File>, DataError> {
        let (file, path) = open(path.as_ref())?;
        self.rows(file, &path)
    }
}

impl<'a, R: Read> CsvRows<'a, R> {
    /// The names of the columns, all different: `column 3` for the third if the header has none,
    /// `a.1` for the second `a`; `0`, `1`, … without a header.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names as the header has them.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Reads all rows: calls each of `readers` with every block of rows, in the order of the file.
    /// Returns the number of rows.
    ///
    /// Uses at most four of the [threads](crate::with_threads) of this call: while one of them
    /// reads a block of the file, others call `readers` with those before it. One reader for each
    /// column is fastest.
    ///
    /// # Errors
    /// Faults of the source (see [`Csv`]).
    pub fn read_all<W>(&mut self, readers: &mut [W]) -> Result<usize, DataError>
    where
        R: Send,
        W: FnMut(CsvBlock<'_>) + Send,
    {
        const MOST_THREADS: usize = 4;
        let readers = readers.iter_mut().map(Mutex::new).collect();
        let rows = Mutex::new(Some(self));
        let shared = Shared { rows, readers, count: AtomicUsize::new(0), error: OnceLock::new() };
        thread::scope(|scope| shared.read(scope, threads().min(MOST_THREADS) - 1));
        shared.error.into_inner().map_or(Ok(shared.count.into_inner()), Err)
    }

    /// Reads the next rows into `memory`; none at the end of the file.
    fn fill(&mut self, memory: &mut Stored) -> Result<(), DataError> {
        if !self.row_waits {
            std::mem::swap(&mut self.records.stored, memory);
            self.records.stored.clear();
        }
        while self.advance()? && !self.records.stored.is_full() {}
        std::mem::swap(&mut self.records.stored, memory);
        Ok(())
    }

    pub(super) fn open(options: &'a Csv, source: R, path: &str) -> Result<Self, DataError> {
        let (comment, skip) = (options.comment, options.skip_lines);
        let mut records = Records::new(source, path, options.delimiter, comment, skip)?;
        if !records.advance()? {
            return Err(DataError::at(Place::file(path), DataProblem::EmptyFile));
        }
        let mut header: Vec<String> = records.cells().map(str::to_owned).collect();
        let mut row_waits = !options.header;
        if row_waits {
            header = (0..header.len()).map(|column| column.to_string()).collect();
        } else {
            let is_number = |cell: &String| options.notation.parse(cell).is_some();
            let heading = records.heading();
            // A header behind a `#`, as NumPy writes it.
            let names_columns = heading.len() == header.len() && !heading.iter().any(is_number);
            if names_columns && header.iter().any(is_number) {
                header = heading;
                row_waits = true;
            }
        }
        let delimiter = other_delimiter(&records, row_waits);
        let path = path.to_owned();
        let names = unique(&header);
        let positions = names.iter().cloned().zip(0..).collect();
        Ok(CsvRows { options, records, path, header, names, positions, delimiter, row_waits, width: 0 })
    }

    /// Adds the next row; false at the end of the file.
    fn advance(&mut self) -> Result<bool, DataError> {
        if !std::mem::take(&mut self.row_waits) && !self.records.advance()? {
            return Ok(false);
        }
        let (expected, got) = (self.names.len(), self.records.len());
        if got == expected && self.width > 0 {
            return Ok(true);
        }
        let spare_is_empty = self.records.cells().skip(expected).all(str::is_empty);
        let is_first = self.width == 0;
        if is_first {
            // A delimiter too many at the end of every row.
            self.width = if spare_is_empty { got.max(expected) } else { expected };
        }
        if (expected..=self.width).contains(&got) && spare_is_empty {
            self.records.truncate(expected);
            return Ok(true);
        }
        let row_names = (is_first && got == expected + 1).then_some(Suggestion::RowNames);
        let error = DataError::at(self.records.place(), DataProblem::CellCount { expected, got });
        let comment = self.records.cells().next().and_then(comment_character).filter(|_| got < expected);
        let advice = comment.or_else(|| self.delimiter.clone()).or(row_names);
        Err(error.suggest(advice))
    }

    /// The error about columns that are not in the header, with advice if they are in a later line.
    pub(super) fn look_for_header(mut self, names: &[String], error: DataError) -> DataError {
        const MOST_LINES: usize = 100;
        if !self.options.header {
            return error;
        }
        for _ in 0..MOST_LINES {
            // A line with an open quote or the like ends the search.
            if !self.records.advance().is_ok_and(|more| more) {
                break;
            }
            if names.iter().all(|name| self.records.cells().any(|cell| cell == name)) {
                let lines = self.records.place().line.map_or(0, |line| line as usize - 1);
                let skip = Suggestion::SkipLines(self.options.skip_lines.max(lines));
                let first = self.header.first().and_then(|cell| comment_character(cell));
                return DataError { suggestion: Some(first.unwrap_or(skip)), ..error };
            }
        }
        error
    }

    /// Where the named columns are.
    pub(super) fn find<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, DataError> {
        names.iter().map(|name| self.find_one(name.as_ref(), names)).collect()
    }

    /// Where a column is, by its name or as `column 3`. A name that two columns have does for the
    /// first one only where the second one is asked for as well.
    fn find_one<S: AsRef<str>>(&self, name: &str, all: &[S]) -> Result<usize, DataError> {
        let numbered = || name.strip_prefix("column ")?.parse::<usize>().ok()?.checked_sub(1);
        let position = self.positions.get(name).copied();
        let position = position.or_else(|| numbered().filter(|&column| column < self.names.len()));
        let Some(first) = position else {
            let problem = DataProblem::UnknownColumn { name: name.to_owned(), columns: self.header.clone() };
            return Err(self.error(problem).suggest(self.delimiter.clone()));
        };
        let twin = |&column: &usize| {
            self.header[column] == name && !all.iter().any(|n| n.as_ref() == self.names[column])
        };
        match (first + 1..self.names.len()).find(twin) {
            Some(second) if self.header[first] == name => Err(self.error(DataProblem::DuplicateColumn {
                name: name.to_owned(),
                first: first + 1,
                second: second + 1,
                columns: self.header.clone(),
            })),
            _ => Ok(first),
        }
    }

    /// All columns of these names, also of one that several columns have.
    pub(super) fn find_all<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, DataError> {
        let mut columns = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            let before = columns.len();
            columns.extend(
                (0..self.header.len()).filter(|&column| self.header[column] == name && !name.is_empty()),
            );
            if columns.len() == before {
                columns.push(self.find_one(name, names)?);
            }
        }
        Ok(columns)
    }

    /// All columns but those, in the file's order.
    pub(super) fn others(&self, parts: &[&[usize]]) -> Vec<usize> {
        let taken: HashSet<usize> = parts.iter().copied().flatten().copied().collect();
        (0..self.names.len()).filter(|column| !taken.contains(column)).collect()
    }

    /// The names of columns.
    pub(super) fn pick(&self, columns: &[usize]) -> Vec<String> {
        columns.iter().map(|&column| self.names[column].clone()).collect()
    }

    /// No column has two roles.
    pub(super) fn check_once(&self, parts: &[&[usize]]) -> Result<(), DataError> {
        let mut taken = vec![false; self.names.len()];
        for &column in parts.iter().copied().flatten() {
            if taken[column] {
                return Err(self.error(DataProblem::ChosenTwice { name: self.names[column].clone() }));
            }
            taken[column] = true;
        }
        Ok(())
    }

    pub(super) fn no_columns(&self, part: Part) -> DataError {
        let problem = DataProblem::NoColumns { part, columns: self.header.clone() };
        self.error(problem).suggest(self.delimiter.clone())
    }

    /// An error about the whole file.
    pub(super) fn error(&self, problem: DataProblem) -> DataError {
        DataError::at(Place::file(&*self.path), problem)
    }

    /// An error about one cell, or about a column.
    pub(super) fn error_in(&self, column: usize, line: Option<u64>, problem: DataProblem) -> DataError {
        let place = Place { line, ..Place::file(&*self.path) };
        DataError::at(place.column(self.column(column)), problem)
    }

    pub(super) fn column(&self, column: usize) -> Column {
        Column { number: column + 1, name: self.names[column].clone() }
    }

    /// Whether the header has no name for a column.
    pub(super) fn is_unnamed(&self, column: usize) -> bool {
        self.header[column].is_empty()
    }

    /// A note for each of the columns whose name in the header another column has as well.
    pub(super) fn renamed(&self, columns: &[usize]) -> impl Iterator<Item = Note> {
        let columns = columns.iter().filter(|&&column| !self.is_unnamed(column));
        let renamed = columns.filter(|&&column| self.header[column] != self.names[column]);
        renamed
            .map(|&column| Note::Renamed { column: self.column(column), header: self.header[column].clone() })
    }

    pub(super) fn options(&self) -> &'a Csv {
        self.options
    }
}

/// What the threads of [`CsvRows::read_all`] share.
struct Shared<'r, 'a, R, W> {
    /// `None` after the end of the file or an error.
    rows: Mutex<Option<&'r mut CsvRows<'a, R>>>,
    readers: Vec<Mutex<&'r mut W>>,
    /// Rows read so far.
    count: AtomicUsize,
    error: OnceLock<DataError>,
}

impl<R: Read + Send, W: FnMut(CsvBlock<'_>) + Send> Shared<'_, '_, R, W> {
    /// Reads blocks until the end of the file. Starts `helpers` other threads if it is long.
    fn read<'s>(&'s self, scope: &'s Scope<'s, '_>, mut helpers: usize) {
        let mut stored = Stored::default();
        loop {
            let mut source = self.rows.lock().expect("no reader panicked");
            let Some(rows) = &mut *source else { return };
            let filled = rows.fill(&mut stored).map(|()| stored.block());
            let Ok(Some(block)) = filled else {
                *source = None;
                if let Err(error) = filled {
                    let _ = self.error.set(error);
                }
                return;
            };
            self.count.fetch_add(block.rows(), Ordering::Relaxed);
            if helpers > 0 && stored.is_full() {
                let others = std::mem::take(&mut helpers) - 1;
                // Without another thread, this one does the work.
                let _ = thread::Builder::new().spawn_scoped(scope, move || self.read(scope, others));
            }
            let (mut source, mut before) = (Some(source), None);
            for reader in &self.readers {
                // Held until the next one is taken, so that no block overtakes another.
                let mut reader = reader.lock().expect("no reader panicked");
                drop((source.take(), before.take()));
                reader(block);
                before = Some(reader);
            }
        }
    }
}

/// Names that differ: `column 3` for the third if it has none, `a.1` for the second `a`.
fn unique(header: &[String]) -> Vec<String> {
    let mut taken: HashSet<String> = header.iter().cloned().collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let names = header.iter().enumerate().map(|(column, name)| {
        let count = seen.entry(name).or_default();
        *count += 1;
        if *count == 1 && !name.is_empty() {
            return name.clone();
        }
        let mut unique = match name.as_str() {
            "" => format!("column {}", column + 1),
            name => format!("{name}.{}", *count - 1),
        };
        while !taken.insert(unique.clone()) {
            unique.push('\'');
        }
        unique
    });
    names.collect()
}

/// The sign with which a line of comment begins, if `cell` is the first of such a line.
fn comment_character(cell: &str) -> Option<Suggestion> {
    let first = cell.bytes().next().filter(|byte| b"#%!;/*".contains(byte))?;
    Some(Suggestion::Comment(first))
}

/// Another character that the first record contains at least as often as the delimiter.
fn other_delimiter<R: Read>(first: &Records<R>, is_row: bool) -> Option<Suggestion> {
    // A row of decimal commas, cut at each comma, has one comma more than cells.
    let spare = usize::from(is_row);
    let count = |byte: u8| first.cells().flat_map(str::bytes).filter(|&other| other == byte).count();
    let other = b";\t|,".iter().copied().filter(|&byte| byte != first.delimiter());
    let other = other
        .map(|byte| (byte, count(byte)))
        .find(|&(_, count)| count > 0 && count + spare >= first.len() - 1);
    let blank = (first.len() == 1 && count(b' ') > 0).then_some((b' ', 0));
    other.or(blank).map(|(byte, _)| Suggestion::Delimiter(byte))
}

impl<R> fmt::Debug for CsvRows<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvRows")
            .field("path", &self.path)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
