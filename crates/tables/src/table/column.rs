//! One column.

use std::fmt;

use geartrain::data::{Note, NumberFormat, Suggestion};
use serde::{Deserialize, Serialize};

use super::infer;
use super::levels::{Levels, LevelsBuilder, MISSING};
use crate::Error;

/// The meaning of the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ColumnType {
    /// Finite numbers.
    Number,
    /// Texts, each a level.
    Category,
    /// Two words such as `yes` and `no`, in any case.
    YesNo,
    /// Dates, with or without a time of day.
    Date,
    /// A different value in most rows: left out of models.
    Identifier,
    /// At most one value, or no value: left out of models.
    Constant,
}

impl ColumnType {
    /// Whether models read columns of this type.
    pub fn is_used(self) -> bool {
        !matches!(self, ColumnType::Identifier | ColumnType::Constant)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ColumnType::Number => "number",
            ColumnType::Category => "category",
            ColumnType::YesNo => "yes/no",
            ColumnType::Date => "date",
            ColumnType::Identifier => "identifier",
            ColumnType::Constant => "constant",
        })
    }
}

/// The cells of a column as they are stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cells {
    /// NaN for missing.
    Numbers(Vec<f64>),
    /// Days since 1970-01-01; NaN for missing.
    Dates(Vec<f64>),
    /// [`MISSING`] for missing.
    Texts { codes: Vec<u32>, levels: Levels },
}

impl Cells {
    pub fn len(&self) -> usize {
        match self {
            Cells::Numbers(values) | Cells::Dates(values) => values.len(),
            Cells::Texts { codes, .. } => codes.len(),
        }
    }

    pub fn missing(&self) -> usize {
        match self {
            Cells::Numbers(values) | Cells::Dates(values) => {
                values.iter().filter(|value| value.is_nan()).count()
            }
            Cells::Texts { codes, .. } => codes.iter().filter(|&&code| code == MISSING).count(),
        }
    }
}

/// A named column with its type and the reason for it. The type follows from the cells by the rule
/// [`RULE`](crate::RULE).
///
/// ```
/// use geartrain_tables::{Column, ColumnType};
/// let size = Column::numbers("size", vec![1.0, f64::NAN, 3.0])?;
/// let colour = Column::texts("colour", [Some("red"), None, Some("red"), Some("blue")])?;
/// assert_eq!((size.missing(), colour.column_type()), (1, ColumnType::Category));
/// # Ok::<(), geartrain_tables::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    cells: Cells,
    column_type: ColumnType,
    reason: String,
    notes: Vec<Note>,
    formats: Vec<NumberFormat>,
    labels: Option<Labels>,
}

/// The texts of a column of numbers, some of which `f64` rounds, such as identifiers of 19 digits:
/// as classes they stay apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Labels {
    /// [`MISSING`] for missing.
    pub codes: Vec<u32>,
    pub levels: Levels,
}

impl Column {
    /// A column of numbers, in which NaN is a missing cell.
    ///
    /// # Errors
    /// [`Error::Value`] for an infinite number.
    pub fn numbers(name: impl Into<String>, values: Vec<f64>) -> Result<Self, Error> {
        let name = name.into();
        if let Some(row) = values.iter().position(|value| value.is_infinite()) {
            let (expected, got) = ("a finite number, or NaN for missing", values[row].to_string());
            return Err(Error::Value { name, row: row + 1, expected, got });
        }
        Ok(Column::inferred(name, Cells::Numbers(values), ""))
    }

    /// A column of dates as days since 1970-01-01, with the time of day as a fraction, in which NaN
    /// is a missing cell.
    ///
    /// # Errors
    /// [`Error::Value`] for an infinite number.
    pub fn days(name: impl Into<String>, days: Vec<f64>) -> Result<Self, Error> {
        let Column { name, cells, .. } = Column::numbers(name, days)?;
        let Cells::Numbers(days) = cells else { unreachable!("a column of numbers") };
        Ok(Column::inferred(name, Cells::Dates(days), ""))
    }

    /// A column of texts, in which `None` is a missing cell.
    ///
    /// # Errors
    /// [`Error::Argument`] for 2³² − 1 rows or more.
    pub fn texts<S: AsRef<str>>(
        name: impl Into<String>,
        texts: impl IntoIterator<Item = Option<S>>,
    ) -> Result<Self, Error> {
        let mut levels = LevelsBuilder::default();
        let mut codes = Vec::new();
        for text in texts {
            let fits = codes.len() + 1 < MISSING as usize;
            crate::error::require(fits, "rows", "fewer than 2³² − 1", codes.len() + 1)?;
            codes.push(text.map_or(MISSING, |text| levels.code(text.as_ref())));
        }
        Ok(Column::inferred(name.into(), Cells::Texts { codes, levels: levels.finish() }, ""))
    }

    /// The column with the type that follows from its cells. `note` is added to the reason.
    pub(super) fn inferred(name: String, cells: Cells, note: &str) -> Self {
        let (column_type, reason) = infer::column_type(&name, &cells);
        let reason = reason + note;
        Column { name, cells, column_type, reason, notes: Vec::new(), formats: Vec::new(), labels: None }
    }

