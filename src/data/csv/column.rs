//! One column of numbers while a file is read: its values, and the kinds of its cells.

use std::sync::Mutex;

use geartrain_kernels::in_parallel;
use ndarray::Array2;

use super::super::note::IndexKind;
use super::Csv;
use super::number::{Notation, boolean};
use super::records::{CsvBlock, CsvCell};
use crate::Scalar;
use crate::error::data::DataProblem;
use crate::error::suggestion::NumberFormat;

/// Fewer rows do not show whether a column identifies the rows.
const FEW_ROWS: usize = 10;

/// The cells of one column, read so far.
#[derive(Default)]
pub(super) struct Values {
    /// NaN where the cell is missing or no number.
    pub values: Vec<f64>,
    pub numbers: usize,
    pub missing: Option<Bad>,
    pub infinite: Option<Bad>,
    /// Words for true and false.
    words: Option<Bad>,
    text: Option<Bad>,
    /// The first text that differs from `text`.
    second_text: Option<String>,
    texts: usize,
    pub check: NumberCheck,
}

/// The range of the numbers of a column, and whether their points may separate thousands.
///
/// ```
/// use geartrain::data::{Csv, NumberCheck};
///
/// let (mut check, csv) = (NumberCheck::default(), Csv::default());
/// assert_eq!(check.number("936", &csv), Some(936.0));
/// assert_eq!(check.number("1.047", &csv), Some(1.047));
/// assert_eq!(check.range(), Some((1.047, 936.0)));
/// assert_eq!(check.thousands(), Some(("1.047", "936")));
/// check.number("0.5", &csv);
/// assert_eq!(check.thousands(), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct NumberCheck {
    range: Option<(f64, f64)>,
    /// The first number with a point, if all of those look like groups of thousands.
    grouped: Option<String>,
    ungrouped: bool,
    /// The first whole number of three digits.
    whole: Option<String>,
}

impl NumberCheck {
    /// The number in a cell, as [`Csv::number`]; a finite one counts.
    #[inline]
    pub fn number<'a>(&mut self, cell: impl Into<CsvCell<'a>>, csv: &Csv) -> Option<f64> {
        let cell = cell.into();
        let (number, whole) = csv.notation.number(cell)?;
        if !number.is_nan() {
            self.push(cell, number, whole, &csv.notation);
        }
        Some(number)
    }

    /// The smallest and the largest number.
    pub fn range(&self) -> Option<(f64, f64)> {
        self.range
    }

    /// Adds a cell that holds a number.
    #[inline]
    fn push(&mut self, cell: CsvCell<'_>, number: f64, whole: bool, notation: &Notation) {
        let (lowest, highest) = self.range.get_or_insert((number, number));
        *lowest = if number < *lowest { number } else { *lowest };
        *highest = if number > *highest { number } else { *highest };
        // Decided early in most columns.
        if self.ungrouped || (whole && self.whole.is_some()) {
            return;
        }
        let text = cell.text();
        if whole {
            self.whole = (text.trim_start_matches('-').len() == 3).then(|| text.to_owned());
        } else if notation.is_grouped(text) {
            self.grouped = self.grouped.take().or_else(|| Some(text.to_owned()));
        } else {
            self.ungrouped = true;
        }
    }

    /// A number whose point may separate thousands, and a whole number that suggests it.
    pub fn thousands(&self) -> Option<(&str, &str)> {
        let grouped = self.grouped.as_deref().filter(|_| !self.ungrouped)?;
        Some((grouped, self.whole.as_deref()?))
    }
}

/// The first cell of a kind: its row and text.
#[derive(Clone, Debug)]
pub(super) struct Bad {
    pub row: usize,
    pub line: u64,
    pub text: String,
}

/// The use of a column.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    Feature,
    Target,
}

/// Reads one column of each block of rows.
pub(super) type Reader<'a> = Box<dyn FnMut(CsvBlock<'_>) + Send + 'a>;

