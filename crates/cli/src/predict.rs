//! `geartrain predict`: the predictions of a saved model for the rows of a table.

use std::fmt::Write;
use std::path::PathBuf;

use geartrain::Predictor;
use geartrain::data::Missing;
use ndarray::ArrayView1;
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Outcome};
use crate::output::{self, csv_cell};
use crate::table::{Format, with_options};

/// Predict with a saved model: a header line, and a line for each row of the table
///
/// The table needs the columns that the model was trained on, in any order; other columns are
/// ignored. A classifier prints the most probable class of each row.
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
    let model = Predictor::<f32>::load(&options.model)?;
    let classes = classes(&model);
    if options.probabilities && classes.is_none() {
        return Err(Failure::option("--probabilities is for classifiers, and this model predicts numbers"));
    }
    let reader = options.format.csv("", Missing::Error);
    let x = reader.load_features::<f32, _>(&options.file, model.feature_names());
    let y = model.predict(&x.map_err(|error| Failure::other(with_options(error)))?)?;

    let mut columns = match classes {
        Some(_) => vec!["class".to_string()],
        None => model.target_names().to_vec(),
    };
    if options.probabilities {
        columns.extend(model.target_names().iter().map(|class| format!("p({class})")));
    }
    let mut text = String::new();
    if !options.json {
        line(&mut text, columns.iter().map(|name| csv_cell(name)))?;
    }
    for row in y.rows() {
        let mut values: Vec<Value> = match classes {
            Some(classes) => vec![json!(classes[largest(row)])],
            None => row.iter().map(|&number| json!(number)).collect(),
        };
        if options.probabilities {
            values.extend(softmax(row).into_iter().map(|probability| json!(probability)));
        }
        if options.json {
            let fields: Map<String, Value> = columns.iter().cloned().zip(values).collect();
            writeln!(text, "{}", Value::Object(fields))?;
        } else {
            let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), csv_cell);
            line(&mut text, values.iter().map(cell))?;
        }
    }
    match &options.output {
        Some(path) => output::write(path, text),
        None => output::print(&text),
    }
}

/// The names of the classes, if the model is a classifier: its logits have no scaler.
fn classes(model: &Predictor<f32>) -> Option<&[String]> {
    let names = model.target_names();
    (names.len() > 1 && model.y_scale().is_none()).then_some(names)
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) -> std::fmt::Result {
    writeln!(text, "{}", cells.collect::<Vec<_>>().join(","))
}

/// The index of the largest logit.
pub fn largest(logits: ArrayView1<f32>) -> usize {
    (1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}

/// The probability of each class.
fn softmax(logits: ArrayView1<f32>) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
