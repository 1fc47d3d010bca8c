//! `geartrain predict`: the predictions of a saved model for the rows of a table.

use std::fmt::Write;
use std::path::PathBuf;

use geartrain::data::Missing;
use geartrain::{Predictor, metrics};
use ndarray::{ArrayView1, Axis};
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Outcome};
use crate::output::{self, csv_cell};
use crate::table::{self, Format, with_options};

/// Predict with a saved model: a header line, and a line for each row of the table
///
/// The table needs the columns that the model was trained on, in any order; other columns are
/// ignored. A classifier prints the most probable class of each row. Missing values are filled as
/// in training; with --missing drop, a row that has one gets an empty cell.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The model, as saved by `geartrain train --save`
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// The CSV file to predict from, with a header line
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    format: Format,

    /// Write the predictions to this file instead of stdout
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    output: Option<PathBuf>,

    /// Add the probability of each class (for classifiers)
    #[arg(long, help_heading = "Results")]
    probabilities: bool,

    /// Print one JSON object per row instead of CSV
    #[arg(long, help_heading = "Results")]
    json: bool,
}

pub fn run(options: &Options) -> Outcome {
    output::check_writable(options.output.as_deref())?;
    let model = with_classes(Predictor::load(&options.model)?)?;
    let classes = model.classes();
    if options.probabilities && classes.is_empty() {
        return Err(Failure::option("--probabilities is for classifiers, and this model predicts numbers"));
    }
    let reader = options.format.csv("", Missing::Error);
    let predictions = model.predict_csv(&options.file, &reader).map_err(|error| match error {
        geartrain::Error::Data(error) => Failure::other(with_options(*error)),
        other => other.into(),
    })?;
    predictions.notes.iter().for_each(|note| output::note(&table::note(note)));

    let mut columns = match classes {
        [] => model.target_names().to_vec(),
        _ => vec!["class".to_string()],
    };
    if options.probabilities {
        columns.extend(model.target_names().iter().map(|class| format!("p({class})")));
    }
    let mut text = String::new();
    if !options.json {
        line(&mut text, columns.iter().map(|name| csv_cell(name)))?;
    }
    for (i, row) in predictions.y.rows().into_iter().enumerate() {
        let mut values: Vec<Value> = match &predictions.classes {
            Some(predicted) => vec![json!(predicted[i].map(|class| &classes[class]))],
            None => row.iter().map(|&number| json!(number)).collect(),
        };
        if options.probabilities {
            values.extend(probabilities(row)?);
        }
        if options.json {
            let fields: Map<String, Value> = columns.iter().cloned().zip(values).collect();
            writeln!(text, "{}", Value::Object(fields))?;
        } else {
            let cell = |value: &Value| match value {
                Value::Null => String::new(),
                Value::String(text) => csv_cell(text),
                number => number.to_string(),
            };
            line(&mut text, values.iter().map(cell))?;
        }
    }
    match &options.output {
        Some(path) => output::write(path, text),
        None => output::print(&text),
    }
}

/// The model with the names of its classes, which older files do not contain: the logits of
/// a classifier have no scaler.
fn with_classes(model: Predictor<f32>) -> Outcome<Predictor<f32>> {
    let names = model.target_names().to_vec();
    let is_old = model.classes().is_empty() && names.len() > 1 && model.y_scale().is_none();
    Ok(if is_old { model.with_classes(names)? } else { model })
}

/// The probability of each class; nothing for a row without a prediction.
fn probabilities(logits: ArrayView1<f64>) -> Outcome<Vec<Value>> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return Ok(vec![Value::Null; logits.len()]);
    }
    let row = metrics::probabilities(&logits.insert_axis(Axis(0)))?;
    Ok(row.iter().map(|probability| json!(probability)).collect())
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) -> std::fmt::Result {
    writeln!(text, "{}", cells.collect::<Vec<_>>().join(","))
}