impl Values {
    /// Adds the cells of a column.
    pub(super) fn reader<'a, F: Scalar>(
        &'a mut self,
        column: usize,
        notation: &'a Notation,
        role: Role,
    ) -> Reader<'a> {
        Box::new(move |block| {
            for (row, cell) in block.column(column).enumerate() {
                self.push::<F>(cell, notation, role, || block.lines[row]);
            }
        })
    }

    /// Adds a cell. Numbers that are not finite in `F` are too large.
    #[inline]
    fn push<F: Scalar>(
        &mut self,
        cell: CsvCell<'_>,
        notation: &Notation,
        role: Role,
        line: impl FnOnce() -> u64,
    ) {
        let number = notation.read(cell);
        let is_missing = || notation.missing.is_some() && notation.is_missing(cell.text(), true);
        match number.filter(|&(number, _)| F::of(number).is_finite() && !is_missing()) {
            Some((number, whole)) => {
                self.numbers += 1;
                self.check.push(cell, number, whole, notation);
                self.values.push(number);
            }
            None => self.push_other(cell.text(), number.is_some(), notation, role, line()),
        }
    }

    /// Adds a cell that is missing, no number, or one that is too large.
    fn push_other(&mut self, text: &str, number: bool, notation: &Notation, role: Role, line: u64) {
        let bad = || Some(Bad { row: self.values.len(), line, text: text.to_owned() });
        let mut value = f64::NAN;
        if notation.is_missing(text, true) {
            self.missing = self.missing.take().or_else(bad);
        } else if let Some(word) = boolean(text).filter(|_| role == Role::Feature) {
            value = word;
            self.words = self.words.take().or_else(bad);
        } else if number {
            self.infinite = self.infinite.take().or_else(bad);
        } else {
            if self.second_text.is_none() && self.text.as_ref().is_some_and(|first| first.text != text) {
                self.second_text = Some(text.to_owned());
            }
            self.texts += 1;
            self.text = self.text.take().or_else(bad);
        }
        self.values.push(value);
    }

    /// The notations in which the first texts of the column are numbers.
    pub(super) fn formats(&self, notation: &Notation) -> Vec<NumberFormat> {
        let first = self.text.as_ref().map(|text| text.text.as_str());
        notation.common_formats(first.into_iter().chain(self.second_text.as_deref()))
    }

    /// The first cell that is neither missing nor a number of this column.
    pub(super) fn not_a_number(&self) -> Option<&Bad> {
        let words = self.words.as_ref().filter(|_| self.numbers > 0);
        match (&self.text, words) {
            (Some(text), Some(words)) => Some(if text.row < words.row { text } else { words }),
            (text, words) => text.as_ref().or(words),
        }
    }

    /// Whether every cell is missing.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers == 0 && self.words.is_none() && self.text.is_none() && self.infinite.is_none()
    }

    /// Whether the column holds text, not numbers with a few bad cells.
    pub(super) fn is_text(&self) -> bool {
        self.texts > self.numbers
    }

    /// Whether the column holds only words for true and false.
    pub(super) fn is_boolean(&self) -> bool {
        self.words.is_some() && self.not_a_number().is_none()
    }

    /// The problem of a cell that is missing or not a number.
    pub(super) fn problem(&self, bad: &Bad, missing: bool) -> DataProblem {
        let (text, numbers, cells) = (bad.text.clone(), self.numbers, self.values.len());
        match missing {
            true => DataProblem::MissingCell { text, numbers, cells },
            false => DataProblem::NotANumber { text, numbers, cells },
        }
    }

    /// The text of all cells that are no numbers, if they hold the same short one and are few.
    pub(super) fn marker(&self) -> Option<&str> {
        const LONGEST: usize = 40;
        let text = &self.text.as_ref().filter(|_| self.second_text.is_none() && !self.is_text())?.text;
        (text.len() <= LONGEST).then_some(text)
    }

    /// Whether these values identify the rows. Measurements at equal steps do not, unless the
    /// column is `named` as an index.
    pub(super) fn index_kind(&self, named: bool) -> Option<IndexKind> {
        /// A number that repeats is often among the first ones.
        const FIRST: usize = 8192;
        let values = &self.values;
        let rows = values.len();
        if rows < FEW_ROWS {
            return None;
        }
        let step = values[1] - values[0];
        let equal_steps = values.windows(2).all(|pair| pair[1] - pair[0] == step);
        let few_numbers = |(lowest, highest): (f64, f64)| highest - lowest + 1.0 < rows as f64;
        if !equal_steps && self.check.range.is_none_or(few_numbers) {
            return None;
        }
        if values.iter().any(|value| value.fract() != 0.0 || value.abs() > 2f64.powi(53)) {
            return None;
        }
        if equal_steps {
            let kind = if step.abs() == 1.0 { IndexKind::Counts } else { IndexKind::AllDifferent };
            return (kind == IndexKind::Counts || (named && step != 0.0)).then_some(kind);
        }
        let differ = |values: &[f64]| {
            let mut sorted = values.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted.windows(2).all(|pair| pair[0] != pair[1])
        };
        let all_differ = differ(&values[..rows.min(FIRST)]) && differ(values);
        all_differ.then_some(IndexKind::AllDifferent)
    }

    /// Whether rounding to `f32` would leave few different values, or none.
    pub(super) fn loses_digits(&self) -> bool {
        const LEAST_STEPS: f64 = 4096.0;
        let Some((lowest, highest)) = self.check.range else { return false };
        let size = highest.abs().max(lowest.abs());
        let tiny = size > 0.0 && size < f64::from(f32::MIN_POSITIVE);
        let step = size * f64::from(f32::EPSILON);
        let close = highest > lowest && highest - lowest < LEAST_STEPS * step;
        let rounded = |value: &f64| !value.is_nan() && f64::from(*value as f32) != *value;
        tiny || (close && self.values.iter().any(rounded))
    }
}

