//! `geartrain predict`: the predictions of a saved model for the rows of a table.

use std::fmt::Write;
use std::path::PathBuf;

use geartrain::data::Missing;
use geartrain::{Predictor, metrics};
use geartrain_tables::{Error as TableError, TabularClassifier, TabularRegressor, model_kind};
use ndarray::{Array2, ArrayView1, Axis};
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Outcome};
use crate::output::{self, csv_cell};
use crate::table::{self, Format, is_numpy, read_tabular, with_options};

/// Predict with a saved model: a header line, and a line for each row of the table
///
/// The table needs the columns that the model was trained on, in any order; other columns are
/// ignored. A classifier prints the most probable class of each row. Missing values are filled as
/// in training; with --missing drop, a row that has one gets an empty cell, and with --missing
/// error it ends the command.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The model, as saved by `geartrain train --save`
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// The file to predict from: CSV with a header line, or NumPy's (.npy, .npz)
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
    output::check_writable(options.output.as_deref(), [options.model.as_path(), &options.file])?;
    let in_file = |error: TableError| match error {
        error @ (TableError::MissingColumn { .. }
        | TableError::WrongType { .. }
        | TableError::Value { .. }) => Failure::other(format!("{}: {error}", options.file.display())),
        error => error.into(),
    };
    let (columns, rows) = match model_kind(&options.model)?.as_deref() {
        Some("regressor") => {
            let model = TabularRegressor::load(&options.model)?;
            options.format.check_reads_gaps()?;
            no_probabilities(options)?;
            let table = read_tabular(&options.file, &model.csv_options(options.format.tabular()))?;
            let rows = model.predict(&table).map_err(in_file)?;
            let rows = rows.rows().into_iter().map(|row| row.iter().map(|&number| json!(number)).collect());
            (model.output_names(), rows.collect())
        }
        Some(_) => {
            let model = TabularClassifier::load(&options.model)?;
            options.format.check_reads_gaps()?;
            let table = read_tabular(&options.file, &model.csv_options(options.format.tabular()))?;
            let probabilities = model.predict_proba(&table).map_err(in_file)?;
            labelled(options, model.classes(), &probabilities)?
        }
        None => network_predictions(options)?,
    };
    let mut text = String::new();
    if !options.json {
        line(&mut text, columns.iter().map(|name| csv_cell(name)))?;
    }
    for values in rows {
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

/// The names of the columns, and the values of each row.
type Predictions = (Vec<String>, Vec<Vec<Value>>);

/// The predictions of a network that was trained without the recipe for tables.
fn network_predictions(options: &Options) -> Outcome<Predictions> {
    let model = with_classes(Predictor::load(&options.model)?)?;
    let classes = model.classes();
    if classes.is_empty() {
        no_probabilities(options)?;
    }
    if is_numpy(&options.file) {
        return Err(Failure::option(
            "a file of NumPy is for models of the recipe for tables: write it as CSV",
        ));
    }
    let reader = options.format.csv("", Missing::Error);
    if options.format.refuses_gaps() {
        reader.load_inputs::<f64, _>(&options.file, model.feature_names(), None)?;
    }
    let predictions = model.predict_csv(&options.file, &reader).map_err(|error| match error {
        geartrain::Error::Data(error) => Failure::other(with_options(*error)),
        other => other.into(),
    })?;
    table::print_notes(&predictions.notes);
    let mut rows = Vec::new();
    for (i, row) in predictions.y.rows().into_iter().enumerate() {
        let mut values: Vec<Value> = match &predictions.classes {
            Some(predicted) => vec![json!(predicted[i].map(|class| &classes[class]))],
            None => row.iter().map(|&number| json!(number)).collect(),
        };
        if options.probabilities {
            values.extend(probabilities(row)?);
        }
        rows.push(values);
    }
    Ok(match classes {
        [] => (model.target_names().to_vec(), rows),
        classes => (class_columns(options, classes), rows),
    })
}

fn no_probabilities(options: &Options) -> Outcome {
    match options.probabilities {
        true => Err(Failure::option("--probabilities is for classifiers, and this model predicts numbers")),
        false => Ok(()),
    }
}

/// The columns of a classifier's predictions.
fn class_columns(options: &Options, classes: &[String]) -> Vec<String> {
    let probabilities = classes.iter().filter(|_| options.probabilities).map(|class| format!("p({class})"));
    std::iter::once("class".to_string()).chain(probabilities).collect()
}

/// The most probable class of each row, and if wanted all probabilities.
fn labelled(options: &Options, classes: &[String], rows: &Array2<f64>) -> Outcome<Predictions> {
    let best = metrics::classes_from_probabilities(rows)?;
    let values = rows.rows().into_iter().zip(best).map(|(row, best)| {
        let probabilities = row.into_iter().filter(|_| options.probabilities).map(|p| json!(p));
        std::iter::once(json!(classes[best])).chain(probabilities).collect()
    });
    Ok((class_columns(options, classes), values.collect()))
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
