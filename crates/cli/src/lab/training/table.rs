//! A table from the page: the library's reader, with errors in terms of the page's fields.

use geartrain::data::{Csv, DataError, DataProblem, Dataset, Missing, Suggestion};
use serde::Deserialize;

use crate::lab::reply::Problem;

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
    missing: Gaps,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Delimiter {
    Comma,
    Semicolon,
    Tab,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Gaps {
    Error,
    Drop,
    Mean,
    Median,
}

impl Table {
    /// The data, and the names of the classes if the target holds labels.
    pub fn read(&self) -> Result<(Dataset<f64>, Option<Vec<String>>), Problem> {
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
            .missing(match self.missing {
                Gaps::Error => Missing::Error,
                Gaps::Drop => Missing::DropRows,
                Gaps::Mean => Missing::Mean,
                Gaps::Median => Missing::Median,
            });
        let source = self.csv.as_bytes();
        if !self.classes {
            let data = csv.read(source, "the table").map_err(|error| self.problem(error))?;
            return Ok((data, None));
        }
        let data = csv.read_classes(source, "the table").map_err(|error| self.problem(error))?;
        let classes = data.classes().to_vec();
        if !(2..=MOST_CLASSES).contains(&classes.len()) {
            let error = format!(
                "{} holds {} different labels; this page takes 2 to {MOST_CLASSES}",
                self.target,
                classes.len()
            );
            return Err(Problem::in_field("target", error));
        }
        Ok((data, Some(classes)))
    }

    /// The field of an error, with advice that names fields instead of methods.
    fn problem(&self, mut error: DataError) -> Problem {
        let hint = match error.suggestion.take() {
            Some(Suggestion::Delimiter(b'\t')) => Some("are the cells separated by tabs?".into()),
            Some(Suggestion::Delimiter(b';')) => Some("are the cells separated by semicolons?".into()),
            Some(Suggestion::Delimiter(b',')) => Some("are the cells separated by commas?".into()),
            Some(Suggestion::Delimiter(other)) => {
                Some(format!("cells separated by {:?} are not read here", char::from(other)))
            }
            Some(Suggestion::Classes) => Some("are these the names of classes?".into()),
            Some(Suggestion::DropColumns(_)) => Some("a column of text can be left out".into()),
            Some(Suggestion::Missing | Suggestion::MissingTarget) => {
                Some("choose a rule for missing values".into())
            }
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let field = match &error.problem {
            DataProblem::UnknownColumn { name, .. } if *name == self.target => "target",
            DataProblem::UnknownColumn { .. } | DataProblem::ChosenTwice { .. } => "drop",
            _ => "csv",
        };
        let hint = hint.map_or(String::new(), |hint| format!(" ({hint})"));
        Problem::in_field(field, format!("{error}{hint}"))
    }
}
