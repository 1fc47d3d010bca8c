//! Remarks about a table that are no errors.

use std::fmt;

use super::csv::Missing;
use crate::error::data::Column;
use crate::error::suggestion::{NumberFormat, Suggestion};
use crate::text::{self, shown};

/// Something about a table that its reader should be shown: a column left out, rows dropped, cells
/// that may have been read wrongly. See [`Dataset::notes`](super::Dataset::notes).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// A column was left out because it only identifies the rows.
    LeftOut {
        /// The column.
        column: Column,
        /// What gave it away.
        reason: IndexKind,
    },
    /// A feature may identify rows. It was kept, because its name is not that of an index.
    LooksLikeIndex {
        /// The column.
        column: Column,
        /// What gave it away.
        reason: IndexKind,
    },
    /// Two columns have the same name; the later one goes by another.
    Renamed {
        /// The later column, with its new name.
        column: Column,
        /// The name in the header.
        header: String,
    },
    /// A feature of words was read as numbers: true and yes as 1, false and no as 0.
    Booleans {
        /// The column.
        column: Column,
    },
    /// All decimal numbers of a column have three decimals and stand among larger whole numbers:
    /// the point may separate thousands.
    Thousands {
        /// The column.
        column: Column,
        /// The first such cell.
        text: String,
        /// A whole number of the column.
        whole: String,
    },
    /// A column in which most cells are numbers is text because of another cell.
    Text {
        /// The column.
        column: Column,
        /// The first other cell.
        text: String,
        /// Its row, from 1.
        row: usize,
        /// Cells that are numbers.
        numbers: usize,
        /// Rows of the file.
        rows: usize,
    },
    /// A number such as -999 may stand for a missing value: several cells hold it, far from all
    /// other numbers of the column.
    MissingCode {
        /// The column.
        column: Column,
        /// The number.
        value: f64,
        /// The cells that hold it.
        cells: usize,
    },
    /// Rows with a missing value were dropped.
    DroppedRows {
        /// Rows dropped.
        dropped: usize,
        /// Rows of the file.
        rows: usize,
        /// For classes: label, dropped rows and all rows of each class that lost rows.
        classes: Vec<(String, usize, usize)>,
    },
    /// A feature has gaps.
    Gaps {
        /// The column.
        column: Column,
        /// Empty cells.
        cells: usize,
        /// The treatment of missing values.
        missing: Missing,
    },
    /// Gaps in a feature of rows to predict for were filled.
    Filled {
        /// The feature's name.
        column: String,
        /// Cells filled.
        cells: usize,
        /// The value they got.
        value: f64,
    },
    /// A row to predict for has a gap, so it gets no prediction.
    NoPrediction {
        /// The row, from 0.
        row: usize,
        /// The line of the file, from 1.
        line: u64,
        /// The first feature with a gap.
        column: String,
    },
    /// The class labels are numbers with many different values.
    ManyClasses {
        /// Different labels.
        classes: usize,
        /// Rows.
        rows: usize,
    },
    /// The numbers of a column differ by little compared with their size, or are tiny, and lost
    /// digits when they were rounded to `f32`.
    LostDigits {
        /// The column.
        column: Column,
    },
}

/// The reason that a column looks like an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexKind {
    /// It has no name in the header.
    Unnamed,
    /// It counts the rows.
    Counts,
    /// Every row has another whole number.
    AllDifferent,
}