/// The given rows of columns, as a matrix.
pub(super) fn matrix<'a, F: Scalar>(columns: impl Iterator<Item = &'a [f64]>, rows: &[usize]) -> Array2<F> {
    /// Rows that fit into the cache, so that each column is read and each row is written once.
    const BLOCK: usize = 256;
    let columns: Vec<&[f64]> = columns.collect();
    let width = columns.len().max(1);
    let mut cells = vec![F::zero(); rows.len() * columns.len()];
    let blocks = Mutex::new(cells.chunks_mut(BLOCK * width).zip(rows.chunks(BLOCK)));
    in_parallel(rows.len().div_ceil(BLOCK), |_, _| {
        let block = blocks.lock().expect("no other thread panicked").next();
        let Some((cells, rows)) = block else { return };
        for (i, values) in columns.iter().enumerate() {
            for (row, &from) in cells.chunks_exact_mut(width).zip(rows) {
                row[i] = F::of(values[from]);
            }
        }
    });
    Array2::from_shape_vec((rows.len(), columns.len()), cells).expect("a cell for each row and column")
}

/// Whether a column's name is that of an index: those that pandas and R write, and the usual ones.
///
/// ```
/// use geartrain::data::is_index_name;
/// assert!(is_index_name("Unnamed: 0") && is_index_name("row_id") && !is_index_name("width"));
/// ```
pub fn is_index_name(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "id",
        "_id",
        "idx",
        "index",
        "row",
        "rowid",
        "row.names",
        "rownames",
        "row_number",
        "key",
        "nr",
        "no",
        "no.",
        "#",
        "level_0",
    ];
    let lower = name.to_lowercase();
    let ends = lower.ends_with("_id") || lower.ends_with(" id");
    name == "X" || NAMES.contains(&lower.as_str()) || lower.starts_with("unnamed: ") || ends
}