    /// The column of numbers with their texts in the file.
    pub(super) fn with_labels(self, labels: Option<Labels>) -> Self {
        Column { labels, ..self }
    }

    /// The column with what is suspicious about its cells. A column that has no name in the file
    /// is an index.
    pub(super) fn with_notes(mut self, unnamed: bool, notes: Vec<Note>, formats: Vec<NumberFormat>) -> Self {
        if unnamed && self.column_type.is_used() {
            self.column_type = ColumnType::Identifier;
            self.reason = "no name in the header: left out".into();
        }
        if !formats.is_empty() {
            self.reason +=
                &format!("; numbers in another notation: {}", Suggestion::Numbers(formats.clone()));
        }
        for note in &notes {
            if let Note::Text { row, text, .. } = note {
                self.reason += &format!("; text because row {row} holds `{}`", infer::shorten(text));
            }
        }
        Column { notes, formats, ..self }
    }

    /// The same column with a type that the user chose.
    pub(super) fn with_type(mut self, column_type: ColumnType) -> Result<Self, Error> {
        let problem = match (&self.cells, column_type) {
            (_, ColumnType::Identifier | ColumnType::Constant)
            | (Cells::Numbers(_), ColumnType::Number | ColumnType::Category)
            | (Cells::Texts { .. }, ColumnType::Category)
            | (Cells::Dates(_), ColumnType::Date | ColumnType::Category) => None,
            (Cells::Texts { levels, .. }, ColumnType::YesNo) => {
                let other = levels.iter().find(|text| infer::yes_no(text).is_none());
                other.map(|text| format!("it holds `{text}`"))
            }
            (Cells::Texts { levels, .. }, _) if levels.len() == 0 => None,
            (Cells::Texts { .. }, _) => Some("it was read as text; choose the type in CsvOptions".into()),
            (Cells::Numbers(_), _) => Some("it holds numbers".into()),
            (Cells::Dates(_), _) => Some("it holds dates".into()),
        };
        if let Some(problem) = problem {
            return Err(Error::WrongType { name: self.name, expected: column_type, problem });
        }
        self.column_type = column_type;
        self.reason = "chosen by the user".into();
        self.formats.clear();
        Ok(self)
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its cells mean.
    pub fn column_type(&self) -> ColumnType {
        self.column_type
    }

    /// Why it has this type, in a few words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What may have been read wrongly from a file, for a program to show its user.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The notations in which all cells of a text column are numbers, such as `5%`, unless its type
    /// was chosen. To read them as numbers:
    /// [`Csv::ignore_in_numbers`](geartrain::data::Csv::ignore_in_numbers).
    ///
    /// ```
    /// let table = geartrain_tables::Table::parse_csv(b"share\n5%\n7.5%\n")?;
    /// assert_eq!(table.column("share")?.number_formats()[0].ignored, "%");
    /// # Ok::<(), geartrain_tables::Error>(())
    /// ```
    pub fn number_formats(&self) -> &[NumberFormat] {
        &self.formats
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of missing cells.
    pub fn missing(&self) -> usize {
        self.cells.missing()
    }

    /// The cell in a row (from 0) as text; `None` if it is missing.
    ///
    /// # Panics
    /// If `row` is not below [`len`](Column::len).
    pub fn text(&self, row: usize) -> Option<String> {
        match &self.cells {
            Cells::Numbers(values) => (!values[row].is_nan()).then(|| match &self.labels {
                Some(labels) => labels.levels.get(labels.codes[row]).to_string(),
                None => values[row].to_string(),
            }),
            Cells::Dates(values) => (!values[row].is_nan()).then(|| super::date::display(values[row])),
            Cells::Texts { codes, levels } => match codes[row] {
                MISSING => None,
                code => Some(levels.get(code).to_string()),
            },
        }
    }

    /// The numbers, with NaN for missing; `None` for texts and dates.
    pub fn as_numbers(&self) -> Option<&[f64]> {
        match &self.cells {
            Cells::Numbers(values) => Some(values),
            Cells::Dates(_) | Cells::Texts { .. } => None,
        }
    }

    pub(crate) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(crate) fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The rows with these numbers, in this order.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let numbers = |values: &[f64]| rows.iter().map(|&row| values[row]).collect();
        let cells = match &self.cells {
            Cells::Numbers(values) => Cells::Numbers(numbers(values)),
            Cells::Dates(values) => Cells::Dates(numbers(values)),
            Cells::Texts { codes, levels } => {
                Cells::Texts { codes: rows.iter().map(|&row| codes[row]).collect(), levels: levels.clone() }
            }
        };
        Column {
            name: self.name.clone(),
            cells,
            column_type: self.column_type,
            reason: self.reason.clone(),
            notes: self.notes.clone(),
            formats: self.formats.clone(),
            labels: self.labels.as_ref().map(|labels| Labels {
                codes: rows.iter().map(|&row| labels.codes[row]).collect(),
                levels: labels.levels.clone(),
            }),
        }
    }
}
