//! The task: numbers (regression) or classes (classification), decided by the target column.

use std::collections::BTreeSet;
use std::path::Path;

use clap::ValueEnum;
use geartrain::data::{DataError, Dataset, Suggestion, toy};
use geartrain::prelude::*;

use crate::failure::{Failure, Outcome};
use crate::output::quoted_name;
use crate::table::{BuiltIn, Table, TableOptions};

/// The kind of task, as an option.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum Kind {
    /// Predict a number
    Regression,
    /// Predict a class; every different value of the target is a class
    Classification,
}

/// The kind of task and its data.
pub enum Task {
    Regression,
    /// The names of the classes. The target is the index of a row's class.
    Classification(Vec<String>),
}

/// The rows to learn from.
pub struct Problem {
    pub task: Task,
    /// Why it is this task, in a sentence, if the program has decided.
    pub reason: Option<String>,
    pub data: Dataset<f64>,
    /// The rows of `--test`.
    pub test: Option<Dataset<f64>>,
    /// The column to predict.
    pub target: String,
}

impl Task {
    /// Mean squared error for numbers, cross-entropy for classes.
    pub fn loss(&self) -> &'static dyn Loss<f32> {
        match self {
            Task::Regression => &MeanSquaredError,
            Task::Classification(_) => &CrossEntropy,
        }
    }

    /// The number of outputs of a network for this task.
    pub fn outputs(&self) -> usize {
        match self {
            Task::Regression => 1,
            Task::Classification(classes) => classes.len(),
        }
    }
}

impl Problem {
    /// Reads the data and decides on the task.
    ///
    /// `task` and `test` are the options of these names, `seed` is for generated data. With
    /// `refuses_text`, columns of text in a file are [`Failure::TextColumns`].
    pub fn read(
        options: &TableOptions,
        task: Option<Kind>,
        test: Option<&Path>,
        seed: u64,
        refuses_text: bool,
    ) -> Outcome<Self> {
        let Some(mut table) = options.table()? else { return generated(options.data, task, seed) };
        table.refuses_text = refuses_text;
        let (kind, reason, data) = match task {
            Some(kind) => (kind, None, None),
            None => decide(&mut table)?,
        };
        let data: Dataset<f64> = match (kind, data) {
            (_, Some(data)) => data,
            (Kind::Regression, None) => table.read(|csv, source, name| csv.read(source, name))?,
            (Kind::Classification, None) => table.read(|csv, source, name| csv.read_classes(source, name))?,
        };
        let task = match kind {
            Kind::Regression => Task::Regression,
            Kind::Classification => Task::Classification(data.classes().to_vec()),
        };
        let target = table.target;
        let test = match test {
            None => None,
            Some(path) => {
                let mut table = options.other(path, &target, data.feature_names());
                Some(test_rows(&mut table, &task)?)
            }
        };
        Ok(Problem { task, reason, data, test, target })
    }
}

/// Text is a class; so are numbers with only two different values, such as 0 and 1. The data as
/// well, if they had to be read for this.
fn decide(table: &mut Table) -> Outcome<(Kind, Option<String>, Option<Dataset<f64>>)> {
    // Most targets are numbers, so that this is all that has to be read.
    let numbers = table.try_read(|csv, source, name| csv.read::<f64>(source, name))?;
    let (numeric, count, data) = match numbers {
        Ok(data) if are_long(&data) => {
            // Labels of many digits that `f64` cannot tell apart.
            let values = table.read(|csv, source, name| csv.target_values(source, name))?;
            let numbers: BTreeSet<u64> = data.y().iter().map(|y| y.to_bits()).collect();
            (values.different == numbers.len(), values.different, Some(data))
        }
        Ok(data) => (true, different(&data), Some(data)),
        Err(DataError { suggestion: Some(Suggestion::Classes), .. }) => {
            let data: Dataset<f64> = table.read(|csv, source, name| csv.read_classes(source, name))?;
            (false, data.classes().len(), Some(data))
        }
        Err(_) => {
            let values = table.read(|csv, source, name| csv.target_values(source, name))?;
            (values.numeric, values.different, None)
        }
    };
    let target = quoted_name(&table.target);
    let (kind, what, other) = match (numeric, count) {
        (false, _) if data.as_ref().is_some_and(are_long) => {
            (Kind::Classification, format!("{count} different numbers too long for f64"), Some("regression"))
        }
        (false, _) => (Kind::Classification, format!("text, {count} different values"), None),
        (true, 2) => (Kind::Classification, "two different numbers".to_string(), Some("regression")),
        (true, _) => (Kind::Regression, "numbers".to_string(), Some("classification")),
    };
    let name = if kind == Kind::Regression { "regression" } else { "classification" };
    let hint = other.map_or(String::new(), |other| format!(" (--task {other} overrides this)"));
    let is_read = |data: &Dataset<f64>| kind == Kind::Regression || !data.classes().is_empty();
    let data = data.filter(is_read);
    Ok((kind, Some(format!("Task: {name}, because {target} holds {what}{hint}")), data))
}

/// Whether targets have more digits than `f64` holds.
fn are_long(data: &Dataset<f64>) -> bool {
    const LONGEST: f64 = 9_007_199_254_740_992.0;
    data.classes().is_empty() && data.y().iter().any(|y| y.abs() >= LONGEST && y.abs() < 1e30)
}

/// How many different targets there are; 3 stands for more.
fn different(data: &Dataset<f64>) -> usize {
    let mut values: Vec<f64> = Vec::new();
    for &y in data.y() {
        if values.len() < 3 && !values.contains(&y) {
            values.push(y);
        }
    }
    values.len()
}

/// The rows of a separate test file; their classes must be among those of the training rows.
fn test_rows(table: &mut Table, task: &Task) -> Outcome<Dataset<f64>> {
    let Task::Classification(known) = task else {
        return table.read(|csv, source, name| csv.read(source, name));
    };
    let data = table.read::<Dataset<f64>>(|csv, source, name| csv.read_classes(source, name))?;
    let indices = data.classes().iter().map(|class| match known.iter().position(|name| name == class) {
        Some(index) => Ok(index as f64),
        None => Err(Failure::other(format!(
            "the test rows have a class that the training rows do not have: {}",
            quoted_name(class)
        ))),
    });
    let indices = indices.collect::<Outcome<Vec<f64>>>()?;
    let y = data.y().mapv(|class| indices[class as usize]);
    Ok(data.with_targets(y)?.with_classes(known)?)
}

/// Generated data: the task is known.
fn generated(name: Option<BuiltIn>, chosen: Option<Kind>, seed: u64) -> Outcome<Problem> {
    let data = match name {
        Some(BuiltIn::Sine) => toy::sine(500, 0.1, seed)?,
        Some(BuiltIn::Friedman1) => toy::friedman1(500, 1.0, seed)?,
        Some(BuiltIn::Moons) => toy::two_moons(500, 0.2, seed)?,
        _ => toy::two_spirals(400, 0.1, seed)?,
    };
    let regression = matches!(name, Some(BuiltIn::Sine | BuiltIn::Friedman1));
    let (kind, task) = match regression {
        true => (Kind::Regression, Task::Regression),
        false => (Kind::Classification, Task::Classification(vec!["0".into(), "1".into()])),
    };
    if chosen.is_some_and(|chosen| chosen != kind) {
        return Err(Failure::option("--task does not fit this generated data"));
    }
    let target = data.target_names()[0].clone();
    Ok(Problem { task, reason: None, data, test: None, target })
}
