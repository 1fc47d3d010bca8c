//! A table from the page: the library's reader, with errors in terms of the page's fields.

use geartrain::data::{Csv, DataError, DataProblem, Dataset, Suggestion};
use serde::Deserialize;

use crate::lab::reply::Problem;
use crate::table::MissingCells;

/// The limit for a table, in bytes.
const LARGEST: usize = 1 << 20;
/// The number of classes that the page can distinguish by colour.
const MOST_CLASSES: usize = 6;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    csv: String,
    target: String,
    classes: bool,
    drop: Vec<String>,
    delimiter: Delimiter,
    missing: MissingCells,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Delimiter {
    Comma,
    Semicolon,
    Tab,
}

impl Table {
    /// The data.
    pub fn read(&self) -> Result<Dataset<f64>, Problem> {
        if self.csv.len() > LARGEST {
            let error = format!("at most {LARGEST} bytes, got {}", self.csv.len());
            return Err(Problem::too_large("csv", error));
        }
        let csv = Csv::new(&self.target)
            .drop_columns(&self.drop)
            .delimiter(match self.delimiter {
                Delimiter::Comma => b',',
                Delimiter::Semicolon => b';',
                Delimiter::Tab => b'\t',
            })
            .missing(self.missing.into());
        let source = self.csv.as_bytes();
        let read =
            if self.classes { csv.read_classes(source, "the table") } else { csv.read(source, "the table") };
        let data: Dataset<f64> = read.map_err(|error| self.problem(error))?;
        let classes = data.classes().len();
        if self.classes && !(2..=MOST_CLASSES).contains(&classes) {
            let error = format!(
                "{} holds {classes} different labels; this page takes 2 to {MOST_CLASSES}",
                self.target
            );
            return Err(Problem::in_field("target", error));
        }
        Ok(data)
    }

    /// The field of an error, with advice that names fields instead of methods.
    fn problem(&self, mut error: DataError) -> Problem {
        let hint = error.suggestion.take().map(|suggestion| match suggestion {
            Suggestion::Delimiter(b'\t') => "are the cells separated by tabs?".into(),
            Suggestion::Delimiter(b';') => "are the cells separated by semicolons?".into(),
            Suggestion::Delimiter(b',') => "are the cells separated by commas?".into(),
            Suggestion::Delimiter(other) => {
                format!("cells separated by {:?} are not read here", char::from(other))
            }
            Suggestion::Classes => "are these the names of classes?".into(),
            Suggestion::DropColumns(_) => "a column of text can be left out".into(),
            Suggestion::Missing | Suggestion::MissingTarget => "choose a rule for missing values".into(),
            other => other.to_string(),
        });
        let field = match &error.problem {
            DataProblem::UnknownColumn { name, .. } if *name == self.target => "target",
            DataProblem::UnknownColumn { .. } | DataProblem::ChosenTwice { .. } => "drop",
            _ => "csv",
        };
        let hint = hint.map_or(String::new(), |hint| format!(" ({hint})"));
        Problem::in_field(field, format!("{error}{hint}"))
    }
}
