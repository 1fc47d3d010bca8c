//! A sweep as data: its jobs, and what their results say.

use geartrain_lab::{Grid, MapColours, phase_maps_svg};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::gradients;
use super::training::TrainingStudy;
use crate::failure::Outcome;

/// Everything that the results of a sweep depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Study {
    Gradients(Grid),
    Training(TrainingStudy),
}

impl Study {
    pub fn jobs(&self) -> usize {
        match self {
            Study::Gradients(grid) => grid.jobs(),
            Study::Training(study) => study.jobs(),
        }
    }

    /// The names of the columns: the job, its settings, its results.
    pub fn columns(&self) -> &'static str {
        match self {
            Study::Gradients(_) => gradients::COLUMNS,
            Study::Training(study) => study.columns(),
        }
    }

    /// The first cells of the row of a job: its number and settings.
    pub fn setting(&self, job: usize) -> String {
        match self {
            Study::Gradients(grid) => format!("{job},{}", gradients::setting(grid, job)),
            Study::Training(study) => format!("{job},{}", study.setting(job)),
        }
    }

    /// A few lines about the results of all jobs.
    pub fn summary(&self, rows: &[&str]) -> String {
        let jobs = match rows.len() {
            1 => "1 job".to_string(),
            jobs => format!("{jobs} jobs"),
        };
        match self {
            Study::Gradients(_) => format!("{jobs} done\n"),
            Study::Training(study) => format!("{jobs} done\n{}", study.table(rows)),
        }
    }

    /// The picture of the results of all jobs.
    pub fn picture(&self, rows: &[&str]) -> Outcome<String> {
        Ok(match self {
            Study::Gradients(grid) => {
                let decades = numbers(gradients::COLUMNS, rows, "decades");
                let title = "Change of the gradient per layer, measured; line: edge of chaos";
                phase_maps_svg(title, "log₁₀", &grid.phase_maps(&decades)?, MapColours::Diverging)
            }
            Study::Training(study) => {
                let title = format!("Predicting {}", study.target);
                phase_maps_svg(&title, study.score(), &[study.map(rows)], MapColours::Sequential)
            }
        })
    }

    /// The rows as an array of objects. Numbers that are not finite, and empty cells, are null.
    pub fn json(&self, rows: &[&str]) -> Value {
        let object = |row: &&str| {
            let cells = self.columns().split(',').zip(row.split(','));
            Value::Object(cells.map(|(name, text)| (name.to_owned(), value(text))).collect::<Map<_, _>>())
        };
        rows.iter().map(object).collect()
    }
}

/// The numbers in a column of all rows; NaN for a cell without a number.
pub fn numbers(columns: &str, rows: &[&str], column: &str) -> Vec<f64> {
    let index = columns.split(',').position(|name| name == column);
    let cell = |row: &&str| row.split(',').nth(index?)?.parse().ok();
    rows.iter().map(|row| cell(row).unwrap_or(f64::NAN)).collect()
}

fn value(text: &str) -> Value {
    match (text.parse::<u64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Value::from(whole),
        // NaN and infinities become null.
        (_, Ok(number)) => Value::from(number),
        _ if text.is_empty() => Value::Null,
        _ => Value::from(text),
    }
}