impl Note {
    /// A note that a number such as -999 may stand for a missing value: several of the `values` of
    /// a column are that number, and it is farther from the others than they are from each other.
    /// `range` is the smallest and the largest value.
    pub fn missing_code(column: &Column, values: &[f64], range: Option<(f64, f64)>) -> Option<Self> {
        const CODES: [f64; 5] = [99.0, 999.0, 9999.0, 99999.0, 999_999.0];
        const FEW: usize = 10;
        let (lowest, highest) = range?;
        let value = [lowest, highest].into_iter().find(|value| CODES.contains(&value.abs()))?;
        let stands_out = |values: &[f64]| {
            let others = values.iter().filter(|&&other| other != value);
            let (low, high) = others.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &other| {
                (low.min(other), high.max(other))
            });
            (value - low).abs().min((value - high).abs()) > high - low
        };
        // Most numbers that do not stand out do not in the first rows.
        if !stands_out(&values[..values.len().min(1024)]) || !stands_out(values) {
            return None;
        }
        let cells = values.iter().filter(|&&other| other == value).count();
        let others = values.iter().filter(|&&other| !other.is_nan() && other != value).count();
        (cells > 1 && others >= FEW).then(|| Note::MissingCode { column: column.clone(), value, cells })
    }

    /// The note without its suggestion.
    pub fn message(&self) -> String {
        match self {
            Note::LeftOut { column, reason } => format!("{column} {reason}: left out as an index"),
            Note::LooksLikeIndex { column, reason } => {
                format!("{column} {reason}: if it identifies the rows, leave it out")
            }
            Note::Renamed { column, header } => {
                format!("{column} is also named {} in the file", shown(header))
            }
            Note::Booleans { column } => format!("{column}: true and yes are read as 1, false and no as 0"),
            Note::Thousands { column, text, whole } => format!(
                "{column}: {} is read as a decimal number, though {} stands beside it; does the point \
                 separate thousands?",
                shown(text),
                shown(whole)
            ),
            Note::Text { column, text, row, numbers, rows } => {
                let text = shown(text);
                format!(
                    "{column} is text because row {row} holds {text}; {numbers} of {rows} cells are numbers"
                )
            }
            Note::MissingCode { column, value, cells } => {
                format!("{column}: {value} in {cells} cells is far from all other numbers")
            }
            Note::DroppedRows { dropped, rows, classes } => {
                format!("{dropped} of {rows} rows dropped for a missing value{}", of_classes(classes))
            }
            Note::Gaps { column, cells, missing } => {
                let middle = if *missing == Missing::Median { "median" } else { "mean" };
                format!("{column}: {}, filled with the {middle} of the training rows", missing_cells(*cells))
            }
            Note::Filled { column, cells, value } => {
                format!("{}: {} filled with {value}", shown(column), missing_cells(*cells))
            }
            Note::NoPrediction { line, column, .. } => {
                format!("line {line}: no prediction, because {} is missing", shown(column))
            }
            Note::ManyClasses { classes, rows } => format!(
                "the classes are {classes} different numbers in {rows} rows; is this a number to predict?"
            ),
            Note::LostDigits { column } => format!("{column}: its numbers lose digits as f32"),
        }
    }

    /// What may help.
    pub fn suggestion(&self) -> Option<Suggestion> {
        match self {
            Note::LeftOut { .. } => Some(Suggestion::KeepIndex),
            Note::Thousands { text, .. } => {
                let ignored = ".".to_string();
                let value = text.replace('.', "");
                Some(Suggestion::Numbers(vec![NumberFormat { decimal_comma: false, ignored, value }]))
            }
            Note::LostDigits { .. } => Some(Suggestion::Double),
            Note::Text { text, .. } => Some(Suggestion::MissingMarker(text.clone())),
            Note::MissingCode { value, .. } => Some(Suggestion::MissingMarker(value.to_string())),
            _ => None,
        }
    }
}

fn missing_cells(cells: usize) -> String {
    format!("{cells} missing {}", if cells == 1 { "cell" } else { "cells" })
}

/// The classes that lost rows, at most 20 of them.
fn of_classes(classes: &[(String, usize, usize)]) -> String {
    const MOST: usize = 20;
    let shown = classes.iter().take(MOST);
    let list = shown.map(|(label, lost, all)| format!("{lost} of {all} of class {}", text::shown(label)));
    let list = list.collect::<Vec<_>>().join(", ");
    match classes.len() {
        0 => String::new(),
        few if few <= MOST => format!(": {list}"),
        many => format!(": {list} and rows of {} more classes", many - MOST),
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        match self.suggestion() {
            Some(suggestion) => write!(f, " ({suggestion})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for IndexKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IndexKind::Unnamed => "has no name",
            IndexKind::Counts => "counts the rows",
            IndexKind::AllDifferent => "has another number in every row",
        })
    }
}
